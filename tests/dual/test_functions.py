"""The functions of NumPy with their options: values, first and second tangents against central differences.

A row is a function of its arguments; it runs on arrays of which one axis has the length of the number of tangents, 3.
"""

from __future__ import annotations

import numpy as np
import pytest

from rulebook.dual import registry
from tests.dual.tools import check

_rng = np.random.default_rng(7)
V = _rng.uniform(0.2, 0.8, size=3)
W = _rng.uniform(1.2, 1.8, size=3)
L = _rng.permutation(np.linspace(0.3, 1.9, 9))
A = _rng.uniform(0.2, 0.8, size=(3, 3)) + np.eye(3)
B = _rng.uniform(0.2, 0.8, size=(3, 4))
C = _rng.permutation(np.linspace(0.2, 1.7, 24)).reshape(2, 3, 4)
Z = _rng.normal(size=3) + 1j * _rng.normal(size=3)
MASK = np.arange(24).reshape(2, 3, 4) % 3 != 1
ROW = np.array([True, False, True, True])

REDUCTIONS = {
    "sum": lambda x: (
        np.sum(x, (0, 2)),
        np.sum(x, 1, keepdims=True),
        np.sum(x, initial=2.0),
        np.sum(x, where=MASK),
        np.sum(x, -1, where=ROW, initial=x[0, 0, 0]),
        np.sum(x, dtype=complex),
        np.sum(x, axis=()),
        x.sum(1, keepdims=True, where=MASK),
    ),
    "mean": lambda x: (np.mean(x, (1, 2)), np.mean(x, where=MASK), np.mean(x, 1, keepdims=True, where=MASK), x.mean(0, dtype=complex)),
    "prod": lambda x: (
        np.prod(x, 1),
        np.prod(x, (0, 2), keepdims=True),
        np.prod(x[0], initial=0.5, where=MASK[0]),
        np.multiply.reduce(x, (0, 1)),
    ),
    "var": lambda x: (
        np.var(x, ddof=1),
        np.var(x, 1, correction=1),
        np.var(x, (0, 2), keepdims=True, where=MASK),
        np.var(x, 0, mean=np.mean(x, 0, keepdims=True)),
        np.var(x + 1j * x**2, 1),
    ),
    "std": lambda x: (np.std(x, 1, ddof=1), np.std(x, where=MASK), x.std(0, keepdims=True)),
    "average": lambda x: (
        np.average(x, 1, [1.0, 2.0, 3.0], True),
        np.average(x, weights=x * x, returned=True),
        np.average(x, (0, 2), weights=C[:, 0], keepdims=True),
        np.average(B, 0, x[0, :, 0]),
        np.average(x, returned=True)[0],
    ),
    "max": lambda x: (
        np.max(x, (0, 2)),
        np.max(x, 1, keepdims=True, initial=1.1),
        np.max(x, -1, where=ROW, initial=0.0),
        np.amax(x),
        np.ptp(x, 1, keepdims=True),
        x.max(0, initial=x[0, 0, 0]),
    ),
    "min": lambda x: (np.min(x, (0, 2)), np.amin(x, 1, keepdims=True, initial=1.1), np.min(x, -1, where=ROW, initial=9.0), x.min()),
    "trace": lambda x: (np.trace(x, 1), np.trace(x, 0, 1, 2, complex), x.trace(-1), np.linalg.trace(x, offset=1), np.linalg.diagonal(x)),
    "cumulative": lambda x: (
        np.cumsum(x, 1, complex),
        np.cumulative_sum(x, axis=1, include_initial=True),
        np.cumulative_sum(x[0, 0]),
        np.cumprod(x, 2),
        np.cumulative_prod(x, axis=-1, include_initial=True),
        np.add.accumulate(x, 2),
    ),
    "diff": lambda x: (
        np.diff(x, 2),
        np.diff(x, 1, 1, prepend=0.0, append=x[:, :1]),
        np.diff(x, 0),
        np.ediff1d(x),
        np.ediff1d(x, 9.0, [x[0, 0, 0], 1.0]),
    ),
    "count": lambda x: (np.count_nonzero(x > 1, axis=1), np.any(x > 1, 0), np.all(x, keepdims=True), np.argmax(x, 1, keepdims=True)),
}

HOLES = C.copy()
HOLES[0, 1, 2] = HOLES[1, 0, 0] = HOLES[1, 2, 3] = np.nan
WITHOUT_NAN = {
    "nansum": lambda x: (np.nansum(x), np.nansum(x, 1, keepdims=True), np.nansum(x, where=MASK, initial=1.0)),
    "nanprod": lambda x: (np.nanprod(x), np.nanprod(x, (0, 1))),
    "nanmean": lambda x: (np.nanmean(x), np.nanmean(x, 1, keepdims=True), np.nanmean(x, (0, 2), where=MASK)),
    "nanvar": lambda x: (np.nanvar(x), np.nanvar(x, 1, ddof=1, keepdims=True), np.nanstd(x, (0, 2), where=MASK), np.nanstd(x, ddof=1)),
    "nanmax": lambda x: (np.nanmax(x), np.nanmax(x, (0, 2)), np.nanmin(x, 1, keepdims=True), np.nanmin(x, initial=0.9, where=MASK)),
    "nancumsum": lambda x: (np.nancumsum(x), np.nancumsum(x, 1), np.nancumprod(x, 2), np.nancumprod(x[0])),
    "nanmedian": lambda x: (np.nanmedian(x), np.nanmedian(x, 1, keepdims=True), np.nanmedian(x, (0, 2))),
    "nanquantile": lambda x: (
        np.nanquantile(x, 0.3),
        np.nanpercentile(x, [20, 70], (1, 2)),
        np.nanquantile(x, [[0.2, 0.7]], 0, keepdims=True)[0],
    ),
    "nan_to_num": lambda x: (np.nan_to_num(x), np.nan_to_num(x * x, nan=x[0, 0, 0])),
    "fmax": lambda x: (np.fmax(x, 0.5), np.fmin.reduce(x, 1), np.fmax.reduce(x, None), np.nanargmax(x, 2)),
    "where": lambda x: np.where(np.isnan(x), 0.0, np.sqrt(np.where(np.isnan(x), 1.0, x))),
}

ORDER = {
    "sort": lambda x: (np.sort(x, 0, "stable"), np.sort(x, None), np.sort(x, stable=True), np.sort_complex(x[0, 0])),
    "partition": lambda x: (np.partition(x, 2, -1)[..., 2], np.partition(x, [1, 5], None)[[1, 5]]),
    "median": lambda x: (np.median(x), np.median(x, 1, keepdims=True), np.median(x, (0, 2)), np.median(x, -1)),
    "percentile": lambda x: (
        np.percentile(x, 37.0),
        np.percentile(x, [10, 50, 95], 2),
        np.percentile(x, [10, 50], (0, 1), keepdims=True),
        np.percentile(x, 20 + 40 * x[0, 0], axis=1),
        np.percentile(C, 20 + 40 * x[0, 0, 0]),
    ),
    "quantile, weighted": lambda x: (
        np.quantile(x, [0.2, 0.8], 1, weights=np.array([1.0, 2.0, 1.5]), method="inverted_cdf"),
        np.quantile(x, 0.4, weights=C, method="inverted_cdf"),
    ),
    "unique": lambda x: (
        np.unique(x),
        np.unique(x, True, True, True),
        np.unique(x, axis=1),
        np.unique_values(x),
        *np.unique_all(x),
        *np.unique_counts(x),
        *np.unique_inverse(x),
    ),
    "sets": lambda x: (
        np.union1d(x, W),
        np.setdiff1d(x, [9.0]),
        np.setxor1d(x[0], x[1]),
        np.setdiff1d(x[0], W, True),
        np.isin(x, W),
        np.intersect1d(x[0], W),
    ),
    "lexsort": lambda x: (np.lexsort((x[0, 0], x[1, 1])), np.searchsorted(np.sort(x[0, 0]), x[1]), np.digitize(x, [0.5, 1.0])),
    "extract": lambda x: (
        np.extract(x > 1, x),
        np.compress([True, False, True], x, 1),
        x.compress([False, True], 0),
        np.trim_zeros(np.where(x[0, 0] > 1, x[0, 0], 0)),
    ),
    "take": lambda x: (np.take(x, [[0, 5], [7, 1]], mode="wrap"), np.take(x, [9, -9], 1, mode="clip"), x.take(1, 2)),
    "take_along_axis": lambda x: (np.take_along_axis(x, np.argsort(x, 1)[:, :1], 1), np.take_along_axis(x, np.array([3, 1]), None)),
}
METHODS_OF_QUANTILE = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]

SHAPES = {
    "insert": lambda x: (
        np.insert(x, 1, 5.0),
        np.insert(x, [0, 2], x[:, :2] * 2, 1),
        np.insert(x, 1, x[0, 0], 1),
        np.insert(B, 1, x[0, 0], 0),
        np.insert(x, slice(0, 2), 1.0, 2),
    ),
    "delete": lambda x: (np.delete(x, 1), np.delete(x, [0, 2], 1), np.delete(x, slice(0, 3, 2), -1), np.delete(x, ROW, 2)),
    "append": lambda x: (np.append(x, [1.0, x[0, 0, 0]]), np.append(x, x[:, :1], 1), np.append(W, x), np.append([1.0], x[0, 0])),
    "split": lambda x: (
        np.split(x, [1], 1),
        np.array_split(x, 3, 2),
        np.hsplit(x, 3),
        np.vsplit(x, 2),
        np.dsplit(x, 2),
        np.unstack(x, axis=1),
    ),
    "block": lambda x: (
        np.block([[x[0], np.ones((3, 1))], [np.zeros((1, 4)), x[0, 0, :1]]]),
        np.block([x[0, 0], 2.0]),
        np.block(x),
        np.block([[x], [x]]),
    ),
    "choose": lambda x: (
        np.choose([0, 1, 1, 0], [x[0, 0], x[1, 2]]),
        np.choose([5, 0, 1, -3], [x[0], 2.0], mode="wrap"),
        np.choose(ROW, [x, -x]),
    ),
    "select": lambda x: (np.select([x > 1.2, x > 0.7], [x, x * x]), np.select([ROW], [x], x[0, 0, 0])),
    "piecewise": lambda x: (
        np.piecewise(x, [x < 0.7, x > 1.2], [np.sin, lambda v: v * v, 3.0]),
        np.piecewise(x[0, 0], x[0, 0] < 0.9, [lambda v, c: c * v, 0.5], 3.0),
        np.piecewise(x[0, 0, 0], [True], [np.cos]),
    ),
    "apply": lambda x: (
        np.apply_along_axis(np.sum, 1, x),
        np.apply_along_axis(lambda v: np.outer(v, v), 1, x),
        np.apply_along_axis(lambda v, c: v[::-1] * c, 0, x, 2.0),
        np.apply_over_axes(np.sum, x, [0, 2]),
        np.apply_over_axes(np.mean, x, 1),
    ),
    "pad": lambda x: (
        np.pad(x, 2, constant_values=x[0, 0, 0]),
        np.pad(x, ((1, 0), (0, 2), (3, 1)), "linear_ramp", end_values=0.5),
        np.pad(x[0], 2, "mean"),
        np.pad(x[0], ((1, 2), (0, 3)), "maximum", stat_length=2),
        np.pad(x[0], 1, "minimum"),
        np.pad(x[0], 1, "median", stat_length=((1, 2), (2, 3))),
        np.pad(x[0], 2, "reflect"),
        np.pad(x[0], 5, "reflect", reflect_type="odd"),
        np.pad(x[0], (1, 6), "symmetric", reflect_type="odd"),
        np.pad(x[0], {-1: 2}, "wrap"),
        np.pad(x[0, 0], (2, 3), "edge"),
        np.pad(x[0], 1, "constant", constant_values=((1, 2), (3, 4))),
        np.pad(x[0], 1, _filler, value=3.0),
    ),
    "tile": lambda x: (
        np.tile(x, (2, 1, 1, 2)),
        np.tile(x[0, 0, 0], 3),
        np.repeat(x, [1, 0, 2], 1),
        np.resize(x, (3, 5)),
        np.resize(x[0, 0], 2),
    ),
    "roll": lambda x: (np.roll(x, [1, -2], (0, 2)), np.roll(x, 5), np.rot90(x, 3, (1, 2)), np.flip(x, (0, 2)), np.rollaxis(x, 2, 1)),
    "windows": lambda x: (np.lib.stride_tricks.sliding_window_view(x, 2, 2), np.lib.stride_tricks.sliding_window_view(x[0], (2, 3))),
    "reshape": lambda x: (
        np.reshape(x, (4, 6), order="F"),
        x.reshape((4, -1), order="F"),
        np.ravel(x, "F"),
        x.flatten("F"),
        np.reshape(x, -1, copy=True),
        x.mT,
        np.matrix_transpose(x),
        np.permute_dims(x, (2, 0, 1)),
        np.expand_dims(x, (0, 2)),
    ),
    "diag": lambda x: (
        np.diagflat(x[0], 1),
        np.diag(x[0], -1),
        np.diagonal(x, 1, 0, 2),
        np.tril(x, -1),
        np.triu(x[0, 0]),
        np.tril(x[0, 0], 1),
    ),
    "spaces": lambda x: (
        np.linspace(x[0, 0, 0], 2.0, 5),
        np.linspace(0.0, x[0, 0], 4, False, axis=1),
        np.linspace(x[0], x[1], 1, retstep=False),
        np.linspace(x[0, 0, 0], x[0, 0, 1], 3, retstep=True),
        np.logspace(x[0, 0, 0], 1.0, 4),
        np.logspace(0, x[0, 0], 3, base=2.0),
        np.geomspace(x[0, 0], 8.0, 4),
        np.geomspace(-x[0, 0, 0], -3.0, 4, endpoint=False),
    ),
    "like": lambda x: (
        np.tri(3, 4, like=x) * x,
        np.fromfunction(lambda i, j: i * x[0, 0, 0] + j, (3, 4), like=x),
        np.fromiter([1.0, 2.0, 3.0, 4.0], float, like=x) * x,
        np.asfortranarray([[x[0, 0, 0], 1.0]], like=x),
        np.require([x[0, 0, 0], 1.0], requirements="C", like=x),
        np.identity(4, like=x) @ x[0, 0],
    ),
    "stacking": lambda x: (
        np.concatenate([x, np.ones((2, 3, 1))], 2, dtype=complex),
        np.stack([x[0], x[1]], -1, dtype=float),
        np.dstack([x[0], x[1]]),
        np.vstack([x[0, 0], W[:1].repeat(4)]),
        np.hstack((x[0, 0], 1.0)),
        np.column_stack([x[0], x[1, :, 0]]),
    ),
    "broadcast": lambda x: (
        np.broadcast_arrays(x[0], x[0, 0], 1.0),
        np.broadcast_to(x[:, :1], (5, 2, 3, 4)),
        np.meshgrid(x[0, 0], W, copy=False),
    ),
    "real": lambda x: (
        np.real_if_close(x + 0j),
        np.real_if_close(x + 1e-3j),
        np.nan_to_num(x * (1 + 1j)),
        np.real(x * 1j),
        np.imag(1j * x),
    ),
}


def _filler(vector, width, axis, options):
    vector[: width[0]] = options["value"] * vector[width[0]]
    vector[-width[1] :] = vector[width[0]] ** 2


CALCULUS = {
    "gradient": lambda x: (
        np.gradient(x),
        np.gradient(x, 0.5, axis=1),
        np.gradient(x, 0.5, [0.0, 0.3, 1.0], 2.0)[1:],
        np.gradient(x, [0.0, 1.0, 1.5, 3.0], axis=2, edge_order=2),
        np.gradient(x[0], 2.0, edge_order=2, axis=(1, 0)),
        np.gradient(x[0, 0], np.cumsum(x[1, 1])),
        np.gradient(x[0, 0], x[0, 0, 0]),
        np.gradient(W, np.cumsum(x[0, 0, :3]), edge_order=2),
    ),
    "trapezoid": lambda x: (
        np.trapezoid(x, dx=0.3, axis=1),
        np.trapezoid(x, x**2),
        np.trapezoid(W, x[0, :, 0]),
        np.trapezoid([1.0, 2.0], x[0, 0, :2]),
    ),
    "interp": lambda x: (
        np.interp(x, [0.0, 0.6, 1.1, 1.5], [1.0, 3.0, 2.0, 4.0]),
        np.interp([0.4, 1.0, 3.0, -1.0], np.sort(x[0, 0]), x[1, 1]),
        np.interp(x[0], [0.5, 1.0], x[1, 0, :2], left=x[0, 0, 0], right=2.0),
        np.interp(x[0] * 9, [0.2, 0.7, 1.4], x[1, 0, :3], period=2.0),
        np.interp(x[0, 0, 0], [0.0, 9.0], [1.0, 2.0]),
        np.interp(x[0], [0.5, 1.0], x[1, 0, :2] * 1j),
    ),
    "unwrap": lambda x: (np.unwrap(x * 8, axis=1), np.unwrap(x[0, 0] * 9, period=2.0), np.unwrap(x[0] * 5, 3.5)),
    "convolve": lambda x: (
        np.convolve(x[0, 0], x[1, 1, :3]),
        np.convolve(W, x[0, 0], "same"),
        np.convolve(x[0, 0], [1.0, 2.0], "valid"),
        np.convolve(x[0, 0] * 1j, W),
        np.convolve(x[0, 0, 0], W),
    ),
    "correlate": lambda x: (
        np.correlate(x[0, 0], x[1, 1]),
        np.correlate(x[0, 0], W, "full"),
        np.correlate(W, x[0, 0] * (1 + 2j), "same"),
        np.correlate(x[0, 0] * 1j, x[0, 1] * Z[0], "full"),
    ),
    "cov": lambda x: (
        np.cov(x[0]),
        np.cov(x[0], x[1], ddof=0),
        np.cov(x[0], rowvar=False, bias=True),
        np.cov(x[0], fweights=[1, 2, 1, 3], aweights=[0.5, 1.0, 2.0, 1.5]),
        np.cov(x[0], aweights=x[1, 1]),
        np.cov(x[0, 0]),
        np.cov(x[0] * (1 + 1j) + 1j * x[1]),
        np.cov(B, x[0]),
    ),
    "corrcoef": lambda x: (np.corrcoef(x[0]), np.corrcoef(x[0], x[1], rowvar=False), np.corrcoef(x[0, 0])),
    "histogram": lambda x: (
        np.histogram(x, 5),
        np.histogram(x, [0.0, 0.7, 2.0], density=True),
        np.histogram(x, "sturges", density=True),
        np.histogram(x, 3, (0.1, 2.0), weights=x**2),
        np.histogram_bin_edges(x, 4),
        np.histogram(C, [0.0, 0.7, 1.1, 2.0], weights=x),
        np.histogram2d(x[0].ravel(), x[1].ravel(), 3),
        np.histogramdd([x[0, 0], x[1, 1]], (2, 3)),
    ),
    "bincount": lambda x: (np.bincount([0, 2, 1, 2], x[0, 0]), np.bincount([0, 1, 1, 0], x[0, 0], 5)),
}

POLYNOMIALS = {
    "polyval": lambda x: (np.polyval([1.0, 2.0, 3.0], x), np.polyval(x[0, 0], 2.0), np.polyval(x[0, 0], x), np.polyval(x[0, 0], W)),
    "polynomial.polyval": lambda x: np.polynomial.polynomial.polyval(x, [1.0, 2.0, 3.0]),
    "vander": lambda x: (np.vander(x[0, 0]), np.vander(x[0, 0], 3, increasing=True), np.vander(x[0, 0], 0), np.vander(x[0, 0], 6)),
    "polynomials": lambda x: (
        np.polyadd(x[0, 0], [1.0, 2.0]),
        np.polysub([1.0, 2.0, 3.0, 4.0, 5.0], x[0, 0]),
        np.polymul(x[0, 0], x[1, 1, :2]),
        *np.polydiv(x[0, 0], x[1, 1, :2]),
        *np.polydiv([1.0, 2.0, 3.0], x[1, 1, :2]),
        *np.polydiv(x[0, 0, :2], [1.0, 2.0, 3.0]),
        np.polyder(x[0, 0]),
        np.polyder(x[0, 0], 2),
        np.polyint(x[0, 0]),
        np.polyint(x[0, 0], 2, x[1, 1, :2]),
        np.polyint(x[0, 0], 2, 3.0),
    ),
    "poly": lambda x: (np.poly(x[0, 0]), np.poly(x[0, 0, :2].repeat(1) * 1j)),
    "roots": lambda x: (np.roots(np.poly(x[0, 0])), np.roots(x[0, 0, :3]), np.roots(np.concatenate([x[0, 0], [0.0]]))),
    "polyfit": lambda x: (
        np.polyfit([0.0, 1.0, 2.0, 3.0], x[0, 0], 2),
        np.polyfit(x[0, 0], x[1, 1], 1),
        np.polyfit(W, x[0], 1, w=[1.0, 2.0, 3.0]),
    ),
}

ELEMENTWISE = {
    "sinc": lambda x: (np.sinc(x), np.sinc(x * 0.01), np.sinc(x[0, 0, 0] - C[0, 0, 0])),
    "i0": lambda x: np.i0(x),
    "divmod": lambda x: (np.divmod(x * 5, 0.7), np.modf(x * 3), np.frexp(x * 9), np.ldexp(x, [1, 2, 3, 0]), np.nextafter(x, 9.0)),
    "clip": lambda x: (
        np.clip(x, 0.5, None),
        np.clip(x, min=0.4, max=1.2),
        np.clip(B, x[0] * 0.8, 0.7),
        np.clip(x, x[0], 1.3),
        x.clip(None, 0.9),
    ),
    "emath": lambda x: (
        np.emath.sqrt(x - 1),
        np.emath.sqrt(x),
        np.emath.log(x - 1),
        np.emath.log2(x),
        np.emath.log10(-x),
        np.emath.logn(2, x),
        np.emath.logn(x, 3.0),
        np.emath.power(x - 1, 2.5),
        np.emath.arccos(x * 3),
        np.emath.arcsin(x / 2),
        np.emath.arctanh(x / 2),
        np.emath.arctanh(1 + x),
    ),
    "steps": lambda x: (
        np.floor(x),
        np.rint(x),
        np.fix(x),
        np.round(x, 1),
        x.round(2),
        np.heaviside(x - 1, 0.5),
        np.sign(x - 1),
        np.signbit(x),
    ),
    "options": lambda x: (
        np.sin(x, dtype=complex),
        np.add(x, 1, dtype=complex),
        np.multiply(x, x, casting="safe"),
        np.divide(1.0, x - C, out=x * 2, where=x > 9),
        np.log(x, where=x > 1, out=np.zeros_like(x)),
        np.exp(x[0], where=ROW, out=np.ones((3, 4), like=x)),
    ),
    "outer": lambda x: (np.add.outer(x[0, 0], x[1]), np.arctan2.outer(W, x[0, 0]), np.maximum.outer(x[0, 0], V), np.less.outer(x[0, 0], W)),
    "reduce": lambda x: (
        np.logaddexp.reduce(x, 1),
        np.subtract.reduce(x, 2),
        np.divide.reduce(x[0], 0, keepdims=True),
        np.power.reduce(x[0, :2], 0),
        np.hypot.reduce(x, 0),
        np.add.reduce(x, (0, 2), keepdims=True, where=MASK, initial=1.0),
        np.logaddexp.reduce(x, (0, 1), where=MASK, initial=-1.0),
        np.logaddexp2.reduce(x, None),
        np.maximum.reduce(x, None),
        np.minimum.reduce(x, (0, 1), initial=1.0),
        np.fmax.reduce(x, 1),
        np.logical_and.reduce(x, 1),
    ),
    "accumulate": lambda x: (
        np.maximum.accumulate(x, 1),
        np.minimum.accumulate(x, 2),
        np.subtract.accumulate(x),
        np.logaddexp.accumulate(x, 1),
        np.multiply.accumulate(x, 2, complex),
        np.hypot.accumulate(x[0, 0]),
    ),
    "reduceat": lambda x: (
        np.add.reduceat(x, [0, 2, 1], 1),
        np.multiply.reduceat(x, [0, 3, 1], -1),
        np.maximum.reduceat(x, [0, 1]),
        np.logaddexp.reduceat(x[0, 0], [0, 2]),
    ),
    "frompyfunc": lambda x: (
        np.exp(np.frompyfunc(lambda a, b: a * b + 1, 2, 1)(x, W[:, None]).astype(float)),
        *(v.astype(float) for v in np.frompyfunc(lambda a: (a, a * a), 1, 2)(x[0])),
    ),
}


def _at(x):
    y = x * 1.0
    np.add.at(y, ([0, 0, 1], [1, 1, 2]), x[0, 0])
    np.subtract.at(y, (0, slice(None), [1, 1]), 2.0)
    np.multiply.at(y, ([0, 0], [1, 1], [2, 2]), x[0, 0, 0])
    np.maximum.at(y, (1, 1), 1.0)
    np.negative.at(y, (0, 2))
    np.divide.at(y, (slice(None), 0, 0), x[1, 1, 1])
    return y


def _puts(x):
    y = x * 1.0
    np.put(y, [0, -1, 30], [x[0, 0, 1], 2.0], mode="clip")
    y.put([3, 4], x[0, 0, 0])
    np.place(y, y > 1.5, [x[0, 1, 1], 7.0])
    np.putmask(y, MASK, x * 2)
    np.putmask(y, np.logical_not(MASK), [1.0, 2.0])
    np.put_along_axis(y, np.argmax(x, 1, keepdims=True), x[:, :1] * 3, 1)
    np.copyto(y, x[0, 0], where=ROW)
    np.fill_diagonal(y[0], x[0, 0, 0])
    tall = np.zeros((7, 2), like=x)
    np.fill_diagonal(tall, [x[0, 0, 1], 2.0], wrap=True)
    y.flat[2:5] = x[0, 0, 0]
    z = x.copy()
    z.flat = [1.0, x[0, 0, 2]]
    return y, tall, z, x.flat[3], x.flat[[1, 2]], len(x.flat)


def _in_place(x):
    y = x * 1.0
    y.sort(1)
    z = x * 1.0
    z.partition(2)
    w = x * 3
    w %= 0.7
    v = x * 3
    v //= 0.7
    u = x.astype(complex)
    u *= 1j
    u.real = x
    return y, np.sort(z), w, v, u


def _outs(x):
    y, z = np.zeros_like(x), np.zeros((3, 4), like=x)
    assert np.sin(x, out=y) is y
    np.add(y, x, y)
    np.sum(x, 0, None, z)
    z2 = np.cumsum(x, axis=0, out=np.zeros_like(x))
    w = np.zeros((2, 4), like=x)
    x.max(1, out=w)
    a, b = np.modf(x * 3, out=(np.zeros_like(x), None))
    c = np.dot(x[0], x[0].T, np.zeros((3, 3), like=x))
    d = np.einsum("ij->i", x[0], out=np.zeros(3, like=x))
    e = np.concatenate([x, x], out=np.zeros((4, 3, 4), like=x))
    f = np.clip(x, 0.5, 1.0, np.zeros_like(x))
    g = np.fft.fft(x, out=np.zeros_like(x, dtype=complex))
    h = np.median(x, 1, w * 0)
    i = np.add.reduce(x, 1, out=w * 0)
    j = np.matmul(x[0], x[1].T, out=np.zeros((3, 3), like=x))
    k = np.sum(C, 0, out=z * 0)
    m = np.take(x, [1, 2], 2, np.zeros((2, 3, 2), like=x))
    n = np.floor(x * 5.01, out=np.zeros_like(x))
    plain = np.floor(x * 5.01, out=np.zeros((2, 3, 4)))
    flags = np.greater(x, 1.0, out=np.zeros((2, 3, 4), bool), where=MASK)
    big = np.add(x[0, 0], 1.0, out=np.zeros((2, 4), like=x))
    return y, z, z2, w, a, b, c, d, e, f, g, h, i, j, k, m, n, plain, flags, big


WRITES = {"at": _at, "puts": _puts, "in place": _in_place, "outs": _outs}

PRODUCTS = {
    "einsum": lambda x: (
        np.einsum("ijk->kji", x),
        np.einsum("ijk,ilk->jl", x, x),
        np.einsum("...j,...j", x, x[0]),
        np.einsum("ii->i", x[0, :, :3]),
        np.einsum("ij,jk,kl->il", x[0], x[1].T, x[0], optimize=True),
        np.einsum("ij,jk,kl", x[0], B.T, x[0], optimize="optimal"),
        np.einsum(x[0], [0, 1], x[1], [2, 1], [2, 0]),
        np.einsum(x[0], [5, 1]),
        np.einsum(x, [Ellipsis, 1], x[0, 0], [1], [Ellipsis]),
        np.einsum("i,", x[0, 0], x[0, 0, 0]),
        np.einsum("ij,jk->ik", x[0], x[1].T, optimize=["einsum_path", (0, 1)]),
        np.einsum("ij->", x[0], dtype=complex),
        np.einsum("i...->...", x),
        np.einsum("zZ,Zy", x[0], B.T),
    ),
    "products": lambda x: (
        np.vecdot(x, x[0]),
        np.vecdot(x * 1j, x, axis=1),
        np.linalg.vecdot(x, C, axis=0),
        np.matvec(x, x[0, 0]),
        np.vecmat(x[0, :, 0] * 1j, x),
        np.matmul(x, x, axes=[(0, 1), (1, 0), (0, 1)]),
        np.matvec(x[0], x[1, :, :1].repeat(4, 1)[0]),
        np.inner(x, x[0]),
        np.vdot(x, C),
        np.vdot(x * 1j, x),
        np.outer(x[0, 0], [1.0, 2.0]),
        np.kron(x[0], W),
        np.kron(2.0, x[0]),
        np.dot([1.0, 2.0, 3.0], x[0]),
    ),
    "cross": lambda x: (
        np.cross(x[..., :3], x[0, :, :3]),
        np.cross(x, x[::-1] ** 2, axis=1),
        np.cross(x, W, 1, 0, 1),
        np.linalg.cross(x, x**2, axis=1),
        np.cross(x[..., :3], [1.0, 2.0, 3.0]),
    ),
    "tensordot": lambda x: (np.tensordot(x, x, ([0, 2], [0, 2])), np.tensordot(x, B, (1, 0)), np.linalg.tensordot(C, x, axes=3)),
    "multi_dot": lambda x: (
        np.linalg.multi_dot([x[0], x[1].T, W]),
        np.linalg.multi_dot([W, x[0], x[1].T, x[0]]),
        np.linalg.multi_dot([x[0], x[1].T, x[0, :, :1]]),
        np.linalg.multi_dot([x[0], B.T]),
        np.linalg.matrix_power(x[:, :, :3], 5),
        np.linalg.matrix_power(x[0, :, :3], 0),
    ),
    "fft": lambda x: (
        np.fft.fft(x, 6, 1, "ortho"),
        np.fft.ifft(x, 2, 0, "forward"),
        np.fft.rfft(x, 3),
        np.fft.irfft(x * (1 + 1j), 5, 1),
        np.fft.hfft(x * (1 + 1j), axis=1, norm="ortho"),
        np.fft.ihfft(x),
        np.fft.fft2(x, (2, 3), (0, 2)),
        np.fft.ifft2(x, norm="ortho"),
        np.fft.rfft2(x, (4, 4)),
        np.fft.irfft2(x * 1j),
        np.fft.fftn(x, (2, 2), (0, 1)),
        np.fft.ifftn(x),
        np.fft.rfftn(x, axes=(1, 0)),
        np.fft.irfftn(x * (1 + 2j), (3, 4), (1, 2), "ortho"),
        np.fft.fftshift(x, 1),
        np.fft.ifftshift(x, (0, 2)),
        np.fft.fftshift(x),
    ),
}

ALGEBRA = {
    "norm": lambda a, b: (
        np.linalg.norm(a, 1),
        np.linalg.norm(a, -1),
        np.linalg.norm(a, np.inf),
        np.linalg.norm(a, -np.inf),
        np.linalg.norm(a, 2),
        np.linalg.norm(a, -2),
        np.linalg.norm(b, "nuc"),
        np.linalg.norm(b, "fro", keepdims=True),
        np.linalg.norm(b, axis=(0, 1), keepdims=True),
        np.linalg.norm(b, 3, axis=0),
        np.linalg.norm(b, -1.5, axis=1, keepdims=True),
        np.linalg.norm(b, 0, axis=1),
        np.linalg.norm(b[None] * 1j + b, 1, (1, 2)),
        np.linalg.norm(np.stack([a, 2 * a]), 2, (1, 2)),
        np.linalg.norm(np.stack([a, 2 * a])),
        np.linalg.norm(a[0], -np.inf),
    ),
    "vector_norm": lambda a, b: (
        np.linalg.vector_norm(b),
        np.linalg.vector_norm(b, axis=1, ord=3, keepdims=True),
        np.linalg.vector_norm(b, axis=(0, 1), ord=1),
        np.linalg.vector_norm(b, ord=np.inf, keepdims=True),
        np.linalg.vector_norm(b, axis=0, ord=0),
    ),
    "matrix_norm": lambda a, b: (
        np.linalg.matrix_norm(b),
        np.linalg.matrix_norm(np.stack([b, b * 2]), ord=2, keepdims=True),
        np.linalg.matrix_norm(b, ord=1),
        np.linalg.matrix_norm(b, ord="nuc"),
    ),
    "cond": lambda a, b: (np.linalg.cond(a), np.linalg.cond(b), *(np.linalg.cond(a, p) for p in (2, -2, 1, -1, np.inf, -np.inf, "fro"))),
    "tensors": lambda a, b: (
        np.linalg.tensorsolve(np.reshape(np.kron(a, np.eye(4)) + np.eye(12), (3, 4, 3, 4)), b),
        np.linalg.tensorinv(np.reshape(np.kron(a, np.eye(2)), (3, 2, 2, 3))),
        np.linalg.tensorinv(np.reshape(a, (3, 3)), 1),
        np.linalg.tensorsolve(np.moveaxis(np.reshape(np.kron(a, np.eye(2)), (6, 2, 3)), 0, 2), np.ones(6), (0, 1)),
    ),
    "pinv": lambda a, b: (
        np.linalg.pinv(a),
        np.linalg.pinv(b),
        np.linalg.pinv(b.T, rtol=1e-9),
        np.linalg.pinv(b * (1 + 1j)),
        np.linalg.pinv(a + a.T, hermitian=True),
    ),
    "lstsq": lambda a, b: (
        *np.linalg.lstsq(b.T, np.arange(4.0))[:2],
        *np.linalg.lstsq(b.T, np.reshape(np.arange(8.0), (4, 2)) * a[0, 0]),
        np.linalg.lstsq(b, a[0])[0],
        np.linalg.lstsq(B.T, b[0], None)[0],
        np.linalg.lstsq(a, W, -1)[0],
    ),
    "rank": lambda a, b: (np.linalg.matrix_rank(b), np.linalg.slogdet(a), np.linalg.det(a), np.linalg.outer(a[0], b[0])),
}


@pytest.mark.parametrize("name", [*REDUCTIONS, *ORDER, *SHAPES, *CALCULUS, *POLYNOMIALS, *ELEMENTWISE, *PRODUCTS, *WRITES])
def test_functions(name):
    fn = (REDUCTIONS | ORDER | SHAPES | CALCULUS | POLYNOMIALS | ELEMENTWISE | PRODUCTS | WRITES)[name]
    check(fn, C, tol=1e-5)
    check(fn, C, k=1, second=False, tol=1e-5)


@pytest.mark.parametrize("name", WITHOUT_NAN)
def test_holes(name):
    fn = WITHOUT_NAN[name]
    check(fn, HOLES, tol=1e-5)
    check(fn, C, second=False, tol=1e-5)


@pytest.mark.parametrize("method", METHODS_OF_QUANTILE)
def test_quantiles(method):
    for q in (0.31, np.array([0.07, 0.52, 0.93])):
        check(
            lambda x: (np.quantile(x, q, method=method), np.quantile(x, q, 1, method=method), np.nanquantile(x, q, 0, method=method)),
            C,
            second=False,
        )
        check(
            lambda x, q: (np.quantile(x, q, 2, method=method), np.percentile(x, q * 100, (0, 1), keepdims=True, method=method)),
            C,
            q,
            second=False,
            tol=1e-5,
        )


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name):
    check(ALGEBRA[name], A, B, tol=1e-4)
    check(ALGEBRA[name], A, B, k=1, second=False, tol=1e-4)


# Of files, text, dates, records, and the bits and positions of integers.
WITHOUT_RULE = {
    *("busday_count", "busday_offset", "is_busday", "datetime_as_string", "packbits", "unpackbits"),
    *("save", "savetxt", "savez", "savez_compressed", "ix_", "ravel_multi_index", "unravel_index"),
}


def test_every_function_has_a_rule():
    overrides = pytest.importorskip("numpy.testing.overrides")
    for function in overrides.get_overridable_numpy_array_functions():
        if function.__module__ in ("numpy", "numpy.linalg", "numpy.fft", "numpy.lib.scimath", "numpy.lib.stride_tricks"):
            found = (
                function in registry.FUNCTIONS or getattr(np, function.__name__, None) in registry.CREATORS or registry.find({}, function)
            )
            assert bool(found) != (function.__name__ in WITHOUT_RULE), function
    for ufunc in overrides.get_overridable_numpy_ufuncs():
        if any(set(loop) & set("dD") for loop in ufunc.types) and not ufunc.__name__.startswith("_"):
            assert ufunc in registry.UFUNCS, ufunc

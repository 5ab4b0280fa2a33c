"""Sums, products, extrema and cumulative functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.axes import lead, lead_all
from rulebook.dual.errors import unsupported
from rulebook.dual.methods import primal_only
from rulebook.dual.parts import join, tangent, top
from rulebook.dual.registry import METHODS, rule

__all__: list[str] = []

_UNSET: Any = np._NoValue


def _options(name: str, dtype: Any, out: Any, initial: Any, where: Any) -> None:
    """Refuse the options that the rules do not cover."""
    for option, value, default in (("out=", out, None), ("initial=", initial, _UNSET), ("dtype=", dtype, None), ("where=", where, _UNSET)):
        if value is not default and value is not True and not (option == "initial=" and value is None):
            raise unsupported(name, option, "leave it away, and select with np.where or add before")


def _keep(keepdims: Any) -> bool:
    return bool(keepdims) and keepdims is not _UNSET


@rule(np.sum)
def _sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _UNSET, where: Any = _UNSET
) -> Any:
    _options("np.sum", dtype, out, initial, where)
    y = np.sum(a.p, axis=axis, keepdims=_keep(keepdims))
    return join(y, np.sum(tangent(a, a.tag), axis=lead_all(axis, a.ndim), keepdims=_keep(keepdims)), a.tag)


@rule(np.mean)
def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _UNSET) -> Any:
    _options("np.mean", dtype, out, _UNSET, where)
    y = np.mean(a.p, axis=axis, keepdims=_keep(keepdims))
    return join(y, np.mean(tangent(a, a.tag), axis=lead_all(axis, a.ndim), keepdims=_keep(keepdims)), a.tag)


@rule(np.average)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    if returned:
        raise unsupported("np.average", "returned=", "compute the sum of the weights with np.sum")
    if weights is None:
        return np.mean(a, axis=axis, keepdims=_keep(keepdims))
    if np.ndim(weights) != np.ndim(a):
        weights = np.reshape(weights, [-1 if i == lead(axis, np.ndim(a)) - 1 else 1 for i in range(np.ndim(a))])
    total = np.sum(a * weights, axis=axis, keepdims=_keep(keepdims))
    return total / np.sum(weights + 0 * a, axis=axis, keepdims=_keep(keepdims))


@rule(np.var)
def _var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: Any = False, *, where: Any = _UNSET, **more: Any
) -> Any:
    _options("np.var", dtype, out, _UNSET, where)
    if any(v is not _UNSET for v in more.values()):
        raise unsupported("np.var", ", ".join(more), "use ddof=")
    difference = a - np.mean(a, axis=axis, keepdims=True)
    squares = np.real(difference * np.conjugate(difference)) if a.dtype.kind == "c" else difference * difference
    n = a.size / max(np.size(np.sum(np.empty(a.shape), axis=axis)), 1)
    return np.sum(squares, axis=axis, keepdims=_keep(keepdims)) / (n - ddof)


@rule(np.std)
def _std(a: Any, *args: Any, **kwargs: Any) -> Any:
    return np.sqrt(_var(a, *args, **kwargs))


@rule(np.prod)
def _prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _UNSET, where: Any = _UNSET
) -> Any:
    """The products of all others: by cumulative products from both ends, right where elements are zero."""
    _options("np.prod", dtype, out, initial, where)
    if axis is None:
        y = _prod(np.reshape(a, (-1,)), 0)
        return np.reshape(y, (1,) * a.ndim) if _keep(keepdims) and a.ndim else y
    p = np.moveaxis(a.p, axis, -1)
    one = np.ones((*p.shape[:-1], 1), a.dtype)
    before = np.cumprod(np.concatenate([one, p[..., :-1]], axis=-1), axis=-1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(p[..., 1:], -1)], axis=-1), axis=-1), -1)
    t = np.sum(before * after * np.moveaxis(tangent(a, a.tag), lead(axis, a.ndim), -1), axis=-1)
    y = join(np.prod(p, axis=-1), t, a.tag)
    return np.expand_dims(y, axis) if _keep(keepdims) else y


@rule(np.cumsum)
def _cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    _options("np.cumsum", dtype, out, _UNSET, _UNSET)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return join(np.cumsum(a.p, axis=axis), np.cumsum(tangent(a, a.tag), axis=lead(axis, a.ndim)), a.tag)


@rule(np.cumprod)
def _cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """By the recurrence of the definition, t_i = t_(i-1) * x_i + y_(i-1) * x_dot_i: right where elements are zero."""
    _options("np.cumprod", dtype, out, _UNSET, _UNSET)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    p = np.moveaxis(a.p, axis, 0)
    x_dot = np.moveaxis(tangent(a, a.tag), lead(axis, a.ndim), 0)
    y = np.cumprod(p, axis=0)
    ts: list[Any] = []
    for i in range(len(p)):
        ts.append(x_dot[i] if i == 0 else ts[-1] * p[i] + y[i - 1] * x_dot[i])
    t = np.moveaxis(np.stack(ts), 0, lead(axis, a.ndim)) if ts else tangent(a, a.tag)
    return join(np.moveaxis(y, 0, axis), t, a.tag)


def _extremum(function: Any) -> None:
    @rule(function)
    def apply(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _UNSET, where: Any = _UNSET) -> Any:
        """Where several elements are extremal, the mean of their derivatives, as in JAX and PyTorch."""
        _options(f"np.{function.__name__}", None, out, initial, where)
        p = primal_only(a, f"np.{function.__name__}()")
        y = function(p, axis=axis, keepdims=True)
        at = np.equal(p, y)
        weight = at / np.sum(at, axis=axis, keepdims=True)
        t = np.sum(np.where(at, weight * tangent(a, a.tag), 0.0), axis=lead_all(axis, a.ndim), keepdims=_keep(keepdims))
        return join(y if _keep(keepdims) else np.squeeze(y, axis=axis), t, a.tag)


_extremum(np.max)
_extremum(np.min)


@rule(np.ptp)
def _ptp(a: Any, axis: Any = None) -> Any:
    return np.max(a, axis=axis) - np.min(a, axis=axis)


@rule(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _UNSET, append: Any = _UNSET) -> Any:
    if prepend is not _UNSET or append is not _UNSET:
        raise unsupported("np.diff", "prepend= or append=", "use np.concatenate before")
    return join(np.diff(a.p, n, axis), np.diff(tangent(a, a.tag), n, lead(axis, a.ndim)), a.tag)


@rule(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = np.moveaxis(y, axis, -1) if np.ndim(y) > 1 else y
    if x is not None:
        dx = np.diff(x, axis=-1) if np.ndim(x) == 1 else np.diff(np.moveaxis(x, axis, -1), axis=-1)
    return np.sum((y[..., 1:] + y[..., :-1]) * dx, axis=-1) / 2.0


@rule(np.median, np.quantile, np.percentile, np.unique, np.bincount, np.histogram)
def _refused(a: Any, *args: Any, **kwargs: Any) -> Any:
    raise unsupported(
        "This function of numpy", "a dual argument", "write it with np.sort and indexing, or wrap it with rb.primitive and a rule"
    )


@rule(np.sort)
def _sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    at = np.argsort(a, axis=axis, kind=kind, stable=stable)
    return np.take_along_axis(a, at, axis=axis)


@rule(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord is None or (ord == 2 and (x.ndim == 1 or (np.ndim(axis) == 0 and axis is not None))) or ord == "fro":
        square = np.real(x * np.conjugate(x)) if x.dtype.kind == "c" else x * x
        return np.sqrt(np.sum(square, axis=axis, keepdims=keepdims))
    vector = x.ndim == 1 or isinstance(axis, int)
    if not vector:
        raise unsupported("np.linalg.norm", f"ord={ord!r} of a matrix", "write it with np.sum, or with the singular values")
    size = np.absolute(x)
    if ord == np.inf or ord == -np.inf:
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1.0 / ord)


def _reduce(function: Any) -> Any:
    """ufunc.reduce: over axis 0 by default."""

    def apply(a: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, initial: Any = _UNSET, where: Any = True) -> Any:
        return (
            function(a, axis=axis, keepdims=keepdims)
            if dtype is None and initial is _UNSET and where is True
            else _options("ufunc.reduce", dtype, None, initial, where)
        )

    return apply


def _accumulate(function: Any) -> Any:
    return lambda a, axis=0, dtype=None: function(a, axis=axis, dtype=dtype)


METHODS[np.add, "reduce"] = _reduce(np.sum)
METHODS[np.multiply, "reduce"] = _reduce(np.prod)
METHODS[np.maximum, "reduce"] = _reduce(np.max)
METHODS[np.minimum, "reduce"] = _reduce(np.min)
METHODS[np.add, "accumulate"] = _accumulate(np.cumsum)
METHODS[np.multiply, "accumulate"] = _accumulate(np.cumprod)


def _outer(ufunc: Any, a: Any, b: Any, **options: Any) -> Any:
    return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b, **options)


METHODS[None, "outer"] = _outer


def _at(sign: float) -> Any:
    def apply(a: Any, key: Any, values: Any) -> None:
        """Unbuffered `a[key] += values`: repeated indices add up."""
        tag = top(values)
        if not hasattr(a, "tag") or a.tag < tag:
            raise unsupported("ufunc.at", "into a plain NumPy array", "make the array with np.zeros_like of a dual array")
        same = tag == a.tag
        new, t = (values.p, tangent(values, tag)) if same else (values, 0.0)
        p, b = a.writable(new, t)
        at = np.arange(a.size).reshape(a.shape)[key]
        rows = np.arange(len(b)).reshape(-1, *(1,) * at.ndim)
        whole = np.unravel_index(at, a.shape)
        np.add.at(p, whole, sign * new)
        if same:
            np.add.at(b, (rows, *(w[None] for w in whole)), sign * tangent(values, tag, at.ndim))

    return apply


METHODS[np.add, "at"] = _at(1.0)
METHODS[np.subtract, "at"] = _at(-1.0)

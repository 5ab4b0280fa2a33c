"""Sorting, quantiles and statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of
from rulebook.errors import ResultSpecError, RuleMissingError
from rulebook.primitive import Primitive
from rulebook.rules._along import beside, numbers, real_dtype, together
from rulebook.rules.numpy._cases import normal
from rulebook.rules.numpy._rearranging import gather, scatter
from rulebook.rules.numpy._reductions import mean, sum
from rulebook.rules.numpy._selection import diagonal, take_along_axis
from rulebook.rules.numpy._support import constants, own, plain, stands

__all__ = [
    "average",
    "corrcoef",
    "cov",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "partition",
    "percentile",
    "quantile",
    "sort",
    "unique",
]


def _put_back(x_like: Any, y_bar: Any, at: Any, axis: int) -> Any:
    """The adjoint of `take_along_axis` where the indices are a permutation."""
    return take_along_axis(y_bar, rb.xp(at).argsort(at, axis=axis), axis=axis)


def _permutation(f: Primitive, order: Any) -> None:
    """Rules of a function that puts elements in another order, which depends on their values; order(x, **options) gives it."""

    def push(y: Any, primals: Any, tangents: Any, *, axis: int | None, **options: Any) -> Any:
        at, xp = _order(order, primals[0], axis, options), rb.xp(tangents[0])
        x_dot = xp.reshape(tangents[0], (-1,)) if axis is None else tangents[0]
        return take_along_axis(x_dot, at, axis=0 if axis is None else axis)

    def pull(y: Any, primals: Any, y_bar: Any, *, axis: int | None, **options: Any) -> Any:
        at = _order(order, primals[0], axis, options)
        found = _put_back(primals[0], y_bar, at, 0 if axis is None else axis)
        return (rb.xp(found).reshape(found, tuple(primals[0].shape)),)

    rb.pushforward(f)(push)
    rb.pullback(f)(pull)


def _order(order: Any, x: Any, axis: int | None, options: Any) -> Any:
    try:
        values = plain(x)
    except ResultSpecError:  # sorted elements are partitioned as well
        xp = rb.xp(x)
        return xp.argsort(xp.reshape(x, (-1,)) if axis is None else x, axis=0 if axis is None else axis)
    return order(np.ravel(values), 0, **options) if axis is None else order(values, axis, **options)


@stands(np.sort)
@rb.primitive(
    name="rulebook.rules.numpy.sort",
    cases=[normal((4,)), normal((3, 2), axis=0), normal((2, 3), axis=None)],
    native=own("sort", "jax", "torch"),
)
def sort(a: Any, *, axis: int | None = -1) -> Any:
    """Sorted along an axis: the elements in another order, and so their tangents; equal ones stay in their order."""
    return np.sort(a, axis, kind="stable") if type(a) is np.ndarray else rb.xp(a).sort(a, axis=axis)


_permutation(sort, lambda x, axis: np.argsort(x, axis, kind="stable"))


@stands(np.partition)
@rb.primitive(
    name="rulebook.rules.numpy.partition",
    cases=[normal((4,), kth=1), normal((3, 2), kth=2, axis=0)],
    native={e: (lambda a, *, kth, axis: sort(a, axis=axis)) for e in ("jax", "torch")},
)
def partition(a: Any, *, kth: int | tuple[int, ...], axis: int | None = -1) -> Any:
    """In an order in which element kth is where it would be if all were sorted."""
    return np.partition(a, kth, axis) if type(a) is np.ndarray else _partitioned(a, kth, axis)


def _partitioned(a: Any, kth: Any, axis: int | None) -> Any:
    """The array in the order in which NumPy puts it."""
    at = _order(lambda x, axis: np.argpartition(x, kth, axis), a, axis, {})
    return take_along_axis(rb.xp(a).reshape(a, (-1,)) if axis is None else a, at, axis=0 if axis is None else axis)


_permutation(partition, lambda x, axis, kth: np.argpartition(x, kth, axis))


@rb.primitive(name="rulebook.rules.numpy._unique", cases=[normal((3,)), lambda rng: rb.case(np.array([1.0, 2.0, 1.0]))], tangent_space=None)
def _unique(ar: Any) -> Any:
    """The different elements, sorted; equal ones share the derivative."""
    if type(ar) is np.ndarray:
        return np.unique(ar)
    at = np.unique(plain(ar), return_index=True)[1]
    return rb.xp(ar).reshape(ar, (-1,))[at]


def _groups(x: Any) -> tuple[Any, Any]:
    """For each element the number, from 1, of its value among the different ones, and how often each occurs."""
    _, at, counts = np.unique(plain(x), return_inverse=True, return_counts=True)
    return np.ravel(at) + 1, counts


@rb.pushforward(_unique)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    at, counts = _groups(primals[0])
    found = scatter(rb.xp(tangents[0]).reshape(tangents[0], (-1,)), at, size=len(counts))
    return found / beside(found, counts)


@rb.pullback(_unique)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    at, counts = _groups(primals[0])
    return (rb.xp(y_bar).reshape(gather(y_bar / beside(y_bar, counts), at), tuple(primals[0].shape)),)


def unique(ar: Any) -> Any:
    """The different elements, sorted; equal ones share the derivative.

    Example:
        >>> unique(np.array([2.0, 1.0, 2.0]))
        array([1., 2.])
    """
    return _unique(ar)


def _axis(a: Any, axis: Any) -> tuple[Any, Any]:
    """With the axes of a quantile as one, the last."""
    xp = rb.xp(a)
    if axis is None:
        return xp.reshape(a, (-1,)), tuple(range(a.ndim))
    axes = tuple(i % a.ndim for i in (axis if isinstance(axis, tuple) else (axis,)))
    moved = xp.moveaxis(a, axes, tuple(range(-len(axes), 0)))
    return xp.reshape(moved, (*tuple(moved.shape)[: a.ndim - len(axes)], -1)), axes


_METHODS = {
    "linear": lambda n, q: q * (n - 1),
    "lower": lambda n, q: np.floor(q * (n - 1)),
    "higher": lambda n, q: np.ceil(q * (n - 1)),
    "nearest": lambda n, q: np.round(q * (n - 1)),
    "midpoint": lambda n, q: (np.floor(q * (n - 1)) + np.ceil(q * (n - 1))) / 2,
    "hazen": lambda n, q: np.clip(n * q - 0.5, 0, n - 1),
    "weibull": lambda n, q: np.clip((n + 1) * q - 1, 0, n - 1),
    "median_unbiased": lambda n, q: np.clip((n + 1 / 3) * q - 2 / 3, 0, n - 1),
    "normal_unbiased": lambda n, q: np.clip((n + 1 / 4) * q - 5 / 8, 0, n - 1),
}


def quantile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """What a part q of the elements lies below, q being numbers: between two sorted elements, in proportion.

    Example:
        >>> float(quantile(np.array([3.0, 1.0, 2.0]), 0.25))
        1.5
    """
    if method not in _METHODS:
        raise NotImplementedError(f"quantile, method={method!r}: it has no rule; use one of {', '.join(_METHODS)}")
    flat, axes = _axis(a, axis)
    ordered, n = sort(flat, axis=-1), flat.shape[-1]
    at = _METHODS[method](n, _part(q))
    low = np.floor(at).astype(int)
    high, xp, part = np.minimum(low + 1, n - 1), rb.xp(a), numbers(ordered, at - low)
    y = ordered[..., low] * (1 - part) + ordered[..., high] * part
    y = xp.where(xp.any(xp.isnan(flat), axis=-1)[(..., *(None,) * np.ndim(q))], np.nan, y)
    if np.ndim(q):
        y = xp.moveaxis(y, tuple(range(-np.ndim(q), 0)), tuple(range(np.ndim(q))))
    lead = np.shape(q)
    return xp.reshape(y, (*lead, *(1 if i in axes else s for i, s in enumerate(a.shape)))) if keepdims else y


def _part(q: Any) -> Any:
    """What lies below a quantile, as NumPy's numbers."""
    engine = engine_of((q,), "rulebook.rules.numpy.quantile")
    if engine is None:
        return np.asarray(q, float)
    raise RuleMissingError(
        f"rulebook.rules.numpy.quantile (engine {engine.name}, argument q).",
        "numbers or a NumPy array: there is no rule for q",
        f"a {type(q).__name__}",
        "pass q as a number; interp of the sorted elements has a derivative in both",
    )


def percentile(a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The same with q in percent."""
    return quantile(a, _part(q) / 100, axis, method, keepdims)


def median(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element, or the mean of the two in the middle."""
    return quantile(a, 0.5, axis, "linear", keepdims)


def nanquantile(a: Any, q: float, axis: int | None = None, keepdims: bool = False) -> Any:
    """A quantile of what is a number; q is one number."""
    flat, axes = _axis(a, axis)
    ordered = sort(flat, axis=-1)  # NaN comes last
    (values,) = constants(flat)
    xp = rb.xp(values)
    last = xp.maximum(xp.sum(xp.where(xp.isnan(values), 0, 1), axis=-1, keepdims=True) - 1, 0)
    at = last * beside(last, _part(q))  # in double precision
    low = xp.asarray(xp.floor(at), dtype=int)
    part = beside(ordered, xp.asarray(at - low, dtype=real_dtype(ordered)))
    low, high = (beside(ordered, i) for i in (low, xp.minimum(low + 1, last)))
    y = (take_along_axis(ordered, low, axis=-1) * (1 - part) + take_along_axis(ordered, high, axis=-1) * part)[..., 0]
    return rb.xp(y).reshape(y, tuple(1 if i in axes else s for i, s in enumerate(a.shape))) if keepdims else y


def nanpercentile(a: Any, q: float, axis: int | None = None, keepdims: bool = False) -> Any:
    """The same with q in percent."""
    return nanquantile(a, q / 100, axis, keepdims)


def nanmedian(a: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The median of what is a number."""
    return nanquantile(a, 0.5, axis, keepdims)


@together("a", "weights")
def average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Any:
    """The mean with weights, which have a derivative as well.

    Example:
        >>> average(np.array([1.0, 3.0]), weights=np.array([3.0, 1.0]))
        np.float64(1.5)
    """
    if weights is None:
        return mean(a, axis=axis, keepdims=keepdims)
    if isinstance(axis, int) and weights.ndim == 1 and a.ndim > 1:
        weights = rb.xp(weights).reshape(weights, tuple(n if i == axis % a.ndim else 1 for i, n in enumerate(a.shape)))
        weights = weights + rb.xp(a).zeros_like(a)
    return sum(a * weights, axis=axis, keepdims=keepdims) / sum(weights, axis=axis, keepdims=keepdims)


@together("m", "y")
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """The covariance matrix of variables, which are rows (columns for rowvar=False).

    Example:
        >>> cov(np.array([[1.0, 3.0], [2.0, 6.0]]))
        array([[2., 4.],
               [4., 8.]])
    """
    xp = rb.xp(m, y) if y is not None else rb.xp(m)
    rows = _rows(xp, m, rowvar)
    if y is not None:
        rows = xp.concatenate([rows, _rows(xp, y, rowvar)], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    centred = rows - mean(rows, axis=1, keepdims=True)
    found = centred @ xp.conj(xp.transpose(centred)) / (rows.shape[1] - ddof)
    return xp.reshape(found, ()) if tuple(found.shape) == (1, 1) else found


def _rows(xp: Any, m: Any, rowvar: bool) -> Any:
    if m.ndim < 2:
        return xp.reshape(m, (1, -1))
    return m if rowvar or m.shape[0] == 1 else xp.transpose(m)


@together("x", "y")
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """The correlation coefficients of variables.

    Example:
        >>> corrcoef(np.array([[1.0, 3.0], [2.0, 6.0]]))
        array([[1., 1.],
               [1., 1.]])
    """
    c = cov(x, y, rowvar)
    xp = rb.xp(c)
    if c.ndim == 0:
        return c / c
    size = xp.sqrt(xp.real(diagonal(c)))
    return c / size[:, None] / size

"""Filters that run forward and backward over a signal whose ends are extended."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of
from rulebook.errors import ResultSpecError
from rulebook.rules import _along
from rulebook.rules.signal._recursion import lfilter, lfilter_zi, sosfilt, sosfilt_zi

__all__ = ["filtfilt", "sosfiltfilt"]


def _extended(x: Any, padtype: str | None, padlen: int | None, default: int) -> tuple[Any, int]:
    """The signal along its last axis with both ends extended, and by how much."""
    if padtype not in ("even", "odd", "constant", None):
        raise ValueError(f"Unknown value '{padtype}' given to padtype. padtype must be 'even', 'odd', 'constant', or None.")
    edge = 0 if padtype is None else default if padlen is None else padlen
    n = x.shape[-1]
    if n <= edge:
        raise ValueError(f"The length of the input vector x must be greater than padlen, which is {edge}.")
    if not edge:
        return x, 0
    first, last = x[..., :1], x[..., n - 1 :]
    left, right = _along.flipped(x[..., 1 : edge + 1]), _along.flipped(x[..., n - edge - 1 : n - 1])
    if padtype == "odd":
        left, right = 2 * first - left, 2 * last - right
    elif padtype == "constant":
        left, right = 0 * left + first, 0 * right + last
    return _along.joined([left, x, right]), edge


@_along.together("b", "a", "x")
def filtfilt(
    b: Any,
    a: Any,
    x: Any,
    axis: int = -1,
    padtype: str | None = "odd",
    padlen: int | None = None,
    method: str = "pad",
    irlen: int | None = None,
) -> Any:
    """A filter forward and backward, differentiable in coefficients and signal.

    Args:
        b: numerator, array of shape (M,).
        a: denominator, array of shape (N,).
        x: array.
        axis: along which it is filtered.
        padtype: "odd", "even", "constant" or None.
        padlen: by how much the ends are extended, 3 max(M, N) by default.
        method: "pad" only.
        irlen: of the other method.

    Example:
        >>> filtfilt(np.array([0.5]), np.array([1.0, -0.5]), np.ones(9)).round(12)
        array([1., 1., 1., 1., 1., 1., 1., 1., 1.])
    """
    if method != "pad":
        raise NotImplementedError(f"rulebook.rules.signal.filtfilt knows method='pad' only, and not {method!r}.")
    b, a = _along.floating(b), _along.floating(a)
    x, edge = _extended(_along.axis_last(_along.floating(x), axis), padtype, padlen, 3 * max(a.shape[0], b.shape[0]))
    zi = _along.rank_up(lfilter_zi(b, a), x.ndim)
    y = lfilter(b, a, x, zi=zi * x[..., :1])[0]
    y = _along.flipped(lfilter(b, a, _along.flipped(y), zi=zi * y[..., y.shape[-1] - 1 :])[0])
    return _along.axis_back(y[..., edge : y.shape[-1] - edge], axis)


def sosfiltfilt(sos: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None) -> Any:
    """A cascade of filters of second order forward and backward.

    Args:
        sos: array of shape (sections, 6).
        x: array.
        axis: along which it is filtered.
        padtype: "odd", "even", "constant" or None.
        padlen: by how much the ends are extended; as SciPy has it by default.

    Example:
        >>> sosfiltfilt(np.array([[0.5, 0.0, 0.0, 1.0, -0.5, 0.0]]), np.ones(12)).round(12)
        array([1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1., 1.])
    """
    default = 0 if padtype is None or padlen is not None else 3 * _taps(_along.floating(sos))
    sos, x = _along.floats(sos, x)
    x, edge = _extended(_along.axis_last(x, axis), padtype, padlen, default)
    zi = sosfilt_zi(sos)
    zi = rb.xp(zi).reshape(zi, (zi.shape[0], *(1,) * (x.ndim - 1), 2))
    y = sosfilt(sos, x, zi=zi * x[..., :1])[0]
    y = _along.flipped(sosfilt(sos, _along.flipped(y), zi=zi * y[..., y.shape[-1] - 1 :])[0])
    return _along.axis_back(y[..., edge : y.shape[-1] - edge], axis)


def _taps(sos: Any) -> int:
    """The taps of the whole filter, for which SciPy looks at the values."""
    engine = engine_of((sos,), "sosfiltfilt")
    arrays = [sos] if engine is None else engine.concrete([rb.stop_gradient(sos)])
    if arrays is None:
        raise ResultSpecError(
            f"rulebook.rules.signal.sosfiltfilt (engine {getattr(engine, 'name', 'numpy')}, argument padlen).",
            "a number, since the default depends on values of sos",
            f"sos of shape {tuple(sos.shape)} that is traced",
            "pass padlen=",
        )
    return int(2 * len(arrays[0]) + 1 - min(np.sum(arrays[0][:, 2] == 0), np.sum(arrays[0][:, 5] == 0)))

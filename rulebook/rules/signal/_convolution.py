"""Convolution and correlation: one bilinear primitive, and the functions of scipy.signal that are put together from it or from the FFT."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules._drawn import drawn
from rulebook.rules._stacked import stacked
from rulebook.rules.fft import _functions as fft

__all__ = ["convolve", "convolve2d", "convolved", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]


def _lengths(u: Any, v: Any, ndim: int, mode: str) -> tuple[int, ...]:
    sign = 1 if mode == "full" else -1
    return tuple(m + sign * (n - 1) for m, n in zip(u.shape[u.ndim - ndim :], v.shape[v.ndim - ndim :], strict=True))


def _result(u: Any, v: Any, *, ndim: int, mode: str) -> Any:
    lead = np.broadcast_shapes(u.shape[: u.ndim - ndim], v.shape[: v.ndim - ndim])
    return rb.ShapeDtype((*lead, *_lengths(u, v, ndim, mode)), np.result_type(u.dtype, v.dtype))


@rb.primitive(
    host=True,
    vectorized=True,
    result=_result,
    cases=[
        drawn(((4,), (3,)), ndim=1, mode="full"),
        drawn(((5,), (2,)), ndim=1, mode="valid"),
        drawn(((2, 3), (1, 2)), (complex, float), ndim=1, mode="full"),
        drawn(((1, 3), (2, 3)), (float, complex), ndim=1, mode="valid"),
        drawn(((3, 2), (2, 2)), ndim=2, mode="full"),
        drawn(((3, 3), (2, 1)), (np.float32, np.float32), ndim=2, mode="valid"),
    ],
    native={"jax": lambda u, v, *, ndim, mode: _by_jax(u, v, ndim, mode)},
)
def convolved(u: Any, v: Any, *, ndim: int, mode: str) -> Any:
    """The convolution y_n = sum_m u_(n - m) v_m over the last axes.

    Args:
        u: array of shape (..., M1, M2, ...).
        v: array with as many axes as u, of shape (..., N1, N2, ...); the leading axes broadcast.
        ndim: how many axes are convolved.
        mode: "full" for all n with a term, M + N - 1 of them; "valid" for those with all terms, M - N + 1, where no N is above M.

    Returns:
        An array of the leading axes and the lengths named there.

    Derivation:
        Bilinear, so y_dot = u_dot * v + u * v_dot.  With R v the conjugate in reverse order, correlation is convolution with it:

            full:  u_bar = valid(y_bar, R v),  v_bar = valid(y_bar, R u)
            valid: u_bar = full(y_bar, R v),   v_bar_m = sum_n conj(u_(n + N - 1 - m)) y_bar_n, reversed in m valid(conj u, reversed y_bar).

        See e.g. A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing (2010), section 2.9, for correlation as convolution.

    Example:
        >>> convolved(np.array([1.0, 2.0]), np.array([1.0, 1.0]), ndim=1, mode="full")
        array([1., 3., 2.])
    """
    u, v = np.asarray(u), np.asarray(v)
    y = np.empty(_result(u, v, ndim=ndim, mode=mode).shape, np.result_type(u, v))
    u, v = _along.rank_up(u, y.ndim), _along.rank_up(v, y.ndim)
    lead = y.shape[: y.ndim - ndim]
    if not y.size:
        return y
    if not u.size or not v.size:
        return np.zeros_like(y)
    if all(n == 1 for n in v.shape[: v.ndim - ndim]):  # one kernel for all rows
        return _direct(u, v, mode)
    if mode == "full" and all(n == 1 for n in u.shape[: u.ndim - ndim]):
        return _direct(v, u, mode)
    u, v = (np.broadcast_to(x, (*lead, *x.shape[x.ndim - ndim :])) for x in (u, v))
    for i in np.ndindex(*lead):
        y[i] = _direct(u[i], v[i], mode)
    return y


def _direct(u: Any, v: Any, mode: str) -> Any:
    if u.ndim == 1:
        return np.convolve(u, v, mode)  # type: ignore[call-overload]
    return importlib.import_module("scipy.signal").convolve(u, v, mode, method="direct")


@rb.pushforward(convolved, symbolic_zeros=True)
def _push(y: Any, primals: Any, tangents: Any, **static: Any) -> Any:
    (u, v), (u_dot, v_dot) = primals, tangents
    terms = [convolved(a, b, **static) for a, b in ((u_dot, v), (u, v_dot)) if a is not None and b is not None]
    return sum(terms[1:], terms[0]) if terms else None


@rb.pullback(convolved)
def _(y: Any, primals: Any, y_bar: Any, *, ndim: int, mode: str) -> Any:
    u, v = primals
    axes = tuple(range(-ndim, 0))
    reverse: Callable[[Any], Any] = lambda x: _along.flipped(rb.xp(x).conj(x), *axes)
    if mode == "full":
        return (
            rb.thunk(lambda: rb.project(u, convolved(y_bar, reverse(v), ndim=ndim, mode="valid"))),
            rb.thunk(lambda: rb.project(v, convolved(y_bar, reverse(u), ndim=ndim, mode="valid"))),
        )
    moved: Callable[[], Any] = lambda: convolved(rb.xp(u).conj(u), _along.flipped(y_bar, *axes), ndim=ndim, mode="valid")
    return (
        rb.thunk(lambda: rb.project(u, convolved(y_bar, reverse(v), ndim=ndim, mode="full"))),
        rb.thunk(lambda: rb.project(v, _along.flipped(moved(), *axes))),
    )


stacked(convolved, _push)


def _by_jax(u: Any, v: Any, ndim: int, mode: str) -> Any:
    """JAX's own convolution, which takes no leading axes, over them."""
    jax = importlib.import_module("jax")
    convolve = importlib.import_module("jax.scipy.signal").convolve
    fn: Callable[[Any, Any], Any] = lambda a, b: convolve(a, b, mode=mode, method="direct", precision=jax.lax.Precision.HIGHEST)
    for i in reversed(range(u.ndim - ndim)):
        axes = (None if u.shape[i] == 1 < v.shape[i] else 0, None if v.shape[i] == 1 < u.shape[i] else 0)
        fn = _mapped(jax.vmap, fn, axes)
    return fn(u, v)


def _mapped(vmap: Any, fn: Any, axes: tuple[int | None, int | None]) -> Any:
    return lambda a, b: vmap(fn, in_axes=axes)(*[x[0] if axis is None else x for x, axis in zip((a, b), axes, strict=True)])


# -- the names of scipy.signal -----------------------------------------------------------------------------


def _both(in1: Any, in2: Any) -> tuple[Any, Any]:
    in1, in2 = _along.array(in1), _along.array(in2)
    if in1.ndim != in2.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    return in1, in2


def _centred(y: Any, shape: Sequence[int], axes: Sequence[int]) -> Any:
    """The middle of a full convolution."""
    for axis in axes:
        start = (y.shape[axis] - shape[axis]) // 2
        y = _along.cut(y, start, start + shape[axis], axis)
    return y


def _ordered(in1: Any, in2: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """The larger one first, as mode "valid" wants it."""
    first = all(in1.shape[a] >= in2.shape[a] for a in axes)
    if not first and not all(in2.shape[a] >= in1.shape[a] for a in axes):
        raise ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")
    return (in1, in2) if first else (in2, in1)


def _check_mode(mode: str) -> None:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"acceptable mode flags are 'valid', 'same', or 'full', and mode is {mode!r}.")


@_along.together("in1", "in2")
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """The convolution of two arrays over all their axes, differentiable in both.

    Args:
        in1: array.
        in2: array with as many axes.
        mode: "full", "same" or "valid", as in scipy.signal.convolve.
        method: "direct", "fft", or "auto", which chooses as SciPy does.

    Example:
        >>> convolve(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0]), mode="same")
        array([1., 3., 5.])
    """
    _check_mode(mode)
    in1, in2 = _both(in1, in2)
    if in1.ndim == 0:
        return in1 * in2
    if 0 in (*in1.shape, *in2.shape):
        return _along.zeros(in1 * 1.0, (0,))
    if method == "auto":
        shapes = [np.broadcast_to(np.zeros((), _along.real_dtype(x)), tuple(x.shape)) for x in (in1, in2)]
        method = importlib.import_module("scipy.signal").choose_conv_method(*shapes, mode=mode)
    if method == "fft":
        return fftconvolve(in1, in2, mode)
    if method != "direct":
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    axes = range(in1.ndim)
    if mode == "valid":
        return convolved(*_ordered(in1, in2, axes), ndim=in1.ndim, mode="valid")
    y = convolved(in1, in2, ndim=in1.ndim, mode="full")
    return y if mode == "full" else _centred(y, in1.shape, axes)


@_along.together("in1", "in2")
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """The correlation of two arrays over all their axes, with the second conjugated.

    Args:
        in1: array.
        in2: array with as many axes.
        mode: "full", "same" or "valid", as in scipy.signal.correlate.
        method: "direct", "fft" or "auto".

    Example:
        >>> correlate(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), mode="valid")
        array([2., 3.])
    """
    in1, in2 = _both(in1, in2)
    return convolve(in1, _reversed(in2) if in2.ndim else rb.xp(in2).conj(in2), mode, method)


def _reversed(x: Any) -> Any:
    return _along.flipped(rb.xp(x).conj(x), *range(-x.ndim, 0))


@_along.together("in1", "in2")
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """The convolution of two arrays by the FFT, differentiable in both.

    Args:
        in1: array.
        in2: array with as many axes.
        mode: "full", "same" or "valid".
        axes: what is convolved, all by default; the others broadcast.

    Example:
        >>> fftconvolve(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0])).round(12)
        array([1., 3., 5., 3.])
    """
    _check_mode(mode)
    in1, in2 = (_along.floating(x) for x in _both(in1, in2))
    if in1.ndim == 0:
        return in1 * in2
    if 0 in (*in1.shape, *in2.shape):
        return _along.zeros(in1, (0,))
    axes = tuple(a % in1.ndim for a in (range(in1.ndim) if axes is None else np.atleast_1d(axes).tolist()))
    if mode == "valid":
        in1, in2 = _ordered(in1, in2, axes)
    full = [in1.shape[a] + in2.shape[a] - 1 for a in axes]
    y = _by_fft(in1, in2, full, axes)
    if mode == "same":
        return _centred(y, in1.shape, axes)
    if mode == "valid":
        return _centred(y, [in1.shape[a] - in2.shape[a] + 1 for a in range(in1.ndim)], axes)
    return y


def _by_fft(in1: Any, in2: Any, full: Sequence[int], axes: tuple[int, ...]) -> Any:
    size = tuple(importlib.import_module("scipy.fft").next_fast_len(n, True) for n in full)
    is_complex = _along.is_complex(in1) or _along.is_complex(in2)
    to, back = (fft.fftn, fft.ifftn) if is_complex else (fft.rfftn, fft.irfftn)
    y = back(to(in1, s=size, axes=axes) * to(in2, s=size, axes=axes), s=size, axes=axes)
    for n, axis in zip(full, axes, strict=True):
        y = _along.cut(y, 0, n, axis)
    return y


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """The same as `fftconvolve`; SciPy's blocks for arrays of different lengths change no number.

    Args:
        in1: array.
        in2: array with as many axes.
        mode: "full", "same" or "valid".
        axes: what is convolved, all by default; the others broadcast.

    Example:
        >>> oaconvolve(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0])).round(12)
        array([1., 3., 5., 3.])
    """
    return fftconvolve(in1, in2, mode, axes)


@_along.together("in1", "in2", "fillvalue")
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """The convolution of two matrices, differentiable in both.

    Args:
        in1: array of shape (m, n).
        in2: array of shape (k, l).
        mode: "full", "same" or "valid".
        boundary: "fill", "wrap" or "symm": what is beyond the edges of in1.
        fillvalue: a number for "fill".

    Example:
        >>> convolve2d(np.ones((2, 2)), np.ones((2, 2)), mode="same", boundary="wrap")
        array([[4., 4.],
               [4., 4.]])
    """
    _check_mode(mode)
    in1, in2 = _both(in1, in2)
    if in1.ndim != 2:
        raise ValueError("convolve2d inputs must both be 2-D arrays")
    if boundary not in ("fill", "pad", "wrap", "circular", "symm", "symmetric"):
        raise ValueError(f"boundary has to be 'fill', 'wrap' or 'symm', and is {boundary!r}.")
    if mode == "valid":
        return convolved(*_ordered(in1, in2, (0, 1)), ndim=2, mode="valid")
    y = _full(in1, in2, boundary, fillvalue)
    return y if mode == "full" else _centred(y, in1.shape, (0, 1))


def _full(in1: Any, in2: Any, boundary: str, fillvalue: Any) -> Any:
    if boundary in ("fill", "pad") and isinstance(fillvalue, (int, float, complex)) and fillvalue == 0:
        return convolved(in1, in2, ndim=2, mode="full")
    return convolved(_extended(in1, in2.shape, boundary, fillvalue), in2, ndim=2, mode="valid")


def _extended(x: Any, by: Sequence[int], boundary: str, fillvalue: Any) -> Any:
    """A matrix with what is beyond its edges."""
    xp = rb.xp(x)
    for axis in (0, 1):
        n = x.shape[axis]
        where = np.arange(-(by[axis] - 1), n + by[axis] - 1)
        if boundary in ("fill", "pad"):
            shape = list(x.shape)
            shape[axis] = by[axis] - 1
            edge = _along.zeros(x, shape) + fillvalue
            x = _along.joined([edge, x, edge], axis)
        else:
            where = where % n if boundary in ("wrap", "circular") else np.minimum(where % (2 * n), 2 * n - 1 - where % (2 * n))
            x = x[xp.asarray(where)] if axis == 0 else x[:, xp.asarray(where)]
    return x


@_along.together("in1", "in2", "fillvalue")
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """The correlation of two matrices, the second conjugated; arguments as in `convolve2d`.

    Args:
        in1: array of shape (m, n).
        in2: array of shape (k, l).
        mode: "full", "same" or "valid".
        boundary: "fill", "wrap" or "symm".
        fillvalue: a number for "fill".

    Example:
        >>> correlate2d(np.ones((2, 2)), np.ones((1, 2)), mode="valid")
        array([[2.],
               [2.]])
    """
    in1, in2 = _both(in1, in2)
    if mode != "same":
        return convolve2d(in1, _reversed(in2), mode, boundary, fillvalue)
    y = convolve2d(in1, _reversed(in2), "full", boundary, fillvalue)
    for axis in (0, 1):  # SciPy rounds the other way here than for a convolution
        start = in2.shape[axis] - 1 - (in2.shape[axis] - 1) // 2
        y = _along.cut(y, start, start + in1.shape[axis], axis)
    return y

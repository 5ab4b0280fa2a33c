"""Recursive filters: the all-pole recursion as a primitive, and the filters of scipy.signal put together from it and a convolution."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.engines import engine_of
from rulebook.rules import _along
from rulebook.rules._stacked import stacked
from rulebook.rules.signal._convolution import convolved

__all__ = ["deconvolve", "lfilter", "lfilter_zi", "lfiltic", "recursion", "sosfilt", "sosfilt_zi"]


def _draw(k: int, n: int, dtype: Any = float, lead: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())) -> Any:
    def case(rng: np.random.Generator) -> Any:
        made = [rng.uniform(-0.5, 0.5, (*s, m)) for s, m in zip(lead, (k, n), strict=True)]
        if np.dtype(dtype).kind == "c":
            made = [x + 0.3j * rng.uniform(-1.0, 1.0, x.shape) for x in made]
        return tuple(x.astype(dtype) for x in made)

    return case


def _result(p: Any, u: Any) -> Any:
    return rb.ShapeDtype((*np.broadcast_shapes(p.shape[:-1], u.shape[:-1]), u.shape[-1]), np.result_type(p.dtype, u.dtype))


@rb.primitive(
    host=True,
    vectorized=True,
    result=_result,
    cases=[_draw(2, 5), _draw(3, 2), _draw(1, 4, complex), _draw(2, 3, lead=((1,), (2,))), _draw(2, 3, np.float32, lead=((2,), (1,)))],
)
def recursion(p: Any, u: Any) -> Any:
    """The all-pole filter: y_n = u_n - sum_k p_k y_(n - k), k = 1 ... K, from rest.

    Args:
        p: array of shape (..., K), the coefficients behind the leading one.
        u: array with as many axes, of shape (..., N); the leading axes broadcast.

    Returns:
        An array of shape (..., N).

    Derivation:
        With the lower triangular Toeplitz matrix A of (1, p), A y = u, so that A y_dot = u_dot - A_dot y.  A^H w = y_bar is the same
        recursion backward in time, with the conjugates of p, and u_bar = w, p_bar_k = -sum_n conj(y_(n - k)) w_n.  See C.-Y. Yu and
        G. Fazekas, Singing voice synthesis using differentiable LPC and glottal-flow-inspired wavetables (2023).

    Example:
        >>> recursion(np.array([-0.5]), np.array([1.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
    """
    p, u = np.asarray(p), np.asarray(u)
    made = _result(p, u)
    p, u = p.astype(made.dtype, copy=False), u.astype(made.dtype, copy=False)
    one = np.ones(1, made.dtype)
    pole: Callable[[Any, Any], Any] = lambda c, x: importlib.import_module("scipy.signal").lfilter(one, np.concatenate([one, c]), x)
    if not p.shape[-1] or not u.size:
        return np.broadcast_to(u, made.shape).copy()
    if p.size == p.shape[-1]:  # one filter for all rows
        return np.reshape(pole(p.ravel(), u), made.shape)
    p, u = np.broadcast_to(p, (*made.shape[:-1], p.shape[-1])), np.broadcast_to(u, made.shape)
    y = np.empty(made.shape, made.dtype)
    for i in np.ndindex(*made.shape[:-1]):
        y[i] = pole(p[i], u[i])
    return y


def _behind(p: Any, y: Any) -> Any:
    """sum_k p_k y_(n - k), k = 1 ... K, for the n of y."""
    return _along.fitted(convolved(y, p, ndim=1, mode="full"), y.shape[-1], before=1)


@rb.pushforward(recursion, symbolic_zeros=True)
def _push(y: Any, primals: Any, tangents: Any) -> Any:
    (p, _), (p_dot, u_dot) = primals, tangents
    if p_dot is not None and p.shape[-1] and y.shape[-1]:
        moved = _behind(p_dot, y)
        u_dot = -moved if u_dot is None else u_dot - moved
    return None if u_dot is None else _spread(recursion(p, u_dot), y)


def _spread(y_dot: Any, y: Any) -> Any:
    """The tangent of u alone may lack axes that p has."""
    return y_dot if y_dot.ndim > y.ndim else rb.xp(y_dot).broadcast_to(y_dot, tuple(y.shape))


@rb.pullback(recursion)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    p, u = primals
    w = _along.flipped(recursion(rb.xp(p).conj(p), _along.flipped(y_bar)))
    return rb.thunk(lambda: _pole_cotangent(p, y, w)), rb.thunk(lambda: rb.project(u, w))


def _pole_cotangent(p: Any, y: Any, w: Any) -> Any:
    k, n = p.shape[-1], y.shape[-1]
    if not k or not n:
        return None
    late = _along.fitted(_along.cut(w, 1, None), n - 1 + k)
    return rb.project(p, -convolved(late, _along.flipped(rb.xp(y).conj(y)), ndim=1, mode="valid"))


stacked(recursion, _push)


# -- the names of scipy.signal -----------------------------------------------------------------------------


def _plain(*values: Any) -> bool:
    """Whether all are NumPy's, so that SciPy can do it."""
    return engine_of([_along.array(v) for v in values if v is not None], "rulebook.rules.signal") is None


def _coefficients(b: Any, a: Any) -> tuple[Any, Any]:
    """Numerator and denominator with a leading one, the latter without it."""
    b, a = _along.floating(b), _along.floating(a)
    if b.ndim != 1 or a.ndim != 1 or not b.shape[0] or not a.shape[0]:
        raise ValueError("b and a have to be sequences of at least one coefficient.")
    return b / a[0], a[1:] / a[0]


@_along.together("b", "a", "x", "zi")
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A digital filter along one axis, differentiable in the coefficients, the signal and the initial state.

    Args:
        b: numerator, array of shape (M,).
        a: denominator, array of shape (N,).
        x: array.
        axis: along which it is filtered.
        zi: the initial state, with max(M, N) - 1 elements along the axis; it broadcasts along the others.

    Returns:
        An array of the shape of x; with zi, (y, zf) with the final state.

    Derivation:
        In direct form II transposed, y is the all-pole filter of b * x + zi, where zi enters the first max(M, N) - 1 samples (A. V.
        Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, 2010, section 6.3); zf is what b * x - a * y adds to the next ones.

    Example:
        >>> lfilter(np.array([1.0]), np.array([1.0, -0.5]), np.array([1.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
    """
    if _plain(b, a, x, zi):
        return importlib.import_module("scipy.signal").lfilter(b, a, x, axis, zi)
    (b, p), x = _coefficients(b, a), _along.floating(x)
    order = max(b.shape[0] - 1, p.shape[0])
    x, state = _along.axis_last(x, axis), None if zi is None else _along.axis_last(_along.floating(zi), axis)
    if state is not None and (state.ndim != x.ndim or state.shape[-1] != order):
        raise ValueError(f"zi has to have as many axes as x and {order} elements along the axis, and has shape {tuple(zi.shape)}.")
    y, zf = filtered(b, p, x, state)
    y = _along.axis_back(y, axis)
    return y if zi is None else (y, _along.axis_back(zf, axis))


def filtered(b: Any, p: Any, x: Any, state: Any) -> tuple[Any, Any]:
    """The filter along the last axis, and its final state, None without an initial one."""
    n, order = x.shape[-1], max(b.shape[0] - 1, p.shape[0])
    b, p = _along.rank_up(b, x.ndim), _along.rank_up(p, x.ndim)
    moved = _along.fitted(convolved(x, b, ndim=1, mode="full"), n + order) if n else _along.zeros(x, (*x.shape[:-1], order))
    if state is not None:
        moved = moved + _along.fitted(state, n + order)
    y = recursion(p, _along.cut(moved, 0, n))
    if state is None:
        return y, None
    zf = _along.cut(moved, n, None)
    if n and p.shape[-1]:
        behind = _along.fitted(convolved(y, p, ndim=1, mode="full"), n + order, before=1)
        zf = zf - _along.cut(behind, n, None)
    return y, zf


@_along.together("sos", "x", "zi")
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """A cascade of filters of second order, differentiable in the coefficients, the signal and the initial state.

    Args:
        sos: array of shape (sections, 6).
        x: array.
        axis: along which it is filtered.
        zi: the initial state, of shape (sections, ..., 2, ...), the 2 along the axis.

    Returns:
        An array of the shape of x; with zi, (y, zf) with the final state.

    Example:
        >>> sosfilt(np.array([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]]), np.array([1.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
    """
    if _plain(sos, x, zi):
        return importlib.import_module("scipy.signal").sosfilt(sos, x, axis, zi)
    sos, x = _along.floating(sos), _along.floating(x)
    if sos.ndim != 2 or sos.shape[1] != 6:
        raise ValueError(f"sos has to have shape (sections, 6), and has shape {tuple(sos.shape)}.")
    states = [None] * sos.shape[0] if zi is None else [_along.array(zi)[i] for i in range(sos.shape[0])]
    ends = []
    for i, state in enumerate(states):
        found = lfilter(sos[i, :3], sos[i, 3:], x, axis, state)
        x = found if zi is None else found[0]
        ends.append(None if zi is None else found[1])
    return x if zi is None else (x, rb.xp(*ends).stack(ends))


@_along.together("b", "a")
def lfilter_zi(b: Any, a: Any) -> Any:
    """The state of a filter at rest under a constant signal of one, differentiable in the coefficients.

    Args:
        b: numerator, array of shape (M,).
        a: denominator, array of shape (N,).

    Returns:
        An array of shape (max(M, N) - 1,).

    Derivation:
        The state repeats itself, z_k = b_k - a_k y + z_(k + 1), with y = b_0 + z_1 and z = 0 behind the last (scipy.signal.lfilter_zi).
        The sum over k gives z_1 = sum_k (b_k - a_k b_0) / sum_k a_k, and the equations in turn
        z_(k + 1) = z_1 (1 + a_1 + ... + a_k) - sum_(j <= k) (b_j - a_j b_0).

    Example:
        >>> lfilter_zi(np.array([1.0]), np.array([1.0, -0.5]))
        array([1.])
    """
    b, p = _coefficients(b, a)
    order = max(b.shape[0] - 1, p.shape[0])
    xp = rb.xp(b, p)
    a = _along.joined([_along.numbers(p, np.ones(1)), _along.fitted(p, order)])
    b = _along.fitted(b, order + 1)
    rest = (b - a * b[:1])[1:]
    first = xp.sum(rest) / xp.sum(a)
    return first * xp.cumsum(a, axis=0)[:order] - _along.fitted(xp.cumsum(rest, axis=0), order, before=1)


@_along.together("sos")
def sosfilt_zi(sos: Any) -> Any:
    """The states of a cascade at rest under a constant signal of one.

    Args:
        sos: array of shape (sections, 6).

    Returns:
        An array of shape (sections, 2).

    Example:
        >>> sosfilt_zi(np.array([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]]))
        array([[1., 0.]])
    """
    sos = _along.floating(sos)
    xp = rb.xp(sos)
    scale, states = 1.0, []
    for i in range(sos.shape[0]):
        b, a = sos[i, :3], sos[i, 3:]
        states.append(lfilter_zi(b, a) * scale)
        scale = scale * xp.sum(b) / xp.sum(a)
    return xp.stack(states)


@_along.together("b", "a", "y", "x")
def lfiltic(b: Any, a: Any, y: Any, x: Any = None) -> Any:
    """The state of a filter after earlier outputs and inputs, the latest first.

    Args:
        b: numerator, array of shape (M,).
        a: denominator, array of shape (N,).
        y: outputs y_(-1), y_(-2), ...
        x: inputs x_(-1), x_(-2), ..., zero by default.

    Returns:
        An array of shape (max(M, N) - 1,).

    Example:
        >>> lfiltic(np.array([1.0]), np.array([1.0, -0.5]), np.array([4.0]))
        array([2.])
    """
    b, p = _coefficients(b, a)
    order = max(b.shape[0] - 1, p.shape[0])
    zi = _along.zeros(p, (order,)) - (_later(p, y, order) if p.shape[0] else 0.0)
    return zi if x is None or b.shape[0] < 2 else zi + _later(b[1:], x, order)


def _later(c: Any, past: Any, order: int) -> Any:
    """sum_j c_(m + j) past_j for m < order."""
    past = _along.fitted(_along.floating(past), c.shape[0])
    return _along.fitted(convolved(c, _along.flipped(past), ndim=1, mode="full")[c.shape[0] - 1 :], order)


@_along.together("signal", "divisor")
def deconvolve(signal: Any, divisor: Any) -> Any:
    """The quotient and the remainder of a division of polynomials, the convolution undone.

    Args:
        signal: array of shape (N,).
        divisor: array of shape (D,), with a leading coefficient that is not zero.

    Returns:
        (quotient, remainder), of shapes (N - D + 1,) and (N,).

    Example:
        >>> deconvolve(np.array([1.0, 3.0, 2.0]), np.array([1.0, 1.0]))
        (array([1., 2.]), array([0., 0., 0.]))
    """
    num, den = _along.floating(signal), _along.floating(divisor)
    if num.ndim != 1 or den.ndim != 1:
        raise ValueError("signal and divisor must be 1-D.")
    n, d = num.shape[0], den.shape[0]
    if d > n:
        return num[:0], num
    impulse = _along.numbers(num, np.eye(1, n - d + 1)[0])
    quotient = lfilter(num, den, impulse)
    return quotient, num - convolved(den, quotient, ndim=1, mode="full")

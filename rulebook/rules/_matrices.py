"""What the rules for matrix equations share: primals and tangents as matrices of one dtype, and a linear solve to every order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb

__all__ = ["adjoint", "cotangents", "hermitian", "matrices", "quotient", "side_by_side", "tangents_of"]


def adjoint(x: Any) -> Any:
    """The conjugate transpose of a matrix, or of each in a stack."""
    xp = rb.xp(x)
    return xp.conj(xp.moveaxis(x, -1, -2))  # swapaxes is unknown to torch's batched gradients


def hermitian(x: Any) -> Any:
    """The Hermitian part, (X + X^H) / 2; symmetric for real X."""
    return (x + adjoint(x)) / 2


def matrices(like: Any, values: Sequence[Any]) -> list[Any]:
    """Arguments as matrices in the dtype of the solution, which may be wider than theirs; None stays."""
    return [None if x is None else _matrix(like, x) for x in values]


def _matrix(like: Any, x: Any) -> Any:
    xp = rb.xp(like, x)
    if x.ndim < 2:
        x = xp.reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape))
    if x.dtype == like.dtype:
        return x
    # A sum, as autograd has no forward mode of astype.
    return x + xp.zeros_like(x, dtype=like.dtype) if _has_tangent(x) else xp.astype(x, like.dtype)


def tangents_of(like: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Tangents as matrices in the dtype of the solution: zeros for an integer, None where there is no argument."""
    xp = rb.xp(like, *primals)
    return matrices(like, [xp.zeros_like(x) if t is None and x is not None else t for x, t in zip(primals, tangents, strict=True)])


def cotangents(primals: Sequence[Any], *bars: Callable[[], Any]) -> tuple[Any, ...]:
    """The cotangents of primals that `matrices` made one shape: summed over broadcast axes, each computed if it is needed."""
    return tuple(_when_needed(x, bar) if _has_tangent(x) else None for x, bar in zip(primals, bars, strict=True))


def _when_needed(x: Any, bar: Callable[[], Any]) -> Any:
    return rb.thunk(lambda: _fit(x, bar()))


def _has_tangent(x: Any) -> bool:
    """Whether an argument is there and no integer; the names of dtypes are all that the engines have in common."""
    return x is not None and not any(kind in str(x.dtype) for kind in ("int", "bool"))


def _fit(x: Any, x_bar: Any) -> Any:
    if x.ndim >= 2:
        return rb.project(x, x_bar)
    xp = rb.xp(x, x_bar)
    wide = xp.reshape(x, (1,) * (2 - x.ndim) + tuple(x.shape))
    return xp.reshape(rb.project(wide, x_bar), tuple(x.shape))


def side_by_side(in_batched: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    """Stacks with a batch axis in front, their other leading axes aligned: those of all broadcast as without it."""
    rank = max(x.ndim - batched for x, batched in zip(values, in_batched, strict=True))
    return [_widened(x, rank) if batched else x for x, batched in zip(values, in_batched, strict=True)]


def _widened(x: Any, rank: int) -> Any:
    missing = rank + 1 - x.ndim
    return x if not missing else rb.xp(x).reshape(x, (x.shape[0], *(1,) * missing, *x.shape[1:]))


def _systems(rng: np.random.Generator) -> Any:
    """A regular matrix and a few right-hand sides."""
    n, k = rng.integers(1, 5, size=2)
    return rng.normal(size=(n, n)) + 3 * np.eye(n), rng.normal(size=(n, k))


def _complex_systems(rng: np.random.Generator) -> Any:
    a, b = _systems(rng)
    return a + 1j * rng.normal(size=a.shape), b + 1j * rng.normal(size=b.shape)


@rb.primitive(cases=[_systems, _complex_systems], native={"dual": "linalg.solve"})  # one factorisation for all tangents
def quotient(a: Any, b: Any) -> Any:
    """A^-1 B: the engine's own solve, with rules that call this function again.

    An engine whose solve has no derivative in one of the modes, or none of second order, has it this way.

    Args:
        a: array of shape (..., n, n), regular.
        b: array of shape (..., n, k), of the same dtype.

    Returns:
        An array of shape (..., n, k).

    Raises:
        numpy.linalg.LinAlgError: a is singular (the error of the engine).

    Derivation:
        A Y = B gives A y_dot = b_dot - a_dot Y.  With b_bar = A^-H y_bar, <y_bar, y_dot> = <b_bar, b_dot - a_dot Y>, so that
        a_bar = -b_bar Y^H.  See M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
        differentiation (2008), section 2.3.1.

    Example:
        >>> quotient(np.array([[2.0, 0.0], [0.0, 4.0]]), np.ones((2, 1)))
        array([[0.5 ],
               [0.25]])
    """
    return rb.xp(a, b).linalg.solve(a, b)


@rb.pushforward(quotient)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    (a, _), (a_dot, b_dot) = primals, tangents
    return quotient(a, b_dot - a_dot @ y)


@rb.pullback(quotient)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    b_bar = quotient(adjoint(primals[0]), y_bar)
    return cotangents(primals, lambda: -b_bar @ adjoint(y), lambda: b_bar)

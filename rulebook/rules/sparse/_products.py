"""The two primitives that sparse matrices are made of: entries moved and summed, and products of entries summed.

Both are closed under differentiation: the derivative of one is one of the same kind with its index arrays exchanged, so that no
cotangent ever has more elements than what it belongs to, and every order follows.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules._drawn import drawn
from rulebook.rules._stacked import linear, stacked
from rulebook.rules.sparse._pattern import Moves, Triples

__all__ = ["contracted", "moved"]

_MOVES = Moves([0, 1, 2, 2], [1, 1, 0, 3], 3, 5)
_TRIPLES = Triples([0, 1, 1, 3], [0, 1, 2, 2], [1, 0, 0, 1], (4, 3, 2))


@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda x, *, moves: rb.ShapeDtype((*x.shape[:-1], moves.size), x.dtype),
    cases=[
        drawn([(3,)], moves=_MOVES),
        drawn([(2, 3)], [complex], moves=_MOVES),
        drawn([(5,)], [np.float32], moves=_MOVES.back),
    ],
    native={"jax": lambda x, *, moves: _moved_by_jax(x, moves), "torch": lambda x, *, moves: _moved_by_torch(x, moves)},
)
def moved(x: Any, *, moves: Moves) -> Any:
    """y[target] += x[source], along the last axis.

    Args:
        x: array of shape (..., n).
        moves: source, target and sizes.

    Returns:
        An array of shape (..., size).

    Derivation:
        The matrix has a one at (target, source) for each move; its transpose moves from target to source.

    Example:
        >>> moved(np.array([1.0, 2.0]), moves=Moves([0, 1, 1], [2, 0, 2], 2, 3))
        array([2., 0., 3.])
    """
    x = np.asarray(x)
    if moves.gathers:
        return x[..., moves.source]
    y = np.zeros((*x.shape[:-1], moves.size), x.dtype)
    np.add.at(y, (..., moves.target), x[..., moves.source])  # type: ignore[arg-type]  # an ellipsis is an index
    return y


@rb.transpose(moved)
def _(y_bar: Any, x: Any, *, moves: Moves) -> Any:
    return (moved(y_bar, moves=moves.back),)


linear(moved)


def _moved_by_jax(x: Any, moves: Moves) -> Any:
    if moves.gathers:
        return x[..., moves.source]
    jnp = importlib.import_module("jax.numpy")
    return jnp.zeros((*x.shape[:-1], moves.size), x.dtype).at[..., moves.target].add(x[..., moves.source])


def _by_torch(x: Any, index: Any) -> Any:
    return importlib.import_module("torch").as_tensor(index.copy(), device=x.device)


def _moved_by_torch(x: Any, moves: Moves) -> Any:
    found = x[..., _by_torch(x, moves.source)]
    return found if moves.gathers else _summed_by_torch(found, moves.target, moves.size)


def _summed_by_torch(x: Any, out: Any, size: int) -> Any:
    return x.new_zeros((*x.shape[:-1], size)).index_add(-1, _by_torch(x, out), x)


# -- products ------------------------------------------------------------------------------------------


def _result(u: Any, v: Any, *, plan: Triples) -> Any:
    return rb.ShapeDtype((*np.broadcast_shapes(u.shape[:-1], v.shape[:-1]), plan.sizes[0]), np.result_type(u.dtype, v.dtype))


@rb.primitive(
    host=True,
    vectorized=True,
    result=_result,
    cases=[
        drawn([(3,), (2,)], plan=_TRIPLES),
        drawn([(1, 3), (2, 2)], [complex, float], plan=_TRIPLES),
        drawn([(2, 3), (2, 2)], [np.float32, np.float32], plan=_TRIPLES),
        drawn([(2, 4), (1, 2)], plan=_TRIPLES.for_left),
    ],
    native={"jax": lambda u, v, *, plan: _contracted_by_jax(u, v, plan), "torch": lambda u, v, *, plan: _contracted_by_torch(u, v, plan)},
)
def contracted(u: Any, v: Any, *, plan: Triples) -> Any:
    """y[out] += u[left] * v[right], along the last axis.

    Args:
        u: array of shape (..., n).
        v: array of shape (..., m); the leading axes broadcast.
        plan: out, left, right and the sizes.

    Returns:
        An array of shape (..., size).

    Derivation:
        Bilinear: y_dot has a term for each argument.  u_bar[left] += y_bar[out] conj(v[right]), the same with out and left exchanged, and
        likewise for v.  For the entries of a matrix and a vector this is A_bar = y_bar x^H at
        the entries of A alone (M. Giles, Collected matrix derivative results, 2008, section 2.2.2, restricted to the pattern).

    Example:
        >>> contracted(np.array([2.0, 3.0]), np.array([1.0, 10.0]), plan=Triples([0, 0], [0, 1], [0, 1], (1, 2, 2)))
        array([32.])
    """
    u, v = np.asarray(u), np.asarray(v)
    made = _result(u, v, plan=plan)
    if u.size == u.shape[-1]:
        return _multiplied(u.ravel(), v, plan, made)
    if v.size == v.shape[-1]:
        return _multiplied(v.ravel(), u, plan.turned, made)
    y = np.empty(made.shape, made.dtype)
    u, v = np.broadcast_to(u, (*y.shape[:-1], u.shape[-1])), np.broadcast_to(v, (*y.shape[:-1], v.shape[-1]))
    one = rb.ShapeDtype((plan.sizes[0],), y.dtype)
    for i in np.ndindex(*y.shape[:-1]):
        y[i] = _multiplied(u[i], v[i], plan, one)
    return y


def _multiplied(u: Any, v: Any, plan: Triples, made: Any) -> Any:
    """A sparse matrix with the entries u times the rows of v."""
    left, right, starts = plan.by_rows
    sparse = importlib.import_module("scipy.sparse")
    matrix = sparse.csr_array((u[left], right, starts), shape=(plan.sizes[0], plan.sizes[2]))
    rows = v.reshape((int(np.prod(v.shape[:-1])), v.shape[-1]))
    y = matrix @ rows[0] if len(rows) == 1 else (matrix @ rows.T).T
    return np.asarray(y, made.dtype).reshape(made.shape)


@rb.pushforward(contracted, symbolic_zeros=True)
def _push(y: Any, primals: Any, tangents: Any, *, plan: Triples) -> Any:
    (u, v), (u_dot, v_dot) = primals, tangents
    terms = [contracted(a, b, plan=plan) for a, b in ((u_dot, v), (u, v_dot)) if a is not None and b is not None]
    return sum(terms[1:], terms[0]) if terms else None


@rb.pullback(contracted)
def _(y: Any, primals: Any, y_bar: Any, *, plan: Triples) -> Any:
    u, v = primals
    conj = rb.xp(u, v).conj
    return (
        rb.thunk(lambda: rb.project(u, contracted(y_bar, conj(v), plan=plan.for_left))),
        rb.thunk(lambda: rb.project(v, contracted(y_bar, conj(u), plan=plan.for_right))),
    )


stacked(contracted, _push)


def _contracted_by_jax(u: Any, v: Any, plan: Triples) -> Any:
    jnp = importlib.import_module("jax.numpy")
    terms = u[..., plan.left] * v[..., plan.right]
    return jnp.zeros((*terms.shape[:-1], plan.sizes[0]), terms.dtype).at[..., plan.out].add(terms)


def _contracted_by_torch(u: Any, v: Any, plan: Triples) -> Any:
    return _summed_by_torch(u[..., _by_torch(u, plan.left)] * v[..., _by_torch(v, plan.right)], plan.out, plan.sizes[0])

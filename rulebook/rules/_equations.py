"""The matrix equations solved on NumPy arrays by SciPy: what the primitives of `rulebook.rules.linalg` run.

Every function takes leading axes, which broadcast, and gives the dtype that its floating arguments promote to.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rulebook.tangents import ShapeDtype

__all__ = ["continuous_lyapunov", "discrete_lyapunov", "result_of", "riccati", "sylvester"]

_LAPACK = "fdFD"  # the dtypes, by their characters, that LAPACK has routines for
_DIRECT = 10  # rows from which SciPy solves a discrete Lyapunov equation by the bilinear transformation


def result_of(like: int, *args: Any) -> ShapeDtype:
    """The shape and dtype of a solution: the matrix axes of one argument, the leading axes and dtypes of all.

    Args:
        like: the number of the argument whose matrix axes the solution has.
        args: what has `.shape` and `.dtype`, or None.

    Returns:
        Their shape and dtype; float64 if no argument is floating.

    Raises:
        TypeError: a dtype that LAPACK has no routines for.
        ValueError: the leading axes do not broadcast.
    """
    there = [x for x in args if x is not None]
    moving = [np.dtype(x.dtype) for x in there if np.dtype(x.dtype).kind not in "iub"]
    odd = next((d for d in moving if d.char not in _LAPACK), None)
    if odd is not None:
        raise TypeError(f"LAPACK has no routines for {odd}; pass float32, float64, complex64 or complex128")
    core = (1, 1, *args[like].shape)[-2:]
    return ShapeDtype((*np.broadcast_shapes(*(x.shape[:-2] for x in there)), *core), np.result_type(*moving) if moving else np.dtype(float))


def _scipy() -> Any:
    return importlib.import_module("scipy.linalg")


def _square(**matrices: Any) -> None:
    for name, x in matrices.items():
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(f"{name} has to be a square matrix, or a stack of them, and has shape {x.shape}")


def _fits(a: Any, b: Any, q: Any) -> None:
    if q.ndim < 2 or q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ValueError(f"q has to be a matrix of shape {(a.shape[-1], b.shape[-1])}, or a stack of them, and has shape {q.shape}")


def _each(shape: tuple[int, ...], matrices: Sequence[Any]) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """The position in the leading axes, and the matrices there; what has no leading axis stays as it is."""
    spread = [x if x is None or x.ndim <= 2 else np.broadcast_to(x, shape + x.shape[-2:]) for x in matrices]
    for i in np.ndindex(shape):
        yield i, [x if x is None or x.ndim <= 2 else x[i] for x in spread]


def _over_stacks(solve: Callable[..., Any], out: ShapeDtype, matrices: Sequence[Any]) -> Any:
    """One solution for each position in the leading axes."""
    if len(out.shape) == 2:
        return np.asarray(solve(*matrices), out.dtype)
    y = np.empty(out.shape, out.dtype)
    for i, found in _each(out.shape[:-2], matrices):
        y[i] = solve(*found)
    return y


def sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with A X + X B = Q, by the method of Bartels and Stewart (1972).

    One decomposition of a and b serves all right-hand sides.  All matrices have one dtype here: a real Schur form
    has blocks on its diagonal that the complex routine would pass over.
    """
    _square(a=a, b=b)
    _fits(a, b, q)
    out = result_of(2, a, b, q)
    a, b, q = (x.astype(out.dtype, copy=False) for x in (a, b, q))
    return _over_stacks(_bartels_stewart, out, (a, b, q)) if a.ndim > 2 or b.ndim > 2 else _bartels_stewart(a, b, q)


def _bartels_stewart(a: Any, b: Any, q: Any) -> Any:
    if not q.size:
        return np.empty_like(q)
    linalg = _scipy()
    r, u = linalg.schur(a)
    s, v = linalg.schur(b.conj().T)
    f = u.conj().T @ q @ v
    (trsyl,) = linalg.get_lapack_funcs(("trsyl",), (r, s, f))
    y = np.empty_like(f)
    for i in np.ndindex(f.shape[:-2]):
        y[i], scale, info = trsyl(r, s, f[i], tranb="C")
        if info:
            raise np.linalg.LinAlgError("an eigenvalue of a and one of -b are equal or too close: the equation is singular")
        y[i] *= scale
    return u @ y @ v.conj().T


def continuous_lyapunov(a: Any, q: Any) -> Any:
    """X with A X + X A^H = Q."""
    _square(a=a, q=q)
    return sylvester(a, a.conj().mT, q)


def discrete_lyapunov(a: Any, q: Any, method: str | None) -> Any:
    """X with A X A^H - X + Q = 0, by one linear system or by the bilinear transformation, as SciPy chooses."""
    _square(a=a, q=q)
    _fits(a, a, q)
    out = result_of(1, a, q)
    solvers = {"direct": _direct, "bilinear": _bilinear}
    method = "direct" if method is None and a.shape[-1] < _DIRECT else method or "bilinear"
    if method not in solvers:
        raise ValueError(f"method has to be 'direct', 'bilinear' or None, and is {method!r}")
    a, q = (x.astype(out.dtype, copy=False) for x in (a, q))
    return _over_stacks(solvers[method], out, (a, q)) if a.ndim > 2 else solvers[method](a, q)


def _direct(a: Any, q: Any) -> Any:
    if not q.size:
        return np.empty_like(q)
    system = np.eye(a.size, dtype=a.dtype) - np.kron(a, a.conj())
    return np.linalg.solve(system, q.reshape(-1, a.size).T).T.reshape(q.shape)


def _bilinear(a: Any, q: Any) -> Any:
    """The continuous equation of Popov (1964), as SciPy has it: B X + X B^H = -C.

    A X A^H - X + Q = 0 with B = (A + I)^-1 (A - I) and C = 2 (A + I)^-1 Q (A + I)^-H.
    """
    eye = np.eye(len(a), dtype=a.dtype)
    b = np.linalg.solve(a + eye, a - eye)
    half = np.linalg.solve(a + eye, q)
    c = 2 * np.linalg.solve(a + eye, half.conj().mT).conj().mT
    return _bartels_stewart(b, b.conj().T, -c)


def riccati(name: str, a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, balanced: bool) -> Any:
    """The stabilising solution of an algebraic Riccati equation by the function of SciPy of that name.

    Where SciPy balances an equation with e, it goes on with e as it was: of 300 random ones of order 3 it solved up to 8
    wrongly, without an error, and refused up to 42 (SciPy 1.17).  So there is no balancing then.
    """
    solve = getattr(_scipy(), name)
    found = [x if x is None else np.asarray(x) for x in (a, b, q, r, e, s)]
    return _over_stacks(lambda *matrices: solve(*matrices, balanced=balanced and e is None), result_of(0, *found), found)

"""Example calls of the matrix equations: well-conditioned and awkward ones, as the checker draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.primitive import Case, case

__all__ = ["CONTINUOUS_ARE", "CONTINUOUS_LYAPUNOV", "DISCRETE_ARE", "DISCRETE_LYAPUNOV", "SYLVESTER"]

Draw = Callable[[np.random.Generator], Any]


def _matrix(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def _weight(rng: np.random.Generator, n: int, dtype: Any = float) -> Any:
    """A positive definite Hermitian matrix, Hermitian to the last bit."""
    x = _matrix(rng, n, n, dtype=dtype) / 2
    x = x @ x.conj().T + np.eye(n, dtype=x.dtype)
    return (x + x.conj().T) / 2


def _stable(rng: np.random.Generator, n: int, dtype: Any = float) -> Any:
    """Eigenvalues to the left of -1/2."""
    x = _matrix(rng, n, n, dtype=dtype)
    return x - (np.linalg.eigvals(x).real.max() + 0.5) * np.eye(n, dtype=x.dtype)


def _contraction(rng: np.random.Generator, n: int, dtype: Any = float) -> Any:
    """Eigenvalues within a disc of radius 0.8."""
    x = _matrix(rng, n, n, dtype=dtype)
    return (x * (0.8 / np.abs(np.linalg.eigvals(x)).max())).astype(x.dtype)


def _defective(rng: np.random.Generator, eigenvalue: float) -> Any:
    """One eigenvalue three times, with one eigenvector."""
    basis, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return basis @ _chain(rng, eigenvalue) @ basis.T


def _chain(rng: np.random.Generator, eigenvalue: float) -> Any:
    return eigenvalue * np.eye(3) + np.diag(rng.uniform(0.5, 2.0, 2), 1)


def _size(rng: np.random.Generator, low: int = 1, high: int = 5) -> int:
    return int(rng.integers(low, high))


def _sylvester(dtype: Any = float) -> Draw:
    def draw(rng: np.random.Generator) -> Any:
        m, n = _size(rng), _size(rng)
        return _stable(rng, m, dtype), _stable(rng, n, dtype), _matrix(rng, m, n, dtype=dtype)

    return draw


def _mixed_sylvester(rng: np.random.Generator) -> Any:
    """Real with complex: a real Schur form cannot be used with a complex one."""
    return _stable(rng, 3), _stable(rng, 2, complex), _matrix(rng, 3, 2)


def _close_sylvester(rng: np.random.Generator) -> Any:
    """Eigenvalues of a and -b that differ by 1e-2 only, beside large ones."""
    a, b = np.diag([1.0, 100.0]), np.diag([-1.01, 2.0])
    return a + np.triu(_matrix(rng, 2, 2), 1), b + np.tril(_matrix(rng, 2, 2), -1), _matrix(rng, 2, 2)


def _integer_sylvester(rng: np.random.Generator) -> Any:
    """An integer matrix, which has no derivative, beside floating ones, and a stack of right-hand sides."""
    return np.diag([3, 4]), _matrix(rng, 2, 2) + 4 * np.eye(2), _matrix(rng, 3, 2, 2)


SYLVESTER: list[Draw] = [
    _sylvester(),
    _sylvester(complex),
    _sylvester(np.float32),
    lambda rng: (_defective(rng, -1.0), _defective(rng, -2.0), _matrix(rng, 3, 3)),
    _mixed_sylvester,
    _close_sylvester,
    _integer_sylvester,
]


def _lyapunov(coefficients: Callable[..., Any], dtype: Any = float, low: int = 1, high: int = 5, **static: Any) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        n = _size(rng, low, high)
        return case(coefficients(rng, n, dtype), _matrix(rng, n, n, dtype=dtype), **static)

    return draw


CONTINUOUS_LYAPUNOV: list[Draw] = [
    _lyapunov(_stable),
    _lyapunov(_stable, complex),
    _lyapunov(_stable, np.float32),
    lambda rng: (_defective(rng, -0.5), _weight(rng, 3)),
    lambda rng: (_stable(rng, 2), _matrix(rng, 2, 2, dtype=complex)),
    lambda rng: (np.diag([-1e-3, -10.0]) + np.triu(_matrix(rng, 2, 2), 1), _matrix(rng, 2, 2)),
]

DISCRETE_LYAPUNOV: list[Draw] = [
    _lyapunov(_contraction),
    _lyapunov(_contraction, complex),
    _lyapunov(_contraction, np.float32),
    _lyapunov(_contraction, complex, method="bilinear"),
    _lyapunov(_contraction, low=10, high=12),
    lambda rng: (_defective(rng, 0.5), _weight(rng, 3)),
    lambda rng: (np.diag([0.999, 2.0]) + np.triu(_matrix(rng, 2, 2), 1), _matrix(rng, 2, 2)),
]


def _system(rng: np.random.Generator, m: int, n: int, dtype: Any = float) -> tuple[Any, ...]:
    """m states, n inputs, and weights of both; the matrix A is unstable as often as not."""
    return _matrix(rng, m, m, dtype=dtype), _matrix(rng, m, n, dtype=dtype), _weight(rng, m, dtype), _weight(rng, n, dtype)


def _are(dtype: Any = float) -> Draw:
    return lambda rng: _system(rng, _size(rng), _size(rng, 1, 3), dtype)


def _general_are(dtype: Any = float, **static: Any) -> Draw:
    """With e and s, s so small that the weights stay positive definite together."""

    def draw(rng: np.random.Generator) -> Case:
        e = np.eye(3) + 0.2 * _matrix(rng, 3, 3, dtype=dtype)
        return case(*_system(rng, 3, 2, dtype), e, 0.2 * _matrix(rng, 3, 2, dtype=dtype), **static)

    return draw


def _cheap_are(rng: np.random.Generator) -> Any:
    """A defective A, and one input that costs little, its weight a number."""
    a = _chain(rng, 0.2)
    basis, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    b = rng.uniform(0.5, 1.5, (3, 1))  # moves the end of the chain, so that the rest follows
    return basis @ a @ basis.T, basis @ b, _weight(rng, 3), float(rng.uniform(1e-4, 1e-3))


def _single_are(rng: np.random.Generator) -> Any:
    """Single precision; every state has its input, as the closed loop is rounded as well."""
    n = _size(rng)
    return _system(rng, n, n, np.float32)


def _stacked_are(rng: np.random.Generator) -> Any:
    """Two systems with one pair of weights, and a cross weight."""
    q, r = _weight(rng, 2), _weight(rng, 2)
    return _matrix(rng, 2, 2, 2), _matrix(rng, 2, 2, 2), q, r, None, 0.2 * _matrix(rng, 2, 2)


_ARE: list[Draw] = [
    _are(),
    _are(complex),
    _single_are,
    _general_are(),
    _general_are(complex, balanced=False),
    _cheap_are,
    _stacked_are,
    lambda rng: (_matrix(rng, 2, 2, dtype=complex), *_system(rng, 2, 1)[1:], np.eye(2) + np.diag([0.5], 1)),
]

CONTINUOUS_ARE = list(_ARE)
DISCRETE_ARE = list(_ARE)

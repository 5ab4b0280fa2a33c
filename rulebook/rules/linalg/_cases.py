"""Example calls of the functions of `scipy.linalg`: small ones, as the checker draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.primitive import case

__all__ = ["hermitian", "normal", "positive", "regular"]

Draw = Callable[[np.random.Generator], Any]


def normal(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Numbers of a normal distribution."""
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def regular(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Well-conditioned matrices of this shape: singular values between 1 and 2."""
    u, _, vh = np.linalg.svd(normal(rng, *shape, dtype=dtype), full_matrices=False)
    s = rng.uniform(1.0, 2.0, (*shape[:-2], min(shape[-2:])))
    return ((u * s[..., None, :]) @ vh).astype(dtype)


def hermitian(rng: np.random.Generator, *shape: int, dtype: Any = float, low: float = -2.0) -> Any:
    """Hermitian matrices, of eigenvalues that are apart."""
    n = shape[-1]
    q, _ = np.linalg.qr(normal(rng, *shape, dtype=dtype))
    w = low + np.cumsum(rng.uniform(0.5, 1.0, shape[:-1]), -1)
    x = ((q * w[..., None, :]) @ np.conj(np.swapaxes(q, -1, -2))).astype(dtype)
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2 if n else x


def positive(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Positive definite matrices, of eigenvalues that are apart."""
    return hermitian(rng, *shape, dtype=dtype, low=0.5)


def _of(make: Callable[..., Any], *shape: int, dtype: Any = float, **static: Any) -> Draw:
    return lambda rng: case(make(rng, *shape, dtype=dtype), **static)


def _upset(rng: np.random.Generator, *shape: int, lower: bool, dtype: Any = float) -> Any:
    """A positive definite matrix of which one triangle is stored, beside numbers that are not read."""
    a, other = positive(rng, *shape, dtype=dtype), normal(rng, *shape, dtype=dtype)
    return np.tril(a) + np.triu(other, 1) if lower else np.triu(a) + np.tril(other, -1)


INV: list[Draw] = [
    _of(regular, 3, 3),
    _of(regular, 2, 2, dtype=complex),
    _of(regular, 2, 2, dtype=np.float32),
    _of(regular, 2, 1, 1),
    lambda rng: case(_upset(rng, 3, 3, lower=True, dtype=complex), assume_a="pos", lower=True),
]


def _singular(rng: np.random.Generator, dtype: Any = float) -> Any:
    return normal(rng, 3, 2, dtype=dtype) @ normal(rng, 2, 3, dtype=dtype)


REGULAR: list[Draw] = [_of(regular, 2, 2), _of(regular, 2, 1, 1, dtype=complex)]
ADJUGATE: list[Draw] = [_of(regular, 3, 3), _of(regular, 2, 2, dtype=complex), _of(regular, 2, 1, 1)]
DET: list[Draw] = [*ADJUGATE[:2], lambda rng: (_singular(rng),), _of(regular, 2, 2, 2, dtype=np.float32)]
ADJUGATE_CHANGE: list[Draw] = [
    lambda rng: (regular(rng, 3, 3), normal(rng, 3, 3)),
    lambda rng: (regular(rng, 2, 2, dtype=complex), normal(rng, 2, 2, dtype=complex)),
    lambda rng: (regular(rng, 1, 1), normal(rng, 2, 1, 1)),
]


def _system(a: Callable[[np.random.Generator], Any], *shape: int, dtype: Any = float, **static: Any) -> Draw:
    return lambda rng: case(a(rng), normal(rng, *shape, dtype=dtype), **static)


SOLVE: list[Draw] = [
    _system(lambda rng: regular(rng, 3, 3), 3),
    _system(lambda rng: regular(rng, 2, 2, dtype=complex), 2, 2, dtype=complex),
    _system(lambda rng: regular(rng, 2, 2, dtype=np.float32), 2, dtype=np.float32),
    _system(lambda rng: regular(rng, 2, 2, 2), 1, 2, 1, dtype=complex),
    _system(lambda rng: regular(rng, 2, 2, 2), 2),
    _system(lambda rng: regular(rng, 2, 2), 2, transposed=True),
    _system(lambda rng: _upset(rng, 3, 3, lower=False, dtype=complex), 3, dtype=complex, assume_a="pos"),
    _system(lambda rng: _upset(rng, 3, 3, lower=True), 3, assume_a="sym", lower=True),
]


def _triangular(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    return (normal(rng, *shape, dtype=dtype) / 2 + 2 * np.eye(shape[-1])).astype(dtype)


SOLVE_TRIANGULAR: list[Draw] = [
    _system(lambda rng: _triangular(rng, 3, 3), 3, lower=True),
    _system(lambda rng: _triangular(rng, 2, 2, dtype=complex), 2, 2, dtype=complex, trans="C"),
    _system(lambda rng: _triangular(rng, 3, 3, dtype=complex), 3, 1, dtype=complex, trans=1, unit_diagonal=True),
    _system(lambda rng: _triangular(rng, 2, 2, dtype=np.float32), 2, dtype=np.float32),
    _system(lambda rng: _triangular(rng, 2, 2, 2), 2, 1, lower=True, trans="T"),
]

LU: list[Draw] = [
    _of(regular, 3, 3),
    _of(regular, 2, 2, dtype=complex),
    _of(regular, 2, 3, 2),
    _of(regular, 2, 3, dtype=np.float32),
]
LU_WITH_OPTIONS: list[Draw] = [
    _of(regular, 3, 3),
    _of(regular, 3, 2, dtype=complex, permute_l=True),
    _of(regular, 2, 2, 3, p_indices=True),
]


def _lu_solve(n: int, *b: int, dtype: Any = float, **static: Any) -> Draw:
    def draw(rng: np.random.Generator) -> Any:
        factors = _triangular(rng, n, n, dtype=dtype)
        piv = np.array([rng.integers(i, n) for i in range(n)], dtype=np.int32)
        return case((factors, piv), normal(rng, *b, dtype=dtype), **static)

    return draw


LU_SOLVE: list[Draw] = [_lu_solve(3, 3), _lu_solve(2, 2, 2, dtype=complex, trans=1), _lu_solve(3, 3, 1, dtype=complex, trans=2)]
CHOLESKY: list[Draw] = [
    lambda rng: case(_upset(rng, 3, 3, lower=False)),
    lambda rng: case(_upset(rng, 2, 2, lower=True, dtype=complex), lower=True),
    lambda rng: case(positive(rng, 2, 2, 2, dtype=np.float32), lower=True),
]
CHO_SOLVE: list[Draw] = [
    lambda rng: ((_triangular(rng, 3, 3), False), normal(rng, 3)),
    lambda rng: ((_triangular(rng, 2, 2, dtype=complex), True), normal(rng, 2, 2, dtype=complex)),
]


def _right_half(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Eigenvalues within a disc to the right of zero."""
    return (2 * np.eye(shape[-1]) + 0.7 * normal(rng, *shape, dtype=dtype) / np.sqrt(shape[-1])).astype(dtype)


def _small(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    return (normal(rng, *shape, dtype=dtype) / (2 * np.sqrt(shape[-1]))).astype(dtype)


def _jordan(rng: np.random.Generator) -> Any:
    """A defective matrix."""
    q = regular(rng, 3, 3)
    return (q @ (0.8 * np.eye(3) + np.diag([1.0, 0.5], 1)) @ np.linalg.inv(q),)


FUNCTION: list[Draw] = [_of(_small, 3, 3), _of(_small, 2, 2, dtype=complex), _jordan]
FUNCTION_OF_RIGHT_HALF: list[Draw] = [_of(_right_half, 2, 2), _of(_right_half, 2, 2, dtype=complex), _of(_right_half, 2, 2, 2)]


def _two_sided(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Eigenvalues on both sides of the imaginary axis, away from it."""
    q = regular(rng, *shape, dtype=dtype)
    w = rng.uniform(1.0, 2.0, shape[-1]) * np.where(np.arange(shape[-1]) % 2, -1, 1)
    return (q * w) @ np.linalg.inv(q)


FUNCTION_SIGN: list[Draw] = [_of(_two_sided, 3, 3), _of(_two_sided, 2, 2, dtype=complex)]
FRACTIONAL_POWER: list[Draw] = [
    lambda rng: (_right_half(rng, 2, 2), 0.3),
    lambda rng: (_right_half(rng, 2, 2, dtype=complex), -1.4),
]
FRECHET: list[Draw] = [
    lambda rng: (_small(rng, 2, 2), normal(rng, 2, 2)),
    lambda rng: case(_small(rng, 2, 2, dtype=complex), normal(rng, 2, 2, dtype=complex), compute_expm=False),
]

QR: list[Draw] = [
    _of(regular, 3, 2, mode="economic"),
    _of(regular, 2, 3, dtype=complex, pivoting=True),
    _of(regular, 2, 3, 3, mode="r"),
]
POLAR: list[Draw] = [
    _of(regular, 3, 2),
    _of(regular, 2, 3, dtype=complex),
    _of(regular, 2, 2, side="left"),
    _of(regular, 1, 2, side="left"),
]


def _indefinite(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    return hermitian(rng, *shape, dtype=dtype)


def _swapped(rng: np.random.Generator) -> Any:
    """A block of two rows in D: zeros on the diagonal."""
    a = np.array([[0.0, 2.0, 0.5], [2.0, 0.1, 0.3], [0.5, 0.3, 1.0]])
    return a + np.tril(normal(rng, 3, 3) / 20)


LDL: list[Draw] = [
    _of(_indefinite, 3, 3),
    _of(_indefinite, 3, 3, dtype=complex, lower=False),
    lambda rng: (_swapped(rng),),
    lambda rng: case(normal(rng, 2, 2, dtype=complex), hermitian=False),
]


def _spread(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Singular values that are apart."""
    u, _, vh = np.linalg.svd(normal(rng, *shape, dtype=dtype), full_matrices=False)
    s = np.cumsum(rng.uniform(0.5, 1.0, (*shape[:-2], min(shape[-2:]))), -1)[..., ::-1]
    return ((u * s[..., None, :]) @ vh).astype(dtype)


SVD: list[Draw] = [
    _of(_spread, 3, 2, full_matrices=False),
    _of(_spread, 2, 3, dtype=complex, full_matrices=False),
    _of(_spread, 2, 2, dtype=complex, lapack_driver="gesvd"),
    _of(_spread, 3, 2, compute_uv=False),
]
SVDVALS: list[Draw] = [_of(_spread, 3, 2), _of(_spread, 2, 2, dtype=complex), _of(_spread, 2, 1, 2)]
EIGH: list[Draw] = [
    # "evr", which SciPy takes unasked, gives vectors of other signs at neighbouring matrices: no differences to compare with.
    lambda rng: case(hermitian(rng, 3, 3), None, driver="evd"),
    lambda rng: case(hermitian(rng, 2, 2, dtype=complex), None, lower=False, driver="evd"),
    lambda rng: case(hermitian(rng, 3, 3), positive(rng, 3, 3)),
]
EIGVALSH: list[Draw] = [
    lambda rng: case(hermitian(rng, 3, 3), None, subset_by_index=(0, 1)),
    lambda rng: case(hermitian(rng, 2, 2, dtype=complex), positive(rng, 2, 2, dtype=complex), type=2),
    lambda rng: case(hermitian(rng, 2, 2), positive(rng, 2, 2), type=3, lower=False),
]


def _spectral(rng: np.random.Generator, *shape: int, dtype: Any = float) -> Any:
    """Real eigenvalues that are apart, or complex ones."""
    q = regular(rng, *shape, dtype=dtype)
    w = np.cumsum(rng.uniform(0.5, 1.0, shape[-1])) - 1.5
    return (q * (w * (1 + 0.3j) if np.dtype(dtype).kind == "c" else w)) @ np.linalg.inv(q)


def _turning(rng: np.random.Generator) -> Any:
    """Complex eigenvalues of a real matrix."""
    q = regular(rng, 3, 3)
    return q @ np.array([[0.3, 1.0, 0.0], [-2.0, 0.3, 0.0], [0.0, 0.0, 1.4]]) @ np.linalg.inv(q)


EIG: list[Draw] = [
    lambda rng: case(_turning(rng), None),
    lambda rng: case(_spectral(rng, 2, 2, dtype=complex), None, left=True),
]
EIGVALS: list[Draw] = [
    lambda rng: (_spectral(rng, 3, 3),),
    lambda rng: (_spectral(rng, 2, 2, dtype=complex), regular(rng, 2, 2, dtype=complex)),
]
CUT: list[Draw] = [_of(regular, 3, 2), _of(regular, 2, 1, 2, dtype=complex)]
PINV: list[Draw] = [_of(regular, 3, 2), _of(regular, 2, 3, dtype=complex), _of(regular, 2, 2, 1, return_rank=True)]
LSTSQ: list[Draw] = [
    _system(lambda rng: _spread(rng, 3, 2), 3),
    _system(lambda rng: _spread(rng, 2, 3, dtype=complex), 2, 2, dtype=complex),
    _system(lambda rng: _spread(rng, 3, 2, dtype=complex), 3, 1, dtype=complex, lapack_driver="gelsy"),
]


def _upper(rng: np.random.Generator, n: int, dtype: Any = float) -> Any:
    """Triangular, with a diagonal of numbers that are apart."""
    return np.triu(normal(rng, n, n, dtype=dtype), 1) + np.diag(np.cumsum(rng.uniform(0.5, 1.0, n)))


def _hessenberg(rng: np.random.Generator, n: int, dtype: Any = float) -> Any:
    return np.triu(normal(rng, n, n, dtype=dtype)) + np.diag(rng.uniform(1.0, 2.0, n - 1), -1)


SCHUR: list[Draw] = [_of(_spectral, 3, 3), _of(_spectral, 2, 2), _of(_spectral, 1, 1)]
SCHUR_TURN: list[Draw] = [
    lambda rng: (_upper(rng, 3), normal(rng, 3, 3)),
    lambda rng: case(_upper(rng, 3, complex), normal(rng, 3, 3, dtype=complex), transposed=True),
]
TRIANGULAR: list[Draw] = [lambda rng: (_upper(rng, 3),)]
HESSENBERG: list[Draw] = [_of(normal, 4, 4), _of(normal, 3, 3, dtype=complex, calc_q=True), _of(normal, 2, 2, calc_q=True)]
HESSENBERG_Q: list[Draw] = [_of(normal, 4, 4), _of(normal, 3, 3, dtype=complex)]
HESSENBERG_TURN: list[Draw] = [
    lambda rng: (_hessenberg(rng, 4), normal(rng, 4, 4)),
    lambda rng: case(_hessenberg(rng, 3, complex), normal(rng, 3, 3, dtype=complex), transposed=True),
]


def _banded(n: int, lower: int, upper: int, *b: int, dtype: Any = float) -> Draw:
    def draw(rng: np.random.Generator) -> Any:
        ab = normal(rng, lower + upper + 1, n, dtype=dtype) / 3
        ab[upper] += 2
        return case(ab, normal(rng, *b, dtype=dtype), l_and_u=(lower, upper))

    return draw


BANDED: list[Draw] = [_banded(4, 1, 2, 4), _banded(3, 2, 0, 3, 2, dtype=complex), _banded(3, 1, 1, 3, dtype=np.float32)]


def _hermitian_banded(n: int, width: int, *b: int, lower: bool, dtype: Any = float) -> Draw:
    def draw(rng: np.random.Generator) -> Any:
        ab = normal(rng, width + 1, n, dtype=dtype) / 5
        ab[0 if lower else width] += 2
        return case(ab, normal(rng, *b, dtype=dtype), lower=lower)

    return draw


HERMITIAN_BANDED: list[Draw] = [_hermitian_banded(4, 2, 4, lower=False), _hermitian_banded(3, 1, 3, 2, lower=True, dtype=complex)]
TOEPLITZ: list[Draw] = [
    lambda rng: (normal(rng, 3), normal(rng, 2)),
    lambda rng: (normal(rng, 3, dtype=complex), None),
    lambda rng: (normal(rng, 2, 2), normal(rng, 2, 3)),
]
CIRCULANT: list[Draw] = [lambda rng: (normal(rng, 3),), lambda rng: (normal(rng, 2, 2, dtype=complex),)]
HANKEL: list[Draw] = [lambda rng: (normal(rng, 3), normal(rng, 2)), lambda rng: (normal(rng, 3, dtype=complex), None)]
COMPANION: list[Draw] = [lambda rng: (normal(rng, 4) + 3,), lambda rng: (normal(rng, 2, 3, dtype=complex) + 3,)]
BLOCK_DIAG: list[Draw] = [
    lambda rng: (normal(rng, 2, 1), normal(rng, 1, 2), normal(rng, 2)),
    lambda rng: (normal(rng, 2, 2), normal(rng, 1, 1, dtype=complex), 2.0),
]
SOLVE_TOEPLITZ: list[Draw] = [
    lambda rng: ((normal(rng, 3) / 3 + [2, 0, 0], normal(rng, 3) / 3), normal(rng, 3)),
    lambda rng: (normal(rng, 3, dtype=complex) / 4 + [2, 0, 0], normal(rng, 3, 2, dtype=complex)),
]
MATMUL_TOEPLITZ: list[Draw] = [
    lambda rng: ((normal(rng, 3), normal(rng, 2)), normal(rng, 2)),
    lambda rng: (normal(rng, 3, dtype=complex), normal(rng, 3, 2, dtype=complex)),
]
FUNM: list[Draw] = [
    lambda rng: case(_right_half(rng, 3, 3), np.cos),
    lambda rng: case(_right_half(rng, 2, 2, dtype=complex), np.log),
]

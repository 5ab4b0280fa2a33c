"""`numpy.linalg` on torch values, and the names of `scipy.linalg` that rules need."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from rulebook.bridges._torch import numpy as _torch_numpy, shapes as _torch_shapes
from rulebook.bridges._torch.wrap import Axis, promoted, tensor


class _Slogdet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


class _Eigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor


class _Svd(NamedTuple):
    U: Tensor
    S: Tensor
    Vh: Tensor


class _Qr(NamedTuple):
    Q: Tensor
    R: Tensor


def solve(a: Any, b: Any) -> Tensor:
    """x with a @ x = b; b is a vector if it has one axis, else a stack of matrices."""
    a, b = promoted((a, b))
    return torch.linalg.solve(a, b.unsqueeze(-1)).squeeze(-1) if b.ndim == 1 else torch.linalg.solve(a, b)


def inv(a: Any) -> Tensor:
    """The inverse."""
    return torch.linalg.inv(tensor(a))


def pinv(a: Any, rcond: Any = None, hermitian: bool = False) -> Tensor:
    """The pseudoinverse."""
    return torch.linalg.pinv(tensor(a), rtol=rcond, hermitian=hermitian)


def det(a: Any) -> Tensor:
    """The determinant."""
    return torch.linalg.det(tensor(a))


def slogdet(a: Any) -> _Slogdet:
    """Sign and logarithm of the determinant."""
    return _Slogdet(*torch.linalg.slogdet(tensor(a)))


def cholesky(a: Any, *, upper: bool = False) -> Tensor:
    """The Cholesky factor, lower by default."""
    return torch.linalg.cholesky(tensor(a), upper=upper)


def eigh(a: Any, UPLO: str = "L") -> _Eigh:
    """Eigenvalues, ascending, and eigenvectors of a Hermitian matrix."""
    return _Eigh(*torch.linalg.eigh(tensor(a), UPLO))


def eigvalsh(a: Any, UPLO: str = "L") -> Tensor:
    """Eigenvalues of a Hermitian matrix, ascending."""
    return torch.linalg.eigvalsh(tensor(a), UPLO)


def eig(a: Any) -> _Eigh:
    """Eigenvalues and eigenvectors, complex."""
    return _Eigh(*torch.linalg.eig(tensor(a)))


def eigvals(a: Any) -> Tensor:
    """Eigenvalues, complex."""
    return torch.linalg.eigvals(tensor(a))


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition."""
    a = tensor(a)
    return _Svd(*torch.linalg.svd(a, full_matrices)) if compute_uv else torch.linalg.svdvals(a)


def svdvals(x: Any) -> Tensor:
    """The singular values."""
    return torch.linalg.svdvals(tensor(x))


def qr(a: Any, mode: str = "reduced") -> Any:
    """The QR decomposition; R alone for mode "r"."""
    found = torch.linalg.qr(tensor(a), mode)
    return found.R if mode == "r" else _Qr(*found)


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors or matrices; of all elements by default."""
    x = tensor(x)
    if ord is None and axis is None:
        found = torch.linalg.vector_norm(x)
        return found.reshape((1,) * x.ndim) if keepdims else found
    return torch.linalg.norm(x, ord, axis, keepdim=keepdims)


def vector_norm(x: Any, *, axis: Axis = None, ord: float = 2, keepdims: bool = False) -> Tensor:
    """The norm of vectors."""
    return torch.linalg.vector_norm(tensor(x), ord, axis, keepdim=keepdims)


def matrix_norm(x: Any, *, ord: Any = "fro", keepdims: bool = False) -> Tensor:
    """The norm of matrices."""
    return torch.linalg.matrix_norm(tensor(x), ord, keepdim=keepdims)


def cond(x: Any, p: Any = None) -> Tensor:
    """The condition number."""
    return torch.linalg.cond(tensor(x), p)


def matrix_rank(A: Any) -> Tensor:
    """The rank."""
    return torch.linalg.matrix_rank(tensor(A))


def matrix_power(a: Any, n: int) -> Tensor:
    """A product of a matrix with itself."""
    return torch.linalg.matrix_power(tensor(a), n)


def multi_dot(arrays: Any) -> Tensor:
    """A product of several matrices."""
    return torch.linalg.multi_dot(promoted(arrays))


def expm(A: Any) -> Tensor:
    """The matrix exponential."""
    return torch.linalg.matrix_exp(tensor(A))


def _operated(a: Tensor, trans: Any) -> tuple[Tensor, bool]:
    """A triangular matrix as SciPy's `trans` means it, and whether that swaps the triangle."""
    if trans in (0, "N"):
        return a, False
    return (a.mT if trans in (1, "T") else a.mH), True


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Tensor:
    """x with a @ x = b for a triangular a; trans as in SciPy (0 or "N", 1 or "T", 2 or "C")."""
    a, b = promoted((a, b))
    matrix, swapped = _operated(a, trans)
    upper = lower if swapped else not lower
    columns = b.unsqueeze(-1) if b.ndim == 1 else b
    found = torch.linalg.solve_triangular(matrix, columns, upper=upper, unitriangular=unit_diagonal)
    return found.squeeze(-1) if b.ndim == 1 else found


def cho_factor(a: Any, lower: bool = False) -> tuple[Tensor, bool]:
    """The Cholesky factor and whether it is the lower one, for `cho_solve`."""
    return torch.linalg.cholesky(tensor(a), upper=not lower), lower


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Tensor:
    """x with a @ x = b, given the Cholesky factor of a."""
    c, lower = c_and_lower
    first, second = (0, 2) if lower else (2, 0)
    return solve_triangular(c, solve_triangular(c, b, trans=first, lower=lower), trans=second, lower=lower)


def lu_factor(a: Any) -> tuple[Tensor, Tensor]:
    """The LU decomposition and its pivots, counted from 0 as in SciPy."""
    lu, pivots, _ = torch.linalg.lu_factor_ex(tensor(a))  # a singular matrix has factors, as in SciPy
    return lu, pivots - 1


def lu_solve(lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0) -> Tensor:
    """x with a @ x = b, given the LU decomposition of a; trans as in SciPy."""
    lu, pivots = tensor(lu_and_piv[0]), tensor(lu_and_piv[1]).to(torch.int32) + 1
    lu, b = promoted((lu, b))
    columns = b.unsqueeze(-1) if b.ndim == 1 else b
    if trans == 1 and lu.is_complex():
        found = torch.linalg.lu_solve(lu, pivots, columns.conj(), adjoint=True).conj()
    else:
        found = torch.linalg.lu_solve(lu, pivots, columns, adjoint=trans != 0)
    return found.squeeze(-1) if b.ndim == 1 else found


def cross(x1: Any, x2: Any, *, axis: int = -1) -> Tensor:
    """The vector product."""
    return _torch_numpy.cross(x1, x2, axis)


def outer(x1: Any, x2: Any) -> Tensor:
    """Every product of two vectors."""
    return _torch_numpy.outer(x1, x2)


def trace(x: Any, *, offset: int = 0) -> Tensor:
    """The sum of the diagonal of the last two axes."""
    return _torch_shapes.trace(x, offset, -2, -1)


def diagonal(x: Any, *, offset: int = 0) -> Tensor:
    """The diagonal of the last two axes."""
    return _torch_shapes.diagonal(x, offset, -2, -1)


def matmul(x1: Any, x2: Any) -> Tensor:
    """The matrix product."""
    return torch.matmul(*promoted((x1, x2)))


def tensordot(x1: Any, x2: Any, *, axes: Any = 2) -> Tensor:
    """The product over some axes of both."""
    return _torch_numpy.tensordot(x1, x2, axes)


def matrix_transpose(x: Any) -> Tensor:
    """The last two axes swapped."""
    return tensor(x).mT

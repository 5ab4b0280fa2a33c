"""Fourier transforms: three linear primitives, from which the functions of numpy.fft and scipy.fft are put together.

With the matrix F of exp(-2 pi i j k / n), scaled or not, the adjoint in the pairing Re sum(conj(a) b) is its conjugate transpose,
which is the inverse transform with the other norm.  See e.g. C. Van Loan, Computational Frameworks for the Fast Fourier Transform
(1992), sections 1.1 and 4.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules._stacked import linear

__all__ = ["from_complex", "to_complex", "to_real"]

SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
_COMPLEX = {"f": np.complex64, "F": np.complex64}
_REAL = {"f": np.float32, "F": np.float32}


def _complex_case(*shape: int, dtype: Any = complex, **static: Any) -> Any:
    def draw(rng: np.random.Generator) -> Any:
        x = rng.normal(size=shape)
        return rb.case((x + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype), **static)

    return draw


@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda x, **_: rb.ShapeDtype(x.shape, _COMPLEX.get(x.dtype.char, np.complex128)),
    cases=[
        _complex_case(4, axes=(-1,), inverse=False, norm="backward"),
        _complex_case(3, axes=(-1,), inverse=True, norm="backward"),
        _complex_case(2, 3, dtype=float, axes=(-2, -1), inverse=False, norm="ortho"),
        _complex_case(3, 2, dtype=np.complex64, axes=(-2,), inverse=True, norm="forward"),
    ],
    native={
        "jax": lambda x, **static: _by_engine(x, **static),
        "torch": lambda x, **static: _by_engine(x, **static),
    },
)
def from_complex(x: Any, *, axes: tuple[int, ...], inverse: bool, norm: str) -> Any:
    """The transform between complex numbers along some axes.

    Args:
        x: array, complex or real.
        axes: counted from the end, as negative numbers.
        inverse: with exp(+2 pi i j k / n).
        norm: "backward", "ortho" or "forward".

    Returns:
        A complex array of the shape of x.

    Derivation:
        F is symmetric, so that its adjoint F^H is conj(F), the matrix of the inverse transform; what scales F, 1, n^(-1/2) or 1/n,
        scales the inverse transform of the other norm.

    Example:
        >>> from_complex(np.ones(2), axes=(-1,), inverse=False, norm="backward")
        array([2.+0.j, 0.+0.j])
    """
    x = np.asarray(x)
    if not axes:
        return x.astype(np.result_type(x, np.complex64))
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=axes, norm=norm)  # type: ignore[arg-type]  # one of three


def _by_engine(x: Any, *, axes: tuple[int, ...], inverse: bool, norm: str) -> Any:
    xp = rb.xp(x)
    return (xp.fft.ifftn if inverse else xp.fft.fftn)(x, axes=axes, norm=norm)


linear(from_complex)


@rb.transpose(from_complex)
def _(y_bar: Any, x: Any, *, axes: tuple[int, ...], inverse: bool, norm: str) -> Any:
    return (from_complex(y_bar, axes=axes, inverse=not inverse, norm=SWAPPED[norm]),)


def _ends(n: int, inside: float) -> Any:
    """One for the bins that stand for themselves, 0 and n/2, and `inside` for those that stand for two."""
    weights = np.full(n // 2 + 1, inside)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return weights


@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda x, *, norm: rb.ShapeDtype((*x.shape[:-1], x.shape[-1] // 2 + 1), _COMPLEX.get(x.dtype.char, np.complex128)),
    cases=[
        _complex_case(4, dtype=float, norm="backward"),
        _complex_case(5, dtype=float, norm="ortho"),
        _complex_case(2, 3, dtype=np.float32, norm="forward"),
        _complex_case(1, dtype=float, norm="backward"),
    ],
    native={
        "jax": lambda x, *, norm: rb.xp(x).fft.rfft(x, norm=norm),
        "torch": lambda x, *, norm: rb.xp(x).fft.rfft(x, norm=norm),
    },
)
def to_complex(x: Any, *, norm: str) -> Any:
    """The first n // 2 + 1 bins of the transform of n real numbers, along the last axis.

    Args:
        x: array of shape (..., n), real.
        norm: "backward", "ortho" or "forward".

    Returns:
        A complex array of shape (..., n // 2 + 1).

    Derivation:
        y_k = sum_j x_j exp(-2 pi i j k / n) for k <= n / 2, so that <y_bar, y_dot> = sum_j x_dot_j Re sum_k y_bar_k exp(2 pi i j k / n).
        The inverse real transform of z is z_0 + 2 Re sum_k z_k exp(2 pi i j k / n), with the last bin once for even n: the cotangent
        is that of y_bar with the bins between the ends halved.

    Example:
        >>> to_complex(np.array([1.0, 2.0]), norm="backward")
        array([ 3.+0.j, -1.+0.j])
    """
    return np.fft.rfft(np.asarray(x), norm=norm)  # type: ignore[arg-type]  # one of three


linear(to_complex)


@rb.transpose(to_complex)
def _(y_bar: Any, x: Any, *, norm: str) -> Any:
    n = x.shape[-1]
    return (to_real(y_bar * _along.numbers(y_bar, _ends(n, 0.5)), n=n, norm=SWAPPED[norm]),)


@rb.primitive(
    host=True,
    vectorized=True,
    result=lambda x, *, n, norm: rb.ShapeDtype((*x.shape[:-1], n), _REAL.get(x.dtype.char, np.float64)),
    cases=[
        _complex_case(3, n=4, norm="backward"),
        _complex_case(3, n=5, norm="ortho"),
        _complex_case(2, 2, dtype=np.complex64, n=2, norm="forward"),
        _complex_case(1, n=1, norm="backward"),
    ],
    native={
        "jax": lambda x, *, n, norm: rb.xp(x).fft.irfft(x, n=n, norm=norm),
        "torch": lambda x, *, n, norm: rb.xp(x).fft.irfft(x, n=n, norm=norm),
    },
)
def to_real(x: Any, *, n: int, norm: str) -> Any:
    """n real numbers from the first n // 2 + 1 bins of their transform, along the last axis.

    Args:
        x: array of shape (..., n // 2 + 1), complex; the imaginary part of the first bin, and of the last for even n, does not count.
        n: how many numbers.
        norm: "backward", "ortho" or "forward".

    Returns:
        A real array of shape (..., n).

    Derivation:
        y_j = Re x_0 + 2 Re sum_k x_k exp(2 pi i j k / n), the last bin once for even n.  So x_bar_k = c_k sum_j y_bar_j
        exp(-2 pi i j k / n) with c_k = 2 between the ends and 1 at them, where the sum is real.

    Example:
        >>> to_real(np.array([3.0, -1.0]), n=2, norm="backward")
        array([1., 2.])
    """
    return np.fft.irfft(np.asarray(x), n=n, norm=norm)  # type: ignore[arg-type]  # one of three


linear(to_real)


@rb.transpose(to_real)
def _(y_bar: Any, x: Any, *, n: int, norm: str) -> Any:
    x_bar = to_complex(y_bar, norm=SWAPPED[norm])
    return (x_bar * _along.numbers(x_bar, _ends(n, 2.0)),)

"""Example calls of NumPy's functions: small, of several shapes, real and complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb

Rng = np.random.Generator
Example = Callable[[Rng], Any]


def normal(*shapes: tuple[int, ...], **static: Any) -> Example:
    """Arrays of normal numbers."""
    return lambda rng: rb.case(*(rng.normal(size=s) for s in shapes), **static)


def complex_normal(*shapes: tuple[int, ...], **static: Any) -> Example:
    """Arrays of complex numbers."""
    return lambda rng: rb.case(*(_complex(rng, s) for s in shapes), **static)


def uniform(low: float, high: float, *shapes: tuple[int, ...], **static: Any) -> Example:
    """Arrays of numbers between two."""
    return lambda rng: rb.case(*(rng.uniform(low, high, size=s) for s in shapes), **static)


def _complex(rng: Rng, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def _spread(rng: Rng, n: int) -> Any:
    """Numbers apart from each other."""
    return np.arange(1.0, n + 1) + rng.uniform(-0.3, 0.3, size=n)


def regular(rng: Rng) -> Any:
    """A matrix far from singular ones."""
    n = int(rng.integers(1, 5))
    return rb.case(rng.normal(size=(n, n)) + 3 * np.eye(n))


def regular_stack(rng: Rng) -> Any:
    """A stack of them."""
    return rb.case(rng.normal(size=(2, 3, 3)) + 3 * np.eye(3))


def complex_regular(rng: Rng) -> Any:
    """A complex matrix far from singular ones."""
    return rb.case(_complex(rng, (3, 3)) + 4 * np.eye(3))


def symmetric(rng: Rng) -> Any:
    """A symmetric matrix whose eigenvalues are apart."""
    n = int(rng.integers(1, 5))
    q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return rb.case((q * _spread(rng, n)) @ q.T)


def symmetric_stack(rng: Rng) -> Any:
    """Two of them."""
    q = np.linalg.qr(rng.normal(size=(2, 3, 3)))[0]
    return rb.case((q * _spread(rng, 3)) @ np.swapaxes(q, -1, -2))


def hermitian(rng: Rng, **static: Any) -> Any:
    """A Hermitian matrix whose eigenvalues are apart."""
    q = np.linalg.qr(_complex(rng, (3, 3)))[0]
    return rb.case((q * _spread(rng, 3)) @ q.conj().T, **static)


def hermitian_upper(rng: Rng) -> Any:
    """The same, of which the upper triangle is read."""
    return hermitian(rng, UPLO="U")


def simple_spectrum(rng: Rng) -> Any:
    """A matrix whose eigenvalues are real and apart."""
    n = int(rng.integers(1, 5))
    v = rng.normal(size=(n, n)) + 2 * np.eye(n)
    return rb.case((v * _spread(rng, n)) @ np.linalg.inv(v))


def complex_spectrum(rng: Rng) -> Any:
    """A complex matrix whose eigenvalues are apart."""
    v = _complex(rng, (3, 3)) + 3 * np.eye(3)
    return rb.case((v * (_spread(rng, 3) * np.exp(1j * np.arange(3)))) @ np.linalg.inv(v))


def _definite(a: Any) -> Any:
    return a @ np.conj(np.swapaxes(a, -1, -2)) + a.shape[-1] * np.eye(a.shape[-1])


def definite(rng: Rng) -> Any:
    """A positive definite matrix."""
    n = int(rng.integers(1, 5))
    return rb.case(_definite(rng.normal(size=(n, n))))


def definite_stack(rng: Rng) -> Any:
    """Two of them."""
    return rb.case(_definite(rng.normal(size=(2, 3, 3))))


def complex_definite(rng: Rng, **static: Any) -> Any:
    """A Hermitian one."""
    return rb.case(_definite(_complex(rng, (3, 3))), **static)


def definite_upper(rng: Rng) -> Any:
    """The same, of which the upper triangle is read."""
    return complex_definite(rng, upper=True)


tall = normal((4, 2))
wide = normal((2, 4))
complex_tall = complex_normal((4, 2))
tall_stack = normal((2, 3, 3))
triangle = normal((3, 2), mode="r")


def _of_spread(rng: Rng, m: int, n: int, complex_: bool) -> Any:
    make = _complex if complex_ else lambda rng, shape: rng.normal(size=shape)
    k = min(m, n)
    u, v = np.linalg.qr(make(rng, (m, k)))[0], np.linalg.qr(make(rng, (n, k)))[0]
    return rb.case((u * _spread(rng, k)) @ v.conj().T)


def spread_tall(rng: Rng) -> Any:
    """A tall matrix whose singular values are apart."""
    return _reduced(_of_spread(rng, 4, 2, False))


def spread_wide(rng: Rng) -> Any:
    """A wide one."""
    return _reduced(_of_spread(rng, 2, 4, False))


def spread_complex(rng: Rng) -> Any:
    """A complex one."""
    return _reduced(_of_spread(rng, 4, 3, True))


def spread_complex_wide(rng: Rng) -> Any:
    """A wide complex one."""
    return _reduced(_of_spread(rng, 2, 3, True))


def spread_square(rng: Rng) -> Any:
    """A square one."""
    return _of_spread(rng, 3, 3, False)


def _reduced(case: Any) -> Any:
    return rb.case(*case.args, full_matrices=False)


def values_of(example: Example) -> Example:
    """The same without options."""
    return lambda rng: rb.case(*example(rng).args)


def _system(shape: tuple[int, ...], right: tuple[int, ...], draw: Callable[..., Any]) -> Example:
    return lambda rng: rb.case(draw(rng, shape) + 3 * np.eye(shape[-1]), draw(rng, right))


def _real(rng: Rng, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape)


system = _system((3, 3), (3, 2), _real)
system_vector = _system((2, 3, 3), (3,), _real)
system_stack = _system((2, 3, 3), (3, 2), _real)
system_complex = _system((3, 3), (3, 1), _complex)


def listed(*shapes: tuple[int, ...], **static: Any) -> Example:
    """One list of arrays."""
    return lambda rng: rb.case([rng.normal(size=s) for s in shapes], **static)

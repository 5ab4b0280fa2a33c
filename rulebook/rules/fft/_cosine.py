"""Discrete cosine and sine transforms: one linear primitive for the eight functions of scipy.fft, and how engines compute it.

The eight types are defined in SciPy's documentation of `dct` and `dst`, after J. Makhoul, A fast cosine transform in one and two
dimensions, IEEE Trans. ASSP 28 (1980), and G. Strang, The discrete cosine transform, SIAM Review 41 (1999).
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules._stacked import linear

__all__ = ["SWAPPED", "TRANSPOSED", "trigonometric"]

TRANSPOSED = {1: 1, 2: 3, 3: 2, 4: 4}  # the type whose matrix is the transpose, up to the weights of the ends
SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _result(x: Any, **_: Any) -> Any:
    return rb.ShapeDtype(x.shape, x.dtype if x.dtype.kind in "fc" else np.float64)


def _cases() -> list[Any]:
    """Each type of both kinds, both weights of the ends, the three norms, one and two axes."""

    def draw(kind: int, sine: bool, norm: str, orthogonalize: bool, axes: tuple[int, ...], dtype: Any) -> Any:
        def case(rng: np.random.Generator) -> Any:
            shape = tuple(int(n) for n in rng.integers(2, 6, size=len(axes)))
            x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0.0)
            return rb.case(x.astype(dtype), sine=sine, type=kind, axes=axes, norm=norm, orthogonalize=orthogonalize)

        return case

    return [
        draw(1, False, "backward", False, (-1,), float),
        draw(2, False, "backward", False, (-1,), float),
        draw(3, False, "forward", False, (-1,), float),
        draw(4, False, "ortho", True, (-1,), float),
        draw(1, True, "forward", False, (-1,), float),
        draw(2, True, "ortho", False, (-1,), complex),
        draw(3, True, "backward", True, (-1,), float),
        draw(2, False, "ortho", True, (-2, -1), np.float32),
        draw(1, False, "backward", True, (-2,  -1), float),
    ]  # fmt: skip


@rb.primitive(
    host=True,
    vectorized=True,
    result=_result,
    cases=_cases(),
    native={"jax": lambda x, **static: _by_fourier(x, **static), "torch": lambda x, **static: _by_fourier(x, **static)},
)
def trigonometric(x: Any, *, sine: bool, type: int, axes: tuple[int, ...], norm: str, orthogonalize: bool) -> Any:
    """The discrete cosine or sine transform along some axes.

    Args:
        x: array, real or complex.
        sine: the sine transform instead of the cosine transform.
        type: 1 to 4.
        axes: counted from the end, as negative numbers.
        norm: "backward", "ortho" or "forward".
        orthogonalize: scale the ends so that the matrix is orthogonal, up to a factor.

    Returns:
        An array of the shape and dtype of x.

    Derivation:
        With the ends scaled, the matrices of types 1 and 4 are symmetric and those of types 2 and 3 are each other's transposes, as
        they are inverse and, up to the factor of the norm, orthogonal (Strang 1999).  A matrix without that scaling is C = D Q E with
        diagonal D and E, sqrt(2) at an end or 1 / sqrt(2), and

            C^T = E Q^T D = W C' V,

        where C' is the matrix of the transposed type without scaling, V doubles and W halves an end: for cosines both ends for type
        1 (V and W), the first for type 2 (V) and for type 3 (W); for sines the last for type 2 (V) and for type 3 (W).

    Example:
        >>> trigonometric(np.ones(2), sine=False, type=2, axes=(-1,), norm="backward", orthogonalize=False)
        array([4., 0.])
    """
    fft = importlib.import_module("scipy.fft")
    fn: Callable[..., Any] = fft.dstn if sine else fft.dctn
    transformed = functools.partial(fn, type=type, axes=axes, norm=norm, orthogonalize=orthogonalize)
    x = np.asarray(x)
    if x.dtype.kind != "c":
        return transformed(x)
    y = np.empty_like(x)
    y.real, y.imag = transformed(x.real), transformed(x.imag)  # for complex numbers SciPy 1.17 forgets orthogonalize
    return y


linear(trigonometric)


@rb.transpose(trigonometric)
def _(y_bar: Any, x: Any, *, sine: bool, type: int, axes: tuple[int, ...], norm: str, orthogonalize: bool) -> Any:
    before, after = ((), ()) if orthogonalize else _ends(sine, type)
    y_bar = _weighted(y_bar, axes, before, 2.0)
    x_bar = trigonometric(y_bar, sine=sine, type=TRANSPOSED[type], axes=axes, norm=norm, orthogonalize=orthogonalize)
    return (_weighted(x_bar, axes, after, 0.5),)


def _ends(sine: bool, type: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ends that the transpose doubles before it transforms, and those that it halves after."""
    if type == 1 and not sine:
        return (0, -1), (0, -1)
    end = (-1,) if sine else (0,)
    return end if type == 2 else (), end if type == 3 else ()


def _weighted(x: Any, axes: tuple[int, ...], ends: tuple[int, ...], weight: float) -> Any:
    """An array with the ends of some axes multiplied by a weight."""
    for axis in axes if ends else ():
        weights = np.ones(x.shape[axis])
        weights[list(ends)] *= weight
        x = x * _along.numbers(x, weights.reshape((-1,) + (1,) * (-axis - 1)))
    return x


# -- on engines with Fourier transforms ----------------------------------------------------------------


def _by_fourier(x: Any, *, sine: bool, type: int, axes: tuple[int, ...], norm: str, orthogonalize: bool) -> Any:
    """The transform by the engine's own real FFT: compiled, on the device, and differentiated by the engine."""
    xp = rb.xp(x)
    x = _along.floating(x)
    if _along.is_complex(x):
        static = {"sine": sine, "type": type, "axes": axes, "norm": norm, "orthogonalize": orthogonalize}
        return _by_fourier(xp.real(x), **static) + 1j * _by_fourier(xp.imag(x), **static)  # type: ignore[arg-type]
    for axis in axes:
        x = xp.moveaxis(_along_last(xp.moveaxis(x, axis, -1), sine, type, norm, orthogonalize), -1, axis)
    return x


def _along_last(x: Any, sine: bool, type: int, norm: str, orthogonalize: bool) -> Any:
    n = x.shape[-1]
    root = np.sqrt(2.0)
    if orthogonalize and type in (1, 3):
        x = _weighted(x, (-1,), _scaled(sine, type), root)
    y = (_SINE if sine else _COSINE)[type](x, n)
    if orthogonalize and type in (1, 2):
        y = _weighted(y, (-1,), _scaled(sine, type), 1 / root)
    period = 2.0 * n if type > 1 else 2.0 * (n + 1 if sine else n - 1)
    factor = {"backward": 1.0, "ortho": period**-0.5, "forward": 1 / period}[norm]
    return y * factor if factor != 1.0 else y


def _scaled(sine: bool, type: int) -> tuple[int, ...]:
    """The ends that orthogonalize scales."""
    if type == 1:
        return () if sine else (0, -1)
    return (-1,) if sine else (0,)


def _turn(x: Any, n: int, start: float, sign: float) -> Any:
    """exp(sign i pi (k + start) / 2n) for k < n."""
    return _along.numbers(x, np.exp(sign * 0.5j * np.pi * (np.arange(n) + start) / n))


def _alternating(x: Any, n: int) -> Any:
    return _along.numbers(x, 1.0 - 2.0 * (np.arange(n) % 2))


def _cosine_1(x: Any, n: int) -> Any:
    xp = rb.xp(x)
    return xp.real(xp.fft.rfft(_along.joined([x, _along.flipped(x[..., 1:-1])])))


def _cosine_2(x: Any, n: int) -> Any:
    xp = rb.xp(x)
    return xp.real(xp.fft.rfft(xp.concatenate([x, _along.flipped(x)], axis=-1))[..., :n] * _turn(x, n, 0.0, -1.0))


def _cosine_3(x: Any, n: int) -> Any:
    xp = rb.xp(x)
    return xp.fft.irfft(_along.fitted(x * _turn(x, n, 0.0, 1.0), n + 1), n=2 * n, norm="forward")[..., :n]


def _cosine_4(x: Any, n: int) -> Any:
    xp = rb.xp(x)
    turned = xp.fft.fft(_along.fitted(x * _turn(x, n, 0.0, -1.0), 2 * n))[..., :n]
    return 2 * xp.real(turned * _turn(x, n, 0.5, -1.0))


def _sine_1(x: Any, n: int) -> Any:
    xp = rb.xp(x)
    zero = _along.zeros(x, (*x.shape[:-1], 1))
    return -xp.imag(xp.fft.rfft(xp.concatenate([zero, x, zero, -_along.flipped(x)], axis=-1)))[..., 1 : n + 1]


_COSINE = {1: _cosine_1, 2: _cosine_2, 3: _cosine_3, 4: _cosine_4}
_SINE = {
    1: _sine_1,
    2: lambda x, n: _along.flipped(_cosine_2(x * _alternating(x, n), n)),
    3: lambda x, n: _cosine_3(_along.flipped(x), n) * _alternating(x, n),
    4: lambda x, n: _cosine_4(_along.flipped(x), n) * _alternating(x, n),
}

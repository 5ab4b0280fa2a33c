"""The names of scipy.fft: ends cut or filled and axes counted from the end, then a primitive."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules import _along
from rulebook.rules.fft._cosine import TRANSPOSED, trigonometric
from rulebook.rules.fft._fourier import SWAPPED, from_complex, to_complex, to_real
from rulebook.rules.fft._hankel import hankel

__all__: list[str] = []


def _norm(norm: str | None) -> str:
    if norm is not None and norm not in SWAPPED:
        raise ValueError(f'norm has to be "backward", "ortho" or "forward", and is {norm!r}.')
    return norm or "backward"


def _from_end(axis: int, ndim: int) -> int:
    """An axis as a negative number."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis if axis < 0 else axis - ndim


def _axes(x: Any, s: Any, axes: Any) -> tuple[int, ...]:
    """The axes of a transform of several, as negative numbers."""
    if axes is None:
        return tuple(range(-(x.ndim if s is None else np.size(s)), 0))
    found = tuple(_from_end(a, x.ndim) for a in (axes if isinstance(axes, Sequence) else np.atleast_1d(axes)))
    if len(set(found)) != len(found):
        raise ValueError("all axes must be unique.")
    return found


def _sizes(x: Any, s: Any, axes: tuple[int, ...]) -> list[int]:
    """How many elements of each axis are transformed."""
    if s is None:
        return [x.shape[a] for a in axes]
    sizes = [x.shape[a] if n in (None, -1) else operator.index(n) for n, a in zip(np.atleast_1d(s).tolist(), axes, strict=True)]
    if any(n < 1 for n in sizes):
        raise ValueError(f"invalid number of data points ({min(sizes)}) specified.")
    return sizes


def _fitted(x: Any, sizes: Sequence[int], axes: tuple[int, ...]) -> Any:
    for n, axis in zip(sizes, axes, strict=True):
        x = _along.fitted(x, n, axis)
    return x


def _pair(n: int | None, axis: int) -> tuple[Any, Any]:
    """The size and the axis of a transform along one axis."""
    return None if n is None else (n,), (axis,)


# -- cosines and sines -----------------------------------------------------------------------------------


def _trigonometric(x: Any, sine: bool, inverse: bool, type: int, s: Any, axes: Any, norm: str | None, orthogonalize: bool | None) -> Any:
    if type not in TRANSPOSED:
        raise ValueError(f"type has to be 1, 2, 3 or 4, and is {type!r}.")
    orthogonalize = norm == "ortho" if orthogonalize is None else bool(orthogonalize)
    norm = _norm(norm)
    x = _along.floating(x)
    axes = _axes(x, s, axes)
    x = _fitted(x, _sizes(x, s, axes), axes)
    if type == 1 and not sine and any(x.shape[a] < 2 for a in axes):
        raise ValueError("DCT-I is not defined for size < 2.")
    if inverse:
        type, norm = TRANSPOSED[type], SWAPPED[norm]
    return trigonometric(x, sine=sine, type=type, axes=axes, norm=norm, orthogonalize=orthogonalize)


def _along_one(name: str, sine: bool, inverse: bool) -> Callable[..., Any]:
    def transform(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        return _trigonometric(x, sine, inverse, type, *_pair(n, axis), norm, orthogonalize)

    return _named(transform, name, f"The {_INVERSE[inverse]}discrete {_KIND[sine]} transform along one axis.{_AS}{name}.")


def _along_many(name: str, sine: bool, inverse: bool) -> Callable[..., Any]:
    def transform(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: int | None = None,
        *,
        orthogonalize: bool | None = None,
    ) -> Any:
        return _trigonometric(x, sine, inverse, type, s, axes, norm, orthogonalize)

    return _named(transform, name, f"The {_INVERSE[inverse]}discrete {_KIND[sine]} transform along several axes.{_AS}{name}.")


_AS = "  Arguments as in scipy.fft."
_INVERSE = {False: "", True: "inverse "}
_KIND = {False: "cosine", True: "sine"}


def _named(fn: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = doc
    fn.__module__ = "rulebook.rules.fft"
    return fn


dct, idct = _along_one("dct", False, False), _along_one("idct", False, True)
dst, idst = _along_one("dst", True, False), _along_one("idst", True, True)
dctn, idctn = _along_many("dctn", False, False), _along_many("idctn", False, True)
dstn, idstn = _along_many("dstn", True, False), _along_many("idstn", True, True)


# -- exponentials ----------------------------------------------------------------------------------------


def _c2c(x: Any, s: Any, axes: Any, norm: str | None, inverse: bool) -> Any:
    x, norm = _along.floating(x), _norm(norm)
    axes = _axes(x, s, axes)
    return from_complex(_fitted(x, _sizes(x, s, axes), axes), axes=axes, inverse=inverse, norm=norm)


def _r2c(x: Any, s: Any, axes: Any, norm: str | None, inverse: bool = False) -> Any:
    """Real numbers along the last axis, then complex ones along the others."""
    x, norm = _along.floating(x), _norm(norm)
    if _along.is_complex(x):
        raise TypeError("x must be a real sequence.")
    axes = _axes(x, s, axes)
    if not axes:
        raise ValueError("at least 1 axis must be transformed.")
    x = _fitted(x, _sizes(x, s, axes), axes)
    y = _back(to_complex(_along.axis_last(x, axes[-1]), norm=norm), axes[-1])
    return from_complex(y, axes=axes[:-1], inverse=inverse, norm=norm) if axes[1:] else y


def _c2r(x: Any, s: Any, axes: Any, norm: str | None, inverse: bool = True) -> Any:
    """Complex numbers along all axes but the last, then the one with half of its bins."""
    x, norm = _along.floating(x), _norm(norm)
    axes = _axes(x, s, axes)
    if not axes:
        raise ValueError("at least 1 axis must be transformed.")
    sizes = _sizes(x, s, axes)
    if s is None or np.atleast_1d(s).tolist()[-1] in (None, -1):
        sizes[-1] = 2 * (x.shape[axes[-1]] - 1)
    if sizes[-1] < 1:
        raise ValueError(f"Invalid number of data points ({sizes[-1]}) specified")
    x = _fitted(x, [*sizes[:-1], sizes[-1] // 2 + 1], axes)
    if axes[1:]:
        x = from_complex(x, axes=axes[:-1], inverse=inverse, norm=norm)
    return _back(to_real(_complex(_along.axis_last(x, axes[-1])), n=sizes[-1], norm=norm), axes[-1])


def _complex(x: Any) -> Any:
    return x if _along.is_complex(x) else x * _along.numbers(x, 1.0 + 0.0j)


def _back(y: Any, axis: int) -> Any:
    return y if axis == -1 else rb.xp(y).moveaxis(y, -1, axis)


def _hermitian(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    x = _along.floating(x)
    return _c2r(rb.xp(x).conj(x), s, axes, SWAPPED[_norm(norm)])


def _inverse_hermitian(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    y = _r2c(x, s, axes, SWAPPED[_norm(norm)])
    return rb.xp(y).conj(y)


def _one(name: str, transform: Callable[..., Any], *args: Any) -> Callable[..., Any]:
    def along(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None, overwrite_x: bool = False, workers: Any = None) -> Any:
        return transform(x, *_pair(n, axis), norm, *args)

    return _named(along, name, f"The transform along one axis.  Arguments as in scipy.fft.{name} and numpy.fft.")


def _many(name: str, default: Any, transform: Callable[..., Any], *args: Any) -> Callable[..., Any]:
    def along(x: Any, s: Any = None, axes: Any = default, norm: str | None = None, overwrite_x: bool = False, workers: Any = None) -> Any:
        return transform(x, s, axes, norm, *args)

    return _named(along, name, f"The transform along several axes.  Arguments as in scipy.fft.{name} and numpy.fft.")


fft, ifft = _one("fft", _c2c, False), _one("ifft", _c2c, True)
rfft, irfft = _one("rfft", _r2c), _one("irfft", _c2r)
hfft, ihfft = _one("hfft", _hermitian), _one("ihfft", _inverse_hermitian)
fft2, ifft2 = _many("fft2", (-2, -1), _c2c, False), _many("ifft2", (-2, -1), _c2c, True)
rfft2, irfft2 = _many("rfft2", (-2, -1), _r2c), _many("irfft2", (-2, -1), _c2r)
hfft2, ihfft2 = _many("hfft2", (-2, -1), _hermitian), _many("ihfft2", (-2, -1), _inverse_hermitian)
fftn, ifftn = _many("fftn", None, _c2c, False), _many("ifftn", None, _c2c, True)
rfftn, irfftn = _many("rfftn", None, _r2c), _many("irfftn", None, _c2r)
hfftn, ihfftn = _many("hfftn", None, _hermitian), _many("ihfftn", None, _inverse_hermitian)


def _rolled(x: Any, axes: Any, inverse: bool) -> Any:
    x = _along.array(x)
    for axis in _axes(x, None, axes):
        k = x.shape[axis] // 2
        k = k if inverse else x.shape[axis] - k
        x = _along.joined([_along.cut(x, k, None, axis), _along.cut(x, 0, k, axis)], axis)
    return x


def fftshift(x: Any, axes: Any = None) -> Any:
    """The zero frequency in the middle.

    Args:
        x: array.
        axes: all by default.

    Example:
        >>> fftshift(np.arange(5.0))
        array([3., 4., 0., 1., 2.])
    """
    return _rolled(x, axes, inverse=False)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of `fftshift`.

    Args:
        x: array.
        axes: all by default.

    Example:
        >>> ifftshift(np.array([3.0, 4.0, 0.0, 1.0, 2.0]))
        array([0., 1., 2., 3., 4.])
    """
    return _rolled(x, axes, inverse=True)


def fht(a: Any, dln: float, mu: float, offset: float = 0.0, bias: float = 0.0) -> Any:
    """The fast Hankel transform, differentiable in a; the other arguments are those of scipy.fft.fht, and static.

    Args:
        a: array of shape (..., n), real.
        dln: spacing of the logarithms.
        mu: order of the Bessel function.
        offset: of the logarithms of the output.
        bias: exponent of the power law.
    """
    return hankel(_along.floating(a), dln=float(dln), mu=float(mu), offset=float(offset), bias=float(bias), inverse=False)


def ifht(A: Any, dln: float, mu: float, offset: float = 0.0, bias: float = 0.0) -> Any:
    """The inverse of `fht`, differentiable in A; the other arguments as there.

    Args:
        A: array of shape (..., n), real.
        dln: spacing of the logarithms.
        mu: order of the Bessel function.
        offset: of the logarithms of the output.
        bias: exponent of the power law.
    """
    return hankel(_along.floating(A), dln=float(dln), mu=float(mu), offset=float(offset), bias=float(bias), inverse=True)

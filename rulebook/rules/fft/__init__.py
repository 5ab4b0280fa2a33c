"""The functions of scipy.fft, under SciPy's names and arguments, on the values of every engine.

All are linear: the derivative is the transform of the tangent, the pullback the adjoint transform of the cotangent, at every order.
JAX and torch compute them with their own FFT, on their devices.

The module is also a backend of SciPy's, so that SciPy's own names take the values of every engine in code that is not changed::

    with scipy.fft.set_backend(rulebook.rules.fft):
        program_that_calls_scipy_fft(dual)
"""

from __future__ import annotations

from typing import Any

from rulebook.engines import engine_of
from rulebook.rules.fft._functions import (
    dct as dct,
    dctn as dctn,
    dst as dst,
    dstn as dstn,
    fft as fft,
    fft2 as fft2,
    fftn as fftn,
    fftshift as fftshift,
    fht as fht,
    hfft as hfft,
    hfft2 as hfft2,
    hfftn as hfftn,
    idct as idct,
    idctn as idctn,
    idst as idst,
    idstn as idstn,
    ifft as ifft,
    ifft2 as ifft2,
    ifftn as ifftn,
    ifftshift as ifftshift,
    ifht as ifht,
    ihfft as ihfft,
    ihfft2 as ihfft2,
    ihfftn as ihfftn,
    irfft as irfft,
    irfft2 as irfft2,
    irfftn as irfftn,
    rfft as rfft,
    rfft2 as rfft2,
    rfftn as rfftn,
)
from rulebook.trees import leaves_of

__all__ = [
    "dct",
    "dctn",
    "dst",
    "dstn",
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "fht",
    "hfft",
    "hfft2",
    "hfftn",
    "idct",
    "idctn",
    "idst",
    "idstn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ifht",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What SciPy's function gives for a value of an engine; NumPy arrays are left to SciPy."""
    if method.__name__ not in __all__ or engine_of(leaves_of(args), method.__name__) is None:
        return NotImplemented
    return globals()[method.__name__](*args, **kwargs)

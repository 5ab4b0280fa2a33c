"""Functions of scipy.signal, under SciPy's names and arguments, on the values of every engine.

All are linear in the signal and differentiable in what else they are made of: coefficients of filters, initial states, windows.  What
SciPy does in C is a primitive with both rules; the rest is put together from them and the FFT.
"""

from __future__ import annotations

from rulebook.rules.signal import windows as windows
from rulebook.rules.signal._convolution import (
    convolve as convolve,
    convolve2d as convolve2d,
    correlate as correlate,
    correlate2d as correlate2d,
    fftconvolve as fftconvolve,
    oaconvolve as oaconvolve,
)
from rulebook.rules.signal._forms import (
    bilinear as bilinear,
    bilinear_zpk as bilinear_zpk,
    tf2zpk as tf2zpk,
    zpk2tf as zpk2tf,
)
from rulebook.rules.signal._recursion import (
    deconvolve as deconvolve,
    lfilter as lfilter,
    lfilter_zi as lfilter_zi,
    lfiltic as lfiltic,
    sosfilt as sosfilt,
    sosfilt_zi as sosfilt_zi,
)
from rulebook.rules.signal._resampling import (
    decimate as decimate,
    resample as resample,
    resample_poly as resample_poly,
    upfirdn as upfirdn,
)
from rulebook.rules.signal._response import (
    freqs as freqs,
    freqz as freqz,
    freqz_sos as freqz_sos,
    freqz_zpk as freqz_zpk,
    sosfreqz as sosfreqz,
)
from rulebook.rules.signal._smooth import (
    detrend as detrend,
    hilbert as hilbert,
    savgol_filter as savgol_filter,
)
from rulebook.rules.signal._spectra import (
    coherence as coherence,
    csd as csd,
    periodogram as periodogram,
    welch as welch,
)
from rulebook.rules.signal._twice import (
    filtfilt as filtfilt,
    sosfiltfilt as sosfiltfilt,
)

__all__ = [
    "bilinear",
    "bilinear_zpk",
    "coherence",
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "csd",
    "decimate",
    "deconvolve",
    "detrend",
    "fftconvolve",
    "filtfilt",
    "freqs",
    "freqz",
    "freqz_sos",
    "freqz_zpk",
    "hilbert",
    "lfilter",
    "lfilter_zi",
    "lfiltic",
    "oaconvolve",
    "periodogram",
    "resample",
    "resample_poly",
    "savgol_filter",
    "sosfilt",
    "sosfilt_zi",
    "sosfiltfilt",
    "sosfreqz",
    "tf2zpk",
    "upfirdn",
    "welch",
    "windows",
    "zpk2tf",
]

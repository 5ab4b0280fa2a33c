"""The functions of rulebook.rules.signal: SciPy's numbers, derivatives by signal and coefficients in every engine, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.signal as theirs

import rulebook as rb
from rulebook.rules import signal as ours
from rulebook.rules.signal import windows
from rulebook.rules.signal._recursion import recursion
from tests.rules.engines import ENGINES, differentiate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 40))
Z = X + 1j * RNG.normal(size=X.shape)
B, A = theirs.butter(3, 0.2)
SOS = theirs.butter(5, 0.3, output="sos")
ZEROS, POLES, GAIN = theirs.butter(3, 0.2, output="zpk")
ANALOG = theirs.butter(3, 2.0, analog=True)
TAPS = RNG.normal(size=6)
W = np.linspace(0.1, 3.0, 7)

# name, arguments, options; the first argument that is an array of floats is what is perturbed, and each of `CURVED` as well
CALLS = [
    ("lfilter", (B, A, X), {}),
    ("lfilter", (TAPS, 2.0 * A, X.T), {"axis": 0, "zi": RNG.normal(size=(5, 2))}),
    ("lfilter", (B[:1], A, X[0, :2]), {"zi": RNG.normal(size=3)}),
    ("lfilter", (TAPS, [1.0], Z), {}),
    ("sosfilt", (SOS, X), {"zi": RNG.normal(size=(3, 2, 2))}),
    ("filtfilt", (B, A, X), {}),
    ("filtfilt", (B, A, X), {"padtype": "even", "padlen": 5}),
    ("filtfilt", (B, A, X.T), {"axis": 0, "padtype": None}),
    ("sosfiltfilt", (SOS, X), {"padtype": "constant"}),
    ("lfilter_zi", (B, A), {}),
    ("lfilter_zi", (TAPS, A), {}),
    ("sosfilt_zi", (SOS,), {}),
    ("lfiltic", (B, A, X[0, :2], X[1, :3]), {}),
    ("deconvolve", (X[0, :9], TAPS[:3]), {}),
    *[("convolve", (X[0, :7], TAPS[:4]), {"mode": k, "method": "direct"}) for k in ("full", "same", "valid")],
    *[("convolve", (X[0, :3], TAPS[:5]), {"mode": k, "method": "fft"}) for k in ("full", "same", "valid")],
    *[("correlate", (Z[:, :6], Z[:, 6:8]), {"mode": k}) for k in ("full", "same", "valid")],
    ("convolve2d", (X[:, :5], X[:, 5:8]), {"mode": "full", "boundary": "wrap"}),
    ("convolve2d", (X[:, :5], X[:, 5:8]), {"mode": "same", "boundary": "symm"}),
    ("convolve2d", (X[:, :5], X[:, 5:8]), {"mode": "same", "fillvalue": 1.5}),
    *[("correlate2d", (Z[:, :5], Z[:, 5:9]), {"mode": k}) for k in ("full", "same", "valid")],
    ("fftconvolve", (X, X[:1, :4]), {"mode": "valid", "axes": 1}),
    ("fftconvolve", (X, Z), {"mode": "same"}),
    ("oaconvolve", (X, X[:, :4]), {}),
    ("upfirdn", (TAPS, X), {"up": 3, "down": 2}),
    ("upfirdn", (TAPS, X.T), {"down": 4, "axis": 0}),
    ("resample_poly", (X, 3, 2), {"axis": 1}),
    ("resample_poly", (X.T, 2, 5), {"window": TAPS}),
    *[("decimate", (X, 3), {"ftype": f, "zero_phase": p}) for f in ("iir", "fir") for p in (True, False)],
    *[("resample", (v[:, :8], m), {"axis": 1}) for v in (X, Z) for m in (12, 4, 8)],
    *[("resample", (v[:, :9], 4), {"axis": 1, "window": "hamming"}) for v in (X, Z)],
    *[("savgol_filter", (X, 5, 2), {"mode": m, "deriv": 1, "cval": 0.5}) for m in ("interp", "mirror", "nearest", "wrap", "constant")],
    *[("savgol_filter", (X, 4, 2), {"mode": m, "delta": 0.5}) for m in ("interp", "mirror")],
    *[("detrend", (X,), {"type": t, "bp": bp}) for t, bp in (("constant", 0), ("linear", 0), ("linear", [7, 20]))],
    ("hilbert", (X,), {}),
    ("hilbert", (X.T, 31), {"axis": 0}),
    ("freqz", (B, A), {"worN": W}),
    ("freqz", (B,), {"worN": 8, "whole": True, "fs": 3.0}),
    ("freqz", (B, A), {"worN": 8, "include_nyquist": True}),
    ("freqz_zpk", (ZEROS, POLES, GAIN), {"worN": W}),
    ("freqz_sos", (SOS,), {"worN": W}),
    ("freqs", ANALOG, {"worN": W}),
    *[("welch", (v,), {"nperseg": 16, "noverlap": 3, "nfft": 20, "detrend": "linear", "scaling": "spectrum"}) for v in (X, Z)],
    ("welch", (X,), {"window": np.hamming(9), "return_onesided": False, "detrend": False}),
    ("csd", (X, X[::-1]), {"nperseg": 8}),
    ("coherence", (X, X[::-1]), {"nperseg": 8}),
    ("periodogram", (X.T,), {"axis": 0, "fs": 2.0, "window": "hann", "nfft": 50}),
    ("periodogram", (Z,), {"nfft": 30}),
    ("tf2zpk", (TAPS[:4], A), {}),
    ("zpk2tf", (ZEROS, POLES, GAIN), {}),
    ("bilinear", ANALOG, {"fs": 3.0}),
    ("bilinear_zpk", (*theirs.butter(3, 2.0, analog=True, output="zpk"), 3.0), {}),
]  # fmt: skip
WINDOWS = [
    ("gaussian", (2.0,)),
    ("general_gaussian", (1.5, 2.0)),
    ("kaiser", (3.0,)),
    ("tukey", (0.4,)),
    ("general_hamming", (0.6,)),
    ("general_cosine", ([0.5, 0.3, 0.2],)),
    ("exponential", (None, 1.5)),
]
calls = pytest.mark.parametrize("call", CALLS, ids=lambda c: c[0])


def leaves(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


@calls
def test_the_numbers_are_those_of_scipy(call):
    name, args, options = call
    found, expected = leaves(getattr(ours, name)(*args, **options)), leaves(getattr(theirs, name)(*args, **options))
    for one, other in zip(found, expected, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_every_name_is_called():
    assert {c[0] for c in CALLS} | {"windows", "sosfreqz"} == set(ours.__all__)
    assert {w[0] for w in WINDOWS} == set(windows.__all__)


def moving(call):
    """A function of a number that all float arrays among the arguments and options of a call depend on, each in a way of its own."""
    name, args, options = call
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=np.shape(y)) for y in leaves(getattr(theirs, name)(*args, **options))]
    steps = {}

    def at(x, t, key):
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "fc":
            return x
        along = steps.setdefault(key, 0.1 * rng.normal(size=x.shape) * ((x != 0) & (x != 1)))
        return x + t * along if isinstance(t, float) else rb.xp(t).asarray(x) + (t + 0.5 * t * t) * rb.xp(t).asarray(along)

    def value(t):
        if isinstance(t, float):
            t = t + 0.5 * t * t
        found = getattr(ours, name)(*[at(a, t, i) for i, a in enumerate(args)], **{k: at(v, t, k) for k, v in options.items()})
        xp = rb.xp(t)
        total = 0.0
        for y, w in zip(leaves(found), weights, strict=True):
            if "complex" in str(y.dtype):
                y = xp.real(y) + 2 * xp.imag(y)
            total = total + xp.sum(y * xp.asarray(w))
        return total

    return value


def slope(value, h=0.02):
    """The derivative at zero of SciPy's numbers, by central differences that are extrapolated three times."""
    table = [(value(h / 2**i) - value(-h / 2**i)) / (2 * h / 2**i) for i in range(4)]
    for k in range(1, 4):
        table = [(4**k * b - a) / (4**k - 1) for a, b in itertools.pairwise(table)]
    return table[-1]


def curvature(value, h=0.05):
    table = [(value(h / 2**i) - 2 * value(0.0) + value(-h / 2**i)) / (h / 2**i) ** 2 for i in range(4)]
    for k in range(1, 4):
        table = [(4**k * b - a) / (4**k - 1) for a, b in itertools.pairwise(table)]
    return table[-1]


@calls
def test_derivatives(call):
    value = moving(call)
    expected, second = slope(value), curvature(value)
    size = max(abs(expected), abs(second), 1.0)
    for engine in [e for e in ENGINES if e in ("autograd", "dual")]:
        for mode in ("f", "r"):
            assert differentiate(engine, value, mode) == pytest.approx(expected, abs=1e-7 * size), (engine, mode)
        assert differentiate(engine, value, "rf") == pytest.approx(second, abs=1e-4 * size), engine


@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("jax", "torch")])
@pytest.mark.parametrize("name", ["lfilter", "upfirdn", "correlate2d", "tf2zpk"])
def test_second_order_in_compiled_engines(name, engine):
    value = moving(next(c for c in CALLS if c[0] == name))
    expected = differentiate("dual", value, "rf")
    assert differentiate(engine, value, "rf") == pytest.approx(expected, rel=2e-3 if engine == "jax" else 1e-8)


@pytest.mark.parametrize("call", WINDOWS, ids=lambda c: c[0])
def test_windows(call):
    name, args = call
    for points in (1, 2, 7, 8):
        for sym in (True, False):
            expected = getattr(theirs.windows, name)(points, *args, sym)
            np.testing.assert_allclose(getattr(windows, name)(points, *args, sym), expected, atol=1e-14)
    float_of = lambda a, t: a if a is None else rb.xp(t).asarray(np.array(a)) + 0.1 * t
    value = lambda t: rb.xp(t).sum(getattr(windows, name)(7, *[float_of(a, t) for a in args]) ** 2 * rb.xp(t).asarray(np.arange(7.0) ** 2))
    for engine in [e for e in ENGINES if e in ("autograd", "dual")]:
        for mode, expected in (("f", slope(value)), ("r", slope(value)), ("rf", curvature(value))):
            assert differentiate(engine, value, mode) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_all_tangents_of_a_dual_are_one_call(monkeypatch):
    seen = []
    whole = theirs.lfilter
    monkeypatch.setattr(theirs, "lfilter", lambda b, a, x, *rest: seen.append(np.shape(x)) or whole(b, a, x, *rest))
    rb.jacobian(lambda x: ours.lfilter(B, A, x), engine="dual")(X[0])
    assert seen == [(40,), (40, 40)]
    assert rb.hessian(lambda a: np.sum(ours.lfilter(B, a, X[0]) ** 2), engine="dual")(A).shape == (4, 4)


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_batches_and_precision_in_torch():
    import torch

    x = torch.tensor(X, dtype=torch.float32)
    f = lambda v: ours.lfilter(torch.tensor(B, dtype=torch.float32), torch.tensor(A, dtype=torch.float32), v)
    found = torch.func.vmap(f)(x)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, theirs.lfilter(B, A, X), rtol=1e-3, atol=1e-4)
    filters = torch.stack([torch.tensor(A), torch.tensor([1.0, 0.5, 0.0, 0.0], dtype=torch.float64)])
    each = torch.func.vmap(lambda a: ours.lfilter(torch.tensor(B), a, torch.tensor(X)))(filters)
    np.testing.assert_allclose(each[1], theirs.lfilter(B, filters[1].numpy(), X), atol=1e-12)
    assert ours.hilbert(x).dtype == torch.complex64
    assert ours.resample_poly(x, 3, 2, axis=1).dtype == ours.savgol_filter(x, 5, 2).dtype == torch.float32


MIXED = [
    ("lfilter", (TAPS, 2.0 * A, X, 1, RNG.normal(size=(2, 5))), {}),
    ("sosfilt", (SOS, X[0]), {}),
    ("filtfilt", (B, A, X[0]), {}),
    ("sosfiltfilt", (SOS, X[0]), {"padlen": 6}),
    ("lfilter_zi", (TAPS, A), {}),
    ("lfiltic", (B, A, X[0, :2], X[1, :3]), {}),
    ("deconvolve", (X[0, :9], TAPS[:3]), {}),
    ("correlate", (Z[0, :6], Z[0, 6:8]), {}),
    ("fftconvolve", (X, X[:1, :4]), {"axes": 1}),
    ("convolve2d", (X[:, :5], X[:, 5:8], "same", "fill", np.array(0.5)), {}),
    ("upfirdn", (TAPS, X[0]), {"up": 3}),
    ("resample_poly", (X[0], 3, 2, 0, TAPS), {}),
    ("decimate", (X[0], 3), {}),
    ("freqz", (B, A, W), {}),
    ("freqz_zpk", (np.array([0.3]), np.array([0.5]), 2.0, W), {}),
    ("csd", (X[0], X[1], 1.0, np.hamming(9)), {}),
    ("coherence", (X[0], X[1]), {"nperseg": 8}),
    ("bilinear_zpk", (np.array([0.3]), np.array([-1.0, -2.0]), np.array(2.0), np.array(3.0)), {}),
]


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
@pytest.mark.parametrize("call", MIXED, ids=lambda c: c[0])
def test_one_tensor_beside_numpy_arrays(call):
    import torch

    name, args, options = call
    for i in [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]:

        def size(x, i=i):
            found = leaves(getattr(ours, name)(*args[:i], x, *args[i + 1 :], **options))
            return sum(rb.xp(y).sum(rb.xp(y).abs(y) ** 2) for y in found)

        along = 0.1 * np.cos(np.arange(args[i].size)).reshape(args[i].shape) * ((args[i] != 0) & (args[i] != 1))
        value, expected = rb.jvp(size, (args[i],), (along.astype(args[i].dtype),), engine="dual")
        x, x_dot = torch.tensor(args[i].copy()), torch.tensor(along.astype(args[i].dtype))
        active = x.clone().requires_grad_()
        x_bar = torch.autograd.grad(size(active), active)[0]
        assert torch.sum(x_bar.conj() * x_dot).real == pytest.approx(expected, rel=1e-7, abs=1e-9)
        assert torch.func.jvp(size, (x,), (x_dot,))[1] == pytest.approx(expected, rel=1e-7, abs=1e-9)
        batch = torch.func.vmap(size)(torch.stack([x, x + x_dot]))
        np.testing.assert_allclose(batch, [value, size(args[i] + along)], rtol=1e-9)


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_a_length_that_depends_on_traced_coefficients_is_refused():
    import torch

    with pytest.raises(rb.ResultSpecError, match=r"sosfiltfilt \(engine torch, argument padlen\)[\s\S]*Do: pass padlen="):
        torch.func.grad(lambda sos: ours.sosfiltfilt(sos, X[0]).sum())(torch.tensor(SOS))
    assert not ours.welch(X, window=torch.hamming_window(8))[1].is_complex()


def test_a_filter_without_poles_or_samples():
    a = rb.grad(lambda a: np.sum(recursion(a, np.ones(3))), engine="dual")
    assert a(np.zeros(0)).shape == (0,)
    assert rb.jacobian(lambda x: ours.lfilter(B, A, x), engine="dual")(np.zeros(0)).shape == (0, 0)


def test_the_error_of_scipy_names_the_counterpart():
    with pytest.raises(TypeError, match=r"rulebook\.rules\.signal\.savgol_filter"):
        rb.derivative(lambda t: theirs.savgol_filter(t * X[0], 5, 2)[0], engine="dual")(1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ours.convolve(X, X[0]), ValueError, "same dimensionality"),
        (lambda: ours.convolve(X[0], X[0], "half"), ValueError, "mode is 'half'"),
        (lambda: ours.fftconvolve(X, X.T, "valid"), ValueError, "at least as large as the other in every dimension"),
        (lambda: ours.filtfilt(B, A, X[0, :5]), ValueError, "must be greater than padlen, which is 12"),
        (lambda: ours.filtfilt(B, A, X, method="gust"), NotImplementedError, "knows method='pad' only"),
        (lambda: ours.upfirdn(TAPS, X, mode="wrap"), NotImplementedError, "by zeros only"),
        (lambda: ours.upfirdn(TAPS, X, up=0), ValueError, "Both up and down must be >= 1"),
        (lambda: ours.csd(X, X, average="median"), NotImplementedError, "by their mean, and not by 'median'"),
        (lambda: ours.welch(X, nperseg=8, noverlap=8), ValueError, "noverlap must be less than nperseg"),
        (lambda: ours.hilbert(Z), ValueError, "x must be real"),
        (lambda: ours.tf2zpk([0.0, 1.0], [1.0, 0.5]), ValueError, "leading coefficient of the polynomial is zero"),
        (lambda: ours.freqs(*ANALOG, worN=10), NotImplementedError, "pass an array as worN"),
        (lambda: ours.detrend(X, bp=[50]), ValueError, "Breakpoints must be less than length"),
        (lambda: ours.lfilter_zi(np.zeros((2, 2)), A), ValueError, "sequences of at least one coefficient"),
    ],
)
def test_bad_input(call, error, message):
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        call()


def test_a_state_of_the_wrong_shape_is_refused_under_differentiation():
    with pytest.raises(ValueError, match=r"zi has to have as many axes as x and 3 elements .* shape \(2,\)"):
        rb.derivative(lambda t: ours.lfilter(B, A, t * X[0], zi=np.zeros(2))[0][0], engine="dual")(1.0)

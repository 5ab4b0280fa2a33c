"""The transforms of rulebook.rules.fft: SciPy's numbers, derivatives of both orders in every engine, batches, dtypes, bad input."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.fft

import rulebook as rb
from rulebook.rules import fft
from rulebook.rules.fft._cosine import _by_fourier, trigonometric
from rulebook.rules.fft._fourier import to_complex, to_real
from tests.rules.engines import ENGINES, differentiate

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(2, 4, 5))  # two points, a direction in between
COMPLEX = REAL + 1j * RNG.normal(size=REAL.shape)
NAMES = [n for n in fft.__all__ if n not in ("fht", "ifht")]
REAL_ONLY = ("rfft", "rfft2", "rfftn", "ihfft", "ihfft2", "ihfftn")
COSINES = [n for n in NAMES if "ct" in n or "st" in n]
SECOND = "autograd" if "autograd" in ENGINES else "dual"
names = pytest.mark.parametrize("name", NAMES)


def calls(name):
    """Options that each function has."""
    if "shift" in name:
        return [{}, {"axes": 0}]
    if name.endswith(("n", "2")):
        return [{}, {"s": (3, 7), "axes": (1, 0), "norm": "ortho"}, {"s": (5, 4)}, {"norm": "forward"}]
    return [{}, {"n": 3, "axis": 0}, {"n": 9, "norm": "ortho"}, {"norm": "forward"}]


@names
def test_the_numbers_are_those_of_scipy(name):
    ours, theirs = getattr(fft, name), getattr(scipy.fft, name)
    for x in [REAL[0], REAL[0].astype(np.float32), *([] if name in REAL_ONLY else [COMPLEX[0]])]:
        for options in calls(name):
            found, expected = ours(x, **options), theirs(x, **options)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found, expected, atol=2e-6 if x.dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("name", COSINES)
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_each_type_with_both_weights_of_the_ends(name, kind):
    for norm in ("backward", "ortho", "forward"):
        for orthogonalize in (None, False, True):
            options = {"type": kind, "norm": norm, "orthogonalize": orthogonalize}
            found, expected = getattr(fft, name)(REAL[0], **options), getattr(scipy.fft, name)(REAL[0], **options)
            np.testing.assert_allclose(found, expected, atol=1e-13)
            both = getattr(fft, name)(COMPLEX[0], **options)  # where SciPy 1.17 loses orthogonalize
            np.testing.assert_allclose(both, found + 1j * getattr(fft, name)(COMPLEX[0].imag, **options), atol=1e-13)


@pytest.mark.parametrize("sine", [False, True])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_transposes_and_engines_transforms_as_matrices(sine, kind):
    for n in (2, 3, 6):
        for norm, orthogonalize in (("backward", False), ("ortho", False), ("ortho", True), ("forward", True)):
            options = {"sine": sine, "type": kind, "axes": (-1,), "norm": norm, "orthogonalize": orthogonalize}
            matrix = trigonometric(np.eye(n), **options).T
            pullback = rb.vjp(lambda x, options=options: trigonometric(x, **options), np.ones(n), engine=SECOND)[1]
            np.testing.assert_allclose(np.stack([pullback(e)[0] for e in np.eye(n)]), matrix, atol=1e-13)
            np.testing.assert_allclose(_by_fourier(np.eye(n), **options).T, matrix, atol=1e-13)


def curve(name, options):
    """A function of a number whose derivatives of every order, at zero, are one number."""
    f = getattr(fft, name)
    start, along = REAL if name in REAL_ONLY else COMPLEX
    y = getattr(scipy.fft, name)(along, **options)
    weights = RNG.normal(size=y.shape)

    def value(t):
        xp = rb.xp(t)
        found = f(xp.asarray(start) + xp.exp(t) * xp.asarray(along), **options)
        return xp.sum((xp.real(found) + 2 * xp.imag(found) if np.iscomplexobj(y) else found) * xp.asarray(weights))

    return value, np.sum((y.real + 2 * y.imag) * weights)


@names
@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("autograd", "dual")])
def test_derivatives(name, engine):
    for options in calls(name)[:2]:
        value, expected = curve(name, options)
        for mode in ("f", "r", "rf"):
            assert differentiate(engine, value, mode) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["idst", "dctn", "irfft2"])
@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("jax", "torch")])
def test_derivatives_of_second_order_by_the_own_transforms_of_an_engine(name, engine):
    value, expected = curve(name, calls(name)[1])
    for mode in ("rf",) if engine == "jax" else ("rf", "rr", "fr"):
        assert differentiate(engine, value, mode) == pytest.approx(expected, rel=1e-5 if engine == "jax" else 1e-10)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_pairing_of_real_transforms(n):
    x, y = RNG.normal(size=n), RNG.normal(size=n // 2 + 1) + 1j * RNG.normal(size=n // 2 + 1)
    for norm in ("backward", "ortho", "forward"):
        x_bar = rb.vjp(lambda v, norm=norm: to_complex(v, norm=norm), x, engine="dual")[1](y)[0]
        assert np.sum(x_bar * x) == pytest.approx(np.sum(np.conj(y) * np.fft.rfft(x, norm=norm)).real)
        y_bar = rb.vjp(lambda v, norm=norm, n=n: to_real(v, n=n, norm=norm), y, engine="dual")[1](x)[0]
        assert np.sum(np.conj(y_bar) * y).real == pytest.approx(np.sum(x * np.fft.irfft(y, n, norm=norm)))


@pytest.mark.parametrize("f", [fft.fht, fft.ifht])
def test_the_hankel_transform_is_symmetric(f):
    for offset, bias, n in ((0.0, 0.0, 4), (0.1, 0.3, 5)):
        matrix = f(np.eye(n), 0.2, 1.5, offset, bias).T
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
        np.testing.assert_allclose(matrix[:, 0], getattr(scipy.fft, f.__name__)(np.eye(n)[0], 0.2, 1.5, offset, bias), atol=1e-14)
        np.testing.assert_allclose(rb.jacobian(lambda a: f(a, 0.2, 1.5, offset, bias), engine="dual")(np.ones(n)), matrix, atol=1e-14)


def test_all_tangents_of_a_dual_are_one_call(monkeypatch):
    seen = []
    whole = scipy.fft.dctn
    monkeypatch.setattr(scipy.fft, "dctn", lambda x, *args, **options: seen.append(x.shape) or whole(x, *args, **options))
    rb.jacobian(fft.dct, engine="dual")(np.arange(6.0))
    assert seen == [(6,), (6, 6)]
    assert rb.hessian(lambda x: np.sum(fft.dct(x) ** 3), engine="dual")(np.arange(6.0)).shape == (6, 6)


@pytest.mark.skipif("torch" not in ENGINES, reason="torch is not installed")
def test_batches_and_precision_in_torch():
    import torch

    x = torch.tensor(REAL[0], dtype=torch.float32)
    for name in ("dct", "idct", "dstn", "rfft", "fht"):
        f = (lambda v: fft.fht(v, 0.1, 0.5)) if name == "fht" else getattr(fft, name)
        each = torch.stack([f(row) for row in x])
        torch.testing.assert_close(torch.func.vmap(f)(x), each, rtol=1e-5, atol=1e-5)
        assert each.dtype == {"rfft": torch.complex64, "fht": torch.float64}.get(name, torch.float32)


@pytest.mark.skipif("jax" not in ENGINES, reason="jax is not installed")
def test_batches_and_compilation_in_jax():
    import jax

    x = REAL[0].astype(np.float32)
    f = lambda v: fft.dct(v, 3, norm="ortho")
    found = jax.jit(jax.vmap(f))(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, scipy.fft.dct(x, 3, norm="ortho"), atol=1e-5)
    assert "callback" not in str(jax.make_jaxpr(f)(x[0]))


def test_code_that_calls_scipy_takes_duals_with_our_backend():
    def energy(t):
        return np.sum(scipy.fft.dctn(scipy.fft.rfft(REAL[0] * t).real) ** 2)

    with scipy.fft.set_backend(fft):
        assert rb.derivative(energy, engine="dual")(1.0) == pytest.approx(2 * energy(1.0))
        np.testing.assert_array_equal(scipy.fft.dct(REAL[0]), fft.dct(REAL[0]))  # NumPy's arrays are left to SciPy


def test_the_error_of_scipy_names_the_counterpart():
    with pytest.raises(TypeError, match=r"rulebook\.rules\.fft\.dct"):
        rb.derivative(lambda t: scipy.fft.dct(t * np.ones(3))[0], engine="dual")(1.0)


def test_integers_and_lists():
    np.testing.assert_array_equal(fft.dct([1, 2, 3]), scipy.fft.dct([1, 2, 3]))
    np.testing.assert_array_equal(fft.fft(np.arange(4)), scipy.fft.fft(np.arange(4)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fft.dct(np.ones(3), 5), ValueError, "type has to be 1, 2, 3 or 4, and is 5"),
        (lambda: fft.dct(np.ones(1), 1), ValueError, "DCT-I is not defined for size < 2"),
        (lambda: fft.fft(np.ones(3), norm="unit"), ValueError, "norm has to be .* and is 'unit'"),
        (lambda: fft.fft(np.ones(3), n=0), ValueError, r"invalid number of data points \(0\) specified"),
        (lambda: fft.fftn(np.ones((2, 2)), axes=(0, 0)), ValueError, "all axes must be unique"),
        (lambda: fft.rfft(np.ones(3) * 1j), TypeError, "x must be a real sequence"),
        (lambda: fft.fft(np.ones(3), axis=1), np.exceptions.AxisError, "axis 1 is out of bounds"),
        (lambda: fft.irfft(np.ones(1)), ValueError, r"Invalid number of data points \(0\) specified"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()

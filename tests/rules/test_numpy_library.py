"""`rulebook.rules.numpy`: every function by differences, in both modes and to second order, and what is special of some."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules import numpy as rn
from rulebook.testing import check_engines
from tests.rules.differences import directional

pytest.importorskip("autograd")

ln = rn.linalg
PRIMITIVES = {
    p.name.removeprefix("rulebook.rules.numpy."): p
    for home in (rn, ln)
    for name in home.__all__
    if isinstance(p := getattr(home, name), Primitive)
}


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_primitives_in_both_modes(name):
    assert PRIMITIVES[name].cases
    assert check_engines(PRIMITIVES[name], budget=4.0, engines=["autograd", "dual"]).ok


# Functions that are put together from primitives.

_rng = np.random.default_rng(0)
V, W = _rng.uniform(0.2, 0.8, size=(2, 4))
A = _rng.uniform(0.2, 0.8, size=(3, 3)) + np.eye(3)
B = _rng.normal(size=(3, 4))
C = _rng.normal(size=(2, 3, 4))
N = np.where(B > 1, np.nan, B)
Z = _rng.normal(size=4) + 1j * _rng.normal(size=4)
NODES, HEIGHTS = np.array([0.0, 0.3, 0.6, 1.0]), _rng.normal(size=4)

COMPOSED = {
    "append": (lambda x: rn.append(x, 2 * x), V),
    "average": (lambda x, w: rn.average(x, axis=1, weights=w), B, V),
    "block": (lambda x: rn.block([[x, x * x]]), V),
    "broadcast_arrays": (lambda x: rn.broadcast_arrays(x, x[:, :1])[1], B),
    "clip": (lambda x: rn.clip(x, 0.3, 0.6), V),
    "cond": (ln.cond, A),
    "cond 1": (lambda x: ln.cond(x, 1), A),
    "corrcoef": (rn.corrcoef, B),
    "correlate": (lambda a, v: rn.correlate(a, v[:2], "full"), V, W),
    "correlate, the shorter first": (lambda a, v: rn.correlate(a[:3], v, "same"), V, W),
    "cov": (lambda x, y: rn.cov(x, y), V, W),
    "cumulative_prod": (lambda x: rn.cumulative_prod(x, include_initial=True), V),
    "cumulative_sum": (lambda x: rn.cumulative_sum(x, axis=0, include_initial=True), B),
    "det": (ln.det, A),
    "diff": (lambda x: rn.diff(x, 2, axis=0), C[0]),
    "ediff1d": (lambda x: rn.ediff1d(x, to_end=x[0], to_begin=x[1]), V),
    "einsum": (lambda x, y: rn.einsum("ij,kj->ik", x, y), B, B),
    "extract": (lambda x: rn.extract(np.array([True, False, True, True]), x), V),
    "full_like": (lambda x: rn.full_like(B, x[0]), V),
    "gradient": (lambda x: rn.gradient(x, axis=1), B),
    "gradient of places": (lambda x, h: rn.gradient(x, rn.add(h, NODES), edge_order=2), V, W / 9),
    "gradient, both axes": (lambda x: rn.gradient(x, 0.5, 2.0)[0], B),
    "interp": (lambda x, n, h: rn.interp(x, n, h), V, NODES, HEIGHTS),
    "interp beyond": (lambda x, h: rn.interp(x + 5, NODES, h), V, HEIGHTS),
    "matrix_norm nuc": (lambda x: ln.matrix_norm(x, ord="nuc"), B),
    "matrix_norm 2": (lambda x: ln.matrix_norm(x, ord=2), B),
    "matrix_norm -1": (lambda x: ln.matrix_norm(x, ord=-1, keepdims=True), B),
    "matrix_power": (lambda x: rn.matrix_power(x, 3) + rn.matrix_power(x, -2) + rn.matrix_power(x, 0), A),
    "median": (lambda x: rn.median(x, axis=0), B),
    "meshgrid": (lambda x, y: rn.meshgrid(x, y)[0] * 2 + rn.meshgrid(x, y)[1], V, W[:3]),
    "multi_dot": (lambda x: rn.multi_dot([x[0], x, x, x[1]]), A),
    "nan_to_num": (rn.nan_to_num, N),
    "nancumprod": (lambda x: rn.nancumprod(x, axis=1), N),
    "nancumsum": (lambda x: rn.nancumsum(x, axis=0), N),
    "nanmax": (lambda x: rn.nanmax(x, axis=0), N),
    "nanmean": (lambda x: rn.nanmean(x, axis=1), N),
    "nanmedian": (rn.nanmedian, N),
    "nanmin": (rn.nanmin, N),
    "nanpercentile": (lambda x: rn.nanpercentile(x, 30, axis=1, keepdims=True), N),
    "nanprod": (rn.nanprod, N),
    "nanstd": (lambda x: rn.nanstd(x, axis=1, ddof=1), N),
    "nansum": (rn.nansum, N),
    "nanvar": (rn.nanvar, N),
    "norm of vectors": (lambda x: ln.norm(x, 3, axis=1), B),
    "norm of matrices": (lambda x: ln.norm(x, "nuc", axis=(2, 0), keepdims=True), C),
    "pad": (lambda x: rn.pad(x, ((1, 0), (2, 1)), "constant", x[0, 0]), B),
    "pad reflect": (lambda x: rn.pad(x, 2, "reflect"), V),
    "percentile": (lambda x: rn.percentile(x, np.array([10, 60]), axis=1, keepdims=True), B),
    "poly": (rn.poly, V),
    "polyadd": (lambda x, y: rn.polyadd(x[:2], y), V, W),
    "polyder": (lambda x: rn.polyder(x, 2), V),
    "polyfit": (lambda x, y: rn.polyfit(rn.add(x, NODES), y, 2), V, W),
    "polyint": (lambda x: rn.polyint(x, 2), V),
    "polymul": (rn.polymul, V, W),
    "polynomial_polyval": (lambda x, c: rn.polynomial_polyval(x, c), V, W),
    "polysub": (lambda x, y: rn.polysub(x, y[:1]), V, W),
    "polyval": (rn.polyval, V, W),
    "ptp": (lambda x: rn.ptp(x, axis=0), B),
    "quantile": (lambda x: rn.quantile(x, 0.3, method="hazen"), B),
    "roots": (lambda x: rn.abs(rn.roots(rn.add(x, NODES))), V),
    "tensorinv": (lambda x: ln.tensorinv(rn.reshape(x, shape=(3, 3, 1)), ind=1), A),
    "tensorsolve": (lambda x, b: ln.tensorsolve(rn.reshape(x, shape=(3, 3, 1)), b), A, V[:3]),
    "trace": (lambda x: rn.trace(x, 1), A),
    "trapezoid": (lambda y, x: rn.trapezoid(y, x), V, NODES),
    "unique": (rn.unique, V),
    "unwrap": (lambda x: rn.unwrap(9 * x), V),
    "vander": (lambda x: rn.vander(x, 3, increasing=True), V),
    "vector_norm 0": (lambda x: ln.vector_norm(x, ord=0) * x, V),
    "fft": (lambda x: rn.abs(rn.fft.fft(x)), V),
    "irfft of rfft": (lambda x: rn.fft.irfft(rn.fft.rfft(x) ** 2, 4), V),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_functions_of_primitives(name):
    fn, *args = COMPOSED[name]
    directional(fn, *args)


def alone(fn, args, i):
    """The sum of what a function gives for one of its arguments, the others being NumPy's."""

    def total(x):
        y = fn(*args[:i], x, *args[i + 1 :])
        return rb.xp(y).sum(y)

    return total


@pytest.mark.parametrize("name", COMPOSED)
def test_tensors_beside_numpy_arrays(name):
    torch = pytest.importorskip("torch")
    fn, *args = COMPOSED[name]
    for i, x in enumerate(args):
        total = alone(fn, args, i)
        expected, along = rb.grad(total, engine="dual")(x), np.cos(np.arange(x.size)).reshape(x.shape)
        active = torch.tensor(x, requires_grad=True)
        found = torch.autograd.grad(total(active), active)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
        moved = torch.func.jvp(total, (torch.tensor(x),), (torch.tensor(along),))[1]
        np.testing.assert_allclose(moved, np.sum(expected * along), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["interp", "unwrap", "nanmedian", "nan_to_num"])
def test_compiled_by_jax_beside_numpy_arrays(name):
    jax = pytest.importorskip("jax")
    fn, *args = COMPOSED[name]
    for i, x in enumerate(args):
        total = alone(fn, args, i)
        compiled = jax.jit(jax.grad(total), compiler_options={"xla_backend_optimization_level": "0"})
        np.testing.assert_allclose(compiled(x), rb.grad(total, engine="dual")(x), rtol=1e-5, atol=1e-6)


BATCHED = {
    "interp of x": (lambda x: rn.interp(x, NODES, HEIGHTS), W),
    "interp of nodes": (lambda n: rn.interp(V, n, HEIGHTS), NODES),
    "unwrap": (lambda x: rn.unwrap(9 * x, discont=4.0), V),
    "unwrap of another period": (lambda x: rn.unwrap(9 * x, axis=0, period=2.0), B),
    "nanquantile": (lambda x: rn.nanquantile(x, 0.3, axis=0), N),
    "nan_to_num": (lambda x: rn.nan_to_num(x, posinf=3.0), np.array([np.inf, -np.inf, np.nan, 2.0])),
}


@pytest.mark.parametrize("name", BATCHED)
def test_values_that_torch_batches(name):
    torch = pytest.importorskip("torch")
    fn, x = BATCHED[name]
    both = np.stack([x, x * 1.1])
    np.testing.assert_allclose(torch.func.vmap(fn)(torch.tensor(both)), [fn(v) for v in both], rtol=1e-12)


def test_precision_beside_tensors():
    torch = pytest.importorskip("torch")
    x = torch.tensor(V, dtype=torch.float32, requires_grad=True)
    single = NODES.astype(np.float32)
    for y in (rn.interp(x, single, single), rn.gradient(x), rn.quantile(x, 0.3), rn.nanmedian(x), rn.polyint(x), rn.roots(x).real):
        assert y.dtype == torch.float32
    assert rn.matrix_power(np.array([[1, 2], [3, 4]]), 0).dtype == rn.polyder(np.array([1, 2, 3])).dtype == int
    assert rn.polyint(torch.tensor([1, 2, 3])).dtype == torch.float64


def test_what_is_not_a_number_in_one_part_of_a_complex_one():
    x = np.array([complex(1.0, np.nan), complex(2.0, 3.0)])
    found = rb.jvp(rn.nan_to_num, (x,), (np.full(2, 1 + 1j),), engine="dual")
    np.testing.assert_array_equal(found, [[1, 2 + 3j], [1, 1 + 1j]])


def test_what_depends_on_values_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(rb.RuleMissingError, match="first coefficient that is not zero"):
        rn.roots(torch.tensor([0.0, 1.0, 2.0], requires_grad=True))
    with pytest.raises(rb.RuleMissingError, match="engine torch, argument q"):
        rn.quantile(V, torch.tensor(0.3, requires_grad=True))
    with pytest.raises(rb.ResultSpecError, match=r"engine torch[\s\S]*a traced value of shape \(4,\)[\s\S]*outside of the transformation"):
        torch.func.vmap(lambda at: rn.extract(at, V))(torch.ones((2, 4), dtype=torch.bool))
    with pytest.raises(rb.MixedEnginesError, match=r"rulebook\.rules\.numpy\.interp"):
        rb.derivative(lambda t: rn.interp(t, torch.tensor(NODES), HEIGHTS), engine="dual")(0.5)


# Values: the same as NumPy's.

SAME = {
    "average": ((B, 1, V), {}),
    "correlate": ((V, W[:3], "same"), {}),
    "cov": ((B,), {}),
    "diff": ((B, 2), {}),
    "gradient": ((V, NODES), {"edge_order": 2}),
    "interp": ((V * 3 - 1, NODES, HEIGHTS), {}),
    "median": ((B, 1), {}),
    "nanquantile": ((N, 0.3, 1), {}),
    "nanstd": ((N, 1), {}),
    "percentile": ((B, [10, 60], 0), {}),
    "poly": ((V,), {}),
    "polyfit": ((V, W, 2), {}),
    "polyint": ((V, 2), {}),
    "quantile": ((B, 0.3), {"method": "weibull"}),
    "trapezoid": ((B, V), {}),
    "unwrap": ((9 * V,), {}),
    "vander": ((V, 3), {}),
}


@pytest.mark.parametrize("name", SAME)
def test_values_are_those_of_numpy(name):
    args, options = SAME[name]
    np.testing.assert_allclose(getattr(rn, name)(*args, **options), getattr(np, name)(*args, **options), rtol=1e-12, atol=1e-12)


# Policies.


def gradients(f, x):
    """Of the sum, by both modes that are ours: reverse in autograd, forward in duals."""
    total = lambda x: rn.sum(f(x))
    return rb.grad(total, engine="autograd")(x), rb.grad(total, engine="dual")(x)


def both_are(f, x, expected):
    for found in gradients(f, np.asarray(x)):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_slopes_at_kinks_are_zero():
    both_are(rn.abs, [0.0, -1.0], [0, -1])
    both_are(rn.fabs, [0.0, -1.0], [0, -1])
    both_are(lambda x: rn.hypot(x, x), [0.0], [0])
    both_are(ln.vector_norm, [0.0, 0.0], [0, 0])
    both_are(lambda x: ln.vector_norm(x, ord=3), [0.0, 2.0], [0, 1])
    both_are(rn.std, [1.0, 1.0], [0, 0])


def test_ties_are_shared():
    both_are(rn.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5])
    both_are(lambda x: rn.maximum(x, x[::-1]), [2.0, 2.0], [1, 1])
    both_are(lambda x: rn.minimum(x, 2.0), [2.0, 1.0], [0.5, 1])
    both_are(rn.unique, [2.0, 2.0, 1.0], [0.5, 0.5, 1])


def test_a_product_with_zeros():
    both_are(rn.prod, [2.0, 0.0, 3.0], [0, 6, 0])
    both_are(rn.prod, [0.0, 0.0, 3.0], [0, 0, 0])
    both_are(rn.cumprod, [2.0, 0.0, 3.0], [1, 2 + 6, 0])
    assert rb.hessian(rn.prod, engine="autograd")(np.array([0.0, 0.0, 3.0]))[0, 1] == 3
    assert rb.hessian(lambda x: rn.cumprod(x)[2], engine="autograd")(np.array([2.0, 0.0, 0.0])).tolist() == [
        [0, 0, 0],
        [0, 0, 2],
        [0, 2, 0],
    ]


def test_powers_at_zero():
    both_are(lambda x: rn.power(x, 0.0), [0.0, 2.0], [0, 0])
    both_are(lambda x: rn.power(x, 1.0), [0.0, 2.0], [1, 1])
    both_are(lambda x: rn.power(0.0, x), [2.0], [0])


def test_sinc_at_zero_to_second_order():
    second = rb.derivative(rb.derivative(lambda x: rn.sinc(x), engine="dual"), engine="dual")(0.0)
    np.testing.assert_allclose(second, -(np.pi**2) / 3, rtol=1e-12)


def test_empty_arrays():
    for f in (rn.sum, rn.cumsum, rn.sort, rn.ravel, rn.prod, lambda x: rn.concatenate([x, x])):
        for found in gradients(f, np.zeros(0)):
            assert found.shape == (0,)


SAME_EIGENVALUES = np.diag([2.0, 2.0, 5.0])


def test_equal_eigenvalues():
    """Sums are right, vectors give NaN."""
    for f, a, expected in ((ln.eigvalsh, SAME_EIGENVALUES, np.eye(3)), (ln.svdvals, SAME_EIGENVALUES, np.eye(3))):
        both_are(f, a, expected)
    reverse, forward = gradients(lambda a: ln.eigh(a).eigenvectors, SAME_EIGENVALUES)
    assert np.isnan(reverse).any()
    assert np.isnan(forward).any()
    reverse, forward = gradients(lambda a: ln.svd(a).U, SAME_EIGENVALUES)
    assert np.isnan(reverse).any()
    assert np.isnan(forward).any()


def test_eigenvalues_that_are_equal_to_rounding():
    """Quotients of rounding errors would be finite numbers that mean nothing."""
    q = np.linalg.qr(A)[0]
    a = q @ SAME_EIGENVALUES @ q.T
    for fn in (lambda a: ln.eigh(a).eigenvectors, lambda a: ln.svd(a).U, lambda a: rn.real(ln.eig(a).eigenvectors)):
        for found in gradients(fn, a):
            assert np.isnan(found).any()
    for found in gradients(ln.eigvalsh, a):
        np.testing.assert_allclose(found + found.T, 2 * np.eye(3), atol=1e-12)


def test_vectors_that_do_not_count_leave_no_nan():
    """A function of the eigenvector of a simple eigenvalue, beside two that are equal."""
    found = rb.grad(lambda a: rn.sum(ln.eigh(a).eigenvectors[:, 2] ** 4), engine="autograd")(np.diag([2.0, 2.0, 5.0]))
    assert np.isfinite(found).all()


def test_determinant_of_a_singular_matrix():
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    both_are(ln.det, a, [[4, -2], [-2, 1]])


def test_only_the_triangle_that_is_read_has_a_derivative():
    a = np.array([[4.0, 9.0], [1.0, 3.0]])
    for f in (ln.cholesky, lambda a: ln.eigh(a).eigenvalues, ln.eigvalsh):
        for found in gradients(f, a):
            assert found[0, 1] == 0
    for found in gradients(lambda a: ln.cholesky(a, upper=True), np.array([[4.0, 1.0], [9.0, 3.0]])):
        assert found[1, 0] == 0


def test_what_is_determined_up_to_a_rotation_is_refused():
    with pytest.raises(rb.RuleMissingError, match="full_matrices=False"):
        rb.jvp(lambda a: ln.svd(a).U, (B,), (B,), engine="dual")
    with pytest.raises(rb.RuleMissingError, match="mode='reduced'"):
        rb.grad(lambda a: rn.sum(ln.qr(a, mode="complete").Q), engine="autograd")(B.T)
    both_are(lambda a: ln.svd(a, compute_uv=False), np.diag([2.0, 1.0]), np.eye(2))
    with pytest.raises(NotImplementedError, match="Householder"):
        ln.qr(A, mode="raw")
    with pytest.raises(NotImplementedError, match="use one of"):
        rn.pad(V, 1, "linear_ramp")
    with pytest.raises(NotImplementedError, match="use one of"):
        rn.quantile(V, 0.5, method="inverted_cdf")


def test_numpys_own_functions_meet_duals():
    """NumPy's signatures and results: options by position, real eigenvalues where they are."""
    d = lambda fn, *args: rb.jvp(fn, args, args, engine="dual")[1]
    assert d(lambda a: np.linalg.eig(a)[0], np.diag([1.0, 2.0])).dtype == float
    assert d(lambda a: np.linalg.eigvals(a), np.array([[0.0, 1.0], [-1.0, 0.0]])).dtype == complex
    np.testing.assert_allclose(d(lambda a: np.linalg.eigh(a, "U").eigenvalues, A), np.linalg.eigh(A, "U").eigenvalues)
    np.testing.assert_allclose(d(lambda a: np.linalg.svd(a, False).S, B), np.linalg.svd(B, False).S)
    np.testing.assert_allclose(d(lambda a: np.linalg.qr(a, "r"), A), np.linalg.qr(A, "r"))
    np.testing.assert_allclose(d(lambda a, b: np.linalg.lstsq(a, b)[0], B.T, V), 0, atol=1e-12)
    with pytest.raises(rb.RuleMissingError, match="hermitian=True"):
        d(lambda a: np.linalg.svd(a, hermitian=True), A)


@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_policies_where_other_engines_have_others(engine):
    pytest.importorskip(engine)
    slope = lambda f, *args, i=0: np.asarray(rb.grad(lambda *x: rn.sum(f(*x)), engine=engine, argnums=i)(*map(np.asarray, args)))
    assert slope(rn.abs, [0.0]) == 0
    assert slope(rn.fabs, [0.0]) == 0
    assert slope(rn.hypot, [0.0], [0.0]) == 0
    assert slope(rn.power, [0.0], [0.0]) == 0
    assert slope(rn.logaddexp, [-np.inf], [-np.inf], i=1) == 1
    assert slope(rn.std, [2.0, 2.0]).tolist() == [0, 0]
    assert slope(rn.prod, [2.0, 0.0]).tolist() == [0, 2]
    assert slope(rn.max, [2.0, 2.0]).tolist() == [0.5, 0.5]


def test_on_tensors_and_traced_arrays():
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    fn = lambda a: rn.sum(ln.qr(a).R ** 2) + rn.sum(rn.delete(a, obj=1)) + rn.sum(ln.eigh(a).eigenvectors[0])
    expected = rb.grad(fn, engine="autograd")(A)
    t = torch.tensor(A, requires_grad=True)
    fn(t).backward()
    np.testing.assert_allclose(t.grad, expected, atol=1e-10)
    np.testing.assert_allclose(jax.grad(fn)(A), expected, atol=1e-6)


@pytest.mark.parametrize("engine", ["autograd", "dual"])
def test_a_pseudoinverse_that_cuts_off_what_is_not_zero_has_no_derivative(engine):
    a, t = np.diag([3.0, 1.0, 0.1]) + 0.01, np.arange(9.0).reshape(3, 3)
    assert np.isnan(rb.jacobian(lambda a: ln.pinv(a, rcond=0.5), engine=engine)(a)).all()
    assert np.isnan(rb.jvp(lambda a: ln.pinv(a, rcond=0.5), (a,), (t,), engine=engine)[1]).all()


@pytest.mark.parametrize("engine", ["autograd", "dual"])
def test_least_squares_that_cut_off_what_is_not_zero_have_a_derivative_by_the_right_side_alone(engine):
    a, t = np.vstack([np.diag([3.0, 1.0, 0.1]) + 0.01, np.ones((1, 3))]), np.arange(12.0).reshape(4, 3)
    b, truncated = np.array([1.0, -2.0, 3.0, 0.5]), np.linalg.pinv(a, rcond=0.5)
    parts = (lambda a, b: ln.lstsq(a, b, rcond=0.5)[0], lambda a, b: rn.sum((b - a @ ln.lstsq(a, b, rcond=0.5)[0]) ** 2))
    for part in parts:
        assert np.isnan(rb.jacobian(lambda a, part=part: part(a, b), engine=engine)(a)).all()
        assert np.isnan(rb.jvp(lambda a, part=part: part(a, b), (a,), (t,), engine=engine)[1]).all()
    np.testing.assert_allclose(rb.jacobian(lambda b: parts[0](a, b), engine=engine)(b), truncated, atol=1e-12)
    both = rb.jvp(parts[0], (a, b), (0 * a, b), engine=engine)[1]  # a does not move
    np.testing.assert_allclose(both, truncated @ b, atol=1e-12)
    values = lambda a: ln.lstsq(a, b, rcond=0.5)[3]
    np.testing.assert_allclose(rb.jacobian(values, engine=engine)(a), rb.jacobian(ln.svdvals, engine=engine)(a), atol=1e-12)


@pytest.mark.parametrize("engine", ["autograd", "dual"])
def test_a_hermitian_pseudoinverse_reads_one_triangle(engine):
    a, t = np.diag([3.0, 1.0, 0.1]) + 0.01, np.arange(9.0).reshape(3, 3) / 100
    f = lambda a: ln.pinv(a, hermitian=True)
    expected = (np.linalg.pinv(a + 1e-6 * t, hermitian=True) - np.linalg.pinv(a - 1e-6 * t, hermitian=True)) / 2e-6
    np.testing.assert_allclose(rb.jvp(f, (a,), (t,), engine=engine)[1], expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(np.tensordot(rb.jacobian(f, engine=engine)(a), t, 2), expected, rtol=1e-6, atol=1e-7)

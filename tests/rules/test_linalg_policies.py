"""Derivatives of rulebook.rules.linalg where they are special: equal eigenvalues, deficient rank, triangles, phases, singular matrices."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.linalg

import rulebook as rb
from rulebook.rules import linalg
from rulebook.rules.linalg import _cases
from tests.rules.engines import ENGINES, differentiate

engines = pytest.mark.parametrize("engine", ENGINES)


def rng(seed=0):
    return np.random.default_rng(seed)


def grad(f, a, engine="dual"):
    return np.asarray(rb.grad(f, engine=engine)(a))


def push(f, a, d):
    return rb.jvp(f, (a,), (d,), engine="dual")[1]


def moved(a, t, d):
    xp = rb.xp(t)
    return xp.asarray(a) + t * xp.asarray(d)


def differences(f, a, d, step=1e-5):
    return (np.asarray(f(a + step * d)) - np.asarray(f(a - step * d))) / (2 * step)


# -- triangles -----------------------------------------------------------------------------------------

READERS = {
    "cholesky": lambda a, lower: linalg.cholesky(a, lower=lower),
    "cho_factor": lambda a, lower: linalg.cholesky(linalg.cho_factor(a, lower=lower)[0], lower=lower),
    "solve": lambda a, lower: linalg.solve(a, np.ones(3), assume_a="pos", lower=lower),
    "inv": lambda a, lower: linalg.inv(a, assume_a="sym", lower=lower),
    "eigvalsh": lambda a, lower: linalg.eigvalsh(a, lower=lower),
    "ldl": lambda a, lower: linalg.ldl(a, lower=lower)[1],
    "solve_triangular": lambda a, lower: linalg.solve_triangular(a, np.ones(3), lower=lower),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("lower", [True, False])
def test_what_is_not_read_has_no_cotangent(name, lower):
    a = _cases.positive(rng(), 3, 3)
    for engine in ("dual", "autograd") if "autograd" in ENGINES else ("dual",):
        found = grad(lambda a: rb.xp(a).sum(READERS[name](a, lower) * 1.5), a, engine)
        other = np.triu(found, 1) if lower else np.tril(found, -1)
        assert not other.any()
        assert np.abs(found).sum() > 0.1


# -- equal eigenvalues and singular values -------------------------------------------------------------


def equal_pair(seed=1):
    q, _ = np.linalg.qr(rng(seed).normal(size=(3, 3)))
    a = (q * [1.0, 1.0, 3.0]) @ q.T
    return (a + a.T) / 2


@engines
def test_sums_of_equal_eigenvalues_have_a_derivative(engine):
    a = equal_pair()
    found = grad(lambda a: rb.xp(a).sum(linalg.eigvalsh(a)[:2] ** 3), a, engine)
    _w, v = np.linalg.eigh(a)
    expected = 3 * v[:, :2] @ v[:, :2].T
    np.testing.assert_allclose(found + found.T, 2 * expected, atol=1e-10)
    singular = grad(lambda a: rb.xp(a).sum(linalg.svdvals(a)), a, engine)
    np.testing.assert_allclose(singular, np.eye(3), atol=1e-10)


def test_vectors_of_equal_eigenvalues_are_nan():
    a, d = equal_pair(), rng().normal(size=(3, 3))
    d = d + d.T
    vectors = push(lambda a: linalg.eigh(a)[1], a, d)
    assert np.isnan(vectors[:, :2]).all()
    assert np.isnan(grad(lambda a: np.sum(linalg.eigh(a)[1][:, 0]), a)).any()
    assert np.isnan(push(lambda a: linalg.svd(a)[0], a, d)).any()
    pencil = push(lambda a: linalg.eigh(a, np.eye(3))[1], a, d)
    assert np.isnan(pencil[:, :2]).all()
    values = push(lambda a: linalg.eigh(a)[0], a, d)
    assert np.isfinite(values).all()


def test_functions_of_a_matrix_with_equal_eigenvalues_and_of_a_defective_one():
    block = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    for a in (equal_pair(), block):
        d = rng().normal(size=(3, 3))
        for name in ("expm", "logm", "sqrtm", "sinm", "cosm", "sinhm", "coshm", "tanhm", "signm"):
            f = getattr(linalg, name)
            np.testing.assert_allclose(push(f, a, d), differences(f, a, d), atol=2e-8, err_msg=name)
        half = lambda a: linalg.fractional_matrix_power(a, 0.5)
        np.testing.assert_allclose(push(half, a, d), push(linalg.sqrtm, a, d), atol=1e-10)
    equal = equal_pair()
    np.testing.assert_allclose(push(lambda a: linalg.funm(a, np.exp), equal, d), push(linalg.expm, equal, d), atol=1e-9)
    with pytest.raises(np.linalg.LinAlgError, match="A is defective, or nearly so"):
        push(lambda a: linalg.funm(a, np.exp), block, d)


@pytest.mark.parametrize("name", ["logm", "sqrtm"])
def test_real_matrices_without_a_real_function(name):
    """Eigenvalues on the branch cut: SciPy's value is complex, and so is the derivative, in both directions."""
    f, a, d, w = getattr(linalg, name), np.array([[-2.0, 0.3], [0.1, 1.5]]), rng().normal(size=(2, 2)), rng(1).normal(size=(2, 2))
    np.testing.assert_allclose(push(f, a, d), differences(f, a, d), atol=1e-8)
    slope = np.sum(w * differences(lambda a: np.imag(f(a)), a, d))
    assert np.sum(grad(lambda a: np.sum(w * np.imag(f(a))), a) * d) == pytest.approx(slope, abs=1e-8)


# -- phases --------------------------------------------------------------------------------------------


def test_complex_vectors_have_the_phases_of_lapack():
    generator = rng(5)
    h, d = _cases.hermitian(generator, 4, 4, dtype=complex), _cases.hermitian(generator, 4, 4, dtype=complex)
    for lower in (True, False):
        f = lambda a, lower=lower: linalg.eigh(a, lower=lower, driver="ev")[1]  # others turn signs between neighbours
        np.testing.assert_allclose(push(f, h, d), differences(f, h, d), atol=1e-8)
    for shape in ((4, 3), (3, 4)):
        a, d = _cases._spread(generator, *shape, dtype=complex), _cases.normal(generator, *shape, dtype=complex)
        for i in (0, 2):
            f = lambda a, i=i: linalg.svd(a, full_matrices=False)[i]
            np.testing.assert_allclose(push(f, a, d), differences(f, a, d), atol=1e-7)
    a = _cases._turning(generator)
    for i in (1, 2):
        f = lambda a, i=i: linalg.eig(a, left=True)[i]
        np.testing.assert_allclose(push(f, a, d[:3, :3].real), differences(f, a, d[:3, :3].real), atol=1e-7)


def test_phases_that_lapack_leaves_open_are_nan():
    a = _cases._spectral(rng(2), 3, 3, dtype=complex)
    t_dot = push(lambda a: linalg.schur(a, output="complex")[0], a, np.ones((3, 3)) + 0j)
    assert np.isnan(t_dot[0, 1]) and np.isfinite(np.diagonal(t_dot)).all()
    projector = lambda a: (lambda z: np.abs(np.vdot(np.ones(3), z[:, 0])) ** 2)(linalg.schur(a, output="complex")[1])
    if "autograd" in ENGINES:
        anp = pytest.importorskip("autograd.numpy")
        one = lambda x: anp.real(anp.sum(x[:, 0]) * anp.conj(anp.sum(x[:, 0])))
        found = grad(lambda s: one(linalg.schur(a + s, output="complex")[1]), np.zeros((3, 3)), "autograd")
        d = rng(3).normal(size=(3, 3))
        assert np.sum(found * d) == pytest.approx(float(differences(projector, a, d)), abs=1e-8)
        dependent = grad(lambda s: anp.sum(anp.real(linalg.schur(a + s, output="complex")[1])), np.zeros((3, 3)), "autograd")
        assert np.isnan(dependent).all()


# -- what has no rule ----------------------------------------------------------------------------------


def test_what_is_not_determined_raises():
    generator = rng(4)
    tall, d = generator.normal(size=(4, 2)), generator.normal(size=(4, 2))
    with pytest.raises(rb.RuleMissingError, match="pass mode='economic'"):
        push(lambda a: linalg.qr(a)[0], tall, d)
    with pytest.raises(rb.RuleMissingError, match="full_matrices=False"):
        push(lambda a: linalg.svd(a)[0], tall, d)
    pencil = generator.normal(size=(3, 3)), np.eye(3)
    with pytest.raises(rb.RuleMissingError, match="the eigenvectors of a pencil have no rule"):
        push(lambda a: linalg.eig(a, pencil[1])[1], pencil[0], np.ones((3, 3)))
    with pytest.raises(NotImplementedError, match="the real form of complex eigenvalues; pass output='complex'"):
        push(lambda a: linalg.schur(a)[0], np.array([[0.0, 1.0], [-1.0, 0.0]]), np.ones((2, 2)))
    if "autograd" in ENGINES:  # reverse mode: R alone of the full form has a derivative
        anp = pytest.importorskip("autograd.numpy")
        found = grad(lambda a: anp.sum(linalg.qr(a)[1]), tall, "autograd")
        thin = grad(lambda a: anp.sum(linalg.qr(a, mode="economic")[1]), tall, "autograd")
        np.testing.assert_allclose(found, thin, atol=1e-12)


def test_the_pseudoinverse_of_deficient_rank():
    generator = rng(6)
    a, d = generator.normal(size=(4, 2)) @ generator.normal(size=(2, 3)), generator.normal(size=(4, 3))
    u, _, vh = np.linalg.svd(a)
    outside = u[:, 2:] @ u[:, 2:].T @ d @ vh[2:].T @ vh[2:]
    f = lambda a: linalg.pinv(a, rtol=1e-9)
    y_dot = push(f, a, d)
    np.testing.assert_allclose(y_dot, push(f, a, d - outside), atol=1e-10)  # what changes the rank has no part
    b = generator.normal(size=4)
    x_dot = push(lambda a: linalg.lstsq(a, b, cond=1e-9)[0], a, d)
    np.testing.assert_allclose(x_dot, y_dot @ b, atol=1e-9)
    left, x = linalg.lstsq(a, b, cond=1e-9)[1], linalg.lstsq(a, b, cond=1e-9)[0]
    assert left == pytest.approx(np.sum((b - a @ x) ** 2))  # SciPy gives none for a deficient rank
    with pytest.raises(np.linalg.LinAlgError, match="singular values are cut off that are not zero"):
        push(lambda a: linalg.pinv(a, rtol=0.9), np.diag([1.0, 0.5]), np.ones((2, 2)))


@engines
def test_a_singular_matrix_has_a_determinant_with_derivatives(engine):
    a = np.array([[1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [0.0, 1.0, 3.0]])
    d = rng(7).normal(size=(3, 3))
    along = lambda t: linalg.det(moved(a, t, d))
    coefficients = np.polynomial.polynomial.polyfit(np.linspace(-1, 1, 9), [np.linalg.det(a + t * d) for t in np.linspace(-1, 1, 9)], 3)
    for mode, order in (("f", 1), ("r", 1), ("rf", 2)):
        assert differentiate(engine, along, mode) == pytest.approx(coefficients[order] * order, rel=1e-9), mode
    if engine == "dual":
        with pytest.raises(np.linalg.LinAlgError, match="the first and second derivative of its determinant only"):
            differentiate(engine, along, "fff")


# -- one factorisation ---------------------------------------------------------------------------------


def test_many_tangents_take_one_factorisation(monkeypatch):
    """A system with k tangents of the matrix and of b."""
    generator = rng(8)
    a, da, db = _cases.regular(generator, 5, 5), generator.normal(size=(7, 5, 5)), generator.normal(size=(7, 5))
    calls, get = [], scipy.linalg.lapack.get_lapack_funcs

    def counted(names, *args, **options):
        found = get(names, *args, **options)
        return [(lambda *a, f=f, **o: calls.append(n) or f(*a, **o)) if n == "getrf" else f for n, f in zip(names, found, strict=True)]

    monkeypatch.setattr(scipy.linalg.lapack, "get_lapack_funcs", counted)
    monkeypatch.setattr(np.linalg, "solve", lambda *_: pytest.fail("another factorisation"))
    f = lambda s: linalg.solve(a + np.tensordot(s, da, 1), np.tensordot(s, db, 1) + 1.0)
    x_dot = rb.jacobian(f, engine="dual")(np.zeros(7))
    assert len(calls) == 1
    x = scipy.linalg.solve(a, np.ones(5))
    expected = scipy.linalg.solve(a, (db - da @ x).T)
    np.testing.assert_allclose(x_dot, expected, atol=1e-12)


def test_given_factors_serve_all_tangents():
    generator = rng(9)
    a = _cases.positive(generator, 4, 4)
    db = generator.normal(size=(6, 4))
    lu, cho = linalg.lu_factor(a), linalg.cho_factor(a)
    for solver in (lambda b: linalg.lu_solve(lu, b), lambda b: linalg.cho_solve(cho, b)):
        found = rb.jacobian(lambda s: solver(np.tensordot(s, db, 1) + 1.0), engine="dual")(np.zeros(6))
        np.testing.assert_allclose(found, np.linalg.solve(a, db.T), atol=1e-12)
    for trans in (0, 1, 2):  # and factors that have tangents themselves
        general, d = _cases.regular(generator, 3, 3, dtype=complex), _cases.normal(generator, 3, 3, dtype=complex)
        f = lambda a, trans=trans: linalg.lu_solve(linalg.lu_factor(a), np.ones(3), trans=trans)
        np.testing.assert_allclose(push(f, general, d), differences(f, general, d), atol=1e-7)


# -- every engine, second order --------------------------------------------------------------------------

PATHS = {
    "solve": lambda a: linalg.solve(a, np.ones(3)),
    "lu": lambda a: linalg.lu(a)[1] @ linalg.lu(a)[2] @ linalg.lu(a)[1],
    "factored": lambda a: linalg.lu_solve(linalg.lu_factor(a), np.ones(3)),
    "cholesky": lambda a: linalg.cholesky(a),
    "eig": lambda a: linalg.eigvalsh(a + rb.xp(a).moveaxis(a, 0, 1)),
    "polar": lambda a: linalg.polar(a)[0],
    "logm": lambda a: linalg.logm(a),
}


# autograd cannot differentiate a pair with integers in it twice: it raises.
TWICE = [(engine, name) for engine in ENGINES for name in PATHS if (engine, name) != ("autograd", "factored")]


@pytest.mark.parametrize(("engine", "name"), TWICE)
def test_second_derivatives(engine, name):
    a, d = _cases._right_half(rng(10), 3, 3), rng(11).normal(size=(3, 3)) / 3
    weights = np.arange(1.0, 10.0)

    def along(t):
        y = PATHS[name](moved(a, t, d))
        xp = rb.xp(y)
        return xp.sum(xp.reshape(y, (-1,)) * xp.asarray(weights[: int(np.prod(y.shape))]))

    step = 1e-3
    expected = (-along(2 * step) + 16 * along(step) - 30 * along(0.0) + 16 * along(-step) - along(-2 * step)) / (12 * step**2)
    for mode in ("rf",) if engine == "jax" else ("rf", "fr"):
        assert differentiate(engine, along, mode) == pytest.approx(expected, rel=1e-5), mode


def test_factors_with_integers_beside_them_to_second_order():
    """In autograd a tuple is one box, with an integer array in it that has no derivative."""
    pytest.importorskip("autograd")
    a, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.ones(2)
    by_factors = lambda a: rb.xp(a).sum(linalg.lu_solve(linalg.lu_factor(a), b) ** 2)
    at_once = lambda a: rb.xp(a).sum(linalg.solve(a, b) ** 2)
    np.testing.assert_allclose(rb.hessian(by_factors, engine="autograd")(a), rb.hessian(at_once, engine="dual")(a), rtol=1e-12, atol=1e-14)

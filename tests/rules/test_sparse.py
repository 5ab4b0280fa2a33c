"""Sparse matrices: SciPy's numbers, patterns kept, one factorisation, derivatives of both orders in every engine, bad input."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as sl

import rulebook as rb
from rulebook.implicit.failures import NotConvergedError
from rulebook.rules import sparse
from rulebook.rules.sparse import _exponential
from rulebook.rules.sparse._matrix import as_sparse
from tests.rules.engines import ENGINES, differentiate

RNG = np.random.default_rng(0)
A = sp.random_array((5, 4), density=0.5, rng=RNG, format="csr")
B = sp.random_array((4, 6), density=0.5, rng=RNG, format="csr")
C = sp.random_array((5, 4), density=0.4, rng=RNG, format="csr")
x, y, X = RNG.normal(size=4), RNG.normal(size=5), RNG.normal(size=(4, 3))
SQUARE = sp.random_array((6, 6), density=0.3, rng=RNG, format="csr") + 3 * sp.eye_array(6, format="csr")
DEFINITE = SQUARE @ SQUARE.T
RIGHT = RNG.normal(size=6)
light = pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("autograd", "dual")])
heavy = pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("jax", "torch")])


def dense(value):
    return value.toarray() if hasattr(value, "toarray") else np.asarray(value)


# -- what a matrix does ------------------------------------------------------------------------------------

OPERATIONS = {
    "times a vector": lambda s, a, b, c: a @ x,
    "times a matrix": lambda s, a, b, c: a @ X,
    "from the left": lambda s, a, b, c: y @ a,
    "product": lambda s, a, b, c: a @ b,
    "sum": lambda s, a, b, c: a + c,
    "difference": lambda s, a, b, c: a - c,
    "transpose": lambda s, a, b, c: 2 * a.T / 3,
    "product of entries": lambda s, a, b, c: a.multiply(c),
    "with an array": lambda s, a, b, c: a.multiply(np.outer(y, x)),
    "columns": lambda s, a, b, c: a.sum(axis=0),
    "rows": lambda s, a, b, c: a.sum(axis=1),
    "all": lambda s, a, b, c: a.sum(),
    "diagonal": lambda s, a, b, c: a.diagonal(-1),
    "trace": lambda s, a, b, c: a.trace(1),
    "kron": lambda s, a, b, c: s.kron(a, b),
    "hstack": lambda s, a, b, c: s.hstack([a, c]),
    "vstack": lambda s, a, b, c: s.vstack([a, c]),
    "block_array": lambda s, a, b, c: s.block_array([[a, None], [None, b]]),
    "of csr": lambda s, a, b, c: s.csr_array((a.data, A.indices, A.indptr), shape=A.shape),
    "of csc": lambda s, a, b, c: s.csc_array((a.data, A.indices, A.indptr), shape=A.shape[::-1]),
    "of coo": lambda s, a, b, c: s.coo_array((a.data[:4], ([0, 1, 1, 4], [1, 2, 2, 3]))),
    "of bsr": lambda s, a, b, c: s.bsr_array((a.data[:8].reshape((2, 2, 2)), [0, 1], [0, 1, 2])),
    "of dia": lambda s, a, b, c: s.dia_array((a.data[:8].reshape((2, 4)), [0, -1]), shape=(4, 5)),
    "of diags": lambda s, a, b, c: s.diags_array([a.data[:3], a.data[:2]], offsets=[0, -1]),
}
operations = pytest.mark.parametrize("name", OPERATIONS)


@operations
def test_operations(name):
    expected = OPERATIONS[name](sp, A, B, C)
    np.testing.assert_allclose(dense(OPERATIONS[name](sparse, *map(as_sparse, (A, B, C)))), dense(expected), atol=1e-15)


def weighted(value):
    """A smooth number of a matrix or an array."""
    data = value.toarray() if isinstance(value, sparse.SparseMatrix) else value
    xp = rb.xp(data)
    return xp.sum(xp.sin(data) * xp.asarray(np.cos(np.arange(float(np.prod(data.shape)))).reshape(tuple(data.shape))))


def moving(of, *matrices):
    """A function of a number that the entries of all matrices depend on."""
    along = [np.random.default_rng(i).normal(size=m.nnz) for i, m in enumerate(matrices)]
    return lambda t: of(*[m.with_data(rb.xp(t).asarray(m.data) + t * rb.xp(t).asarray(d)) for m, d in zip(matrices, along, strict=True)])


def extrapolated(estimate, h):
    table = [estimate(h / 2**i) for i in range(4)]
    for k in range(1, 4):
        table = [(4**k * b - a) / (4**k - 1) for a, b in itertools.pairwise(table)]
    return table[-1]


def assert_derivatives(value, engine, modes=("f", "r", "rf"), rel=1e-6):
    first = extrapolated(lambda h: (value(h) - value(-h)) / (2 * h), 0.02)
    second = extrapolated(lambda h: (value(h) - 2 * value(0.0) + value(-h)) / h**2, 0.05)
    for mode in modes:
        expected = first if len(mode) == 1 else second
        assert differentiate(engine, value, mode) == pytest.approx(expected, rel=rel, abs=rel), mode


@light
@operations
def test_derivatives_of_operations(name, engine):
    matrices = list(map(as_sparse, (A, B, C)))
    assert_derivatives(moving(lambda *m: weighted(OPERATIONS[name](sparse, *m)), *matrices), engine)


BESIDE_NUMPY = {
    "a number": lambda a, v: (a * v[0]).data,
    "a quotient": lambda a, v: (a / v[0]).data,
    "an array": lambda a, v: a.multiply(v).data,
    "a matrix of SciPy's": lambda a, v: sparse.kron(C, a * v[1]).data,
    "more rows": lambda a, v: sparse.lsqr(a, RIGHT, damp=v[0], atol=1e-13, btol=1e-13)[0],
    "a system": lambda a, v: sparse.spsolve(a, v),
}


@pytest.mark.parametrize("name", BESIDE_NUMPY)
def test_one_tensor_beside_numpy_arrays(name):
    torch = pytest.importorskip("torch")
    a = as_sparse(DEFINITE)
    f = lambda data, v: rb.xp(data, v).sum(BESIDE_NUMPY[name](a.with_data(data), v) ** 2)
    values = (a.data, RIGHT)
    for i in (0, 1):
        expected = rb.grad(f, argnums=i, engine="dual")(*values)
        g = lambda x, i=i: f(*values[:i], x, *values[i + 1 :])
        x = torch.tensor(values[i].copy(), requires_grad=True)
        np.testing.assert_allclose(torch.autograd.grad(g(x), x)[0], expected, rtol=1e-6, atol=1e-8)
        moved = torch.func.jvp(g, (x.detach(),), (torch.ones_like(x),))[1]
        np.testing.assert_allclose(moved, expected.sum(), rtol=1e-6, atol=1e-8)


@heavy
@pytest.mark.parametrize("name", ["times a matrix", "product"])
def test_second_order_of_operations_in_compiled_engines(name, engine):
    value = moving(lambda *m: weighted(OPERATIONS[name](sparse, *m)), *map(as_sparse, (A, B, C)))
    assert differentiate(engine, value, "rf") == pytest.approx(differentiate("dual", value, "rf"), rel=1e-4)


def test_find_and_what_a_matrix_tells():
    a = as_sparse(A)
    rows, cols, values = sparse.find(a)
    np.testing.assert_array_equal(sp.coo_array((values, (rows, cols)), shape=A.shape).toarray(), A.toarray())
    assert (a.shape, a.nnz, a.ndim, a.dtype) == (A.shape, A.nnz, 2, np.float64)
    assert repr(a) == "<sparse matrix, 5 x 4, 10 entries, dtype float64>"
    assert (a.toscipy() != A).nnz == 0
    other = pickle.loads(pickle.dumps(a))
    assert other.pattern == a.pattern and hash(other.pattern) == hash(a.pattern)
    assert as_sparse(C).pattern != a.pattern


def test_zero_rows_and_no_entries():
    empty = sparse.csr_array((3, 2))
    np.testing.assert_array_equal(empty @ np.ones(2), np.zeros(3))
    assert (empty.T @ empty).nnz == 0 and sparse.kron(empty, as_sparse(A)).shape == (15, 8)
    assert sparse.csr_array(np.array([[0.0, 2.0], [0.0, 0.0]])).nnz == 1


@pytest.mark.skipif("jax" not in ENGINES, reason="jax is not installed")
def test_jax_takes_a_matrix_as_an_argument_and_gives_one_as_a_gradient():
    import jax
    import jax.numpy as jnp

    a = as_sparse(A.astype(np.float32))
    gradient = jax.jit(jax.grad(lambda m: jnp.sum((m @ x.astype(np.float32)) ** 2)))(a)
    assert isinstance(gradient, sparse.SparseMatrix) and gradient.pattern == a.pattern and gradient.dtype == np.float32
    np.testing.assert_allclose(gradient.data, (2 * np.outer(A @ x, x))[a.pattern.rows, a.pattern.cols], rtol=1e-5)


# -- nothing is filled in ----------------------------------------------------------------------------------


def laplacian(n):
    off = -np.ones(n - 1)
    return sparse.diags_array([np.full(n, 2.5), off, off], offsets=[0, 1, -1])


@pytest.mark.parametrize("engine", [e for e in ENGINES if e in ("autograd", "torch")])
def test_cotangents_of_large_matrices_have_the_size_of_the_entries(engine):
    """A dense cotangent at n = 20000 has 3.2 GB."""
    n = 20_000
    a, b = laplacian(n), np.linspace(1.0, 2.0, n)

    def loss(data):
        m = a.with_data(data)
        solution = sparse.spsolve(m, rb.xp(data).asarray(b)) + m @ rb.xp(data).asarray(b)
        return rb.xp(data).sum(solution * solution)

    rb.grad(loss, engine=engine)(a.data)  # what is made once
    tracemalloc.start()
    gradient = rb.grad(loss, engine=engine)(a.data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert gradient.shape == (a.nnz,) == (3 * n - 2,)
    assert peak < 100 * a.nnz * 8
    step = np.cos(np.arange(a.nnz))
    assert gradient @ step == pytest.approx(rb.jvp(loss, (a.data,), (step,), engine="dual")[1], rel=1e-9)


# -- systems -----------------------------------------------------------------------------------------------


@pytest.fixture
def factored(monkeypatch):
    """How many LU factorisations there were."""
    sparse.forget()
    count = []
    splu = sl.splu
    monkeypatch.setattr(sl, "splu", lambda *args, **options: count.append(1) or splu(*args, **options))
    return count


SOLVERS = {
    "spsolve": lambda m, b: sparse.spsolve(m, b),
    "splu, transposed": lambda m, b: sparse.splu(m).solve(b, "T"),
    "factorized": lambda m, b: sparse.factorized(m)(b),
    "cg": lambda m, b: sparse.cg(m @ m.T, b, rtol=1e-13)[0],
    "gmres": lambda m, b: sparse.gmres(m, b, rtol=1e-13)[0],
    "bicgstab": lambda m, b: sparse.bicgstab(m, b, rtol=1e-13)[0],
    "lsqr": lambda m, b: sparse.lsqr(sparse.vstack([m, 2 * m]), rb.xp(b).concatenate([b, 0.5 * b]), atol=1e-15, btol=1e-15)[0],
    "lsmr, short and wide": lambda m, b: sparse.lsmr(sparse.hstack([m, m.T]), b, atol=1e-15, btol=1e-15, conlim=0.0)[0],
    "lsqr, damped": lambda m, b: sparse.lsqr(m, b, damp=0.5, atol=1e-15, btol=1e-15)[0],
}
solvers = pytest.mark.parametrize("name", SOLVERS)


@solvers
def test_solutions(name):
    m, theirs = as_sparse(SQUARE), SQUARE.toarray()
    wide = np.hstack([theirs, theirs.T])
    expected = {
        "splu, transposed": lambda: np.linalg.solve(theirs.T, RIGHT),
        "cg": lambda: np.linalg.solve(theirs @ theirs.T, RIGHT),
        "lsqr": lambda: np.linalg.lstsq(np.vstack([theirs, 2 * theirs]), np.concatenate([RIGHT, RIGHT / 2]))[0],
        "lsmr, short and wide": lambda: np.linalg.pinv(wide) @ RIGHT,
        "lsqr, damped": lambda: sl.lsqr(SQUARE, RIGHT, damp=0.5, atol=1e-15, btol=1e-15)[0],
    }.get(name, lambda: sl.spsolve(SQUARE.tocsc(), RIGHT))()
    np.testing.assert_allclose(SOLVERS[name](m, RIGHT), expected, atol=1e-9)


@light
@solvers
def test_derivatives_of_solutions(name, engine):
    b = lambda m: rb.xp(m.data).asarray(RIGHT) * (1 + m.data[0])
    assert_derivatives(moving(lambda m: weighted(SOLVERS[name](m, b(m))), as_sparse(SQUARE)), engine, rel=1e-5)


@heavy
@pytest.mark.parametrize("name", ["spsolve", "gmres"])
def test_second_order_of_solutions_in_compiled_engines(name, engine):
    value = moving(lambda m: weighted(SOLVERS[name](m, rb.xp(m.data).asarray(RIGHT))), as_sparse(SQUARE))
    assert differentiate(engine, value, "rf") == pytest.approx(differentiate("dual", value, "rf"), rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_factorisation_for_value_gradient_and_hessian(engine, factored):
    n = 12
    scale = {"jax": 1.1, "torch": 1.2, "autograd": 1.3, "dual": 1.4}[engine]

    def loss(d):
        return rb.xp(d).sum(sparse.spsolve(sparse.diags_array([d, d[1:] * 0.3], offsets=[0, 1]), d**2) ** 2)

    d = np.linspace(1.0, 2.0, n) * scale
    rb.value_and_grad(loss, engine=engine)(d)
    rb.jvp(loss, (d,), (np.ones(n),), engine=engine)
    if engine != "jax":
        rb.hessian(loss, engine=engine)(d)
    assert len(factored) == 1


def test_other_entries_never_meet_an_old_factor(factored):
    a, b = laplacian(5), np.ones(5)
    for k in range(12):  # more than are kept
        data = a.data.copy()
        data[4] = np.nextafter(2.5, 3) if k == 1 else 2.5 + k
        np.testing.assert_allclose(a.with_data(data).toarray() @ sparse.spsolve(a.with_data(data), b), b)
    assert len(factored) == 12
    data[0] = 7.0  # the same array with another entry
    np.testing.assert_allclose(a.with_data(data).toarray() @ sparse.spsolve(a.with_data(data), b), b)
    assert len(factored) == 13
    single = sparse.spsolve(a.with_data(data.astype(np.float32)), b.astype(np.float32))
    assert single.dtype == np.float32 and len(factored) == 14


def test_k_tangents_are_one_solve(factored):
    a = laplacian(30)
    jacobian = rb.jacobian(lambda data: sparse.spsolve(a.with_data(data), np.ones(30)), engine="dual")(a.data)
    assert jacobian.shape == (30, a.nnz) and len(factored) == 1
    inverse = np.linalg.inv(a.toarray())
    np.testing.assert_allclose(jacobian, -inverse[:, a.pattern.rows] * (inverse @ np.ones(30))[a.pattern.cols], atol=1e-12)


def test_complex_systems_and_many_right_hand_sides():
    m = as_sparse(SQUARE).with_data(as_sparse(SQUARE).data * (1 + 0.5j))
    b = RNG.normal(size=(6, 3))
    for trans, matrix in (("N", m.toarray()), ("T", m.toarray().T), ("H", m.toarray().conj().T)):
        np.testing.assert_allclose(matrix @ sparse.splu(m).solve(b, trans), b, atol=1e-12)
    np.testing.assert_allclose(SQUARE @ sparse.spsolve(SQUARE, 1j * b), 1j * b, atol=1e-12)


def test_a_preconditioner_and_a_start_change_no_derivative():
    m = as_sparse(DEFINITE)
    preconditioner = sl.LinearOperator((6, 6), lambda v: v / DEFINITE.diagonal())
    plain = rb.grad(lambda data: np.sum(sparse.spsolve(m.with_data(data), RIGHT)), engine="dual")(m.data)
    for options in ({"M": preconditioner}, {"x0": np.ones(6)}):
        f = lambda data, options=options: np.sum(sparse.cg(m.with_data(data), RIGHT, rtol=1e-13, **options)[0])
        np.testing.assert_allclose(rb.grad(f, engine="dual")(m.data), plain, rtol=1e-8, atol=1e-10)


def test_a_derivative_that_does_not_converge_raises():
    a = laplacian(50)
    assert sparse.cg(a, np.ones(50), maxiter=2, rtol=1e-12)[1] == 2
    options = {"rtol": 1e-12, "restart": 2, "maxiter": 2}
    with pytest.raises(NotConvergedError, match=r"A derivative of gmres\.[\s\S]*raise maxiter"):
        rb.derivative(lambda t: np.sum(sparse.gmres(a * t, np.ones(50), **options)[0] ** 2), engine="dual")(1.0)


# -- eigenvalues -------------------------------------------------------------------------------------------

HERMITIAN = sp.csr_array(np.diag([1.0, 2.0, 4.0, 7.0, 11.0]) + np.diag([0.3, 0.2, 0.5, 0.4], 1) + np.diag([0.3, 0.2, 0.5, 0.4], -1))


def hermitian(data):
    """The matrix with the entries of an upper triangle."""
    m = as_sparse(HERMITIAN)
    upper = m.with_data(data * rb.xp(data).asarray((m.pattern.rows <= m.pattern.cols) * 1.0))
    return upper + upper.T


@pytest.mark.parametrize("engine", ENGINES)
def test_eigenvalues_and_vectors(engine):
    m = as_sparse(HERMITIAN)

    def value(t):
        w, v = sparse.eigsh(hermitian(rb.xp(t).asarray(m.data) + t * rb.xp(t).asarray(np.cos(np.arange(float(m.nnz))))), k=2, which="LA")
        return weighted(w) + weighted(v)

    if engine in ("autograd", "dual"):
        assert_derivatives(value, engine, rel=1e-5)
    else:
        mode = "rj" if engine == "jax" else "rf"
        assert differentiate(engine, value, mode) == pytest.approx(differentiate("dual", value, mode.removesuffix("j")), rel=1e-3)


def test_the_numbers_of_eigsh_and_svds():
    np.testing.assert_allclose(sparse.eigsh(HERMITIAN, 2, return_eigenvectors=False), np.linalg.eigvalsh(HERMITIAN.toarray())[-2:])
    w, v = sparse.eigsh(HERMITIAN, 1, sigma=2.1)
    np.testing.assert_allclose(HERMITIAN @ v, w * v, atol=1e-12)
    a = sp.random_array((9, 6), density=0.5, rng=np.random.default_rng(0))
    u, s, vh = sparse.svds(a, k=2)
    expected = sl.svds(a, k=2)
    np.testing.assert_allclose(s, expected[1])
    np.testing.assert_allclose((u * s) @ vh, (expected[0] * expected[1]) @ expected[2], atol=1e-12)
    unitary = as_sparse(HERMITIAN) * (1 + 0j)
    np.testing.assert_allclose(sparse.eigsh(unitary, 1)[0], np.linalg.eigvalsh(HERMITIAN.toarray())[-1:])


@light
def test_singular_values_and_vectors(engine):
    a = as_sparse(sp.random_array((6, 4), density=0.7, rng=np.random.default_rng(1)))

    def projector(m):
        u, s, vh = sparse.svds(m, k=2)
        return weighted(s) + weighted(u @ vh)

    assert_derivatives(moving(projector, a), engine, rel=1e-5)


def test_degenerate_eigenvalues():
    """The sum of equal eigenvalues has a derivative; their vectors have none, and get no number."""
    a = sparse.diags_array(np.array([1.0, 3.0, 3.0, 2.0]))
    total = lambda d: rb.xp(d).sum(sparse.eigsh(a.with_data(d), 2, which="LA", return_eigenvectors=False))
    if "autograd" in ENGINES:
        np.testing.assert_allclose(rb.grad(total, engine="autograd")(a.data), [0.0, 1.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(rb.grad(total, engine="dual")(a.data), [0.0, 1.0, 1.0, 0.0], atol=1e-12)
    w_dot = rb.jvp(lambda d: sparse.eigsh(a.with_data(d), 2, which="LA"), (a.data,), (np.arange(4.0),), engine="dual")[1]
    assert np.sum(w_dot[0]) == pytest.approx(3.0)
    assert np.isnan(w_dot[1]).any()


# -- exponentials ------------------------------------------------------------------------------------------


@light
def test_derivatives_of_exponentials(engine):
    def value(m):
        start = rb.xp(m.data).asarray(np.stack([RIGHT, RIGHT[::-1]], axis=1))
        times = sparse.expm_multiply(m, start, 0.1 * m.data[0], 0.5 + m.data[1], num=3)
        return weighted(times) + weighted(sparse.expm_multiply(m * -0.3, start[:, 0]))

    assert_derivatives(moving(value, as_sparse(SQUARE * 0.3)), engine, rel=1e-5)


@pytest.mark.parametrize("small", [0, 50])
def test_the_numbers_of_expm_multiply(small, monkeypatch):
    monkeypatch.setattr(_exponential, "_SMALL", small)
    for options in ({}, {"start": 0.1, "stop": 0.7, "num": 4}, {"start": 0.0, "stop": 1.0, "num": 3, "endpoint": False}):
        np.testing.assert_allclose(sparse.expm_multiply(SQUARE, X_SIX, **options), sl.expm_multiply(SQUARE, X_SIX, **options), rtol=1e-10)


X_SIX = RNG.normal(size=(6, 2))


@pytest.mark.parametrize(("n", "scale", "shift"), [(8, 1.0, 0.0), (8, 10.0, 0.0), (60, 2.0, 0.0), (60, 5.0, -30.0)])
@pytest.mark.parametrize("dtype", [float, complex])
def test_the_gradient_of_an_exponential_by_quadrature(n, scale, shift, dtype, monkeypatch):
    monkeypatch.setattr(_exponential, "_SMALL", 0)
    rng = np.random.default_rng(n)
    m = sp.random_array((n, n), density=0.3, rng=rng) * scale + shift * sp.eye_array(n)
    b, c = rng.normal(size=(2, 2, n))
    if dtype is complex:
        m, b, c = m * (1 + 0.5j), b + 1j, c - 2j
    a = as_sparse(m)
    expected = scipy.linalg.expm_frechet(m.toarray().conj().T, c.T @ b.conj(), compute_expm=False)
    found = _exponential.gradient(a.data, b, c, pattern=a.pattern)
    np.testing.assert_allclose(found, expected[a.pattern.rows, a.pattern.cols], atol=1e-12 * np.abs(expected).max())


# -- bad input ---------------------------------------------------------------------------------------------


def test_the_errors_of_scipy_name_the_counterparts():
    with pytest.raises(TypeError, match="a plain number or NumPy array, without a tangent"):
        rb.derivative(lambda t: sp.csr_array((t * np.ones(2), [0, 1], [0, 1, 2])).sum(), engine="dual")(1.0)
    with pytest.raises(TypeError, match=r"rulebook\.rules\.sparse\.spsolve"):
        rb.derivative(lambda t: sl.spsolve(SQUARE.tocsc(), t * RIGHT)[0], engine="dual")(1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: as_sparse(A) @ np.ones(3), ValueError, r"dimension mismatch, \(5, 4\) with \(3,\)"),
        (lambda: as_sparse(A) @ as_sparse(A), ValueError, r"dimension mismatch, \(5, 4\) with \(5, 4\)"),
        (lambda: as_sparse(A) + as_sparse(B), ValueError, "inconsistent shapes"),
        (lambda: as_sparse(A) + 1.0, TypeError, "Expected a sparse matrix, got a float|a sparse matrix"),
        (lambda: sparse.csr_array((np.ones(3), ([0, 1], [0, 1]))), ValueError, r"There are 2 places, and data has shape \(3,\)"),
        (lambda: sparse.csr_array(np.ones(3)), TypeError, r"a matrix, or data with its indices"),
        (lambda: sparse.spsolve(A, np.ones(5)), TypeError, "a square matrix and b of shape"),
        (lambda: sparse.spsolve(np.eye(2), np.ones(2)), TypeError, "make one with rulebook.rules.sparse.csr_array"),
        (lambda: sparse.spsolve(SQUARE, SQUARE), TypeError, r"call b\.toarray\(\)"),
        (lambda: sparse.spsolve(sparse.csr_array((2, 2)), np.ones(2)), RuntimeError, "singular"),
        (lambda: sparse.cg(SQUARE, RIGHT, callback=print), TypeError, "call SciPy's for a history"),
        (lambda: sparse.eigsh(HERMITIAN, 1, M=HERMITIAN), TypeError, "a standard problem"),
        (lambda: sparse.svds(A, 4), ValueError, r"below min\(m, n\), which is 4, and is 4"),
        (lambda: sparse.svds(A, 1, which="SM"), TypeError, "use eigsh"),
        (lambda: sparse.hstack([A, B]), ValueError, "different sizes"),
        (lambda: sparse.diags_array([np.ones(3), np.ones(3)], offsets=[0, 1]), ValueError, "Diagonal 1 has 3 elements"),
        (lambda: sparse.splu(SQUARE).solve(RIGHT, "X"), ValueError, "trans must be N, T, or H"),
        (lambda: sparse.expm_multiply(A, y), ValueError, "like a square matrix"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.skipif("jax" not in ENGINES, reason="jax is not installed")
def test_a_pattern_cannot_be_traced():
    import jax

    with pytest.raises(TypeError, match=r"csr_array of an array\.[\s\S]*make the pattern outside of what is traced"):
        jax.jit(lambda m: sparse.csr_array(m).sum())(np.eye(2))

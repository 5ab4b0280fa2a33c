"""rb.hessian with a sparse result, in every engine and with two."""

import itertools

import numpy as np
import pytest
import scipy.sparse

import rulebook as rb
from tests.operators_sparse.tools import INSTALLED, arrow, band, beside, dense, rosenbrock

X = np.random.default_rng(0).normal(size=9)
engines = pytest.mark.parametrize("engine", INSTALLED)


def hub(x):
    """Every element meets the first."""
    return rb.xp(x).sum(x[1:] ** 3 * x[:1] ** 2) + rb.xp(x).sum(x**2)


def plate(x):
    """The five points of a grid, with forces that are not linear."""
    u = x.reshape((3, 3)) if hasattr(x, "reshape") else x
    xp = rb.xp(u)
    return xp.sum((u[1:] - u[:-1]) ** 4) + xp.sum((u[:, 1:] - u[:, :-1]) ** 4) + xp.sum(u**3)


FUNCTIONS = {
    "rosenbrock": (rosenbrock, X),
    "hub": (hub, X),
    "plate": (plate, X),
    "holes": (lambda x: rb.xp(x).sum(x[2:5] ** 2 * x[3:6]), X),
    "linear": (lambda x: rb.xp(x).sum(3 * x), X),
    "full": (lambda x: rb.xp(x).sum(x) ** 3, X[:4]),
    "a number": (lambda x: x**3, np.array(2.0)),
    "a matrix": (lambda x: rb.xp(x).sum(x[1:] ** 2 * x[:-1]), X.reshape(3, 3)),
}


@engines
@pytest.mark.parametrize(("f", "x"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_pattern_is_detected_and_the_entries_are_those_of_the_dense_one(engine, f, x):
    found = rb.hessian(f, engine=engine, sparsity="detect")(x)
    expected = dense(rb.hessian, f, x, engine=engine).reshape(x.size, x.size)
    assert isinstance(found, scipy.sparse.csr_array)
    assert found.nnz == np.count_nonzero(expected)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-12, atol=1e-13)


@engines
@pytest.mark.parametrize("start", [np.zeros(9), np.ones(9)])
def test_a_start_where_entries_are_zero_finds_all_of_them(engine, start):
    prepared = rb.prepare(rb.hessian, rosenbrock, start, engine=engine, sparsity="detect")
    assert prepared.sparsity.nnz == np.count_nonzero(band(9))
    for x in (start, X, X + 1):
        np.testing.assert_allclose(prepared(x).toarray(), dense(rb.hessian, rosenbrock, x, engine=engine), rtol=1e-12, atol=1e-12)


@engines
def test_a_triangle_stands_for_both(engine):
    found = rb.hessian(rosenbrock, engine=engine, sparsity=np.triu(band(9)))(X)
    assert found.nnz == np.count_nonzero(band(9))
    np.testing.assert_allclose(found.toarray(), dense(rb.hessian, rosenbrock, X, engine=engine), rtol=1e-13)


@engines
def test_the_function_runs_once_where_the_pattern_is_known(engine):
    ran = []

    def counted(x):
        ran.append(1)
        return hub(x)

    rb.hessian(counted, engine=engine, sparsity=arrow(9))(X)
    assert len(ran) == 1


@engines
def test_a_missing_entry_is_noticed(engine):
    def f(x):
        xp = rb.xp(x)
        return xp.sum(xp.where(x > 0, x**3, x * beside(x)[0] ** 2))

    prepared = rb.prepare(rb.hessian, f, np.abs(X), engine=engine, sparsity="detect")
    assert prepared.sparsity.nnz == 9
    moved = np.abs(X)
    moved[4] = -1.0
    with pytest.raises(
        rb.SparsityError, match=r"rb.hessian of f.*, sparsity\.\n.*9 entries in 9 x 9\nGot: another number in row [45], column [45]\n"
    ):
        prepared(moved)


@engines
def test_markers_of_a_rule(engine):
    """The rule's derivative is a hundred times the right one, and its own derivative follows from the rule."""

    @rb.primitive
    def square(x):
        return x**2

    @rb.pushforward(square)
    def _(y, primals, tangents):
        return 200 * primals[0] * tangents[0]

    @rb.pullback(square)
    def _(y, primals, y_bar):
        return (200 * primals[0] * y_bar,)

    found = rb.hessian(lambda x: rb.xp(x).sum(square(x)), engine=engine, sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), 200 * np.eye(9))


@pytest.mark.parametrize("pair", [p for p in itertools.product(INSTALLED, repeat=2)])
def test_two_engines(pair):
    f = lambda x: rb.xp(x).sum(x[1:] * x[:-1] ** 3)
    found = rb.hessian(f, engine=pair, sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), dense(rb.hessian, f, X, engine="dual"), rtol=1e-12, atol=1e-13)
    assert found.nnz == np.count_nonzero(band(9)) - 1  # the last element alone is linear


@engines
@pytest.mark.parametrize(
    ("f", "x", "message"),
    [
        (lambda x: x, X, r"rb.hessian of <lambda>.*\.\nExpected: one real number, shape \(\)\nGot: shape \(9,\)"),
        (lambda x: rb.xp(x).real(rb.xp(x).sum(x)), X + 1j, r"sparsity\.\nExpected: real numbers\nGot: \S*complex128\nDo: differentiate"),
        (lambda x: x["a"].sum(), {"a": X}, r"sparsity\.\nExpected: one array to differentiate by\nGot: structure {'a': \*}\n"),
    ],
)
def test_what_has_no_sparse_hessian(engine, f, x, message):
    with pytest.raises(rb.RuleSignatureError, match=message):
        rb.hessian(f, engine=engine, sparsity="detect")(x)


@engines
def test_another_shape(engine):
    with pytest.raises(
        rb.RuleSignatureError, match=r"Expected: 4 rows and 4 columns, as the pattern has\nGot: 9 columns: x has shape \(9,\)"
    ):
        rb.hessian(rosenbrock, engine=engine, sparsity=band(4))(X)

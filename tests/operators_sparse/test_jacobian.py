"""rb.jacobian with a sparse result, in every engine."""

import numpy as np
import pytest
import scipy.sparse

import rulebook as rb
from rulebook.rules import numpy as rn
from tests.operators_sparse.tools import INSTALLED, band, beside, chain, dense

pytestmark = pytest.mark.parametrize("engine", INSTALLED)
X = np.random.default_rng(0).normal(size=12)


def arrow(x):
    """A long row, a long column and the diagonal."""
    xp = rb.xp(x)
    return xp.concatenate([xp.reshape(xp.sum(x**2), (1,)), x[1:] ** 2 * x[0]])


def holes(x):
    """Rows and columns without entries."""
    return rb.xp(x).concatenate([x[2:4] * x[3:5], 0 * x[:2], x[6:7]])


def tall(x):
    return rb.xp(x).concatenate([x[:3] * 2, x[:3] ** 2, x[1:3] * x[:2], x[:3] ** 3])


FUNCTIONS = {
    "chain": (chain, X),
    "arrow": (arrow, X),
    "holes": (holes, X),
    "tall": (tall, X[:3]),
    "wide": (lambda x: x[:2] * x[5:7], X),
    "full": (lambda x: rb.xp(x).sum(x) * x, X[:5]),
    "one row": (lambda x: rb.xp(x).sum(x[:3] ** 2), X),
    "one column": (lambda x: x * rb.xp(x).asarray(X), np.array(0.5)),
    "a matrix": (lambda x: rb.xp(x).roll(x, 1, axis=1) ** 2 * x, X.reshape(3, 4)),
    "nothing": (lambda x: 0 * x, X[:4]),
    "no arguments": (lambda x: 2 * x, X[:0]),
    "no results": (lambda x: 2 * x[:0], X[:3]),
}


@pytest.mark.parametrize(("f", "x"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_pattern_is_detected_and_the_entries_are_those_of_the_dense_one(engine, f, x):
    found = rb.jacobian(f, engine=engine, sparsity="detect")(x)
    expected = dense(rb.jacobian, f, x, engine=engine)
    assert isinstance(found, scipy.sparse.csr_array)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.nnz == np.count_nonzero(expected)
    assert found.has_canonical_format
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-14)


@pytest.mark.parametrize("given", [band(12), scipy.sparse.csr_array(band(12)), rb.Sparsity(band(12)), np.ones((12, 12), bool)])
def test_a_pattern_is_given(engine, given):
    found = rb.jacobian(chain, engine=engine, sparsity=given)(X)
    np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, chain, X, engine=engine), rtol=1e-14)
    assert found.nnz == (given.nnz if hasattr(given, "nnz") else np.count_nonzero(given))  # zeros are kept: the pattern stays


def test_the_function_runs_once_where_the_pattern_is_known(engine):
    ran = []

    def counted(x):
        ran.append(1)
        return chain(x)

    rb.jacobian(counted, engine=engine, sparsity=band(12))(X)
    assert len(ran) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(engine, dtype):
    found = rb.jacobian(chain, engine=engine, sparsity="detect")(X.astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, chain, X, engine=engine), rtol=1e-5 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("engine_mode", [chain, tall])
def test_complex_results_of_real_arguments(engine, engine_mode):
    f = lambda x: engine_mode(x) * rb.xp(x).exp(1j * engine_mode(x))
    x = X[:3] if engine_mode is tall else X
    found = rb.jacobian(f, engine=engine, sparsity="detect")(x)
    assert found.dtype == np.complex128
    np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, f, x, engine=engine), rtol=1e-13)


def test_holomorphic_functions_of_complex_arguments(engine):
    f = lambda z: chain(z) * (1 + 2j)
    z = X + 1j * X[::-1]
    found = rb.jacobian(f, engine=engine, sparsity="detect")(z)
    assert found.nnz == np.count_nonzero(band(12))
    np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, f, z, engine=engine), rtol=1e-13)


@pytest.mark.parametrize(("part", "got"), [("conj", "linear over the reals only"), ("real", "real numbers")])
def test_functions_that_are_not_holomorphic_are_refused(engine, part, got):
    f = lambda z: getattr(rb.xp(z), part)(z)
    with pytest.raises(
        rb.RuleOutputError, match=rf"(?s)its result\.\nExpected: a holomorphic.*Got: .*{got}.*Do: differentiate with respect"
    ):
        rb.jacobian(f, engine=engine, sparsity=np.eye(12, dtype=bool))(X + 1j)


def test_which_argument_and_constants(engine):
    f = lambda a, x, c: a * x[1:] * c
    found = rb.jacobian(f, engine=engine, argnums=1, constants=(3.0,), sparsity="detect")(2.0, X)
    np.testing.assert_allclose(found.toarray(), 6.0 * np.eye(11, 12, 1))


def test_a_rule_is_what_is_differentiated(engine):
    """The marker is a hundred times the derivative: nothing but the rule gives it."""

    @rb.primitive
    def double(x):
        return 2 * x

    @rb.pushforward(double)
    def _(y, primals, tangents):
        return 200 * tangents[0]

    @rb.pullback(double)
    def _(y, primals, y_bar):
        return (200 * y_bar,)

    found = rb.jacobian(lambda x: rb.xp(x).roll(double(x), 1, axis=0), engine=engine, sparsity="detect")(X)
    np.testing.assert_array_equal(found.toarray(), 200 * np.roll(np.eye(12), 1, axis=0))


def test_a_host_rule_is_detected_too(engine):
    @rb.primitive(host=True, result=lambda x: x)
    def shifted(x):
        return np.roll(x, 1) ** 2

    @rb.pushforward(shifted, host=True)
    def _(y, primals, tangents):
        return 2 * np.roll(primals[0], 1) * np.roll(tangents[0], 1)

    @rb.pullback(shifted, host=True)
    def _(y, primals, y_bar):
        return (np.roll(2 * np.roll(primals[0], 1) * y_bar, -1),)

    found = rb.jacobian(shifted, engine=engine, sparsity="detect")(X)
    np.testing.assert_array_equal(found.toarray(), np.roll(np.diag(2 * X), 1, axis=0))


# -- patterns that depend on values ----------------------------------------------------------------------


def test_entries_that_are_zero_at_the_example_alone_are_found(engine):
    f = lambda x: x[1:] ** 2 * x[:-1]
    sparse = rb.prepare(rb.jacobian, f, np.zeros(6), engine=engine, sparsity="detect")
    assert sparse.sparsity.nnz == 10
    np.testing.assert_allclose(sparse(X[:6]).toarray(), dense(rb.jacobian, f, X[:6], engine=engine))


def test_a_bound_of_the_domain(engine):
    with np.errstate(all="ignore"):
        found = rb.jacobian(lambda x: rb.xp(x).sqrt(x), engine=engine, sparsity="detect")(np.array([0.0, 1.0, 4.0]))
    np.testing.assert_array_equal(found.toarray(), np.diag([np.inf, 0.5, 0.25]))


def test_a_row_that_is_not_finite_is_nan_where_nothing_vouches_for_it(engine):
    f = lambda x: rb.xp(x).concatenate([rb.xp(x).sqrt(x[:1]) + x[1:2], x[1:]])
    with np.errstate(all="ignore"):
        found = rb.jacobian(f, engine=engine, sparsity=np.ones((3, 3), bool))(np.array([0.0, 1.0, 4.0]))
        column = rb.jacobian(f, engine=engine, sparsity=np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]], bool))(np.array([0.0, 1.0, 4.0]))
    assert found.toarray()[0, 0] == column.toarray()[0, 0] == np.inf
    for a in (found.toarray(), column.toarray()):
        right = np.array([[np.inf, 1, 0], [0, 1, 0], [0, 0, 1]])
        assert ((a == right) | np.isnan(a)).all()


@pytest.mark.parametrize("known", ["detect", "given"])
def test_a_branch_that_changes_the_pattern_is_noticed(engine, known):
    def f(x):
        xp = rb.xp(x)
        return xp.where(x > 0, x**2, beside(x)[0])

    x = np.abs(X)
    sparsity = "detect" if known == "detect" else np.eye(12, dtype=bool)
    prepared = rb.prepare(rb.jacobian, f, x, engine=engine, sparsity=sparsity)
    np.testing.assert_allclose(prepared(2 * x).toarray(), np.diag(4 * x))
    moved = x.copy()
    moved[4] = -1.0
    with pytest.raises(
        rb.SparsityError,
        match=r"(?s)rb.jacobian of f.*sparsity\.\nExpected: zeros outside of the pattern of 12 entries in 12 x 12\n"
        r"Got: another number in row 4, column 5\nDo: detect the pattern again",
    ):
        prepared(moved)
    np.testing.assert_allclose(prepared(x).toarray(), np.diag(2 * x))


@pytest.mark.parametrize("size", [1e6, 1.0, 1e-6])
def test_a_small_missing_entry_is_noticed(engine, size):
    f = lambda x: x**2 + size * beside(x)[0]
    with pytest.raises(rb.SparsityError, match=r"another number in row \d+, column \d+"):
        rb.jacobian(f, engine=engine, sparsity=np.eye(12, dtype=bool))(X)


def test_a_row_that_should_be_empty_is_noticed(engine):
    known = np.eye(12, dtype=bool)
    known[7, 7] = False
    with pytest.raises(rb.SparsityError, match="another number in row 7, column 7"):
        rb.jacobian(lambda x: 2 * x, engine=engine, sparsity=known)(X)


def test_a_derivative_that_cancels_is_no_missing_entry(engine):

    def f(x):
        xp = rb.xp(x)
        turned = xp.roll(x, 1, axis=0)
        return x + xp.sin(turned) ** 2 + xp.cos(turned) ** 2

    x = np.random.default_rng(1).normal(size=60)
    found = rb.jacobian(f, engine=engine, sparsity=np.eye(60, dtype=bool))(x)
    np.testing.assert_allclose(found.toarray(), np.eye(60), atol=1e-15)


# -- preparation -----------------------------------------------------------------------------------------


def test_prepared_and_a_second_input(engine):
    prepared = rb.prepare(rb.jacobian, chain, X, engine=engine, sparsity="detect")
    assert isinstance(prepared.sparsity, rb.Sparsity)
    assert prepared.sparsity.nnz == 34
    for x in (X, X + 1, -X):
        found = prepared(x)
        assert isinstance(found, scipy.sparse.csr_array)
        np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, chain, x, engine=engine), rtol=1e-13)
    again = rb.prepare(rb.jacobian, lambda x: chain(x) ** 2, X, engine=engine, sparsity=prepared.sparsity)
    assert again.sparsity is prepared.sparsity
    np.testing.assert_allclose(again(X).toarray(), dense(rb.jacobian, lambda x: chain(x) ** 2, X, engine=engine), rtol=1e-13)


def test_results_of_a_prepared_one_share_no_memory(engine):
    prepared = rb.prepare(rb.jacobian, chain, X, engine=engine, sparsity="detect")
    first, second = prepared(X), prepared(X)
    for part in ("data", "indices", "indptr"):
        assert not np.shares_memory(getattr(first, part), getattr(second, part))
        getattr(first, part)[:] = 0
    np.testing.assert_array_equal(prepared(X).toarray(), second.toarray())


def test_prepared_with_other_constants(engine):
    f = lambda x, c: chain(x) * c
    prepared = rb.prepare(rb.jacobian, f, X, engine=engine, sparsity="detect", constants=(2.0,))
    np.testing.assert_allclose(prepared(X, constants=(5.0,)).toarray(), 2.5 * prepared(X).toarray())


def test_prepared_for_another_shape(engine):
    prepared = rb.prepare(rb.jacobian, chain, X, engine=engine, sparsity="detect")
    with pytest.raises(rb.PreparationError, match=r"shape \(12,\).*\n.*shape \(5,\)"):
        prepared(X[:5])


# -- what cannot be done ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (5, 12, r"Expected: 12 rows and 5 columns, as the pattern has\nGot: 12 columns: x has shape \(12,\)\nDo: pass a pattern of shape"),
        (
            12,
            5,
            r"Expected: 5 rows and 12 columns, as the pattern has\nGot: 12 rows: the result has shape \(12,\)\nDo: pass a pattern of shape",
        ),
    ],
)
def test_a_pattern_of_another_shape(engine, x, y, message):
    with pytest.raises(rb.RuleSignatureError, match=rf"rb.jacobian of chain.*, sparsity\.\n{message}"):
        rb.jacobian(chain, engine=engine, sparsity=np.ones((y, x), bool))(X)


@pytest.mark.parametrize(
    ("f", "x", "options", "message"),
    [
        (lambda x: (x, x), X, {}, r"its result\.\nExpected: one array\nGot: a tuple\nDo: return one array, or leave sparsity out"),
        (lambda x: None, X, {}, r"its result\.\nExpected: numbers.*\nGot: None"),
        (
            lambda x: x["a"],
            {"a": X},
            {},
            r"sparsity\.\nExpected: one array to differentiate by\nGot: structure {'a': \*}\nDo: put the numbers",
        ),
        (lambda x, y: x, (X, X), {"argnums": (0, 1)}, r"sparsity\.\nExpected: one array to differentiate by\nGot: argnums=\(0, 1\)\n"),
        (lambda x: rb.xp(x).argsort(x), X, {}, r"its result\.\nExpected: floating-point numbers\nGot: \S*int64\nDo: return floats"),
        (lambda x: x, X.astype(np.float16), {}, r"sparsity\.\nExpected: numbers of 32 bits or more\nGot: \S*float16\nDo: convert"),
        (lambda x: x, np.arange(3), {}, r"argument 0\.\nExpected: floating-point numbers\nGot: \S*int64\nDo: pass floats"),
    ],
)
def test_what_has_no_sparse_derivative(engine, f, x, options, message):
    args = x if isinstance(x, tuple) else (x,)
    with pytest.raises(rb.RuleSignatureError, match=message):
        rb.jacobian(f, engine=engine, sparsity="detect", **options)(*args)


def test_a_derivative_that_is_nowhere_finite(engine):
    f = lambda x: rb.xp(x).sqrt(x)
    with (
        np.errstate(all="ignore"),
        pytest.raises(rb.RuleOutputError, match=r'sparsity="detect"\.\nExpected: a finite derivative.*\nGot: infinite'),
    ):
        rb.jacobian(f, engine=engine, sparsity="detect")(np.array([-1.0, 1.0]))


def test_inside_of_another_derivative(engine):
    f = lambda a: rb.jacobian(lambda x: x * a, engine=engine, sparsity=np.eye(12, dtype=bool))(X)
    with pytest.raises(rb.RuleSignatureError, match=r"sparsity\.\nExpected: numbers.*\nGot: a value that is traced or differentiated\n"):
        rb.jvp(f, (2.0,), (1.0,), engine=engine)


def test_without_scipy(engine, monkeypatch):
    import importlib

    from rulebook.operators.sparse import matrices

    def missing(name):
        raise ModuleNotFoundError(name)

    matrices.csr_array.cache_clear()
    monkeypatch.setattr(
        importlib, "import_module", lambda name: missing(name) if name == "scipy.sparse" else __import__(name, fromlist=["x"])
    )
    with pytest.raises(
        rb.EngineMissingError, match=r"sparse derivative.*\nExpected: the package 'scipy'\nGot: it is not installed\nDo: pip install"
    ):
        rb.jacobian(chain, engine=engine, sparsity=band(12))(X)


def test_shipped_rules(engine):
    f = lambda x: rn.convolve(x, np.array([1.0, -2.0, 1.0]), mode="same") + rn.where(x > 10, x, x**3)
    found = rb.jacobian(f, engine=engine, sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), dense(rb.jacobian, f, X, engine=engine), atol=1e-15)

"""What NumPy refuses, or leaves undefined: the same on duals, or a clear error."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual import DualArray
from rulebook.dual.drivers import seed, split
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.tags import new_tag
from tests.dual.tools import push

TAG = new_tag()
V = np.arange(1.0, 4.0)


def make(x=V, k=3, tag=TAG):
    x = np.asarray(x)
    return seed(x, np.arange(1.0, k * x.size + 1).reshape(k, *x.shape).astype(x.dtype), tag)


X, S = make(), make(2.0)
MASKED = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
OBJECTS = np.array([1.0, "a", None], object)
TIMES = np.array([1, 2, 3], "m8[s]")

REFUSED = {
    "masked +": lambda: MASKED + X,
    "+ masked": lambda: X + MASKED,
    "dot masked": lambda: np.dot(X, MASKED),
    "where masked": lambda: np.where(V > 1, X, MASKED),
    "einsum masked": lambda: np.einsum("i,i", X, MASKED),
    "concatenate masked": lambda: np.concatenate([X, MASKED]),
    "write masked": lambda: (X * 1.0).__setitem__(slice(None), MASKED),
    "average masked": lambda: np.average(X, weights=MASKED),
    "objects": lambda: X + OBJECTS,
    "where objects": lambda: np.where(V > 1, X, OBJECTS),
    "into objects": lambda: np.add(X, 1, out=np.empty(3, object)),
    "times": lambda: TIMES * X,
    "a time": lambda: X * np.timedelta64(3, "s"),
    "dates": lambda: np.array(["2020", "2021", "2022"], "M8[Y]") + X,
    "two counts of tangents": lambda: X * X + make(k=2) * 2,
    "one tangent and three": lambda: X * X + make(k=1) * 2,
    "two counts, product": lambda: X @ make(k=2),
    "a buffer of integers": lambda: np.add(X, 1, out=np.zeros(3, int)),
    "a number as a buffer": lambda: np.add(X, 1, out=S),
    "dtype=int": lambda: np.add(X, 1, dtype=int),
    "sum of integers": lambda: np.sum(X, dtype=int),
    "a record": lambda: np.zeros(3, [("a", float)]).__setitem__("a", X),
    "to a record": lambda: X.astype([("a", float)]),
    "a dual as an index": lambda: X[S],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    with pytest.raises(rb.RulebookError) as found:
        REFUSED[name]()
    assert [line.split(":")[0] for line in str(found.value).splitlines()[1:]] == ["Expected", "Got", "Do"]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_matrices():
    matrix = np.matrix(np.eye(3))
    for run in (
        lambda: matrix @ X,
        lambda: np.dot(matrix, X),
        lambda: np.linalg.solve(matrix, X),
        lambda: np.where(True, matrix, S),
        lambda: np.kron(matrix, X),
        lambda: np.concatenate([matrix, X[None]]),
        lambda: np.einsum("ij,j", matrix, X),
    ):
        with pytest.raises(rb.RuleMissingError, match="a matrix"):
            run()


# NumPy's own errors, of the same type and with the same text as on plain arrays.
LIKE_NUMPY = {
    "structured": lambda x: np.zeros(3, [("a", float)]) + x,
    "text": lambda x: x + "a",
    "texts": lambda x: np.array(["a", "b", "c"]) + x,
    "text in a list": lambda x: np.add(x, ["a", "b", "c"]),
    "ragged": lambda x: np.add(x, [1, [2]]),
    "text as a key": lambda x: x["a"],
    "a float as a key": lambda x: x[1.0],
    "out of bounds": lambda x: x[5],
    "out of bounds, write": lambda x: x.__setitem__(5, 1.0),
    "out of bounds, list": lambda x: x[[0, 7]],
    "too many indices": lambda x: x[0, 0],
    "a mask too long": lambda x: x[[True, False]],
    "a write too long": lambda x: x.__setitem__(slice(2), np.ones(3)),
    "shapes": lambda x: x + np.ones(4),
    "an axis": lambda x: np.sum(x, axis=3),
    "an axis to sort": lambda x: np.sort(x, axis=2),
    "a method": lambda x: np.quantile(x, 0.5, method="no such"),
    "a quantile": lambda x: np.quantile(x, 1.5),
    "a mode": lambda x: np.pad(x, 1, "no such"),
    "casting": lambda x: x.astype(np.float32, casting="safe"),
    "maximum of nothing": lambda x: np.max(x[:0]),
    "argmax of nothing": lambda x: np.argmax(x[:0]),
    "maximum of some without initial": lambda x: np.max(x, where=V > 1),
    "convolution of nothing": lambda x: np.convolve(x[:0], x),
    "gradient of nothing": lambda x: np.gradient(x[:0]),
    "transform of nothing": lambda x: np.fft.fft(x[:0]),
    "reduce of nothing": lambda x: np.subtract.reduce(x[:0]),
    "matmul with a number": lambda x: x @ 2.0,
    "split": lambda x: np.split(x, 2),
    "vsplit": lambda x: np.vsplit(x, 3),
    "reduceat": lambda x: np.add.reduceat(x, [0, 3]),
    "weights": lambda x: np.average(x, weights=x * 0),
    "a number of samples": lambda x: np.linspace(x[0], 1.0, -1),
    "read-only": lambda x: np.broadcast_to(x, (2, 3)).__setitem__((0, 0), 1.0),
    "out too small": lambda x: np.cumsum(x, out=np.zeros(2, like=x)),
    "length of a number": lambda x: len(x[0]),
    "a number is no sequence": lambda x: list(x[0]),
    "pow of three": lambda x: pow(x[0], 3, 2),
}


@pytest.mark.parametrize("name", LIKE_NUMPY)
def test_like_numpy(name):
    with pytest.raises(Exception) as theirs:
        LIKE_NUMPY[name](V.copy())
    with pytest.raises(Exception) as ours:
        LIKE_NUMPY[name](make())
    assert isinstance(ours.value, theirs.type.__mro__[1] if theirs.type.__mro__[1] is not Exception else theirs.type), (ours, theirs)


EMPTY = {
    "sum": np.sum,
    "prod": np.prod,
    "sort": np.sort,
    "unique": np.unique,
    "cumsum": np.cumsum,
    "cumprod": np.cumprod,
    "diff": np.diff,
    "concatenate": lambda x: np.concatenate([x, x]),
    "matmul": lambda x: x @ np.zeros((0, 2)),
    "solve": lambda x: np.linalg.solve(np.zeros((0, 0)), x),
    "norm": np.linalg.norm,
    "einsum": lambda x: np.einsum("i,i", x, x),
    "pad": lambda x: np.pad(x, 1),
    "max": lambda x: np.max(x, initial=3.0),
    "trapezoid": np.trapezoid,
    "reduce": lambda x: np.logaddexp.reduce(x),
    "outer": lambda x: np.outer(x, V),
    "where": lambda x: np.where(x > 0, x, 0.0),
    "stack": lambda x: np.stack([x, x]),
    "sin": lambda x: np.sin(x) * x,
    "mask": lambda x: x[x > 0],
}


@pytest.mark.parametrize("name", EMPTY)
def test_of_nothing(name):
    expected = EMPTY[name](V[:0])
    y, t = split(EMPTY[name](make()[:0]), TAG, 3)
    np.testing.assert_array_equal(y, expected)
    assert t.shape == (3, *np.shape(expected)) and not np.any(t)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_of_nothing_that_is_unknown():
    for fn in (np.mean, np.median, np.var, np.nanmean):
        y, t = split(fn(make()[:0]), TAG, 3)
        assert np.isnan(y) and np.isnan(t).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_not_a_number_has_no_tangent():
    """Where the value is NaN for a number outside of the domain, so is the tangent; NaN and inf pass through where they do in NumPy."""
    x = np.array([-0.5, 0.5, 2.0])
    for fn in (np.log, np.log2, np.log10, np.sqrt, np.arcsin, np.arccos, np.arctanh, np.arccosh, lambda x: np.log1p(-x), lambda x: x**0.5):
        (y,), (t,) = push(fn, (x,), (np.ones((2, 3)),))
        np.testing.assert_array_equal(np.isnan(t), np.broadcast_to(np.isnan(y), t.shape))
        for v in x:
            (y,), (t,) = push(fn, (v,), (np.ones(1),))
            assert np.isnan(t[0]) == np.isnan(y)
    holes = np.array([1.0, np.nan, np.inf, -np.inf])
    for fn in (np.max, np.min, np.ptp, np.maximum.reduce, np.median, lambda x: np.quantile(x, 0.3), np.mean, np.std, np.prod, np.sum):
        (y,), (t,) = push(lambda x, fn=fn: fn(x * x), (holes,), (np.ones((2, 4)),))
        assert np.isnan(y) and np.isnan(t).all(), fn
    (y,), (t,) = push(lambda x: np.where(np.isfinite(x), x * x, 7.0), (holes,), (np.ones((2, 4)),))
    np.testing.assert_array_equal(y, [1, 7, 7, 7])
    np.testing.assert_array_equal(t, [[2, 0, 0, 0]] * 2)
    (y,), (t,) = push(lambda x: np.where(x > 0, np.log(np.abs(x)), 0.0), (np.array([0.0, 1.0]),), (np.ones((2, 2)),))
    np.testing.assert_array_equal(t, [[0, 1]] * 2)
    for fn in (lambda x: np.remainder(x, 0.3), lambda x: np.fmod(x, 0.3)):
        (y,), (t,) = push(fn, (holes,), (np.ones((2, 4)),))
        np.testing.assert_array_equal(np.isnan(t[0]), np.isnan(y))


def test_known_numbers_beside_unknown():
    x, z = np.array([1.0, np.nan, 3.0]), np.array([2.0, 5.0, np.nan])
    dots = (np.array([[1.0, np.nan, 3.0]]), np.array([[4.0, 5.0, np.nan]]))
    for fn, t in ((np.fmax, [4.0, 5.0, 3.0]), (np.fmin, [1.0, 5.0, 3.0])):
        np.testing.assert_array_equal(push(fn, (x, z), dots)[1][0][0], t)
        np.testing.assert_array_equal(push(fn, (x, 2.5), (dots[0], np.zeros(1)))[1][0][0], np.where(fn(x, 2.5) == x, [1.0, 0, 3.0], 0.0))
    assert push(lambda x: np.fmax(x, 1.0), (np.nan,), (np.array([np.nan]),))[1][0][0] == 0.0


def test_where_the_root_of_a_sum_is_zero():
    """The derivative of a norm or standard deviation at zero is taken as zero."""
    zero = np.zeros((3, 3))
    for fn in (
        np.linalg.norm,
        np.linalg.vector_norm,
        np.linalg.matrix_norm,
        lambda x: np.linalg.norm(x, axis=1),
        lambda x: np.linalg.norm(x, 3, axis=0),
        lambda x: np.std(x, 1),
        np.std,
        lambda x: np.hypot(x, x),
        np.abs,
        np.sign,
        lambda x: abs(x * 1j),
    ):
        _, (t,) = push(fn, (zero,), (np.ones((2, 3, 3)),))
        np.testing.assert_array_equal(t, 0.0)


def test_ties_share():
    x = np.array([2.0, 1.0, 2.0, 0.5, 2.0])
    dots = np.array([[3.0, 10.0, 6.0, 20.0, 9.0]])
    expected = {
        np.max: 6.0,
        np.sort: [20.0, 10.0, 6.0, 6.0, 6.0],
        np.unique: [20.0, 10.0, 6.0],
        np.median: 6.0,
        np.maximum.accumulate: [3.0, 3.0, 4.5, 4.5, 6.0],
        (lambda x: np.partition(x, 2)[2:]): [6.0, 6.0, 6.0],
        (lambda x: np.quantile(x, 0.125)): 15.0,
        (lambda x: np.union1d(x, [2.0])): [20.0, 10.0, 4.5],
        (lambda x: np.maximum(x, 2.0)): [1.5, 0.0, 3.0, 0.0, 4.5],
        (lambda x: np.max(x, initial=2.0)): 3.0,
    }
    for fn, t in expected.items():
        np.testing.assert_allclose(push(fn, (x,), (dots,))[1][0][0], t)


PRECISIONS = [np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.complex128, np.clongdouble]
KEPT = {
    "sin": np.sin,
    "numbers": lambda x: 1 + x * 2.0 - x / 3 + 2 * x**2,
    "integers": lambda x: x * np.arange(3, dtype=np.int8) + np.array([True, False, True]),
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "cumsum": np.cumsum,
    "max": np.max,
    "sort": np.sort,
    "where": lambda x: np.where(V > 1, x, 0),
    "element": lambda x: x[0] * x,
    "stack": lambda x: np.stack([x, x * 0 + 1]),
    "concatenate": lambda x: np.concatenate([x, np.ones(2, x.dtype)]),
    "product": lambda x: x @ x,
    "einsum": lambda x: np.einsum("i,j->ij", x, x),
    "gradient": np.gradient,
    "convolve": lambda x: np.convolve(x, x),
    "linspace": lambda x: np.linspace(x[0], x[1], 4),
    "insert": lambda x: np.insert(x, 0, 1.5),
    "maximum": lambda x: np.maximum(x, 0.5),
    "absolute": np.abs,
    "norm": np.linalg.norm,
    "double": lambda x: x * np.float64(2),
    "double of an element": lambda x: np.float64(2) * x[0],
    "wide integers": lambda x: x + np.arange(3),
}


@pytest.mark.parametrize("dtype", PRECISIONS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", KEPT)
def test_precisions(name, dtype):
    x = V.astype(dtype)
    expected = np.asarray(KEPT[name](x))
    (y,), (t,) = push(KEPT[name], (x,), (np.ones((2, 3), dtype),))
    assert y.dtype == t.dtype == expected.dtype
    np.testing.assert_allclose(y, expected, rtol=float(4 * np.finfo(dtype).eps))
    (_,), (exact,) = push(KEPT[name], (x.astype(np.result_type(dtype, np.float64)),), (np.ones((2, 3), np.result_type(dtype, np.float64)),))
    np.testing.assert_allclose(t, exact, rtol=float(16 * np.finfo(dtype).eps), atol=float(16 * np.finfo(dtype).eps))


def _key(rng, shape):
    """A key of any kind."""
    parts, used, picked = [], 0, rng.choice([0, 1, 2, 6])
    broadcast = [(2,), (3,), (2, 3), (2, 1)][rng.integers(4)]
    while used < len(shape):
        m = shape[used]
        kinds = [
            lambda: slice(
                *[None if rng.random() < 0.5 else int(rng.integers(-m - 1, m + 2)) for _ in range(2)], int(rng.choice([1, 2, -1]))
            ),
            lambda: int(rng.integers(-m, m)),
            lambda: None,
            lambda: rng.integers(-m, m, size=broadcast),
            lambda: rng.integers(-m, m, size=broadcast).tolist(),
            lambda: tuple(rng.integers(-m, m, size=3).tolist()),
            lambda: rng.random(m) < 0.6,
            lambda: np.array(int(rng.integers(-m, m))),
            lambda: bool(rng.integers(2)),
        ]
        which = int(rng.integers(len(kinds) if picked else 3))
        parts.append(kinds[which]())
        used += which not in (2, 8)
        if rng.random() < 0.1 and Ellipsis not in [p for p in parts if p is Ellipsis]:
            parts.append(Ellipsis)
            break
    return parts[0] if len(parts) == 1 and not isinstance(parts[0], tuple) else tuple(parts)


@pytest.mark.parametrize("seed_of", range(8))
def test_keys_of_every_kind(seed_of):
    """Reading and writing, against NumPy on the primal and on each tangent: values, shapes and errors."""
    rng = np.random.default_rng(seed_of)
    for _ in range(60):
        shape = [(3,), (4, 3), (2, 3, 4), (3, 3, 3), (1, 3)][rng.integers(5)]
        x, t = rng.normal(size=shape), rng.normal(size=(3, *shape))
        key, d = _key(rng, shape), seed(x, t, TAG)
        try:
            expected = x[key]
        except IndexError as error:
            with pytest.raises(type(error)):
                d[key]
            continue
        p, found = split(d[key], TAG, 3)
        np.testing.assert_array_equal(p, expected, err_msg=repr(key))
        np.testing.assert_allclose(found, np.stack([row[key] for row in t]), rtol=1e-15, err_msg=repr(key))
        v, dots = rng.normal(size=np.shape(expected)), rng.normal(size=(3, *np.shape(expected)))
        d[key] = seed(v, dots, TAG)
        x[key] = v
        for row, dot in zip(t, dots, strict=True):
            row[key] = dot
        p, found = split(d, TAG, 3)
        np.testing.assert_array_equal(p, x, err_msg=repr(key))
        np.testing.assert_allclose(found, t, rtol=1e-15, err_msg=repr(key))


def test_many_tangents_come_in_chunks(monkeypatch):
    from rulebook.dual import drivers

    monkeypatch.setattr(drivers, "_CHUNK_BYTES", 64)
    x = np.linspace(0.1, 1.0, 11)
    made = []
    fn = lambda x: (made.append(x.tangent.nbytes if isinstance(x, DualArray) else 0), np.sort(np.sin(x)) * np.median(x))[1]
    whole = rb.jacobian(fn, engine="dual")(x)
    assert len(made) == 11 and max(made) <= 88
    np.testing.assert_allclose(whole, np.diag(np.cos(x)) * np.median(x) + np.outer(np.sin(x), np.arange(11) == 5), rtol=1e-14, atol=1e-15)


def test_the_namespace():
    """`x.__array_namespace__()`: NumPy's names; conversions let duals pass, and copy where that is asked for."""
    xp = X.__array_namespace__()
    assert xp.asarray(X) is X and xp.sin is np.sin and xp.linalg is np.linalg and S.__array_namespace__() is xp
    copied = xp.asarray(X, copy=True)
    copied[0] = 9.0
    assert X[0] == 1.0 and type(copied) is DualArray
    assert xp.astype(X, np.float64, copy=False) is X and xp.astype(X, np.float32).dtype == np.float32
    assert xp.asarray([S, 1.0]).shape == (2,) and type(xp.asarray([1.0, 2.0])) is np.ndarray
    assert X.__array_namespace__(api_version="2022.12") is xp and "asarray" in dir(xp)
    with pytest.raises(ValueError, match="copy"):
        xp.asarray(X, dtype=np.float32, copy=False)
    with pytest.raises(DroppedTangentError):
        xp.astype(X, int)


def test_methods_like_those_of_arrays():
    assert (X.nbytes, X.itemsize, X.device, X.strides) == (24, 8, "cpu", (8,)) and X.to_device("cpu") is X
    assert X.flags.writeable and X.view() is not X and X.view().p.base is X.p
    assert X.argsort().tolist() == [0, 1, 2] and X.nonzero()[0].tolist() == [0, 1, 2] and X.searchsorted(1.5) == 1
    assert X.item(1) == 2.0 and X.item((2,)) == 3.0 and make([[1.0, 2.0]]).item(0, 1) == 2.0 and make([5.0]).item() == 5.0
    cells = np.asarray(X, dtype=object)
    assert cells.shape == (3,) and all(type(v) is type(S) for v in cells)
    np.testing.assert_array_equal(np.stack(cells.tolist()).tangent, X.tangent)
    with pytest.raises(ValueError, match="cpu"):
        X.to_device("gpu")


def test_where_picks_tangents():
    """With few tangents and many; of the first branch or the second; beside one that is not finite."""
    x = np.array([0.0, 1.0, 2.0, 4.0])
    for k in (1, 3, 8, 20):
        dots = np.random.default_rng(k).normal(size=(k, 4))
        roots = 0.5 / np.sqrt(x[1:]) * dots[:, 1:]
        with np.errstate(all="ignore"):
            for fn in (lambda x: np.where(x > 0, np.sqrt(x) * 1.0, 5.0), lambda x: np.where(x <= 0, 5.0, np.sqrt(x) + 0 * x)):
                _, (t,) = push(fn, (x,), (dots,))
                np.testing.assert_allclose(t[:, 1:], roots, rtol=1e-12)
                np.testing.assert_array_equal(t[:, 0], 0.0)
        for dtype in (np.float32, np.complex64):
            (y,), (t,) = push(lambda x: np.sin(np.where(V > 1, x, 0.0)), (V.astype(dtype),), (dots[:, :3].astype(dtype),))
            assert y.dtype == t.dtype == dtype
            np.testing.assert_allclose(t, np.where(V > 1, np.cos(V), 0.0) * dots[:, :3], rtol=1e-5)

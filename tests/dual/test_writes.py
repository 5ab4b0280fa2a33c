"""Writing into dual arrays: buffers, views, aliasing, augmented assignment; as NumPy does it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import rulebook as rb
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import seed
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.tags import new_tag
from tests.dual.tools import check

_rng = np.random.default_rng(2)
V = _rng.uniform(0.2, 0.8, size=3)
C = _rng.uniform(0.2, 0.8, size=(3, 4))


def _buffer(x):
    b = np.zeros_like(x)
    for i in range(len(x)):
        b[i] = x[i] * x[i - 1] + (b[i - 1] if i else 1.0)
    return b, b.sum()


def _rows(x):
    b = np.zeros((4, *x.shape), like=x)
    b[0] = x
    for i in range(1, 4):
        b[i] = np.sin(b[i - 1]) * x + i
    return b


def _copied_element(x):
    """An element read from a buffer does not change when the buffer does."""
    b = x * 2
    u = b[0]
    v = b[0:1] * 1.0
    b[0] = 5.0
    return u, v, b


def _views(x):
    b = x * x
    first, turned, some = b[0], b.T, b[1:, ::2]
    first[1] = x[2, 2] * 3
    turned[3, 1] = 7.0
    some[...] *= 2
    b[2, 2] = x[0, 0]
    return b, first * 1, turned * 1, some * 1, b.reshape(-1) * 1


def _view_of_view(x):
    b = np.exp(x)
    inner = b[1:][:, 1:]
    late = b.ravel()
    b[1, 1] = x[0, 0] ** 2
    inner[1, 1] = 4.0
    late[0] = x[1, 1]
    return b, inner, late


def _other_views(x):
    """Views that cannot be written to, or are of other kinds, see a write too."""
    b = x * 1.0
    wide, corner = np.broadcast_to(b, (2, *b.shape)), np.diagonal(b)
    z = b + 1j * x
    real, imag = z.real, z.imag
    b[0] = x[1] * 2
    real[1] = x[0]
    imag[0, 0] = 3.0
    z[2] *= 1j
    return wide * 1, corner * 1, real * 1, imag * 1, z


def _results_before(x):
    """What was computed before a write keeps its value and tangents."""
    b = np.sin(x)
    y, z, w, u = b * 2, b + 1, np.exp(b), b[0] * 1.0
    b[0] = 0.0
    b += x
    return y, z, w, u, b


def _constants_before(x):
    """A factor that is written to later was taken by value."""
    a = np.full(x.shape, 2.0)
    y, z = x * a, x / a
    a[...] = 5.0
    return y, z, x * a, a * x


def _exponential(x):
    """exp is its own factor: a write into the result must not reach what it was copied to."""
    y = np.exp(x)
    z = y + 1.0
    y[0] = 3.0
    return y, z


def _augmented(x):
    b = np.copy(x)
    c = b
    b += 1
    b *= x
    b -= x[0]
    b /= 2.0
    b **= 2
    return b, c


def _masks(x):
    b = x.copy()
    b[b > 0.5] = 0.5
    b[b < 0.3] *= 2
    b[[0, 2]] = x[[2, 0]]
    b[:, [0, 1]] = x[:, 2:]
    b[[0, 1], :, ...] += 1
    return b


def _apart(x):
    b = np.zeros_like(x, shape=(3, 2, 4))
    b[[0, 1], :, [1, 2]] = x[:2, :2]
    b[0, :, [0, 3]] = x[0, 0]
    return b


def _broadcast(x):
    b = np.zeros((3, 3, 4), like=x)
    b[0] = x[0]
    b[1, :] = x[0, 0]
    b[2] = 1.5
    b[2, 0] = [x[0, 0], 1.0, x[0, 1], 2.0]
    return b


def _overlap(x):
    b = x.copy()
    b[1:] = b[:-1]
    return b


def _out(x):
    b = np.zeros_like(x)
    np.multiply(x, 2.0, out=b)
    np.sin(x, out=b, where=np.asarray(rb.stop_gradient(x)) > 0.5)
    np.add.at(b, ([0, 0, 1], [1, 1, 2]), x[0, :3])
    np.subtract.at(b, ([0, 0], [0, 0]), 1.0)
    c = np.empty_like(x)
    np.copyto(c, x)
    np.copyto(c, 0.0, where=np.asarray(rb.stop_gradient(x)) > 0.5)
    d = np.zeros_like(x, shape=(3, 3))
    np.fill_diagonal(d, x[0, 0])
    d.fill(x[1, 1])
    return b, c, d


def _points(x):
    b = np.zeros((), like=x)
    b[()] = x[0, 0] * 2
    b[...] += 1
    return b[()] * 1.0, b + 0


CASES = [
    _rows,
    _copied_element,
    _views,
    _view_of_view,
    _other_views,
    _results_before,
    _constants_before,
    _exponential,
    _augmented,
    _masks,
    _apart,
    _broadcast,
    _overlap,
    _out,
    _points,
]


@pytest.mark.parametrize("fn", CASES, ids=lambda f: f.__name__.strip("_"))
def test_writes(fn):
    check(fn, C)
    check(fn, C, k=1, second=False)


def test_a_loop_over_elements():
    check(_buffer, V)
    check(_buffer, V, k=1)


def test_the_argument_is_not_changed():
    x = C.copy()

    def fn(x):
        x[0] = 0.0
        return x

    y, y_dot = rb.jvp(fn, (x,), (np.ones_like(x),), engine="dual")
    np.testing.assert_array_equal(x, C)
    np.testing.assert_array_equal(y[0], 0.0)
    np.testing.assert_array_equal(y_dot, (y == C) * 1.0)


def test_a_plain_buffer_is_refused():
    def element(x):
        b = np.zeros(3)
        b[0] = x[0]
        return b

    def whole(x):
        b = np.zeros(3)
        b[:] = x
        return b

    def out(x):
        return np.sin(x, out=np.zeros(3))

    def augmented(x):
        b = np.zeros(3)
        b += x
        return b

    def at(x):
        b = np.zeros(3)
        np.add.at(b, [0, 1, 2], x)
        return b

    def reduced(x):
        return np.add.reduce(x, out=np.zeros(()))

    def copied(x):
        b = np.zeros(3)
        np.copyto(b, x)
        return b

    for fn in (element, whole, out, augmented, at, reduced, copied):
        with pytest.raises(rb.RulebookError, match=r"zeros_like"):
            rb.jvp(fn, (V,), (V,), engine="dual")


def test_a_buffer_of_an_outer_call_is_refused():
    def outer(x):
        b = np.zeros_like(x)

        def inner(y):
            b[0] = y[0]
            return b * 1.0

        return rb.jvp(inner, (x,), (np.ones(3),), engine="dual")[1]

    with pytest.raises(DroppedTangentError, match="make the buffer inside the inner function"):
        rb.jvp(outer, (V,), (V,), engine="dual")


def test_a_captured_value_into_a_buffer():
    """The buffer is a constant for the outer call until the value is written."""

    def outer(c):
        def inner(y):
            b = np.zeros_like(y)
            b[0] = c * y[0]
            b[1:] = c * y[:-1] * c
            b *= c
            return b

        return rb.jvp(inner, (V,), (np.ones(3),), engine="dual")[1]

    check(outer, 2.0)
    check(outer, 2.0, k=1)


def test_a_captured_value_beside_views_is_refused():
    def outer(c):
        def inner(y):
            b = np.ones_like(y) * y
            before, tail = b * 1.0, b[1:]
            with pytest.raises(DroppedTangentError, match="without keeping views"):
                b[0] = c * y[0]
            with pytest.raises(DroppedTangentError, match="write into the array itself"):
                tail[0] = c * y[0]
            return b - before

        return rb.jvp(inner, (V,), (np.ones(3),), engine="dual")

    y, y_dot = rb.jvp(outer, (2.0,), (1.0,), engine="dual")[0]
    np.testing.assert_array_equal(y, 0.0)
    np.testing.assert_array_equal(y_dot, 0.0)


def test_integers_and_flags_from_like():
    def fn(x):
        n = np.zeros_like(x, dtype=int)
        assert type(n) is np.ndarray and n.dtype == int
        assert type(np.arange(3, like=x)) is np.ndarray
        assert type(np.array([1, 2], like=x)) is np.ndarray
        return x

    rb.jvp(fn, (V,), (V,), engine="dual")


def test_copies_and_pickles():
    tag = new_tag()
    x = seed(V, _rng.normal(size=(2, 3)), tag)
    for made in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x)), pickle.loads(pickle.dumps(np.sin(x)[:]))):
        assert type(made) is DualArray and made.tag == tag
    y = pickle.loads(pickle.dumps(np.sin(x)))
    np.testing.assert_array_equal(y.tangent, np.sin(x).tangent)
    np.testing.assert_allclose((x * y).tangent, (x * np.sin(x)).tangent, rtol=1e-15)
    c = copy.deepcopy(x)
    c[0] = 9.0
    assert x[0] == V[0]
    s = x[0]
    t = pickle.loads(pickle.dumps(s))
    assert type(t) is Dual and t == s and copy.copy(s) is s
    np.testing.assert_array_equal((s * t).t, 2 * V[0] * s.t)


def test_a_pickle_from_elsewhere_has_a_tag_of_its_own(monkeypatch):
    from rulebook.dual import tags

    x = seed(V, np.ones((1, 3)), new_tag())
    data = pickle.dumps((x, x[0]))
    monkeypatch.setattr(tags, "_token", "another process")
    array, number = pickle.loads(data)
    assert array.tag == number.tag != x.tag

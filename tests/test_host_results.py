"""What host code gets and gives: read-only arrays in; results compared with `result=`, or learnt; memory that stays as it is."""

from __future__ import annotations

import re
from collections import namedtuple

import numpy as np
import pytest

import rulebook as rb
from rulebook import trees
from rulebook.engines import load_engine
from rulebook.hosted import Hosted
from rulebook.memory import owned
from rulebook.normal import NormalForm

X = np.array([0.3, 0.5, 1.2])


def form_of(f, *args, **statics):
    engine = load_engine("dual")
    args, statics = f.signature.bind(args, statics)
    leaves, structure = trees.flatten(args)
    opaque = {i: x for i, x in enumerate(leaves) if isinstance(x, str)}
    return NormalForm(f, engine, structure, opaque, statics), [np.asarray(x) for x in leaves if not isinstance(x, str)]


def hosted(f, *args, **statics) -> tuple[Hosted, list[np.ndarray]]:
    form, leaves = form_of(f, *args, **statics)
    return form._host_primal or form._host_reverse or form._host_forward, leaves


def primal(f, *args, **statics):
    host, leaves = hosted(f, *args, **statics)
    ys, structure = host.primal(leaves)
    return structure.unflatten(iter(ys))


def specs(host, leaves):
    return host.results.find([rb.ShapeDtype(x.shape, x.dtype) for x in leaves])


# -- result= ------------------------------------------------------------------------------------------------


def test_a_result_as_declared_passes():
    Pair = namedtuple("Pair", "u v")
    f = rb.primitive(
        lambda x, *, n: Pair(np.sum(x), [x] * n),
        host=True,
        name="f",
        result=lambda x, n: Pair(rb.ShapeDtype(()), [rb.ShapeDtype(x.shape)] * n),
    )
    y = primal(f, X, n=2)
    assert type(y) is Pair and len(y.v) == 2
    host, leaves = hosted(f, X, n=2)
    ys, structure = specs(host, leaves)
    assert [(s.shape, s.dtype.name) for s in ys] == [((), "float64"), ((3,), "float64"), ((3,), "float64")]
    assert structure.unflatten(iter("abc")) == Pair("a", ["b", "c"])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            lambda x: rb.ShapeDtype((2,)),
            r"primal of f \(engine dual\), result 0\.\nExpected: shape \(2,\), float64, as result= says\n"
            r"Got: shape \(3,\), float64\nDo: let result=",
        ),
        (
            lambda x: rb.ShapeDtype(x.shape, np.float32),
            r"Expected: shape \(3,\), float32, as result= says\nGot: shape \(3,\), float64\nDo: convert it, \.astype\(float32\), or let",
        ),
        (lambda x: (x, x), r"primal of f \(engine dual\)\.\nExpected: the structure .*, as result= says\nGot: .*\nDo: let result= have"),
    ],
    ids=["shape", "dtype", "structure"],
)
def test_another_result_than_declared_is_refused(result, message):
    f = rb.primitive(lambda x: x * 1.0, host=True, name="f", result=result)
    with pytest.raises(rb.ResultSpecError, match=message):
        primal(f, X)
    with pytest.raises(rb.ResultSpecError, match=message):  # the second time as well
        primal(f, X)


def test_a_rule_that_gives_another_result_than_declared_is_refused():
    f = rb.primitive(lambda x: x * 1.0, host=True, name="f", result=lambda x: x)
    rb.rrule(f, host=True)(lambda x: (x[:2], lambda bar: (bar,)))
    with pytest.raises(
        rb.ResultSpecError, match=r"result 0\.\nExpected: shape \(3,\), float64, as result= says\nGot: shape \(2,\), float64"
    ):
        rb.vjp(f, X, engine="dual")


@pytest.mark.parametrize(
    ("given", "got"), [(None, "nothing"), ("x", "str"), ((3,), "int"), ([rb.ShapeDtype(()), 1.0], "ShapeDtype, float"), ((), "nothing")]
)
def test_what_is_no_declaration_is_refused(given, got):
    f = rb.primitive(lambda x: x, host=True, name="f", result=lambda x: given)
    message = rf"result= of f \(engine dual\)\.\nExpected: an rb.ShapeDtype, .*\nGot: {got}\nDo: return rb.ShapeDtype\(shape, dtype\)"
    with pytest.raises(rb.ResultSpecError, match=message):
        primal(f, X)


def test_a_declaration_that_raises_says_where():
    f = rb.primitive(lambda x: x, host=True, name="f", result=lambda x: {}["shape"])
    with pytest.raises(KeyError) as found:
        primal(f, X)
    assert "Raised in result= of f, engine dual." in found.value.__notes__


def test_a_declaration_gets_the_statics_that_it_takes():
    seen = []

    def fn(x, *, n=2, kind="a", tol=0.1):
        return np.zeros(n)

    def some(x, kind, n):
        seen.append((kind, n))
        return rb.ShapeDtype((n,))

    def every(x, **statics):
        seen.append(statics)
        return rb.ShapeDtype((statics["n"],))

    primal(rb.primitive(fn, host=True, name="f", result=some), X, n=4)
    primal(rb.primitive(fn, host=True, name="f", result=every), X, kind="b")
    assert seen == [("a", 4), {"n": 2, "kind": "b", "tol": 0.1}]


def test_a_declaration_sees_arguments_as_the_author_wrote_them():
    def fn(params, mode, *rest):
        return params["w"] @ rest[0]

    def result(params, mode, *rest):
        assert (mode, rest[0].ndim, rest[0].size) == ("fast", 1, 3)
        return rb.ShapeDtype((params["w"].shape[0],), params["w"].dtype)

    f = rb.primitive(fn, host=True, name="f", result=result)
    assert primal(f, {"w": np.ones((2, 3))}, "fast", X).shape == (2,)


# -- without result= ------------------------------------------------------------------------------------


def test_what_was_seen_is_known():
    f = rb.primitive(lambda x: (x, {"n": np.sum(x)}), host=True, name="f")
    host, leaves = hosted(f, X)
    host.primal(leaves)
    assert [s.shape for s in specs(host, leaves)[0]] == [(3,), ()]
    with pytest.raises(rb.ResultSpecError, match=r"no call with concrete values of this kind so far \(x: \(2,\) float64\)"):
        specs(host, [X[:2]])


def test_a_structure_that_depends_on_the_shapes_is_told_apart():
    f = rb.primitive(lambda x: tuple(x), host=True, name="f")
    host, leaves = hosted(f, X)
    assert len(host.primal(leaves)[1].children) == 3
    assert len(host.primal([X[:2]])[1].children) == 2
    assert [len(specs(host, [x])[1].children) for x in (X, X[:2])] == [3, 2]


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x: x, (X,)),
        (lambda a, b, *, n=2: a @ b, (np.ones((2, 3)), X)),
        (lambda *xs: xs[0], (X, X)),
        (lambda a, *rest: a, (X, X)),
        (lambda params: params["w"], ({"w": X},)),
    ],
    ids=["one", "two and a static", "args", "one and args", "container"],
)
def test_the_error_shows_the_line_to_write(f, args):
    host, leaves = hosted(rb.primitive(f, host=True, name="f"), *args)
    with pytest.raises(rb.ResultSpecError) as found:
        specs(host, leaves)
    which, expected, got, do = str(found.value).split("\n")
    assert which == "primal of f (engine dual), host code on values that are traced."
    assert expected == "Expected: result=, which tells the shape and dtype of its result"
    assert got.startswith("Got: none, and no call with concrete values of this kind so far (")
    line = re.fullmatch(r"Do: write rb.primitive\(\.\.\., host=True, result=(.*)\)", do)[1]
    example = eval(line, {"rb": rb, "shape": X.shape, "dtype": X.dtype})
    found = example(*trees.flatten(args)[1].unflatten(iter([rb.ShapeDtype(x.shape, x.dtype) for x in leaves])))
    assert isinstance(found, rb.ShapeDtype)


# -- arguments --------------------------------------------------------------------------------------------


def test_arguments_are_read_only_and_not_copied():
    seen = []
    f = rb.primitive(lambda x: (seen.append(x), x.sum())[1], host=True, name="f")
    x = X.copy()
    primal(f, x)
    assert not seen[0].flags.writeable and np.shares_memory(seen[0], x)
    assert x.flags.writeable


def changing(kind):
    """A primitive of which one part changes its argument."""

    def change(x):
        x *= 2
        return x

    def part(name):
        return change if name == kind else lambda x: x * 2

    f = rb.primitive(part("primal"), host=True, name="f")
    if kind in ("rrule", "its pullback"):
        rb.rrule(f, host=True)(lambda x: (part("rrule")(x), lambda bar: (part("its pullback")(bar),)))
    elif kind == "pullback":
        rb.pullback(f, host=True)(lambda y, primals, bar: (part(kind)(bar),))
    elif kind == "frule":
        rb.frule(f, host=True)(lambda primals, dots: (part(kind)(primals[0]), dots[0] * 2))
    else:
        rb.pushforward(f, host=True)(lambda y, primals, dots: part(kind)(dots[0]))
    return f


@pytest.mark.parametrize("kind", ["primal", "rrule", "its pullback", "pullback", "frule", "pushforward"])
def test_host_code_that_changes_its_arguments_is_told_what_to_do(kind):
    x = X.copy()
    with pytest.raises(ValueError, match="read-only") as found:
        rb.jvp(changing(kind), (x,), (x,), engine="dual")
    what = "rrule" if kind == "its pullback" else kind
    assert f"The {what} of f is host code and changed its arguments, which are read-only: copy them first." in found.value.__notes__
    np.testing.assert_array_equal(x, X)


def test_an_exception_arrives_as_itself_and_the_next_call_is_right():
    class Diverged(Exception):
        pass

    def fn(x):
        if x[0] < 0:
            raise Diverged("no solution")
        return x * 2

    f = rb.primitive(fn, host=True, name="f")
    for _ in range(2):
        with pytest.raises(Diverged, match=r"^no solution\n") as found:
            primal(f, -X)
        assert found.value.__notes__ == ["Raised in the primal of f, engine dual."]
        np.testing.assert_array_equal(primal(f, X), X * 2)


def test_nan_passes_through():
    f = rb.primitive(lambda x: x * np.nan, host=True, name="f", result=lambda x: x)
    assert np.isnan(primal(f, X)).all()


# -- results ------------------------------------------------------------------------------------------------


def address(a):
    return a.__array_interface__["data"][0]


@pytest.mark.parametrize(
    "make", [lambda: np.ones(100), lambda: np.ones((4, 25)).T, lambda: (np.ones(9) + 1)[2:]], ids=["new", "view", "part"]
)
def test_a_result_that_nobody_holds_is_taken_as_it_is(make):
    results = [make()]
    before = address(results[0])
    assert address(owned(results)[0]) == before


BUFFER = np.ones(100)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BUFFER,
        lambda: BUFFER[::2],
        lambda: BUFFER.reshape(10, 10).T,
        lambda: np.frombuffer(bytearray(80)),
        lambda: np.asarray(memoryview(BUFFER)),
        lambda: np.broadcast_to(np.ones(1), (5,)),
    ],
    ids=["array", "part", "view", "memory of another object", "buffer", "read-only"],
)
def test_a_result_that_somebody_may_write_to_or_nobody_can_is_copied(make):
    results = [make()]
    found = owned(results)[0]
    np.testing.assert_array_equal(found, results[0])
    assert not np.shares_memory(found, results[0])
    assert found.flags.writeable


def test_a_result_given_twice_is_two():
    y = np.ones(3)
    first, second = owned([y, y])
    assert not np.shares_memory(first, second) and not np.shares_memory(first, y)


def test_numbers_are_scalars_that_nobody_can_change():
    (found,) = owned([np.asarray(2.0)])
    assert type(found) is np.float64


# -- the missing direction of a host rule -------------------------------------------------------------------


def complex_map(kinds):
    """(z, x) -> (a z + b conj(z) + x w, Re(c z) + x . x): linear over the reals in z, which is complex; x is real."""
    a, b, c, w = (np.random.default_rng(n).normal(size=(2, 2, 2)) @ np.array([1, 1j]) for n in range(4))

    def fn(z, x):
        return a @ z + b @ np.conj(z) + w @ x, np.real(np.sum(c @ z)) + x @ x

    f = rb.primitive(fn, host=True, name="f")
    calls = []

    def push(y, primals, dots):
        calls.append("push")
        (z_dot, x_dot), x = dots, primals[1]
        return a @ z_dot + b @ np.conj(z_dot) + w @ x_dot, np.real(np.sum(c @ z_dot)) + 2 * x @ x_dot

    def pull(y, primals, bars):
        calls.append("pull")
        p, q = bars
        x = primals[1]
        z_bar = np.conj(a).T @ p + b.T @ np.conj(p) + np.conj(c).sum(0) * q
        return z_bar, np.real(np.conj(w).T @ p) + 2 * x * q

    if "push" in kinds:
        rb.pushforward(f, host=True)(push)
    if "pull" in kinds:
        rb.pullback(f, host=True)(pull)
    return f, calls


Z = np.array([0.3 + 0.1j, -0.7 + 0.4j])
R = np.array([0.5, -1.5])


def test_the_rules_of_the_test_are_transposes_of_each_other():
    f, _ = complex_map(("push", "pull"))
    form, leaves = form_of(f, Z, R)
    ys, structure = form.primal(leaves)
    dots, bars = [Z * 1j + 2, R[::-1]], [Z - 1j, np.float64(0.7)]
    forward = form.push(ys, structure, leaves, dots)
    backward = form.pull(ys, structure, leaves, bars)
    pair = lambda u, v: sum(np.real(np.vdot(p, q)) for p, q in zip(u, v, strict=True))
    np.testing.assert_allclose(pair(bars, forward), pair(backward, dots), rtol=1e-13)


@pytest.mark.parametrize("missing", ["forward", "reverse"])
def test_the_other_direction_of_a_host_rule_is_swept(missing):
    expected, _ = complex_map(("push", "pull"))
    f, calls = complex_map(("pull",) if missing == "forward" else ("push",))
    (full, leaves), (part, _) = form_of(expected, Z, R), form_of(f, Z, R)
    ys, structure = full.primal(leaves)
    if missing == "forward":
        dots = [Z * 1j + 2, R[::-1]]
        got, want = part.push(ys, structure, leaves, dots), full.push(ys, structure, leaves, dots)
        assert calls == ["pull"] * 5  # two complex elements and a real one
    else:
        bars = [Z - 1j, np.float64(0.7)]
        got, want = part.pull(ys, structure, leaves, bars), full.pull(ys, structure, leaves, bars)
        assert calls == ["push"] * 6  # two complex elements and two real ones
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-13)
        assert (np.shape(g), g.dtype) == (np.shape(w), w.dtype)


def test_a_swept_cotangent_that_nobody_wants_costs_nothing():
    f, calls = complex_map(("push",))
    form, leaves = form_of(f, Z, R)
    ys, structure = form.primal(leaves)
    found = form.pull(ys, structure, leaves, [Z, np.float64(1.0)], [False, True])
    assert found[0] is None and calls == ["push"] * 2
    assert form.pull(ys, structure, leaves, [None, None]) == [None, None] and len(calls) == 2
    assert form.pull(ys, structure, leaves, [Z, None], [False, False]) == [None, None] and len(calls) == 2


def test_single_precision_and_zero_size_keep_their_dtype():
    for kind, x in (("push", np.float32([1, 2])), ("pull", np.float32([1, 2])), ("push", np.zeros((0, 2))), ("pull", np.zeros((0, 2)))):
        f = rb.primitive(lambda x: x * 3, host=True, name="f")
        if kind == "push":
            rb.pushforward(f, host=True)(lambda y, primals, dots: dots[0] * 3)
        else:
            rb.pullback(f, host=True)(lambda y, primals, bar: (bar * 3,))
        form, leaves = form_of(f, x)
        ys, structure = form.primal(leaves)
        for found in (form.push(ys, structure, leaves, [x])[0], form.pull(ys, structure, leaves, [x])[0]):
            np.testing.assert_array_equal(found, 3 * x)
            assert found.dtype == x.dtype and found.shape == x.shape

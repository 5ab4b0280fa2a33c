"""Bad input: the same error of ours on every engine, named, and the next call is right."""

from __future__ import annotations

import importlib.util
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import engine_names, load_engine

ENGINES = [e for e in engine_names() if importlib.util.find_spec(e if importlib.util.find_spec(e) else f"rulebook.{e}")]
X = np.array([0.5, 1.0, 1.5])
W = np.array([2.0, 3.0, 4.0])


def value(engine: str, x: Any) -> Any:
    return load_engine(engine).asarray(x)


def make(**rules: Callable[..., Any]) -> Any:
    """x w, with the rules given by the names of their decorators."""
    f = rb.primitive(lambda x, w: x * w, name="mylib.f")
    for kind, rule in rules.items():
        getattr(rb, kind)(f)(rule)
    return f


def forward(engine: str, f: Any) -> Any:
    return rb.jvp(f, (X, W), (W, X), engine=engine)


def reverse(engine: str, f: Any) -> Any:
    y, pullback = rb.vjp(f, X, W, engine=engine)
    return y, pullback(np.ones(3))


def both(engine: str, f: Any) -> Any:
    """Forward and reverse mode; the error of the one that has a rule."""
    if f.forward is not None:
        return forward(engine, f)
    return reverse(engine, f)


RIGHT = {"pushforward": lambda y, p, t: t[0] * p[1] + p[0] * t[1], "pullback": lambda y, p, b: (p[1] * b, p[0] * b)}

# name -> (rules, error, what the message says in order)
WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "one cotangent for two": (
        {"pullback": lambda y, p, b: (p[1] * b,)},
        rb.RuleOutputError,
        r"pullback of mylib\.f \(engine {engine}\)\.\nExpected: a tuple of 2 cotangents, for x, w\nGot: a tuple of 1\nDo: return one entry",
    ),
    "a bare array": (
        {"pullback": lambda y, p, b: p[1] * b},
        rb.RuleOutputError,
        r"Expected: a tuple of 2 cotangents, for x, w\nGot: a \w+",
    ),
    "None from a pullback": ({"pullback": lambda y, p, b: None}, rb.RuleOutputError, r"Expected: a tuple of 2 cotangents[\s\S]*Got: None"),
    "None from an rrule": (
        {"rrule": lambda x, w: None},
        rb.RuleOutputError,
        r"rrule of mylib\.f[\s\S]*Expected: the pair \(y, pullback\)\nGot: None",
    ),
    "None from an frule": (
        {"frule": lambda p, t: None},
        rb.RuleOutputError,
        r"frule of mylib\.f[\s\S]*Expected: the pair \(y, y_dot\)\nGot: None",
    ),
    "None for the value": ({"frule": lambda p, t: (None, t[0])}, rb.RuleOutputError, r"Expected: a value\nGot: None"),
    "too few axes": (
        {"pullback": lambda y, p, b: ((p[1] * b).sum(), p[0] * b)},
        rb.RuleOutputError,
        r"cotangent of x\.\nExpected: shape \(3,\), \S*float64\nGot: shape \(\), \S*float64\nDo: return rb\.project",
    ),
    "an axis too many": (
        {"pullback": lambda y, p, b: (p[1] * b, (p[0] * b)[None, :])},
        rb.RuleOutputError,
        r"cotangent of w\.\nExpected: shape \(3,\)[\s\S]*Got: shape \(1, 3\)",
    ),
    "tangent of another shape": (
        {"pushforward": lambda y, p, t: (t[0] * p[1]).sum()},
        rb.RuleOutputError,
        r"pushforward of mylib\.f \(engine {engine}\), y_dot\.\nExpected: shape \(3,\)[\s\S]*Got: shape \(\)",
    ),
    "complex tangent of a real value": (
        {"pushforward": lambda y, p, t: 1j * t[0]},
        rb.RuleOutputError,
        r"y_dot\.\nExpected: a real tangent",
    ),
    "tangent of another structure": (
        {"pushforward": lambda y, p, t: (t[0], t[1])},
        rb.RuleOutputError,
        r"y_dot\.\nExpected: an array\nGot: structure \(\*, \*\)",
    ),
    "a string": (
        {"pullback": lambda y, p, b: ("x", p[0] * b)},
        rb.RuleOutputError,
        r"cotangent of x\.\nExpected: an array of {engine}\nGot: a str",
    ),
    "not implemented, and used": (
        {"pullback": lambda y, p, b: (rb.NotImplementedTangent("see issue 7"), p[0] * b)},
        rb.RuleMissingError,
        r"pullback of mylib\.f \(engine {engine}\), x\.\nExpected: a derivative\nGot: NotImplementedTangent: see issue 7\nDo: do not",
    ),
    "no rule at all": (
        {},
        rb.RuleMissingError,
        r"mylib\.f \(engine {engine}\)\.\nExpected: a (reverse|forward) rule\nGot: no rule\nDo: write one with",
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_refused_and_the_next_call_is_right(name: str, engine: str) -> None:
    rules, error, message = WRONG[name]
    f = make(**rules)
    with pytest.raises(error, match=message.replace("{engine}", engine)):
        both(engine, f)
    np.testing.assert_allclose(load_engine(engine).to_numpy(f(value(engine, X), W)), X * W)
    right = make(**RIGHT)
    np.testing.assert_allclose(forward(engine, right)[1], W * W + X * X)
    for found, expected in zip(reverse(engine, right)[1], (W, X), strict=True):
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_not_implemented_is_quiet_when_it_is_not_used(engine: str) -> None:
    f = make(pullback=lambda y, p, b: (rb.NotImplementedTangent("later"), p[0] * b))
    if engine == "dual":  # the reverse rule is swept for the tangents that move
        np.testing.assert_allclose(rb.jvp(lambda w: f(X, w), (W,), (np.ones(3),), engine=engine)[1], X)
    else:
        np.testing.assert_allclose(rb.grad(lambda w: f(X, w).sum(), engine=engine)(W), X)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_a_rule_that_raises_keeps_its_own_error_with_a_note(direction: str, engine: str) -> None:
    fail = [True]

    def rule(*args: Any) -> Any:
        if fail:
            raise ZeroDivisionError("mine")
        return RIGHT["pushforward" if direction == "forward" else "pullback"](*args)

    f = make(**{"pushforward" if direction == "forward" else "pullback": rule})
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        both(engine, f)
    kind = "pushforward" if direction == "forward" else "pullback"
    assert f"Raised in the {kind} of mylib.f, engine {engine}." in caught.value.__notes__
    fail.clear()
    found = forward(engine, f)[1] if direction == "forward" else reverse(engine, f)[1][0]
    np.testing.assert_allclose(found, W * W + X * X if direction == "forward" else W)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_primal_that_raises_keeps_its_own_error_with_a_note(engine: str) -> None:
    @rb.primitive(name="mylib.g")
    def g(x):
        raise KeyError("mine")

    rb.scalar_rule(g)(lambda y, x: x)
    with pytest.raises(KeyError, match="mine") as caught:
        rb.jvp(g, (X,), (X,), engine=engine)
    assert any("of mylib.g, engine " + engine in note for note in caught.value.__notes__)


# -- calls that do not fit -----------------------------------------------------------------------


@dataclass
class Loose:
    """A dataclass that nobody registered."""

    a: Any


def _option(x: Any, *, kind: Any = "a", n: int = 2) -> Any:
    return x * n


OPTION = rb.primitive(_option, name="mylib.option")
rb.pushforward(OPTION)(lambda y, p, t, *, kind, n: n * t[0])
rb.pullback(OPTION)(lambda y, p, b, *, kind, n: (n * b,))

CALLS: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "static given positionally": (
        lambda x: OPTION(x, "b"),
        rb.RuleSignatureError,
        r"1 positional argument[\s\S]*Got: 2\nDo: pass the static 'kind' by keyword",
    ),
    "unhashable static": (
        lambda x: OPTION(x, kind=[1]),
        rb.RuleSignatureError,
        r"static 'kind'\.\nExpected: a hashable option[\s\S]*Got: a list\nDo: pass a tuple",
    ),
    "array as a static": (
        lambda x: OPTION(x, kind=np.ones(2)),
        rb.RuleSignatureError,
        r"static 'kind'\.\nExpected: a hashable option[\s\S]*Got: a ndarray\nDo: pass a tuple",
    ),
    "unknown argument": (lambda x: OPTION(x, knd=1), rb.RuleSignatureError, r"argument 'knd'\.\nExpected: one of"),
    "missing argument": (lambda x: OPTION(n=3), rb.RuleSignatureError, r"argument 'x'\.\nExpected: a value"),
    "given twice": (lambda x: OPTION(x, x=x), rb.RuleSignatureError, r"argument 'x'\.\nExpected: one value\nGot: two"),
}


def test_a_traced_value_as_a_static_says_how_a_compiled_program_gets_its_options() -> None:
    jax = pytest.importorskip("jax")
    message = r"static 'kind'\.\nExpected: a hashable option[\s\S]*Got: a value of jax \(\w+\)\nDo: make it a .* primal;.*static_argnames"
    with pytest.raises(rb.RuleSignatureError, match=message):
        jax.jit(OPTION)(X, kind=2)
    assert jax.jit(OPTION, static_argnames="kind")(X, kind=2).shape == X.shape


@pytest.mark.parametrize("engine", ["numpy", *ENGINES])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_does_not_fit(name: str, engine: str) -> None:
    call, error, message = CALLS[name]
    x = X if engine == "numpy" else value(engine, X)
    with pytest.raises(error, match=message):
        call(x) if engine == "numpy" else rb.jvp(call, (X,), (X,), engine=engine)
    np.testing.assert_allclose(OPTION(X, n=3), 3 * X)
    assert x is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_value_being_differentiated_is_no_static(engine: str) -> None:
    with pytest.raises(rb.RuleSignatureError, match=r"mylib\.option, static 'kind'\.[\s\S]*make it (a|another) positional primal"):
        rb.jvp(lambda x: OPTION(X, kind=x), (X,), (X,), engine=engine)
    with pytest.raises(rb.RuleSignatureError, match=r"mylib\.option, static 'kind'\.[\s\S]*"):
        rb.jvp(lambda x: OPTION(x, kind=lambda: x), (X,), (X,), engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unregistered_dataclass(engine: str) -> None:
    g = rb.primitive(lambda p, x: x * 2.0, name="mylib.g")
    rb.scalar_rule(g)(lambda y, p, x: (None, 2.0))
    with pytest.raises(
        rb.RuleSignatureError, match=r"mylib\.g, argument p\.[\s\S]*the dataclass Loose[\s\S]*decorate Loose with @rb\.register_dataclass"
    ):
        rb.jvp(lambda x: g(Loose(x), x), (X,), (X,), engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_statics_that_compare_equal_are_told_apart(engine: str) -> None:
    g = rb.primitive(lambda x, *, a=1.0: x * (1 if a is True else 2 if type(a) is int else 3) * np.copysign(1.0, a))
    rb.pushforward(g)(lambda y, p, t, *, a: t[0] * (1 if a is True else 2 if type(a) is int else 3) * np.copysign(1.0, a))
    slopes = [rb.derivative(lambda x, a=a: g(x, a=a), engine=engine)(2.0) for a in (1, True, 1.0, 0.0, -0.0)]
    np.testing.assert_allclose(slopes, [2, 1, 3, 3, -3])


PAIRS = [(a, b) for a in ENGINES for b in ENGINES if a < b and "dual" not in (a, b)]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_values_of_two_engines(first: str, second: str) -> None:
    f = make(**RIGHT)
    with pytest.raises(rb.MixedEnginesError, match=rf"mylib\.f\.\nExpected: values of one engine[\s\S]*values of {first} and {second}"):
        _mixed(f, first, second)
    np.testing.assert_allclose(forward(first, f)[1], W * W + X * X)


def _mixed(f: Any, first: str, second: str) -> Any:
    """Call f with a value of each of two engines; autograd has values inside a transformation only."""
    if first == "autograd":
        return rb.jvp(lambda x: f(x, value(second, W)), (X,), (X,), engine="autograd")
    return f(value(first, X), value(second, W))


def test_engines_by_name() -> None:
    with pytest.raises(rb.EngineMissingError, match=r"engine 'jaxx'\.\nExpected: one of"):
        rb.bind(make(**RIGHT), "jaxx")


def test_registration_is_checked() -> None:
    f = make(**RIGHT)
    with pytest.raises(
        rb.DuplicateRuleError,
        match=r"frule of mylib\.f\.\nExpected: no forward rule yet\nGot: a pushforward is registered\nDo: pass replace=True",
    ):
        rb.frule(f)(lambda primals, tangents: None)
    rb.frule(f, replace=True)(lambda p, t: (p[0] * p[1], 100 * t[0]))
    assert rb.rules(f).forward == "frule"
    with pytest.raises(rb.RuleSignatureError, match=r"rb\.frule of _option\.\nExpected: a primitive"):
        rb.frule(_option)
    with pytest.raises(rb.RuleSignatureError, match=r"rrule of mylib\.f\.\nExpected: the positional parameters \(x, w\)"):
        rb.rrule(f, replace=True)(lambda x: None)
    with pytest.raises(rb.RuleSignatureError, match=r"the static 'kind' as a keyword parameter"):
        rb.frule(OPTION, replace=True)(lambda primals, tangents, *, n: None)
    with pytest.raises(rb.RuleSignatureError, match=r"transpose of mylib\.f\.\nExpected: wrt among 0\.\.1\nGot: 5"):
        rb.transpose(f, wrt=(5,))
    with pytest.raises(rb.RuleSignatureError, match=r"rb\.primitive\."):
        rb.primitive(3)
    with pytest.raises(rb.RuleSignatureError, match=r"rb\.register_dataclass of int\.\nExpected: a dataclass"):
        rb.register_dataclass(int)


def test_errors_are_builtins_too_and_pickle() -> None:
    for name, builtin in {
        "RuleSignatureError": TypeError,
        "RuleOutputError": ValueError,
        "RuleMissingError": NotImplementedError,
        "DuplicateRuleError": ValueError,
        "MixedEnginesError": TypeError,
        "EngineMissingError": ImportError,
        "ResultSpecError": TypeError,
        "HigherOrderError": NotImplementedError,
        "FrozenBufferError": RuntimeError,
        "PreparationError": ValueError,
        "RuleCheckError": AssertionError,
    }.items():
        kind = getattr(rb, name)
        assert issubclass(kind, rb.RulebookError) and issubclass(kind, builtin)
        error = kind("which.", "this", "that", "do so")
        assert str(error) == "which.\nExpected: this\nGot: that\nDo: do so"
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_messages_have_four_parts() -> None:
    with pytest.raises(rb.RulebookError) as caught:
        OPTION(X, "b")
    assert re.fullmatch(r"[^\n]+\nExpected: [^\n]+\nGot: [^\n]+\nDo: [^\n]+", str(caught.value))

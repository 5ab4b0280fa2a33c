"""Rules that break one law each, and what the finding says: the table behind test_laws.py."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.testing import Rule


@dataclass(frozen=True)
class Wrong:
    """A rule with one mistake.

    Attributes:
        law: the law that it breaks.
        name: the mistake.
        make: gives the rule afresh.
        rule: the kind of rule that is named, "" for the function itself.
        where: argument and element, as a regular expression.
        expected, got, do: parts of the message, as regular expressions.
        also: other laws that the same mistake may break; "*" for any.
    """

    law: str
    name: str
    make: Callable[[], Any]
    rule: str
    where: str = ""
    expected: str = ""
    got: str = ""
    do: str = ""
    also: tuple[str, ...] = ()


WRONG: list[Wrong] = []


def wrong(law: str, rule: str, **parts: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Put a function that makes a rule into the table."""

    def put(make: Callable[[], Any]) -> Callable[[], Any]:
        WRONG.append(Wrong(law, make.__name__, make, rule, **parts))
        return make

    return put


def vector(rng: Any) -> tuple[Any, ...]:
    return (rng.normal(size=3),)


def pair(rng: Any) -> tuple[Any, ...]:
    return rng.normal(size=3), rng.normal(size=3)


def sin(x: Any) -> Any:
    return np.sin(x)


def sine(**rules: Any) -> Rule:
    return Rule(sin, cases=[vector], **rules)


def product(**rules: Any) -> Rule:
    return Rule(lambda a, b: a * b, cases=[pair], **rules)


# -- runs


@wrong("runs", "rrule", got="ValueError: no such thing", do="let the rule accept")
def rrule_raises():
    def rrule(x):
        raise ValueError("no such thing")

    return sine(rrule=rrule)


@wrong("runs", "rrule", got="NameError")
def pullback_raises():
    return sine(rrule=lambda x: (np.sin(x), lambda y_bar: (undefined * y_bar,)))  # noqa: F821


@wrong("runs", "frule", got="TypeError")
def frule_adds_none():
    f = lambda x, n: x**n
    frule = lambda p, t: (f(*p), p[1] * p[0] ** (p[1] - 1) * t[0] + t[1])
    return Rule(f, frule=frule, cases=[lambda rng: (rng.uniform(1, 2, 3), 2)])


@wrong("runs", "pullback", got="IndexError")
def pullback_raises_in_one_branch():
    return sine(pullback=lambda y, p, y_bar: (np.cos(p[0]) * y_bar,) if p[0][0] > 0 else (np.cos(p[3]) * y_bar,))


@wrong("runs", "rrule", got="ZeroDivisionError")
def thunk_raises():
    return sine(rrule=lambda x: (np.sin(x), lambda y_bar: (rb.thunk(lambda: 1 / 0),)))


# -- form


@wrong("form", "rrule", expected="a tuple of 2 cotangents, for a, b", got="a list")
def cotangents_in_a_list():
    return product(rrule=lambda a, b: (a * b, lambda y_bar: [y_bar * b, y_bar * a]))


@wrong("form", "pullback", expected="a tuple of 1 cotangent", got="a ndarray")
def cotangent_not_in_a_tuple():
    return sine(pullback=lambda y, p, y_bar: np.cos(p[0]) * y_bar)


@wrong("form", "rrule", expected="a tuple of 2 cotangents", got="a tuple of 1")
def one_cotangent_too_few():
    return product(rrule=lambda a, b: (a * b, lambda y_bar: (y_bar * b,)))


@wrong("form", "pullback", expected="a tuple of 2 cotangents", got="a tuple of 3")
def one_cotangent_too_many():
    return product(pullback=lambda y, p, y_bar: (None, y_bar * p[1], y_bar * p[0]))


@wrong("form", "rrule", expected=r"shape \(3,\)", got=r"shape \(\)", where="x_bar of a", do="project")
def cotangent_summed():
    return product(rrule=lambda a, b: (a * b, lambda y_bar: ((y_bar * b).sum(), y_bar * a)))


@wrong("form", "rrule", expected=r"shape \(\)", got=r"shape \(3,\)", where="x_bar of b", do="rb.project")
def broadcast_cotangent_not_summed():
    f = lambda a, b: a * b
    return Rule(f, rrule=lambda a, b: (a * b, lambda y_bar: (y_bar * b, y_bar * a)), cases=[lambda rng: (rng.normal(size=3), rng.normal())])


@wrong("form", "pushforward", expected=r"shape \(\)", got=r"shape \(3,\)", where="y_dot", do="shape of y")
def tangent_not_summed():
    return Rule(np.sum, pushforward=lambda y, p, t: t[0], cases=[vector])


@wrong("form", "rrule", expected="structure", where=r"x_bar of p")
def cotangent_of_other_structure():
    def rrule(p):
        return p["w"] * p["b"], lambda y_bar: ((y_bar * p["b"], y_bar * p["w"]),)

    return Rule(lambda p: p["w"] * p["b"], rrule=rrule, cases=[lambda rng: ({"w": rng.normal(size=3), "b": rng.normal(size=3)},)])


@wrong("form", "rrule", expected="structure {'w'.*'b'", got="structure {'w'", where=r"x_bar of p")
def cotangent_without_a_key():
    def rrule(p):
        return p["w"] * p["b"], lambda y_bar: ({"w": y_bar * p["b"]},)

    return Rule(lambda p: p["w"] * p["b"], rrule=rrule, cases=[lambda rng: ({"w": rng.normal(size=3), "b": rng.normal(size=3)},)])


@wrong("form", "frule", expected="structure", where="y_dot")
def tangent_of_other_structure():
    f = lambda x: (np.sin(x), np.cos(x))
    return Rule(f, frule=lambda p, t: (f(p[0]), [np.cos(p[0]) * t[0], -np.sin(p[0]) * t[0]]), cases=[vector])


@wrong("form", "frule", expected="dtype float32, as y", got="dtype float64", where="y_dot")
def tangent_of_other_dtype():
    def frule(p, t):
        return np.sin(p[0]), np.cos(p[0].astype(float)) * t[0]

    return Rule(np.sin, frule=frule, cases=[lambda rng: (rng.normal(size=3).astype(np.float32),)])


@wrong("form", "pushforward", expected="dtype float64, as y", got="dtype complex128", where="y_dot")
def complex_tangent_of_a_real_result():
    f = lambda z: np.abs(z) ** 2
    draw = lambda rng: (rng.normal(size=3) + 1j * rng.normal(size=3),)
    return Rule(f, pushforward=lambda y, p, t: 2 * np.conj(p[0]) * t[0], cases=[draw])


@wrong("form", "rrule", expected=r"\(y, pullback\)", got="a ndarray")
def no_pair():
    return sine(rrule=lambda x: np.sin(x))


@wrong("form", "frule", expected="y_dot", got="a list")
def pair_in_a_list():
    return sine(frule=lambda p, t: [np.sin(p[0]), np.cos(p[0]) * t[0]])


@wrong("form", "rrule", expected=r"\(y, pullback\)", got="ndarray", do=r"return \(y, pullback\)")
def pullback_is_no_function():
    return sine(rrule=lambda x: (np.sin(x), np.cos(x)))


@wrong("form", "rrule", expected=r"positional parameters \(a, b\)", got=r"\(a\)", where="its parameters")
def rule_without_an_argument():
    return product(rrule=lambda a: (a, lambda y_bar: (y_bar,)))


@wrong("form", "pullback", expected="the static 'n' as a keyword", where="its parameters", do=r"add \*, n")
def rule_without_a_static():
    def f(x, *, n=2):
        return x**n

    return Rule(f, pullback=lambda y, p, y_bar: (2 * p[0] * y_bar,), cases=[vector])


# -- no-tangent


@wrong("no-tangent", "rrule", expected="None, as int has no tangent", where="x_bar of n", do="return None")
def cotangent_of_an_integer():
    rrule = lambda x, n: (x**n, lambda y_bar: (n * x ** (n - 1) * y_bar, np.sum(y_bar)))
    return Rule(lambda x, n: x**n, rrule=rrule, cases=[lambda rng: (rng.uniform(1, 2, 3), int(rng.integers(2, 4)))])


@wrong("no-tangent", "pullback", expected="None, as int64 has no tangent", where="x_bar of at")
def cotangent_of_an_integer_array():
    def pullback(y, p, y_bar):
        x_bar = np.zeros_like(p[0])
        np.add.at(x_bar, p[1], y_bar)
        return x_bar, np.zeros(p[1].shape)

    return Rule(lambda x, at: x[at], pullback=pullback, cases=[lambda rng: (rng.normal(size=4), rng.integers(0, 4, 3))])


@wrong("no-tangent", "rrule", expected="None, as str has no tangent", where="x_bar of kind")
def cotangent_of_a_string():
    f = lambda x, kind: getattr(np, kind)(x)
    slope = {"sin": np.cos, "exp": np.exp}
    rrule = lambda x, kind: (f(x, kind), lambda y_bar: (slope[kind](x) * y_bar, 0.0))
    return Rule(f, rrule=rrule, cases=[lambda rng: (rng.normal(size=3), str(rng.choice(["sin", "exp"])))])


@wrong("no-tangent", "frule", expected="None, as int64 has no tangent", where=r"y_dot\[1\]")
def tangent_of_an_index():
    f = lambda x: (np.max(x), np.argmax(x))
    return Rule(f, frule=lambda p, t: (f(p[0]), (t[0][np.argmax(p[0])], np.zeros(()))), cases=[vector])


# -- primal


@wrong("primal", "rrule", where="y", do="compute y as the function does")
def primal_is_off_by_1e_9():
    return sine(rrule=lambda x: (np.sin(x) * (1 + 1e-9), lambda y_bar: (np.cos(x) * y_bar,)))


@wrong("primal", "frule", where="y")
def primal_is_another_function():
    f = lambda x: np.sqrt(x**2 + 1e-6)
    frule = lambda p, t: (np.abs(p[0]), p[0] / f(p[0]) * t[0])
    return Rule(f, frule=frule, cases=[vector])


@wrong("primal", "rrule", expected=r"shape \(3,\), float64", got=r"shape \(3,\), float32", where="y")
def primal_of_other_dtype():
    return sine(rrule=lambda x: (np.sin(x).astype(np.float32), lambda y_bar: (np.cos(x) * y_bar,)))


@wrong("primal", "frule", expected=r"shape \(1, 1\), float64", got=r"shape \(\), float64", where="y")
def primal_of_other_shape():
    f = lambda x: np.sum(x, keepdims=True).reshape(1, 1)
    return Rule(f, frule=lambda p, t: (np.sum(p[0]), f(t[0])), cases=[vector])


@wrong("primal", "rrule", expected="structure", got="structure", where="y")
def primal_of_other_structure():
    f = lambda x: (np.sin(x), np.cos(x))
    rrule = lambda x: ([*f(x)], lambda y_bar: (np.cos(x) * y_bar[0] - np.sin(x) * y_bar[1],))
    return Rule(f, rrule=rrule, cases=[vector])


@wrong("primal", "rrule", where=r"y\[1\]")
def integer_part_of_the_primal():
    f = lambda x: (np.max(x), np.argmax(x))

    def rrule(x):
        def pullback(y_bar):
            x_bar = np.zeros_like(x)
            x_bar[np.argmax(x)] = y_bar[0]
            return (x_bar,)

        return (np.max(x), np.argmin(x)), pullback

    return Rule(f, rrule=rrule, cases=[vector])


# -- differences-forward, differences-reverse


@wrong("differences-forward", "pushforward", where=r"y_dot\[\d\]", do="compare with the derivation")
def forward_sign():
    return Rule(np.cos, pushforward=lambda y, p, t: np.sin(p[0]) * t[0], cases=[vector])


@wrong("differences-forward", "frule", where=r"y_dot\[\d, 0\]")
def one_element_of_many():
    def frule(p, t):
        y_dot = np.cos(p[0]) * t[0]
        y_dot[p[0][:, 0] > 2, 0] *= 0.5
        return np.sin(p[0]), y_dot

    return Rule(np.sin, frule=frule, cases=[lambda rng: (rng.normal(size=(4, 2)),)])


@wrong("differences-forward", "pushforward", where="y_dot", got="nan", also=("zero",))
def nan_where_the_function_is_smooth():
    f = lambda x: np.sinc(x)

    def pushforward(y, p, t):
        with np.errstate(all="ignore"):
            return (np.cos(np.pi * p[0]) - y) / p[0] * t[0]

    return Rule(f, pushforward=pushforward, cases=[lambda rng: (np.where(rng.random(3) < 0.3, 0, rng.normal(size=3)),)])


@wrong("differences-forward", "pushforward", where="y_dot")
def static_ignored():
    def f(x, *, power=3):
        return x**power

    return Rule(f, pushforward=lambda y, p, t, *, power: 3 * p[0] ** 2 * t[0], cases=[rb.case(np.array([1.2, 0.7]))])


@wrong("differences-forward", "frule", where="y_dot", also=("differences-reverse",))
def both_directions_alike():
    f = lambda x: x**2
    return Rule(f, frule=lambda p, t: (f(p[0]), p[0] * t[0]), rrule=lambda x: (f(x), lambda y_bar: (x * y_bar,)), cases=[vector])


@wrong("differences-forward", "frule", where="y_dot")
def hidden_zero():
    """Where NotImplementedTangent would have been honest."""
    return Rule(lambda v, x: np.sin(v * x), frule=lambda p, t: (np.sin(p[0] * p[1]), p[0] * np.cos(p[0] * p[1]) * t[1]), cases=[pair])


@wrong("differences-reverse", "rrule", where="x_bar|<x_bar")
def reverse_factor():
    f = lambda x: 0.5 * np.sum(x**2)
    return Rule(f, rrule=lambda x: (f(x), lambda y_bar: (2 * x * y_bar,)), cases=[vector])


@wrong("differences-reverse", "pullback", where="x_bar|<x_bar")
def reverse_transpose():
    f = lambda a, x: a @ x
    pullback = lambda y, p, y_bar: (np.outer(y_bar, p[1]), p[0] @ y_bar)
    return Rule(f, pullback=pullback, cases=[lambda rng: (rng.normal(size=(3, 3)), rng.normal(size=3))])


@wrong("differences-reverse", "pullback", where="x_bar of b|<x_bar")
def hidden_zero_cotangent():
    return product(pullback=lambda y, p, y_bar: (y_bar * p[1], None))


@wrong("differences-reverse", "pullback", where="x_bar|<x_bar")
def conjugate_forgotten():
    draw = lambda rng: (rng.normal(size=3) + 1j * rng.normal(size=3),)
    return Rule(lambda z: z**2, pullback=lambda y, p, y_bar: (2 * p[0] * y_bar,), cases=[draw])


# -- duality


@wrong("duality", "rrule", expected=r"<y_bar, J x_dot> = .*, by the frule", got=r"<J\* y_bar, x_dot>", do="conjugate transpose")
def reverse_off_below_the_noise_of_differences():
    frule = lambda p, t: (np.sin(p[0]), np.cos(p[0]) * t[0])
    return sine(frule=frule, rrule=lambda x: (np.sin(x), lambda y_bar: (np.cos(x) * y_bar * (1 + 3e-11),)))


@wrong("duality", "pullback", got=r"<J\* y_bar, x_dot>")
def a_small_term_beside_a_large_one():
    """Differences of the sum cannot see the small term."""
    f = lambda a, b: 1e12 * np.sum(a**2) + np.sum(np.sin(b))
    pushforward = lambda y, p, t: 2e12 * p[0] @ t[0] + np.cos(p[1]) @ t[1]
    pullback = lambda y, p, y_bar: (2e12 * p[0] * y_bar, np.cos(p[1]) * y_bar * 1.001)
    return Rule(f, pushforward=pushforward, pullback=pullback, cases=[pair])


# -- linearity


@wrong("linearity", "pushforward", where=r"y_dot\[\d\]", do="exactly once")
def small_tangents_dropped():
    return sine(pushforward=lambda y, p, t: np.where(np.abs(t[0]) < 1e-6, 0, np.cos(p[0]) * t[0]))


@wrong("linearity", "rrule", where=r"x_bar of x\[\d\]")
def large_cotangents_clipped():
    return sine(rrule=lambda x: (np.sin(x), lambda y_bar: (np.cos(x) * np.clip(y_bar, -1e6, 1e6),)))


# -- zero


@wrong("zero", "pushforward", where="y_dot", do="multiply every term")
def zero_tangent_divided_by():
    def pushforward(y, p, t):
        size = np.sqrt(np.sum(t[0] ** 2))
        with np.errstate(all="ignore"):
            return np.cos(p[0]) * (t[0] / size) * size

    return sine(pushforward=pushforward)


@wrong("zero", "pullback", where="x_bar of x")
def tiny_offset():
    return sine(pullback=lambda y, p, y_bar: (np.cos(p[0]) * y_bar + 1e-300,))


@wrong("zero", "pullback", where="x_bar of x", also=("second-order",))
def a_missing_cotangent_ends_everything():
    @rb.primitive(name="both", cases=[vector])
    def both(x):
        return np.sin(x), np.cos(x)

    @rb.pullback(both, symbolic_zeros=True)
    def _(y, p, y_bar):
        if y_bar[1] is None:
            return (None,)
        return (-y[0] * y_bar[1] + (0 if y_bar[0] is None else y[1] * y_bar[0]),)

    return both


@wrong("zero", "frule", where="y_dot")
def missing_tangents_taken_for_ones():
    @rb.primitive(name="scaled", cases=[pair])
    def scaled(a, b):
        return a * b

    @rb.frule(scaled, symbolic_zeros=True)
    def _(p, t):
        if t[0] is None and t[1] is None:
            return p[0] * p[1], np.ones(3)
        terms = [other * dot for other, dot in zip(p[::-1], t, strict=True) if dot is not None]
        return p[0] * p[1], sum(terms)

    return scaled


# -- again


@wrong("again", "", where="y", expected="once more", do="deterministic", also=("*",))
def function_is_random():
    rng = np.random.default_rng(0)
    f = lambda x: x * (1 + 1e-3 * rng.random())
    return Rule(f, pushforward=lambda y, p, t: y / p[0] * t[0], cases=[vector])


@wrong("again", "pushforward", where="y_dot", also=("*",))
def unseeded_randomness_in_a_rule():
    rng = np.random.default_rng(0)
    return sine(pushforward=lambda y, p, t: np.cos(p[0]) * t[0] * (1 + 1e-9 * rng.random()))


@wrong("again", "rrule", where="x_bar of x", also=("*",))
def pullback_works_once():
    def rrule(x):
        slopes = [np.cos(x)]
        return np.sin(x), lambda y_bar: (slopes.pop() * y_bar if slopes else np.zeros_like(x),)

    return sine(rrule=rrule)


@wrong("again", "rrule", where="x_bar of x", also=("*",))
def pullback_accumulates():
    def rrule(x):
        total = np.zeros_like(x)

        def pullback(y_bar):
            total[...] += np.cos(x) * y_bar
            return (total.copy(),)

        return np.sin(x), pullback

    return sine(rrule=rrule)


@wrong("again", "rrule", where=r"x_bar of x\[\d\]", also=("*",))
def another_cotangent_between_is_mixed_in():
    def rrule(x):
        before = [np.zeros_like(x)]

        def pullback(y_bar):
            before.append(y_bar.copy())
            return (np.cos(x) * (y_bar + 1e-7 * (before[-2] - y_bar) * (len(before) > 2)),)

        return np.sin(x), pullback

    return sine(rrule=rrule)


@wrong("again", "frule", where=r"y_dot\[\d\]", also=("*",))
def first_call_differs():
    calls = itertools.count()
    return sine(frule=lambda p, t: (np.sin(p[0]), np.cos(p[0]) * t[0] * (1 + 1e-8 * (next(calls) == 0))))


# -- untouched


@wrong("untouched", "pullback", where="y_bar", expected="what was passed", got="in place", do="write into a copy")
def cotangent_overwritten():
    def pullback(y, p, y_bar):
        y_bar *= np.cos(p[0])
        return (y_bar.copy(),)

    return sine(pullback=pullback)


@wrong("untouched", "frule", where="the tangents", got="in place")
def tangent_overwritten():
    def frule(p, t):
        x_dot = t[0]
        x_dot *= np.cos(p[0])
        return np.sin(p[0]), x_dot.copy()

    return sine(frule=frule)


@wrong("untouched", "rrule", where="x", got="in place")
def argument_overwritten():
    def rrule(x):
        y = np.sin(x)
        np.cos(x, out=x)
        slope = x.copy()
        return y, lambda y_bar: (slope * y_bar,)

    return sine(rrule=rrule)


@wrong("untouched", "pushforward", where="y", got="in place")
def result_overwritten():
    def pushforward(y, p, t):
        y_dot = np.cos(p[0]) * t[0]
        y[...] = y_dot
        return y_dot

    return sine(pushforward=pushforward)


@wrong("untouched", "pullback", where="static weights", got="in place", also=("*",))
def static_array_overwritten():
    def f(x, *, weights):
        return x * weights

    def pullback(y, p, y_bar, *, weights):
        x_bar = y_bar * weights
        weights *= 2
        return (x_bar,)

    return Rule(f, pullback=pullback, cases=[lambda rng: rb.case(rng.normal(size=3), weights=rng.normal(size=3))])


@wrong("untouched", "pullback", where="static order", got="in place", also=("*",))
def static_list_changed():
    def f(x, *, order):
        return x[order]

    def pullback(y, p, y_bar, *, order):
        x_bar = y_bar[np.argsort(order)]
        order.reverse()
        return (x_bar,)

    return Rule(f, pullback=pullback, cases=[lambda rng: rb.case(rng.normal(size=3), order=rng.permutation(3).tolist())])


@wrong("untouched", "", where="x", got="in place")
def function_sorts_in_place():
    def f(x):
        x.sort()
        return x[::-1].copy()

    return Rule(f, pushforward=lambda y, p, t: t[0][np.argsort(p[0])][::-1], cases=[vector])


# -- residuals


@wrong("residuals", "rrule", where=r"x_bar of x\[\d\]", do="fresh arrays")
def stale_workspace():
    work = np.empty(3)

    def rrule(x):
        slope = work if x.shape == (3,) else np.empty(x.shape)
        np.cos(x, out=slope)
        return np.sin(x), lambda y_bar: (slope * y_bar,)

    return sine(rrule=rrule)


@wrong("residuals", "pullback", where="the cotangents", expected="as it was")
def result_buffer_shared():
    out: dict[Any, Any] = {}

    def pullback(y, p, y_bar):
        x_bar = out.setdefault(p[0].shape, np.empty(p[0].shape))
        np.multiply(np.cos(p[0]), y_bar, out=x_bar)
        return (x_bar,)

    return sine(pullback=pullback)


@wrong("residuals", "pushforward", where="y_dot")
def cache_keyed_by_identity():
    cache: dict[int, Any] = {}
    alive = []  # so that no identity is given twice by chance

    def pushforward(y, p, t):
        alive.append(p[0])
        return cache.setdefault(id(p[0]), np.cos(p[0])) * t[0]

    return sine(pushforward=pushforward)


@wrong("residuals", "rrule", where="x_bar of x")
def residual_of_the_latest_call():
    store = {}

    def rrule(x):
        store["x"] = x.copy()
        return np.sin(x), lambda y_bar: (np.cos(store["x"]) * y_bar,)

    return sine(rrule=rrule)


# -- thunks


@wrong("thunks", "rrule", where="x_bar of [ab]", do="bind what the thunk uses")
def thunks_share_a_variable():
    def rrule(a, b):
        factors = {}

        def pullback(y_bar):
            factors["y_bar"] = y_bar
            return rb.thunk(lambda: factors["y_bar"] * b), rb.thunk(lambda: factors["y_bar"] * a)

        return a * b, pullback

    return product(rrule=rrule)


# -- tangent-space


def symmetric(i, v):
    return (v + v.T) / 2


def symmetric_matrix(rng):
    a = rng.normal(size=(3, 3))
    return (a @ a.T + np.eye(3),)


@wrong("tangent-space", "pullback", where=r"x_bar of a\[\d, \d\]", do="project")
def cotangent_off_the_symmetric_matrices():
    f = lambda a: np.sum(np.triu(a))
    return Rule(f, pullback=lambda y, p, y_bar: (y_bar * np.triu(np.ones((3, 3))),), cases=[symmetric_matrix], tangent_space=symmetric)


@wrong("tangent-space", "rrule", where=r"x_bar of v\[\d\]")
def cotangent_off_the_sphere():
    """The function extends off the sphere, the rule is its ordinary gradient, and not the tangential part."""
    at = np.array([0.6, 0.0, 0.8])
    f = lambda v: np.sum(v**3)
    tangential = lambda i, v: v - at * (at @ v)
    return Rule(f, rrule=lambda v: (f(v), lambda y_bar: (3 * v**2 * y_bar,)), cases=[(at,)], tangent_space=tangential)


# -- points


@wrong("points", "", expected="a case to check at", got="none", do=r"cases=\[")
def no_cases():
    return Rule(np.sin, pushforward=lambda y, p, t: np.cos(p[0]) * t[0])


@wrong("points", "", expected="at least", got="raises ValueError", do="inside the domain")
def cases_outside_the_domain():
    def f(x):
        if (x < 0).any():
            raise ValueError("negative")
        return np.sqrt(x)

    return Rule(f, pushforward=lambda y, p, t: 0.5 / y * t[0], cases=[lambda rng: (-rng.uniform(1, 2, 3),)])


@wrong("points", "", expected="at least", got="no derivative", do="away from kinks")
def cases_on_a_kink():
    return Rule(np.abs, pushforward=lambda y, p, t: np.where(p[0] >= 0, 1, -1) * t[0], cases=[lambda rng: (np.zeros(3),)])

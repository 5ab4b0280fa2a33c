"""The mutation benchmark itself: are its right rules right, do its operators change what they say, does its oracle see it."""

from __future__ import annotations

import ast
import functools
import json
import time

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks.mutation.__main__ import main
from benchmarks.mutation.mutants import Mutant, changes, mutants, numbered
from benchmarks.mutation.oracle import CHANGED, EQUIVALENT, FAINT, HIDDEN, Oracle
from benchmarks.mutation.pool import Outcome, run
from benchmarks.mutation.report import Summary
from benchmarks.mutation.rights import subjects
from benchmarks.mutation.source import UnreadableError, parse, rebuild
from benchmarks.mutation.subject import Subject, has_tangent, normal, subject
from benchmarks.mutation.subjects import own
from benchmarks.mutation.worker import RIGHT, UNUSABLE, Original, examine
from rulebook import trees

# the right rules are right: differences of fourth order, and the pairing of both directions


def leaves(tree):
    return [np.asarray(v) for v in trees.leaves_of(tree) if has_tangent(v)]


def draw(leaf, rng):
    a = np.asarray(leaf)
    t = rng.standard_normal(a.shape) + (1j * rng.standard_normal(a.shape) if a.dtype.kind == "c" else 0)
    return t.astype(a.dtype)[()]


def tree_map(fn, tree, *others):
    flat, structure = trees.flatten(tree)
    rest = [trees.flatten(o)[0] if o is not None else [None] * len(flat) for o in others]
    return structure.unflatten(iter([fn(*group) for group in zip(flat, *rest, strict=True)]))


def tangents_of(parts, args, rng):
    relative = lambda x: draw(x, rng) * np.minimum(np.where(x == 0, 1.0, np.abs(x)), 1.0).astype(np.asarray(x).real.dtype)
    made = tuple(tree_map(lambda x: relative(x) if has_tangent(x) else None, a) for a in args)
    return made if parts.tangent_space is None else tuple(t if t is None else parts.tangent_space(i, t) for i, t in enumerate(made))


def moved(args, tangents, h):
    def leaf(x, t):
        return x if t is None else np.asarray(x).astype(np.result_type(np.asarray(x).dtype, np.float64)) + h * t

    flat, structure = trees.flatten(args)
    dots = trees.flatten_like(structure, tangents, lambda *a: ValueError(a))
    return structure.unflatten(iter([leaf(x, t) for x, t in zip(flat, dots, strict=True)]))


def difference(parts, point, args, tangents):
    h = 1e-3 if not parts.accuracy or parts.accuracy < 1e-11 else 1e-2
    at = lambda k: leaves(parts.f(*moved(args, tangents, k * h), **point.static))
    return [(8 * (b - a) - (d - c)) / (12 * h) for a, b, c, d in zip(at(-1), at(1), at(-2), at(2), strict=True)]


def pairing(bars, dots):
    products = [np.real(np.conj(a) * b) for a, b in zip(bars, dots, strict=True)]
    return sum(float(np.sum(p)) for p in products), sum(float(np.sum(np.abs(p))) for p in products)


@pytest.mark.parametrize("right", own(), ids=lambda s: s.name)
@np.errstate(all="ignore")
def test_the_right_rules_are_right(right):
    parts, rng, agreed = right.parts(), np.random.default_rng(0), 0
    for i in range(6):
        point = parts.point(i, rng)
        args = tuple(tree_map(lambda x: np.asarray(x)[()] if has_tangent(x) else x, a) for a in point.args)
        tangents = tangents_of(parts, args, rng)
        y = parts.f(*args, **point.static)
        if "frule" in parts.rules:
            y_rule, y_dot = parts.rules["frule"](args, tangents, **point.static)
            np.testing.assert_allclose(leaves(y_rule)[0], leaves(y)[0], rtol=1e-5 if leaves(y)[0].dtype == np.float32 else 1e-11)
        else:
            y_dot = parts.rules["pushforward"](y, args, tangents, **point.static)
        y_bar = tree_map(lambda v: draw(v, rng), y)
        if "rrule" in parts.rules:
            x_bar = parts.rules["rrule"](*args, **point.static)[1](y_bar)
        else:
            x_bar = parts.rules["pullback"](y, args, y_bar, **point.static)
        single = any(a.dtype == np.float32 for a in leaves(args))
        one, size = pairing(leaves(y_bar), leaves(y_dot))
        structure = trees.flatten(args)[1]
        flat = [trees.flatten_like(structure, t, lambda *a: ValueError(a)) for t in (x_bar, tangents)]
        thunks = [c.fn() if hasattr(c, "fn") else c for c in flat[0]]
        kept = [(c, t) for c, t in zip(thunks, flat[1], strict=True) if t is not None and not isinstance(c, type(None))]
        two, size_two = pairing(*zip(*kept, strict=True))
        assert abs(one - two) <= (1e-5 if single else max(1e-11, 1e3 * parts.accuracy)) * (size + size_two)
        estimate = difference(parts, point, args, tangents)
        near = [
            np.allclose(d, e, rtol=1e-4, atol=1e-4 * np.max(np.abs(e), initial=0.1)) for d, e in zip(leaves(y_dot), estimate, strict=True)
        ]
        agreed += all(near)
    assert agreed >= 4  # a step may cross a kink


def test_there_are_right_rules_of_all_forms_and_of_the_corpus():
    forms = {form for s in own() for form in s.parts().rules}
    assert forms == {"frule", "rrule", "pushforward", "pullback"}
    assert len(own()) >= 45
    assert len({s.name for s in subjects()}) == len(subjects()) > len(own())


# operators

CENTER = 2.0


def toy(x, w, *, power=2, axis=None):
    return np.sum(w * x**power, axis=axis)


def toy_frule(primals, tangents, *, power, axis):
    """Not to be changed."""
    x, w = primals
    y_dot = np.sum(w * power * x ** (power - 1) * tangents[0] + tangents[1] * x**power, axis=axis)
    return toy(x, w, power=power, axis=axis), y_dot


def toy_rrule(x, w, *, power, axis):
    xt = x.T.T

    def pullback(y_bar):
        if axis is not None:
            y_bar = np.expand_dims(y_bar, axis)
        total = np.zeros(3)
        np.add.at(total, [0], 0.0)
        for k in range(2):
            total += 0.0 * k
        return w * power * xt ** (power - 1) * y_bar, x[:] ** power * y_bar

    return toy(x, w, power=power, axis=axis), pullback


TOY = subject(toy, frule=toy_frule, rrule=toy_rrule, cases=(normal((3,), (3,)),))


@functools.cache
def toy_mutants():
    return tuple(mutants(TOY))


def diffs(operator, form):
    return [m.diff for m in toy_mutants() if m.operator == operator and m.form == form]


@pytest.mark.parametrize(
    ("operator", "form", "after"),
    [
        ("other operation", "frule", "w / power * x ** (power - 1) * tangents[0] + "),
        ("operand dropped", "frule", "y_dot = np.sum(tangents[1] * x ** power, axis=axis)"),
        ("operand negated", "frule", "np.sum(-(w * power * x ** (power - 1) * tangents[0]) + tangents[1]"),
        ("operands swapped", "frule", "(1 - power)"),
        ("exponent off by one", "frule", "x ** (power + 1), axis"),
        ("other constant", "frule", "tangents[2]"),
        ("other comparison", "rrule", "if axis is None:"),
        ("other option", "frule", "axis=None)"),
        ("other option", "frule", "axis=axis + 1)"),
        ("option ignored", "frule", "w * 2 * x ** (power - 1)"),
        ("other variable", "frule", "toy(w, w, power=power, axis=axis)"),
        ("other tangent", "frule", "primals[1] * x ** power"),
        ("unpacked in another order", "frule", "w, x = primals"),
        ("arguments swapped", "rrule", "np.expand_dims(axis, y_bar)"),
        ("sibling function", "frule", "np.mean("),
        ("call dropped", "rrule", "y_bar = y_bar"),
        ("transpose or part dropped", "rrule", "xt = x.T"),
        ("index off by one", "rrule", "x[1:] ** power"),
        ("one turn less", "rrule", "for k in range(2 - 1):"),
        ("loop left or not left", "rrule", "break"),
        ("scatter without repeats", "rrule", "total[[0]] += 0.0"),
        ("other update", "rrule", "total -= 0.0 * k"),
        ("branch forced", "rrule", "y_bar = np.expand_dims(y_bar, axis)"),
        ("statement deleted", "rrule", "pass"),
        ("result misplaced", "rrule", "return (x[:] ** power * y_bar, w * power * xt ** (power - 1) * y_bar)"),
        ("result left out", "rrule", "return (None, x[:] ** power * y_bar)"),
        ("result left out", "frule", "_zeros(y_dot)"),
        ("precision lost or gained", "frule", "_single(y_dot)"),
        ("precision lost on the way", "rrule", "xt = _single(x.T.T)"),
        ("residual of an earlier call", "rrule", "xt = _keep("),
        ("result of an earlier call", "frule", "_reuse("),
        ("argument changed in place", "rrule", "_imul(w, power)"),
    ],
)
def test_operators_change_what_they_say(operator, form, after):
    found = diffs(operator, form)
    assert any(after in d for d in found), "\n".join(found)


def test_each_mutant_differs_from_the_original_and_from_the_others():
    made = toy_mutants()
    texts = [(m.form, m.source) for m in made]
    assert len(texts) == len(set(texts)) > 150
    assert all("Not to be changed" in m.source for m in made if m.form == "frule")
    assert all(m.source != m.original for m in made)


def test_every_operator_is_used():
    from benchmarks.mutation.operators import EXPRESSIONS, STATEMENTS

    chosen = [
        s
        for s in own()
        if s.name.split(".")[1] in {"logsumexp", "eigvalsh", "rotate", "spherical", "cumprod", "leaky", "legendre", "convolve", "solve"}
    ]
    seen = {m.operator for s in [*chosen, TOY] for m in mutants(s)}
    assert {name for name, _, _ in (*EXPRESSIONS, *STATEMENTS)} - seen <= {"and for or"}


def test_trees_do_not_share_what_is_changed():
    first, second = list(changes(TOY)), list(changes(BY_NAME["elementwise.leaky"]))
    texts = [c.mutant().source for c in first]
    assert [c.mutant().source for c in changes(TOY)] == texts
    assert all("leaky" in c.mutant().source for c in second)


def test_nodes_are_numbered_from_the_top():
    tree = ast.parse("a + b * c").body[0]
    assert numbered(tree) == tree.last == 5  # the statement, two operations, three names
    assert tree.value.right.number <= tree.value.right.left.number <= tree.value.right.last


# from a source back to a function


def make_closed(factor):
    state = [factor]

    def rule(x, *, shift=1.0):
        state.append(x)
        return state[0] * x + shift + CENTER

    return rule, (lambda y, primals: y * factor), state


def test_a_function_is_put_together_again_with_its_surroundings():
    rule, short, state = make_closed(3.0)
    again = rebuild(ast.unparse(parse(rule)).replace("+ shift", "- shift"), rule, {})
    assert again(2.0) == 7.0
    assert again(2.0, shift=0.0) == 8.0
    assert state == [3.0, 2.0, 2.0]
    assert rebuild(ast.unparse(parse(short)).replace("*", "+"), short, {})(1.0, ()) == 4.0


def test_what_has_no_source_is_left_out():
    with pytest.raises(UnreadableError, match="no Python function"):
        parse(np.sin)
    made: dict = {}
    exec("def f(x):\n    return x", made)
    with pytest.raises(UnreadableError):
        parse(made["f"])
    assert list(mutants(subject(np.sin, pullback=np.sin, cases=()))) == [] if hasattr(np.sin, "__module__") and np.sin.__module__ else True


# the oracle


def judge(right, form, change, n=20):
    parts = right.parts()
    source = ast.unparse(parse(parts.rules[form]))
    before, after = change
    assert before in source
    mutant = Mutant(right.name, form, "by hand", source.replace(before, after), source)
    return Oracle(right, form, n).judge(mutant.function(parts))


BY_NAME = {s.name: s for s in own()}


@pytest.mark.parametrize(
    ("name", "form", "before", "after"),
    [
        ("elementwise.huber", "rrule", "<= delta", "< delta"),
        ("elementwise.huber", "rrule", "delta * np.sign(x)", "delta / np.sign(x)"),
        ("elementwise.softplus", "pullback", "y_bar * np.exp(x - y)", "y_bar / np.exp(y - x)"),
        ("linalg.cholesky", "rrule", "(p + p.T) / 2", "0.5 * p.T + p / 2"),
        ("linalg.solve", "rrule", "np.linalg.solve(a.T, x_bar)", "np.linalg.inv(a).T @ x_bar"),
        ("arrays.take", "rrule", "return (x_bar, None)", "return (x_bar, np.zeros(index.shape))"),
        ("models.integer_power", "rrule", "np.zeros_like(y_bar), None", "None, None"),
        ("elementwise.hypot", "pullback", "y_bar * b / y", "_double(y_bar * b / y)"),
        ("reductions.rms_norm", "rrule", "scale,)", "scale.astype(float),)"),
        ("signals.modulus", "pullback", "y_bar * z / y", "z * (y_bar / y)"),
    ],
)
def test_what_is_right_in_another_way_is_equivalent(name, form, before, after):
    verdict = judge(BY_NAME[name], form, (before, after))
    assert verdict.kind == EQUIVALENT, verdict


@pytest.mark.parametrize(
    ("name", "form", "before", "after", "where"),
    [
        ("elementwise.huber", "rrule", "small = np.abs(x) <= delta", "small = _keep(1, np.abs(x) <= delta)", "elsewhere"),
        ("elementwise.softplus", "pullback", "y_bar * np.exp(x - y)", "_imul(y_bar, np.exp(x - y))", "keeps its arguments: False"),
        ("elementwise.softplus", "pullback", "y_bar * np.exp(x - y)", "_reuse(1, y_bar * np.exp(x - y))", "later"),
        ("elementwise.leaky", "pullback", "factor * y_bar", "_single(factor * y_bar)", "differs by"),
        ("elementwise.leaky", "pullback", "factor * y_bar", "_without_last(factor * y_bar)", "differs by 1.0e+00"),
        ("elementwise.leaky", "pullback", "factor * y_bar", "factor * y_bar + 1e-13", "differs by"),
        ("elementwise.leaky", "pullback", "factor * y_bar", "factor", "differs by"),
        ("elementwise.huber", "frule", "huber(x, delta=delta)", "_single(huber(x, delta=delta))", "float32"),
        ("elementwise.huber", "rrule", "huber(x, delta=delta)", "_reuse(1, huber(x, delta=delta))", "y, later"),
        ("linalg.solve", "rrule", "a.T", "a", "differs by"),
        ("arrays.take", "rrule", "None", "y_bar", "something"),
        ("models.perceptron", "rrule", "'w2'", "'w3'", "raises KeyError"),
    ],
)
def test_what_is_wrong_is_seen(name, form, before, after, where):
    verdict = judge(BY_NAME[name], form, (before, after))
    assert verdict.kind == CHANGED
    assert where in verdict.where


def test_what_only_the_accuracy_hides_is_told_apart():
    dottie = BY_NAME["solvers.dottie"]
    assert judge(dottie, "rrule", ("(1 + a * s)", "(1.000000001 + a * s)")).kind == HIDDEN
    assert judge(dottie, "rrule", ("(1 + a * s)", "(1.01 + a * s)")).kind == CHANGED


def test_what_is_barely_more_than_rounding_is_told_apart():
    sinc = BY_NAME["elementwise.sinc"]
    assert judge(sinc, "frule", ("x ** 5 / 840", "x ** 5 / 850"), 60).kind == FAINT
    assert judge(sinc, "frule", ("x ** 5 / 840", "x ** 5 / 20")).kind == CHANGED


def clamp(x):
    return np.maximum(x, 0.0)


def clamp_pullback(y, primals, y_bar):
    return (np.where(primals[0] > 0, y_bar, 0.0),)


def flat(x):
    return np.where(x == 0, 1.0, np.sin(x) / np.where(x == 0, 1.0, x))


def flat_pullback(y, primals, y_bar):
    (x,) = primals
    safe = np.where(x == 0, 1.0, x)
    return (np.where(x == 0, 0.0, np.cos(x) / safe - np.sin(x) / safe**2) * y_bar,)


def test_at_a_kink_both_sides_are_right_and_elsewhere_only_one_value_is():
    zeros = (lambda rng: (rng.integers(-1, 2, 5) * rng.uniform(0.5, 1.0, 5),),)
    assert judge(subject(clamp, pullback=clamp_pullback, cases=zeros), "pullback", ("> 0", ">= 0")).kind == EQUIVALENT
    assert judge(subject(flat, pullback=flat_pullback, cases=zeros), "pullback", ("x == 0, 0.0", "x == 0, 0.5")).kind == CHANGED


def graded(x):
    return x**2


def graded_pullback(y, primals, y_bar):
    return (2 * primals[0] * y_bar,)


def test_a_small_element_beside_a_large_one_is_compared_by_its_own_size():
    scales = (lambda rng: (np.array([1e12, 1.0, 1e-12]) * rng.uniform(1, 2, 3),),)
    right = subject(graded, pullback=graded_pullback, cases=scales)
    assert judge(right, "pullback", ("2 * primals[0] * y_bar", "(2 * primals[0] + 1e-20) * y_bar")).kind == CHANGED


def test_explicit_cases_are_moved_within_their_space():
    space = lambda i, t: (t + t.T) / 2
    right = subject(graded, pullback=graded_pullback, cases=[(np.diag([1.0, 2.0, 3.0]) + 1.0,)], tangent_space=space)
    rng = np.random.default_rng(0)
    points = [right.parts().point(0, rng).args[0] for _ in range(20)]
    assert len({p.tobytes() for p in points}) > 5
    assert all(np.array_equal(p, p.T) for p in points)
    assert (
        judge(
            subject(graded, pullback=graded_pullback, cases=[(np.ones(2),)]), "pullback", ("2 * primals[0]", "_keep(1, 2 * primals[0])")
        ).kind
        == CHANGED
    )


# running


def test_a_mutant_that_is_no_function_is_set_aside():
    leaky = BY_NAME["elementwise.leaky"]
    said = []
    broken = Mutant(leaky.name, "pullback", "by hand", "def f(:", "")
    examine(leaky, broken, Oracle(leaky, "pullback", 3), 0, False, lambda stage, found: said.append((stage, found["kind"])))
    assert said == [("done", UNUSABLE)]


def test_an_endless_mutant_is_stopped_and_the_next_one_runs():
    original = "def leaky_pullback(y, primals, y_bar, *, slope):\n    return (y_bar,)"
    endless = original.replace("return", "while True:\n        pass\n    return")
    made = [Mutant("elementwise.leaky", "pullback", "by hand", text, original) for text in (endless, original)]
    heard: list[Outcome] = []
    start = time.monotonic()
    first, second = run(made, workers=1, limit=3.0, points=20, done=heard.append)
    assert (first.kind, first.out_of_time) == ("", "oracle")
    assert (second.kind, second.killed, second.out_of_time) == (CHANGED, True, "")
    assert second.laws
    assert heard == [second]
    assert time.monotonic() - start >= 3.0


def test_the_numbers_of_a_run():
    mutant = Mutant("a.b", "rrule", "other constant", "def f(x):\n    return 2", "def f(x):\n    return 1")
    outcomes = [
        Outcome(mutant, kind=CHANGED, killed=True, seconds=0.1),
        Outcome(mutant, kind=CHANGED, killed=True, seconds=0.3),
        Outcome(mutant, kind=CHANGED, killed=False, where="y_dot"),
        Outcome(mutant, kind=CHANGED, out_of_time="checker"),
        Outcome(mutant, out_of_time="oracle"),
        Outcome(mutant, kind=EQUIVALENT, killed=True, text="a law"),
        Outcome(mutant, kind=HIDDEN),
        Outcome(mutant, kind=FAINT, killed=True),
        Outcome(mutant, kind=UNUSABLE),
    ]
    rights = [
        Outcome(Original("a.b"), RIGHT, seconds=0.2, killed=False),
        Outcome(Original("a.c"), RIGHT, seconds=0.4, killed=True, text="the finding"),
    ]
    summary = Summary([*rights, *outcomes])
    numbers = summary.numbers()
    assert numbers["kill rate"] == pytest.approx(2 / 3)
    assert [numbers[k] for k in ("changed", "killed", "equivalent", "endless", "out of time in the checker")] == [3, 2, 1, 1, 1]
    assert numbers["median seconds, killed"] == pytest.approx(0.2)
    assert numbers["median seconds, right"] == pytest.approx(0.3)
    text = summary.text()
    assert "survivor: rrule of a.b, other constant\n- return 1\n+ return 2\n  y_dot" in text
    assert "equivalent but refused" in text
    assert "right rule refused: a.c\nthe finding" in text
    assert json.loads(json.dumps(summary.to_dict()))["numbers"]["mutants"] == 9


def test_the_command(capsys, tmp_path):
    file = tmp_path / "out.json"
    status = main(["--only", "elementwise.leaky", "--limit", "4", "--workers", "1", "--points", "20", "--json", str(file)])
    assert status == 0
    assert "kill rate" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert found["numbers"]["mutants"] == 4
    assert [r["killed"] for r in found["rights"]] == [False]


def test_subjects_get_fresh_state():
    made = []
    right = Subject("counted", lambda: made.append(1) or {"f": clamp, "pullback": clamp_pullback, "cases": normal((2,))})
    first, second = right.parts(), right.parts()
    assert first is not second
    assert len(made) == 2
    assert first.point(0, np.random.default_rng(0)).args[0].shape == (2,)

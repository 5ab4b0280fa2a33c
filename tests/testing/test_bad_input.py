"""Odd functions, cases and rules: each ends in a report that says what to do, never in an error of the checker."""

import itertools
import json
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest

import rulebook as rb
from rulebook.errors import RuleCheckError, RuleMissingError, RuleSignatureError
from rulebook.testing import Rule, check_frule, check_rrule, check_rules, runner
from rulebook.testing.report import Report


def vector(rng):
    return (rng.normal(size=3),)


def sine(f=np.sin, cases=(vector,), **rules):
    if not rules:
        rules = {"pushforward": lambda y, p, t: np.cos(p[0]) * t[0], "pullback": lambda y, p, y_bar: (np.cos(p[0]) * y_bar,)}
    return Rule(f, cases=list(cases), **rules)


def report_of(rule, *args, **options):
    """The report, which can be printed and written as JSON."""
    report = check_rules(rule, *args, raise_=False, **options)
    assert isinstance(report, Report)
    assert report.name in str(report)
    json.dumps(report.to_dict())
    for finding in report.findings:
        assert finding.do and finding.expected and finding.got
    return report


def found(rule, law, *args, got="", do="", **options):
    """The one finding of a report."""
    report = report_of(rule, *args, **options)
    assert [finding.law for finding in report.findings] == [law], str(report)
    finding = report.findings[0]
    assert re.search(got, finding.got), finding.got
    assert re.search(do, finding.do), finding.do
    return finding


# -- cases


def test_an_option_of_the_function_that_the_check_has_too():
    f = rb.primitive(lambda x, *, seed: x * seed, name="seeded", cases=[rb.case(2.0, seed=3)])
    rb.pushforward(f)(lambda y, primals, tangents, *, seed: tangents[0] * seed)
    rb.pullback(f)(lambda y, primals, y_bar, *, seed: (y_bar * seed,))
    found(f, "points", 2.0, seed=3, got="static 'seed'", do=r"give the call as cases=\[rb.case\(..., seed=...\)\], for seed= here")
    assert check_rules(f).ok


# -- functions


def test_function_that_always_raises():
    def f(x):
        raise OSError("no such file")

    found(sine(f), "points", got=r"0 of 1[23]\d .*OSError: .*no such file", do="inside the domain")


def test_function_that_raises_at_some_points():
    def f(x):
        if x[0] < 0:
            raise ValueError("negative")
        return np.sin(x)

    report = report_of(sine(f))
    assert report.ok
    assert 50 < report.left_out < 150
    note = next(note for note in report.notes if note.kind == "left out")
    assert "ValueError" in note.text and note.count == report.left_out


def test_function_that_raises_next_to_its_points():
    def f(x):
        if (x != 1).any():
            raise ValueError("not one")
        return np.sin(x)

    found(sine(f, cases=[(np.ones(3),)]), "points", do="inside the domain")


def test_function_that_gives_nan_everywhere():
    found(sine(lambda x: x * np.nan), "points", got=r"0 of 1[23]\d .*not finite", do="inside the domain")


def test_function_that_gives_infinity_at_one_element():
    with np.errstate(all="ignore"):
        f = lambda x: np.where(np.arange(3) == 1, np.inf, np.sin(x))
        push = lambda y, p, t: np.where(np.arange(3) == 1, 0, np.cos(p[0])) * t[0]
        assert report_of(Rule(f, pushforward=push, cases=[vector])).ok


def test_function_that_is_random():
    rng = np.random.default_rng(3)
    report = report_of(sine(lambda x: np.sin(x) + rng.random(3)))
    assert report.findings[0].law == "again"
    assert "pass a seed or a numpy.random.Generator" in report.findings[0].do


def test_function_that_raises_now_and_then():
    rng = np.random.default_rng(1)

    def f(x):
        if rng.random() < 0.3:
            raise RuntimeError("busy")
        return np.sin(x)

    finding = report_of(sine(f)).findings[0]
    assert (finding.law, finding.got) == ("again", "nothing")


def test_function_whose_result_changes_its_shape():
    calls = itertools.count()
    assert report_of(sine(lambda x: np.sin(x)[: 2 + next(calls) % 2])).findings


def test_function_that_returns_none():
    report = report_of(sine(lambda x: None))
    assert report.findings or report.notes


def test_function_that_returns_an_object():
    report = report_of(Rule(lambda x: SimpleNamespace(x=x), pushforward=lambda y, p, t: None, cases=[vector]))
    assert isinstance(report, Report)


def test_function_that_returns_a_generator():
    report = report_of(Rule(lambda x: (v for v in x), pushforward=lambda y, p, t: None, cases=[vector]))
    assert isinstance(report, Report)


def test_function_that_returns_a_string():
    report = report_of(Rule(lambda x: str(x), pushforward=lambda y, p, t: None, cases=[vector]))
    assert isinstance(report, Report)
    found(Rule(lambda x: str(x), pushforward=lambda y, p, t: t[0], cases=[vector]), "no-tangent", do="return None")


def test_function_that_exits():
    def f(x):
        raise SystemExit(3)

    found(sine(f), "points", got="SystemExit", do="inside the domain")


def test_function_that_recurses_for_ever():
    def f(x):
        return f(x)

    found(sine(f), "points", got="RecursionError", do="inside the domain")


def test_interrupt_of_the_user_ends_the_check():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_rules(sine(f))


# -- time


def slow(clock, monkeypatch):
    """The sine, that takes a second by a clock of its own."""
    now = itertools.count() if clock is None else clock
    monkeypatch.setattr(runner, "time", SimpleNamespace(perf_counter=lambda: float(now[0]), process_time=lambda: float(now[0])))

    def f(x):
        now[0] += 1.0
        return np.sin(x)

    return sine(f)


def test_slow_function_is_checked_at_fewer_points(monkeypatch):
    report = report_of(slow([0.0], monkeypatch), budget=1e6)
    assert report.ok
    note = next(note for note in report.notes if note.kind == "shortened")
    assert re.fullmatch(r"the function is slow: \d+ of 1[23]\d points were spared", note.text)
    assert report.points >= 16


def test_budget_that_runs_out_is_told(monkeypatch):
    report = report_of(slow([0.0], monkeypatch), budget=100.0)
    assert report.ok
    note = next(note for note in report.notes if note.kind == "unchecked")
    assert re.search(r"\d+ points, as the budget of 100 s ran out", note.text)
    assert not report_of(slow([0.0], monkeypatch), budget=100.0, strict=True).ok


def test_budget_that_runs_out_before_the_first_point():
    report = report_of(sine(), budget=0.0)
    assert [finding.law for finding in report.findings] == ["points"] or not report.points
    assert any(note.kind == "unchecked" for note in report.notes)
    with pytest.raises(RuleCheckError, match="budget"):
        check_rules(sine(), budget=0.0, strict=True)


def test_budget_is_kept_by_a_function_that_sleeps():
    def f(x):
        time.sleep(0.01)
        return np.sin(x)

    began = time.perf_counter()
    report = report_of(sine(f), budget=0.3)
    assert time.perf_counter() - began < 20  # one point may take longer than the budget, all of them would take minutes
    assert "unchecked" in {note.kind for note in report.notes}


# -- cases


def test_no_cases():
    found(sine(cases=[]), "points", got="none", do=r"pass arguments, or give cases=\[rb\.case")


def test_case_that_is_not_there():
    found(sine(), "points", case=7, got="none", do="cases")


def test_case_function_that_raises():
    def draw(rng):
        raise KeyError("missing")

    found(sine(cases=[draw]), "points", got="case 0: KeyError: .*missing", do=r"return a tuple of arguments or rb\.case")


def test_case_function_that_takes_no_generator():
    found(sine(cases=[lambda: (np.ones(3),)]), "points", got="case 0: TypeError", do="return a tuple of arguments")


@pytest.mark.parametrize("nonsense", ["abc", {"x": 1.0}, object(), 3, [1.0, 2.0], range(3)], ids=lambda v: type(v).__name__)
def test_case_function_that_returns_something_else(nonsense):
    """It is taken for a single argument, which the function or the rule then refuses."""
    report = report_of(sine(cases=[lambda rng: nonsense]))
    assert [finding.law for finding in report.findings] in (["points"], ["runs"], ["form"])


def test_case_function_that_returns_none():
    assert report_of(sine(cases=[lambda rng: None])).findings[0].law == "points"


def test_case_of_too_many_arguments():
    def f(x):
        return np.sin(x)

    found(sine(f, cases=[(np.ones(3), np.ones(3))]), "points", got="case 0: .*", do="return a tuple of arguments")


def test_case_with_an_unknown_static():
    def f(x, *, n=1):
        return np.sin(x)

    rule = Rule(f, pushforward=lambda y, p, t, *, n: np.cos(p[0]) * t[0], cases=[rb.case(np.ones(3), m=2)])
    found(rule, "points", got="case 0: .*", do="return a tuple of arguments")


def test_one_case_that_is_not_a_list():
    assert report_of(Rule(np.sin, pushforward=lambda y, p, t: np.cos(p[0]) * t[0], cases=vector)).ok


def test_case_that_is_one_array():
    assert report_of(sine(cases=[np.array([0.1, 0.7])])).ok


def test_case_that_changes_with_the_call():
    """A case function that ignores its generator is drawn from all the same."""
    rng = np.random.default_rng(0)
    assert report_of(sine(cases=[lambda _: (rng.normal(size=3),)])).ok


# -- what a rule returns


class Node:
    def __init__(self):
        self.child = self


def loop():
    made = []
    made.append(made)
    return made


LOOP = ["recursive list"]
RETURNED = {
    "string": "abc",
    "bytes": b"abc",
    "set": {1.0},
    "dict": {},
    "empty tuple": (),
    "list": [1.0, 2.0, 3.0],
    "nested": (((1.0,),),),
    "object": object(),
    "recursive object": Node(),
    "recursive list": loop(),
    "class": Node,
    "function": np.sin,
    "generator": (i for i in range(3)),
    "iterator": iter([1.0]),
    "object array": np.array([None, 1, "a"], dtype=object),
    "string array": np.array(["a", "b", "c"]),
    "dates": np.array(["2020-01-01"] * 3, dtype="datetime64[D]"),
    "record": np.zeros(3, dtype=[("a", float)]),
    "boolean array": np.ones(3, bool),
    "wide array": np.ones((100, 100)),
    "masked": np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]),
    "matrix row": np.ones((1, 3)),
    "NaN": np.full(3, np.nan),
    "infinity": np.inf,
    "huge integer": 10**400,
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "range": range(3),
    "exception": ValueError("x"),
    "thunk of a thunk": rb.thunk(lambda: rb.thunk(lambda: np.ones(3))),
    "thunk of a string": rb.thunk(lambda: "abc"),
    "no tangent class": rb.NoTangent,
}


@pytest.mark.parametrize("kind", ["frule", "pushforward", "rrule", "pullback"])
@pytest.mark.parametrize("what", [what for what in RETURNED if what != "recursive list"])
def test_returned_by_a_rule(what, kind):
    value = RETURNED[what]
    rules = {
        "frule": lambda p, t: value,
        "pushforward": lambda y, p, t: value,
        "rrule": lambda x: value,
        "pullback": lambda y, p, y_bar: value,
    }
    report = report_of(sine(**{kind: rules[kind]}))
    assert report.findings
    assert report.findings[0].rule.startswith(f"{kind} of")


@pytest.mark.parametrize("kind", ["frule", "rrule", "y of frule", "y of rrule", "pullback"])
@pytest.mark.parametrize("what", [what for what in RETURNED if what != "recursive list"] + LOOP)
def test_returned_inside_what_a_rule_returns(what, kind):
    value = RETURNED[what]
    rules = {
        "frule": ("frule", lambda p, t: (np.sin(p[0]), value)),
        "rrule": ("rrule", lambda x: (np.sin(x), lambda y_bar: (value,))),
        "y of frule": ("frule", lambda p, t: (value, np.cos(p[0]) * t[0])),
        "y of rrule": ("rrule", lambda x: (value, lambda y_bar: (np.cos(x) * y_bar,))),
        "pullback": ("pullback", lambda y, p, y_bar: (value,)),
    }
    name, rule = rules[kind]
    report = report_of(sine(**{name: rule}))
    assert report.findings
    assert report.findings[0].rule.startswith(f"{name} of")


def test_none_from_a_rule_of_a_constant_is_right():
    assert report_of(Rule(lambda x: np.ones(3), frule=lambda p, t: (np.ones(3), None), cases=[vector])).ok


@pytest.mark.parametrize("kind", ["frule", "pushforward", "rrule", "pullback"])
def test_none_from_a_rule(kind):
    rules = {"frule": lambda p, t: None, "pushforward": lambda y, p, t: None, "rrule": lambda x: None, "pullback": lambda y, p, y_bar: None}
    assert report_of(sine(**{kind: rules[kind]})).findings


@pytest.mark.parametrize("pullback", [None, 1.0, "abc", (lambda y_bar: y_bar,), np.ones(3)], ids=lambda v: type(v).__name__)
def test_pullback_that_is_not_callable(pullback):
    found(sine(rrule=lambda x: (np.sin(x), pullback)), "form", got=r"\(y, a ", do=r"return \(y, pullback\)")


def test_pullback_that_is_a_generator_function():
    def pullback(y_bar):
        yield np.ones(3)

    found(sine(rrule=lambda x: (np.sin(x), pullback)), "form", got="generator")


def test_rule_that_is_a_generator_function():
    def rrule(x):
        yield np.sin(x)

    found(sine(rrule=rrule), "form", got="generator", do=r"return \(y, pullback\)")


def test_pullback_without_parameters():
    found(sine(rrule=lambda x: (np.sin(x), lambda: (np.ones(3),))), "runs", got="TypeError")


# -- what a rule raises


ERRORS = [
    KeyError("w"),
    ValueError(),
    RecursionError("deep"),
    SystemExit(2),
    StopIteration(),
    MemoryError(),
    AssertionError("no"),
    NotImplementedError("later"),
    FloatingPointError("x" * 5000),
    OSError(2, "no such file"),
    UnicodeDecodeError("utf-8", b"a", 0, 1, "bad"),
    DeprecationWarning("old"),
    RuleSignatureError("which", "expected", "got", "do this"),
    RuleCheckError("anything"),
    ExceptionGroup("many", [ValueError("a")]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("where", ["frule", "rrule", "pullback", "thunk"])
def test_raised_by_a_rule(error, where):
    def fail(*args):
        raise error

    rules = {
        "frule": {"frule": fail},
        "rrule": {"rrule": lambda x: fail()},
        "pullback": {"rrule": lambda x: (np.sin(x), fail)},
        "thunk": {"rrule": lambda x: (np.sin(x), lambda y_bar: (rb.thunk(fail),))},
    }
    report = report_of(sine(**rules[where]))
    assert [finding.law for finding in report.findings] in (["runs"], ["form"])
    assert len(report.findings[0].got) < 400


def test_rule_that_recurses_for_ever():
    def rrule(x):
        return rrule(x)

    found(sine(rrule=rrule), "runs", got="RecursionError")


def test_rule_that_raises_an_error_that_cannot_be_printed():
    class Odd(Exception):
        def __str__(self):
            raise ValueError("no text")

    def rrule(x):
        raise Odd

    found(sine(rrule=rrule), "runs", got="Odd")


def test_rule_that_warns():
    import warnings

    def pullback(y, p, y_bar):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return (np.cos(p[0]) * y_bar,)

    assert report_of(sine(pullback=pullback)).ok


def test_rule_that_calls_a_missing_rule():
    def rrule(x):
        raise RuleMissingError("which", "a rule", "none", "write one")

    report = report_of(sine(rrule=rrule))
    assert report.findings or report.notes


# -- parameters of rules


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("frule", lambda p: None),
        ("frule", lambda: None),
        ("pushforward", lambda p, t: None),
        ("pullback", lambda y, p, y_bar, more: None),
        ("pullback", lambda *, y: None),
        ("rrule", lambda x, y: None),
        ("rrule", lambda: None),
    ],
)
def test_wrong_parameters(kind, rule):
    def f(x):
        return np.sin(x)

    finding = found(sine(f, **{kind: rule}), "form")
    assert finding.argument == "its parameters"


@pytest.mark.parametrize("kind", ["frule", "pushforward", "pullback", "rrule"])
def test_rule_that_is_no_function(kind):
    with pytest.raises(RuleSignatureError, match=f"(?s){kind} of .*pass the rule itself"):
        Rule(np.sin, **{kind: 3})


def test_rule_that_is_a_builtin_or_a_callable_object():
    class Pull:
        def __call__(self, y, primals, y_bar):
            return (np.cos(primals[0]) * y_bar,)

    assert report_of(sine(pullback=Pull())).ok
    assert report_of(Rule(np.negative, pushforward=lambda y, p, t: np.negative(*t), cases=[vector])).ok
    assert report_of(sine(frule=max)).findings


# -- functions that cannot be called


@pytest.mark.parametrize("f", [3, "sin", None])
def test_neither_primitive_nor_rule(f):
    with pytest.raises(RuleSignatureError, match=r"a primitive or a rulebook\.testing\.Rule"):
        check_rules(f)


def test_function_without_rules():
    with pytest.raises(RuleMissingError, match=r"write one with @rb\.frule"):
        check_rules(Rule(np.sin, cases=[vector]))
    with pytest.raises(RuleMissingError, match="a reverse rule"):
        check_rrule(Rule(np.sin, frule=lambda p, t: None, cases=[vector]))
    with pytest.raises(RuleMissingError, match="a forward rule"):
        check_frule(Rule(np.sin, rrule=lambda x: None, cases=[vector]))


def test_unknown_law():
    with pytest.raises(RuleSignatureError, match=r"(?s)a law among .*duality.*'dualty'"):
        check_rules(sine(), only=["dualty"])
    with pytest.raises(RuleSignatureError, match="a law among"):
        check_rules(sine(), without={"anything": "why"})


# -- arguments of every kind


def test_zero_size_arrays():
    assert report_of(sine(cases=[(np.zeros(0),), (np.zeros((0, 3)),)])).ok


def test_zero_size_result_of_a_nonempty_argument():
    rule = Rule(lambda x: x[:0], pushforward=lambda y, p, t: t[0][:0], pullback=lambda y, p, y_bar: (np.zeros(3),), cases=[vector])
    assert report_of(rule).ok


def test_zero_dimensional_arrays():
    assert report_of(sine(cases=[(np.array(0.3),)])).ok
    assert report_of(sine(cases=[(0.3,), (np.float64(0.4),)])).ok
    wrong = sine(cases=[(np.array(0.3),)], pushforward=lambda y, p, t: -np.cos(p[0]) * t[0])
    found(wrong, "differences-forward")


@pytest.mark.parametrize(
    "dtype",
    [
        np.float16,
        np.float32,
        np.float64,
        np.longdouble,
        np.complex64,
        np.complex128,
        np.clongdouble,
    ],
)
def test_floating_types(dtype):
    x = np.array([0.3, 0.7, -0.2]).astype(dtype)
    assert report_of(sine(cases=[(x,)], pushforward=lambda y, p, t: np.cos(p[0]) * t[0])).ok
    assert not report_of(sine(cases=[(x,)], pushforward=lambda y, p, t: (np.cos(p[0]) * t[0] / 2).astype(t[0].dtype))).ok


@pytest.mark.parametrize("value", [3, True, "abc", None, np.arange(3), np.array(["a"]), ..., {1, 2}], ids=lambda v: type(v).__name__)
def test_no_differentiable_argument(value):
    rule = Rule(lambda n: np.ones(3), pushforward=lambda y, p, t: None, pullback=lambda y, p, y_bar: (None,), cases=[(value,)])
    report_of(rule)


def test_no_argument_at_all():
    report_of(Rule(lambda: np.ones(3), pushforward=lambda y, p, t: None, pullback=lambda y, p, y_bar: (), cases=[()]))


def test_no_differentiable_result():
    rule = Rule(lambda x: np.argsort(x), pushforward=lambda y, p, t: None, pullback=lambda y, p, y_bar: (None,), cases=[vector])
    assert report_of(rule).ok
    rule = Rule(lambda x: np.argsort(x), pushforward=lambda y, p, t: t[0], cases=[vector])
    found(rule, "no-tangent", do="return None")


class Stubborn:
    """Refuses to be copied and compared."""

    def __init__(self, factor):
        self.factor = factor

    def __deepcopy__(self, memo):
        raise TypeError("not copied")

    def __eq__(self, other):
        raise TypeError("not compared")

    __hash__ = None


def test_argument_that_cannot_be_copied_or_compared():
    rule = Rule(
        lambda x, s: np.sin(x) * s.factor,
        pushforward=lambda y, p, t: np.cos(p[0]) * t[0] * p[1].factor,
        pullback=lambda y, p, y_bar: (np.cos(p[0]) * y_bar * p[1].factor, None),
        cases=[lambda rng: (rng.normal(size=3), Stubborn(2.0))],
    )
    assert report_of(rule).ok


def test_static_and_result_that_cannot_be_copied_or_compared():
    def f(x, *, s):
        return np.sin(x) * s.factor, s

    rule = Rule(
        f,
        frule=lambda p, t, *, s: (f(p[0], s=s), (np.cos(p[0]) * t[0] * s.factor, None)),
        cases=[lambda rng: rb.case(rng.normal(size=3), s=Stubborn(2.0))],
    )
    assert report_of(rule).ok


def test_argument_without_a_repr():
    class Mute:
        def __repr__(self):
            raise ValueError("no text")

    rule = Rule(lambda x, m: np.sin(x), pushforward=lambda y, p, t: -np.cos(p[0]) * t[0], cases=[lambda rng: (rng.normal(size=3), Mute())])
    assert report_of(rule).findings


def test_object_array_argument():
    f = lambda x, names: np.sin(x) * len(names)
    rule = Rule(f, pushforward=lambda y, p, t: np.cos(p[0]) * t[0] * 2, cases=[(np.ones(3), np.array(["a", None], dtype=object))])
    assert report_of(rule).ok


def test_read_only_and_strided_arguments():
    fixed = np.linspace(0.1, 0.9, 3)
    fixed.flags.writeable = False
    assert report_of(sine(cases=[(fixed,), (np.linspace(0, 1, 6)[::2],)])).ok
    assert not fixed.flags.writeable


def test_arguments_of_the_caller_are_left_alone():
    x = np.array([0.5, 0.2, 0.1])

    def pullback(y, p, y_bar):
        p[0][...] = 0
        return (y_bar,)

    report_of(sine(pullback=pullback), x)
    assert x.tolist() == [0.5, 0.2, 0.1]


def test_argument_that_is_not_finite():
    report = report_of(sine(cases=[(np.array([0.1, np.nan, np.inf]),)]))
    assert isinstance(report, Report)


def test_arguments_of_extreme_size():
    f = lambda x: 3.0 * x
    for size in (1e-300, 1e-160, 1e160, 1e300):
        rule = Rule(
            f, pushforward=lambda y, p, t: 3.0 * t[0], pullback=lambda y, p, y_bar: (3.0 * y_bar,), cases=[(np.array([size, -size]),)]
        )
        assert report_of(rule).ok


def test_other_argument_types_than_the_function_takes():
    """The function says itself what it needs."""

    def f(text):
        return np.sin(float(text.strip()))

    found(
        Rule(f, pushforward=lambda y, p, t: None, cases=[lambda rng: (0.5,)]), "points", got="AttributeError", do="cases inside the domain"
    )


def test_deeply_nested_arguments():
    f = lambda tree: {"y": [tree[0]["a"] * 2, (tree[1],)]}
    rule = Rule(
        f,
        pushforward=lambda y, p, t: {"y": [2 * t[0][0]["a"], (t[0][1],)]},
        pullback=lambda y, p, y_bar: (({"a": 2 * y_bar["y"][0]}, y_bar["y"][1][0]),),
        cases=[lambda rng: (({"a": rng.normal(size=2)}, rng.normal()),)],
    )
    assert report_of(rule).ok


# -- tangent spaces


def test_tangent_space_that_raises_or_returns_nonsense():
    def fails(i, v):
        raise ValueError("no space")

    report = report_of(Rule(np.sin, pushforward=lambda y, p, t: np.cos(p[0]) * t[0], cases=[vector], tangent_space=fails))
    assert report.findings or report.notes
    for nonsense in (None, "abc", np.ones(7), (1.0, 2.0)):
        rule = Rule(np.sin, pushforward=lambda y, p, t: np.cos(p[0]) * t[0], cases=[vector], tangent_space=lambda i, v, n=nonsense: n)
        report_of(rule)


@pytest.mark.parametrize("accuracy", [0.0, 1e-300, 0.5, 10.0, float("nan"), float("inf")])
def test_odd_accuracy(accuracy):
    report_of(Rule(np.sin, pushforward=lambda y, p, t: np.cos(p[0]) * t[0], cases=[vector], accuracy=accuracy))


@pytest.mark.parametrize("seed", [0, 2**40])
def test_seeds(seed):
    assert report_of(sine(), seed=seed).ok

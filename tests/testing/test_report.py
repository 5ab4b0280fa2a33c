"""Reports: what they hold, how they read, that they can be found again; and the options of the checks."""

import dataclasses
import json

import numpy as np
import pytest

import rulebook as rb
import rulebook.testing
from rulebook.errors import RulebookError, RuleCheckError
from rulebook.testing import Finding, Note, Report, Rule, check_frule, check_rrule, check_rules, laws


def vector(rng):
    return (rng.normal(size=3),)


def square(x):
    return x**2


def right():
    return Rule(
        square,
        frule=lambda p, t: (p[0] ** 2, 2 * p[0] * t[0]),
        rrule=lambda x: (x**2, lambda y_bar: (2 * x * y_bar,)),
        cases=[vector],
    )


def wrong():
    return Rule(square, frule=lambda p, t: (p[0] ** 2, p[0] * t[0]), rrule=lambda x: (x**2, lambda y_bar: (2 * x * y_bar,)), cases=[vector])


# -- findings and notes


def test_report_of_a_right_rule():
    report = check_rules(right())
    assert report.ok and not report.findings
    assert report.name.endswith("square")
    assert report.points >= 3 and report.left_out == 0 and report.seed == 0 and report.seconds > 0
    assert {law.id for law in laws()} <= set(report.held) | {"second-order", "batch"}
    assert str(report).startswith(f"{report.name}: ok, ")


def test_report_of_a_wrong_rule():
    report = check_rules(wrong(), raise_=False)
    assert not report.ok
    assert str(report).startswith(f"{report.name}: WRONG, ")
    finding = report.findings[0]
    assert isinstance(finding, Finding)
    assert (finding.rule, finding.law) == (f"frule of {report.name}", "differences-forward")
    assert finding.where.startswith("y_dot[")
    assert float(finding.expected) == pytest.approx(2 * float(finding.got), rel=1e-6)
    assert 0 <= finding.estimate < 1e-6 * abs(float(finding.expected))
    assert finding.case == "case 0, draw 0" and finding.call.startswith("square([")
    assert finding.seed == 0
    assert len(finding.ladder) >= 3 and all(step > 0 and gap >= 0 for step, gap in finding.ladder)
    assert str(finding) in str(report)


def test_error_says_the_same():
    report = check_rules(wrong(), raise_=False)
    with pytest.raises(RuleCheckError) as raised:
        check_rules(wrong())
    assert str(raised.value) == "\n".join(map(str, report.findings))
    assert isinstance(raised.value, AssertionError) and isinstance(raised.value, RulebookError)


def test_finding_as_text():
    finding = Finding(
        rule="rrule of f", law="form", title="what it says", expected="a", got="b", do="c", argument="x_bar of w", element=(0, 2)
    )
    assert finding.where == "x_bar of w[0, 2]"
    assert str(finding).splitlines() == [
        "rrule of f, law 'form' (what it says), x_bar of w[0, 2].",
        "  Expected a.",
        "  Got b.",
        "  Do: c.",
    ]
    more = dataclasses.replace(finding, looks_like="the sign is wrong", estimate=1e-9, case="case 0", call="f(1.0)", reproduce="again()")
    assert "Got b (the sign is wrong)." in str(more)
    assert "Expected a +- 1.0e-09." in str(more)
    assert "At case 0: f(1.0)." in str(more) and "Again: again()" in str(more)


def test_notes_are_counted():
    report = Report("f")
    report.note(Note("left out", "a kink"))
    report.note(Note("left out", "a kink", count=4))
    report.note(Note("left out", "another"))
    assert [note.count for note in report.notes] == [5, 1]
    assert str(report.notes[0]) == "left out: a kink (5 times)"
    assert str(Note("inconclusive", "noise", rule="rrule of f", law="duality")) == "inconclusive: rrule of f, law 'duality': noise"
    assert "left out: a kink" in str(report)


@pytest.mark.parametrize(("kind", "ok"), [("inconclusive", False), ("unchecked", False), ("left out", True), ("not implemented", True)])
def test_strict(kind, ok):
    report = Report("f", strict=True, notes=[Note(kind, "why")])
    assert report.ok is ok
    assert Report("f", notes=[Note(kind, "why")]).ok
    if ok:
        report.raise_if_wrong()
    else:
        with pytest.raises(RuleCheckError, match=f"{kind}: why"):
            report.raise_if_wrong()


@pytest.mark.parametrize("make", [right, wrong])
def test_to_dict_is_json(make):
    report = check_rules(make(), raise_=False)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["name"] == report.name
    assert plain["ok"] is report.ok
    assert plain["held"] == dict(report.held)
    assert [finding["law"] for finding in plain["findings"]] == [finding.law for finding in report.findings]
    assert set(plain) == {field.name for field in dataclasses.fields(Report)} | {"ok"}


def test_reports_do_not_share_what_they_hold():
    a, b = check_rules(right()), check_rules(right())
    a.note(Note("left out", "why"))
    assert a.notes and a.held is not b.held and len(b.notes) < len(a.notes)


# -- finding it again


def again(line, **names):
    """What the line of a finding gives, run as it is."""
    assert line.startswith("rulebook.testing.check_rules(")
    with pytest.raises(RuleCheckError) as raised:
        exec(line, {"rulebook": rulebook, **names})
    return str(raised.value)


@pytest.mark.parametrize("seed", [0, 5])
def test_reproduce_finds_it_again(seed):
    rule = wrong()
    finding = check_rules(rule, raise_=False, seed=seed).findings[0]
    assert finding.seed == seed and f"seed={seed}" in finding.reproduce
    text = again(finding.reproduce, square=rule)
    assert f"law {finding.law!r}" in text
    assert f"At {finding.case}: {finding.call}." in text


def test_reproduce_of_one_case():
    rule = Rule(square, pushforward=lambda y, p, t: (2 if p[0][0] < 5 else 3) * p[0] * t[0], cases=[vector, (np.full(2, 7.0),)])
    assert check_rules(rule, case=0, raise_=False, only=["duality"]).ok
    finding = check_rules(rule, case=1, raise_=False).findings[0]
    assert "case=1" in finding.reproduce and finding.case.startswith("case 1")
    assert finding.case in again(finding.reproduce, square=rule)


def test_reproduce_of_a_primitive():
    @rb.primitive(cases=[vector])
    def cube(x):
        return x**3

    @rb.scalar_rule(cube)
    def _(y, x):
        return 3 * x

    finding = check_rules(cube, raise_=False).findings[0]
    assert f"law {finding.law!r}" in again(finding.reproduce, cube=cube)


def test_reproduce_where_there_are_too_few_points():
    rule = Rule(square, pushforward=lambda y, p, t: y)
    finding = check_rules(rule, raise_=False).findings[0]
    assert "law 'points'" in again(finding.reproduce, square=rule)


def test_reproduce_of_arguments_given_directly():
    rule = Rule(square, pushforward=lambda y, p, t: p[0] * t[0])
    finding = check_rules(rule, 3.0, raise_=False).findings[0]
    assert f"law {finding.law!r}" in again(finding.reproduce, square=rule)


@pytest.mark.parametrize("make", [right, wrong])
def test_same_seed_same_report(make):
    def told(seed):
        made = check_rules(make(), raise_=False, seed=seed).to_dict()
        made["notes"] = [note for note in made["notes"] if note["kind"] != "shortened"]  # by the clock
        return {key: value for key, value in made.items() if key not in ("seconds", "points", "held")}

    assert told(3) == told(3)
    if make is wrong:
        assert told(3)["findings"][0]["call"] != told(4)["findings"][0]["call"]


def test_checks_leave_the_global_generator_alone():
    state = np.random.get_state()[1].copy()
    check_rules(right())
    assert (np.random.get_state()[1] == state).all()


# -- options


def test_raise():
    assert not check_rules(wrong(), raise_=False).ok
    with pytest.raises(RuleCheckError):
        check_rules(wrong())


def test_without_a_law():
    report = check_rules(wrong(), without={"differences-forward": "known", "duality": "known too"})
    assert report.ok
    assert [(note.kind, note.law, note.text) for note in report.notes][:2] == [
        ("switched off", "differences-forward", "known"),
        ("switched off", "duality", "known too"),
    ]
    assert not {"differences-forward", "duality"} & set(report.held)


def test_only_a_law():
    assert check_rules(wrong(), only=["primal"]).ok
    report = check_rules(wrong(), only=["duality"], raise_=False)
    assert [finding.law for finding in report.findings] == ["duality"]
    assert set(check_rules(right(), only=["duality", "zero"]).held) == {"duality", "zero"}
    assert check_rules(wrong(), only=["duality"], without={"duality": "known"}).ok


def test_one_direction():
    assert check_rrule(wrong()).ok
    report = check_frule(wrong(), raise_=False)
    assert {finding.rule for finding in report.findings} == {f"frule of {report.name}"}
    assert not check_rules(wrong(), raise_=False).ok
    assert "duality" in check_rules(right()).held


def test_one_direction_of_a_primitive():
    @rb.primitive(cases=[vector])
    def cube(x):
        return x**3

    @rb.pushforward(cube)
    def _(y, primals, tangents):
        return 3 * primals[0] ** 2 * tangents[0]

    @rb.pullback(cube)
    def _(y, primals, y_bar):
        return (3 * primals[0] * y_bar,)

    assert check_frule(cube).ok
    with pytest.raises(RuleCheckError, match=r"pullback of .*cube"):
        check_rrule(cube)
    with pytest.raises(RuleCheckError, match=r"pullback of .*cube"):
        check_rules(cube)


def test_rule_for_a_primitive():
    """Other rules than those that it has; its cases are not taken over."""

    @rb.primitive(name="cube", cases=[vector])
    def cube(x):
        return x**3

    @rb.scalar_rule(cube)
    def _(y, x):
        return 3 * x**2

    assert check_rules(cube).ok
    rule = Rule(cube, pushforward=lambda y, p, t: 2 * p[0] ** 2 * t[0], cases=[vector])
    report = check_rules(rule, raise_=False)
    assert report.name == "cube"
    assert [finding.rule for finding in report.findings] == ["pushforward of cube"]
    assert check_rules(cube).ok
    assert rule.primitive not in rb.primitives()


def test_arguments_given_directly():
    rule = Rule(square, pushforward=lambda y, p, t: 2 * np.abs(p[0]) * t[0])
    assert check_rules(rule, np.array([1.0, 2.0]), raise_=False, only=["differences-forward"]).held
    report = check_rules(rule, np.array([-1.0, 2.0]), raise_=False)
    assert report.findings[0].call == "square([-1.0, 2.0] float64)"
    assert check_rules(right(), 3.0).ok
    assert check_rules(right(), [1.0, 2.0][0]).ok


def test_statics_given_directly():
    def power(x, *, n=2):
        return x**n

    rule = Rule(power, pushforward=lambda y, p, t, *, n: n * p[0] ** (n - 1) * t[0])
    assert check_rules(rule, np.array([1.5, 0.7]), n=3).ok
    wrong = Rule(power, pushforward=lambda y, p, t, *, n: 2 * p[0] * t[0])
    report = check_rules(wrong, np.array([1.5, 0.7]), n=3, raise_=False)
    assert report.findings[0].case == "case 0" and "n=3" in report.findings[0].call
    # the default alone: another value is tried, as nobody varies it
    report = check_rules(wrong, np.array([1.5, 0.7]), raise_=False)
    assert report.findings and "n=3" in report.findings[0].call


def test_statics_with_the_name_of_an_option():
    def scaled(x, *, seed=1):
        return x * seed

    rule = Rule(scaled, pushforward=lambda y, p, t, *, seed: t[0] * seed, cases=[rb.case(np.ones(2), seed=3)])
    assert check_rules(rule, seed=2).ok
    rule = Rule(scaled, pushforward=lambda y, p, t, *, seed: t[0] * 3, cases=[rb.case(np.ones(2), seed=3), rb.case(np.ones(2), seed=4)])
    assert not check_rules(rule, raise_=False).ok
    assert check_rules(rule, case=0, raise_=False, only=["duality"]).ok


def test_cases_of_a_primitive_added_later():
    @rb.primitive
    def double(x):
        return 2 * x

    @rb.scalar_rule(double)
    def _(y, x):
        return 2.0

    assert [finding.law for finding in check_rules(double, raise_=False).findings] == ["points"]

    @double.case
    def _(rng):
        return (rng.normal(size=2),)

    assert check_rules(double).ok


# -- tangent spaces


def symmetric(i, v):
    return (v + v.T) / 2


def spd(rng):
    a = rng.normal(size=(3, 3))
    return (a @ a.T + 3 * np.eye(3),)


def cholesky(a):
    return np.linalg.cholesky(a)


def cholesky_tangent(y, primals, tangents):
    inner = np.linalg.solve(y, np.linalg.solve(y, tangents[0]).T)
    inner = np.tril(inner)
    inner[np.diag_indices(3)] /= 2
    return y @ inner


def cholesky_cotangent(y, primals, y_bar):
    inner = np.tril(y.T @ y_bar)
    inner[np.diag_indices(3)] /= 2
    s = np.linalg.solve(y.T, np.linalg.solve(y.T, inner.T).T)
    return ((s + s.T) / 2,)


def test_tangent_space():
    parts = {"pushforward": cholesky_tangent, "pullback": cholesky_cotangent, "cases": [spd]}
    assert check_rules(Rule(cholesky, **parts, tangent_space=symmetric)).ok
    # without it every entry moves, and the rule that holds for symmetric matrices does not
    assert not check_rules(Rule(cholesky, **parts), raise_=False).ok


def test_tangent_space_of_a_primitive():
    @rb.primitive(cases=[spd], tangent_space=symmetric)
    def trace_of_square(a):
        return np.sum(a * a.T)

    @rb.pullback(trace_of_square)
    def _(y, primals, y_bar):
        return (2 * primals[0] * y_bar,)

    assert check_rules(trace_of_square).ok


def test_wrong_rule_within_a_tangent_space():
    rule = Rule(cholesky, pushforward=lambda *a: 1.001 * cholesky_tangent(*a), cases=[spd], tangent_space=symmetric)
    assert [finding.law for finding in check_rules(rule, raise_=False).findings] == ["differences-forward"]


# -- accuracy


def root(c):
    """The cube root by bisection, to a tolerance of 1e-8."""
    low, high = np.zeros_like(c), np.maximum(c, 1.0)
    for _ in range(60):
        if np.max(high - low) <= 1e-8:
            break
        middle = (low + high) / 2
        below = middle**3 < c
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def root_rule(factor=1.0, **parts):
    return Rule(
        root,
        frule=lambda p, t: ((y := root(p[0])), factor * t[0] / (3 * y**2)),
        rrule=lambda c: ((y := root(c)), lambda y_bar: (factor * y_bar / (3 * y**2),)),
        cases=[lambda rng: (rng.uniform(0.5, 3.0, 3),)],
        **parts,
    )


@pytest.mark.parametrize("accuracy", [1e-8, None])
def test_right_iterative_rule_passes(accuracy):
    assert check_rules(root_rule(accuracy=accuracy), strict=accuracy is not None).ok


@pytest.mark.parametrize("accuracy", [1e-8, None])
@pytest.mark.parametrize("factor", [-1.0, 0.5, 1.01])
def test_wrong_iterative_rule_is_caught(accuracy, factor):
    assert not check_rules(root_rule(factor, accuracy=accuracy), raise_=False).ok


def newton(c):
    """The square root by Newton's iteration, stopped at 1e-8: exact to rounding or off by up to that."""
    y = np.maximum(c, 1.0)
    for _ in range(50):
        if np.max(np.abs(y * y - c)) <= 1e-8 * np.max(c):
            return y
        y = (y + c / y) / 2
    raise ArithmeticError("no root")


def test_accuracy_declared_hides_no_error_of_the_rule_that_is_larger():
    draw = lambda rng: (rng.uniform(0.5, 3.0, 3),)
    right = Rule(newton, pushforward=lambda y, p, t: t[0] / (2 * y), cases=[draw], accuracy=1e-8)
    assert check_rules(right, strict=True).ok
    wrong = Rule(newton, pushforward=lambda y, p, t: t[0] / (2 * y) * 1.001, cases=[draw], accuracy=1e-8)
    assert not check_rules(wrong, raise_=False).ok


def test_accuracy_undeclared_is_noted_and_fails_when_strict():
    rule = Rule(newton, pushforward=lambda y, p, t: t[0] / (2 * y), cases=[lambda rng: (rng.uniform(0.5, 3.0, 3),)])
    report = check_rules(rule)
    assert any(note.kind == "inconclusive" and "declare accuracy=" in note.text for note in report.notes)
    with pytest.raises(RuleCheckError, match=r"inconclusive: .*declare accuracy="):
        check_rules(rule, strict=True)


def test_laws_are_listed():
    for law in laws():
        assert law.id in [other.id for other in rulebook.testing.laws()]

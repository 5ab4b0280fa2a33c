"""Every law has rules that break it, and says so; nearly all of them break nothing else."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest

import rulebook as rb
from rulebook.errors import RuleCheckError
from rulebook.testing import Rule, check_frule, check_rrule, check_rules, laws
from tests.testing.wrong_rules import WRONG, pair, sin, vector

# laws that are tested beside what they need
ELSEWHERE = {"second-order": "test_engines_check.py", "batch": "test_engines_check.py"}
# what a rule that breaks one of these returns cannot be judged by any other
STRUCTURAL = ("runs", "form", "no-tangent", "points")

table = pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w.law}-{w.name}")


def test_every_law_has_a_rule_that_breaks_it():
    broken = {wrong.law for wrong in WRONG}
    for law in laws():
        if law.id in broken:
            continue
        assert law.id in ELSEWHERE, f"add a rule to tests/testing/wrong_rules.py that breaks the law {law.id!r} and no other"
        assert f'"{law.id}"' in (Path(__file__).parent / ELSEWHERE[law.id]).read_text(encoding="utf-8"), law.id


def test_no_rule_is_there_for_a_law_that_is_gone():
    assert {wrong.law for wrong in WRONG} <= {law.id for law in laws()} | {"points"}


def test_names_are_told_apart():
    assert len({wrong.name for wrong in WRONG}) == len(WRONG)


def test_laws_are_told_apart_and_explained():
    assert len({law.id for law in laws()}) == len(laws())
    for law in laws():
        assert re.fullmatch("[a-z]+(-[a-z]+)*", law.id)
        assert law.title and law.proves and law.mend
        assert law.often in ("every", "some", "deep")


@functools.cache
def report_of(name):
    """The report at default settings, made once."""
    return check_rules(next(wrong for wrong in WRONG if wrong.name == name).make(), raise_=False)


@table
def test_caught(wrong):
    report = report_of(wrong.name)
    assert not report.ok
    found = {finding.law: finding for finding in report.findings}
    assert wrong.law in found, str(report)
    finding = found[wrong.law]
    assert re.match(f"{wrong.rule} of " if wrong.rule else "the function ", finding.rule)
    assert re.match(wrong.where, finding.where), finding.where
    assert re.search(wrong.expected, finding.expected), finding.expected
    assert re.search(wrong.got, finding.got), finding.got
    assert re.search(wrong.do, finding.do), finding.do


@table
def test_breaks_no_other_law(wrong):
    found = {finding.law for finding in report_of(wrong.name).findings}
    if wrong.also != ("*",):
        assert wrong.law in found <= {wrong.law, *wrong.also}


@pytest.mark.parametrize("wrong", [w for w in WRONG if w.law not in STRUCTURAL and not w.also], ids=lambda w: f"{w.law}-{w.name}")
def test_passes_without_the_law(wrong):
    report = check_rules(wrong.make(), raise_=False, without={wrong.law: "to see that no other law is needed"})
    assert report.ok, str(report)
    assert ("switched off", wrong.law) in [(note.kind, note.law) for note in report.notes]


@pytest.mark.parametrize("wrong", [w for w in WRONG if w.law != "points"], ids=lambda w: f"{w.law}-{w.name}")
def test_caught_by_the_law_alone(wrong):
    report = check_rules(wrong.make(), raise_=False, only=[wrong.law])
    assert wrong.law in {finding.law for finding in report.findings}, str(report)


@table
def test_message_has_its_parts(wrong):
    with pytest.raises(RuleCheckError) as raised:
        report_of(wrong.name).raise_if_wrong()
    text = str(raised.value)
    titles = {law.id: law.title for law in laws()}
    assert f"law {wrong.law!r} ({titles.get(wrong.law, 'there are points to check at')})" in text
    lines = [line.strip() for line in text.splitlines()]
    assert [sum(line.startswith(part) for line in lines) > 0 for part in ("Expected ", "Got ", "Do: ", "Again: ")] == [True] * 4


@table
def test_caught_with_another_seed(wrong):
    assert wrong.law in {finding.law for finding in check_rules(wrong.make(), raise_=False, seed=1).findings}


# -- what keeps the laws, though it looks odd


def test_zeros_of_every_kind_are_zeros():
    for nothing in (None, rb.NoTangent(), rb.ZeroTangent(), 0.0):
        rrule = lambda x, n, nothing=nothing: (np.array([x, 1.0]), lambda y_bar: (y_bar[0], None if nothing == 0.0 else nothing))
        assert check_rules(Rule(lambda x, n: np.array([x, 1.0]), rrule=rrule, cases=[(2.0, 3)])).ok
        frule = lambda p, t, nothing=nothing: (np.float64(1.5), nothing)
        assert check_rules(Rule(lambda x: np.float64(1.5), frule=frule, cases=[(2.0,)])).ok


def test_complex_cotangent_of_a_real_argument_is_projected():
    f = lambda r, phase: r * np.exp(1j * phase)
    pullback = lambda y, p, y_bar: (np.conj(np.exp(1j * p[1])) * y_bar, np.conj(1j * y) * y_bar)
    pushforward = lambda y, p, t: np.exp(1j * p[1]) * t[0] + 1j * y * t[1]
    assert check_rules(Rule(f, pullback=pullback, pushforward=pushforward, cases=[pair])).ok


def test_float64_cotangent_of_a_float32_argument_is_projected():
    draw = lambda rng: (rng.normal(size=3).astype(np.float32),)
    assert check_rules(Rule(np.sin, pullback=lambda y, p, y_bar: (np.cos(p[0].astype(float)) * y_bar,), cases=[draw])).ok


def test_seeded_generator_among_the_statics_starts_anew():
    def dropped(x, *, rng):
        return x * (rng.random(x.shape) < 0.5)

    def pushforward(y, p, t, *, rng):
        return t[0] * (rng.random(p[0].shape) < 0.5)

    draw = lambda rng: rb.case(rng.normal(size=4), rng=np.random.default_rng(int(rng.integers(9))))
    assert check_rules(Rule(dropped, pushforward=pushforward, cases=[draw])).ok


def test_thunks_are_called():
    rrule = lambda a, b: (a * b, lambda y_bar: (rb.thunk(lambda: y_bar * b), rb.thunk(lambda: y_bar * a)))
    assert check_rules(Rule(lambda a, b: a * b, rrule=rrule, cases=[pair])).ok
    rrule = lambda a, b: (a * b, lambda y_bar: (rb.thunk(lambda: y_bar * b), rb.thunk(lambda: y_bar * a * 1.01)))
    assert not check_rules(Rule(lambda a, b: a * b, rrule=rrule, cases=[pair]), raise_=False).ok


# -- derivatives that are not written


def bessel(v, x):
    return np.cos(v * x)


NOT_WRITTEN = rb.NotImplementedTangent("the order")


def test_reverse_rule_that_says_what_it_lacks_passes_with_a_note():
    pullback = lambda y, p, y_bar: (NOT_WRITTEN, -p[0] * np.sin(p[0] * p[1]) * y_bar)
    report = check_rules(Rule(bessel, pullback=pullback, cases=[pair]))
    assert report.ok
    note = next(note for note in report.notes if note.kind == "not implemented")
    assert note.text == "the order" and re.fullmatch(r"pullback of .*bessel", note.rule)


def test_what_is_written_beside_it_is_still_checked():
    pullback = lambda y, p, y_bar: (NOT_WRITTEN, p[0] * np.sin(p[0] * p[1]) * y_bar)
    report = check_rules(Rule(bessel, pullback=pullback, cases=[pair]), raise_=False)
    assert [finding.law for finding in report.findings] == ["differences-reverse"]


def test_forward_rule_that_says_what_it_lacks_passes_with_a_note():
    f = lambda x: (np.sin(x), np.cos(x))
    report = check_rules(Rule(f, frule=lambda p, t: (f(p[0]), (np.cos(p[0]) * t[0], NOT_WRITTEN)), cases=[vector]))
    assert report.ok
    assert "not implemented" in {note.kind for note in report.notes}


def test_zero_in_the_place_of_not_implemented_is_caught():
    pullback = lambda y, p, y_bar: (None, -p[0] * np.sin(p[0] * p[1]) * y_bar)
    with pytest.raises(RuleCheckError, match=r"pullback of .*differences-reverse"):
        check_rules(Rule(bessel, pullback=pullback, cases=[pair]))


# -- rules of primitives that take None for zeros


def _product(right):
    @rb.primitive(name="product", cases=[pair])
    def product(a, b):
        return a * b

    @rb.frule(product, symbolic_zeros=True)
    def _(p, t):
        terms = [other * dot for other, dot in zip(p[::-1], t, strict=True) if dot is not None]
        if right:
            return p[0] * p[1], sum(terms) if terms else rb.ZeroTangent()
        return p[0] * p[1], terms[0] if terms else rb.ZeroTangent()

    @rb.rrule(product, symbolic_zeros=True)
    def _(a, b):
        return a * b, lambda y_bar: (None, None) if y_bar is None else (y_bar * b, y_bar * a)

    return product


def test_symbolic_zeros():
    assert check_rules(_product(right=True)).ok
    assert not check_frule(_product(right=False), raise_=False).ok
    assert check_rrule(_product(right=False)).ok


def test_symbolic_zeros_missing_tangent_not_expected():
    @rb.primitive(name="product", cases=[pair])
    def product(a, b):
        return a * b

    @rb.frule(product, symbolic_zeros=True)
    def _(p, t):
        return p[0] * p[1], p[1] * t[0] + p[0] * t[1]

    with pytest.raises(RuleCheckError, match=r"TypeError: unsupported operand.*NoneType"):
        check_rules(product)


def test_scalar_rule_and_transpose():
    @rb.primitive(name="power", cases=[lambda rng: (rng.uniform(0.5, 2, 3), rng.uniform(0.5, 2))])
    def power(x, n):
        return x**n

    @rb.scalar_rule(power)
    def _(y, x, n):
        return n * y / x, y * np.log(x)

    assert check_rules(power).ok

    @rb.primitive(name="mean", cases=[vector])
    def mean(x):
        return np.mean(x)

    @rb.transpose(mean)
    def _(y_bar, x):
        return np.full(x.shape, y_bar / 2)

    assert "differences-reverse" in {f.law for f in check_rules(mean, raise_=False).findings}


def test_function_that_carries_the_rule_is_named_in_the_message():
    with pytest.raises(RuleCheckError, match=r"pushforward of tests\.testing\.wrong_rules\.sin, law 'differences-forward'"):
        check_rules(Rule(sin, pushforward=lambda y, p, t: -np.cos(p[0]) * t[0], cases=[vector]))

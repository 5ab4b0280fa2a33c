"""Numerical traps: right rules that differences, underflow or precision speak against, and wrong ones that hide beside them."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import Rule, check_rules
from rulebook.testing.plateaus import smallest_change
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.subject import Subject
from rulebook.testing.trial import Trial
from tests import checker_corpus_b

SEEDS = range(3)


def report_of(rule, seed=0):
    with np.errstate(all="ignore"):
        return check_rules(rule, raise_=False, seed=seed)


@pytest.mark.parametrize("seed", [1, 2])  # where a draw is that near to it
def test_a_singularity_nearer_than_any_step(seed):
    """Along a direction of the size of the largest elements, the small ones make the matrix singular at once."""
    entry = next(entry for entry in checker_corpus_b.entries() if entry.id == "logdet/scales")
    assert report_of(entry.make(), seed).ok


def test_a_slope_that_is_too_steep_is_no_singularity():
    rule = Rule(lambda x: np.sum(np.sin(x)), pullback=lambda y, p, c: (1e12 * np.cos(p[0]) * c,), cases=[lambda rng: (rng.normal(size=3),)])
    assert {finding.law for finding in report_of(rule).findings} == {"differences-reverse"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_function_that_stands_still_by_rounding(seed):
    draw = lambda rng: (10.0 ** rng.uniform(-16, -15, 2),)
    rule = Rule(lambda x: ((1e3 + x) - 1e3) + 1e-12, pullback=lambda y, p, c: (1.0 * c,), cases=[draw])
    assert report_of(rule, seed).ok


@pytest.mark.parametrize("function", [lambda x: np.maximum(x - 1, 0), lambda x: np.floor(x), lambda x: 0 * x])
def test_a_function_that_stands_still_by_itself(function):
    rule = Rule(function, pullback=lambda y, p, c: (1.0 * c,), cases=[lambda rng: (rng.uniform(0.1, 0.9, 3),)])
    assert {finding.law for finding in report_of(rule).findings} == {"differences-reverse"}


def test_the_smallest_change():
    change = lambda f, still: smallest_change(lambda t: np.array([f(t)]), np.array([f(0.0)]), 0, still, 2e-16, 1.0)
    assert change(lambda t: 1 + 1e-3 * t - 1, 1e-15) == pytest.approx(2.2e-16, rel=0.1)
    assert change(lambda t: max(t - 0.3, 0.0), 0.1) < 1e-9
    assert change(np.floor, 0.1) == 0.0  # a step of the function itself
    assert change(lambda t: 2.0, 0.1) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_underflows_in_the_rule_alone(seed):
    """The function is subnormal there, and its slope zero in the rule; cotangents are as large as results are small."""
    draw = lambda rng: (rng.uniform(-740, -715, 3),)
    pullback = lambda y, p, c: (1 / (1 + np.exp(-p[0])) * c,)
    assert report_of(Rule(lambda x: np.log1p(np.exp(x)), pullback=pullback, cases=[draw]), seed).ok


def test_directions_have_the_precision_of_their_arrays():
    rule = Rule(lambda x, w: x * w, pushforward=lambda y, p, t: p[1] * t[0] + p[0] * t[1], cases=[])
    rng = np.random.default_rng(0)
    point = Point((rng.normal(size=4).astype(np.float32), rng.normal(size=4)), {}, "here", rng)
    probe = Probe(Trial(Subject(rule), point), rng, True)
    single, double = probe.tangents[:, :4], probe.tangents[:, 4:]
    assert (single == single.astype(np.float32)).all() and (double != double.astype(np.float32)).any()


# what a rule does not implement leaves the rest to be checked

MISSING = rb.NotImplementedTangent("the order")


def bessel_like(slope):
    f = lambda order, x: np.cos(order * x)
    draw = lambda rng: (rng.uniform(0.05, 4), rng.normal(size=2))
    pullback = lambda y, p, c: (MISSING, slope(*p) * c)
    pushforward = lambda y, p, t: MISSING if np.any(t[0]) else slope(*p) * t[1]
    return Rule(f, pullback=pullback, cases=[draw]), Rule(f, pushforward=pushforward, cases=[draw])


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_rare_region_beside_what_is_not_implemented(seed, which):
    right = lambda order, x: -order * np.sin(order * x)
    wrong = lambda order, x: right(order, x) * (1.5 if order < 0.4 else 1.0)
    assert report_of(bessel_like(right)[which], seed).ok
    assert report_of(bessel_like(wrong)[which], seed).findings[0].law.startswith("differences-")

"""Fixed cases: bugs that show only away from them are found, and what holds at them alone is no fault of a right rule."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import Rule, check_rules
from rulebook.testing.points import Source
from rulebook.testing.subject import Subject
from rulebook.testing.variations import Nearby, varied

SEEDS = range(5)
V = np.array([0.5, -1.25, 2.0])
M = np.array([[1.0, -0.5], [2.0, 3.0]])


def report_of(rule, seed=0):
    with np.errstate(all="ignore"):
        return check_rules(rule, raise_=False, seed=seed)


def softplus(x):
    return np.logaddexp(0.0, x)


def logistic(x):
    return np.exp(-np.logaddexp(0.0, -x))


def norm(x):
    return np.sqrt(np.sum(x**2))


def summed_to(x, c):
    """Sums over broadcast axes, but cuts axes of size one instead."""
    c = c.sum(axis=tuple(range(c.ndim - np.ndim(x))))
    return c if c.shape == np.shape(x) else c[tuple(slice(0, n) for n in np.shape(x))]


def power_pullback(y, p, c):
    return p[1] * p[0] ** (p[1] - 1) * c, np.sum(y * np.log(np.maximum(p[0], 1e-4)) * c)


def sum_of_products(rule):
    return {"f": lambda a, b: a * b, "pullback": rule, "cases": [(M, V[:2])]}


WRONG = {
    "overflows": {"f": softplus, "pullback": lambda y, p, c: (np.exp(p[0]) / (1 + np.exp(p[0])) * c,), "cases": [(V,)]},
    "large values": {"f": norm, "pullback": lambda y, p, c: (np.where(np.abs(p[0]) > 30, np.sign(p[0]), p[0] / y) * c,), "cases": [(V,)]},
    "guard of the denominator": {"f": norm, "pullback": lambda y, p, c: (p[0] / (y + 1e-12) * c,), "cases": [(V,)]},
    "clipped slope": {"f": np.log, "pullback": lambda y, p, c: (np.minimum(1 / p[0], 1e6) * c,), "cases": [(np.array([0.5, 2.0]),)]},
    "clipped logarithm": {"f": lambda x, a: x**a, "pullback": power_pullback, "cases": [(np.array([0.75, 1.5]), 2.5)]},
    "axes of size one": sum_of_products(lambda y, p, c: (summed_to(p[0], c * p[1]), summed_to(p[1], c * p[0]))),
    "one argument large": {
        "f": lambda x, n: np.sum(np.log1p(x**2 / n)),
        "pullback": lambda y, p, c: (
            2 * p[0] / (p[1] if p[1] > 30 else p[1] + p[0] ** 2) * c,
            np.sum(-(p[0] ** 2) / p[1] / (p[1] + p[0] ** 2)) * c,
        ),
        "cases": [(V, 3.0)],
    },
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", WRONG)
def test_a_bug_away_from_the_only_case_is_found(name, seed):
    report = report_of(Rule(**WRONG[name]), seed)
    assert {finding.law for finding in report.findings} & {"differences-reverse"}, str(report)
    assert report.findings[0].case.startswith("case 0, ")


def off_by_rounding_of_differences(h):
    slope = lambda x: (np.sin(x + h) - np.sin(x - h)) / (2 * h)
    return Rule(
        np.sin,
        pushforward=lambda y, p, t: slope(p[0]) * t[0],
        pullback=lambda y, p, c: (np.cos(p[0]) * c,),
        cases=[(V,)],
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_of_one_rule_alone_is_its_own(seed):
    report = report_of(off_by_rounding_of_differences(2e-5), seed)
    assert "duality" in {finding.law for finding in report.findings}, str(report)


# right rules, of which something else is found where they were not meant to be used


def clip_pushforward(y, p, t):
    x, low, high = p
    return np.where(np.maximum(x, low) > high, t[2], np.where(x < low, t[1], t[0]))


RIGHT = {
    "positive alone": {"f": lambda x: np.sqrt(x) ** 2, "pullback": lambda y, p, c: (1.0 * c,), "cases": [(np.array([0.5, 2.0]),)]},
    "nan at zero alone": {
        "f": lambda x, a: np.abs(x) ** a,
        "pullback": lambda y, p, c: (p[1] * y / p[0] * c, np.sum(y * np.log(np.abs(p[0])) * c)),
        "cases": [(np.array([0.75, 1.5]), 2.5)],
    },
    "cancels": {"f": lambda x: np.sqrt(1 + x**2) - 1, "pullback": lambda y, p, c: (p[0] / np.sqrt(1 + p[0] ** 2) * c,), "cases": [(V,)]},
    "cancels and is divided": {
        "f": lambda x: (np.exp(x) - 1) / x,
        "pullback": lambda y, p, c: (np.where(np.abs(p[0]) < 1e-3, 0.5 + p[0] / 3 + p[0] ** 2 / 8, (np.exp(p[0]) - y) / p[0]) * c,),
        "cases": [(V,)],
    },
    "kinks": {"f": lambda x, low, high: np.clip(x, low, high), "pushforward": clip_pushforward, "cases": [(V, -1.0, 1.0)]},
    "raises for other shapes": {
        "f": lambda a, b: a @ b,
        "pullback": lambda y, p, c: (np.outer(c, p[1]), p[0].T @ c),
        "cases": [(M, V[:2])],
    },
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes(name, seed):
    report = report_of(Rule(**RIGHT[name]), seed)
    assert report.ok, str(report)


def test_a_tolerance_is_an_option_like_others():
    """Options are set to what the function compares them with, not to what stands beside them."""

    def root(x, *, tol=1e-12):
        y = np.ones_like(x)
        for _ in range(50):
            if np.abs(y * y - x).max() < tol * 1.0:
                return y
            y = 0.5 * (y + x / y)
        raise ValueError("no root")

    rule = Rule(root, pullback=lambda y, p, c, *, tol: (0.5 / y * c,), cases=[rb.case(np.array([2.0, 3.0]))])
    assert report_of(rule).ok


# the variations themselves


def variations(rule, seed=0):
    subject = Subject(rule)
    sources = [Source(i, case, subject.signature, seed) for i, case in enumerate(subject.cases)]
    return [point for point, _ in varied([s.point(0) for s in sources], sources, subject, seed)]


def product():
    return Rule(**sum_of_products(lambda y, p, c: (rb.project(p[0], c * p[1]), rb.project(p[1], c * p[0]))))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_decade_is_met_by_each_array_alone_and_all_together(seed):
    ratios = [
        [np.abs(a).max() / np.abs(b).max() for a, b in zip(p.args, (M, V[:2]), strict=True)]
        for p in variations(product(), seed)
        if "enlarged" in p.origin or "reduced" in p.origin
    ]
    decades = np.log10(np.array(ratios))
    for low, high in [(-12, -8), (-8, -5), (-5, -3), (-3, -0.5), (0.3, 1), (1, 2), (2, 3), (3, 4)]:
        met = (low - 1e-9 <= decades) & (decades <= high + 1e-9)
        still = np.abs(decades) < 1e-9
        assert (met[:, 0] & met[:, 1]).any() and (met[:, 0] & still[:, 1]).any() and (still[:, 0] & met[:, 1]).any()


def test_every_axis_is_cut_to_length_one():
    shapes = {tuple(a.shape for a in p.args) for p in variations(product()) if "made 1" in p.origin}
    assert {((1, 2), (2,)), ((2, 1), (2,)), ((2, 2), (1,))} <= shapes


def test_what_is_near_a_case_is_told_from_what_is_far():
    for point in variations(product()):
        assert isinstance(point, Nearby) == (point.origin == "case 0, nearby")
        assert not point.declared

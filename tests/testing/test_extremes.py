"""More points are drawn than checked: the outstanding ones among them are kept."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import Rule, check_rules
from rulebook.testing.extremes import Extremes
from rulebook.testing.points import Source
from rulebook.testing.subject import Subject


def points(case, n=40):
    subject = Subject(Rule(lambda x, *, kind="a": x, pullback=lambda y, p, c, *, kind: (c,), cases=[case]))
    source = Source(0, case, subject.signature, 0)
    return [source.point(k) for k in range(n)]


def outstanding(met, others):
    extremes = Extremes()
    for point in met:
        assert extremes.met(point) is point
    return list(extremes.outstanding(others))


def test_what_goes_beyond_all_others_is_kept():
    drawn = points(lambda rng: (rng.uniform(1, 2, 3),))
    values = [p.args[0] for p in drawn]
    first, rest = drawn[:10], drawn[10:]
    kept = {id(p) for p in outstanding(first, rest)}
    for k, p in enumerate(rest):
        farthest = p.args[0].max() == max(v.max() for v in values) or p.args[0].min() == min(v.min() for v in values)
        assert not farthest or id(p) in kept, k
    assert len(kept) <= 4


def test_nothing_is_kept_that_was_met():
    drawn = points(lambda rng: (rng.normal(size=2),))
    assert outstanding(drawn, drawn) == []


def test_rare_options_and_shapes_are_kept():
    drawn = points(lambda rng: rb.case(np.ones(2), kind="a"), 5)
    rare = [*points(lambda rng: rb.case(np.ones(2), kind="b"), 3), *points(lambda rng: rb.case(np.ones(3), kind="a"), 3)]
    kept = outstanding(drawn, rare)
    assert {(p.statics["kind"], p.args[0].shape) for p in kept} == {("b", (2,)), ("a", (3,))}


@pytest.mark.parametrize("seed", range(3))
def test_a_region_of_one_point_in_a_hundred_is_met(seed):
    def draw(rng):
        return (rng.normal(size=2) * (50.0 if rng.random() < 0.02 else 1.0),)

    wrong = Rule(np.tanh, pullback=lambda y, p, c: (np.where(np.abs(p[0]) > 8, 1.0, 1 - y**2) * c,), cases=[draw])
    assert not check_rules(wrong, raise_=False, seed=seed).ok

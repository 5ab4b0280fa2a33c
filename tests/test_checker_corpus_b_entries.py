"""The second collection itself: ids, rules that can be made, functions that run at their cases."""

import numpy as np
import pytest

from tests.checker_corpus_b import entries

ENTRIES = entries()


def _points(cases, n=3):
    rng = np.random.default_rng(5)
    drawn = [c(rng) for c in cases if callable(c) for _ in range(n)] + [c for c in cases if not callable(c)]
    return [(c.args, c.static) if hasattr(c, "args") else (c, {}) for c in drawn]


def test_ids_are_unique_and_bugs_are_told():
    assert len({e.id for e in ENTRIES}) == len(ENTRIES)
    assert all(bool(e.bug) != e.right and bool(e.why) != e.right for e in ENTRIES)


def test_there_are_enough_of_both():
    assert sum(e.right for e in ENTRIES) >= 60
    assert sum(not e.right for e in ENTRIES) >= 150


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.id)
def test_makes_a_fresh_rule_whose_function_runs_at_its_cases(entry):
    assert entry.make() is not entry.make()
    made = entry.build()
    points = _points(made["cases"])
    assert points
    for args, static in points:
        assert isinstance(args, tuple)
        made["f"](*args, **static)

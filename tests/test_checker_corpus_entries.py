"""The corpus itself: unique ids, known bug classes, and rules that can be made and run at their own cases."""

import numpy as np
import pytest

from rulebook.primitive import Case
from tests.checker_corpus import entries
from tests.checker_corpus.model import BUGS

ENTRIES = entries()
BY_ID = {entry.id: entry for entry in ENTRIES}


def test_ids_are_unique():
    assert len(BY_ID) == len(ENTRIES)


def test_wrong_entries_name_a_bug_and_a_right_sibling():
    wrong = [entry for entry in ENTRIES if not entry.right]
    assert all(entry.bug in BUGS and BY_ID[entry.sibling].right for entry in wrong)
    assert {entry.bug for entry in wrong} == set(BUGS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_rule_is_made_afresh(entry):
    assert entry.make() is not entry.make()
    assert any(entry.make.parts().get(kind) for kind in ("frule", "rrule", "pushforward", "pullback"))


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.right], ids=lambda entry: entry.id)
def test_function_runs_at_its_cases(entry):
    parts = entry.make.parts()
    rng = np.random.default_rng(0)
    cases = [parts["cases"](rng) for _ in range(5)] if callable(parts["cases"]) else parts["cases"]
    for drawn in cases:
        case = drawn if isinstance(drawn, Case) else Case(tuple(drawn), {})
        with np.errstate(all="ignore"):
            assert parts["f"](*case.args, **case.static) is not None

"""The corpus itself: unique ids, known bug classes, and rules that can be made and run at their own cases."""

import numpy as np
import pytest

from rulebook.primitive import Case
from rulebook.signature import Signature
from tests.checker_corpus import entries
from tests.checker_corpus.model import BUGS

ENTRIES = entries()
BY_ID = {entry.id: entry for entry in ENTRIES}
FAMILIES = sorted({entry.id.partition("/")[0] for entry in ENTRIES})


def test_ids_are_unique():
    assert len(BY_ID) == len(ENTRIES)


def test_wrong_entries_name_a_bug_and_a_right_sibling():
    wrong = [entry for entry in ENTRIES if not entry.right]
    assert all(BY_ID[entry.sibling].right for entry in wrong)
    assert {entry.bug for entry in wrong} == set(BUGS)


def test_right_entries_name_no_bug():
    assert not [entry.id for entry in ENTRIES if entry.right and (entry.bug or entry.sibling)]


@pytest.mark.parametrize("family", FAMILIES)
def test_rules_are_made_afresh(family):
    for entry in ENTRIES:
        if entry.id.partition("/")[0] == family:
            parts = entry.make.parts()
            assert entry.make() is not entry.make()
            assert any(parts.get(kind) for kind in ("frule", "rrule", "pushforward", "pullback")), entry.id


@pytest.mark.parametrize("family", FAMILIES)
def test_function_runs_at_its_cases(family):
    parts = BY_ID[family].make.parts()
    rng = np.random.default_rng(0)
    cases = [parts["cases"](rng) for _ in range(5)] if callable(parts["cases"]) else parts["cases"]
    for drawn in cases:
        case = drawn if isinstance(drawn, Case) else Case(tuple(drawn), {})
        args, static = Signature(parts["f"], family).bind(case.args, case.static)
        with np.errstate(all="ignore"):
            assert parts["f"](*args, **static) is not None

"""A fixed sample of both collections: right rules pass, wrong ones are caught.

All of it is run by `python -m benchmarks.checker`.
"""

import json
import warnings

import numpy as np
import pytest

from benchmarks.checker import Outcome, Summary, main
from rulebook.testing import check_rules
from tests import checker_corpus, checker_corpus_b

STEP = 20
SAMPLE = {
    f"{corpus}-{entry.id}": entry
    for corpus, module in (("a", checker_corpus), ("b", checker_corpus_b))
    for entry in module.entries()[::STEP]
}


@pytest.mark.parametrize("name", SAMPLE)
def test_entry(name):
    entry = SAMPLE[name]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of awkward functions, outside their cases
        report = check_rules(entry.make(), raise_=False)
    assert report.ok is entry.right, f"{entry.bug} {entry.why}\n{report}"


def test_sample_holds_both():
    assert {entry.right for entry in SAMPLE.values()} == {True, False}
    assert len({entry.bug for entry in SAMPLE.values()}) > 20


def test_all_of_it_can_be_run(tmp_path, capsys):
    file = tmp_path / "found.json"
    with np.errstate(all="ignore"):
        assert main(["--corpus", "b", "--only", "wrap-angle", "--workers", "1", "--undeclared", "--json", str(file)]) == 0
    assert "caught, %                100" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert {outcome["right"] for outcome in found["outcomes"]} == {True, False}
    assert found["numbers"]["right"] + found["numbers"]["wrong"] == len(found["outcomes"])


def test_summary():
    made = [("right", True, "", True), ("refused", True, "", False), ("caught", False, "sign", False), ("missed", False, "sign", True)]
    summary = Summary([Outcome("a", id, 0, right, bug, ok, 0.5) for id, right, bug, ok in made])
    assert [outcome.id for outcome in summary.misses] == ["refused", "missed"]
    assert summary.numbers()["caught, %"] == summary.numbers()["refused, %"] == 50
    assert summary.by_bug() == [("sign", 2, 1)]
    assert "missed, sign: a missed, seed 0" in summary.text()

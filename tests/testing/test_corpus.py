"""A fixed sample of both collections: right rules pass, wrong ones are caught.

All of it is run by `python -m benchmarks.checker`.
"""

import warnings

import numpy as np
import pytest

from rulebook.testing import check_rules
from tests import checker_corpus, checker_corpus_b

STEP = 12
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

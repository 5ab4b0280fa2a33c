"""The support table of the README is what the conformance data says."""

from __future__ import annotations

import pytest

from tests.conformance import model


def test_the_support_table_is_current() -> None:
    for engine in model.engine_modules():
        pytest.importorskip(model.package(engine))
    from tests.conformance import table

    assert table.written() == table.current(), "python -m tests.conformance.table writes it anew"

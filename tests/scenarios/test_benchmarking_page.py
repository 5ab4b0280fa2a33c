"""docs/manual/benchmarking.md tells what there is: its options, keys and laws are all and no other."""

from __future__ import annotations

import argparse
import importlib
import json
import re
from pathlib import Path

import pytest

from rulebook import cli
from rulebook.cli import bench
from rulebook.testing import scenarios
from rulebook.testing.scenario.trial import LAWS
from rulebook.testing.timing import Row
from rulebook.testing.timing.table import HEADER
from tests.pages.reading import blocks

PAGE = (Path(__file__).parents[2] / "docs/manual/benchmarking.md").read_text(encoding="utf-8")
RATES = next(block.text for block in blocks(PAGE) if block.title == "rates.py")


def test_the_function_of_the_page_is_measured_as_told(tmp_path, monkeypatch, capsys):
    pytest.importorskip("scipy")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rates_of_the_page.py").write_text(RATES)
    importlib.invalidate_caches()
    command = ["bench", "rates_of_the_page:misfit", "rates_of_the_page:smooth", "--engines", "dual", "--seconds", "0.001"]
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == next(line for line in PAGE.splitlines() if line.startswith("scenario ")).split()
    assert len([line for line in lines if line.startswith("fastest grad of ")]) == PAGE.count("fastest grad of ") == 2
    assert "\n".join(lines).count("time: median of a call") == PAGE.count("time: median of a call") == 1
    assert cli.main([*command, "--format", "json"]) == 0
    (one, _) = json.loads(capsys.readouterr().out)["functions"]
    assert set(one) <= set(re.findall(r"`([a-z_]+)`", PAGE))


def test_every_option_key_and_law_is_told_and_none_else():
    parser = argparse.ArgumentParser()
    bench.add(parser.add_subparsers())
    (made,) = parser._subparsers._group_actions[0].choices.values()
    options = {option for option in made._option_string_actions if option.startswith("--")} - {"--help"}
    table = PAGE[PAGE.index("| option | meaning |") : PAGE.index("An engine that cannot run")]
    assert set(re.findall(r"`(--[a-z]+)", table)) == options
    keys = PAGE[PAGE.index("| key | value |") : PAGE.index("## Scenarios")]
    assert {k for row in keys.splitlines()[2:] if row for k in re.findall(r"`([a-z]+)`", row.split("|")[1])} == set(
        Row.__dataclass_fields__
    )
    laws = PAGE[PAGE.index("| law | what must hold |") : PAGE.index("## Scenarios of your own")]
    assert {k for row in laws.splitlines()[2:] if row for k in re.findall(r"`([a-z]+)`", row.split("|")[1])} == set(LAWS)
    assert " ".join(HEADER) == " ".join(next(line for line in PAGE.splitlines() if line.startswith("scenario ")).split())
    assert f"has {len(scenarios())} derivatives" in PAGE

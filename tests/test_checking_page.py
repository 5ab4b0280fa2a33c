"""docs/manual/checking.md tells what there is: its options, its keys, its example."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import tomllib
from pathlib import Path

from rulebook import cli
from rulebook.reporting import FORMATS
from tests.pages.reading import blocks

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/manual/checking.md").read_text(encoding="utf-8")
SOURCE = next(block.text for block in blocks(PAGE) if block.title == "mypackage/orbits.py")
PLUGIN = (ROOT / "_rulebook_pytest.py").read_text(encoding="utf-8")


def _section(title: str) -> str:
    found = re.search(rf"^##+ {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _options(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for module in (cli.check, cli.listing, cli.bench):
        module.add(commands)
    return {option for option in commands.choices[command]._option_string_actions if option.startswith("--")} - {"--help"}


def test_every_option_is_told_and_none_else():
    for command in ("check", "list", "bench"):
        told = set(re.findall(r"`(--[a-z-]+)", _section(f"`rulebook {command} TARGET...`")))
        assert told - {"--strict", "--output", "--html", "--jobs"} <= _options(command) and _options(command) <= told, command
    told = set(re.findall(r"`(--rulebook[a-z-]*|rulebook_[a-z]+)", _section("pytest")))
    assert told == set(re.findall(r'"(--rulebook[a-z-]*|rulebook_[a-z]+)"', PLUGIN))
    assert all(f"`{name}`" in PAGE or f"`--format {name}`" in PAGE for name in FORMATS)


def test_the_example_is_wrong_as_told_and_every_key_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mypackage_of_the_page").mkdir()
    (tmp_path / "mypackage_of_the_page/orbits.py").write_text(SOURCE)
    (tmp_path / "mypackage_of_the_page/__init__.py").write_text("")
    importlib.invalidate_caches()
    assert cli.main(["check", "mypackage_of_the_page", "--format", "json"]) == 1
    read = json.loads(capsys.readouterr().out)
    (primitive,) = read["primitives"]
    assert "differences-forward" in {finding["law"] for finding in primitive["findings"]}
    keys = {*read, *read["totals"], *primitive, *primitive["findings"][0], "kind", "text", "count"}
    assert keys <= set(re.findall(r"`\"?([a-z_]+)\"?`", _section("JSON")))
    right = SOURCE.replace("-np.sin(E) / slope", "np.sin(E) / slope")
    (tmp_path / "right_of_the_page.py").write_text(right)
    assert right != SOURCE and cli.main(["check", "right_of_the_page"]) == 0


def test_the_keys_of_list_and_bench_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "listed_of_the_page.py").write_text(SOURCE)
    importlib.invalidate_caches()
    for command, key, more in (("list", "primitives", ()), ("bench", "rows", ("--engines", "dual", "--seconds", "0.001"))):
        assert cli.main([command, "listed_of_the_page", "--format", "json", *more]) == 0
        read = json.loads(capsys.readouterr().out)
        told = set(re.findall(r"`([a-z_]+)`", _section(f"`rulebook {command} TARGET...`")))
        assert {*read, *read[key][0]} <= told


def test_the_settings_are_toml():
    (settings,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert set(tomllib.loads(settings)["tool"]["pytest"]["ini_options"]) == {"rulebook_targets", "rulebook_without"}

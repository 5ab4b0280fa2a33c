"""Every cell of the guide's tables is run: what an engine does with a line of code, and which pattern serves."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.pages.guide_tables import WAYS, Row, block, code_of, expected, function_of, outcome, plain, tables

pytest.importorskip("jax")
pytest.importorskip("torch")
pytest.importorskip("autograd")
pytest.importorskip("scipy")

GUIDE = Path(__file__).parents[2] / "docs/guide"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
INDEX = PAGES["index.md"]
# The words of the decision table, and the ends of the names in patterns.py that they stand for.
PATTERNS = {"np": "np", "torch": "torch", "jnp": "jnp", "rb.xp": "xp", "plain": "plain", "where": "where", "stack": "stack"}
PATTERNS |= {"rb.DiffCache": "cache", "concatenate": "concatenate", "rb.implicit": "implicit", "primitive": "primitive"}


# What stands above the columns of the tables of code: one way of differentiating, or several that do the same.
COLUMNS = {way: [way] for way in WAYS}
COLUMNS |= {"JAX, with or without jit": ["JAX", "JAX, jit"], "dual, autograd, torch, JAX": ["dual", "autograd", "torch", "JAX"]}


def _id(row: Row) -> str:
    return f"{row.page}-{re.sub(r'[^A-Za-z0-9_.]+', '_', plain(row.first))[:60]}"


CODE = [row for page, text in PAGES.items() for row in tables(page, text, "code")]
SETS = list(tables("index.md", INDEX, "engines"))


@pytest.mark.parametrize("row", CODE, ids=_id)
def test_what_becomes_of(row: Row) -> None:
    f = function_of(code_of(row.first))
    exact = expected(f)
    said = {way: plain(cell) for column, cell in list(row.cells.items())[1:] for way in COLUMNS[column]}
    assert said
    assert {way: outcome(way, f, exact) for way in said} == said


def ways_of(engines: str) -> list[str]:
    """The ways of differentiating that a set of engines has: `jit` and `vmap` only where it says so."""
    words = plain(engines)
    everything = words.startswith(("all", "later"))
    chosen = [way for way in WAYS if everything or way.split(", ")[0] in re.findall(r"\w+", words)]
    return [way for way in chosen if everything or "," not in way or way.split(", ")[1] in words]


@functools.cache
def _programs() -> ModuleType:
    return block(INDEX, "patterns.py")


def _patterns(topic: str) -> list[str]:
    return [name for name in vars(_programs()) if name.startswith(f"{topic}_")]


@functools.cache
def _found(name: str, way: str) -> str:
    """What becomes of a program; all programs of one topic have the gradient of its last one."""
    topic = name.partition("_")[0]
    return outcome(way, getattr(_programs(), name), _exact(_patterns(topic)[-1]))


@functools.cache
def _exact(name: str) -> Any:
    return expected(getattr(_programs(), name))


@pytest.mark.parametrize("row", SETS, ids=_id)
def test_the_pattern_for(row: Row) -> None:
    ways = ways_of(row.first)
    assert ways
    for column, cell in list(row.cells.items())[1:]:
        topic = column.split()[0]
        names = _patterns(topic)
        chosen = f"{topic}_{PATTERNS[plain(cell)]}"
        assert {way: _found(chosen, way) for way in ways} == dict.fromkeys(ways, "yes")
        if not plain(row.first).startswith("later"):  # what is best for engines that nobody has seen is an opinion
            for simpler in names[: names.index(chosen)]:
                assert {_found(simpler, way) for way in ways} != {"yes"}, f"{simpler} would do"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("simple", "general"), [("kept_plain", "kept_cache"), ("foreign_plain", "foreign_primitive")])
def test_what_is_the_same_for_every_engine(way: str, simple: str, general: str) -> None:
    assert _found(simple, way) not in ("yes", "wrong")
    assert _found(general, way) == "yes"


def test_the_programs_of_one_topic_compute_the_same() -> None:
    for topic in (*(column.split()[0] for column in list(SETS[0].cells)[1:]), "kept", "foreign"):
        names = [name for name in _patterns(topic) if not name.endswith(("_torch", "_jnp"))]
        assert len({str(_exact(name).round(4).tolist()) for name in names}) == 1, names


def test_a_table_that_is_wrong_is_found() -> None:
    row = next(tables("page", "| code | dual | JAX |\n|---|---|---|\n| `np.sin(x)` | yes | yes |\n", "code"))
    f = function_of(code_of(row.first))
    exact = expected(f)
    assert {way: outcome(way, f, exact) for way in ("dual", "JAX")} == {"dual": "yes", "JAX": "TracerArrayConversionError"}
    assert outcome("torch", function_of("float(x[0]) * x[1]"), expected(function_of("x[0] * x[1]"))) == "wrong"

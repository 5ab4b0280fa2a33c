"""What the site is made of: every public name has its place, every link its target, every figure and picture its source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
PUBLISHED = sorted((ROOT / "benchmarks" / "published").glob("*.json"))
_CODE = re.compile(r"^( *)(`{3,}).*?^\1\2 *$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<address>[^)\s]+)\)")


def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> Any:
    return _script("build")


def _public(package: str) -> list[str]:
    """The names that a package offers: what its __init__ imports under the same name."""
    tree = ast.parse(Path(importlib.import_module(package).__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [a.name for node in imports for a in node.names if a.asname == a.name]


def _found(path: str) -> Any:
    """What a path of the reference names."""
    parts = path.split(".")
    value: Any = importlib.import_module(parts[0])
    for i, part in enumerate(parts[1:], 2):
        value = getattr(value, part, None) or importlib.import_module(".".join(parts[:i]))
    return value


def _described() -> Counter[str]:
    texts = [page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").glob("*.md"))]
    return Counter(name for text in texts for name in re.findall(r"^::: (\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("package", ["rulebook", "rulebook.testing", "rulebook.implicit"])
def test_every_public_name_stands_on_one_page_of_the_reference(package: str) -> None:
    described = [_found(path) for path in _described() if not path.startswith("rulebook.compat")]
    places = {name: sum(value is getattr(_found(package), name) for value in described) for name in _public(package)}
    modules = [name for name in places if isinstance(getattr(_found(package), name), ModuleType)]
    assert len(places) > 8 and {name for name, n in places.items() if n != 1} <= set(modules), places


def test_nothing_is_described_twice() -> None:
    assert [name for name, n in _described().items() if n > 1] == []


def test_public_names_are_found_by_themselves() -> None:
    assert {"grad", "implicit", "Sparsity", "primitive"} <= set(_public("rulebook"))


def _links(page: Path) -> list[str]:
    return [found["address"] for found in _LINK.finditer(_CODE.sub("", page.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent == ROOT], ids=lambda page: page.name)
def test_links_of_the_pages_at_the_top_lead_somewhere(page: Path) -> None:
    """Those of docs/ are checked when the site is built."""
    inside = [link for link in _links(page) if not urlsplit(link).scheme]
    assert [link for link in inside if not (page.parent / urlsplit(link).path).exists()] == []


def test_addresses_of_other_hosts_have_the_form_of_one() -> None:
    outside = [(page.name, link) for page in PAGES for link in _links(page) if urlsplit(link).scheme]
    assert [link for link in outside if not re.fullmatch(r"https?://[\w-]+(\.[\w-]+)+(/[^\s<>\"]*)?(#[\w./-]+)?", link[1])] == []


def test_the_pictures_of_the_gallery_are_those_of_the_programs() -> None:
    """`python docs/plots.py NAME` makes one again."""
    plots = _script("plots")
    stale = [name for name, program in plots.PLOTS.items() if plots.digest(program).encode() not in (plots.GALLERY / name).read_bytes()]
    assert stale == []
    shown = (DOCS / "gallery/index.md").read_text(encoding="utf-8")
    assert all(f"({name})" in shown for name in plots.PLOTS)


def test_every_file_of_figures_is_on_the_page_once() -> None:
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r'--8<-- "build/figures/(\w+)\.md"', page)) == [file.stem for file in PUBLISHED]


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.stem)
def test_published_figures_say_what_they_hold_for(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["command"].startswith("python -m benchmarks") and re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])
    assert {"python", "numpy"} <= set(found["versions"]) and found["rows"] and any("ratio" in row for row in found["rows"])


def test_figures_become_a_table_of_ratios_and_a_plot(build: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = importlib.import_module("benchmark_page")  # docs/build.py puts its folder on the path
    rows = [
        {"engine": "jax", "case": "call", "ratio": 0.123456, "ours_us": 7.7, "hand_us": 8.8, "target": None},
        {"engine": "torch", "case": "grad", "ratio": 2e-5, "ours_us": 7.7, "hand_us": 8.8, "target": 1.1},
    ]
    assert page.table(rows) == [
        "| engine | case | time / time of the counterpart | aimed at |",
        "| --- | --- | --: | --: |",
        "| jax | call | 0.123 |  |",
        "| torch | grad | 2.0e-05 | 1.1 |",
    ]
    page.plot(rows, tmp_path / "a.svg")
    page.plot(rows, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_pages_that_the_changelog_names_become_links(build: Any) -> None:
    assert build.changelog("solvers (docs/manual/scipy.md)") == "solvers ([docs/manual/scipy.md](manual/scipy.md))"


@pytest.mark.parametrize(
    ("html", "wrong"),
    [
        ('<script src="https://unpkg.com/x.js"></script>', 1),
        ('<link rel="stylesheet" href="//fonts.example.com/a.css">', 1),
        ('<img src="../orbit.svg"><a href="https://numpy.org">NumPy</a>', 0),
        ('<link rel="canonical" href="https://example.com/">', 0),
    ],
)
def test_what_a_page_loads_from_another_host_is_found(build: Any, tmp_path: Path, html: str, wrong: int) -> None:
    (tmp_path / "page.html").write_text(html)
    assert len(list(build.foreign(tmp_path))) == wrong

"""The support table of the README, from the data that the conformance suite runs.

`python -m tests.conformance.table` writes it; a test checks that it is current.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.conformance import implicit_cases, model
from tests.conformance.cases import CASES

README = Path(__file__).parents[2] / "README.md"
_MARKED = re.compile(r"<!-- support table -->.*?<!-- end of support table -->", re.DOTALL)


def _cell(transform: model.Transform) -> str:
    """yes; or the errors that are raised, and for which cases."""
    refused: dict[str, list[str]] = {}
    n = 0
    cells = [(case, directions) for case in CASES for directions in model.DIRECTIONS.values()]
    cells += [(case, model.DIRECTIONS["both"]) for case in implicit_cases.CASES if not case.host]
    for case, directions in cells:
        if transform.order == 1 or case.second:
            n += 1
            error = transform.refuses(case, directions)
            if error is not None:
                refused.setdefault(error.__name__, []).append(case.name)
    if not refused:
        return "yes"
    whole = sum(map(len, refused.values())) == n
    return ("" if whole else "yes; ") + "; ".join(
        f"`{error}`" + ("" if whole else f" for: {', '.join(dict.fromkeys(names))}") for error, names in refused.items()
    )


def _rows(engines: list[str]) -> Iterator[list[str]]:
    cells = {engine: {t.name: _cell(t) for t in model.load(engine).TRANSFORMS} for engine in engines}
    for name in dict.fromkeys(name for engine in engines for name in cells[engine]):
        yield [name, *(cells[engine].get(name, "") for engine in engines)]


def table() -> str:
    """The table in Markdown: a row per transformation, a column per engine; empty where an engine has no such transformation."""
    engines = sorted(model.engine_modules(), key=["jax", "torch", "autograd", "dual"].index)
    lines = [["transformation", *engines], ["---"] * (1 + len(engines)), *_rows(engines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written() -> str:
    """The table that stands in the README."""
    found = _MARKED.search(README.read_text())
    if found is None:
        raise ValueError("README.md has no support table between its marks")
    return found.group(0)


def current() -> str:
    """What should stand there."""
    return f"<!-- support table -->\n{table()}\n<!-- end of support table -->"


if __name__ == "__main__":
    README.write_text(_MARKED.sub(lambda _: current(), README.read_text()))

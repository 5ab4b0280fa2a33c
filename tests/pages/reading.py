"""A page as what is to be run: its blocks of code, in order, each with the output that the page shows below it."""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=marks) *$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_ASKS = re.compile(r"<!-- needs: *(?P<names>[^\n]*?) *-->\s*\Z")
_NEEDS = re.compile(r"\A---\n(?:.*\n)*?needs: *(?P<names>[^\n]*)\n(?:.*\n)*?---\n")
_OUTPUT = "text"
_INCLUDED = re.compile(r'^--8<-- "(?P<path>[^"]+)"$', re.MULTILINE)
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the name of the file that it is (or None), its text, its line, the output below it (or None).

    `needs` are packages and programs that it alone asks for.
    """

    language: str
    title: str | None
    text: str
    line: int
    output: str | None = None
    needs: tuple[str, ...] = ()


def needs(page: str) -> list[str]:
    """The packages and programs that a page's front matter asks for: `needs: jax scipy cc`."""
    found = _NEEDS.match(page)
    return found["names"].split() if found else []


def is_missing(name: str) -> bool:
    """Whether there is no package and no program of that name."""
    return importlib.util.find_spec(name) is None and shutil.which(name) is None


def blocks(page: str) -> list[Block]:
    """The blocks of a page; one of output belongs to the block that stands directly above it, with no words between.

    A line `--8<-- "examples/file.py"` is the text of that file of the repository.
    `<!-- needs: jax -->` directly above a block is what that block alone asks for.
    """
    found: list[Block] = []
    end = -1
    for fence in _FENCE.finditer(page):
        language, _, rest = fence["info"].strip().partition(" ")
        text = re.sub(rf"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE)
        text = _INCLUDED.sub(lambda file: (_ROOT / file["path"]).read_text(encoding="utf-8").rstrip("\n"), text)
        title = _TITLE.search(rest)
        asked = _ASKS.search(page[max(end, 0) : fence.start()])
        names = tuple(asked["names"].split()) if asked else ()
        block = Block(language, title[1] if title else None, text, page.count("\n", 0, fence.start()) + 1, needs=names)
        if language == _OUTPUT and found and not page[end : fence.start()].strip():
            above = found.pop()
            block = replace(above, output=text)
        found.append(block)
        end = fence.end()
    return found


def pages(root: Path) -> list[Path]:
    """Every page below a folder that has code in it."""
    return sorted(path for path in root.rglob("*.md") if "```" in path.read_text(encoding="utf-8"))

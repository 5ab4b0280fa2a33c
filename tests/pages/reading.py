"""A page as what is to be run: its blocks of code, in order, each with the output that the page shows below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)(?P=marks) *$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_NEEDS = re.compile(r"\A---\n(?:.*\n)*?needs: *(?P<names>[^\n]*)\n(?:.*\n)*?---\n")
_OUTPUT = "text"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the name of the file that it is (or None), its text, its line, and the output below it (or None)."""

    language: str
    title: str | None
    text: str
    line: int
    output: str | None = None


def needs(page: str) -> list[str]:
    """The packages that a page's front matter asks for: `needs: jax scipy`."""
    found = _NEEDS.match(page)
    return found["names"].split() if found else []


def blocks(page: str) -> list[Block]:
    """The blocks of a page; one of output belongs to the block that stands directly above it, with no words between."""
    found: list[Block] = []
    end = -1
    for fence in _FENCE.finditer(page):
        language, _, rest = fence["info"].strip().partition(" ")
        text = re.sub(rf"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE)
        title = _TITLE.search(rest)
        block = Block(language, title[1] if title else None, text, page.count("\n", 0, fence.start()) + 1)
        if language == _OUTPUT and found and not page[end : fence.start()].strip():
            above = found.pop()
            block = Block(above.language, above.title, above.text, above.line, text)
        found.append(block)
        end = fence.end()
    return found


def pages(root: Path) -> list[Path]:
    """Every page below a folder that has code in it."""
    return sorted(path for path in root.rglob("*.md") if "```" in path.read_text(encoding="utf-8"))

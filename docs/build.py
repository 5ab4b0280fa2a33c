"""Builds the documentation site: `python docs/build.py`, warnings are errors; the pages are then in site/.

The pages of docs/ and those that are made here (benchmarks, changelog) are put together in build/docs, and MkDocs makes the site
of that folder. The pages that are made and kept (support table, coverage, plots of the gallery) are made by their own commands.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from benchmark_page import write_page

ROOT = Path(__file__).parents[1]
SOURCE, STAGED, SITE = ROOT / "docs", ROOT / "build" / "docs", ROOT / "site"
_PATH = re.compile(r"\bdocs/(?P<page>[\w/]+\.md)")
_URL = re.compile(r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"](?:https?:)?//")
_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
_NAMED = {"canonical", "prev", "next"}  # links that are not loaded


def changelog(text: str) -> str:
    """The changelog as a page: the pages that it names become links."""
    return _PATH.sub(lambda found: f"[{found[0]}]({found['page']})", text)


def assemble() -> None:
    """Every page in build/docs."""
    shutil.rmtree(STAGED, ignore_errors=True)
    shutil.copytree(SOURCE, STAGED, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (STAGED / "changelog.md").write_text(changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")), encoding="utf-8")
    write_page(ROOT / "benchmarks" / "published", STAGED)


class _Loads(HTMLParser):
    """What a page loads from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(_LOADED.get(tag, "")) or ""
        if re.match(r"(https?:)?//", address) and given.get("rel") not in _NAMED:
            self.found.append(address)


def foreign(site: Path) -> Iterator[str]:
    """`page: address` for everything that the site loads from another host; it has to work without a network."""
    for file in sorted(site.rglob("*.html")):
        page = _Loads()
        page.feed(file.read_text(encoding="utf-8"))
        yield from (f"{file.relative_to(site)}: {address}" for address in page.found)
    for file in sorted(site.rglob("*.css")):
        if _URL.search(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(site)}: a style of another host"


def main() -> int:
    """Build; 1 where something is wrong."""
    assemble()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"})
    if done.returncode:
        return 1
    found = list(foreign(SITE))
    print("\n".join([f"loads from another host: {line}" for line in found] or [f"built in {SITE}"]))
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())

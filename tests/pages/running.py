"""Runs the blocks of a page in one folder and one namespace, and compares what they print with what the page shows."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.pages.reading import Block, is_missing

# Installs, and what needs the network or a terminal of one's own: the newcomer test of `.ci/` does these, in empty environments.
NOT_RUN = ("pip ", "python -m pip ", "python -m venv ", "python3 -m venv ", ". ", "source ", "git ", "cd ", "uv ")
_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class PageError(AssertionError):
    """A block of a page does not do what the page says."""


def run(page: str, blocks: list[Block], folder: Path, names: dict[str, Any]) -> None:
    """Run all blocks of a page; raise `PageError` at the first that fails.

    A block with a title is a file and is written. Python without one runs, sessions (`>>>`) as doctests;
    `sh` runs line by line; TOML must parse.  A block that needs what is not here is passed over.
    """
    for block in blocks:
        if any(map(is_missing, block.needs)):
            continue
        where = f"{page}:{block.line}"
        if block.title is not None:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language in ("python", "pycon") and ">>> " in block.text:
            _session(where, block.text, names)
        elif block.language == "python":
            _compare(where, block, _script(where, block, names))
        elif block.language in ("sh", "console"):
            _compare(where, block, _shell(where, block.text, folder))
        if block.language == "toml":
            tomllib.loads(block.text)


def _script(where: str, block: Block, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            # blank lines above, so that a traceback names the line of the page
            exec(compile("\n" * block.line + block.text, where.rpartition(":")[0], "exec"), names)
        except Exception as error:
            raise PageError(f"{where}: {type(error).__name__}: {error}") from error
    return printed.getvalue()


def _session(where: str, text: str, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(text, names, where, None, 0)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=_OPTIONS)
    runner.run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    if runner.summarize(verbose=False).failed:
        raise PageError(f"{where}:\n{report.getvalue()}")


def _shell(where: str, text: str, folder: Path) -> str:
    printed = []
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "COLUMNS": "140", "PYTEST_ADDOPTS": ""}
    for line in text.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ").split("  #")[0].strip()
        if not command or command.startswith(("#", *NOT_RUN)):
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        printed.append(done.stdout)
        # 1 is what `rulebook check` and pytest say of a finding, which a page may want to show: then it shows the output
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stdout):
            raise PageError(f"{where}: {command} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return "".join(printed)


def _compare(where: str, block: Block, printed: str) -> None:
    if block.output is not None and not doctest.OutputChecker().check_output(block.output, printed, _OPTIONS):
        raise PageError(f"{where}: the page shows\n{block.output}\nand it printed\n{printed}")

"""Distributions as files in a folder, and programs that have them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

OWNER = """
import rulebook as rb

@rb.primitive(cases=[rb.case(0.5)])
def square(x):
    return x * x
"""
# 100 times the derivative: what passes the rule over shows
MARKED = """
import rulebook as rb
from owner import square

@rb.scalar_rule(square, replace=False)
def _(y, x):
    return 200.0 * x
"""


def install(
    folder: Path, name: str, modules: dict[str, str], packs: dict[str, str] | None = None, engines: dict[str, str] | None = None
) -> None:
    """A distribution with modules and entry points."""
    info = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    groups = {"rulebook.rules": packs or {}, "rulebook.bridges": engines or {}}
    text = [f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items()) for group, entries in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(text))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)


def run(folder: Path, *command: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of this Python with the distributions of a folder; `-c` and its text, or `-m` and the rest."""
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    done = subprocess.run(
        [sys.executable, "-W", "always", *command],
        env={**os.environ, "PYTHONPATH": path, "JAX_ENABLE_X64": "1", "PYTEST_ADDOPTS": "", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stderr + done.stdout
    return done

"""What a newcomer does, in empty environments: install the wheel, follow the first page, the first tutorial and the README.

Usage: newcomer.py WHEEL ENVIRONMENT...   where an environment is one of numpy, jax, torch, all.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# torch is installed by itself first: a range of its versions is never left to pip
ENVIRONMENTS = {"numpy": [[""]], "jax": [["[jax]"]], "torch": [["torch==2.13.0"], ["[torch]"]], "all": [["torch==2.13.0"], ["[all]"]]}
ENGINES = {"numpy": set[str](), "jax": {"jax"}, "torch": {"torch"}, "all": {"jax", "torch", "autograd"}}
PAGES = ("docs/index.md", "docs/tutorials/first_rule.md")


def main(wheel: Path, names: list[str]) -> None:
    """Every environment, each followed by what it took."""
    for name in names:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            python = _environment(Path(folder), wheel.resolve(), ENVIRONMENTS[name])
            installed = time.perf_counter()
            for package in ("tests", "tests/pages"):
                (Path(folder) / "walk" / package).mkdir(parents=True, exist_ok=True)
            for module in ("reading", "running"):  # alone: the repository's rulebook must not be what is imported
                shutil.copy(ROOT / "tests" / "pages" / f"{module}.py", Path(folder) / "walk" / "tests" / "pages")
            _run([python, __file__, "--follow", *sorted(ENGINES[name])], Path(folder) / "walk")
        print(f"{name}: installed in {installed - began:.0f} s, followed in {time.perf_counter() - installed:.0f} s", flush=True)


def _environment(folder: Path, wheel: Path, installs: list[list[str]]) -> str:
    """The Python of a new environment."""
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = str(folder / "venv" / "bin" / "python")
    for install in installs:
        wanted = [f"rulebook-ad{x} @ {wheel.as_uri()}" if x in ("",) or x.startswith("[") else x for x in install]
        _run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), *wanted], folder
        )
    _run([python, "-m", "pip", "check"], folder)
    return python


def _run(command: list[str], folder: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "JAX_ENABLE_X64", "XLA_FLAGS")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def follow(engines: set[str]) -> None:
    """In the environment: smoke, then the pages, each in a process and a folder of its own."""
    import rulebook as rb

    assert "site-packages" in rb.__file__, rb.__file__
    assert not {"jax", "torch", "autograd", "scipy"} & set(sys.modules)
    found = {name for name in ("jax", "torch", "autograd") if importlib.util.find_spec(name)}
    assert found == engines, f"installed are {found}, not {engines}"
    command = str(Path(sys.executable).parent / "rulebook")
    for arguments in ([], ["rulebook.rules"], ["rulebook.rules.numpy:sort"]):
        subprocess.run([command, "list", *arguments], check=True, stdout=subprocess.DEVNULL)
    for page in (*PAGES, "README.md"):
        subprocess.run([sys.executable, __file__, "--page", page], check=True)


def read(page: str) -> None:
    """One page, in a folder of its own."""
    sys.path.insert(0, os.getcwd())
    from tests.pages.reading import blocks
    from tests.pages.running import run

    folder = Path(tempfile.mkdtemp(dir=os.getcwd()))
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "README.md":
        _first_example(text)
    else:
        run(page, blocks(text), folder, {"__name__": "__main__"})


def _first_example(text: str) -> None:
    """The README's function, and each line below it whose engine is installed."""
    define, use = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    Path("kepler.py").write_text(define, encoding="utf-8")  # saved, as one does
    names: dict[str, Any] = {name: __import__(name) for name in ("jax", "torch", "autograd") if importlib.util.find_spec(name)}
    names |= {"np": __import__("numpy"), "rb": __import__("rulebook"), "kepler": __import__("kepler").kepler}
    lines = [line.split("#")[0].strip() for line in use.splitlines()]
    ran = [eval(line, names) for line in lines if line and all(n in names for n in re.findall(r"\b(jax|torch|autograd)\b(?=\.)", line))]
    assert len(ran) == 2 + len(names.keys() & {"jax", "torch", "autograd"}), lines


if __name__ == "__main__":
    if sys.argv[1] == "--follow":
        follow(set(sys.argv[2:]))
    elif sys.argv[1] == "--page":
        read(sys.argv[2])
    else:
        main(Path(sys.argv[1]), sys.argv[2:])

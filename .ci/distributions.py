"""Whether a built wheel and sdist have what they should, and nothing else.  Usage: distributions.py FOLDER"""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# What a wheel may hold beside modules, and what running the tests and building the documentation from an sdist needs.
DATA = {"rulebook/py.typed", "rulebook/demo/lynx_hare.csv"}
NEEDED = {
    *(
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "PKG-INFO",
        "conftest.py",
        "constraints.txt",
        "mkdocs.yml",
    ),
    *("_rulebook_pytest.py", "rulebook/py.typed", "tests/test_core.py", "tests/pages/running.py", "tests/rules/special_references.json"),
    *("docs/index.md", "docs/tutorials/first_rule.md", "docs/coverage.md", "benchmarks/published/core.json"),
    *("examples/rulebook_example_pack/pyproject.toml", "examples/rulebook_example_pack/src/rulebook_example_pack/tape.py"),
}
FOLDERS = {"rulebook", "tests", "docs", "examples", "benchmarks"}
UNWANTED = re.compile(r"(^|/)(__pycache__|\.git|\.venv|site|results|[^/]*\.egg-info|[^/]*_cache)(/|$)|\.(pyc|so|log|tmp|orig)$")


def main(folder: Path) -> None:
    """Look at the one wheel and the one sdist of a folder."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        _look_at_wheel(archive)
    with tarfile.open(sdist) as archive:
        files = [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]
    _expect("the sdist lacks", NEEDED - set(files))
    _expect("the sdist has", {f for f in files if UNWANTED.search(f)})
    _expect("the sdist has", {f for f in files if "/" in f and f.partition("/")[0] not in FOLDERS})
    _expect("the sdist lacks", _modules() - set(files))
    sizes = " and ".join(f"{path.name} ({path.stat().st_size / 1e6:.2f} MB)" for path in (wheel, sdist))
    print(f"{sizes} have what they should; {len(files)} files in the latter")


def _look_at_wheel(archive: zipfile.ZipFile) -> None:
    files = set(archive.namelist())
    (info,) = {f.partition("/")[0] for f in files if ".dist-info/" in f}
    own = {f for f in files if not f.startswith(info)}
    _expect("the wheel lacks", (_modules() | DATA) - own)
    _expect("the wheel has", own - _modules() - DATA)
    _expect("the wheel lacks", {f"{info}/licenses/LICENSE"} - files)
    points = archive.read(f"{info}/entry_points.txt").decode()
    for line in ("[console_scripts]", "rulebook = rulebook.cli:main", "[pytest11]", "rulebook = _rulebook_pytest"):
        _expect("entry_points.txt lacks", set() if line in points else {line})
    metadata = archive.read(f"{info}/METADATA").decode()
    extras = set(re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE))
    _expect("the metadata lack the extra", set(PROJECT["optional-dependencies"]) - extras)
    always = [line for line in re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE) if "extra ==" not in line]
    _expect("the core needs", {line for line in always if not line.startswith(("numpy", "typing-extensions"))})


def _modules() -> set[str]:
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "rulebook").rglob("*.py")}
    return {*found, "_rulebook_pytest.py"}


def _expect(what: str, wrong: Iterable[str]) -> None:
    if wrong:
        sys.exit(f"{what} {', '.join(sorted(wrong))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Engines of other distributions: found by name and by value, refused where they are none, and the one of the example package."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.installing import OWNER, REPOSITORY, install, run

SOURCE = REPOSITORY / "examples" / "rulebook_example_pack" / "src"

# an engine that is the example's with another name, and values of its own package
ENGINE = """
from rulebook_example_pack.recording import TapeArray
from rulebook_example_pack.tape import TapeEngine

class Copied(TapeEngine):
    name = "copied"
    protocol = 1

engine = Copied()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rulebook_example_pack").symlink_to(SOURCE / "rulebook_example_pack")
    install(tmp_path, "owner", {"owner": OWNER})
    return tmp_path


@pytest.fixture
def example(folder: Path) -> Path:
    packs, engines = {"pipe-flow": "rulebook_example_pack.friction"}, {"tape": "rulebook_example_pack.tape"}
    install(folder, "rulebook-example-pack", {}, packs, engines)
    return folder


def test_the_example_package_passes_its_own_tests(example: Path) -> None:
    tests = REPOSITORY / "examples" / "rulebook_example_pack" / "tests"
    done = run(example, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(REPOSITORY / "pyproject.toml"), str(tests))
    assert "6 passed" in done.stdout


def test_an_engine_is_loaded_when_it_is_asked_for_and_known_by_its_values(example: Path) -> None:
    run(
        example,
        "-c",
        "import sys, numpy as np, rulebook as rb\nfrom owner import square\n"
        "rb.scalar_rule(square)(lambda y, x: 200.0 * x)\n"
        "assert rb.derivative(square, engine='dual')(1.0) == 200\n"
        "assert 'rulebook_example_pack.tape' not in sys.modules\n"
        "from rulebook.engines import engine_names, kind_of\n"
        "assert 'tape' in engine_names() and 'rulebook_example_pack.tape' not in sys.modules\n"
        "from rulebook_example_pack.recording import TapeArray\n"
        "assert kind_of(TapeArray) == 'tape' and 'rulebook_example_pack.tape' in sys.modules\n"
        "assert rb.derivative(square, engine='tape')(1.0) == 200 and rb.bind(square, 'tape')(2.0) == 4\n"
        "assert 'tape' in rb.rules(square).engines\n"
        "try:\n    rb.grad(square, engine='tap')(1.0)\n"
        "except rb.EngineMissingError as error:\n    assert \"Do: write 'tape', if that is meant\" in str(error)\n"
        "else:\n    raise SystemExit('no error')\n",
    )


def test_commands_take_it(example: Path) -> None:
    assert "1 hold, 0 wrong" in run(example, "-m", "rulebook.cli", "check", "pipe-flow", "--engines", "tape", "dual").stdout
    assert "tape      yes        rulebook-example-pack 1.2" in run(example, "-m", "rulebook.cli", "list").stdout


WRONG = {
    "import": ("import a_package_that_there_is_not", "Got: ModuleNotFoundError: No module named 'a_package_that_there_is_not'"),
    "none": ("x = 1", "Expected: `engine`, an instance of a subclass of rulebook.engine.Engine\nGot: none of wrong_engine"),
    "no engine": ("engine = 1", "Got: a int"),
    "name": (ENGINE, "Expected: an engine with the name of its entry point\nGot: the name 'copied'"),
    "no protocol": (ENGINE.replace('"copied"', '"wrong"').replace("protocol = 1", "protocol = None"), "an engine of protocol 1\nGot: none"),
    "protocol": (ENGINE.replace('"copied"', '"wrong"').replace("protocol = 1", "protocol = 99"), "an engine of protocol 1\nGot: 99"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_engine_that_cannot_be_used(what: str, folder: Path) -> None:
    source, text = WRONG[what]
    install(folder, "wrong-engine", {"wrong_engine": source}, engines={"wrong": "wrong_engine"})
    for _ in range(2):
        done = run(folder, "-c", "import rulebook as rb\nrb.grad(lambda x: x, engine='wrong')(1.0)\n", status=1)
        assert "EngineMissingError: engine 'wrong' of wrong-engine 1.2." in done.stderr and text in done.stderr


def test_a_broken_engine_is_reported_once_where_its_values_are_met_and_the_rest_works(folder: Path) -> None:
    install(
        folder, "wrong-engine", {"wrong_engine": "class Value: pass\n", "wrong_bridge": "1 / 0\n"}, engines={"wrong_engine": "wrong_bridge"}
    )
    done = run(
        folder,
        "-c",
        "import warnings, rulebook as rb\nfrom owner import square\nfrom wrong_engine import Value\nwarnings.simplefilter('always')\n"
        "rb.scalar_rule(square)(lambda y, x: 200.0 * x)\n"
        "for _ in range(2):\n"
        "    assert rb.xp(Value(), 1.0) is not None\n"
        "    assert rb.derivative(square, engine='dual')(1.0) == 200\n",
    )
    assert done.stderr.count("RuntimeWarning: engine 'wrong_engine' of wrong-engine 1.2.") == 1 and "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("name", "got"), [("dual", "a name that rulebook has"), ("numpy", "a name that rulebook has"), ("a-b", "the name 'a-b'")]
)
def test_a_name_that_is_taken_or_none_is_refused(name: str, got: str, folder: Path) -> None:
    install(folder, "wrong-engine", {"wrong_engine": "1 / 0"}, engines={name: "wrong_engine"})
    code = "import rulebook as rb\nfrom rulebook.engines import engine_names\nassert len(engine_names()) == 4, engine_names()\n"
    code += "assert rb.derivative(lambda x: x * x, engine='dual')(1.0) == 2\n"
    text = run(folder, "-c", code).stderr
    assert (
        f"engine '{name}' of wrong-engine 1.2.\nExpected: a Python name of its own\nGot: {got}" in text
        and text.count("RuntimeWarning") == 1
    )


def test_of_two_engines_with_one_name_the_second_is_refused(example: Path) -> None:
    install(example, "zz-second", {"second": "1 / 0"}, engines={"tape": "second"})
    done = run(example, "-c", "import rulebook as rb\nassert rb.derivative(lambda x: x * x, engine='tape')(1.0) == 2\n")
    assert "engine 'tape' of zz-second 1.2." in done.stderr and "Got: a name that rulebook-example-pack has already" in done.stderr


def test_an_engine_can_be_switched_off(example: Path) -> None:
    code = "from rulebook.engines import engine_names\nassert 'tape' not in engine_names()\n"
    run(example, "-c", code, RULEBOOK_WITHOUT="tape")

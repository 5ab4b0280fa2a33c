"""Rule packs: when they are loaded, that their rules take part, and what becomes of those that fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugins.installing import MARKED, OWNER, install, run

BROKEN = "import a_package_that_there_is_not\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    install(tmp_path, "owner", {"owner": OWNER})
    return tmp_path


@pytest.fixture
def marked(folder: Path) -> Path:
    install(folder, "marks", {"marks": MARKED}, packs={"marks": "marks"})
    return folder


def test_nothing_is_read_or_loaded_before_a_rule_is_looked_up(marked: Path) -> None:
    run(
        marked,
        "-c",
        "import sys, numpy, rulebook as rb\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "from owner import square\n"
        "assert square(3.0) == 9 and square(numpy.ones(2)).sum() == 2\n"
        "assert 'marks' not in sys.modules and 'importlib.metadata' not in sys.modules\n"
        "assert rb.derivative(square, engine='dual')(3.0) == 600\n"
        "assert 'marks' in sys.modules\n",
    )


FIRST = {
    "dual": "rb.derivative(square, engine='dual')(3.0)",
    "autograd": "__import__('autograd').grad(square)(3.0)",
    "jax": "__import__('jax').jit(__import__('jax').grad(square))(3.0)",
    "jax, vmap": "__import__('jax').vmap(__import__('jax').grad(square))(__import__('numpy').array([3.0]))[0]",
    "torch": "(t := __import__('torch')).func.grad(square)(t.tensor(3.0))",
    "torch, backward": "(x := __import__('torch').tensor(3.0, requires_grad=True), square(x).backward()) and x.grad",
}


@pytest.mark.parametrize("engine", FIRST)
def test_the_rule_of_a_pack_takes_part_in_the_first_derivative(engine: str, marked: Path) -> None:
    pytest.importorskip(engine.partition(",")[0] if engine != "dual" else "numpy")
    code = f"import rulebook as rb\nfrom owner import square\nfound = float({FIRST[engine]})\nassert found == 600, found\n"
    run(marked, "-c", code)


def test_who_asks_what_is_registered_hears_of_packs(marked: Path) -> None:
    head = "import rulebook as rb\nfrom owner import square\n"
    run(marked, "-c", f"{head}assert rb.rules(square).forward == 'scalar_rule'\n")
    run(marked, "-c", f"{head}import sys; rb.primitives(); assert 'marks' in sys.modules\n")
    run(
        marked,
        "-c",
        f"{head}from rulebook.testing import check_rules\n"
        "found = check_rules(square, raise_=False).findings\nassert found, 'the rule of the pack was not checked'\n",
    )


def test_targets_name_packs(marked: Path) -> None:
    install(marked, "other", {"other_rules": MARKED.replace("square", "cube").replace("owner", "solids")}, packs={"my-pack": "other_rules"})
    (marked / "solids.py").write_text(OWNER.replace("square", "cube"))
    listed = run(marked, "-m", "rulebook.cli", "list", "my-pack").stdout
    assert "solids.cube" in listed and "owner.square" not in listed and "scalar_rule" in listed
    assert "owner.square" in run(marked, "-m", "rulebook.cli", "list", "marks").stdout
    assert "owner.square" in run(marked, "-m", "rulebook.cli", "check", "my-pack", "owner", status=1).stdout
    assert "solids.cube" in run(marked, "-m", "rulebook.cli", "list", "solids:cube").stdout
    found = run(marked, "-m", "rulebook.cli", "list", "my-pac", status=2).stderr
    assert "Expected: an importable module or module:primitive" in found


def test_the_list_of_engines_and_packs(marked: Path) -> None:
    text = run(marked, "-m", "rulebook.cli", "list").stdout
    assert text.splitlines()[0].split() == ["engine", "installed", "distribution"]
    assert "marks      marks   marks 1.2     yes" in text
    told = json.loads(run(marked, "-m", "rulebook.cli", "list", "--format", "json").stdout)
    assert {"name": "marks", "module": "marks", "distribution": "marks 1.2", "imported": True} in told["packs"]
    assert {"dual", "jax", "torch", "autograd"} == {e["name"] for e in told["engines"]}


def test_a_module_comes_before_a_pack_that_is_called_so(marked: Path) -> None:
    install(
        marked, "taker", {"taker": "import rulebook as rb\nf = rb.primitive(lambda x: x, name='of the pack')\n"}, packs={"owner": "taker"}
    )
    text = run(marked, "-m", "rulebook.cli", "list", "owner").stdout
    assert "owner.square" in text and "of the pack" not in text
    install(marked, "late", {}, packs={"json": "taker"})
    text = run(marked, "-m", "rulebook.cli", "list", "json", status=2).stderr
    assert "target 'json'" in text and "Do: write taker for rule pack 'json' of late 1.2" in text


# -- packs that fail -------------------------------------------------------------------------------


def test_a_broken_pack_is_reported_once_and_the_rest_works(marked: Path) -> None:
    install(marked, "broken-rules", {"broken_rules": BROKEN}, packs={"broken": "broken_rules"})
    done = run(
        marked,
        "-c",
        "import rulebook as rb, warnings\nfrom owner import square\nwarnings.simplefilter('always')\n"
        "for _ in range(2):\n    assert rb.derivative(square, engine='dual')(3.0) == 600\n    rb.primitives(); rb.rules(square)\n",
    )
    assert done.stderr.count("RuntimeWarning: rule pack 'broken' of broken-rules 1.2.") == 1
    assert (
        "Expected: the module broken_rules, imported\nGot: ModuleNotFoundError: No module named 'a_package_that_there_is_not'"
        in done.stderr
    )
    assert (
        "Do: update or uninstall broken-rules, or set RULEBOOK_WITHOUT=broken; where it fails shows: python -c 'import broken_rules'"
        in done.stderr
    )


def test_a_rule_that_is_missing_may_be_that_of_a_broken_pack(folder: Path) -> None:
    install(folder, "broken-rules", {"broken_rules": BROKEN}, packs={"broken": "broken_rules"})
    code = "import rulebook as rb\nfrom owner import square\nrb.derivative(square, engine='dual')(3.0)\n"
    text = run(folder, "-W", "ignore", "-c", code, status=1).stderr
    assert "Do: write one with @rb.frule or @rb.pushforward(square), or a reverse rule, from which it is derived; or mend rule pack" in text
    assert "rule pack 'broken' of broken-rules 1.2, which could not be imported" in text


@pytest.mark.parametrize("failure", ["raise SystemExit(3)", "1 / 0", "import rulebook as rb; rb.nothing", "def"])
def test_whatever_a_pack_fails_with(failure: str, marked: Path) -> None:
    install(marked, "broken-rules", {"broken_rules": failure + "\n"}, packs={"broken": "broken_rules"})
    code = "import rulebook as rb\nfrom owner import square\nassert rb.derivative(square, engine='dual')(3.0) == 600\n"
    assert "rule pack 'broken' of broken-rules 1.2." in run(marked, "-c", code).stderr


def test_commands_tell_of_a_broken_pack_once_and_go_on(marked: Path) -> None:
    install(marked, "broken-rules", {"broken_rules": BROKEN}, packs={"broken": "broken_rules"})
    for command, status in ((["list"], 0), (["list", "owner"], 0), (["check", "owner", "--jobs", "2"], 1)):
        done = run(marked, "-m", "rulebook.cli", *command, status=status)
        assert done.stderr.count("rulebook: rule pack 'broken' of broken-rules 1.2.") == 1 and "Warning" not in done.stderr
    assert "broken     broken_rules  broken-rules 1.2  no" in run(marked, "-m", "rulebook.cli", "list").stdout
    asked = run(marked, "-m", "rulebook.cli", "check", "broken", status=2)
    assert "target 'broken_rules'" in asked.stderr and "a_package_that_there_is_not" in asked.stderr


def test_two_packs_with_one_rule(marked: Path) -> None:
    install(marked, "second", {"second_rules": MARKED.replace("200", "2")}, packs={"second": "second_rules"})
    code = "import rulebook as rb\nfrom owner import square\nassert rb.derivative(square, engine='dual')(3.0) == 600\n"
    text = run(marked, "-c", code).stderr
    assert "rule pack 'second' of second 1.2." in text and "DuplicateRuleError: scalar_rule of owner.square." in text
    assert "Got: a scalar_rule is registered, by marks" in text


def test_a_pack_can_be_switched_off(marked: Path) -> None:
    code = "import rulebook as rb\nfrom owner import square\nassert rb.rules(square).forward is None\n"
    run(marked, "-c", code, RULEBOOK_WITHOUT="marks")
    run(marked, "-c", code, RULEBOOK_WITHOUT="another, *")
    run(marked, "-c", code.replace("is None", "== 'scalar_rule'"), RULEBOOK_WITHOUT="another")


# -- packs that are imported while something else goes on ------------------------------------------


def test_a_pack_may_differentiate_and_be_imported_by_hand(marked: Path) -> None:
    more = "assert rb.derivative(square, engine='dual')(1.0) == 200\nassert rb.rules(square).forward\n"
    install(marked, "eager", {"eager": "import marks\n" + MARKED.split("@")[0] + more}, packs={"eager": "eager"})
    for first in ("import eager", "import marks", "pass"):
        done = run(marked, "-c", f"{first}\nimport rulebook as rb\nfrom owner import square\nassert rb.derivative(square)(3.0) == 600\n")
        assert "rule pack" not in done.stderr


def test_threads_wait_for_the_rules(marked: Path) -> None:
    slow = "import time\ntime.sleep(0.5)\n" + MARKED.replace("square", "cube").replace("200", "300")
    install(marked, "slow", {"slow": slow}, packs={"slow": "slow"})
    (marked / "owner.py").write_text(OWNER + OWNER.replace("square", "cube"))
    run(
        marked,
        "-c",
        "import rulebook as rb, threading\nfrom concurrent.futures import ThreadPoolExecutor\nfrom owner import cube\n"
        "start = threading.Barrier(4)\n"
        "def one(_):\n    start.wait()\n    return float(rb.derivative(cube, engine='dual')(1.0))\n"
        "with ThreadPoolExecutor(4) as pool:\n    found = list(pool.map(one, range(4)))\n"
        "assert found == [300.0] * 4, found\n",
    )


@pytest.mark.parametrize(
    ("package", "made", "call"),
    [
        ("jax", "jax.numpy.ones(3)", "jax.jit(jax.grad(square))(3.0)"),
        ("torch", "torch.ones(3)", "torch.func.vmap(torch.func.grad(square))(torch.ones(2))"),
        ("torch", "torch.ones(3)", "torch.inference_mode()(lambda: torch.func.grad(square)(torch.tensor(1.0)))()"),
    ],
)
def test_arrays_that_a_pack_makes_belong_to_no_trace(package: str, made: str, call: str, folder: Path) -> None:
    pytest.importorskip(package)
    install(folder, "marks", {"marks": MARKED + f"import {package}\nMADE = {made}\n"}, packs={"marks": "marks"})
    check = "assert not torch.is_inference(marks.MADE) and not torch._C._functorch.is_functorch_wrapped_tensor(marks.MADE)\n"
    check = check if package == "torch" else "import numpy; assert numpy.asarray(marks.MADE).sum() == 3\n"
    run(folder, "-c", f"import {package}\nfrom owner import square\n{call}\nimport marks\n{check}")

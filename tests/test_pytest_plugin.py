"""The pytest plugin: items, node ids that run again, what is shown, and that it stays out of the way."""

from __future__ import annotations

import re

import pytest

import rulebook.pytest_plugin  # noqa: F401 (what an inner run imports anew would otherwise be dropped after it)
from rulebook.testing import engine_laws, laws
from tests.targets_tools import NO_CASE, RIGHT, WRONG, few_points, package

pytest_plugins = ["pytester"]

LAWS = [law.id for law in laws()]
PER_CASE = 1 + len(LAWS)  # the points, then the laws

NOISY = """
import warnings
import numpy as np
import rulebook as rb

@rb.primitive(cases=[lambda rng: (rng.normal(),)])
def root(x):
    warnings.warn("about to divide")
    if x < 0:
        raise ValueError("negative")
    return np.sqrt(x)

@rb.scalar_rule(root)
def _(y, x):
    return (0.5 / y,)
"""


@pytest.fixture(autouse=True)
def _quick(pytester, monkeypatch):
    few_points(monkeypatch)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")  # which takes seconds in every inner run


@pytest.fixture
def write(pytester):
    """Writes a package into the folder of the inner run."""
    return lambda **modules: package(pytester.path, "rules_under_test", **modules)


def ids(result) -> list[str]:
    return [line for line in result.outlines if line.startswith("rulebook://")]


def test_an_item_per_primitive_case_and_law(pytester, write):
    name = write(a=RIGHT)
    result = pytester.runpytest(f"--rulebook={name}", "--collect-only", "-q")
    cases = [f"{name}.a.cube::case0", f"{name}.a.cube::case1", "mine.inverse::case0"]
    assert ids(result) == [f"rulebook://{name}::{case}::{law}" for case in cases for law in ("points", *LAWS)]


def test_right_rules_pass_beside_other_tests(pytester, write):
    name = write(a=RIGHT)
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest(f"--rulebook={name}").assert_outcomes(passed=3 * PER_CASE + 1)


def test_engines_have_items_where_they_are_asked_for(pytester, write):
    name = write(a=RIGHT)
    result = pytester.runpytest(f"--rulebook={name}.a:cube", "--rulebook-engines=dual")
    found = result.parseoutcomes()  # some have nothing to say about this engine
    assert found["passed"] + found["skipped"] == 2 * (PER_CASE + len(engine_laws())) and found["skipped"] < 2 * len(engine_laws())
    item = f"rulebook://{name}.a:cube::{name}.a.cube::case0::engine-bridge"
    pytester.runpytest(item, "--rulebook-engines=dual").assert_outcomes(passed=1)
    result = pytester.runpytest(item)
    assert "not found" in result.stdout.str() + result.stderr.str()


def test_an_engine_that_there_is_not(pytester, write):
    result = pytester.runpytest(f"--rulebook={write(a=RIGHT)}", "--rulebook-engines=dual,duol")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--rulebook-engines: *duol*"])


def test_a_finding_is_shown_as_its_message(pytester, write):
    name = write(a=WRONG)
    result = pytester.runpytest(f"--rulebook={name}.a:square")
    broken = {"differences-reverse", "duality"}
    result.assert_outcomes(failed=len(broken), passed=PER_CASE - len(broken))
    result.stdout.fnmatch_lines(
        [
            f"*_ rulebook://{name}.a:square::{name}.a.square::case0::duality *_",
            f"rrule of {name}.a.square, law 'duality' *",
            "  Expected *",
            "  Got *",
            "  Do: *",
            "*= short test summary info =*",
            f"FAILED rulebook://{name}.a:square::{name}.a.square::case0::duality*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_node_ids_run_again_as_they_are_printed(pytester, write, more):
    name = write(a=WRONG, b=RIGHT)
    first = pytester.runpytest_subprocess(f"--rulebook={name}", *more) if more else pytester.runpytest(f"--rulebook={name}", "-v")
    first.assert_outcomes(failed=2, passed=4 * PER_CASE - 2, skipped=1)
    failed = sorted({found[1] for line in first.outlines if (found := re.match(r"FAILED (rulebook://\S+)", line))})
    assert failed == [f"rulebook://{name}::{name}.a.square::case0::{law}" for law in ("differences-reverse", "duality")]
    pytester.runpytest(*failed).assert_outcomes(failed=2)
    pytester.runpytest(failed[1]).assert_outcomes(failed=1)


def test_a_part_of_a_node_id_runs_what_is_below_it(pytester, write):
    name = write(a=WRONG, b=RIGHT)
    node = f"rulebook://{name}"
    assert len(ids(pytester.runpytest(node, "--collect-only", "-q"))) == 4 * PER_CASE + 1
    assert len(ids(pytester.runpytest(f"{node}::{name}.b.cube", "--collect-only", "-q"))) == 2 * PER_CASE
    assert len(ids(pytester.runpytest(f"{node}::{name}.b.cube::case1", "--collect-only", "-q"))) == PER_CASE
    both = (f"{node}::{name}.b.cube::case1::zero", f"{node}::{name}.b.cube::case0", f"{node}::{name}.b.cube::case0::zero")
    assert len(ids(pytester.runpytest(*both, "--collect-only", "-q"))) == PER_CASE + 1


def test_a_primitive_of_two_targets_runs_once_unless_it_is_named(pytester, write):
    name = write(a=WRONG)
    both = (f"--rulebook={name}.a:square", f"--rulebook={name}", "--collect-only", "-q", "-k", "duality")
    assert ids(pytester.runpytest(*both)) == [f"rulebook://{name}.a:square::{name}.a.square::case0::duality"]
    named = [f"rulebook://{target}::{name}.a.square::case0::duality" for target in (f"{name}.a:square", name)]
    assert ids(pytester.runpytest(*named, "--collect-only", "-q")) == named


def test_a_node_id_narrows_what_the_option_names(pytester, write):
    name = write(a=WRONG)
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest(f"--rulebook={name}", f"rulebook://{name}::{name}.a.square::case0::primal")
    result.assert_outcomes(passed=1)


def test_node_ids_as_pytest_writes_them_in_a_folder_below_the_root(pytester, write, monkeypatch):
    name = write(a=WRONG)
    pytester.makeini("[pytest]\n")
    monkeypatch.syspath_prepend(pytester.path)
    monkeypatch.chdir(pytester.mkdir("below"))
    result = pytester.runpytest("-v", f"--rulebook={name}", "--rootdir", str(pytester.path))
    (node,) = {line.split()[0] for line in result.outlines if "::duality FAILED" in line}
    assert node != f"rulebook://{name}::{name}.a.square::case0::duality"
    pytester.runpytest(node, "--rootdir", str(pytester.path)).assert_outcomes(failed=1)


def test_keywords_markers_and_the_last_failures_select(pytester, write):
    name = write(a=WRONG, b=RIGHT)
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest(f"--rulebook={name}", "-k", "square and (duality or primal)").assert_outcomes(
        failed=1, passed=1, deselected=4 * PER_CASE
    )
    pytester.runpytest(f"--rulebook={name}", "-m", "not rulebook").assert_outcomes(passed=1, deselected=4 * PER_CASE + 1)
    pytester.runpytest(f"--rulebook={name}").assert_outcomes(failed=2, passed=4 * PER_CASE - 1, skipped=1)
    pytester.runpytest(f"--rulebook={name}", "--lf").assert_outcomes(failed=2, passed=0)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("rulebook://{name}.a::{name}.a.cube::case7", "not found: rulebook://{name}.a::{name}.a.cube::case7"),
        ("rulebook://{name}.a::{name}.a.cubes", "not found: rulebook://{name}.a::{name}.a.cubes"),
        ("rulebook://{name}.a::{name}.a.cube::case0::dualty", "not found: rulebook://{name}.a::{name}.a.cube::case0::dualty"),
        ("--rulebook=no_such_module", "Got: no module named 'no_such_module'"),
        ("--rulebook={name}.a:nothing", "Got: no attribute 'nothing'"),
        ("--rulebook={name}.broken", "ZeroDivisionError: division by zero"),
        ("--rulebook={name}.empty", "Got: none in it"),
    ],
)
def test_what_is_not_there(pytester, write, node, message):
    name = write(a=RIGHT, broken="1 / 0", empty="x = 1")
    result = pytester.runpytest(node.format(name=name))
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"*{message.format(name=name)}*"])
    result.stdout.no_fnmatch_line("*_pytest*")


def test_what_cannot_be_checked(pytester, write):
    name = write(a=NO_CASE, b=WRONG, c="import no_such_package_anywhere")
    result = pytester.runpytest(f"--rulebook={name}", "-rs", "-k", "not square")
    result.assert_outcomes(failed=1, skipped=2, deselected=PER_CASE)
    result.stdout.fnmatch_lines([f"check of {name}.a.lonely.", "Expected: example calls", "Got: none", "Do: give some: *"])
    result.stdout.fnmatch_lines(["SKIPPED*not imported: No module named 'no_such_package_anywhere'"])
    pytester.runpytest(f"--rulebook={name}.b:Holder.method").assert_outcomes(failed=1)
    pytester.runpytest(f"--rulebook={name}", "--rulebook-strict", "-k", "not square").assert_outcomes(
        failed=2, skipped=1, deselected=PER_CASE
    )


def test_the_options_of_the_configuration_file(pytester, write):
    name = write(a=RIGHT)
    pytester.makeini(f"[pytest]\nrulebook_targets = {name}.a:cube\nrulebook_without =\n    zero = too slow\n    again=later\n")
    pytester.makepyfile(test_it="def test_it(): pass")
    result = pytester.runpytest("-rs")
    result.assert_outcomes(passed=2 * (PER_CASE - 2) + 1, skipped=4)
    result.stdout.fnmatch_lines(["SKIPPED*switched off: too slow"])
    pytester.runpytest("test_it.py").assert_outcomes(passed=1)
    pytester.runpytest("test_it.py", f"--rulebook={name}.a").assert_outcomes(passed=3 * (PER_CASE - 2) + 1, skipped=6)


@pytest.mark.parametrize(("line", "message"), [("zro = slow", "*law 'zro'.*"), ("zero", "*rulebook_without: 'zero' is not LAW=REASON*")])
def test_a_wrong_configuration_file(pytester, write, line, message):
    name = write(a=RIGHT)
    pytester.makeini(f"[pytest]\nrulebook_without = {line}\n")
    result = pytester.runpytest(f"--rulebook={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_strict_project_and_notes(pytester, write):
    name = write(a=NOISY)
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config\nxfail_strict = true\nfilterwarnings = error\n")
    result = pytester.runpytest(f"--rulebook={name}", "-rP")
    result.assert_outcomes(passed=PER_CASE, warnings=0)
    result.stdout.fnmatch_lines(["*rulebook notes*", "left out: *"])


def test_a_seed_is_no_negative_number(pytester, write):
    result = pytester.runpytest(f"--rulebook={write(a=WRONG)}", "--rulebook-seed=-1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--rulebook-seed: a seed is one of 0, 1, 2, ...*"])


def test_the_seed_reaches_the_checker(pytester, write):
    name = write(a=WRONG)
    result = pytester.runpytest(f"rulebook://{name}::{name}.a.square::case0::duality", "--rulebook-seed=41")
    result.stdout.fnmatch_lines(["*seed=41*"])


def test_an_unexpected_error_keeps_its_traceback(pytester, write):
    name = write(a=WRONG)
    pytester.makeconftest(
        """
        import rulebook.pytest_plugin

        def fails(*rest, **more):
            raise ZeroDivisionError("in the checker")

        rulebook.pytest_plugin.reports_of = fails
        """
    )
    result = pytester.runpytest_subprocess(f"rulebook://{name}::{name}.a.square::case0::duality")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*conftest.py:*: ZeroDivisionError"])


def test_a_run_that_does_not_use_it_does_not_import_it(pytester):
    pytester.makepyfile("import sys\n\ndef test_it():\n    assert 'rulebook' not in sys.modules and '_rulebook_pytest' in sys.modules\n")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_help_tells_the_options(pytester):
    result = pytester.runpytest("--help")
    result.stdout.fnmatch_lines(
        ["*--rulebook=TARGET*", "*--rulebook-seed=N*", "*--rulebook-strict*", "*rulebook_targets*", "*rulebook_without*"]
    )

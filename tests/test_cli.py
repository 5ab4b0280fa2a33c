"""The commands check, list and bench: exit status 0, 1 or 2, what they print, and messages that say what to do."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from rulebook import checking, cli, testing
from rulebook.cli import pool, progress
from rulebook.cli.timing import calls_of
from rulebook.testing import Finding, Report, laws
from rulebook.testing.timing.measure import interleaved
from tests.targets_tools import NO_CASE, RIGHT, WRONG, few_points, package

_numbers = itertools.count()

DIES = """
import os
import rulebook as rb

@rb.primitive(cases=[rb.case(1.0)])
def dies(x):
    os._exit(3)

@rb.pushforward(dies)
def _(y, primals, tangents):
    return tangents[0]
"""

PRINTS = """
import rulebook as rb

print("on import")

@rb.primitive(cases=[rb.case(1.0)])
def double(x):
    print("in a call")
    return 2 * x

@rb.scalar_rule(double)
def _(y, x):
    return (2.0,)
"""

NO_RULE = "import rulebook as rb\n@rb.primitive(cases=[rb.case(1.0)])\ndef bare(x):\n    return x\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a package of a name of its own into the current folder, which is on no path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def made(**modules: str) -> str:
        name = package(tmp_path, f"commands_{next(_numbers)}", **modules)
        importlib.invalidate_caches()
        return name

    return made


@pytest.fixture
def run_in_full(capsys):
    """Runs the command; gives its status and what it printed."""

    def called(*arguments: str) -> tuple[int, str, str]:
        try:
            status = cli.main(arguments)
        except SystemExit as stopped:
            status = stopped.code
        return status, *capsys.readouterr()

    return called


@pytest.fixture
def run(run_in_full, monkeypatch):
    """The same, with few points where it checks in this process."""
    few_points(monkeypatch)
    return run_in_full


# -- check -------------------------------------------------------------------------------------


def test_right_rules_give_status_0(write, run):
    name = write(a=RIGHT)
    status, out, err = run("check", name)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == [f"{name}.a.cube", "mine.inverse"]
    assert [line.split()[-1] for line in lines[2:4]] == ["ok", "ok"]
    assert "2 primitives: 2 hold, 0 wrong (seed 0, " in out


def test_a_wrong_rule_gives_status_1_and_is_told_in_full(write, run):
    name = write(a=RIGHT, b=WRONG)
    status, out, _ = run("check", name)
    assert status == 1
    assert f"\n{name}.b.square  {name}{os.sep}b.py:4\n  rrule of {name}.b.square, law '" in out
    assert f"rrule of {name}.b.square, law 'duality'" in out and "Do: " in out
    assert f"skipped: check of {name}.b.Holder.method. Expected: a rule Got: none" in out


def test_one_primitive_can_be_named(write, run):
    name = write(a=WRONG)
    assert run("check", f"{name}.a:square")[0] == 1
    status, out, _ = run("check", f"{name}.a:Holder.method")
    assert status == 2 and f"check of {name}.a.Holder.method.\n  Expected: a rule\n  Got: none\n  Do: write one with @rb.frule" in out


def test_a_primitive_without_cases_gives_status_2(write, run):
    name = write(a=NO_CASE, b=RIGHT)
    status, out, _ = run("check", name)
    assert status == 2
    assert f"check of {name}.a.lonely.\n  Expected: example calls\n  Got: none\n  Do: give some: @rb.primitive(cases=[rb.case(...)])" in out
    assert "3 primitives: 2 hold, 0 wrong, 1 not checked" in out


def test_what_has_nothing_to_check_is_told_and_fails_a_strict_check(write, run):
    name = write(a=NO_RULE, b="import no_such_package_anywhere", c=RIGHT)
    status, out, _ = run("check", name)
    assert status == 0
    assert f"skipped: target '{name}', {name}.b. Expected: modules that can be imported Got: No module named" in out
    assert run("check", name, "--strict")[0] == 2
    assert run("check", f"{name}.a")[0] == 2


def test_modules_that_lack_one_package_are_told_together(write, run):
    name = write(a="import no_such_package_anywhere", b="import no_such_package_anywhere", c="import no_other_package_anywhere")
    status, out, _ = run("check", name)
    assert status == 2 and "; nothing was checked" in out
    assert f"skipped: target '{name}', {name}.a, {name}.b. Expected: modules that can be imported Got: No module named" in out
    assert f"{name}.a and 1 more" in out and f"\n{name}.c " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_module"], "rulebook check: target 'no_such_module'.\nExpected: an importable module\nGot: no module named"),
        (["{name}.a:nothing"], "Expected: a primitive\nGot: no attribute 'nothing'\nDo: "),
        (["{name}.broken"], "ZeroDivisionError: division by zero"),
        (["{name}"], "ZeroDivisionError: division by zero"),
        (["{name}.empty"], "Expected: a module that defines primitives\nGot: none in it\nDo: "),
        (["{name}.a", "--only", "dualty"], "rulebook check: --only, law 'dualty'.\nExpected: one of runs, "),
        (["{name}.a", "--only", "dualty"], "Do: write duality, if that is meant"),
        (["{name}.a", "--without", "zro=slow"], "--without, law 'zro'."),
        (["{name}.a", "--only", "engine-bridge"], "Do: check engines as well: --engines"),
        (["{name}.a", "--without", "zero"], "'zero' is not LAW=REASON"),
        (["{name}.a", "--seed", "-1"], "'-1' is not one of 0, 1, 2"),
        (["{name}.a", "--seeds", "0"], "'0' is not one of 1, 2, 3"),
        (["{name}.a", "--jobs", "x"], "'x' is not one of 1, 2, 3"),
        (["{name}.a", "--budget", "nan"], "'nan' is no positive number of seconds"),
        (["{name}.a", "--format", "yaml"], "invalid choice: 'yaml'"),
        (["{name}.a", "--engines", "numpy"], "invalid choice: 'numpy'"),
        (["{name}.a", "--output", "no/such/file"], "argument --output: there is no folder no/such"),
        (["{name}.a", "--html", "."], "argument --html: . is a folder"),
        ([], "the following arguments are required: TARGET"),
    ],
)
def test_wrong_usage_of_check(write, run, arguments, message):
    name = write(a=RIGHT, broken="1 / 0", empty="x = 1")
    status, out, err = run("check", *[a.format(name=name) for a in arguments])
    assert status == 2 and message in err and not out


def test_only_a_law_of_engines(write, run):
    name = write(a=RIGHT)
    status, out, _ = run("check", f"{name}.a:cube", "--only", "engine-bridge", "--engines", "dual", "--format", "json")
    assert status == 0 and set(json.loads(out)["primitives"][0]["held"]) == {"engine-bridge"}
    status, out, _ = run("check", f"{name}.a:cube", "--without", "engine-bridge=slow", "--engines", "dual", "--format", "json")
    assert status == 0 and "engine-bridge" not in json.loads(out)["primitives"][0]["held"]


def test_only_some_laws(write, run):
    name = write(a=WRONG)
    status, out, _ = run("check", f"{name}.a", "--only", "primal", "--only", "runs", "--format", "json")
    assert status == 0 and set(json.loads(out)["primitives"][0]["held"]) == {"primal", "runs"}


def test_a_law_that_is_switched_off_is_told_in_every_format(write, run):
    name = write(a=RIGHT)
    for how in ("text", "json", "junit", "github"):
        status, out, _ = run("check", f"{name}.a:cube", "--without", "zero = too slow", "--format", how)
        assert status == 0 and "switched off" in out and "too slow" in out, how


@pytest.mark.parametrize(("asked", "passed"), [((), None), (("dual",), ["dual"])])
def test_engines_add_what_their_check_finds(write, run, monkeypatch, asked, passed):
    calls = []

    def engines_of(p, engines, **options):
        calls.append((engines, options["seed"]))
        return Report(p.name, findings=[Finding("scalar_rule of x", "bridge", "the bridge uses the rule", "1", "2", "mend it")])

    monkeypatch.setattr(testing, "check_engines", engines_of, raising=False)
    name = write(a=RIGHT)
    assert run("check", f"{name}.a:cube", "--seed", "7")[0] == 0 and not calls
    status, out, _ = run("check", f"{name}.a:cube", "--seed", "7", "--engines", *asked)
    assert status == 1 and "law 'bridge' (the bridge uses the rule)" in out
    assert calls == [(passed, 7)]


def test_seeds(write, run):
    name = write(a=RIGHT)
    one, three = (json.loads(run("check", f"{name}.a:cube", "--format", "json", "--seed", "5", "--seeds", n)[1]) for n in ("1", "3"))
    assert (one["seed"], one["seeds"], three["seeds"]) == (5, 1, 3)
    assert three["primitives"][0]["points"] > 2 * one["primitives"][0]["points"]


def test_a_report_goes_to_a_file_and_a_page_beside_it(write, run, tmp_path):
    name = write(a=WRONG)
    status, out, _ = run("check", name, "--format", "junit", "--output", "r.xml", "--html", "r.html")
    assert (status, out) == (1, "")
    assert ElementTree.parse(tmp_path / "r.xml").find("testsuite/testcase/failure") is not None
    assert "law &#x27;duality&#x27;" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_github_tells_where_the_wrong_rule_is(write, run, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    name = write(a=WRONG)
    status, out, _ = run("check", f"{name}.a:square", "--format", "github")
    assert status == 1 and f"::error file={name}/a.py,line=12,title=rrule of {name}.a.square%2C law duality::" in out


def test_all_laws_are_named_in_json(write, run):
    name = write(a=RIGHT)
    assert json.loads(run("check", name, "--format", "json")[1])["laws"] == {law.id: law.title for law in laws()}


def test_what_functions_print_is_kept_out_of_the_report(write, run):
    name = write(a=PRINTS)
    status, out, err = run("check", name, "--format", "json")
    assert status == 0 and json.loads(out)["status"] == 0
    assert "on import" in err and "in a call" in err


def test_a_checker_that_fails_is_told_and_the_others_are_checked(write, run, monkeypatch):
    name = write(a=RIGHT, b=WRONG)
    original = checking.reports_of

    def fails(p, *rest, **more):
        if p.name.endswith("cube"):
            raise ZeroDivisionError("in the checker")
        return original(p, *rest, **more)

    monkeypatch.setattr(checking, "reports_of", fails)
    status, out, _ = run("check", name)
    assert status == 1 and "Expected: a report\n  Got: ZeroDivisionError\n  Do: tell the developers of rulebook:\n" in out
    assert "4 primitives: 1 hold, 1 wrong, 1 not checked, 1 skipped" in out


def test_processes_give_the_same_report_in_the_same_order(write, run_in_full):
    name = write(a=RIGHT, b=WRONG, c=PRINTS)

    def stable(jobs: str) -> tuple[int, str]:
        status, out, _ = run_in_full("check", name, "--jobs", jobs, "--format", "json")
        read = json.loads(out)
        for each in (read, *read["primitives"]):
            each.pop("seconds")
        return status, json.dumps(read)

    assert stable("2") == stable("1")


def test_a_process_that_ends_is_told_and_the_others_are_checked(write, run):
    name = write(a=DIES, b=RIGHT)
    status, out, _ = run("check", name, "--jobs", "2")
    assert status == 2
    assert f"check of {name}.a.dies.\n  Expected: a report\n  Got: the process that checked it ended\n  Do: look for" in out
    assert "3 primitives: 2 hold, 0 wrong, 1 not checked" in out


def test_few_primitives_are_checked_in_one_process():
    assert pool.default_jobs(1) == 1
    assert 1 <= pool.default_jobs(10_000) <= (os.cpu_count() or 1)


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    with progress.Progress(2) as bar:
        bar.step("a")
    assert capsys.readouterr() == ("", "")
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress.Progress(2) as bar:
        bar.step("a")
    assert capsys.readouterr().out == ""


def test_the_installed_command_finds_modules_of_the_current_folder(write, tmp_path):
    name = write(a=WRONG)
    command = [sys.executable, "-m", "rulebook.cli", "check", f"{name}.a:square", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["totals"] == {"ok": 0, "wrong": 1, "unchecked": 0, "skipped": 0}


# -- list --------------------------------------------------------------------------------------


def test_list_tells_what_is_registered(write, run):
    name = write(a=RIGHT, b=WRONG, c="import no_such_package_anywhere")
    status, out, _ = run("list", name)
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:6]}
    assert status == 0
    assert rows[f"{name}.a.cube"][:5] == ["traceable", "scalar_rule", "scalar_rule", "-", "2"]
    assert rows["mine.inverse"][:5] == ["host", "derived", "pullback", "-", "1"]
    assert rows[f"{name}.b.square"][:5] == ["traceable", "frule", "rrule", "-", "1"]
    assert rows[f"{name}.b.Holder.method"][:5] == ["traceable", "-", "-", "-", "0"]
    assert "derived forward: the reverse rule transposed" in out
    assert f"{name}.c was not imported: No module named 'no_such_package_anywhere'" in out


def test_list_as_json(write, run):
    name = write(a=RIGHT)
    status, out, _ = run("list", name, "--format", "json")
    read = json.loads(out)
    assert status == 0 and (read["schema"], read["command"], read["unimported"]) == (1, "list", [])
    second = read["primitives"][1]
    assert (second["name"], second["forward"], second["reverse"], second["host"]) == ("mine.inverse", None, "pullback", ["primal"])
    assert read["primitives"][0]["place"]["line"] == 5 and "dual" in second["engines"]


def test_list_of_nothing(write, run):
    assert run("list", "no_such_module")[0] == 2


# -- bench -------------------------------------------------------------------------------------


def test_bench_times_every_case_in_every_engine(write, run):
    name = write(a=RIGHT)
    status, out, _ = run("bench", name, "--engines", "dual", "--seconds", "0.001")
    assert status == 0
    assert [line.split()[:3] for line in out.splitlines()[2:]] == [
        [f"{name}.a.cube", "0", "dual"],
        [f"{name}.a.cube", "1", "dual"],
        ["mine.inverse", "0", "dual"],
    ]


def test_bench_as_json_counts_calls_and_tells_refusals(write, run):
    name = write(a=NO_RULE, b=WRONG)
    status, out, _ = run("bench", name, "--engines", "dual", "--seconds", "0.001", "--format", "json")
    refused, timed = json.loads(out)["rows"]
    assert status == 0 and json.loads(out)["without_case"] == [f"{name}.b.Holder.method"]
    assert set(refused["refusals"]) == {"forward", "reverse"} and refused["refusals"]["forward"].startswith("RuleMissingError: ")
    assert refused["forward"] is None and refused["primal"] > 0
    assert timed["refusals"] == {} and min(timed["primal"], timed["forward"], timed["reverse"]) > 0
    assert timed["ratio"] == pytest.approx(timed["reverse"] / timed["primal"])
    assert (timed["forward_calls"], timed["reverse_calls"]) == (0, 0)  # its frule and rrule compute the value themselves


def test_bench_of_one_case_and_of_none(write, run):
    name = write(a=RIGHT, b=NO_CASE)
    status, out, _ = run("bench", name, "--engines", "dual", "--seconds", "0.001", "--case", "1")
    assert status == 0 and out.count("dual") == 1 and f"no such case: mine.inverse, {name}.b.lonely" in out
    status, _, err = run("bench", f"{name}.b", "--engines", "dual")
    assert status == 2 and "Expected: example calls\nGot: none\nDo: give the primitives cases" in err


def test_bench_of_an_engine_that_is_not_installed(write, run, monkeypatch):
    name = write(a=RIGHT)
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "rulebook.bridges.jax", raising=False)
    monkeypatch.setattr("rulebook.engines._loaded", {})
    status, _, err = run("bench", name, "--engines", "jax")
    assert status == 2 and "pip install 'rulebook-ad[jax]'" in err


def test_the_median_of_times_by_turns():
    order = []
    times = interleaved({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, seconds=0.0)
    assert set(times) == {"a", "b"} and min(t.median for t in times.values()) > 0 and times["a"].rounds == 3
    assert calls_of(len, lambda: None) is None

"""`rulebook bench` of functions that are no primitives: which engine is best for them."""

from __future__ import annotations

import importlib
import itertools
import json
import sys

import pytest

from rulebook import cli
from tests.scenarios.test_tables import Reader
from tests.targets_tools import RIGHT, package

_numbers = itertools.count()

FUNCTIONS = """
import numpy as np
import rulebook as rb

POINT = np.array([0.5, 1.5, 2.0])

def loss(x):
    return rb.xp(x).sum(x**3)

loss.cases = [rb.case(POINT), lambda rng: (rng.normal(size=4),)]

def field(x, y=2.0, *, power=2):
    return x**power * y

def noisy(x):
    print("in a call")
    return x * 2.0

def only_arrays(x):
    return np.cumsum(np.linalg.eigvals(np.asarray(np.outer(x, x), dtype=float)).real)

def parts(x):
    return {"a": x, "b": rb.xp(x).sum(x)}

def turns(x):
    turns.calls += 1
    return rb.xp(x).sum(x) * turns.calls

turns.calls = 0

class Model:
    def energy(self, x):
        return rb.xp(x).sum(x**2)

model = Model()
"""
FAST = ("--engines", "dual", "--seconds", "0.001")


@pytest.fixture
def name(tmp_path, monkeypatch):
    """A package of a name of its own in the current folder, which is on no path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = package(tmp_path, f"benched_{next(_numbers)}", mine=FUNCTIONS, right=RIGHT)
    importlib.invalidate_caches()
    return made


@pytest.fixture
def run(capsys):
    """Runs the command; gives its status and what it printed."""

    def called(*arguments):
        try:
            status = cli.main(["bench", *arguments])
        except SystemExit as stopped:
            status = stopped.code
        return status, *capsys.readouterr()

    return called


def rows(out):
    return [(r["scenario"], r["operator"], r["engine"], r["prepared"]) for f in json.loads(out)["functions"] for r in f["rows"]]


def test_the_cases_of_a_function_give_a_gradient_plain_and_prepared(name, run):
    status, out, err = run(f"{name}.mine:loss", *FAST)
    assert (status, err) == (0, "")
    lines = [line.split()[:6] for line in out.splitlines() if f"{name}.mine:loss, case" in line and "fastest" not in line]
    assert [line[2:] for line in lines] == [[case, "grad", "dual", prepared] for case in ("0", "1") for prepared in ("no", "yes")]
    assert out.count(f"fastest grad of {name}.mine:loss, case") == 2


def test_one_case(name, run):
    status, out, _ = run(f"{name}.mine:loss", "--case", "1", "--format", "json", *FAST)
    assert status == 0 and {row[0] for row in rows(out)} == {f"{name}.mine:loss, case 1"}


@pytest.mark.parametrize("expression", ["POINT", "(POINT,)", "np.ones(3), 2.0", "rb.case(POINT, power=3)", "numpy.arange(3.0)"])
def test_arguments_in_python_give_a_jacobian(name, run, expression):
    status, out, _ = run(f"{name}.mine:field", "--args", expression, "--format", "json", *FAST)
    assert status == 0
    assert rows(out) == [(f"{name}.mine:field", "jacobian", "dual", False), (f"{name}.mine:field", "jacobian", "dual", True)]


def test_a_method_of_an_object_and_other_operators_and_arguments(name, run):
    status, out, _ = run(f"{name}.mine:model.energy", "--args", "POINT", "--operators", "grad", "hessian", "--format", "json", *FAST)
    assert status == 0 and [row[1] for row in rows(out)] == ["grad", "grad", "hessian", "hessian"]
    status, out, _ = run(f"{name}.mine:field", "--args", "POINT, 3.0", "--argnums", "1", "--format", "json", *FAST)
    assert status == 0 and not any(row["error"] for f in json.loads(out)["functions"] for row in f["rows"])
    status, out, _ = run(f"{name}.mine:parts", "--args", "POINT", "--format", "json", *FAST)
    assert status == 0 and rows(out)[0][1] == "jacobian"


def test_an_engine_that_cannot_run_the_function_is_told_and_nothing_measured_is_status_2(name, run):
    status, out, _ = run(f"{name}.mine:only_arrays", "--args", "POINT", *FAST)
    assert status == 2 and f"{name}.mine:only_arrays, jacobian, dual: " in out and "fastest" not in out


def test_engines_that_differ_are_told_with_status_1(name, run):
    status, out, _ = run(f"{name}.mine:turns", "--args", "POINT", *FAST)
    assert status == 1
    assert f"grad of {name}.mine:turns: dual and dual, prepared DIFFER, by " in out


def test_every_installed_engine_agrees(name, run):
    status, out, _ = run(f"{name}.mine:loss", "--case", "0", "--seconds", "0.001", "--format", "json")
    read = json.loads(out)
    (found,) = read["functions"]
    assert status == 0 and not found["disagree"] and not [row for row in found["rows"] if row["error"]]
    assert {row["engine"] for row in found["rows"]} >= {"dual"} and "numpy" in read["versions"]
    assert found["fastest"][0]["time"] == min(row["time"] for row in found["rows"])


def test_primitives_and_functions_together(name, run, tmp_path):
    status, out, _ = run(f"{name}.right", f"{name}.mine:loss", "--format", "json", *FAST)
    read = json.loads(out)
    assert status == 0 and read["rows"][0]["primitive"] == f"{name}.right.cube" and len(read["functions"]) == 2
    status, out, _ = run(f"{name}.right", f"{name}.mine:loss", "--format", "html", "--output", "bench.html", *FAST)
    page = (tmp_path / "bench.html").read_text(encoding="utf-8")
    read = Reader(page)
    assert (status, out, read.open) == (0, "", []) and read.count["svg"] == 2 and read.count["table"] == 3
    assert f"{name}.right.cube" in read.said and f"{name}.mine:loss, case 0" in page


def test_what_functions_print_is_kept_out_of_the_table(name, run):
    status, out, err = run(f"{name}.mine:noisy", "--args", "POINT", "--format", "json", *FAST)
    assert status == 0 and json.loads(out)["command"] == "bench" and "in a call" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{name}.mine:field"], "Expected: example arguments\nGot: none\nDo: pass --args, as --args 'np.ones(3), 2.0'"),
        (["{name}.mine:loss", "--case", "7"], "Expected: example arguments\nGot: none"),
        (["{name}.mine:field", "--args", "1 +"], "--args '1 +'.\nExpected: a Python expression\nGot: SyntaxError"),
        (["{name}.mine:field", "--args", "nobody"], "Got: NameError: name 'nobody' is not defined\nDo: write the arguments as a tuple"),
        (["{name}.mine:losss"], "Expected: a primitive\nGot: no attribute 'losss'\nDo: write loss"),
        (["{name}.mine:POINT"], "Expected: a primitive\nGot: a ndarray"),
        (["{name}.mine:Model"], "Expected: a primitive\nGot: a type"),
        (["{name}.mine"], "Expected: a module that defines primitives"),
        (["{name}.mine:loss", "--argnums", "x"], "'x' is not N or N,N"),
        (["{name}.mine:loss", "--operators", "jvp"], "invalid choice: 'jvp'"),
        (["{name}.mine:loss", "--format", "yaml"], "invalid choice: 'yaml'"),
    ],
)
def test_wrong_usage(name, run, arguments, message):
    status, out, err = run(*[a.format(name=name) for a in arguments])
    assert status == 2 and message in err and not out

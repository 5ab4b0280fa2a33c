"""The command of the demonstration: exit status 0, 1 or 2, and messages that say what to do."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("scipy")

from rulebook import __version__, cli, demo


@pytest.fixture
def called(monkeypatch):
    """What `rulebook demo` asks for, without doing it."""
    calls = []
    monkeypatch.setattr(demo, "run", lambda engines, plot: calls.append((tuple(engines), plot)) or 0)
    return calls


def test_demo_takes_all_engines_by_default(called):
    assert cli.main(["demo"]) == 0
    assert called == [(demo.ENGINES, None)]


def test_demo_takes_engines_and_a_file(called, tmp_path):
    pytest.importorskip("matplotlib")
    assert cli.main(["demo", "--engines", "dual", "jax", "--plot", str(tmp_path / "fit.png")]) == 0
    assert called == [(("dual", "jax"), tmp_path / "fit.png")]


def test_the_status_of_the_demo_is_that_of_the_command(monkeypatch):
    monkeypatch.setattr(demo, "run", lambda engines, plot: 1)
    assert cli.main(["demo"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["nothing"], "invalid choice: 'nothing'"),
        (["demo", "--engines", "numpy"], "invalid choice: 'numpy'"),
        (["demo", "--engines"], "expected at least one argument"),
        (["demo", "--plot", "fit.docx"], "fit.docx must end in one of ."),
        (["demo", "--plot", "no/such/folder/fit.png"], "there is no folder no/such/folder"),
    ],
)
def test_wrong_usage(arguments, message, called, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not called


@pytest.mark.parametrize(("arguments", "package"), [(["demo"], "scipy"), (["demo", "--plot", "fit.png"], "matplotlib")])
def test_a_package_that_the_demo_lacks(arguments, package, called, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert f"{package} is needed: pip install 'rulebook-ad[demo]'" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"rulebook {__version__}\n"


def test_the_installed_command_fits_and_draws(tmp_path):
    pytest.importorskip("matplotlib")
    command = [sys.executable, "-m", "rulebook.cli", "demo", "--engines", "dual", "--plot", str(tmp_path / "fit.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = {line[:15].strip(): line[15:].split() for line in done.stdout.splitlines()[3:16]}
    assert rows["alpha"] == ["0.5402", "0.5402"]
    assert np.all(np.array(rows["gradient off by"], float) < [1e-8, 1e-4])
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")

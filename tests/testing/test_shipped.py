"""Every rule that the project ships keeps the laws, and is what every engine uses."""

import contextlib
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import rulebook
from rulebook.engines import engine_names
from rulebook.primitive import Primitive
from rulebook.testing import check_engines, check_rules, plan

pytest.importorskip("scipy")

PACKAGES = ("rulebook.demo", "rulebook.rules")
EXAMPLES = Path(__file__).parents[2] / "examples"


def _packaged():
    """Every module of the packages that hold rules."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield package
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            yield importlib.import_module(info.name)


def _primitives(modules):
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Primitive)}


MODULES = list(_packaged())
SHIPPED = _primitives(MODULES)

shipped = pytest.mark.parametrize("name", SHIPPED)


def test_the_demonstration_is_among_them():
    assert "rulebook.demo.solver.populations" in SHIPPED
    assert all(Path(module.__file__).exists() for module in MODULES)
    assert rulebook.__name__ in {name.partition(".")[0] for name in SHIPPED}


@shipped
def test_has_cases(name):
    assert SHIPPED[name].cases, f"{name} has no cases: pass cases=[...] to rb.primitive"


# JAX compiles half a second to twenty for each function, which for all of the library would be half of the tests' time.  The rules are
# the same code on every engine, and the bridge is the conformance suite's: in JAX the functions take turns, one in six; solvers have
# tests of their own there.
ALIKE = sorted(name for name in SHIPPED if name.startswith("rulebook.rules."))
NOT_IN_JAX = frozenset(name for i, name in enumerate(ALIKE) if i % 6 or ".optimize." in name)
INSTALLED = [engine for engine in engine_names() if engine == "dual" or importlib.util.find_spec(engine)]
BUDGET = 120.0  # seconds of checking, which none takes: what is checked does not hang on what else the machine does


def test_every_part_of_the_library_is_compiled_by_jax():
    parts = lambda names: {name.split(".")[2] for name in names}
    assert parts(ALIKE) - parts(set(ALIKE) - NOT_IN_JAX) <= {"_matrices", "blas", "integrate", "optimize", "signal"}
    assert len(NOT_IN_JAX) < len(ALIKE)


@pytest.fixture
def fewer_points(monkeypatch):
    """A quarter of the points: every law, every case and every variation of the options; `rulebook check rulebook.rules` takes all."""
    monkeypatch.setattr(plan, "_POINTS", 32)
    monkeypatch.setattr(plan, "_RARE", 0)


# What has no derivative is NaN there, which the checker finds when it varies the options.
UNDEFINED = {"rulebook.rules.linalg.similar.schur": "the phases of a complex Schur form, and what depends on them"}


@shipped
@pytest.mark.usefixtures("fewer_points")
def test_rules_keep_the_laws(name):
    report = check_rules(SHIPPED[name], budget=BUDGET, raise_=name not in UNDEFINED)
    assert all("nan" in str(finding) for finding in report.findings)
    assert report.points >= 2
    assert {"differences-forward", "differences-reverse", "duality"} <= set(report.held)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_rules_of_examples(file):
    """Those that name cases; the others are checked by the tests of the example."""
    spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    with contextlib.suppress(ModuleNotFoundError):
        spec.loader.exec_module(module)
    for primitive in _primitives([module]).values():
        if primitive.cases and primitive.name not in SHIPPED:
            check_rules(primitive)
            check_engines(primitive, engines=INSTALLED)


# What an engine may refuse, with an error that says why; all else that a rule of ours refuses would be a gap.
REFUSED = {
    "rulebook.rules.linalg.eigen.eigvals": "the cases have eigenvectors that are asked for nowhere else",
    "rulebook.rules.linalg.spectra.eigvalsh": "as above",
    "rulebook.rules.numpy._unique": "how many elements there are depends on their values",
    "rulebook.rules.numpy.choose": "a number of what is chosen may be traced",
}
# PyTorch's LAPACK chooses other signs than NumPy's: its eigenvectors are right, and compared up to their signs below.
OTHER_SIGNS = {"rulebook.rules.numpy.linalg.eigh": "torch"}


@shipped
def test_engines_use_the_rules(name):
    chosen = [e for e in INSTALLED if not (e == "jax" and name in NOT_IN_JAX) and OTHER_SIGNS.get(name) != e]
    report = check_engines(SHIPPED[name], engines=chosen, budget=BUDGET)
    assert report.ok
    refused = [note.text for note in report.notes if note.kind == "refused"]
    host = {"forward", "reverse"} & set(rulebook.rules(SHIPPED[name]).host)  # has no second order
    assert not refused or host or name in REFUSED, refused


def test_eigenvectors_up_to_their_signs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for _ in range(3):
        a = rng.normal(size=(4, 4))
        parts = lambda a: SHIPPED["rulebook.rules.numpy.linalg.eigh"](a)[1] ** 2
        expected = rulebook.jacobian(parts, engine="dual")(a)
        for jacobian in (torch.func.jacrev, torch.func.jacfwd):
            np.testing.assert_allclose(jacobian(parts)(torch.tensor(a)), expected, rtol=1e-9, atol=1e-10)

"""Every rule that the project ships keeps the laws, and is what every engine uses."""

import contextlib
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest

import rulebook
from rulebook.primitive import Primitive
from rulebook.rules._elementwise import _Elementwise
from rulebook.testing import check_engines, check_rules

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


def _examples():
    """Every example whose packages are installed, imported under a name of its own and not run."""
    for file in sorted(EXAMPLES.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"example_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        with contextlib.suppress(ModuleNotFoundError):
            spec.loader.exec_module(module)
            yield module


def _primitives(modules):
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Primitive)}


PACKAGED, EXAMPLE_MODULES = list(_packaged()), list(_examples())
MODULES = [*PACKAGED, *EXAMPLE_MODULES]
# A rule of an example that names no cases is checked by the tests of the example.
SHIPPED = _primitives(PACKAGED) | {name: p for name, p in _primitives(EXAMPLE_MODULES).items() if p.cases}

shipped = pytest.mark.parametrize("name", SHIPPED)


def test_the_demonstration_is_among_them():
    assert "rulebook.demo.solver.populations" in SHIPPED
    assert all(Path(module.__file__).exists() for module in MODULES)
    assert rulebook.__name__ in {name.partition(".")[0] for name in SHIPPED}


@shipped
def test_has_cases(name):
    assert SHIPPED[name].cases, f"{name} has no cases: pass cases=[...] to rb.primitive"


# JAX compiles half a second to two for each function. Those of the library that it has itself, and the elementwise ones, which come from
# one table and run the same code around their partials, take turns there: one in three is compiled. The other engines run all.
ALIKE = sorted(name for name, p in SHIPPED.items() if isinstance(p, _Elementwise) or "jax" in p.native)
NOT_IN_JAX = frozenset(name for i, name in enumerate(ALIKE) if i % 3)
OTHERS = [engine for engine in ("autograd", "dual", "torch") if engine == "dual" or importlib.util.find_spec(engine)]
BUDGET = 4.0  # seconds of checking, which a few take


def test_what_is_not_compiled_by_jax_is_like_what_is():
    assert 0 < 2 * len(NOT_IN_JAX) / 3 < len(ALIKE)
    kinds = lambda names: {(isinstance(SHIPPED[n], _Elementwise), "jax" in SHIPPED[n].native) for n in names}
    assert kinds(NOT_IN_JAX) == kinds(set(ALIKE) - NOT_IN_JAX)


@shipped
def test_rules_keep_the_laws(name):
    report = check_rules(SHIPPED[name], budget=BUDGET)
    assert report.points >= 2
    assert {"differences-forward", "differences-reverse", "duality"} <= set(report.held)


@shipped
def test_engines_use_the_rules(name):
    assert check_engines(SHIPPED[name], engines=OTHERS if name in NOT_IN_JAX else None, budget=BUDGET).ok

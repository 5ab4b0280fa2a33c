"""`rulebook bench` of a function that is no primitive: which engine is best for it."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engines import load_engine
from rulebook.errors import RulebookError
from rulebook.markup.text import duration
from rulebook.primitive import Case
from rulebook.targets import find_function
from rulebook.testing.points import as_case
from rulebook.testing.scenario.model import Scenario
from rulebook.testing.timing.contest import Contest, Entry
from rulebook.testing.timing.table import Table, versions

__all__ = ["Asked", "Call", "Found", "calls_of_target", "measured"]

OPERATORS = ("grad", "value_and_grad", "jacobian", "hessian", "derivative", "second_derivative")  # those without tangents
_CASES = "pass --args, as --args 'np.ones(3), 2.0', or set f.cases = [rb.case(...)]"
_LOOSE = {4: 1e-3, 8: 1e-7}  # bytes of a real number -> how far engines may be apart, relative to the largest number


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        args: a Python expression for the arguments; the cases of the function where there is none.
        argnums: the arguments to differentiate.
        operators: names; those that fit the result where there are none.
        case: the number of the only case, or None.
        seed: of cases that draw.
    """

    args: str | None
    argnums: int | tuple[int, ...]
    operators: tuple[str, ...]
    case: int | None
    seed: int


@dataclass(frozen=True)
class Call:
    """A function with example arguments.

    Attributes:
        name: as the rows tell it.
        fn: the function with its options.
        args: its arguments.
    """

    name: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]


@dataclass
class Found:
    """What was measured of one function.

    Attributes:
        table: the rows.
        notes: what a reader has to know besides.
        disagree: whether two engines give different derivatives.
    """

    table: Table
    notes: list[str] = field(default_factory=list)
    disagree: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The findings for JSON."""
        best = [asdict(row) for row in self.table.fastest().values()]
        return {"rows": [asdict(row) for row in self.table.rows], "fastest": best, "notes": self.notes, "disagree": self.disagree}

    def __str__(self) -> str:
        """The rows, the fastest, and the notes."""
        best = [
            f"fastest {row.operator} of {row.scenario}: {row.engine}{', prepared' * row.prepared} ({duration(row.time)})"
            for row in self.table.fastest().values()
        ]
        return "\n".join([self.table.body(), *[""] * bool(best or self.notes), *best, *self.notes]) + "\n"


def calls_of_target(text: str, asked: Asked) -> list[Call] | None:
    """The function that a TARGET names, with each of its examples; None where it names something else.

    Raises:
        RulebookError: there are no examples, or --args is no expression for them.
    """
    found = find_function(text)
    if found is None:
        return None
    fn, module = found
    examples = [_evaluated(asked.args, module, text)] if asked.args is not None else getattr(fn, "cases", [])
    numbers = [i for i in range(len(examples)) if asked.case in (None, i)]
    if not numbers:
        raise RulebookError(f"target {text!r}.", "example arguments", "none", _CASES)
    return [_call(text, fn, examples, i, asked.seed) for i in numbers]


def _call(text: str, fn: Callable[..., Any], examples: Sequence[Any], number: int, seed: int) -> Call:
    example = examples[number]
    if callable(example) and not isinstance(example, Case):
        example = example(np.random.default_rng([seed, number]))
    case = as_case(example)
    name = text if len(examples) == 1 else f"{text}, case {number}"
    return Call(name, functools.partial(fn, **case.static) if case.static else fn, tuple(case.args))


def _evaluated(expression: str, module: types.ModuleType, text: str) -> Any:
    """The value of --args, which may use the names of the module, np and rb."""
    try:
        return eval(expression, {"np": np, "numpy": np, "rb": rb, **vars(module)})
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        do = "write the arguments as a tuple, or rb.case(...) with options"
        raise RulebookError(f"target {text!r}, --args {expression!r}.", "a Python expression", got, do) from error


def measured(call: Call, engines: Sequence[str], asked: Asked, seconds: float) -> Found:
    """Measure every engine, prepared and not, for each operator that fits."""
    found = Found(Table(()))
    rows = []
    for operator in asked.operators or (_fitting(call, engines),):
        scenario = Scenario(call.name, operator, call.fn, call.args, None, argnums=asked.argnums)
        contest = Contest(scenario, import_module("rulebook"))
        for engine in engines:
            for prepared in (False, True):
                contest.enter(engine, prepared)
        rows += contest.measure(seconds)
        _compare(contest, found)
    found.table = Table(tuple(rows), versions())
    return found


def _fitting(call: Call, engines: Sequence[str]) -> str:
    """ "grad" where the function gives one real number, else "jacobian"."""
    for y in _results(call, engines):
        leaves = trees.leaves_of(y)
        shape, dtype = getattr(leaves[0], "shape", ()) if leaves else (), str(getattr(leaves[0], "dtype", "")) if leaves else ""
        return "grad" if len(leaves) == 1 and trees.is_leaf(y) and tuple(shape) == () and "complex" not in dtype else "jacobian"
    return "grad"


def _results(call: Call, engines: Sequence[str]) -> Iterator[Any]:
    """What the function gives on NumPy arrays, or on those of the first engine that it takes."""
    leaves, structure = trees.flatten(call.args)
    conversions: list[Callable[[Any], Any]] = [lambda leaf: leaf, *(load_engine(name).asarray for name in engines)]
    for conversion in conversions:
        try:
            made = [conversion(leaf) if isinstance(leaf, np.ndarray | float | complex) else leaf for leaf in leaves]
            yield call.fn(*structure.unflatten(iter(made)))
        except Exception:
            continue


def _compare(contest: Contest, found: Found) -> None:
    """Tell where engines give different derivatives, of those that were asked for the same."""
    known = [e for e in contest.entries if e.call is not None]
    single = {e.row.engine: d for e in known if (d := _narrowed(e, contest.scenario))}
    for engine, dtype in single.items():
        found.notes.append(f"{engine} computed in {dtype}" + (": JAX_ENABLE_X64=1 gives it 64 bits" if engine == "jax" else ""))
    for entry in known[1:]:
        gap = _gap(known[0].derivative, entry.derivative)
        if gap is not None:
            found.disagree = True
            names = [f"{e.row.engine}{', prepared' * e.row.prepared}" for e in (known[0], entry)]
            found.notes.append(
                f"{contest.scenario.operator} of {contest.scenario.name}: {names[0]} and {names[1]} DIFFER, {gap}: a kink, or one is wrong"
            )


def _narrowed(entry: Entry, scenario: Scenario) -> str:
    """The dtype of a derivative, if it is of single precision and the arguments are not."""
    wide = any(np.asarray(leaf).dtype.name in ("float64", "complex128") for leaf in trees.leaves_of(scenario.args))
    dtypes = [np.asarray(leaf).dtype.name for leaf in trees.leaves_of(entry.derivative)]
    return next((d for d in dtypes if wide and d in ("float32", "complex64")), "")


def _gap(one: Any, other: Any) -> str | None:
    """How far two derivatives are apart; None where they agree as far as their dtypes go."""
    (a_leaves, a_structure), (b_leaves, b_structure) = trees.flatten(one), trees.flatten(other)
    if a_structure != b_structure:
        return f"in structure: {a_structure!r} and {b_structure!r}"
    for a, b in zip(a_leaves, b_leaves, strict=True):
        x, y = np.asarray(a), np.asarray(b)
        if x.shape != y.shape:
            return f"in shape: {x.shape} and {y.shape}"
        scale = float(np.abs(x[np.isfinite(x)]).max()) if np.isfinite(x).any() else 1.0
        limit = _LOOSE[min(4 if d.dtype.name in ("float32", "complex64") else 8 for d in (x, y))]
        close = (abs(x - y) <= limit * (scale or 1.0)) | (x == y) | (np.isnan(x) & np.isnan(y))
        if not close.all():
            return f"by {float(np.nanmax(abs(x - y))):.2g} where the largest number is {scale:.2g}"
    return None


def joined(found: Mapping[str, Found]) -> list[dict[str, Any]]:
    """What JSON tells of all functions."""
    return [{"function": name, **each.to_dict()} for name, each in found.items()]

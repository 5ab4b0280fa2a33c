"""The equation that a solution satisfies, as a residual of x and the parameters: of a root, a fixed point, a minimum."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleOutputError, RuleSignatureError

__all__ = ["Equation", "FixedPoint", "Minimum", "Root", "accepted", "check_parameters"]


class Equation:
    """residual(x, *theta) == 0.

    Args:
        fn: the author's function of x and the parameters.
        name: of the solver, for messages.
    """

    what = "residual"
    large = "bicgstab, gmres"  # the matrix-free method for its Jacobian

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.fn = fn
        self.name = name
        self.statics = _keywords(fn)

    def __call__(self, engine: Engine, x: Any, theta: tuple[Any, ...], statics: dict[str, Any]) -> Any:
        """The residual, a tree like x, in its dtypes."""
        accepted = self.accepted(statics)
        leaves, structure = trees.flatten(self.residual(engine, lambda x: self.fn(x, *theta, **accepted), x))
        return structure.unflatten(iter([self._cast(engine, b, a) for a, b in zip(trees.leaves_of(x), leaves, strict=True)]))

    def _cast(self, engine: Engine, value: Any, like: Any) -> Any:
        like = engine.asarray(like)
        value = engine.asarray(value, like)
        if engine.is_complex(value) and not engine.is_complex(like):
            raise self._wrong("a real value, as x is real", f"a complex one, {value.dtype}")
        return value if value.dtype == like.dtype else engine.cast(value, like)

    def accepted(self, statics: dict[str, Any]) -> dict[str, Any]:
        """The options of the solver that the author's function takes as well."""
        return accepted(statics, self.statics)

    def residual(self, engine: Engine, fn: Callable[[Any], Any], x: Any) -> Any:
        """What vanishes, of a function of x alone."""
        return self.like(x, fn(x))

    def like(self, x: Any, value: Any) -> Any:
        """A value of the author's function, which has to be a tree like x, in the order of x."""
        leaves, structure = trees.flatten(x)
        differs = lambda path, expected, got: self._wrong(f"the structure of x, {structure!r}", f"{trees.flatten(value)[1]!r}")
        found = trees.flatten_like(structure, value, differs)
        for path, a, b in zip(trees.leaf_paths(structure, "x"), leaves, found, strict=True):
            if b is None or _shape(b) != _shape(a):
                raise self._wrong(f"the shape of {path}, {_shape(a)}", "None" if b is None else f"{_shape(b)}")
        return structure.unflatten(iter(found))

    def _wrong(self, expected: str, got: str) -> RuleOutputError:
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        return RuleOutputError(f"{self.name}, its {self.what} {name}.", expected, got, f"let the {self.what} give one value per unknown")


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


class Root(Equation):
    """residual(x, *theta) == 0."""


class FixedPoint(Equation):
    """step(x, *theta) == x."""

    what = "step"
    large = "series, bicgstab, gmres"

    def residual(self, engine: Engine, fn: Callable[[Any], Any], x: Any) -> Any:
        """x - step(x)."""
        leaves, structure = trees.flatten(x)
        steps = trees.leaves_of(self.like(x, fn(x)))
        return structure.unflatten(iter([a - b for a, b in zip(leaves, steps, strict=True)]))


class Minimum(Equation):
    """The gradient of objective(x, *theta) is zero."""

    what = "objective"
    large = "cg, gmres"

    def residual(self, engine: Engine, fn: Callable[[Any], Any], x: Any) -> Any:
        """The gradient."""
        y, pull = engine.vjp(fn, (x,))
        if not trees.is_leaf(y) or tuple(getattr(y, "shape", ())) != ():
            raise self._wrong("one real number", f"{trees.flatten(y)[1]!r}, shape {tuple(getattr(y, 'shape', ()))}")
        if engine.is_complex(y):
            raise self._wrong("one real number", "a complex one")
        return pull(engine.zeros_like(y) + 1)[0]


def _keywords(fn: Callable[..., Any]) -> frozenset[str] | None:
    """The statics that a function accepts; None for all."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def accepted(statics: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """Those of some options that are among the names; all for None."""
    return statics if names is None else {k: v for k, v in statics.items() if k in names}


def check_parameters(equation: Equation, solver: Callable[..., Any]) -> None:
    """Compare the parameters of an equation with those of its solver.

    Raises:
        RuleSignatureError: it takes another number of parameters, or never reads one.
    """
    mine, theirs = _positional(equation.fn), _positional(solver)
    if theirs is not None and not theirs:
        raise RuleSignatureError(
            f"{equation.name}.", "a solver of (x0, *theta)", "a function without parameters", "let x0 be its first parameter"
        )
    if mine is None or theirs is None:
        return
    if len(mine) != len(theirs):
        raise RuleSignatureError(
            f"{equation.name}, the parameters of its {equation.what}.",
            f"x and {len(theirs) - 1} parameters, those of the solver after {theirs[0]}: {tuple(theirs[1:])}",
            f"{tuple(mine)}",
            f"let {equation.what} take (x, {', '.join(theirs[1:])})",
        )
    unread = [p for p in _unread(equation.fn, mine) if not p.startswith("_")]
    if unread:
        raise RuleSignatureError(
            f"{equation.name}, the parameter {unread[0]!r} of its {equation.what}.",
            "a parameter that the equation depends on",
            "one that is never read: its derivative would be zero",
            f"use {unread[0]}, or call it _{unread[0]} to say that the solution does not depend on it",
        )


def _positional(fn: Callable[..., Any]) -> list[str] | None:
    """The names of the positional parameters; None where they are not a fixed number."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _unread(fn: Any, names: list[str]) -> list[str]:
    """Parameters that a Python function never reads."""
    if not isinstance(fn, types.FunctionType):
        return []
    code = fn.__code__
    if any(name == "locals" for name in code.co_names):
        return []
    read = {name for op in dis.get_instructions(code) if op.opname.startswith(("LOAD", "COPY_FREE")) for name in _names_of(op.argval)}
    return [name for name in names if name not in read and name not in code.co_cellvars]


def _names_of(argval: Any) -> tuple[Any, ...]:
    """What an instruction names; newer Pythons load two variables at once."""
    return argval if isinstance(argval, tuple) else (argval,)

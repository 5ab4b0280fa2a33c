"""The implicit function theorem at a root that is known, on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import OPAQUE, engine_of, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit.captured import find
from rulebook.implicit.equation import Root
from rulebook.implicit.options import Options
from rulebook.implicit.theorem import Theorem
from rulebook.namespace import run_inside

__all__ = ["At", "Solve", "like"]

Solve = Callable[[Callable[[Any], Any], Any], Any] | str


class At:
    """The theorem at one root, in one engine.

    Attributes:
        theorem: the rules.
        engine: what runs them.
        values: the root, the arguments, and the tangents or the cotangent, as values of the engine.
        hidden: how many of the arguments, from the first on, hold what the function captured.
    """

    def __init__(self, fn: Callable[..., Any], values: tuple[Any, Any, Any], solve: Solve | None, engine: str | None, where: str) -> None:
        found = engine_of(trees.leaves_of(values), where) if engine is None else load_engine(engine)
        self.engine = found or load_engine("jax")
        self.hidden = 0
        captured = find((fn,), where)
        x, theta, moves = values
        if captured is not None:
            known = captured
            fn = lambda x, captured_, *theta: known.rebuild(captured_)[0](x, *theta)
            theta = (tuple(captured.values), *theta)
            self.hidden = 1
        self.theorem = Theorem(Root(fn, where), Options(where, "auto" if solve is None else solve), has_aux=False)
        self.values = _into(self.engine, (x, theta, moves))

    def run(self, fn: Callable[..., Any], *args: Any) -> Any:
        """A rule of the theorem, in the engine."""
        return run_inside(self.engine, fn, *args)


def _into(engine: Engine, tree: Any) -> Any:
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([v if kind_of(type(v)) == OPAQUE else engine.asarray(v) for v in leaves]))


def like(engine: Engine, x: Any, moves: Any, where: str, what: str) -> Any:
    """A tangent or cotangent of x, in its dtypes, with zeros for None."""

    def fail(path: str, expected: str, got: str) -> RuleSignatureError:
        return RuleSignatureError(f"{where}, {path}.", expected, got, f"pass the {what} in the structure and shapes of what they belong to")

    leaves, structure = trees.flatten(x)
    found = trees.flatten_like(structure, moves, fail, what)
    made: list[Any] = []
    for path, a, t in zip(trees.leaf_paths(structure, what), leaves, found, strict=True):
        if kind_of(type(a)) == OPAQUE or not engine.has_tangent(a):
            made.append(None)
            continue
        t = engine.zeros_like(a) if t is None else t
        if tuple(t.shape) != tuple(a.shape):
            raise fail(path, f"shape {tuple(a.shape)}", f"shape {tuple(t.shape)}")
        made.append(t if t.dtype == a.dtype else engine.cast(t, a))
    return structure.unflatten(iter(made))

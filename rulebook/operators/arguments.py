"""The arguments of one call, and fn as a function of those leaves that are differentiated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rulebook import trees
from rulebook.engines import Engine
from rulebook.errors import RuleSignatureError
from rulebook.operators.contexts import Contexts
from rulebook.operators.conversion import arrays_into, into
from rulebook.operators.options import Options
from rulebook.operators.results import checked

__all__ = ["Point", "positions"]


def positions(options: Options, n: int) -> tuple[tuple[int, ...], bool]:
    """Which of n arguments are differentiated, and whether results come for one argument, not as a tuple."""
    if options.argnums is None:
        return tuple(range(n)), False
    numbers = (options.argnums,) if isinstance(options.argnums, int) else tuple(options.argnums)
    found = tuple(i % n for i in numbers if -n <= i < n)
    if len(set(found)) < len(numbers) or not numbers:
        raise RuleSignatureError(
            f"{options.where}, argnums.",
            f"positions among the {n} arguments",
            repr(options.argnums),
            "number the arguments from 0, each once",
        )
    return found, isinstance(options.argnums, int)


class Point:
    """The arguments of one call as the engine's values; as a function, fn of the leaves that are differentiated.

    Args:
        use: the engine.
        options: what the operator was asked for.
        args: the arguments of fn.
        constants: instead of those of the options.

    Attributes:
        xs: the leaves of the arguments to differentiate that have a tangent.
        of: the structure of these arguments: of one, or of a tuple of them.
    """

    def __init__(self, use: Engine, options: Options, args: tuple[Any, ...], constants: Any = None) -> None:
        self._fn = options.fn
        self._options = options
        self._use = use
        self._contexts = Contexts(use, options, constants)
        self.numbers, self.single = positions(options, len(args))
        made = tuple([into(use, x) if i in self.numbers else arrays_into(use, x) for i, x in enumerate(args)])
        self._leaves, self._structure = trees.flatten(made)
        ends = [0]
        for child in self._structure.children:
            ends.append(ends[-1] + child.n_leaves)
        self._chosen = [k for i in self.numbers for k in range(ends[i], ends[i + 1])]
        self.of = _of(self._structure, self.numbers, self.single)
        self._slots = [_has_tangent(use, self._leaves[k]) for k in self._chosen]
        self._moving = [k for k, moves in zip(self._chosen, self._slots, strict=True) if moves]
        self.xs = tuple([self._leaves[k] for k in self._moving])

    def __call__(self, *xs: Any) -> Any:
        """fn where the leaves that are differentiated have these values."""
        leaves = list(self._leaves)
        for k, x in zip(self._moving, xs, strict=True):
            leaves[k] = x
        args = self._structure.unflatten(iter(leaves))
        return checked(self._contexts.call(self._fn, args, xs), self._options)

    def spread(self, found: Iterable[Any]) -> Any:
        """What belongs to the leaves that are differentiated, in their structure; None for leaves without tangent."""
        rest = iter(found)
        return self.of.unflatten(iter([next(rest) if moves else None for moves in self._slots]))

    def leaves(self) -> list[Any]:
        """All leaves of the arguments to differentiate, also those without tangent."""
        return [self._leaves[k] for k in self._chosen]

    def gather(self, full: list[Any]) -> list[Any]:
        """Of one value per leaf of the structure, those of the leaves that are differentiated."""
        return [x for x, moves in zip(full, self._slots, strict=True) if moves]

    def need_floats(self) -> Point:
        """Itself, if each argument has something to differentiate by.

        Raises:
            RuleSignatureError: one has not.
        """
        at = 0
        for number, child in zip(self.numbers, self.of.children if not self.single else (self.of,), strict=True):
            if not any(self._slots[at : at + child.n_leaves]):
                self._refuse(number)
            at += child.n_leaves
        return self

    def _refuse(self, number: int) -> None:
        leaves = trees.flatten(self._structure.unflatten(iter(self._leaves))[number])[0]
        got = ", ".join(dict.fromkeys(str(x.dtype) if hasattr(x, "dtype") else f"a {type(x).__name__}" for x in leaves))
        raise RuleSignatureError(
            f"{self._options.where}, argument {number}.", "floating-point numbers", got or "no numbers", "pass floats to differentiate by"
        )


def _of(structure: trees.Structure, numbers: tuple[int, ...], single: bool) -> trees.Structure:
    children = tuple([structure.children[i] for i in numbers])
    return children[0] if single else trees.Structure(tuple, None, children)


def _has_tangent(use: Engine, x: Any) -> bool:
    return hasattr(x, "dtype") and use.has_tangent(x)

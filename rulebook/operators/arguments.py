"""The arguments of one call, and fn as a function of those leaves that are differentiated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.operators.contexts import Contexts
from rulebook.operators.conversion import arrays_into, into
from rulebook.operators.options import Options
from rulebook.operators.results import a_kind, as_number, checked

__all__ = ["Point", "has_tangent", "positions"]


def positions(options: Options, n: int) -> tuple[tuple[int, ...], bool]:
    """Which of n arguments are differentiated, and whether results come for one argument, not as a tuple."""
    if options.argnums is None:
        return tuple(range(n)), False
    numbers = (options.argnums,) if isinstance(options.argnums, int) else tuple(options.argnums)
    found = tuple([i % n for i in numbers if -n <= i < n])
    if len(set(found)) < len(numbers) or not numbers:
        raise RuleSignatureError(
            f"{options.where}, argnums.",
            f"positions among the {n} arguments",
            repr(options.argnums),
            "number the arguments from 0, each once",
        )
    return found, isinstance(options.argnums, int)


@cache
def _arrays(n: int) -> trees.Structure:
    """The structure of n arrays."""
    return trees.Structure(tuple, None, (trees.LEAF,) * n)


def has_tangent(use: Engine, x: Any) -> bool:
    """Whether a leaf, which may be any object, can be perturbed."""
    return hasattr(x, "dtype") and use.has_tangent(x)


class Point:
    """The arguments of one call as the engine's values; as a function, fn of the leaves that are differentiated.

    Args:
        use: the engine.
        options: what the operator was asked for.
        args: the arguments of fn.
        constants: instead of those of the options.

    Attributes:
        leaves: of all arguments.
        xs: those that are differentiated.
        numbers, single: which arguments these belong to, and whether that is one, not a tuple of them.
        of: the structure of the arguments that are differentiated: of one, or of a tuple of them.
        contexts: the constants and caches.
        all_move: whether xs are all leaves, in order.
    """

    def __init__(self, use: Engine, options: Options, args: tuple[Any, ...], constants: Any = None) -> None:
        self._use = use
        self._options = options
        self._fn = options.fn
        self.contexts = Contexts(use, options, constants)
        self.numbers, self.single = positions(options, len(args))
        made = tuple([into(use, x) if i in self.numbers else arrays_into(use, x) for i, x in enumerate(args)])
        self._flat = all([kind_of(type(x)) in (NUMPY, use.name) for x in made])
        if self._flat:
            self.leaves: Sequence[Any] = made
            self.structure, self._chosen = _arrays(len(made)), list(self.numbers)
            self.of = trees.LEAF if self.single else _arrays(len(self.numbers))
        else:
            self._read_containers(made)
        self._slots = [has_tangent(use, self.leaves[k]) for k in self._chosen]
        self._moving = [k for k, moves in zip(self._chosen, self._slots, strict=True) if moves]
        self.all_move = self._moving == list(range(len(self.leaves)))
        self.xs = tuple([self.leaves[k] for k in self._moving])

    def _read_containers(self, made: tuple[Any, ...]) -> None:
        self.leaves, self.structure = trees.flatten(made)
        ends = [0]
        for child in self.structure.children:
            ends.append(ends[-1] + child.n_leaves)
        self._chosen = [k for i in self.numbers for k in range(ends[i], ends[i + 1])]
        children = tuple([self.structure.children[i] for i in self.numbers])
        self.of = children[0] if self.single else trees.Structure(tuple, None, children)

    def at(self, leaves: Sequence[Any], contexts: Contexts) -> Point:
        """The same with other leaves of the same kind."""
        point = object.__new__(Point)  # copy.copy takes ten times as long
        point.__dict__.update(self.__dict__)
        point.leaves, point.contexts = leaves, contexts
        point.xs = tuple([leaves[k] for k in self._moving])
        return point

    def __call__(self, *xs: Any) -> Any:
        """fn where the leaves that are differentiated have these values."""
        return checked(self._use, self._options, self.call(*xs))

    def call(self, *xs: Any) -> Any:
        """The same, unchecked."""
        args: Any = xs
        if not self.all_move:
            args = list(self.leaves)
            for k, x in zip(self._moving, xs, strict=True):
                args[k] = x
        if not self._flat:
            args = self.structure.unflatten(iter(args))
        return self._fn(*args) if self.contexts.is_empty else self.contexts.call(self._fn, args, xs)

    def number(self, *xs: Any) -> Any:
        """The same, where it has to be one real number of the engine."""
        y = self.call(*xs)
        return y if self._use.is_number(y) else as_number(self._use, self._options, checked(self._use, self._options, y))

    def chosen(self) -> list[Any]:
        """All leaves of the arguments to differentiate, also those without tangent."""
        return [self.leaves[k] for k in self._chosen]

    def spread(self, found: Iterable[Any]) -> Any:
        """What belongs to the leaves that are differentiated, in their structure; None for leaves without tangent."""
        if self.of is trees.LEAF and self._moving:
            (one,) = found
            return one
        rest = iter(found)
        return self.of.unflatten(iter([next(rest) if moves else None for moves in self._slots]))

    def gather(self, full: list[Any]) -> tuple[Any, ...]:
        """Of one value per leaf that may be differentiated, those of the leaves that are."""
        return tuple([x for x, moves in zip(full, self._slots, strict=True) if moves])

    def need_floats(self) -> Point:
        """Itself, if each argument has something to differentiate by.

        Raises:
            RuleSignatureError: one has not.
        """
        at = 0
        for number, child in zip(self.numbers, (self.of,) if self.single else self.of.children, strict=True):
            end = at + child.n_leaves
            if not any(self._slots[at:end]):
                got = ", ".join(dict.fromkeys([_what(x) for x in self.chosen()[at:end]]))
                raise RuleSignatureError(
                    f"{self._options.where}, argument {number}.",
                    "floating-point numbers",
                    got or "no numbers",
                    "pass floats to differentiate by",
                )
            at = end
        return self


def _what(x: Any) -> str:
    return str(x.dtype) if hasattr(x, "dtype") else a_kind(x)

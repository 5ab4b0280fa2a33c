"""One call of a decorated function: its leaves, and what puts them together again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from rulebook import trees
from rulebook.engines import engine_of
from rulebook.signature import static_key

__all__ = ["Call", "Result", "Static", "Tree", "as_primitive", "is_foreign", "positional", "split"]


def is_foreign(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> bool:
    """Whether a call has values of another engine than JAX.

    Raises:
        MixedEnginesError: values of two engines.
    """
    engine = engine_of(trees.leaves_of((args, kwargs)), name)
    return engine is not None and engine.name != "jax"


def signature(fn: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function; a functools.partial shows none, as in JAX."""
    return inspect.signature(_opaque if isinstance(fn, functools.partial) else fn)


def _opaque(*args: Any, **kwargs: Any) -> None:
    """Takes anything."""


def positional(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...] | None:
    """All arguments in order, defaults applied; None where JAX refuses the call."""
    try:
        bound = signature(fn).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return None
    bound.apply_defaults()
    return None if any(k in kwargs for k in bound.kwargs) else bound.args


def as_primitive(fn: Callable[..., Any], nondiff: Sequence[int]) -> tuple[inspect.Signature, tuple[str, ...]]:
    """The signature of a function as a primitive, where arguments that are not differentiated are keyword-only, and the names of those."""
    every = list(signature(fn).parameters.values())
    at = [p for p in every if p.kind in _POSITIONAL]
    statics = [at[i].replace(kind=_KEYWORD) if i < len(at) else inspect.Parameter(f"arg{i}", _KEYWORD) for i in nondiff]
    primals = [p.replace(default=inspect.Parameter.empty) for i, p in enumerate(at) if i not in nondiff]
    rest = [p for p in every if p.kind is inspect.Parameter.VAR_POSITIONAL]
    return inspect.Signature([*primals, *rest, *statics]), tuple(p.name for p in statics)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


class Static:
    """The arguments that are not differentiated, by position: one option of a primitive.

    What cannot be hashed, a list or an array, may change between two calls: it equals nothing but itself in the same call.
    """

    def __init__(self, values: Sequence[tuple[int, Any]]) -> None:
        self.values = tuple(values)
        self._key = tuple((i, _key(v)) for i, v in self.values)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self._key == other._key

    def __repr__(self) -> str:
        return f"Static{self.values}"

    def join(self, rest: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, the others being `rest`."""
        others: Iterator[Any] = iter(rest)
        own = dict(self.values)
        return tuple([own[i] if i in own else next(others) for i in range(len(own) + len(rest))])


def _key(value: Any) -> Hashable:
    try:
        return static_key(value)
    except TypeError:
        return _Fresh()


class _Fresh:
    """Equal to nothing else."""


def split(args: Sequence[Any], nondiff: Sequence[int]) -> tuple[list[Any], Static]:
    """The differentiable arguments, and the others."""
    return [x for i, x in enumerate(args) if i not in nondiff], Static([(i, args[i]) for i in nondiff if i < len(args)])


class Tree:
    """The structure of a JAX pytree, as an option: hashable even where the data of its nodes are not."""

    def __init__(self, treedef: Any) -> None:
        self.treedef = treedef

    def __hash__(self) -> int:
        return hash(self.treedef.num_leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and bool(self.treedef == other.treedef)

    def __repr__(self) -> str:
        return repr(self.treedef)


@trees.register_dataclass(static=("tree",))
@dataclass(frozen=True)
class Result:
    """A JAX pytree whose structure rulebook need not know.

    Attributes:
        leaves: of the pytree.
        tree: its structure.
    """

    leaves: list[Any]
    tree: Tree

    @classmethod
    def of(cls, value: Any) -> Result:
        """The parts of a pytree."""
        leaves, treedef = jax.tree_util.tree_flatten(value)
        return cls(leaves, Tree(treedef))

    def value(self) -> Any:
        """The pytree."""
        return jax.tree_util.tree_unflatten(self.tree.treedef, self.leaves)


@dataclass(frozen=True)
class Call:
    """What puts the leaves of a call together: one option of the primitive of a function.

    Attributes:
        tree: the structure of the differentiable arguments.
        static: the others.
    """

    tree: Tree
    static: Static

    def args(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments."""
        return self.static.join(jax.tree_util.tree_unflatten(self.tree.treedef, leaves))

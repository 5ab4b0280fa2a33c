"""Nested containers of values: what counts as one, how it is flattened and put together again.

Containers are tuple, list, dict, namedtuple, None and dataclasses registered with
`register_dataclass`.  Everything else is a leaf.  A Structure is hashable, so that the work
done for one structure is done once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from rulebook.errors import RulebookError, RuleSignatureError
from rulebook.tangents import is_zero

__all__ = ["LEAF", "Structure", "flatten", "flatten_like", "leaf_paths", "leaves_of", "opened", "register_dataclass", "register_opener"]

T = TypeVar("T")

# class -> (names of the fields that hold values, names of the fields that are options)
_dataclasses: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {}
# A type that stands for a container or leaf -> what gives it, one level deep.
_openers: dict[type, Callable[[Any], Any]] = {}


def register_opener(kind: type, opener: Callable[[Any], Any]) -> None:
    """Treat values of a type as the tuple, list, dict or leaf that `opener` gives for them."""
    _openers[kind] = opener


def opened(value: Any) -> Any:
    """A value as the container that it stands for, one level deep; other values as they are."""
    opener = _openers.get(type(value))
    return value if opener is None else opener(value)


@overload
def register_dataclass(cls: type[T], *, static: tuple[str, ...] = ()) -> type[T]: ...
@overload
def register_dataclass(cls: None = None, *, static: tuple[str, ...] = ()) -> Callable[[type[T]], type[T]]: ...
def register_dataclass(cls: type[T] | None = None, *, static: tuple[str, ...] = ()) -> Any:
    """Make a dataclass a container whose fields are primals.

    Args:
        cls: a dataclass whose `__init__` takes its fields.
        static: names of fields that are options, never differentiated; they must be hashable.

    Returns:
        The class unchanged, so that it works as a decorator.

    Raises:
        RuleSignatureError: cls is not a dataclass, or `static` names a field it does not have.

    Example:
        >>> import dataclasses
        >>> @register_dataclass
        ... @dataclasses.dataclass
        ... class Orbit:
        ...     radius: float
        ...     phase: float
        >>> flatten(Orbit(1.0, 2.0))[0]
        [1.0, 2.0]
    """
    if cls is None:
        return lambda cls: register_dataclass(cls, static=static)
    name = getattr(cls, "__qualname__", repr(cls))
    if not dataclasses.is_dataclass(cls):
        raise RuleSignatureError(
            f"rb.register_dataclass of {name}.", "a dataclass", repr(type(cls)), "decorate the class with @dataclasses.dataclass first"
        )
    fields = tuple(f.name for f in dataclasses.fields(cls) if f.init)
    unknown = [s for s in static if s not in fields]
    if unknown:
        raise RuleSignatureError(
            f"rb.register_dataclass of {name}.", f"static fields among {fields}", repr(tuple(unknown)), "name fields that the class has"
        )
    _dataclasses[cls] = tuple(f for f in fields if f not in static), tuple(static)
    return cls


class Structure:
    """The shape of a nested container, without its leaves.

    Two structures are equal when they unflatten the same number of leaves into the same containers.
    """

    __slots__ = ("_hash", "children", "data", "kind", "n_leaves")

    def __init__(self, kind: Any, data: Any = None, children: tuple[Structure, ...] = ()) -> None:
        self.kind = kind
        self.data = data
        self.children = children
        self.n_leaves: int = 1 if kind == "leaf" else sum(c.n_leaves for c in children)
        self._hash = hash((kind, data, children))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Structure)
            and self._hash == other._hash
            and self.kind == other.kind
            and self.data == other.data
            and self.children == other.children
        )

    def __repr__(self) -> str:
        """The structure as a container of stars, for messages."""
        if self.kind == "leaf":
            return "*"
        if self.kind == "none":
            return "None"
        inner = [repr(c) for c in self.children]
        if self.kind is list:
            return f"[{', '.join(inner)}]"
        if self.kind is dict:
            return "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(self.data, inner, strict=True)) + "}"
        if self.kind is tuple:
            return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
        names = self.kind._fields if self.kind not in _dataclasses else _dataclasses[self.kind][0]
        return f"{self.kind.__name__}({', '.join(f'{k}={c}' for k, c in zip(names, inner, strict=True))})"

    def unflatten(self, leaves: Iterator[Any]) -> Any:
        """The container that holds the next `n_leaves` of `leaves`."""
        if self.kind == "leaf":
            return next(leaves)
        if self.kind == "none":
            return None
        values = [c.unflatten(leaves) for c in self.children]
        return _build(self.kind, self.data, values)


LEAF = Structure("leaf")
_NONE = Structure("none")


def _build(kind: Any, data: Any, values: list[Any]) -> Any:
    if kind is tuple:
        return tuple(values)
    if kind is list:
        return values
    if kind is dict:
        return dict(zip(data, values, strict=True))
    if kind in _dataclasses:
        names, options = _dataclasses[kind]
        return kind(**dict(zip(names, values, strict=True)), **dict(zip(options, data, strict=True)))
    return kind(*values)  # a namedtuple


def parts(tree: Any) -> tuple[Any, Any, list[Any]] | None:
    """The kind, data and children of a container; None for a leaf."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind, None, list(tree)
    if kind is dict:
        return kind, tuple(tree), list(tree.values())
    if kind in _dataclasses:
        names, options = _dataclasses[kind]
        return kind, tuple(getattr(tree, o) for o in options), [getattr(tree, n) for n in names]
    if isinstance(tree, tuple) and hasattr(kind, "_fields"):
        return kind, None, list(tree)
    if kind in _openers:
        return parts(_openers[kind](tree))
    return None


def is_container_type(kind: type) -> bool:
    """Whether values of a type are containers (None counts as an empty one)."""
    if kind in (tuple, list, dict, type(None)) or kind in _dataclasses or kind in _openers:
        return True
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def is_leaf(tree: Any) -> bool:
    """Whether a value is no container."""
    return tree is not None and parts(tree) is None


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a container, in order, and its structure.

    Example:
        >>> flatten({"a": 1.0, "b": (2.0, None)})
        ([1.0, 2.0], {'a': *, 'b': (*, None)})
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def leaves_of(tree: Any) -> list[Any]:
    """The leaves of a container, in the order of `flatten`."""
    if tree is None:
        return []
    found = parts(tree)
    return [opened(tree)] if found is None else [leaf for child in found[2] for leaf in leaves_of(child)]


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    if tree is None:
        return _NONE
    found = parts(tree)
    if found is None:
        leaves.append(opened(tree))
        return LEAF
    kind, data, values = found
    return Structure(kind, data, tuple(_flatten(v, leaves) for v in values))


def flatten_like(structure: Structure, tree: Any, fail: Callable[[str, str, str], RulebookError], path: str = "") -> list[Any]:
    """The leaves of a returned tangent, one per leaf of `structure`; zeros come as None.

    Args:
        structure: what the tangent belongs to.
        tree: a container of the same structure, in which any part may be a zero.
        fail: makes the error from (path, expected, got) where the structures differ.
        path: where in the whole the tree sits.

    Returns:
        `structure.n_leaves` values.
    """
    if structure.kind == "leaf":
        if is_zero(tree):
            return [None]
        if parts(tree) is not None:
            raise fail(path, "an array", f"structure {flatten(tree)[1]!r}")
        return [opened(tree)]
    if is_zero(tree):
        return [None] * structure.n_leaves
    found = parts(tree)
    if found is None or found[0] is not structure.kind or len(found[2]) != len(structure.children):
        raise fail(path, f"structure {structure!r}", f"structure {flatten(tree)[1]!r}" if found else f"a {type(tree).__name__}")
    kind, data, values = found
    if kind is dict:
        if set(data) != set(structure.data):
            raise fail(path, f"the keys {structure.data}", f"the keys {data}")
        values = [tree[k] for k in structure.data]
    leaves: list[Any] = []
    for step, child, value in zip(_steps(structure), structure.children, values, strict=True):
        leaves += flatten_like(child, value, fail, path + step)
    return leaves


def _steps(structure: Structure) -> list[str]:
    """How each child of a structure is reached, as it is written in Python."""
    if structure.kind is dict:
        return [f"[{k!r}]" for k in structure.data]
    if structure.kind in _dataclasses:
        return [f".{n}" for n in _dataclasses[structure.kind][0]]
    if structure.kind in (tuple, list):
        return [f"[{i}]" for i in range(len(structure.children))]
    return [f".{n}" for n in getattr(structure.kind, "_fields", ())]


def leaf_paths(structure: Structure, path: str = "") -> list[str]:
    """The path of each leaf below `path`, as it is written in Python."""
    if structure.kind == "leaf":
        return [path]
    return [p for step, child in zip(_steps(structure), structure.children, strict=True) for p in leaf_paths(child, path + step)]

"""What an example fixes: structure, shapes and dtypes of arguments, tangents and constants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, kind_of
from rulebook.errors import PreparationError, RulebookError
from rulebook.operators.results import a_kind

__all__ = ["Layout"]

_NUMBERS = (float, complex)


class _Spec(NamedTuple):
    """One leaf.

    Attributes:
        kind: its type; None where it is no array.
        shape, dtype: of an array.
        value: a number of Python, or a static value.
    """

    kind: type | None
    shape: Any
    dtype: Any
    value: Any = None


class Layout:
    """The structure of trees and, for each leaf, shape and dtype; of what is neither array nor floating number, the value.

    Args:
        use: the engine.
        which: what is prepared, for messages.
        what: how messages call the tree.
        example: the tree, of the engine's values.
        lenient: whether arrays of other dtypes are converted, and None stands for zeros.

    Attributes:
        leaves, structure: of the example.
        moving: which leaves are not static.
    """

    def __init__(self, use: Engine, which: str, what: str, example: Any, lenient: bool = False) -> None:
        self._lenient = lenient
        self._use = use
        self._which = which
        self._what = what
        self.leaves, self.structure = trees.flatten(example)
        self._specs = [_spec(x) for x in self.leaves]
        self._flat = self.structure.kind is tuple and all(child is trees.LEAF for child in self.structure.children)
        self.moving = [k for k, spec in enumerate(self._specs) if spec.kind is not None or not _is_static(spec.value)]

    def read(self, tree: Any) -> Sequence[Any]:
        """The leaves of a tree, as the engine's values.

        Raises:
            PreparationError: it is not like the example.
        """
        if self._flat and type(tree) is tuple and len(tree) == len(self._specs):
            leaves: Sequence[Any] = tree
        else:
            leaves = trees.flatten_like(self.structure, tree, self._other_structure, self._what)
        pairs: Iterable[Any] = zip(leaves, self._specs, strict=True)
        for x, (kind, shape, dtype, _) in pairs:
            if type(x) is not kind or x.shape != shape or x.dtype != dtype:
                return self._converted(leaves)
        return leaves

    def filled(self, moving: Sequence[Any]) -> Any:
        """The tree of the leaves that are not static."""
        leaves = list(self.leaves)
        for k, x in zip(self.moving, moving, strict=True):
            leaves[k] = x
        return self.structure.unflatten(iter(leaves))

    def _other_structure(self, path: str, expected: str, got: str) -> RulebookError:
        return self._error([(path, expected, got)])

    def _converted(self, leaves: Sequence[Any]) -> list[Any]:
        made = [self._convert(x, spec, like) for x, spec, like in zip(leaves, self._specs, self.leaves, strict=True)]
        wrong = [
            (path, _said(spec), "None" if x is None else a_kind(x) if spec.kind or not _is_static(spec.value) else repr(x))
            for x, (_, fits), spec, path in zip(leaves, made, self._specs, trees.leaf_paths(self.structure, self._what), strict=True)
            if not fits
        ]
        if wrong:
            raise self._error(wrong)
        return [x for x, _ in made]

    def _convert(self, x: Any, spec: _Spec, like: Any) -> tuple[Any, bool]:
        """A leaf as the engine's value, and whether it is like the example's."""
        if spec.kind is None:
            if isinstance(spec.value, _NUMBERS):
                return x, isinstance(x, type(spec.value)) or getattr(x, "shape", None) == ()
            return x, type(x) is type(spec.value) and bool(x == spec.value)
        if x is None:
            return (self._use.zeros_like(like), True) if self._lenient else (x, False)
        kind = kind_of(type(x))
        if kind == NUMPY:
            x = self._use.asarray(x)
        elif kind != self._use.name:
            return x, False
        if self._lenient and x.dtype != spec.dtype:
            x = self._use.cast(x, like)
        return x, tuple(x.shape) == tuple(spec.shape) and x.dtype == spec.dtype

    def _error(self, wrong: list[tuple[str, str, str]]) -> PreparationError:
        return PreparationError(
            f"{self._which}, prepared (engine {self._use.name}).",
            "; ".join(f"{path}: {expected}" for path, expected, _ in wrong),
            "; ".join(f"{path}: {got}" for path, _, got in wrong),
            "pass what is like the example, or prepare again",
        )


def _is_static(value: Any) -> bool:
    return not isinstance(value, _NUMBERS)


def _spec(x: Any) -> _Spec:
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return _Spec(type(x), x.shape, x.dtype)
    return _Spec(None, None, None, x)


def _said(spec: _Spec) -> str:
    if spec.kind is not None:
        return f"shape {tuple(spec.shape)}, {spec.dtype}"
    return repr(spec.value) if _is_static(spec.value) else f"a {type(spec.value).__name__}"

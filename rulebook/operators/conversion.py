"""Which engine differentiates, and values on their way in and out."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, engine_of, kind_of, load_engine
from rulebook.errors import RuleSignatureError

__all__ = ["arrays_into", "find_engine", "into", "out"]


def find_engine(name: str | None, values: Any, where: str) -> tuple[Engine, bool]:
    """The engine to use, and whether all values are NumPy's, so that the results should be."""
    found = engine_of(trees.leaves_of(values), where)
    if name is None:
        return (found or load_engine("dual")), found is None
    asked = load_engine(name)
    if found is not None and found is not asked:
        raise RuleSignatureError(
            f"{where}, engine={name!r}.", f"values of {name} or NumPy", f"values of {found.name}", f"pass engine={found.name!r}"
        )
    return asked, found is None


def into(engine: Engine, tree: Any) -> Any:
    """A tree with its numbers as the engine's values."""
    kind = kind_of(type(tree))
    if kind == engine.name:
        return tree
    if kind == NUMPY:
        return engine.asarray(tree)
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([engine.asarray(v) if kind_of(type(v)) == NUMPY else v for v in leaves]))


def arrays_into(engine: Engine, tree: Any) -> Any:
    """A tree with its arrays as the engine's values; numbers of Python stay what they are."""
    if kind_of(type(tree)) == engine.name:
        return tree
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([engine.asarray(v) if isinstance(v, np.ndarray) and v.dtype.kind in "fciub" else v for v in leaves]))


def out(engine: Engine, tree: Any, numpy: bool) -> Any:
    """A result as it is returned: for NumPy arguments, NumPy arrays that share no memory with them."""
    if not numpy:
        return tree
    if kind_of(type(tree)) in (NUMPY, engine.name):
        return _leaf_out(engine, tree)
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([_leaf_out(engine, v) for v in leaves]))


def _leaf_out(engine: Engine, value: Any) -> Any:
    """A result as a NumPy array; one that depends on an outer derivative call, through what fn captured, as it is."""
    if engine.owns(type(value)):
        return value if engine.is_active(value) else np.array(engine.to_numpy(value))
    return np.array(value) if kind_of(type(value)) == NUMPY else value

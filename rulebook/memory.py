"""Memory of NumPy arrays that host code shares with the rest of a program: arguments cannot be changed, results do not change."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees

__all__ = ["guarded", "note_change", "owned", "read_only", "unknown"]


def read_only(array: Any) -> Any:
    """The same array, but not to be written to."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def unknown(like: Any) -> Any:
    """A new array of the shape and dtype of another; its values show where they are used: NaN, or the smallest of the integers."""
    made = np.zeros(np.shape(like), np.asarray(like).dtype)
    if made.dtype.kind in "fc":
        made[...] = np.nan
    elif made.dtype.kind == "i":
        made[...] = np.iinfo(made.dtype).min
    return made


def note_change(error: Exception, what: str, name: str) -> None:
    """Tell what to do about an argument that host code may not change."""
    note = f"The {what} of {name} is host code and changed its arguments, which are read-only: copy them first."
    if any(text in str(error) for text in ("read-only", "readonly")) and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


_probe = [np.empty(1)]
_ALONE = sys.getrefcount(_probe[0])  # what an array has that one container alone refers to


def owned(results: list[Any]) -> list[Any]:
    """Results of host code, in memory that nobody else can change, for an engine whose values are NumPy arrays.

    The function may return an argument, or a buffer that it writes to when it is called again.  An array is taken as it is where
    it can be written to, and nothing but this list refers to it and to what it is a view of, else copied; numbers become NumPy
    scalars, which nobody can change.
    """
    return [_own(results, k) if results[k].ndim else results[k][()] for k in range(len(results))]


def _own(results: list[Any], k: int) -> Any:
    """The k-th result; no variable here refers to it, as that would count."""
    if sys.getrefcount(results[k]) > _ALONE or not results[k].flags.writeable:
        return np.array(results[k])
    if results[k].base is None:
        return results[k] if results[k].flags.owndata else results[k].copy()
    alone = type(results[k].base) is np.ndarray and results[k].base.flags.owndata and sys.getrefcount(results[k].base) <= _ALONE
    return results[k] if alone else results[k].copy()


def guarded(fn: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A host function for NumPy arguments: what calls it may be a rule, whose values the engine still needs.

    Args:
        fn: the function.
        name: of the primitive.
    """

    def call(*args: Any, **statics: Any) -> Any:
        try:
            leaves, structure = trees.flatten(fn(*[_locked(a) for a in args], **statics))
        except Exception as error:
            note_change(error, "primal", name)
            raise
        return structure.unflatten(iter([_own(leaves, k) if type(leaves[k]) is np.ndarray else leaves[k] for k in range(len(leaves))]))

    return call


def _locked(value: Any) -> Any:
    """An argument with its arrays read-only."""
    if type(value) is np.ndarray:
        return read_only(value)
    if trees.is_leaf(value):
        return value
    leaves, structure = trees.flatten(value)
    return structure.unflatten(iter([read_only(x) if type(x) is np.ndarray else x for x in leaves]))

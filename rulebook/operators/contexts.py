"""Constants and caches: what fn takes besides its arguments, and what it may do to them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import FrozenBufferError, RuleSignatureError
from rulebook.memory import read_only
from rulebook.operators.conversion import arrays_into
from rulebook.operators.options import Options

__all__ = ["Contexts"]

_READ_ONLY = ("read-only", "readonly", "immutable")  # how NumPy and JAX say that an array cannot be written to


class Contexts:
    """The constants and caches of an operator, as the engine's values.

    Args:
        use: the engine.
        options: what the operator was asked for.
        constants: instead of those of the options.

    Attributes:
        constants: a tuple, or a dict of keywords.
        is_empty: whether there are neither constants nor caches.
    """

    def __init__(self, use: Engine, options: Options, constants: Any = None) -> None:
        self._use = use
        self._options = options
        self.is_empty = constants is None and _is_none(options.constants) and _is_none(options.caches)
        if self.is_empty:
            self.constants, self._watched, self._caches = (), [], ()
            return
        self.constants = self.given(options.constants if constants is None else constants)
        self._watched = [x for x in trees.leaves_of(self.constants) if use.owns(type(x))]
        self._caches = _plain(options.caches, options, "caches")
        if trees.leaves_of(self._caches) and not use.writes:
            raise RuleSignatureError(
                f"{options.which} (engine {use.name}), caches.",
                f"no caches: arrays of {use.name} cannot be written to while it differentiates",
                "work arrays that fn writes to",
                'make new arrays in fn, or pass engine="dual" or "torch"',
            )

    def given(self, constants: Any) -> Any:
        """Constants as a caller gives them, as the engine's values that cannot be written to."""
        leaves, structure = trees.flatten(arrays_into(self._use, _plain(constants, self._options, "constants")))
        return structure.unflatten(iter([read_only(x) if type(x) is np.ndarray else x for x in leaves]))

    def at(self, constants: Any) -> Contexts:
        """The same with other constants, of the engine's values."""
        found = copy.copy(self)
        found.constants = constants
        found._watched = [x for x in trees.leaves_of(constants) if self._use.owns(type(x))]
        return found

    def call(self, fn: Callable[..., Any], args: Sequence[Any], xs: tuple[Any, ...]) -> Any:
        """`fn(*args, constants, caches)`.

        Raises:
            FrozenBufferError: fn wrote to a constant.
        """
        positional, keywords = [*args], {}
        for group in (self.constants, self._fresh(xs)):
            if isinstance(group, dict):
                keywords.update(group)
            else:
                positional += group
        before = [self._use.version(x) for x in self._watched]
        try:
            y = fn(*positional, **keywords)
        except (ValueError, TypeError) as error:
            if not any(text in str(error) for text in _READ_ONLY):
                raise
            raise self._written() from error
        if before != [self._use.version(x) for x in self._watched]:
            raise self._written()
        return y

    def _fresh(self, xs: tuple[Any, ...]) -> Any:
        """Work arrays for one run of fn."""
        leaves, structure = trees.flatten(self._caches)
        return structure.unflatten(iter([self._use.work_array(x, xs) for x in leaves]))

    def _written(self) -> FrozenBufferError:
        return FrozenBufferError(
            f"{self._options.which} (engine {self._use.name}), a constant.",
            "arguments and constants that fn only reads",
            "a write into one of them",
            "copy it in fn, or pass it in caches= if its value does not matter",
        )


def _is_none(group: Any) -> bool:
    return type(group) is tuple and not group


def _plain(group: Any, options: Options, what: str) -> Any:
    """Constants or caches as a tuple or a dict."""
    if isinstance(group, Mapping):
        return dict(group)
    if isinstance(group, (tuple, list)):
        return tuple(group)
    raise RuleSignatureError(
        f"{options.which}, {what}.", "a tuple, or a dict of keywords", f"a {type(group).__name__}", f"pass {what}=(value,), also for one"
    )

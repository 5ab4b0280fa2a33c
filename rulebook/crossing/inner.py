"""The engine that a function was written for, as the one that runs and differentiates it on somebody else's arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, kind_of
from rulebook.memory import read_only
from rulebook.tangents import ShapeDtype

__all__ = ["CapturedError", "Inner", "WrongResultError", "a_kind"]

Fn = Callable[..., Any]
Pull = Callable[[Any], tuple[Any, ...]]


class WrongResultError(Exception):
    """A result that no engine can take (internal): its path, what was expected, what came, what to do."""


class CapturedError(WrongResultError):
    """The same for a result that depends on a value which the function captured."""


class Inner:
    """An engine from the inside of a call.  As it stands, one whose concrete values are NumPy's: dual numbers, autograd.

    Args:
        engine: the engine.

    Attributes:
        is_engine: whether values of it can ask for the function.
    """

    is_engine = True

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.name

    # -- values in and out ---------------------------------------------------------------------

    def settings(self, leaves: Sequence[Any]) -> contextlib.AbstractContextManager[Any]:
        """Settings of the engine under which values like these keep their dtypes."""
        return contextlib.nullcontext()

    def takes(self, outer: Engine, values: Sequence[Any]) -> bool:
        """Whether concrete values of another engine come as they are, and results go as values of it; else NumPy arrays do."""
        return False

    def take(self, value: Any, borrow: bool = False) -> Any:
        """Somebody else's value as one of the engine, which the function cannot write to, or which is a copy.

        Args:
            value: a number, a NumPy array, or a value of an engine that it `takes`; what is no number passes.
            borrow: the function is known not to write to its arguments: memory may be shared where that is cheaper.
        """
        return read_only(value) if type(value) is np.ndarray else value

    def changed(self, values: Sequence[Any], originals: Sequence[Any] | None) -> bool:
        """Whether the function wrote to copies that it was given; without the originals, as far as the copies tell."""
        return False

    def give(self, held: list[Any], k: int, outer: Engine | None) -> tuple[Any, bool]:
        """The k-th of the values that the function returned as a NumPy array or number, or as what another engine can adopt.

        Args:
            held: the only reference to them.
            k: which.
            outer: the engine that takes it; None for NumPy arrays.

        Returns:
            The array, and whether nobody else refers to its memory.

        Raises:
            WrongResultError: it is no array of the engine.
        """
        value = held[k]
        kind = kind_of(type(value))
        if kind == NUMPY:
            return value, False
        if kind != self.name:
            raise WrongResultError(f"an array of {self.name}, a number, or a tuple, list or dict of them", a_kind(value), "return arrays")
        if self.engine.is_active(value):
            raise CapturedError(
                "a result of the arguments alone",
                f"one that {self.name} is differentiating outside of this call: the function captured a value of it",
                "pass that value as an argument",
            )
        return (self.engine.to_numpy(value) if outer is None else value), False

    def is_write(self, error: Exception) -> bool:
        """Whether an exception says that the function wrote to an argument."""
        return isinstance(error, ValueError) and "read-only" in str(error)

    def needs_copy(self, error: Exception) -> bool:
        """Whether an exception says that the function cannot work with arguments that it borrowed."""
        return False

    # -- derivatives ---------------------------------------------------------------------------

    def primal(self, fn: Fn, primals: tuple[Any, ...]) -> Any:
        """The function itself."""
        return fn(*primals)

    def joint(self, fn: Fn, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """y and y_dot; a tangent that is zero is None."""
        return self.engine.jvp(fn, primals, tangents)

    def start(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """y and its pullback; the function runs once."""
        return self.engine.vjp(fn, primals)

    def vjp(self, fn: Fn, primals: tuple[Any, ...]) -> tuple[Any, Pull]:
        """The same for primals that may be differentiated by the engine itself."""
        return self.engine.vjp(fn, primals)

    # -- shapes --------------------------------------------------------------------------------

    def infer(self, fn: Fn, args: tuple[Any, ...]) -> Any:
        """The result for arguments whose arrays are ShapeDtypes, as a tree of ShapeDtypes: here, by a run on numbers made up."""
        leaves, structure = trees.flatten(args)
        values = [_made_up(x, i) if isinstance(x, ShapeDtype) else x for i, x in enumerate(leaves)]
        with np.errstate(all="ignore"):
            ys, out = trees.flatten(self.primal(fn, structure.unflatten(iter(values))))
        made = [np.asarray(self.give(ys, k, None)[0]) for k in range(len(ys))]
        return out.unflatten(iter([ShapeDtype(y.shape, y.dtype) for y in made]))


def a_kind(value: Any) -> str:
    """How messages call the kind of a value."""
    return "None" if value is None else f"a {type(value).__name__}"


def _made_up(spec: ShapeDtype, seed: int) -> Any:
    """Numbers that little code refuses: between a half and one and a half, matrices well away from singular."""
    if spec.dtype.kind not in "fc":
        return np.ones(spec.shape, spec.dtype)
    made = np.random.default_rng(seed).uniform(0.5, 1.5, spec.shape)
    if spec.ndim > 1 and spec.shape[-1] == spec.shape[-2]:
        made = made + 2 * spec.shape[-1] * np.eye(spec.shape[-1])
    return made.astype(spec.dtype)

"""What the result of a host function looks like: declared by `result=`, else learnt from results, else inferred where that can be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import trees
from rulebook.errors import ResultSpecError
from rulebook.host import Arrays, HostCall, Specs
from rulebook.tangents import ShapeDtype
from rulebook.trees import Structure

if TYPE_CHECKING:
    from rulebook.engine import Engine
    from rulebook.normal import NormalForm

__all__ = ["Results", "refuse_narrower"]


class Results:
    """What y looks like, by what the arguments look like: declared by `result=`, else learnt from results."""

    def __init__(self, form: NormalForm) -> None:
        self._form = form
        self._declared = form.primitive.result
        self._infer = form.primitive.infer
        self._keeps_dtypes = form.primitive.twins is not None
        self._known: dict[Any, tuple[list[ShapeDtype], Structure]] = {}
        self._first: dict[None, Structure] = {}  # one entry at most; no two threads can both be the first
        self._several = False
        self.real = True  # as far as is known

    @property
    def one(self) -> Structure | None:
        """The structure of y, where it is the same for all arguments seen."""
        return None if self._several else self._first.get(None)

    def _keep(self, key: Any, ys: list[ShapeDtype], structure: Structure) -> None:
        self._known[key] = ys, structure
        self.real = self.real and all(s.dtype.kind != "c" for s in ys)
        if self._first.setdefault(None, structure) != structure:
            self._several = True

    def find(self, operands: Specs) -> tuple[list[ShapeDtype], Structure]:
        """The leaves of y and its structure.

        Raises:
            ResultSpecError: there is no `result=`, and no such call was seen yet.
        """
        key = tuple([(s.shape, s.dtype) for s in operands])
        if key not in self._known:
            ask = self._declared or self._infer
            if ask is None:
                raise self._missing(operands)
            found = self._ask(ask, operands)
            self._check_dtypes(found[0])
            self._keep(key, *found)
        return self._known[key]

    def _ask(self, declared: Callable[..., Any], operands: Specs) -> tuple[list[ShapeDtype], Structure]:
        form = self._form
        try:
            found = declared(*form.args(operands), **_accepted(declared, form.statics))
        except Exception as error:
            error.add_note(f"Raised in result= of {form.name}, engine {form.engine.name}.")
            raise
        leaves, structure = trees.flatten(found)
        if not leaves or not all(hasattr(s, "shape") and hasattr(s, "dtype") for s in leaves):
            raise ResultSpecError(
                f"result= of {form.name} (engine {form.engine.name}).",
                "an rb.ShapeDtype, or a tuple, list or dict of them, like the result",
                ", ".join(sorted({type(s).__name__ for s in leaves})) or "nothing",
                "return rb.ShapeDtype(shape, dtype)",
            )
        return [ShapeDtype(s.shape, s.dtype) for s in leaves], structure

    def _check_dtypes(self, ys: Sequence[Any]) -> None:
        """Refuse results that the engine would change, where a primitive promises to keep them."""
        if not self._keeps_dtypes:
            return
        form = self._form
        for k, y in enumerate(ys):
            refuse_narrower(y, form.engine, f"{form.name} (engine {form.engine.name}), result {k}.")

    def _missing(self, operands: Specs) -> ResultSpecError:
        form = self._form
        signature = form.primitive.signature
        names = ", ".join([*signature.positional, *["*args"] * signature.var_positional])
        looks = ", ".join(f"{path}: {s.shape} {s.dtype}" for path, s in zip(form.paths, operands, strict=True))
        of = f"{form.arg_names[0]}.shape, {form.arg_names[0]}.dtype" if form.flat and form.arg_names else "shape, dtype"
        return ResultSpecError(
            f"primal of {form.name} (engine {form.engine.name}), host code on values that are traced.",
            "result=, which tells the shape and dtype of its result",
            f"none, and no call with concrete values of this kind so far ({looks})",
            f"write rb.primitive(..., host=True, result=lambda {names}: rb.ShapeDtype({of}))",
        )

    def check(self, arrays: Arrays, ys: Arrays, structure: Structure, call: HostCall) -> list[Any]:
        """The leaves of a result as arrays, compared with what was declared; what was not is learnt."""
        made = [np.asarray(y) for y in ys]
        self._check_dtypes(made)
        key = tuple([(a.shape, a.dtype) for a in arrays])
        known = self._known.get(key)
        if known is None and self._declared is not None:
            known = self.find([ShapeDtype(a.shape, a.dtype) for a in arrays])
        if known is not None and _agree(known[0], made) and known[1] == structure:
            return made
        if self._declared is None:
            self._keep(key, [ShapeDtype(y.shape, y.dtype) for y in made], structure)
            return made
        assert known is not None
        if known[1] != structure:
            raise ResultSpecError(
                f"primal of {call.name} (engine {call.engine}).",
                f"the structure {known[1]}, as result= says",
                f"{structure}",
                "let result= have the structure of the result",
            )
        k = next(k for k, (s, y) in enumerate(zip(known[0], made, strict=True)) if s.shape != y.shape or s.dtype != y.dtype)
        raise call.wrong_result(k, known[0][k], made[k], "as result= says")

    def learn(self, operands: Specs, ys: Specs, structure: Structure) -> None:
        """Remember a result that was seen as a part of a batch."""
        key = tuple([(s.shape, s.dtype) for s in operands])
        if self._declared is None and key not in self._known:
            self._keep(key, list(ys), structure)


def refuse_narrower(y: Any, engine: Engine, which: str) -> None:
    """Refuse an array of which an engine would make other numbers: JAX without x64 drops half of the digits of 64-bit floats.

    Integers of 64 bits are refused only where they do not fit.

    Args:
        y: a NumPy array, or the ShapeDtype of one.
        engine: the engine that takes it.
        which: what it is, for the message.

    Raises:
        ResultSpecError: it would be changed.
    """
    narrow = engine.narrowed(y.dtype)
    if narrow == y.dtype or (y.dtype.kind in "iu" and _fits(y, narrow)):
        return
    raise ResultSpecError(
        which,
        f"a dtype that {engine.name} has: {narrow} or narrower, as jax_enable_x64 is off",
        f"{y.dtype}",
        'call jax.config.update("jax_enable_x64", True), or let the function return the dtype of its arguments',
    )


def _fits(y: Any, dtype: np.dtype[Any]) -> bool:
    """Whether integers, if they have numbers, are those of another dtype as well."""
    return not isinstance(y, np.ndarray) or not y.size or bool(np.array_equal(y.astype(dtype), y))


def _agree(specs: Specs, ys: Arrays) -> bool:
    return len(specs) == len(ys) and all(s.shape == y.shape and s.dtype == y.dtype for s, y in zip(specs, ys, strict=True))


def _accepted(fn: Callable[..., Any], statics: dict[str, Any]) -> dict[str, Any]:
    """The statics that a function takes."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return statics
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return statics
    names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    return {k: v for k, v in statics.items() if k in names}

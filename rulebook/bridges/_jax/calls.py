"""The author's functions as functions of JAX arrays: flat results that keep their structure, compiled where that is safe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType
from typing import Any

import jax

from rulebook.bridges._jax import internals
from rulebook.errors import ResultSpecError, RuleSignatureError
from rulebook.forms import Rule
from rulebook.library import is_library_type
from rulebook.normal import NormalForm
from rulebook.reads import Reads
from rulebook.trees import LEAF, Structure

__all__ = ["Compiled", "Out", "is_staging", "parts_of", "primal_of", "result", "runs_at_once"]


@jax.tree_util.register_pytree_node_class
class Out:
    """The leaves of a result with its structure, so that it passes through JAX's own functions."""

    def __init__(self, leaves: Sequence[Any], structure: Structure) -> None:
        self.leaves = list(leaves)
        self.structure = structure

    def tree_flatten(self) -> tuple[list[Any], Structure]:
        """The leaves, and what is static."""
        return self.leaves, self.structure

    @classmethod
    def tree_unflatten(cls, structure: Structure, leaves: Sequence[Any]) -> Out:
        """The inverse of tree_flatten."""
        return cls(leaves, structure)


def result(out: Out) -> Any:
    """The result as the author's function returned it."""
    return out.leaves[0] if out.structure is LEAF else out.structure.unflatten(iter(out.leaves))


class Compiled:
    """A function of arrays that is compiled when it is called outside jit.

    An un-jitted iterative rule would otherwise be traced, or run operation by operation, at every call.
    A function that reads anything but constants and other such functions is run as it is, as are one
    that turns out to branch on values and one whose author says `jit=False`.

    Args:
        fn: the function, of arrays alone.
        parts: the author's functions that fn runs.
        allowed: whether compiling is allowed.
    """

    def __init__(self, fn: Callable[..., Any], parts: Sequence[Any], allowed: bool) -> None:
        self._fn = fn
        self._parts = parts
        self._reads: Reads | None = Reads(tuple(parts)) if allowed else None
        self._jitted: Any = None

    def __call__(self, *arrays: Any) -> Any:
        """Run the function."""
        found = NotImplemented if is_staging(arrays) else self.attempt(*arrays)
        return self._fn(*arrays) if found is NotImplemented else found

    def attempt(self, *arrays: Any) -> Any:
        """Run the function compiled; NotImplemented where it has to be run as it is."""
        reads = self._reads
        if reads is None or not reads.pure:
            return NotImplemented
        if self._jitted is None or not reads.unchanged():
            self._reads = Reads(tuple(self._parts))
            self._jitted = jax.jit(lambda *arrays: self._fn(*arrays), inline=True)
        before, _tracing.at_once = _tracing.at_once, True
        try:
            return self._jitted(*arrays)
        except (
            jax.errors.ConcretizationTypeError,
            jax.errors.TracerArrayConversionError,
            jax.errors.NonConcreteBooleanIndexError,
            ResultSpecError,  # of a host primal, whose result is learnt now; where it was declared wrongly, it raises again
        ):
            self._reads = None
        except RuleSignatureError as error:
            if not isinstance(error.__cause__, jax.errors.TracerArrayConversionError):
                raise
            self._reads = None
        finally:
            _tracing.at_once = before
        return NotImplemented


class _Tracing(threading.local):
    at_once = False


_tracing = _Tracing()


def runs_at_once() -> bool:
    """Whether what is traced now is compiled for a call outside jit."""
    return _tracing.at_once


def is_staging(arrays: Sequence[Any]) -> bool:
    """Whether a program is being traced: then nothing is compiled on its own."""
    return internals.StagingTracer is not None and any(isinstance(x, internals.StagingTracer) for x in arrays)


def parts_of(form: NormalForm, rule: Rule | None) -> tuple[list[Any], bool]:
    """The author's functions that a rule may run, and whether they may be compiled."""
    # The primitive with all of its rules: a rule may differentiate y, so that another rule runs.
    parts = [form.primitive, *form.statics.values(), *form.opaque.values(), *_methods(form.structure)]
    allowed = form.primitive.jit
    if form.primitive.host and rule is None:
        allowed = False  # called directly; in a compiled rule it is a callback, which runs at every call
    if rule is not None:
        allowed = allowed and rule.jit and not rule.host
    return parts, allowed


def _methods(structure: Structure) -> Iterator[Any]:
    """The methods of the author's classes among the containers of the arguments."""
    if structure is LEAF:
        return
    for kind in getattr(structure.kind, "__mro__", ()):
        if not is_library_type(kind):
            for name, value in vars(kind).items():
                if not name.startswith("__"):
                    yield from (f for f in _functions(value) if isinstance(f, FunctionType))
    for child in structure.children:
        yield from _methods(child)


def _functions(value: Any) -> tuple[Any, ...]:
    """The functions of an attribute of a class."""
    if isinstance(value, property):
        return value.fget, value.fset
    return (getattr(value, "__func__", value),)


def primal_of(form: NormalForm) -> Compiled:
    """The primal as a function of leaves, `(*leaves) -> Out`."""
    run = lambda *leaves: Out(*form.primal(leaves))
    return Compiled(run if form.primitive.batch is None or form.primitive.host else _with_batch_rule(form, run), *parts_of(form, None))


def _with_batch_rule(form: NormalForm, run: Callable[..., Out]) -> Callable[..., Out]:
    """The primal with the author's batch rule in place of jax.vmap's."""
    call = jax.custom_batching.custom_vmap(run)

    @call.def_vmap
    def _(axis_size: int, in_batched: list[bool], *leaves: Any) -> tuple[Out, Out]:
        ys, batched, structure = form.batched(axis_size, in_batched, leaves)
        return Out(ys, structure), Out(batched, structure)

    return call

"""The author's functions as functions of JAX arrays: flat results that keep their structure, compiled where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from rulebook.bridges import _jax_internals as internals
from rulebook.captures import Reads
from rulebook.errors import RuleSignatureError
from rulebook.forms import Rule
from rulebook.normal import NormalForm
from rulebook.trees import LEAF, Structure

__all__ = ["Compiled", "Out", "is_staging", "parts_of", "primal_of", "result"]


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

    @property
    def plain(self) -> bool:
        """Whether the function is run as it is."""
        return self._reads is None or not self._reads.pure

    def __call__(self, *arrays: Any) -> Any:
        """Run the function."""
        reads = self._reads
        if reads is None or not reads.pure or is_staging(arrays):
            return self._fn(*arrays)
        if self._jitted is None or not reads.unchanged():
            self._reads = Reads(tuple(self._parts))
            self._jitted = jax.jit(lambda *arrays: self._fn(*arrays), inline=True)
        try:
            return self._jitted(*arrays)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError, jax.errors.NonConcreteBooleanIndexError):
            self._reads = None
        except RuleSignatureError as error:
            if not isinstance(error.__cause__, jax.errors.TracerArrayConversionError):
                raise
            self._reads = None
        return self._fn(*arrays)


def is_staging(arrays: Sequence[Any]) -> bool:
    """Whether a program is being traced: then nothing is compiled on its own."""
    return internals.StagingTracer is not None and any(isinstance(x, internals.StagingTracer) for x in arrays)


def parts_of(form: NormalForm, rule: Rule | None) -> tuple[list[Any], bool]:
    """The author's functions that a rule may run, and whether they may be compiled."""
    parts = [form.primitive.fn, *form.statics.values(), *form.opaque.values()]
    allowed = form.primitive.jit and not form.primitive.host
    if rule is not None:
        parts.append(rule.fn)
        allowed = allowed and rule.jit and not rule.host
    return parts, allowed


def primal_of(form: NormalForm) -> Compiled:
    """The primal as a function of leaves, `(*leaves) -> Out`."""
    return Compiled(lambda *leaves: Out(*form.primal(leaves)), *parts_of(form, None))

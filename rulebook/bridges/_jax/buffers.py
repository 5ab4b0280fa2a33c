"""Buffers of JAX arrays: each write makes a new array, which a compiled program writes in place."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp

from rulebook.buffers.cells import Cells
from rulebook.buffers.errors import EscapedBufferError
from rulebook.tangents import ShapeDtype

__all__ = ["CELLS"]


def _no_trace_runs() -> Callable[[], bool]:
    """Whether no transformation is running; never, where a release of JAX does not tell: its own error comes then."""
    found = getattr(importlib.import_module("jax._src.core"), "trace_state_clean", None)
    return found if found is not None else lambda: False


_clean = _no_trace_runs()


class JaxCells(Cells):
    """JAX arrays and tracers."""

    dispatches = False
    most_writes = 50  # an unrolled loop of 100 takes 7 to 12 s to compile, of 300 up to 45 s

    def empty(self, prototype: ShapeDtype, actives: tuple[Any, ...]) -> Any:
        """NaN everywhere."""
        return jnp.full(prototype.shape, jnp.nan, jnp.result_type(prototype.dtype, *actives))

    def adopt(self, array: Any, value: Any) -> Any:
        """A copy."""
        return jnp.array(array)

    def fill(self, array: Any, value: Any, *, own: bool = False) -> Any:
        """The value, broadcast."""
        return jnp.broadcast_to(jnp.asarray(value, array.dtype), array.shape)

    def write(self, array: Any, key: Any, value: Any) -> Any:
        """`array.at[key].set(value)`."""
        try:
            if isinstance(key, jax.core.Tracer) and key.dtype == bool and key.shape == array.shape and not jnp.ndim(value):
                return jnp.where(key, jnp.asarray(value, array.dtype), array)  # JAX has no traced masks as indices
            return array.at[key].set(jnp.asarray(value, array.dtype))
        except jax.errors.UnexpectedTracerError as error:
            raise _escaped(array) from error

    def read(self, array: Any, key: Any) -> Any:
        """The elements; arrays do not change."""
        if key is ...:
            return array
        try:
            return array[key]
        except jax.errors.UnexpectedTracerError as error:
            raise _escaped(array) from error

    def seal(self, array: Any) -> Any:
        """The array."""
        return array

    def check(self, array: Any) -> None:
        """Refuse a tracer of a program that is traced no longer."""
        if isinstance(array, jax.core.Tracer):
            is_valid = getattr(array._trace, "is_valid", None)
            if _clean() or (is_valid is not None and not is_valid()):
                raise _escaped(array)


def _escaped(array: Any) -> EscapedBufferError:
    return EscapedBufferError(
        "A buffer (engine jax).",
        "a buffer made, written and frozen inside one function that JAX transforms",
        f"traced values {array.aval} of a function that has ended, or of another one",
        "call DiffCache.get, or make the rb.Buffer, inside the function, and return rb.freeze(b) from it",
    )


CELLS = JaxCells()

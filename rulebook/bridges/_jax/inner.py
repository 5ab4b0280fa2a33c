"""JAX as the engine that runs a function for another engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from rulebook import trees
from rulebook.bridges._jax import internals
from rulebook.crossing.inner import Fn, Inner
from rulebook.engine import Engine
from rulebook.engines import NUMPY, OPAQUE, kind_of
from rulebook.tangents import ShapeDtype

__all__ = ["JaxInner", "adopt"]

_WIDE = frozenset(("float64", "int64", "uint64", "complex128"))


def _enable_x64() -> contextlib.AbstractContextManager[Any]:
    """64-bit numbers, in this thread."""
    found = getattr(jax, "enable_x64", None)  # an object that has no truth value
    made: Callable[..., Any] = jax.experimental.enable_x64 if found is None else found
    return made(True)  # type: ignore[no-any-return]


class JaxInner(Inner):
    """JAX functions of other engines' numbers.  Where one of them has 64 bits, JAX is run with x64, as it would drop half of the digits."""

    def takes(self, outer: Engine, values: Sequence[Any]) -> bool:
        """Tensors of other devices, and of bfloat16, which NumPy lacks; others come as NumPy arrays, which is faster."""
        return outer.name == "torch" and any(not x.is_cpu or "bfloat16" in str(x.dtype) for x in values)

    def settings(self, leaves: Sequence[Any]) -> contextlib.AbstractContextManager[Any]:
        """x64 for what has 64 bits."""
        if jax.config.jax_enable_x64 or not any(str(getattr(x, "dtype", "")).rpartition(".")[2] in _WIDE for x in leaves):
            return contextlib.nullcontext()
        return _enable_x64()

    def take(self, value: Any, borrow: bool = False) -> Any:
        """A copy: a JAX array does not change, and what this one comes from may."""
        kind = kind_of(type(value))
        if kind == NUMPY:
            return jnp.array(value) if isinstance(value, (np.ndarray, np.generic)) else jnp.asarray(value)
        if kind in (self.name, OPAQUE):
            return value
        return jnp.array(jnp.from_dlpack(value.detach().resolve_conj().resolve_neg().contiguous()))

    def infer(self, fn: Fn, args: tuple[Any, ...]) -> Any:
        """By jax.eval_shape."""
        leaves, structure = trees.flatten(args)
        arrays = [i for i, x in enumerate(leaves) if isinstance(x, ShapeDtype)]
        out: list[trees.Structure] = []

        def flat(*values: Any) -> list[Any]:
            every = list(leaves)
            for i, x in zip(arrays, values, strict=True):
                every[i] = x
            ys, found = trees.flatten(fn(*structure.unflatten(iter(every))))
            out.append(found)
            return ys

        specs = jax.eval_shape(flat, *[jax.ShapeDtypeStruct(leaves[i].shape, leaves[i].dtype) for i in arrays])
        return out[0].unflatten(iter([ShapeDtype(s.shape, s.dtype) for s in specs]))


def adopt(value: Any, fresh: bool) -> Any:
    """A NumPy array, or another engine's by DLPack, as a JAX array."""
    if isinstance(value, (np.ndarray, np.generic)):
        return internals.hand_over(value if fresh and type(value) is np.ndarray else np.array(value))
    made = jnp.from_dlpack(value)
    return made if fresh else jnp.array(made)

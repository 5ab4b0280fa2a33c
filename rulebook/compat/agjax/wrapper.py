"""A function of autograd as one of JAX."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from rulebook import trees
from rulebook.compat._jax.calls import Static
from rulebook.compat.agjax.positions import PositionError, as_tuple, checked
from rulebook.crossing import differentiate_with
from rulebook.engines import OPAQUE, kind_of, load_engine
from rulebook.primitive import Primitive, full_name
from rulebook.tangents import ShapeDtype

__all__ = ["wrap_for_jax", "wrapped"]

# Takes the outputs that are not differentiated as the function gives them, in each run.
_seen: ContextVar[list[dict[int, Any]] | None] = ContextVar("seen", default=None)


def wrap_for_jax(
    fn: Callable[..., Any], nondiff_argnums: int | tuple[int, ...] = (), nondiff_outputnums: int | tuple[int, ...] = ()
) -> Callable[..., Any]:
    """A function of autograd as one of JAX: in both modes, to any order, under `jit` and `vmap`.

    Args:
        fn: the function, differentiable by autograd; it gets NumPy arrays.
        nondiff_argnums: positions of arguments that are not differentiated; they are passed on as they are.
        nondiff_outputnums: positions of outputs that are not differentiated; outside `jit` they come back as fn gave them.
            In a program that is traced they have to be arrays or numbers.

    Returns:
        A function of JAX values.

    Raises:
        PositionError: a ValueError, where it is called and the positions do not fit, or no output is left to differentiate.
    """
    return wrapped(fn, nondiff_argnums, nondiff_outputnums, None)


def wrapped(fn: Callable[..., Any], argnums: int | tuple[int, ...], outputnums: int | tuple[int, ...], result: Any) -> Callable[..., Any]:
    """The same, with a result that may be declared."""
    name, args_at = full_name(fn), as_tuple(argnums)
    primitive = _primitive(fn, name, as_tuple(outputnums), result)

    def on_jax(*args: Any) -> Any:
        at = checked(f"{name}, nondiff_argnums", args_at, len(args))
        static = Static([(i, x) for i, x in enumerate(args) if i in at and not _is_traced(x)])
        held = dict(static.values)
        primals = [_arrays(jax.lax.stop_gradient(x) if i in at else x) for i, x in enumerate(args) if i not in held]
        runs: list[dict[int, Any]] = []
        token = _seen.set(runs)
        try:
            found = primitive(*primals, static=static)
        finally:
            _seen.reset(token)
        return _outputs(name, found, runs[0] if len(runs) == 1 else {}, any(map(_is_traced, primals)))

    return on_jax


def _primitive(fn: Callable[..., Any], name: str, outputs_at: tuple[int, ...], result: Any) -> Primitive:
    def on_autograd(*primals: Any, static: Static) -> dict[str, Any]:
        y = fn(*static.join(primals))
        many = isinstance(y := trees.opened(y), tuple)
        outputs = y if many else (y,)
        at = checked(f"{name}, nondiff_outputnums", outputs_at, len(outputs))
        if len(at) == len(outputs):
            raise PositionError(
                f"{name}, nondiff_outputnums.",
                "an output to differentiate",
                f"{outputs_at} of {len(outputs)}. At least one differentiable output is required",
                "leave an output out of nondiff_outputnums",
            )
        fixed = {i: _unboxed(outputs[i]) for i in at}
        if (runs := _seen.get()) is not None:
            runs.append(fixed)
        return _packed(many, tuple([_as_arrays(fixed[i]) if i in at else y for i, y in enumerate(outputs)]))

    declared = None if result is None else _declared(result)
    made = differentiate_with(on_autograd, "autograd", name=name, result=declared)
    if made.infer is not None:
        made.infer = _unseen(made.infer)
    return made


def _packed(many: bool, outputs: tuple[Any, ...]) -> dict[str, Any]:
    """Outputs so that their structure tells whether they were a tuple."""
    return {"many" if many else "one": outputs}


def _declared(result: Any) -> Callable[..., Any]:
    leaves, structure = trees.flatten(result)
    specs = structure.unflatten(iter([ShapeDtype(np.shape(x), np.dtype(x.dtype)) for x in leaves]))
    packed = _packed(isinstance(specs, tuple), specs if isinstance(specs, tuple) else (specs,))
    return lambda *primals, **static: packed


def _unseen(infer: Callable[..., Any]) -> Callable[..., Any]:
    """What finds out the shapes of a result: what fn gives there belongs to numbers made up."""

    def quiet(*args: Any, **static: Any) -> Any:
        token = _seen.set(None)
        try:
            return infer(*args, **static)
        finally:
            _seen.reset(token)

    return quiet


def _is_traced(value: Any) -> bool:
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(value))


def _arrays(value: Any) -> Any:
    """An argument with arrays for its numbers."""
    return jax.tree_util.tree_map(lambda x: x if isinstance(x, jax.Array) else np.asarray(x), value)


def _unboxed(value: Any) -> Any:
    """A value without what autograd follows it by."""
    engine = load_engine("autograd")
    leaves, structure = trees.flatten(value)
    return structure.unflatten(iter([engine.stop_gradient(x) if kind_of(type(x)) == engine.name else x for x in leaves]))


def _as_arrays(value: Any) -> Any:
    """An output that is not differentiated as a result of the primitive; None where it is not made of numbers."""
    leaves, structure = trees.flatten(value)
    if any(kind_of(type(x)) == OPAQUE for x in leaves):
        return None
    return structure.unflatten(iter([np.asarray(x) for x in leaves]))


def _outputs(name: str, found: dict[str, Any], fixed: dict[int, Any], traced: bool) -> Any:
    """The result as fn has it; what is not differentiated comes as fn gave it, where this was its one run."""
    ((kind, outputs),) = found.items()
    every = []
    for i, y in enumerate(outputs):
        if i in fixed and (y is None or not traced):
            every.append(fixed[i])
        elif y is None:
            raise PositionError(
                f"{name}, output {i}, in a program that is traced.",
                "an output made of arrays and numbers",
                "one that is not",
                "call the function outside jit and vmap, or leave the output away",
            )
        else:
            every.append(jax.tree_util.tree_map(jnp.asarray, y))
    return tuple(every) if kind == "many" else every[0]

"""The bridge on documented JAX functions alone, for a release that lacks what `_jax.internals` names.

A function with a reverse rule becomes a `jax.custom_vjp`: forward mode through it raises JAX's own
TypeError.  One with a forward rule alone becomes a `jax.custom_jvp`, which JAX transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from rulebook.bridges._jax.calls import Out, primal_of, result
from rulebook.normal import NormalForm

__all__ = ["bind_public"]


def bind_public(form: NormalForm) -> Callable[..., Any]:
    """The primal as a function of leaves, with one of its rules."""
    primal = primal_of(form)
    flat = lambda *leaves: primal(*leaves)
    call = _with_forward(form, flat) if form.reverse is None else _with_reverse(form, flat)
    return lambda *leaves: result(call(*map(form.engine.asarray, leaves)))


def _with_forward(form: NormalForm, flat: Callable[..., Out]) -> Callable[..., Out]:
    call = jax.custom_jvp(flat)

    @call.defjvp
    def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Out, Out]:
        dots = [None if t.dtype == jax.dtypes.float0 else t for t in tangents]
        ys, y_dots, structure = form.joint([form.engine.asarray(x) for x in primals], dots)
        return Out(ys, structure), Out([_zero(y, form) if t is None else t for y, t in zip(ys, y_dots, strict=True)], structure)

    return call


def _with_reverse(form: NormalForm, flat: Callable[..., Out]) -> Callable[..., Out]:
    call = jax.custom_vjp(flat)

    def forward(*leaves: Any) -> tuple[Out, Any]:
        leaves = tuple(map(form.engine.asarray, leaves))  # JAX passes plain floats here
        ys, structure, pull = form.start(leaves)
        moving = [y for y in ys if form.engine.has_tangent(y)]
        closed = jax.make_jaxpr(lambda *bars: _pull(form, pull, leaves, ys, bars))(*moving)
        return Out(ys, structure), (jax.tree_util.Partial(partial(_run, closed.jaxpr), *closed.consts), leaves)

    def backward(residuals: Any, bar: Out) -> tuple[Any, ...]:
        pull, leaves = residuals
        found = iter(pull([b for b in bar.leaves if b.dtype != jax.dtypes.float0]))
        return tuple(next(found) if form.engine.has_tangent(x) else _zero(x, form) for x in leaves)

    call.defvjp(forward, backward)
    return call


def _run(jaxpr: Any, *operands: Any) -> list[Any]:
    *consts, bars = operands
    return jax.core.eval_jaxpr(jaxpr, consts, *bars)


def _pull(form: NormalForm, pull: Callable[..., list[Any]], leaves: Sequence[Any], ys: Sequence[Any], bars: Sequence[Any]) -> list[Any]:
    """The cotangents of the differentiable leaves, arrays all of them, conjugated as JAX pairs without."""
    rest = iter(bars)
    found = pull([jnp.conj(next(rest)) if form.engine.has_tangent(y) else None for y in ys])
    return [jnp.zeros_like(x) if c is None else jnp.conj(c) for x, c in zip(leaves, found, strict=True) if form.engine.has_tangent(x)]


def _zero(x: Any, form: NormalForm) -> Any:
    return jnp.zeros_like(x) if form.engine.has_tangent(x) else np.zeros(x.shape, jax.dtypes.float0)

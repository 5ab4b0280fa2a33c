"""A function with rules in JAX's form as one function of JAX values: forward mode runs the forward rule, reverse mode the reverse rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from rulebook.compat._jax.calls import Call, Result, Tree, split
from rulebook.engines import load_engine
from rulebook.primitive import Primitive
from rulebook.registration import frule, rrule

__all__ = ["linked"]


def linked(
    name: str,
    primal: Callable[..., Any],
    nondiff: Sequence[int],
    forward: Callable[..., Any] | None,
    reverse: Callable[..., Any],
    written: tuple[Any, ...] = (),
) -> Callable[..., Any]:
    """A function of JAX values with two rules; with the reverse rule alone, forward mode transposes it.

    Args:
        name: how messages call it.
        primal: the function itself.
        nondiff: the positions of the arguments that are not differentiated.
        forward: the function with JAX's machinery for the forward rule alone.
        reverse: that for the reverse rule alone.
        written: the author's rules, where forward and reverse do not show what they capture.
    """
    carrier = _carrier(name, primal, written)
    if forward is not None:
        frule(carrier, symbolic_zeros=True)(_frule(forward))
    rrule(carrier)(_rrule(reverse))
    engine = load_engine("jax")

    def call(*args: Any) -> Any:
        diff, static = split(args, nondiff)
        leaves, treedef = jax.tree_util.tree_flatten(tuple(diff))
        return carrier.call_in(engine, tuple(leaves), {"call": Call(Tree(treedef), static)}).value()

    return call


def _carrier(name: str, primal: Callable[..., Any], written: tuple[Any, ...]) -> Primitive:
    def evaluate(*leaves: Any, call: Call) -> Result:
        return Result.of(primal(*call.args(leaves)))

    evaluate.rules = written  # type: ignore[attr-defined]  # looked through for captured values
    # Not compiled outside jit, as JAX does not: rules that branch on values, print or count work as they do there.
    return Primitive(evaluate, name=name, jit=False, listed=False)


def _of_some(fn: Callable[..., Any], leaves: Sequence[Any], moving: Sequence[int], call: Call) -> Callable[..., Any]:
    """fn as a function of the leaves at `moving`, so that JAX knows the others to be constant."""

    def of(*moved: Any) -> Any:
        every = list(leaves)
        for i, x in zip(moving, moved, strict=True):
            every[i] = x
        return fn(*call.args(every))

    return of


def _frule(forward: Callable[..., Any]) -> Callable[..., Any]:
    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...], *, call: Call) -> tuple[Result, Result]:
        moving = [i for i, t in enumerate(tangents) if t is not None]
        of = _of_some(forward, primals, moving, call)
        y, y_dot = jax.jvp(of, tuple(primals[i] for i in moving), tuple(tangents[i] for i in moving))
        found, out = Result.of(y_dot), Result.of(y)
        # Outside jit JAX hands on the plain numbers that a rule gives.
        dots = [None if getattr(t, "dtype", None) == jax.dtypes.float0 else jnp.asarray(t) for t in found.leaves]
        return Result([jnp.asarray(leaf) for leaf in out.leaves], out.tree), Result(dots, found.tree)

    return rule


def _rrule(reverse: Callable[..., Any]) -> Callable[..., Any]:
    def rule(*primals: Any, call: Call) -> tuple[Result, Callable[[Result], tuple[Any, ...]]]:
        moving = [i for i, x in enumerate(primals) if jnp.issubdtype(x.dtype, jnp.inexact)]
        y, pull = jax.vjp(_of_some(reverse, primals, moving, call), *(primals[i] for i in moving))
        result = Result.of(y)

        def pullback(y_bar: Result) -> tuple[Any, ...]:
            bars = [_bar(y, b) for y, b in zip(result.leaves, y_bar.leaves, strict=True)]
            found: list[Any] = [None] * len(primals)
            for i, x_bar in zip(moving, pull(Result(bars, result.tree).value()), strict=True):
                found[i] = jnp.asarray(_conj(x_bar), primals[i].dtype)  # outside jit a rule may give a plain number
            return tuple(found)

        return result, pullback

    return rule


def _bar(y: Any, b: Any) -> Any:
    """A cotangent as JAX pairs it: without conjugation."""
    return np.zeros(np.shape(y), jax.dtypes.float0) if b is None else _conj(b)


def _conj(x: Any) -> Any:
    return jnp.conj(x) if jnp.iscomplexobj(x) else x

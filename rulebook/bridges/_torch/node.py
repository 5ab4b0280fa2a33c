"""One node of a graph of reverse mode, at one level: plain autograd, or one level of torch.func.grad."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.bridges._torch import private
from rulebook.bridges._torch.ops import Leaves, Op, Pull, refuse_captured
from rulebook.bridges._torch.values import has_tangent, tangent_of
from rulebook.trees import Structure

__all__ = ["Call", "Place", "apply_at", "attach", "autocast_state", "pull_node", "restored", "vjp_of"]


class Place:
    """A level of torch.func or, without an interpreter, plain autograd.

    Attributes:
        interpreter, level: of torch.func; None for plain autograd.
    """

    __slots__ = ("interpreter", "level")

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.level: int | None = None if interpreter is None else interpreter.level()

    def below(self) -> Any:
        """A context manager that steps below the level, with every mode as it is outside a Function."""
        stack = contextlib.ExitStack()
        stack.enter_context(private.set_forward_mode(True))
        if self.interpreter is not None:
            stack.enter_context(private.lower(self.interpreter))
        return stack

    def strip(self, x: Any) -> Any:
        """A value as it is below the level."""
        if self.level is not None:
            return private.unwrap_grad(x, self.level)
        return x.detach() if x.requires_grad else x  # a tangent batched by torch.autograd.functional cannot be detached

    def wrap(self, y: Tensor) -> Tensor:
        """A value from below as a fresh one at the level."""
        return y.detach() if self.level is None else private.wrap_grad(y, self.level)

    def is_present(self) -> bool:
        """Whether the level is the innermost one now."""
        top = private.peek()
        if self.level is None:
            return top is None
        return top is not None and top.key() == private.GRAD and top.level() == self.level


class Call(Place):
    """One call of an op on its way through a Function.

    Attributes:
        op: what is called.
        duals: xs with their tangents, where forward mode runs at the same level.
        structure: that of y, after the call.
    """

    __slots__ = ("autocast", "duals", "op", "pull", "structure", "versions", "ys")

    def __init__(self, op: Op, interpreter: Any, duals: Leaves | None) -> None:
        super().__init__(interpreter)
        self.op = op
        self.duals = duals
        self.structure: Structure | None = None
        self.pull: Pull | None = None
        self.autocast = autocast_state()
        self.ys: Leaves = ()
        self.versions: tuple[int, ...] = ()

    def inputs(self, xs: Leaves, late: bool) -> list[Any]:
        """What the rule is given: the values below, with the tangents of the same level unless it runs later."""
        if late or self.duals is None:
            return [self.strip(x) for x in xs]
        parts = [tangent_of(x) for x in self.duals]
        return [self.strip(p) if t is None else private.make_dual(self.strip(p), self.strip(t)) for p, t in parts]


def autocast_state() -> tuple[Any, ...] | None:
    """What autocast does now, for the backward pass; None where it is off."""
    if not private.any_autocast():
        return None
    kinds = [kind for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]
    return tuple((kind, torch.get_autocast_dtype(kind), torch.is_autocast_cache_enabled()) for kind in kinds)


def restored(state: tuple[Any, ...] | None) -> Any:
    """A context manager that brings back the autocast state of the forward pass."""
    stack = contextlib.ExitStack()
    for kind, dtype, cache in state or ():
        stack.enter_context(torch.autocast(kind, dtype=dtype, cache_enabled=cache))
    return stack


class _Node(Function):
    """y of an op, and its pullback in the backward pass."""

    @staticmethod
    def forward(ctx: Any, call: Call, *xs: Any) -> Any:
        ctx.call = call
        ctx.set_materialize_grads(False)
        private.set_grad_mode(True)  # a Function switches it off, and restores it; below the level it is on
        # Saved-tensor hooks manage memory: nothing is kept past them, and the rule runs in the backward pass.
        late = call.level is None and call.duals is None and private.saved_hooks() is not None
        # The pullback of a host rule has no derivative along the tangents, which is an error where it is used and not here.
        late = late or (call.duals is not None and call.op.pulls_on_host)
        with call.below():
            inputs = call.inputs(xs, late)
            if late:
                ys, call.structure = call.op.primal(inputs)
            else:
                ys, call.structure, call.pull = call.op.start(inputs)
            if call.duals is not None:
                ys = [tangent_of(y)[0] for y in ys]
            if call.level is None and any(y.requires_grad for y in ys):
                refuse_captured(call.op.form)
            call.ys, call.versions = ys, tuple(y._version for y in ys)
        out = [call.wrap(y) for y in ys]
        saved = xs if call.duals is not None or not call.op.given_output else (*xs, *out)
        ctx.save_for_backward(*saved)
        ctx.n = len(xs)
        fixed = [y for y in out if not has_tangent(y)]
        if fixed:
            ctx.mark_non_differentiable(*fixed)
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *bars: Any) -> Any:
        call: Call = ctx.call
        saved = [private.unwrap_dead(x) for x in ctx.saved_tensors]  # raises where an input was changed in place, or the graph was freed
        wanted = ctx.needs_input_grad[1:]
        with restored(call.autocast):
            found = pull_node(call, saved[: ctx.n], saved[ctx.n :], bars, wanted)
        if not private.keep_graph():
            call.pull = None
            call.ys = ()
        return (None, *found)


def pull_node(call: Call, xs: Leaves, ys: Leaves, bars: Leaves, wanted: Sequence[bool]) -> list[Any]:
    """The cotangents of xs: from the pullback of the forward pass, or linked to xs where they may be differentiated again."""
    if all(b is None for b in bars):
        return [None] * len(xs)
    op = call.op
    again = torch.is_grad_enabled() and (call.level is None or private.level_of_any(xs, call.level))
    pull = call.pull
    if pull is None or any(y._version != v for y, v in zip(call.ys, call.versions, strict=True)):
        pull = None  # freed, or a result that the pullback may hold was changed in place
    if not again and pull is not None:
        return pull(bars, wanted)
    if call.duals is not None:
        return op.start(call.duals)[2](bars, wanted)  # type: ignore[no-any-return]
    if op.given_output:
        return op.pull(ys, call.structure, xs, bars, wanted)  # type: ignore[no-any-return]
    if again and pull is not None and call.is_present() and not any(b is not None and _is_special(b) for b in bars):
        return _pull_later(call, xs, bars, wanted)
    return op.start(xs)[2](bars, wanted)  # type: ignore[no-any-return]


def _is_special(bar: Tensor) -> bool:
    """Whether a cotangent is batched by is_grads_batched, or has a tangent of its own level: a Function takes neither."""
    return private.is_legacy_batched(bar) or (private.forward_mode() and tangent_of(bar)[1] is not None)


class _Pull:
    """One call of a pullback whose own derivative, if it is asked for, runs the rule again."""

    __slots__ = ("call", "given", "made", "n", "pull", "wanted")

    def __init__(self, call: Call, n: int, bars: Leaves, wanted: Sequence[bool]) -> None:
        self.call = call
        self.pull = call.pull
        self.n = n
        self.given = [b is not None for b in bars]
        self.made: list[bool] = []
        self.wanted = wanted

    def bars(self, some: Leaves) -> list[Any]:
        rest = iter(some)
        return [next(rest) if g else None for g in self.given]

    def again(self, *values: Any) -> tuple[Any, ...]:
        """The same cotangents, by running the rule: what is differentiated."""
        found = self.call.op.start(values[: self.n])[2](self.bars(values[self.n :]), self.wanted)
        return tuple(c for c, made in zip(found, self.made, strict=True) if made and c is not None)


class _PullNode(Function):
    """The cotangents of xs, at the level of the node."""

    @staticmethod
    def forward(ctx: Any, later: _Pull, *values: Any) -> Any:
        ctx.later = later
        ctx.set_materialize_grads(False)
        call = later.call
        private.set_grad_mode(True)
        with call.below():
            found = later.pull(later.bars([call.strip(b) for b in values[later.n :]]), later.wanted)  # type: ignore[misc]
            later.made = [c is not None for c in found]
            made = [c for c in found if c is not None]
            if call.level is None and any(c.requires_grad for c in made):
                refuse_captured(call.op.form)
        ctx.save_for_backward(*values)
        return tuple(call.wrap(c) for c in made)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        values = [private.unwrap_dead(x) for x in ctx.saved_tensors]
        return (None, *vjp_of(ctx.later.again, values, cotangents, ctx.needs_input_grad[1:]))


def apply_at(function: type[Function], level: int | None, holder: Any, values: Leaves) -> tuple[Any, ...]:
    """Apply a Function at a level of torch.func, or for None in plain autograd."""
    if level is None:
        return private.raw_apply(function)(holder, *values)  # type: ignore[no-any-return]
    with private.single_level():
        at_level = [x if private.level_of(x) == level else private.wrap_grad(x, level) for x in values]
        return private.raw_apply(function)(holder, *at_level)  # type: ignore[no-any-return]


def _pull_later(call: Call, xs: Leaves, bars: Leaves, wanted: Sequence[bool]) -> list[Any]:
    later = _Pull(call, len(xs), bars, wanted)
    # A cotangent that is an input, or given twice, would be saved as an output of the node before it.
    made = iter(apply_at(_PullNode, call.level, later, [*xs, *[b.view_as(b) for b in bars if b is not None]]))
    return [next(made) if m else None for m in later.made]


def attach(op: Op, xs: Leaves, interpreter: Any, duals: Leaves | None = None) -> tuple[list[Any], Structure]:
    """y of an op as a node of the graph of the innermost level."""
    call = Call(op, interpreter, duals)
    ys = apply_at(_Node, call.level, call, xs)
    return list(ys), call.structure  # type: ignore[return-value]


def vjp_of(fn: Callable[..., tuple[Any, ...]], values: Leaves, cotangents: Leaves, wanted: Sequence[bool]) -> list[Any]:
    """The cotangents of values under a function of them, differentiable again where grad mode is on."""
    if private.peek() is not None:
        return _vjp_func(fn, values, cotangents, wanted)
    create = torch.is_grad_enabled()
    with torch.enable_grad():
        aliases = [x.view_as(x) for x in values]
        out = fn(*aliases)
    moving = [i for i, w in enumerate(wanted) if w and aliases[i].requires_grad]
    pairs = [(y, c) for y, c in zip(out, cotangents, strict=True) if c is not None and y.requires_grad]
    found: list[Any] = [None] * len(values)
    if not pairs or not moving:
        return found
    outs, bars = zip(*pairs, strict=True)
    grads = torch.autograd.grad(outs, [aliases[i] for i in moving], bars, create_graph=create, allow_unused=True)
    for i, g in zip(moving, grads, strict=True):
        found[i] = g
    return found


def _vjp_func(fn: Callable[..., tuple[Any, ...]], values: Leaves, cotangents: Leaves, wanted: Sequence[bool]) -> list[Any]:
    moving = [i for i, w in enumerate(wanted) if w and has_tangent(values[i])]
    given = [k for k, c in enumerate(cotangents) if c is not None]
    found: list[Any] = [None] * len(values)
    if not moving or not given:
        return found

    def some(*xs: Any) -> tuple[Any, ...]:
        every = list(values)
        for i, x in zip(moving, xs, strict=True):
            every[i] = x
        out = fn(*every)
        return tuple(out[k] for k in given)

    with private.without_hooks():
        pull = torch.func.vjp(some, *[values[i] for i in moving])[1]
    for i, g in zip(moving, pull(tuple(cotangents[k] for k in given)), strict=True):
        found[i] = g
    return found

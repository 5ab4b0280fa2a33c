"""Host code on torch values: at once where they are concrete, below every level, and as one operator of a traced program.

Results of a call that has no form with rules have no derivative: forward mode raises at once, reverse mode when the derivative is
asked for, as gradients of first order are right under torch.func and with create_graph=True too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.bridges._torch import private
from rulebook.bridges._torch.hostop import call_host, record
from rulebook.bridges._torch.node import Place, apply_at
from rulebook.bridges._torch.values import has_tangent, is_traced, tangent_of
from rulebook.host import HostCall

__all__ = ["host_call"]

Leaves = Sequence[Any]


def host_call(call: HostCall, operands: Leaves, like: Any) -> list[Any]:
    """The results of host code on torch values, on the device of `like`, by default that of the first operand."""
    where = operands[0] if like is None and operands else like
    return _call(call, operands, torch.device("cpu") if where is None else where.device)


def _call(call: HostCall, xs: Leaves, device: torch.device) -> list[Any]:
    top = private.peek()
    if top is not None:
        xs = [private.unwrap_dead(x) for x in xs]
        if top.key() == private.VMAP:
            return _mapped(call, xs, device, top)
    elif any(private.is_legacy_batched(x) for x in xs):
        return _mapped_by_engine(call, xs, device)
    if private.forward_mode() and any(tangent_of(x)[1] is not None for x in xs):
        return call.linked(xs)
    if top is None:
        return _recorded(call, xs, device, None) if _is_recorded(xs) else _outside(call, xs, device)
    if top.key() not in (private.GRAD, private.JVP):
        return record(call, xs, device)
    if _is_recorded([x for x in xs if private.level_of(x) == top.level()]):
        return _recorded(call, xs, device, top)
    place = Place(top)
    with private.lower(top):
        ys = _call(call, [place.strip(x) for x in xs], device)
    return [place.wrap(y) for y in ys]


def _is_recorded(xs: Leaves) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in xs)


def _outside(call: HostCall, xs: Leaves, device: torch.device) -> list[Any]:
    """Outside of torch.func, where nothing is recorded."""
    if private.is_tracing() or any(is_traced(x) for x in xs):
        return record(call, xs, device)
    return call_host(call, xs, device)


# -- batches ----------------------------------------------------------------------------------------


def _mapped(call: HostCall, xs: Leaves, device: torch.device, top: Any) -> list[Any]:
    """At a vmap level."""
    level = top.level()
    values, dims = private.split_batched(xs, level)
    with private.lower(top):
        return _batch(call, values, dims, private.batch_size(top), device, lambda y: private.add_batch_dim(y, 0, level))


def _mapped_by_engine(call: HostCall, xs: Leaves, device: torch.device) -> list[Any]:
    """On values that torch.autograd.grad(is_grads_batched=True) has batched."""
    with private.legacy_level() as level:
        flags = [private.is_legacy_batched(x) for x in xs]
        values = [private.remove_legacy_dim(x, level) if f else x for x, f in zip(xs, flags, strict=True)]
        size = next(v.shape[0] for v, f in zip(values, flags, strict=True) if f)
        dims = [0 if f else None for f in flags]
        return _batch(call, values, dims, size, device, lambda y: private.add_legacy_dim(y, level))


def _batch(call: HostCall, values: Leaves, dims: Sequence[int | None], size: int, device: torch.device, wrap: Any) -> list[Any]:
    if all(d is None for d in dims):
        return _call(call, values, device)
    batched = call.batched(dims, size)
    ys = _call(batched, values, device)
    return [wrap(y) if batched.maps(k) else y for k, y in enumerate(ys)]


# -- derivatives ------------------------------------------------------------------------------------


class _Todo:
    """A call on its way through a Function."""

    __slots__ = ("call", "device", "place")

    def __init__(self, call: HostCall, device: torch.device, place: Place) -> None:
        self.call = call
        self.device = device
        self.place = place


class _NoDerivative(Function):
    """Results of host code as a node that raises."""

    @staticmethod
    def forward(ctx: Any, todo: _Todo, *xs: Tensor) -> Any:
        ctx.call = todo.call
        ctx.set_materialize_grads(False)
        with todo.place.below(), torch.enable_grad():
            ys = _call(todo.call, [todo.place.strip(x) for x in xs], todo.device)
        out = [todo.place.wrap(y) for y in ys]
        ctx.mark_non_differentiable(*[y for y in out if not has_tangent(y)])
        return tuple(out)

    @staticmethod
    def backward(ctx: Any, *bars: Any) -> Any:
        if any(bar is not None for bar in bars):
            raise ctx.call.no_derivative()
        return (None,) * len(ctx.needs_input_grad)


def _recorded(call: HostCall, xs: Leaves, device: torch.device, top: Any) -> list[Any]:
    if call.is_linkable:
        return call.linked(xs)
    todo = _Todo(call, device, Place(top))
    return list(apply_at(_NoDerivative, todo.place.level, todo, xs))

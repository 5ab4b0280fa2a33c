"""Apply an op under any stack of torch.func levels, dual levels and plain autograd, one level at a time.

torch sends an autograd.Function through all levels by itself, and drops terms of nested forward
mode on the way (https://github.com/pytorch/pytorch/issues/197867).  Here the innermost level is
peeled: forward mode runs the joint rule on the values below, reverse mode adds one node whose
pullback lives below, vmap maps the rules.  What lies below is called in the same way again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import private
from rulebook.bridges._torch.node import attach
from rulebook.bridges._torch.ops import BatchedOp, Leaves, Op, refuse_captured
from rulebook.bridges._torch.values import tangent_of
from rulebook.trees import Structure

__all__ = ["call_op"]

Result = tuple[list[Any], Structure]


def call_op(op: Op, xs: Leaves) -> Result:
    """y of an op, differentiated by its rules at every level: its leaves and structure."""
    top = private.peek()
    if top is not None:
        xs = [private.unwrap_dead(x) for x in xs]
    if private.forward_mode() and (top is None or top.key() != private.VMAP):  # vmap would show the tangents of a level below
        pairs = [tangent_of(x) for x in xs]
        if any(t is not None for _, t in pairs):
            return _forward(op, xs, [p for p, _ in pairs], [t for _, t in pairs], top)
    if top is None:
        return attach(op, xs, None) if _recorded(xs) and not op.is_plain(0) else op.primal(xs)  # type: ignore[no-any-return]
    if top.key() == private.VMAP:
        return _map(op, xs, top)
    op.refuse_captured(top.level())
    if top.key() == private.GRAD and _recorded([x for x in xs if private.level_of(x) == top.level()]):
        return op.primal(xs) if op.is_plain(top.level()) else attach(op, xs, top)  # type: ignore[no-any-return]
    return _below(op, xs, top)


def _recorded(xs: Leaves) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in xs)


def _below(op: Op, xs: Leaves, top: Any) -> Result:
    """At a level that differentiates none of xs."""
    if top.key() not in (private.GRAD, private.JVP):
        return op.primal(xs)  # type: ignore[no-any-return]
    level = top.level()
    inner = [private.unwrap_grad(x, level) for x in xs]
    with private.lower(top):
        ys, structure = call_op(op, inner)
    return [private.wrap_grad(y, level) for y in ys], structure


def _forward(op: Op, xs: Leaves, primals: Leaves, dots: Leaves, top: Any) -> Result:
    if top is not None and top.key() == private.JVP:
        level = top.level()
        op.refuse_captured(level)
        strip = lambda x: None if x is None else private.unwrap_grad(x, level)
        with private.lower(top):
            ys, y_dots, structure = op.joint([strip(p) for p in primals], [strip(t) for t in dots])
        ys = [private.wrap_grad(y, level) for y in ys]
    elif _recorded(primals):  # both modes at one level: y as a node, its tangent as plain code
        ys, structure = attach(op, primals, top, duals=xs)
        y_dots = op.push(ys, structure, primals, dots)
    else:
        ys, y_dots, structure = op.joint(primals, dots)
    return [_dual(op, y, t) for y, t in zip(ys, y_dots, strict=True)], structure


def _dual(op: Op, y: Tensor, y_dot: Tensor | None) -> Tensor:
    if tangent_of(y)[1] is not None:
        refuse_captured(op.form)
    if y_dot is None:
        return y
    if y.numel() > 1 and 0 in y.stride():  # make_dual writes to memory laid out like y
        y = y.clone()
    return private.make_dual(y, y_dot)


def _is_active(xs: Leaves) -> bool:
    """Whether any level, from the innermost out, differentiates one of xs."""
    if torch.is_grad_enabled() and any(x.requires_grad for x in xs):
        return True
    if private.forward_mode() and any(tangent_of(x)[1] is not None for x in xs):
        return True
    top = private.peek()
    if top is None:
        return False
    level = top.level()
    inner = [private.unwrap(x) if private.level_of(x) == level else x for x in xs]
    with private.lower(top):
        return _is_active(inner)


def _map(op: Op, xs: Leaves, top: Any) -> Result:
    if not _is_active(xs):
        primitive = op.form.primitive
        by_rule = primitive.batch is not None and not primitive.host and not isinstance(op, BatchedOp)
        return _map_by_rule(op, xs, top) if by_rule else op.primal(xs)
    level = top.level()
    op.refuse_captured(level)
    values, dims = private.split_batched(xs, level)
    size, randomness = private.batch_size(top), private.randomness(top)
    batched = any(d is not None for d in dims)
    with private.lower(top):
        ys, structure = call_op(BatchedOp(op, dims, size, randomness) if batched else op, values)
    return [private.add_batch_dim(y, 0, level) for y in ys] if batched else ys, structure


def _map_by_rule(op: Op, xs: Leaves, top: Any) -> Result:
    """The batch rule of the primitive, on arrays with the batch axis first."""
    form, level = op.form, top.level()
    values, dims = private.split_batched(xs, level)
    if all(d is None for d in dims):
        return op.primal(xs)  # type: ignore[no-any-return]
    moved = [x if d is None else x.movedim(d, 0) for x, d in zip(values, dims, strict=True)]
    with private.lower(top):
        rule = form.primitive.batch
        in_batched = form.args([d is not None for d in dims])
        out = form.run(rule, lambda args: rule.fn(private.batch_size(top), in_batched, *args, **form.statics), form.args(moved))
        y, out_batched = form.pair(out, rule, "(y, out_batched)")
        ys, structure = form.flatten_result(y, rule.kind)
        flags = trees.flatten_like(structure, out_batched, lambda p, e, g: form.output_error(p, e, g, rule.kind), "out_batched")
    return [private.add_batch_dim(y, 0, level) if f else y for y, f in zip(ys, flags, strict=True)], structure

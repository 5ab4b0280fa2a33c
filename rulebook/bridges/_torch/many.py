"""Many tangents or cotangents at once, by torch.func.vmap, and work arrays that are written to meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import operators, private
from rulebook.bridges._torch.values import asarray, has_tangent
from rulebook.trees import Structure

__all__ = ["each", "jvp_many", "work_array"]


class _Leaves:
    """A function that gives the tensors of a tree, as vmap takes it."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self.out: Structure = trees.LEAF

    def __call__(self, *xs: Any) -> tuple[Any, ...]:
        ys, self.out = trees.flatten(self._fn(*xs))
        return tuple(ys)


def each(fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """fn of each example along the first axis, its results stacked."""
    if not xs[0].shape[0]:
        return _none(fn, xs)
    leaves = _Leaves(fn)
    ys = torch.func.vmap(leaves)(*xs)
    return leaves.out.unflatten(iter(ys))


def _none(fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """No example: an example of zeros tells the shapes, as vmap takes none."""
    ys, out = trees.flatten(fn(*[x.new_zeros(x.shape[1:]) for x in xs]))
    return out.unflatten(iter([y.new_zeros((0, *y.shape)) for y in ys]))


def jvp_many(fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivatives along stacked tangents; fn runs once."""
    ys, y_dots = each(lambda *dots: operators.jvp(fn, primals, dots), tangents) if tangents[0].shape[0] else _no_tangents(fn, primals)
    leaves, structure = trees.flatten(ys)
    return structure.unflatten(iter([y[0] for y in leaves])), y_dots


def _no_tangents(fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Any]:
    leaves, structure = trees.flatten(fn(*primals))
    ys = [asarray(y) for y in leaves]
    dots = [y.new_zeros((0, *y.shape)) if has_tangent(y) else None for y in ys]
    return structure.unflatten(iter([y[None] for y in ys])), structure.unflatten(iter(dots))


def work_array(like: Any, xs: tuple[Any, ...]) -> Tensor:
    """A tensor of the shape and dtype of `like`, NaN where floating, at every level of torch.func that xs are at.

    The sum with zero times an x puts it there: a tensor of a level outside cannot be written to with values of one inside.
    """
    like = asarray(like)
    if not has_tangent(like):
        return torch.full_like(like, False if like.dtype == torch.bool else torch.iinfo(like.dtype).min)
    made = torch.full_like(like, torch.nan)
    for x in xs:
        if private.is_wrapped(x):
            part = x.reshape(-1)[:1].sum() * 0
            made = made + (part if part.is_complex() <= made.is_complex() else part.real).to(made.dtype)
    return made

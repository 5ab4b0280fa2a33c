"""Derivatives of any function of torch values: what rules and the derivative operators call back into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import private
from rulebook.bridges._torch.values import asarray, has_tangent
from rulebook.errors import RulebookError
from rulebook.trees import Structure

__all__ = ["Flat", "jvp", "level_of_vjp", "pullback_of", "record", "transpose_of", "vjp"]


def _values(tree: Any) -> tuple[list[Any], Structure]:
    leaves, structure = trees.flatten(tree)
    return [x if isinstance(x, Tensor) else asarray(x) for x in leaves], structure


class Flat:
    """A function of trees as one of the tensors that can be perturbed, giving (those of y that can, the rest of y)."""

    def __init__(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> None:
        self.fn = fn
        self.leaves, self.structure = trees.flatten(primals)
        self.moving = [i for i, x in enumerate(self.leaves) if isinstance(x, Tensor) and has_tangent(x)]
        self.out: Structure = trees.LEAF
        self.kept: list[int] = []

    def values(self) -> tuple[Tensor, ...]:
        """The tensors that can be perturbed."""
        return tuple(self.leaves[i] for i in self.moving)

    def __call__(self, *xs: Any) -> tuple[tuple[Any, ...], list[Any]]:
        every = list(self.leaves)
        for i, x in zip(self.moving, xs, strict=True):
            every[i] = x
        ys, self.out = _values(self.fn(*self.structure.unflatten(iter(every))))
        self.kept = [k for k, y in enumerate(ys) if has_tangent(y)]
        return tuple(ys[k] for k in self.kept), [y for y in ys if not has_tangent(y)]

    def result(self, moving: tuple[Any, ...], fixed: list[Any]) -> Any:
        """y from its two parts."""
        first, second = iter(moving), iter(fixed)
        return self.out.unflatten(iter([next(first) if k in self.kept else next(second) for k in range(self.out.n_leaves)]))

    def tangent(self, moving: tuple[Any, ...]) -> Any:
        """The tangent of y, with None for what has none."""
        rest = iter(moving)
        return self.out.unflatten(iter([next(rest) if k in self.kept else None for k in range(self.out.n_leaves)]))


def jvp(fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along the tangents."""
    flat = Flat(fn, primals)
    dots = _leaves_like(trees.flatten(primals)[1], tangents)
    values = flat.values()
    directions = tuple(torch.zeros_like(x) if dots[i] is None else dots[i] for i, x in zip(flat.moving, values, strict=True))
    if not values:
        y = fn(*primals)
        ys, structure = _values(y)
        return y, structure.unflatten(iter([torch.zeros_like(v) if has_tangent(v) else None for v in ys]))
    with private.without_hooks():
        try:
            ys, y_dots, fixed = torch.func.jvp(flat, values, directions, has_aux=True)
        except RuntimeError as error:
            if "Nested forward mode AD" not in str(error):
                raise
            ys, y_dots, fixed = _jvp_by_reverse(flat, values, directions)
    return flat.result(ys, fixed), flat.tangent(y_dots)


def _jvp_by_reverse(flat: Flat, values: tuple[Tensor, ...], directions: tuple[Tensor, ...]) -> tuple[Any, Any, list[Any]]:
    """The same inside torch.autograd.forward_ad.dual_level, which torch cannot nest with torch.func.jvp: the transpose of a pullback."""
    ys, transpose, fixed = torch.func.vjp(flat, *values, has_aux=True)
    back = torch.func.vjp(transpose, tuple(torch.zeros_like(y) for y in ys))[1]
    return ys, back(directions)[0], fixed


def _leaves_like(structure: Structure, tree: Any) -> list[Any]:
    return trees.flatten_like(structure, tree, lambda path, expected, got: RulebookError(f"rb.jvp, {path}.", expected, got))  # type: ignore[arg-type, return-value]


def level_of_vjp() -> int:
    """The level at which `vjp` would record its function now; 0 for plain autograd."""
    top = private.peek()
    if top is None and not private.forward_mode() and not torch.is_grad_enabled():
        return 0
    return 1 if top is None else top.level() + 1  # type: ignore[no-any-return]


def vjp(fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and its pullback."""
    flat = Flat(fn, primals)
    values = flat.values()
    if not values:
        empty: list[Any] = [None] * flat.structure.n_leaves
        return fn(*primals), lambda y_bar: flat.structure.unflatten(iter(empty))
    if level_of_vjp() == 0:
        ys, fixed, transpose = _vjp_plain(flat, values)
    else:
        with private.without_hooks():
            ys, transpose, fixed = torch.func.vjp(flat, *values, has_aux=True)
    return flat.result(ys, fixed), pullback_of(flat, ys, transpose)


def pullback_of(
    flat: Flat, ys: tuple[Any, ...], transpose: Callable[[tuple[Any, ...]], tuple[Any, ...]]
) -> Callable[[Any], tuple[Any, ...]]:
    def pullback(y_bar: Any) -> tuple[Any, ...]:
        bars = _leaves_like(flat.out, y_bar)
        found = transpose(tuple(torch.zeros_like(y) if bars[k] is None else bars[k] for k, y in zip(flat.kept, ys, strict=True)))
        every: list[Any] = [None] * flat.structure.n_leaves
        for i, x_bar in zip(flat.moving, found, strict=True):
            every[i] = x_bar
        return flat.structure.unflatten(iter(every))  # type: ignore[no-any-return]

    return pullback


def _vjp_plain(
    flat: Flat, values: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], list[Any], Callable[[tuple[Any, ...]], tuple[Any, ...]]]:
    """Where nothing is recorded outside, a graph of plain autograd does: a third of the time of torch.func.vjp, and DTensor works."""
    aliases, ys, fixed = record(flat, values)
    return tuple(y.detach() for y in ys), fixed, transpose_of(ys, aliases)


def record(flat: Flat, values: tuple[Tensor, ...]) -> tuple[list[Tensor], tuple[Tensor, ...], list[Any]]:
    """Leaves of a graph of plain autograd, what flat computes from them, and the rest of y."""
    with torch.enable_grad():
        aliases = [x.detach().requires_grad_() for x in values]
        ys, fixed = flat(*aliases)
    return aliases, ys, fixed


def transpose_of(ys: tuple[Tensor, ...], aliases: list[Tensor]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """The pullback of a graph, which it keeps."""
    moving = [k for k, y in enumerate(ys) if y.requires_grad]

    def transpose(bars: tuple[Any, ...]) -> tuple[Any, ...]:
        if not moving:
            return tuple(torch.zeros_like(x) for x in aliases)
        given = [bars[k].to(ys[k].device) for k in moving]
        found = torch.autograd.grad([ys[k] for k in moving], aliases, given, retain_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(x) if g is None else g for x, g in zip(aliases, found, strict=True))

    return transpose

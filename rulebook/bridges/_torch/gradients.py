"""Gradients and products with the Hessian by a graph of plain autograd, where torch can: a third of the time of torch.func.

Something outside may record what is computed here: plain autograd, for a value that fn captures or an argument that requires
grad.  Then the backward pass is recorded too, so that the results can be differentiated, as those of torch.func can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rulebook.bridges._torch import private

__all__ = ["hvp", "is_plain", "value_and_grad"]

Fn = Callable[..., Tensor]
Tensors = tuple[Tensor, ...]


def is_plain() -> bool:
    """Whether no transformation of torch.func, forward mode or torch.compile is at work, which plain autograd cannot be nested in."""
    return private.peek() is None and not private.forward_mode() and not torch.compiler.is_dynamo_compiling()


def _aliases(xs: Tensors) -> tuple[list[Tensor], bool]:
    """Tensors to differentiate by, and whether the results are recorded outside."""
    if torch.is_grad_enabled() and any([x.requires_grad for x in xs]):
        return [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in xs], True
    return [x.detach().requires_grad_() for x in xs], False


def _reaches_further(y: Tensor, aliases: Sequence[Tensor]) -> bool:
    """Whether y depends on a tensor that requires grad and is none of these."""
    own = set(map(id, aliases))
    seen: set[Any] = set()
    stack: list[Any] = [y.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", y)) not in own and hasattr(node, "variable"):
            return True
        stack += [before for before, _ in node.next_functions]
    return False


def value_and_grad(fn: Fn, xs: Tensors) -> tuple[Tensor, Tensors]:
    """`fn(*xs)`, a real number, and its gradient."""
    aliases, recorded = _aliases(xs)
    with torch.enable_grad():
        y = fn(*aliases)
    if not y.requires_grad:
        return y, tuple([torch.zeros_like(x) for x in xs])
    recorded = recorded or (torch.is_grad_enabled() and _reaches_further(y, aliases))
    found = torch.autograd.grad(y, aliases, create_graph=recorded, allow_unused=True)
    return y if recorded else y.detach(), _filled(found, xs)


def hvp(fn: Fn, xs: Tensors, tangents: Tensors, each: Callable[..., Any] | None) -> Tensors:
    """The derivative of the gradient along tangents, by reverse mode twice; each maps over stacked ones."""
    aliases, recorded = _aliases(xs)
    with torch.enable_grad():
        y = fn(*aliases)
        if not y.requires_grad:
            return tuple([torch.zeros_like(t) for t in tangents])
        first = torch.autograd.grad(y, aliases, create_graph=True, allow_unused=True)
    recorded = recorded or (torch.is_grad_enabled() and _reaches_further(y, aliases))
    moving = [k for k, g in enumerate(first) if g is not None and g.requires_grad]
    if not moving:
        return tuple([torch.zeros_like(t) for t in tangents])

    def product(*bars: Tensor) -> Tensors:
        along = [bars[k] for k in moving]
        found = torch.autograd.grad([first[k] for k in moving], aliases, along, create_graph=recorded, retain_graph=True, allow_unused=True)
        return _filled(found, xs)

    return product(*tangents) if each is None else each(product, tangents)


def _filled(found: Sequence[Tensor | None], xs: Tensors) -> Tensors:
    return tuple([torch.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)])

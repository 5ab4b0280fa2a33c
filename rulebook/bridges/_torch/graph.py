"""Graphs that plain autograd has recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from rulebook.bridges._torch import private

__all__ = ["reaches_beyond"]


def reaches_beyond(ys: Iterable[Tensor], own: Iterable[Tensor]) -> bool:
    """Whether one of ys depends on a tensor that requires grad and is none of these."""
    known = set(map(id, own))
    return any(leaf not in known for leaf in _leaves(ys))


def _leaves(ys: Iterable[Tensor]) -> Iterator[int]:
    """The ids of the tensors that require grad and that these depend on."""
    stack = []
    for y in ys:
        if y.grad_fn is not None:
            stack.append(y.grad_fn)
        elif y.requires_grad:
            yield id(y)
    seen = set(stack)
    while stack:
        node = stack.pop()
        if type(node) is private.LEAF:
            yield id(node.variable)
            continue
        for before, _ in node.next_functions:
            if before is not None and before not in seen:
                seen.add(before)
                stack.append(before)

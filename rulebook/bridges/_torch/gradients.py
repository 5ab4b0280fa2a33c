"""Gradients and products with the Hessian by a graph of plain autograd, where torch can: a third of the time of torch.func.

Something outside may record what is computed here: plain autograd, for a value that fn captures or an argument that requires
grad.  Then the backward pass is recorded too, so that the results can be differentiated, as those of torch.func can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import operators, private
from rulebook.bridges._torch.graph import reaches_beyond
from rulebook.bridges._torch.operators import Flat, pullback_of
from rulebook.bridges._torch.values import asarray, has_tangent, is_linked
from rulebook.errors import RuleSignatureError

__all__ = ["compiled", "hvp", "is_plain", "jvp", "value_and_grad", "vjp"]

Fn = Callable[..., Tensor]
Tensors = tuple[Tensor, ...]


def is_plain() -> bool:
    """Whether no transformation of torch.func, forward mode or torch.compile is at work, which plain autograd cannot be nested in."""
    return private.peek() is None and not private.forward_mode() and not torch.compiler.is_dynamo_compiling()


def _aliases(xs: Tensors) -> tuple[Tensors, bool]:
    """Tensors to differentiate by, and whether the results are recorded outside."""
    if torch.is_grad_enabled() and any([x.requires_grad for x in xs]):
        return tuple([x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in xs]), True
    return tuple([x.detach().requires_grad_() for x in xs]), False


def _recorded(fn: Fn, xs: Tensors) -> tuple[Tensor, Tensors, bool]:
    """fn of aliases of xs as a graph, the aliases, and whether what is computed from them is recorded outside too."""
    aliases, recorded = _aliases(xs)
    if torch.is_grad_enabled():
        y = fn(*aliases)
        return y, aliases, recorded or reaches_beyond((y,), aliases)
    with torch.enable_grad():
        return fn(*aliases), aliases, False


def value_and_grad(fn: Fn, xs: Tensors) -> tuple[Tensor, Tensors]:
    """`fn(*xs)`, a real number, and its gradient."""
    y, aliases, recorded = _recorded(fn, xs)
    if not y.requires_grad:
        return y, tuple([torch.zeros_like(x) for x in xs])
    found = private.backward((y,), (torch.ones_like(y),), aliases, recorded, recorded)
    return y if recorded else y.detach(), _filled(found, xs)


def hvp(fn: Fn, xs: Tensors, tangents: Tensors, each: Callable[..., Any] | None) -> Tensors:
    """The derivative of the gradient along tangents, by reverse mode twice; `each` maps over stacked ones."""
    y, aliases, recorded = _recorded(fn, xs)
    with torch.enable_grad():
        first = private.backward((y,), (torch.ones_like(y),), aliases, True, True) if y.requires_grad else ()
    moving = [k for k, g in enumerate(first) if g is not None and g.requires_grad]
    if not moving:
        return tuple([torch.zeros_like(t) for t in tangents])
    ends = tuple([first[k] for k in moving])

    def product(*bars: Tensor) -> Tensors:
        along = tuple([bars[k] for k in moving])
        return _filled(private.backward(ends, along, aliases, True, recorded or any([is_linked(b) for b in along])), xs)

    return product(*tangents) if each is None else each(product, tangents)


def vjp(fn: Callable[..., Any], xs: Tensors) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*xs)` and its pullback."""
    flat = Flat(fn, xs)
    ys, fixed, transpose = _transposed(flat, xs)
    return flat.result(ys, fixed), pullback_of(flat, ys, transpose)


def _transposed(flat: Flat, xs: Tensors) -> tuple[Tensors, list[Tensor], Callable[[Tensors], Tensors]]:
    aliases, recorded = _aliases(xs)
    with torch.enable_grad():
        ys, fixed = flat(*aliases)
    recorded = recorded or (torch.is_grad_enabled() and reaches_beyond(ys, aliases))
    moving = [k for k, y in enumerate(ys) if y.requires_grad]
    ends = tuple([ys[k] for k in moving])

    def pull(bars: Tensors) -> Tensors:
        if not ends:
            return tuple([torch.zeros_like(x) for x in xs])
        along = tuple([bars[k] for k in moving])
        return _filled(private.backward(ends, along, aliases, True, recorded or any([is_linked(b) for b in along])), xs)

    return ys if recorded else tuple([y.detach() for y in ys]), fixed, pull


class _Tensors:
    """A function that gives tensors, of one that gives a tree; what has no derivative is left aside."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn = fn
        self._rest: list[Tensor] | None = None

    def __call__(self, *xs: Any) -> Any:
        y = self._fn(*xs)
        if type(y) is Tensor and has_tangent(y):
            return y
        leaves, self._structure = trees.flatten(y)
        made = [asarray(v) for v in leaves]
        self._moves = [has_tangent(v) for v in made]
        self._rest = [v for v in made if not has_tangent(v)]
        return tuple([v for v in made if has_tangent(v)])

    def results(self, ys: Any, y_dots: Any) -> tuple[Any, Any]:
        """y and y_dot of what torch makes of the tensors."""
        if self._rest is None:
            return ys, y_dots
        first, rest, dots = iter(ys), iter(map(private.unwrap_dead, self._rest)), iter(y_dots)
        made = [next(first if moves else rest) for moves in self._moves]
        return self._structure.unflatten(iter(made)), self._structure.unflatten(iter([next(dots) if m else None for m in self._moves]))


def jvp(fn: Callable[..., Any], xs: Tensors, tangents: Tensors) -> tuple[Any, Any]:
    """`fn(*xs)` and its derivative along the tangents."""
    if private.forward_mode() or private.saved_hooks() is not None:
        return operators.jvp(fn, xs, tangents)
    of_tensors = _Tensors(fn)
    return of_tensors.results(*torch.func.jvp(of_tensors, xs, tangents))


def compiled(fn: Callable[..., Any], how: Any, where: str) -> Callable[..., Any]:
    """torch.compile of a function that is differentiated once.

    Raises:
        RuleSignatureError: it is differentiated twice.
    """
    if where in ("rb.hessian", "rb.hvp", "rb.second_derivative"):
        raise RuleSignatureError(
            f"{where} (engine torch), compile.",
            "an operator of first order",
            "one of second order",
            "leave compile= out: torch.compile has no second derivative",
        )
    return torch.compile(fn, **(how if isinstance(how, dict) else {}))  # type: ignore[no-any-return]


def _filled(found: Sequence[Tensor | None], xs: Tensors) -> Tensors:
    return tuple([torch.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)])

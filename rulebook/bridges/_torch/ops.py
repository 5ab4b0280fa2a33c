"""What the bridge applies: a primitive's rules, or the same mapped over a batch axis.

An op is a function of tensors `xs` with a primal, a joint forward rule and a reverse rule.  Its
methods are plain code at the level where they are called; the levels are the business of
`_torch.levels`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from torch import Tensor

from rulebook import trees
from rulebook.bridges._torch import private
from rulebook.bridges._torch.operators import level_of_vjp
from rulebook.bridges._torch.watch import may_capture
from rulebook.captures import find_captured
from rulebook.engines import OPAQUE, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.normal import NormalForm
from rulebook.trees import Structure

__all__ = ["BatchedOp", "Leaves", "Pull", "RuleOp", "refuse_captured"]

Leaves = Sequence[Any]
Pull = Callable[..., list[Any]]  # (cotangents of y, wanted) -> cotangents of xs, None where zero or not wanted


def refuse_captured(form: NormalForm, path: str = "") -> NoReturn:
    """A value that is being differentiated reached the primal or a rule past its arguments."""
    raise RuleSignatureError(
        f"{form.name} (engine torch), its primal or a rule.",
        "values that come in as arguments",
        f"a captured tensor that is being differentiated{f', {path}' if path else ''}; its derivative would be lost",
        "pass it as an argument",
    )


class _Deriving(threading.local):
    """The level at which the forward rule of a primitive is being transposed."""

    def __init__(self) -> None:
        self.levels: dict[Any, int | None] = {}


_deriving = _Deriving()


class RuleOp:
    """A primitive with its rules.

    Args:
        form: the primitive.
        call: evaluates it with its rules at the present level, `leaves -> (leaves of y, structure)`: how a
            rule that is given y gets it, so that y stays linked to its arguments at higher orders.
    """

    def __init__(self, form: NormalForm, call: Callable[[RuleOp, Leaves], tuple[list[Any], Structure]]) -> None:
        self.form = form
        self._call = call
        rule = form.reverse
        self.given_output = rule is not None and rule.given_output
        self.pulls_on_host: bool = getattr(rule or form.forward, "host", False)
        functions = [form.primitive.fn, *(r.fn for r in (form.forward, form.reverse) if r is not None)]
        self._watched = [fn for fn in functions if may_capture(fn)]

    def primal(self, xs: Leaves) -> tuple[list[Any], Structure]:
        """The function itself."""
        return self.form.primal(xs)

    def linked(self, xs: Leaves) -> tuple[list[Any], Structure]:
        """The function with its rules, at the present level."""
        return self._call(self, xs)

    def joint(self, xs: Leaves, dots: Leaves) -> tuple[list[Any], list[Any], Structure]:
        """y and its tangent."""
        return self.form.joint(xs, dots, self._linked)

    def push(self, ys: Leaves, structure: Structure, xs: Leaves, dots: Leaves) -> list[Any]:
        """The tangent of a y that is known."""
        return self.form.push(ys, structure, xs, dots, self._linked)

    def start(self, xs: Leaves) -> tuple[list[Any], Structure, Pull]:
        """y and its pullback."""
        if self.form.reverse is not None:
            return self.form.start(xs, self._linked)
        primitive, levels = self.form.primitive, _deriving.levels
        outer = levels.get(primitive)
        levels[primitive] = level_of_vjp()
        try:
            return self.form.start(xs, self._linked)
        finally:
            levels[primitive] = outer

    def refuse_captured(self, level: int) -> None:
        """Refuse a call that is about to step below a level of which it captures values: their derivative would be lost."""
        for fn in self._watched:
            path = find_captured(fn, lambda v: isinstance(v, Tensor) and private.level_of(v) == level)
            if path is not None:
                refuse_captured(self.form, path)

    def is_plain(self, level: int) -> bool:
        """Whether a call at a level is plain code: a forward rule that calls its own function on tangents is being transposed there."""
        return _deriving.levels.get(self.form.primitive) == level

    def pull(self, ys: Leaves, structure: Structure, xs: Leaves, bars: Leaves, wanted: Sequence[bool] | None) -> list[Any]:
        """The pullback at a y that is known."""
        return self.form.pull(ys, structure, xs, bars, wanted)

    def _linked(self, args: tuple[Any, ...]) -> Any:
        leaves = list(args) if self.form.flat else [x for x in trees.flatten(args)[0] if kind_of(type(x)) != OPAQUE]
        ys, structure = self._call(self, leaves)
        return structure.unflatten(iter(ys))


Op = Any  # RuleOp | BatchedOp, which nest


class BatchedOp:
    """An op mapped over a batch axis: the rules themselves are batched, so that lower levels still see rules.

    Args:
        op: what is mapped.
        dims: the batch axis of each of xs, None where it has none.
        size: the length of the axis.
        randomness: the option of the vmap level.
    """

    def __init__(self, op: Op, dims: Sequence[int | None], size: int, randomness: str) -> None:
        self.op = op
        self.form: NormalForm = op.form
        self.dims = tuple(dims)
        self.size = size
        self.randomness = randomness
        self.given_output: bool = op.given_output
        self.pulls_on_host: bool = op.pulls_on_host

    def _map(self, fn: Callable[..., tuple[Any, ...]], *groups: tuple[Leaves, Sequence[int | None]]) -> tuple[Any, ...]:
        """fn of groups of tensors, under a new vmap level; it returns lists of tensors, which come back batch axis first."""
        with private.vmap_level(self.size, self.randomness) as level:
            out = fn(level, *[[self._in(x, d, level) for x, d in zip(xs, dims, strict=True)] for xs, dims in groups])
            return tuple([self._out(y, level) for y in part] if isinstance(part, list) else part for part in out)

    @staticmethod
    def _in(x: Any, dim: int | None, level: int) -> Any:
        return x if x is None or dim is None else private.add_batch_dim(x, dim, level)

    def _out(self, y: Any, level: int) -> Any:
        return y if y is None else private.remove_batch_dim(y, level, self.size, 0)

    def primal(self, xs: Leaves) -> tuple[list[Any], Structure]:
        """y, batch axis first."""
        ys, structure = self._map(lambda _, xs: self.op.linked(xs), (xs, self.dims))
        return ys, structure

    linked = primal

    def refuse_captured(self, level: int) -> None:
        """Refuse a call that captures values of a level."""
        self.op.refuse_captured(level)

    def is_plain(self, level: int) -> bool:
        """Whether a call at a level is plain code."""
        return self.op.is_plain(level)  # type: ignore[no-any-return]

    def joint(self, xs: Leaves, dots: Leaves) -> tuple[list[Any], list[Any], Structure]:
        """y and its tangent."""
        ys, y_dots, structure = self._map(lambda _, xs, dots: self.op.joint(xs, dots), (xs, self.dims), (dots, self.dims))
        return ys, y_dots, structure

    def push(self, ys: Leaves, structure: Structure, xs: Leaves, dots: Leaves) -> list[Any]:
        """The tangent of a y that is known."""
        one = lambda _, ys, xs, dots: (self.op.push(ys, structure, xs, dots),)
        (y_dots,) = self._map(one, (ys, (0,) * len(ys)), (xs, self.dims), (dots, self.dims))
        return y_dots  # type: ignore[no-any-return]

    def start(self, xs: Leaves) -> tuple[list[Any], Structure, Pull]:
        """y and its pullback; the pullback of the unbatched rule is used again where it can be."""
        ys, structure, pull, at = self._map(lambda level, xs: (*self.op.start(xs), level), (xs, self.dims))

        def pull_batch(bars: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
            # What the pullback holds is batched at the level of the forward pass, and is valid at that level only.
            one = lambda level, xs, bars: ((pull if level == at else self.op.start(xs)[2])(bars, wanted),)
            return self._gather(xs, self._map(one, (xs, self.dims), (bars, (0,) * len(bars)))[0])

        return ys, structure, pull_batch

    def pull(self, ys: Leaves, structure: Structure, xs: Leaves, bars: Leaves, wanted: Sequence[bool] | None) -> list[Any]:
        """The pullback at a y that is known."""
        one = lambda _, ys, xs, bars: (self.op.pull(ys, structure, xs, bars, wanted),)
        zero = (0,) * len(ys)
        return self._gather(xs, self._map(one, (ys, zero), (xs, self.dims), (bars, zero))[0])

    def _gather(self, xs: Leaves, x_bars: list[Any]) -> list[Any]:
        """Cotangents with the batch axis where x has it; summed where x has none."""
        return [self._place(c, dim) for c, dim in zip(x_bars, self.dims, strict=True)]

    @staticmethod
    def _place(x_bar: Tensor | None, dim: int | None) -> Tensor | None:
        if x_bar is None:
            return None
        return x_bar.sum(0) if dim is None else x_bar.movedim(0, dim)

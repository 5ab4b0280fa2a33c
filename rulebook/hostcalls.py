"""The parts of a primitive as host calls: its primal, its rules in the forms that engines ask for, its pullbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rulebook.engine import is_floating
from rulebook.host import Arrays, Axes, BatchedCall, HostCall, Specs, Vectorized, WideCall
from rulebook.memory import note_change, read_only
from rulebook.residuals import NOBODY, RESIDUALS
from rulebook.tangents import ShapeDtype
from rulebook.trees import LEAF, Structure, leaves_of

if TYPE_CHECKING:
    from rulebook.hosted import Hosted

__all__ = ["Closure", "Flags", "Joint", "Primal", "Pull", "PullGiven", "Push", "Start", "TokenPull", "Twins"]

Leaves = Sequence[Any]
Flags = tuple[bool, ...]
Pull = Callable[..., list[Any]]

TOKEN = ShapeDtype((), np.int32)
_GONE = -1  # a token that is never given out: who asks for it starts the rule again


class Twins(Protocol):
    """The linear maps that the host rules of a primitive compute, as primitives of their own, which have rules."""

    @property
    def jvp(self) -> Callable[..., Any]:
        """`(primals, tangents, **static) -> (y, y_dot)`, where a tangent is None if it is zero."""

    @property
    def vjp(self) -> Callable[..., Any]:
        """`(primals, y_bar, **static) -> cotangents`, None for primals that have none; y_bar has None for zeros."""


class _Call(HostCall):
    """A part of a primitive."""

    def __init__(self, host: Hosted, what: str) -> None:
        super().__init__(what, host.form.name, host.form.engine.name)
        self.host = host
        self.form = host.numpy
        self.n = host.form.n
        if host.form.primitive.twins is not None:
            self.outer = host.form.engine

    def run(self, arrays: Arrays) -> list[Any]:
        """The results of read-only arrays."""
        try:
            return self.evaluate([read_only(a) for a in arrays])
        except Exception as error:
            note_change(error, self.what, self.name)
            raise

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """The results of arrays."""
        raise NotImplementedError

    def linked(self, operands: Leaves) -> list[Any]:
        """By the maps of the primitive as primitives of their own.

        Raises:
            HigherOrderError: it has none.
        """
        twins = self.host.form.primitive.twins
        if twins is None:
            raise self.no_derivative()
        return self.by_twins(twins, operands)

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The results by these primitives."""
        raise NotImplementedError

    def _spread(self, values: Leaves, given: Flags) -> list[Any]:
        rest = iter(values)
        return [next(rest) if g else None for g in given]

    def _primal_by_rules(self, leaves: Leaves) -> list[Any]:
        form = self.host.form
        return leaves_of(form.primitive(*form.args(leaves), **form.statics))

    def _push_by_rules(self, twins: Twins, leaves: Leaves, dots: Leaves) -> tuple[list[Any], list[Any]]:
        """The leaves of y, and of the tangents of those that have one."""
        form = self.host.form
        y, y_dot = twins.jvp(form.args(leaves), form.tangent_args(leaves, dots, symbolic_zeros=True), **form.statics)
        return leaves_of(y), leaves_of(y_dot)


class Primal(_Call, Vectorized):
    """The function: leaves -> leaves of y."""

    def __init__(self, host: Hosted) -> None:
        super().__init__(host, "primal")
        self._structure: Structure = LEAF  # of the last result

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """The leaves of y."""
        ys, structure = self.form.primal(arrays)
        return self.host.results.check(arrays, ys, structure, self)

    def direct(self, values: Leaves) -> list[Any] | None:
        """The leaves of y, of an engine whose values the function takes as they are."""
        form = self.host.direct(values)
        if form is None:
            return None
        ys, structure = form.primal(values)
        self.host.learn(values, ys, structure)
        return ys

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The primitive."""
        return self._primal_by_rules(operands)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves of y."""
        return self.host.results.find(operands)[0]

    def batched(self, axes: Axes, size: int) -> BatchedCall:
        """By the batch rule, in one call if the function is vectorized, or one by one."""
        if self.form.primitive.batch is not None:
            return _ByBatchRule(self, axes, size)
        return WideCall(self, axes, size) if self.form.primitive.vectorized else super().batched(axes, size)

    def wide(self, arrays: Arrays, leads: int) -> list[Any]:
        """The function on extra leading axes."""
        ys, self._structure = self.form.primal([read_only(a) for a in arrays])
        return [np.asarray(y) for y in ys]

    def learn(self, operands: Specs, ys: Specs) -> None:
        """Remember what a result looks like."""
        self.host.results.learn(operands, ys, self._structure)


class _ByBatchRule(BatchedCall):
    """The author's batch rule."""

    inner: Primal

    def run(self, arrays: Arrays) -> list[Any]:
        """All examples at once."""
        flags = [d is not None for d in self.axes]
        ys, mapped, structure = self.inner.form.batched(self.size, flags, [read_only(a) for a in self._front(arrays)])
        made = [np.asarray(y) for y in ys]
        wide = [y if m else np.broadcast_to(y, (self.size, *y.shape)) for y, m in zip(made, mapped, strict=True)]
        inside = self.inside([ShapeDtype(a.shape, a.dtype) for a in arrays])
        self.inner.host.results.learn(inside, [ShapeDtype(y.shape[1:], y.dtype) for y in wide], structure)
        return wide


class Joint(_Call):
    """The forward rule: leaves and the given tangents -> leaves of y and the tangents of those that have one."""

    def __init__(self, host: Hosted, given: Flags) -> None:
        super().__init__(host, (host.form.forward or host.form.reverse).kind)  # type: ignore[union-attr]
        self._given = given

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y and y_dot."""
        leaves = arrays[: self.n]
        found, dots, structure = self.form.joint(leaves, self._spread(arrays[self.n :], self._given))
        ys = self.host.results.check(leaves, found, structure, self)
        return [*ys, *_made(ys, dots)]

    def direct(self, values: Leaves) -> list[Any] | None:
        """y and y_dot, of an engine whose values the rule takes as they are."""
        form = self.host.direct(values)
        if form is None:
            return None
        leaves = values[: self.n]
        ys, dots, structure = form.joint(leaves, self._spread(values[self.n :], self._given))
        self.host.learn(leaves, ys, structure)
        moving = [(y, t) for y, t in zip(ys, dots, strict=True) if form.engine.has_tangent(y)]
        return [*ys, *[form.engine.zeros_like(y) if t is None else t for y, t in moving]]

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The pushforward, which gives both."""
        ys, dots = self._push_by_rules(twins, operands[: self.n], self._spread(operands[self.n :], self._given))
        return [*ys, *dots]

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """The primal where no tangent is used."""
        return self.host.primal_for(n, self.n)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y, then of its tangents."""
        ys = self.host.results.find(operands[: self.n])[0]
        return [*ys, *[y for y in ys if is_floating(y.dtype)]]

    def reads(self, k: int) -> int | None:
        """y depends on the arguments alone."""
        structure = self.host.results.one
        return self.n if structure is not None and k < structure.n_leaves else None


def _made(ys: Arrays, dots: Leaves) -> list[Any]:
    """Tangents as arrays, for those of ys that have one."""
    return [np.zeros(y.shape, y.dtype) if t is None else np.asarray(t) for y, t in zip(ys, dots, strict=True) if is_floating(y.dtype)]


class Push(_Call):
    """The pushforward: leaves of y, leaves, the given tangents -> tangents."""

    def __init__(self, host: Hosted, structure: Structure, given: Flags, moving: Flags) -> None:
        super().__init__(host, (host.form.forward or host.form.reverse).kind)  # type: ignore[union-attr]
        self._structure, self._given, self._moving = structure, given, moving

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y_dot."""
        n_y = self._structure.n_leaves
        ys, leaves = arrays[:n_y], arrays[n_y : n_y + self.n]
        return _made(ys, self.form.push(ys, self._structure, leaves, self._spread(arrays[n_y + self.n :], self._given)))

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The pushforward, which finds y again."""
        rest = operands[self._structure.n_leaves :]
        return self._push_by_rules(twins, rest[: self.n], self._spread(rest[self.n :], self._given))[1]

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y."""
        return [y for y, m in zip(operands[: self._structure.n_leaves], self._moving, strict=True) if m]


class Start(_Call):
    """The reverse rule: leaves -> leaves of y and the token of the pullback."""

    keeps = True

    def __init__(self, host: Hosted) -> None:
        super().__init__(host, (host.form.reverse or host.form.forward).kind)  # type: ignore[union-attr]

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y and a token."""
        ys, _, pull = self.host.begin(arrays)
        return [*ys, np.asarray(self.host.keep(arrays, pull), TOKEN.dtype)]

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The primitive; its pullback is a primitive as well, and needs no token."""
        return [*self._primal_by_rules(operands), self.host.form.engine.asarray(np.asarray(_GONE, TOKEN.dtype))]

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """The primal where the pullback is not used: nothing is kept for it then."""
        return self.host.primal_for(n, self.n)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y, and a number."""
        return [*self.host.results.find(operands)[0], TOKEN]


class _Cotangents(_Call):
    """What gives cotangents: of the leaves marked in `outs`, from the given cotangents of y."""

    def __init__(self, host: Hosted, given: Flags, outs: Flags) -> None:
        super().__init__(host, (host.form.reverse or host.form.forward).kind)  # type: ignore[union-attr]
        self._given, self._outs = given, outs

    def _arrays(self, leaves: Arrays, x_bars: Leaves) -> list[Any]:
        return [np.zeros(x.shape, x.dtype) if c is None else np.asarray(c) for x, c, o in zip(leaves, x_bars, self._outs, strict=True) if o]

    def _pull_by_rules(self, twins: Twins, structure: Structure, leaves: Leaves, bars: Leaves) -> list[Any]:
        form = self.host.form
        y_bar = structure.unflatten(iter(self._spread(bars, self._given)))
        x_bars = iter(leaves_of(twins.vjp(form.args(leaves), y_bar, **form.statics)))
        found = [next(x_bars) if form.engine.has_tangent(x) else None for x in leaves]
        return [x_bar for x_bar, o in zip(found, self._outs, strict=True) if o]

    def _wanted(self, leaves: Specs) -> list[ShapeDtype]:
        return [s for s, o in zip(leaves, self._outs, strict=True) if o]


class TokenPull(_Cotangents):
    """The pullback of a token: token, leaves, the given cotangents -> cotangents."""

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the pullback that was kept; by a new one where it is gone."""
        leaves, token = arrays[1 : 1 + self.n], int(arrays[0])
        if token == NOBODY:
            return self._arrays(leaves, [None] * self.n)
        pull = RESIDUALS.find(self.host, token)
        if pull is None:
            pull = self.form.start(leaves)[2]
        return self._arrays(leaves, pull(self._spread(arrays[1 + self.n :], self._given), self._outs))

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The pullback as a primitive."""
        leaves = operands[1 : 1 + self.n]
        return self._pull_by_rules(twins, self.host.structure_of(leaves), leaves, operands[1 + self.n :])

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        return self._wanted(operands[1 : 1 + self.n])


class Closure(_Cotangents):
    """The author's pullback itself: the given cotangents -> cotangents.

    Args:
        host: what it belongs to.
        pull: the pullback, on NumPy arrays.
        leaves: the arguments, as NumPy arrays or as values of the engine.
        looks: arrays of their shapes and dtypes.
        given, outs: which cotangents come and go.
        direct: the pullback on values of the engine, where it takes them.
    """

    def __init__(
        self, host: Hosted, pull: Pull, leaves: Leaves, looks: Arrays, given: Flags, outs: Flags, direct: Pull | None = None
    ) -> None:
        super().__init__(host, given, outs)
        self._pull, self._leaves, self._looks, self._direct = pull, leaves, looks, direct

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the pullback."""
        return self._arrays(self._looks, self._pull(self._spread(arrays, self._given), self._outs))

    def direct(self, values: Leaves) -> list[Any] | None:
        """By the pullback, on values of the engine."""
        if self._direct is None:
            return None
        x_bars = self._direct(self._spread(values, self._given), self._outs)
        zeros = self.host.form.engine.zeros_like
        return [zeros(x) if c is None else c for x, c, o in zip(self._leaves, x_bars, self._outs, strict=True) if o]

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The pullback as a primitive, at arguments that are not being differentiated."""
        leaves = [self.host.form.engine.asarray(x, operands[0]) for x in self._leaves]
        return self._pull_by_rules(twins, self.host.structure_of(leaves), leaves, operands)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        return self._wanted([ShapeDtype(x.shape, x.dtype) for x in self._looks])


class PullGiven(_Cotangents):
    """The pullback given y: leaves of y, leaves, the given cotangents -> cotangents."""

    def __init__(self, host: Hosted, structure: Structure, given: Flags, outs: Flags) -> None:
        super().__init__(host, given, outs)
        self._structure = structure

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the rule."""
        n_y = self._structure.n_leaves
        ys, leaves = arrays[:n_y], arrays[n_y : n_y + self.n]
        bars = self._spread(arrays[n_y + self.n :], self._given)
        return self._arrays(leaves, self.form.pull(ys, self._structure, leaves, bars, self._outs))

    def by_twins(self, twins: Twins, operands: Leaves) -> list[Any]:
        """The pullback as a primitive, which finds y again."""
        rest = operands[self._structure.n_leaves :]
        return self._pull_by_rules(twins, self._structure, rest[: self.n], rest[self.n :])

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        n_y = self._structure.n_leaves
        return self._wanted(operands[n_y : n_y + self.n])

"""x[k+1] = step(x[k], u[k], theta), as a primitive: what every method with fixed steps is, and what its derivatives are.

The derivative of a recurrence along a tangent is the recurrence of (x, x_dot), and its pullback is the recurrence of x_bar that
runs backwards along the stored states. Both are this primitive again, with another step, so every order follows in every nesting of
the modes.
Only states are stored: what happens inside a step is computed again when it is differentiated.

A step gives (x, out, part): the outs are stacked, and the parts are summed, such as cotangents of theta, which would fill the memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from rulebook.engine import Engine
from rulebook.forms import Frule, Rrule
from rulebook.implicit.ode.arithmetic import Keyed, added, mapped
from rulebook.implicit.ode.field import NAME, Field
from rulebook.implicit.ode.methods import FIXED
from rulebook.namespace import engine_for
from rulebook.primitive import Primitive
from rulebook.trees import leaves_of

__all__ = ["RungeKutta", "recurrence", "run_steps"]


class Step(Keyed, ABC):
    """One step.  Statics of a primitive: equal steps are one program."""

    @abstractmethod
    def __call__(self, engine: Engine, x: Any, u: Any, theta: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """(x, out, part): the next state, what is stacked, and what is summed.

        Args:
            engine: what runs.
            x: the state.
            u: what this step is given.
            theta: what all steps are given.
            fixed: the same two without derivatives, what all are given first.
        """

    @abstractmethod
    def nothing(self, engine: Engine, theta: Any) -> Any:
        """A part that is zero."""


class RungeKutta(Step):
    """A step of an explicit method from time t over the time h, where (t, h) is what the step is given, to be differentiated or not.

    Args:
        field: of flat leaves.
        method: the name of a tableau.
    """

    def __init__(self, field: Field, method: str) -> None:
        super().__init__(field, method)
        self.field = field
        self._tableau = FIXED[method]

    def __call__(self, engine: Engine, x: Any, u: Any, theta: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """The stages in turn; a weight that is zero costs nothing."""
        shared, row = fixed
        t, h = u or row
        a, b, c = self._tableau
        rate = self.field.with_parameters(engine, theta, shared)
        parts = _Parts(h)
        rates: list[Any] = []
        for weights, at in zip(a, c, strict=True):
            rates.append(rate(_moved(engine, x, parts, weights, rates), t + parts[at] if at else t))
        return _moved(engine, x, parts, b, rates), (), ()

    def nothing(self, engine: Engine, theta: Any) -> Any:
        """There are no parts."""
        return ()


class _Parts(dict[float, Any]):
    """Fractions of a step, each computed once."""

    def __init__(self, h: Any) -> None:
        super().__init__({1.0: h})

    def __missing__(self, fraction: float) -> Any:
        self[fraction] = found = fraction * self[1.0]
        return found


def _moved(engine: Engine, x: Any, parts: _Parts, weights: Any, rates: Any) -> Any:
    """x + h * (the weighted sum of rates), in the dtypes of x."""
    used = [(parts[w], rate) for w, rate in zip(weights, rates, strict=False) if w]
    if not used:
        return x
    found = []
    for i, a in enumerate(x):
        (part, rate), *more = used
        total = part * rate[i]
        for part, rate in more:
            total = total + part * rate[i]
        new = a + total
        found.append(new if new.dtype == a.dtype else engine.cast(new, a))
    return tuple(found)


class Pushed(Step):
    """A step of values and tangents."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step

    def __call__(self, engine: Engine, x: Any, u: Any, theta: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """The step and its derivative along the tangents."""
        pairs = (x, u, theta)
        one = lambda x, u, theta: self.step(engine, x, u, theta, fixed)
        (x, out, part), (x_dot, out_dot, part_dot) = engine.jvp(one, tuple(p for p, _ in pairs), tuple(d for _, d in pairs))
        return (x, x_dot), (out, out_dot), (part, part_dot)

    def nothing(self, engine: Engine, theta: Any) -> Any:
        """For values and tangents."""
        zero = self.step.nothing(engine, theta[0])
        return zero, zero


class Pulled(Step):
    """A step of the cotangent of the state, backwards: u has the state, its u, and the cotangents of what the step gave."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step

    def __call__(self, engine: Engine, x: Any, u: Any, theta: Any, fixed: Any) -> tuple[Any, Any, Any]:
        """Through one step; the cotangent of the state that was stored there joins it."""
        (state, inner, stored_bar, out_bar), (params, part_bar) = u, theta
        pull = engine.vjp(lambda s, i, p: self.step(engine, s, i, p, fixed), (state, inner, params))[1]
        x_bar, u_bar, theta_bar = pull((x, out_bar, part_bar))
        return added(x_bar, stored_bar), u_bar, theta_bar

    def nothing(self, engine: Engine, theta: Any) -> Any:
        """For the cotangents of theta."""
        return mapped(engine.zeros_like, theta[0])


def run_steps(x0: Any, us: Any, theta: Any, fixed: Any, *, step: Step, every: int, reverse: bool = False) -> tuple[Any, Any, Any, Any]:
    """The states that the steps begin at, stacked, and the last; the outs, stacked; the sum of the parts.

    Args:
        x0: the first state, a tree of floating arrays.
        us: what the steps are given, a tree of arrays with one first axis.
        theta: what all steps are given, a tree of floating arrays.
        fixed: what all steps are given, and rows like us, both without derivatives.
        step: the step.
        every: how many steps lie between two states that are returned; divides the number of steps.
        reverse: the first step is given the last of us; what is stacked is in the order of us.
    """
    engine = engine_for((x0, us, theta), NAME)
    shared, table = fixed

    def one(carry: Any, given: Any) -> tuple[Any, Any]:
        u, row = given
        x, out, part = step(engine, carry[0], u, theta, (shared, row))
        return (x, added(carry[1], part)), out

    def row(carry: Any, u: Any) -> tuple[Any, Any]:
        start = carry[0]
        carry, out = one(carry, u) if every == 1 else engine.scan(one, carry, u, reverse)
        return carry, (start, out)

    rows, n = (us, table), _length((us, table))
    if every != 1:
        rows = mapped(lambda u: u.reshape((n // every, every, *u.shape[1:])), rows)
    (last, total), (starts, outs) = engine.scan(row, (x0, step.nothing(engine, theta)), rows, reverse)
    if every != 1:
        outs = mapped(lambda o: o.reshape((n, *o.shape[2:])), outs)
    return starts, last, outs, total


def recurrence() -> Primitive:
    """The recurrence as a primitive of its own, which is forgotten with all that it has seen."""
    recur: Primitive = Primitive(run_steps, name=f"{NAME}, its steps", listed=False)

    def frule(primals: Any, tangents: Any, *, step: Step, **how: Any) -> Any:
        moving = [(x, x_dot) for x, x_dot in zip(primals[:3], tangents[:3], strict=True)]
        found = recur(*moving, primals[3], step=Pushed(step), **how)
        return tuple(y for y, _ in found), tuple(y_dot for _, y_dot in found)

    def rrule(x0: Any, us: Any, theta: Any, fixed: Any, *, step: Step, every: int, reverse: bool) -> Any:
        states, last, outs, total = recur(x0, us, theta, fixed, step=step, every=1, reverse=reverse)
        xp = engine_for((x0, us, theta), NAME).namespace()

        def pullback(y_bar: Any) -> Any:
            starts_bar, last_bar, outs_bar, total_bar = y_bar
            stored_bar = mapped(lambda a, like: _spread(xp, a, like, every, reverse), starts_bar, states)
            given, params, n = (states, us, stored_bar, outs_bar), (theta, total_bar), _length(states)
            back: dict[str, Any] = {"step": Pulled(step), "every": n, "reverse": not reverse}
            _, x0_bar, us_bar, theta_bar = recur(last_bar, given, params, fixed, **back)
            return x0_bar, us_bar, theta_bar, None

        return (mapped(lambda a: a[every - 1 if reverse else 0 :: every], states), last, outs, total), pullback

    recur.set_rule(Frule("frule", frule), Rrule("rrule", rrule), replace=False)
    return recur


def _length(rows: Any) -> int:
    return int(leaves_of(rows)[0].shape[0])


def _spread(xp: Any, a: Any, like: Any, every: int, reverse: bool) -> Any:
    """The cotangents of all states, given those of the ones that were returned."""
    if every == 1:
        return a
    rows, *shape = a.shape
    gaps = xp.zeros_like(like).reshape((rows, every, *shape))[:, 1:]
    parts = [gaps, a[:, None]] if reverse else [a[:, None], gaps]
    return xp.concatenate(parts, 1).reshape(like.shape)

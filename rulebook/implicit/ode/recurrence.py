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

from rulebook.engines import Engine
from rulebook.forms import Frule, Rrule
from rulebook.implicit.ode.arithmetic import Keyed, added, beginning, end, flipped, mapped
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
        """(x, out, part): the next state, what is stacked, and what is summed."""

    @abstractmethod
    def nothing(self, engine: Engine, theta: Any) -> Any:
        """A part that is zero."""


class RungeKutta(Step):
    """A step of an explicit method from time t over the time h, where u is (t, h).

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
        t, h = u
        a, b, c = self._tableau
        rates: list[Any] = []
        for weights, at in zip(a, c, strict=True):
            rates.append(self.field(engine, _moved(engine, x, h, weights, rates), t + at * h if at else t, theta, fixed))
        return _moved(engine, x, h, b, rates), (), ()

    def nothing(self, engine: Engine, theta: Any) -> Any:
        """There are no parts."""
        return ()


def _moved(engine: Engine, x: Any, h: Any, weights: Any, rates: Any) -> Any:
    """x + h * (the weighted sum of rates), in the dtypes of x."""
    used = [(w, rate) for w, rate in zip(weights, rates, strict=False) if w]
    if not used:
        return x
    found = []
    for i, a in enumerate(x):
        total = None
        for w, rate in used:
            term = (h if w == 1.0 else w * h) * rate[i]
            total = term if total is None else total + term
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


def run_steps(x0: Any, us: Any, theta: Any, fixed: Any, *, step: Step, every: int, reads: Any = ()) -> tuple[Any, Any, Any]:
    """The states, stacked, the outs, stacked, and the sum of the parts.

    Args:
        x0: the first state, a tree of floating arrays.
        us: what the steps are given, a tree of arrays with one first axis.
        theta: what all steps are given, a tree of floating arrays.
        fixed: the same without derivatives.
        step: the step.
        every: how many steps lie between two states that are returned; divides the number of steps.
        reads: what the step runs of the user's, so that an engine that compiles sees it.
    """
    engine = engine_for((x0, us, theta), NAME)

    def one(carry: Any, u: Any) -> tuple[Any, Any]:
        x, out, part = step(engine, carry[0], u, theta, fixed)
        return (x, added(carry[1], part)), out

    def row(carry: Any, u: Any) -> tuple[Any, Any]:
        carry, out = one(carry, u) if every == 1 else engine.scan(one, carry, u)
        return carry, (carry[0], out)

    rows = us if every == 1 else mapped(lambda u: u.reshape((-1, every, *u.shape[1:])), us)
    (_, total), (xs, outs) = engine.scan(row, (x0, step.nothing(engine, theta)), rows)
    xp = engine.namespace()
    if every != 1:
        outs = mapped(lambda o: o.reshape((-1, *o.shape[2:])), outs)
    return mapped(lambda a, later: xp.concatenate([a[None], later]), x0, xs), outs, total


def recurrence() -> Primitive:
    """The recurrence as a primitive of its own, which is forgotten with all that it has seen."""
    recur = Primitive(run_steps, name=f"{NAME}, its steps", listed=False)

    def frule(primals: Any, tangents: Any, *, step: Step, every: int, reads: Any) -> Any:
        moving = [(x, x_dot) for x, x_dot in zip(primals[:3], tangents[:3], strict=True)]
        found = recur(*moving, primals[3], step=Pushed(step), every=every, reads=reads)
        return tuple(y for y, _ in found), tuple(y_dot for _, y_dot in found)

    def rrule(x0: Any, us: Any, theta: Any, fixed: Any, *, step: Step, every: int, reads: Any) -> Any:
        states, outs, total = recur(x0, us, theta, fixed, step=step, every=1, reads=reads)
        xp = engine_for((x0, us, theta), NAME).namespace()

        def pullback(y_bar: Any) -> Any:
            states_bar, outs_bar, total_bar = y_bar
            stored_bar = mapped(lambda a, like: _spread(xp, a, like, every), states_bar, states)
            given = flipped(xp, (beginning(states), us, beginning(stored_bar), outs_bar))
            last, n = end(stored_bar), _length(us)
            x_bars, us_bar, theta_bar = recur(last, given, (theta, total_bar), fixed, step=Pulled(step), every=n, reads=reads)
            return end(x_bars), flipped(xp, us_bar), theta_bar, None

        return (mapped(lambda a: a[::every], states), outs, total), pullback

    recur.set_rule(Frule("frule", frule), Rrule("rrule", rrule), replace=False)
    return recur


def _length(us: Any) -> int:
    return int(leaves_of(us)[0].shape[0])


def _spread(xp: Any, a: Any, like: Any, every: int) -> Any:
    """The cotangents of all states, given those of the ones that were returned."""
    if every == 1:
        return a
    shape = tuple(a.shape[1:])
    gaps = xp.zeros_like(like[1:]).reshape((-1, every, *shape))[:, 1:]
    return xp.concatenate([a[:1], xp.concatenate([gaps, a[1:][:, None]], 1).reshape((-1, *shape))])

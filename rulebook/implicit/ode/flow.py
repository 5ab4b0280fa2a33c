"""odeint by SciPy: host code whose rules integrate other equations, by the same primitives.

Forwards, the tangent is integrated beside the state (the variational equation). Backwards, each interval between two times of
output is a chain of two sweeps (see `rates`): the state again, from where it was stored, then its adjoint back.
"""

from __future__ import annotations

from typing import Any

from rulebook.engine import Engine
from rulebook.forms import Pullback, Pushforward
from rulebook.implicit.ode.arithmetic import added, beginning, end, largest, mapped
from rulebook.implicit.ode.field import NAME
from rulebook.implicit.ode.rates import Chain, PushedRate, Rate, Scaled, Sweep, pulled, pushed
from rulebook.implicit.ode.scipy import Options, run_chain, run_flow
from rulebook.namespace import engine_for, stop_gradient
from rulebook.primitive import Primitive
from rulebook.tangents import ShapeDtype

__all__ = ["flows"]


def flows() -> Primitive:
    """The solution at many times as a primitive of its own, which is forgotten with all that it has seen."""
    sweeps = _sweeps()
    flow = Primitive(
        _flow,
        name=f"{NAME}, SciPy",
        host=True,
        result=lambda x0, t, theta, fixed, **_: tuple(ShapeDtype((*t.shape, *x.shape), x.dtype) for x in x0),
        listed=False,
    )

    def push(ys: Any, primals: Any, tangents: Any, *, rate: Rate, options: Options) -> Any:
        return _push(flow, sweeps, primals, tangents, rate, options)

    def pull(ys: Any, primals: Any, ys_bar: Any, *, rate: Rate, options: Options) -> Any:
        return _pull(sweeps, ys, primals, ys_bar, rate, options)

    flow.set_rule(Pushforward("pushforward", push, symbolic_zeros=True), Pullback("pullback", pull), replace=False)
    return flow


def _sweeps() -> Primitive:
    """The chains of sweeps over one interval as a primitive."""
    sweeps = Primitive(
        _chain, name=f"{NAME}, SciPy, one interval", host=True, result=lambda starts, theta, fixed, **_: starts, listed=False
    )

    def push(ends: Any, primals: Any, tangents: Any, *, chain: Chain, options: Options) -> Any:
        return _push_chain(sweeps, primals, tangents[:2], chain, options)

    def pull(ends: Any, primals: Any, ends_bar: Any, *, chain: Chain, options: Options) -> Any:
        return (*_pull_chain(sweeps, primals, ends_bar, chain, options), None)

    sweeps.set_rule(Pushforward("pushforward", push), Pullback("pullback", pull), replace=False)
    return sweeps


def _flow(x0: Any, t: Any, theta: Any, fixed: Any, *, rate: Rate, options: Options) -> Any:
    """The states at times t, stacked, from x0 at the first."""
    return mapped(_narrowed, run_flow(x0, t, theta, fixed, rate, options), x0)


def _chain(starts: Any, theta: Any, fixed: Any, *, chain: Chain, options: Options) -> Any:
    """The states of a chain at the ends of its sweeps over s from 0 to 1."""
    return mapped(_narrowed, run_chain(starts, theta, fixed, chain, options), starts)


def _narrowed(y: Any, like: Any) -> Any:
    return y.astype(like.dtype, copy=False)


# -- one interval -----------------------------------------------------------------------------------


def _unit(engine: Engine, tree: Any) -> tuple[Any, Any]:
    """A tangent or cotangent divided by its size, as tolerances are relative to one, and what multiplies it back.

    The maps are linear, so for every derivative the size is a constant.
    """
    size = stop_gradient(largest(engine.namespace(), tree))
    return mapped(lambda x: _like(engine, x / size, x), tree), lambda found: mapped(lambda y: _like(engine, y * size, y), found)


def _like(engine: Engine, value: Any, x: Any) -> Any:
    return value if value.dtype == x.dtype else engine.cast(value, x)


def _push_chain(sweeps: Primitive, primals: Any, tangents: Any, chain: Chain, options: Options) -> Any:
    """The tangents of the ends."""
    starts, theta, fixed = primals
    (starts_dot, theta_dot), back = _unit(engine_for(primals, NAME), tangents)
    both = tuple((*z, *z_dot) for z, z_dot in zip(starts, starts_dot, strict=True))
    ends = sweeps(both, (*theta, *theta_dot), fixed, chain=pushed(chain), options=options)
    return back(tuple(z[len(z) // 2 :] for z in ends))


def _pull_chain(sweeps: Primitive, primals: Any, ends_bar: Any, chain: Chain, options: Options) -> Any:
    """The cotangents of the starts and of theta."""
    starts, theta, fixed = primals
    engine = engine_for(primals, NAME)
    ends_bar, back = _unit(engine, ends_bar)
    *later, first = reversed(ends_bar)
    adjoints = (*later, (*first, *mapped(engine.zeros_like, theta)))
    ends = sweeps((*starts, *adjoints), theta, fixed, chain=pulled(chain), options=options)
    *later, last = back(ends[len(chain) :])
    n = len(starts[0])
    return (last[:n], *reversed(later)), last[n:]


# -- the whole solution -----------------------------------------------------------------------------


def _push(flow: Primitive, sweeps: Primitive, primals: Any, tangents: Any, rate: Rate, options: Options) -> Any:
    """The tangents of all states; where the times move too, by the intervals between them."""
    x0, t, theta, fixed = primals
    engine = engine_for(primals, NAME)
    x0_dot, theta_dot = _filled(engine, x0, tangents[0]), _filled(engine, theta, tangents[2])
    (x0_unit, theta_unit), back = _unit(engine, (x0_dot, theta_dot))
    both = flow((*x0, *x0_unit), t, (*theta, *theta_unit), fixed, rate=PushedRate(rate), options=options)
    ys_dot = back(both[len(x0) :])
    if tangents[1] is None:
        return ys_dot
    body = lambda t: _by_intervals(engine, sweeps, x0, t, theta, fixed, rate, options)
    return added(ys_dot, engine.jvp(body, (t,), (tangents[1],))[1])


def _filled(engine: Engine, leaves: Any, dots: Any) -> Any:
    return tuple(engine.zeros_like(x) if d is None else d for x, d in zip(leaves, dots, strict=True))


def _by_intervals(engine: Engine, sweeps: Primitive, x0: Any, t: Any, theta: Any, fixed: Any, rate: Rate, options: Options) -> Any:
    """The same solution, interval by interval, with the times as parameters."""
    chain = (Sweep(Scaled(rate), True),)

    def over(x: Any, times: Any) -> tuple[Any, Any]:
        start, stop = times
        (x,) = sweeps((x,), (start, stop - start, *theta), fixed, chain=chain, options=options)
        return x, x

    later = engine.scan(over, x0, (t[:-1], t[1:]))[1]
    return mapped(lambda x, xs: engine.namespace().concatenate([x[None], xs]), x0, later)


def _pull(sweeps: Primitive, ys: Any, primals: Any, ys_bar: Any, rate: Rate, options: Options) -> Any:
    """The adjoint, interval by interval from the last, from the states that are stored at its ends."""
    _, t, theta, fixed = primals
    engine = engine_for(primals, NAME)
    xp = engine.namespace()
    chain = (Sweep(Scaled(rate), True),)

    def over(carry: Any, given: Any) -> tuple[Any, Any]:
        x_bar, theta_bar = carry
        x, start, stop, joins = given
        args = ((x,), (start, stop - start, *theta), fixed)
        (x_bar,), (start_bar, length_bar, *more) = _pull_chain(sweeps, args, (x_bar,), chain, options)
        return (added(x_bar, joins), added(theta_bar, tuple(more))), (start_bar, length_bar)

    given = (beginning(ys), t[:-1], t[1:], beginning(ys_bar))
    carry = (end(ys_bar), mapped(engine.zeros_like, theta))
    (x0_bar, theta_bar), (start_bar, length_bar) = engine.scan(over, carry, given, reverse=True)
    none = engine.zeros_like(t[:1])
    t_bar = xp.concatenate([start_bar - length_bar, none]) + xp.concatenate([none, length_bar])
    return x0_bar, t_bar, theta_bar, None

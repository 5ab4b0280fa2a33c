"""odeint by SciPy: host code whose rules integrate other equations, by the same primitives.

Forwards, the tangent is integrated beside the state (the variational equation).  Backwards, each interval between two times of output is a chain
of two sweeps (see `rates`): the state again from where it was stored, then its adjoint back.
"""

from __future__ import annotations

from typing import Any

from rulebook.engines import Engine
from rulebook.forms import Pullback, Pushforward
from rulebook.implicit.ode.arithmetic import added, largest, mapped
from rulebook.implicit.ode.field import NAME
from rulebook.implicit.ode.rates import Chain, PushedRate, Rate, Scaled, Sweep, pulled, pushed
from rulebook.implicit.ode.scipy import Options, run_chain, run_flow
from rulebook.namespace import engine_for, stop_gradient
from rulebook.primitive import Primitive
from rulebook.tangents import ShapeDtype

__all__ = ["flow"]


def _flow(x0: Any, t: Any, theta: Any, fixed: Any, *, rate: Rate, options: Options) -> Any:
    """The state at times t, stacked, from x0 at the first."""
    return mapped(_narrowed, run_flow(x0, t, theta, fixed, rate, options), x0)


def _chain(starts: Any, theta: Any, fixed: Any, *, chain: Chain, options: Options) -> Any:
    """The states of a chain at the ends of its sweeps over s from 0 to 1."""
    return mapped(_narrowed, run_chain(starts, theta, fixed, chain, options), starts)


def _narrowed(y: Any, like: Any) -> Any:
    return y.astype(like.dtype, copy=False)


flow = Primitive(
    _flow,
    name=f"{NAME}, SciPy",
    host=True,
    result=lambda x0, t, theta, fixed, **_: tuple(ShapeDtype((*t.shape, *x.shape), x.dtype) for x in x0),
    listed=False,
)
sweeps = Primitive(_chain, name=f"{NAME}, SciPy, one interval", host=True, result=lambda starts, theta, fixed, **_: starts, listed=False)


# -- linear maps ------------------------------------------------------------------------------------


def _unit(engine: Engine, tree: Any) -> tuple[Any, Any]:
    """A tangent or cotangent divided by its size, as tolerances are relative to one, and what multiplies it back.

    The maps are linear, so the size is a constant for every derivative.
    """
    size = stop_gradient(largest(engine.namespace(), tree))
    return mapped(lambda x: _as(engine, x / size, x), tree), lambda found: mapped(lambda y: _as(engine, y * size, y), found)


def _as(engine: Engine, value: Any, like: Any) -> Any:
    return value if value.dtype == like.dtype else engine.cast(value, like)


def _push_chain(engine: Engine, args: Any, tangents: Any, chain: Chain, options: Options) -> Any:
    """The tangents of the ends."""
    starts, theta, fixed = args
    (starts_dot, theta_dot), back = _unit(engine, tangents)
    both = tuple((*z, *z_dot) for z, z_dot in zip(starts, starts_dot, strict=True))
    ends = sweeps(both, (*theta, *theta_dot), fixed, chain=pushed(chain), options=options)
    return back(tuple(z[len(z) // 2 :] for z in ends))


def _pull_chain(engine: Engine, args: Any, ends_bar: Any, chain: Chain, options: Options) -> Any:
    """The cotangents of the starts and of theta."""
    starts, theta, fixed = args
    ends_bar, back = _unit(engine, ends_bar)
    *later, first = reversed(ends_bar)
    adjoints = (*later, (*first, *mapped(engine.zeros_like, theta)))
    ends = sweeps((*starts, *adjoints), theta, fixed, chain=pulled(chain), options=options)
    *later, last = back(ends[len(chain) :])
    n = len(starts[0])
    return (last[:n], *reversed(later)), last[n:]


def _sweeps_push(ends: Any, primals: Any, tangents: Any, *, chain: Chain, options: Options) -> Any:
    return _push_chain(engine_for(primals, NAME), primals, tangents[:2], chain, options)


def _sweeps_pull(ends: Any, primals: Any, ends_bar: Any, *, chain: Chain, options: Options) -> Any:
    return (*_pull_chain(engine_for(primals, NAME), primals, ends_bar, chain, options), None)


sweeps.set_rule(Pushforward("pushforward", _sweeps_push), Pullback("pullback", _sweeps_pull), replace=False)


# -- the whole solution -----------------------------------------------------------------------------


def _flow_push(ys: Any, primals: Any, tangents: Any, *, rate: Rate, options: Options) -> Any:
    """The tangents of all states; where the times move too, by the intervals between them."""
    x0, t, theta, fixed = primals
    engine = engine_for(primals, NAME)
    x0_dot, theta_dot = _filled(engine, x0, tangents[0]), _filled(engine, theta, tangents[2])
    if tangents[1] is not None:
        body = lambda x0, t, theta: _by_intervals(engine, x0, t, theta, fixed, rate, options)
        return engine.jvp(body, (x0, t, theta), (x0_dot, tangents[1], theta_dot))[1]
    (x0_dot, theta_dot), back = _unit(engine, (x0_dot, theta_dot))
    both = flow((*x0, *x0_dot), t, (*theta, *theta_dot), fixed, rate=PushedRate(rate), options=options)
    return back(both[len(x0) :])


def _filled(engine: Engine, leaves: Any, dots: Any) -> Any:
    return tuple(engine.zeros_like(x) if d is None else d for x, d in zip(leaves, dots, strict=True))


def _by_intervals(engine: Engine, x0: Any, t: Any, theta: Any, fixed: Any, rate: Rate, options: Options) -> Any:
    """The same solution, interval by interval, with the times as parameters."""
    chain = (Sweep(Scaled(rate), True),)

    def over(x: Any, times: Any) -> tuple[Any, Any]:
        start, stop = times
        (x,) = sweeps((x,), (start, stop - start, *theta), fixed, chain=chain, options=options)
        return x, x

    later = engine.scan(over, x0, (t[:-1], t[1:]))[1]
    return mapped(lambda x, xs: engine.namespace().concatenate([x[None], xs]), x0, later)


def _flow_pull(ys: Any, primals: Any, ys_bar: Any, *, rate: Rate, options: Options) -> Any:
    """The adjoint, interval by interval from the last, from the states that are stored at its ends."""
    _, t, theta, fixed = primals
    engine = engine_for(primals, NAME)
    chain = (Sweep(Scaled(rate), True),)
    back = lambda tree: mapped(engine.namespace().flipud, tree)

    def over(carry: Any, given: Any) -> tuple[Any, Any]:
        x_bar, theta_bar = carry
        x, start, stop, joins = given
        args = ((x,), (start, stop - start, *theta), fixed)
        (x_bar,), (start_bar, length_bar, *more) = _pull_chain(engine, args, (x_bar,), chain, options)
        return (added(x_bar, joins), added(theta_bar, tuple(more))), (start_bar, length_bar)

    given = back((mapped(lambda y: y[:-1], ys), t[:-1], t[1:], mapped(lambda y: y[:-1], ys_bar)))
    last = mapped(lambda y: y[-1], ys_bar)
    (x0_bar, theta_bar), bars = engine.scan(over, (last, mapped(engine.zeros_like, theta)), given)
    start_bar, length_bar = back(bars)
    xp = engine.namespace()
    nothing = engine.zeros_like(t[:1])
    t_bar = xp.concatenate([start_bar - length_bar, nothing]) + xp.concatenate([nothing, length_bar])
    return x0_bar, t_bar, theta_bar, None


flow.set_rule(Pushforward("pushforward", _flow_push, symbolic_zeros=True), Pullback("pullback", _flow_pull), replace=False)

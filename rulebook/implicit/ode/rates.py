"""Right-hand sides on NumPy arrays, closed under differentiation: what SciPy's solvers integrate.

A chain is a sequence of sweeps over one interval, each forwards or backwards in time, where a sweep may read the states of those before it:

    dz_j/ds = g_j(z_1, ..., z_j, s, theta).

Its derivative along a tangent is the chain of the pairs (z_j, z_j_dot).  Its pullback adds the adjoint sweeps in the opposite order and the
opposite directions.  With sigma_j = 1 for a sweep forwards and -1 for one backwards, the stationarity of

    sum over j of the integral of <b_j, sigma_j (dz_j/ds - g_j)> ds

gives db_j/ds = -sigma_j (d/dz_j)* of the sum over k >= j of <sigma_k b_k, g_k>, from z_bar at the end of the sweep to z_bar at its
start, and theta_bar as the integral of the same with d/dtheta. So the adjoint of a stable equation is integrated in its stable
direction, beside a state that is looked up and never integrated backwards (the checkpointed adjoint of Hindmarsh et al., SUNDIALS,
2005), and both derivatives are chains again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from rulebook.engines import load_engine
from rulebook.implicit.ode.arithmetic import Keyed
from rulebook.implicit.ode.field import Field

__all__ = ["Chain", "FieldRate", "Rate", "Scaled", "Sweep", "pulled", "pushed"]

Leaves = tuple[Any, ...]


class Rate(Keyed, ABC):
    """The rate of change of the last of some states, each a tuple of arrays.  A static: equal rates are one program.

    Attributes:
        own: how many arrays of the state are the user's; the others are tangents and cotangents, which `atol` is no unit of.
    """

    own: int

    @abstractmethod
    def __call__(self, states: tuple[Leaves, ...], s: Any, theta: Leaves, fixed: Leaves) -> Leaves:
        """One array for each of the last state."""


class Sweep(NamedTuple):
    """One state of a chain and the direction that it is integrated in."""

    rate: Rate
    forwards: bool


Chain = tuple[Sweep, ...]


class FieldRate(Rate):
    """The user's field."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self.field = field
        self.own = field.n_leaves

    def __call__(self, states: tuple[Leaves, ...], s: Any, theta: Leaves, fixed: Leaves) -> Leaves:
        """At time s."""
        return self.field.with_parameters(load_engine("dual"), theta, fixed)(states[-1], s)


class Scaled(Rate):
    """A rate over an interval as one over s from 0 to 1; its first parameters are the start and the length of the interval.

    So the derivatives with respect to the two times are those with respect to parameters.
    """

    def __init__(self, rate: Rate) -> None:
        super().__init__(rate)
        self.rate = rate
        self.own = rate.own

    def __call__(self, states: tuple[Leaves, ...], s: Any, theta: Leaves, fixed: Leaves) -> Leaves:
        """At the time that s stands for."""
        start, length = theta[:2]
        return tuple([length * x for x in self.rate(states, start + s * length, theta[2:], fixed)])


class PushedRate(Rate):
    """The rates of values and tangents; states and parameters hold both, one after the other."""

    def __init__(self, rate: Rate) -> None:
        super().__init__(rate)
        self.rate = rate
        self.own = rate.own

    def __call__(self, states: tuple[Leaves, ...], s: Any, theta: Leaves, fixed: Leaves) -> Leaves:
        """With one tangent."""
        halves = [*map(_halves, states), _halves(theta)]
        values, tangents = (tuple(half[i] for half in halves) for i in (0, 1))
        fn = lambda *args: self.rate(args[:-1], s, args[-1], fixed)
        rate, rate_dot = load_engine("dual").jvp(fn, values, tangents)
        return (*rate, *rate_dot)


class PulledRate(Rate):
    """The rate of the adjoint of the j-th state of a chain; with that of the first go the cotangents of theta.

    The states are those of the chain, then the adjoint states from the last to the j-th.
    """

    def __init__(self, chain: Chain, j: int) -> None:
        super().__init__(chain, j)
        self.chain = chain
        self.j = j
        self.own = 0

    def __call__(self, states: tuple[Leaves, ...], s: Any, theta: Leaves, fixed: Leaves) -> Leaves:
        """By one pullback of the later rates."""
        m, j = len(self.chain), self.j
        values, adjoints = states[:m], states[m:]
        sign = _sign(self.chain[j])

        def later(z: Leaves, theta: Leaves) -> tuple[Leaves, ...]:
            args = (*values[:j], z, *values[j + 1 :])
            return tuple(self.chain[k].rate(args[: k + 1], s, theta, fixed) for k in range(j, m))

        bars = tuple(_times(_sign(self.chain[k]), adjoints[m - 1 - k][: len(values[k])]) for k in range(j, m))
        engine = load_engine("dual")
        if j:
            found = engine.vjp(lambda z: later(z, theta), (values[j],))[1](bars)[0]
        else:
            z_bar, theta_bar = engine.vjp(later, (values[0], theta))[1](bars)
            found = (*z_bar, *theta_bar)
        return _times(-sign, found)


def pushed(chain: Chain) -> Chain:
    """The chain of values and tangents."""
    return tuple(Sweep(PushedRate(sweep.rate), sweep.forwards) for sweep in chain)


def pulled(chain: Chain) -> Chain:
    """The chain with its adjoint sweeps."""
    back = reversed(range(len(chain)))
    return chain + tuple(Sweep(PulledRate(chain, j), not chain[j].forwards) for j in back)


def _sign(sweep: Sweep) -> int:
    return 1 if sweep.forwards else -1


def _times(sign: int, leaves: Leaves) -> Leaves:
    return leaves if sign == 1 else tuple([-x for x in leaves])


def _halves(leaves: Leaves) -> tuple[Leaves, Leaves]:
    n = len(leaves) // 2
    return leaves[:n], leaves[n:]

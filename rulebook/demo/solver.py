"""The Lotka-Volterra equations, solved by SciPy, as a primitive with hand-written rules.

    u' = (alpha - beta v) u          hare
    v' = (delta u - gamma) v         lynx

The primal and both rules are host code: SciPy's solver on NumPy arrays.  Every engine runs the
same two rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import rulebook as rb

__all__ = ["populations", "solves"]

# Solutions, sensitivities and adjoints are then right to about 1e-10, so that gradients agree to 1e-8.
_TOLERANCE = 1e-11

solves: Counter[str] = Counter()  # of "primal", "forward" and "adjoint": how often an equation was solved


def _rates_of_change(u: float, v: float, p: Sequence[float]) -> tuple[float, float]:
    alpha, beta, gamma, delta = p
    return (alpha - beta * v) * u, (delta * u - gamma) * v


def _integrate(field: Any, span: tuple[float, float], state: Any, times: Any = None) -> Any:
    """The solution at `times` (by default at the end), of shape (number of times, number of states)."""
    found = solve_ivp(field, span, state, method="DOP853", t_eval=times, rtol=_TOLERANCE, atol=_TOLERANCE)
    if not found.success:
        raise ArithmeticError(f"the equations could not be solved: {found.message}")
    return found.y.T


def _example(rng: np.random.Generator) -> Any:
    """Rates and populations of the right order, over two years."""
    return rb.case(rng.uniform(0.5, 1.5, 4) * (0.6, 0.03, 0.9, 0.03), rng.uniform(5.0, 30.0, 2), times=(0.0, 0.5, 2.0))


@rb.primitive(
    host=True,
    result=lambda rates, start, *, times: rb.ShapeDtype((len(times), 2), start.dtype),
    cases=[_example],
    accuracy=1e-10,
)
def populations(rates: Any, start: Any, *, times: tuple[float, ...]) -> Any:
    """Hare and lynx at the given times.

    Args:
        rates: alpha, beta, gamma, delta.
        start: hare and lynx at times[0].
        times: increasing.

    Returns:
        An array of shape (len(times), 2).
    """
    solves["primal"] += 1
    p = rates.tolist()
    return _integrate(lambda t, z: _rates_of_change(z[0], z[1], p), (times[0], times[-1]), start, times)


@rb.pushforward(populations, host=True)
def _(y: Any, primals: Any, tangents: Any, *, times: tuple[float, ...]) -> Any:
    """The variational equation along one direction.

    Differentiating z' = f(z, p) in the direction (p_dot, z0_dot) gives, for s = z_dot,

        s' = f_z(z, p) s + f_p(z, p) p_dot,     s(t0) = z0_dot

    which is integrated together with z, under one error control.
    See Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, section I.14.
    """
    solves["forward"] += 1
    (rates, start), (rates_dot, start_dot) = primals, tangents
    alpha, beta, gamma, delta = p = rates.tolist()
    alpha_dot, beta_dot, gamma_dot, delta_dot = rates_dot.tolist()

    def field(t: float, state: Any) -> Any:
        u, v, u_dot, v_dot = state
        return (
            *_rates_of_change(u, v, p),
            (alpha - beta * v) * u_dot - beta * u * v_dot + (alpha_dot - beta_dot * v) * u,
            delta * v * u_dot + (delta * u - gamma) * v_dot + (delta_dot * u - gamma_dot) * v,
        )

    return _integrate(field, (times[0], times[-1]), np.concatenate([start, start_dot]), times)[:, 2:]


@rb.pullback(populations, host=True)
def _(y: Any, primals: Any, y_bar: Any, *, times: tuple[float, ...]) -> Any:
    """The adjoint equation, backwards from observation to observation.

    With L = sum_i <y_bar_i, z(t_i)>, the adjoint a(t) = dL/dz(t) of what lies after t obeys

        a' = -f_z(z, p)^T a,     a jumps by y_bar_i as t passes t_i downwards,
        p_bar = integral of f_p(z, p)^T a dt,     z0_bar = a(t0)

    z itself is integrated backwards beside a and starts afresh from the solution at each t_i, so that
    nothing is interpolated.  See Cao, Li, Petzold and Serban, SIAM J. Sci. Comput. 24 (2003), 1076-1089.
    """
    solves["adjoint"] += 1
    alpha, beta, gamma, delta = p = primals[0].tolist()

    def field(t: float, state: Any) -> Any:
        u, v, a, b = state[:4]
        return (
            *_rates_of_change(u, v, p),
            -(alpha - beta * v) * a - delta * v * b,
            beta * u * a - (delta * u - gamma) * b,
            -u * a,  # backwards in time the integral grows by minus its integrand
            u * v * a,
            v * b,
            -u * v * b,
        )

    adjoint, rates_bar = np.array(y_bar[-1], float), np.zeros(4)
    for i in range(len(times) - 1, 0, -1):
        state = np.concatenate([y[i], adjoint, rates_bar])
        end = _integrate(field, (times[i], times[i - 1]), state)[-1]
        adjoint, rates_bar = end[2:4] + y_bar[i - 1], end[4:]
    return rates_bar, adjoint

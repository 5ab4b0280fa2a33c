"""Functions of a number that go through the solvers of rulebook.rules.optimize, with their derivatives in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import rulebook as rb
from rulebook.rules import optimize

AT = 2.0


def system(x, t):
    xp = rb.xp(x, t)
    return xp.stack([x[0] ** 2 - t * x[1], x[1] ** 3 - t])


def listed_system(x, t):
    return [x[0] ** 2 - t * x[1], x[1] ** 3 - t]


def cubic(x, t):
    return x**3 - t


def slope(x, t):
    return 3 * x**2


def curvature(x, t):
    return 6 * x


def scaled(x, p):
    return x**3 - p["t"] * p["c"]


def square(x, t):
    return x * x + t


def step(x, t):
    xp = rb.xp(x, t)
    return xp.sqrt(t / x)


def bowl(x, t):
    """Smallest at x = (log t, log t), where it is t - t log t."""
    xp = rb.xp(x, t)
    return xp.exp(x[0]) - t * x[0] + (x[1] - x[0]) ** 2


def residuals(x, t):
    """Smallest at x^2 = t - 1/2, where half the sum of squares is (t - 1/4) / 2."""
    xp = rb.xp(x, t)
    return xp.stack([x[0] ** 2 - t, x[0]])


class Problem(NamedTuple):
    """A function g of a number, and what it, its first and its second derivative are at AT."""

    name: str
    g: object
    values: tuple


def _power(c, n):
    return c * AT**n, c * n * AT ** (n - 1), c * n * (n - 1) * AT ** (n - 2)


def _sum(*many):
    return tuple(map(sum, zip(*many, strict=True)))


_CUBE_ROOT = _power(1, 1 / 3)
_SCALES = np.array([1.0, 8.0, 27.0])
_SQRT = (np.sqrt(AT - 0.5), 0.5 / np.sqrt(AT - 0.5), -0.25 * (AT - 0.5) ** -1.5)
_LOG = (np.log(AT), 1 / AT, -1 / AT**2)


def _of_root(fun, **options):
    def g(t):
        x = optimize.root(fun, [1.0, 1.0], args=(t,), **options).x
        return x[0] * x[1] + x[0]

    return g


def _least(t, **options):
    return optimize.minimize(bowl, np.array([0.5, 0.1]), (t,), **options)


PROBLEMS = [
    Problem("root", _of_root(system), _sum(_power(1, 1), _power(1, 2 / 3))),
    Problem("root lm, list", _of_root(listed_system, method="lm"), _sum(_power(1, 1), _power(1, 2 / 3))),
    Problem("root broyden1", _of_root(system, method="broyden1", tol=1e-13), _sum(_power(1, 1), _power(1, 2 / 3))),
    Problem("brentq", lambda t: optimize.brentq(cubic, 0.0, 5.0, args=(t,)), _CUBE_ROOT),
    Problem("brentq array", lambda t: optimize.brentq(scaled, 0.0, np.full(3, 9.0), ({"t": t, "c": _SCALES},)).sum(), _power(6, 1 / 3)),
    Problem("newton", lambda t: optimize.newton(cubic, 1.0, args=(t,)), _CUBE_ROOT),
    Problem("newton halley", lambda t: optimize.newton(cubic, 1, slope, (t,), fprime2=curvature), _CUBE_ROOT),
    Problem("newton array", lambda t: optimize.newton(scaled, np.ones(3), args=({"t": t, "c": _SCALES},)).sum(), _power(6, 1 / 3)),
    Problem("newton complex", lambda t: rb.xp(t).imag(optimize.newton(square, 1.0 + 1.0j, args=(t,))), _power(1, 1 / 2)),
    Problem("fixed_point", lambda t: optimize.fixed_point(step, 1.0, (t,), xtol=1e-12), _CUBE_ROOT),
    Problem(
        "fixed_point iteration", lambda t: optimize.fixed_point(step, [1.0, 2.0], t, 1e-13, method="iteration").sum(), _power(2, 1 / 3)
    ),
    Problem("minimize", lambda t: _least(t).x.sum(), tuple(2 * v for v in _LOG)),
    Problem("minimize fun", lambda t: _least(t).fun, (AT - AT * np.log(AT), -np.log(AT), -1 / AT)),
    Problem("minimize L-BFGS-B", lambda t: _least(t, method="L-BFGS-B").x[1], _LOG),
    Problem("minimize trust-constr", lambda t: _least(t, method="trust-constr").x[0], _LOG),
    Problem("minimize Nelder-Mead", lambda t: _least(t, method="Nelder-Mead").x[0], _LOG),
    Problem("minimize trust-exact", lambda t: _least(t, method="trust-exact").x[0], _LOG),
    Problem("least_squares", lambda t: optimize.least_squares(residuals, [1.0], args=(t,)).x[0], _SQRT),
    Problem("least_squares cost", lambda t: optimize.least_squares(residuals, 1.0, args=(t,)).cost, ((AT - 0.25) / 2, 0.5, 0.0)),
    Problem("least_squares fun", lambda t: optimize.least_squares(residuals, 1.0, args=(t,), method="lm").fun[1], _SQRT),
]

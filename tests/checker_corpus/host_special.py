"""Host code: special functions near the ends of their domains, adaptive solvers, splines."""

import numpy as np
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.special

import rulebook as rb
from tests.checker_corpus.model import Family

# the incomplete beta function, whose shape parameters have no rule


def betainc(a, b, x):
    return scipy.special.betainc(a, b, x)


def beta_cases(rng):
    x = rng.random(3)
    if rng.random() < 0.2:
        x[0] = 10.0 ** rng.uniform(-6, -2)
    return rng.uniform(0.5, 4, 3), rng.uniform(0.5, 4, 3), x


def density(a, b, x):
    return np.exp((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - scipy.special.betaln(a, b))


SHAPES = rb.NotImplementedTangent("the shape parameters")

betas = Family(
    "betainc",
    "one derivative of three; edges at 0 and 1",
    f=betainc,
    cases=beta_cases,
    pullback=lambda y, p, c: (SHAPES, SHAPES, density(*p) * c),
)
betas.wrong("shapes_zero", "not honest", pullback=lambda y, p, c: (None, SHAPES, density(*p) * c))
betas.wrong("swapped", "swapped", "a and b exchanged", pullback=lambda y, p, c: (SHAPES, SHAPES, density(p[1], p[0], p[2]) * c))
betas.wrong("unnormalised", "dropped term", pullback=lambda y, p, c: (SHAPES, SHAPES, density(*p) * scipy.special.beta(p[0], p[1]) * c))
betas.wrong("powers", "power", pullback=lambda y, p, c: (SHAPES, SHAPES, density(p[0] + 1, p[1], p[2]) * c))

# log gamma, with poles


def gammaln(x):
    return scipy.special.gammaln(x)


def off_poles(rng):
    return (rng.uniform(0.05, 6, 3) if rng.random() < 0.7 else -rng.integers(0, 4, 3) - rng.uniform(0.1, 0.9, 3),)


gammas = Family(
    "gammaln",
    "positive, and between the poles",
    f=gammaln,
    cases=off_poles,
    pushforward=lambda y, p, t: scipy.special.digamma(p[0]) * t[0],
    pullback=lambda y, p, c: (scipy.special.digamma(p[0]) * c,),
)
gammas.wrong("stirling", "constant", "an asymptotic series", pullback=lambda y, p, c: ((np.log(np.abs(p[0])) - 1 / (2 * p[0])) * c,))
gammas.wrong(
    "gamma",
    "power",
    "the slope of gamma itself",
    pushforward=lambda y, p, t: scipy.special.digamma(p[0]) * scipy.special.gamma(p[0]) * t[0],
)
gammas.wrong("positive", "wrong branch", "wrong between the poles", pullback=lambda y, p, c: (scipy.special.digamma(np.abs(p[0])) * c,))
gammas.wrong("trigamma", "swapped", pullback=lambda y, p, c: (scipy.special.polygamma(1, p[0]) * c,))

# Bessel functions of integer order


def bessel(n, x):
    return scipy.special.jv(n, x)


def bessel_slope(n, x):
    return (scipy.special.jv(n - 1, x) - scipy.special.jv(n + 1, x)) / 2


bessels = Family(
    "jv",
    "an integer order",
    f=bessel,
    cases=lambda rng: (int(rng.integers(0, 4)), rng.uniform(-10, 10, 3)),
    frule=lambda p, t: (bessel(*p), bessel_slope(*p) * t[1]),
    rrule=lambda n, x: (bessel(n, x), lambda c: (rb.NoTangent(), bessel_slope(n, x) * c)),
)
bessels.wrong(
    "order_zero",
    "wrong branch",
    "right for order zero",
    rrule=lambda n, x: (bessel(n, x), lambda c: (None, -scipy.special.jv(n + 1, x) * c)),
)
bessels.wrong("no_half", "factor", frule=lambda p, t: (bessel(*p), 2 * bessel_slope(*p) * t[1]))
bessels.wrong(
    "plus", "sign", frule=lambda p, t: (bessel(*p), (scipy.special.jv(p[0] - 1, p[1]) + scipy.special.jv(p[0] + 1, p[1])) / 2 * t[1])
)
bessels.wrong(
    "order_cotangent",
    "integer cotangent",
    rrule=lambda n, x: (bessel(n, x), lambda c: (np.sum(bessel(n + 1, x) * c), bessel_slope(n, x) * c)),
)
bessels.wrong(
    "recurrence",
    "nan",
    "n/x: NaN at zero",
    frule=lambda p, t: (bessel(*p), (p[0] / p[1] * bessel(*p) - scipy.special.jv(p[0] + 1, p[1])) * t[1]),
    cases=lambda rng: (int(rng.integers(0, 4)), np.round(rng.uniform(-2, 2, 3))),
    of="with_zero",
)
bessels.right("with_zero", "zero among the points", cases=lambda rng: (int(rng.integers(0, 4)), np.round(rng.uniform(-2, 2, 3))))

# the normal distribution function, and its logarithm far in the tail


def log_ndtr(x):
    return scipy.special.log_ndtr(x)


def hazard(x):
    return np.exp(-(x**2) / 2 - scipy.special.log_ndtr(x)) / np.sqrt(2 * np.pi)


tails = Family(
    "log_ndtr",
    "slopes where the function itself underflows",
    f=log_ndtr,
    cases=lambda rng: (rng.standard_normal(4) * rng.choice([1.0, 30.0]),),
    pushforward=lambda y, p, t: hazard(p[0]) * t[0],
    pullback=lambda y, p, c: (hazard(p[0]) * c,),
)
tails.wrong(
    "quotient",
    "nan",
    "0/0 in the tail",
    pullback=lambda y, p, c: (np.exp(-(p[0] ** 2) / 2) / np.sqrt(2 * np.pi) / scipy.special.ndtr(p[0]) * c,),
)
tails.wrong(
    "guarded",
    "constant",
    "an epsilon in the denominator",
    pullback=lambda y, p, c: (np.exp(-(p[0] ** 2) / 2) / np.sqrt(2 * np.pi) / (scipy.special.ndtr(p[0]) + 1e-9) * c,),
)
tails.wrong("clipped", "wrong branch", "slope clipped at 10", pushforward=lambda y, p, t: np.minimum(hazard(p[0]), 10) * t[0])
tails.wrong("pdf", "dropped term", pushforward=lambda y, p, t: np.exp(-(p[0] ** 2) / 2) / np.sqrt(2 * np.pi) * t[0])

# an adaptive integrator: noise of 1e-7 that is not declared, or is


def pendulum(state, damping):
    run = scipy.integrate.solve_ivp(lambda _, u: [u[1], -np.sin(u[0]) - damping * u[1]], (0.0, 1.0), state, rtol=1e-9, atol=1e-10)
    return run.y[:, -1]


def sensitivities(state, damping):
    def joint(_, u):
        m = np.array([[0.0, 1.0], [-np.cos(u[0]), -damping]])
        s = u[2:].reshape(2, 3)
        return np.concatenate(([u[1], -np.sin(u[0]) - damping * u[1]], (m @ s + np.array([[0.0, 0.0, 0.0], [0.0, 0.0, -u[1]]])).ravel()))

    start = np.concatenate((state, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
    return scipy.integrate.solve_ivp(joint, (0.0, 1.0), start, rtol=1e-9, atol=1e-10).y[2:, -1].reshape(2, 3)


swings = Family(
    "pendulum",
    "adaptive steps; forward sensitivities",
    f=pendulum,
    cases=lambda rng: (rng.standard_normal(2), rng.uniform(0.0, 1.0)),
    accuracy=1e-7,
    pushforward=lambda y, p, t: sensitivities(*p) @ np.append(t[0], t[1]),
    pullback=lambda y, p, c: (lambda g: (g[:2], g[2]))(sensitivities(*p).T @ c),
)
swings.right("undeclared", accuracy=None)
swings.wrong("untransposed", "transpose", pullback=lambda y, p, c: (sensitivities(*p)[:, :2] @ c, sensitivities(*p)[:, 2] @ c))
swings.wrong("damping_sign", "sign", pushforward=lambda y, p, t: sensitivities(*p) @ np.append(t[0], -t[1]))
swings.wrong("damping_held", "missing cotangent", pullback=lambda y, p, c: (sensitivities(*p)[:, :2].T @ c, None))
swings.wrong(
    "free",
    "dropped term",
    "the sensitivities of the undamped pendulum",
    pullback=lambda y, p, c: (sensitivities(p[0], 0.0)[:, :2].T @ c, sensitivities(*p)[:, 2] @ c),
)
swings.wrong(
    "linearised",
    "wrong branch",
    "for small angles; undeclared",
    accuracy=None,
    of="undeclared",
    pushforward=lambda y, p, t: sensitivities(0 * p[0] + [0.0, p[0][1]], p[1]) @ np.append(t[0], t[1]),
)

# a root by Brent's method


def brent(a):
    return np.array([scipy.optimize.brentq(lambda x, v=v: x**3 + x - v, -10, 10, xtol=1e-10) for v in np.ravel(a)]).reshape(np.shape(a))


brents = Family(
    "brentq",
    "a root found to 1e-10",
    f=brent,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 4))) * 3,),
    accuracy=1e-8,
    pushforward=lambda y, p, t: t[0] / (3 * y**2 + 1),
    pullback=lambda y, p, c: (c / (3 * y**2 + 1),),
)
brents.wrong("no_one", "dropped term", pullback=lambda y, p, c: (c / (3 * y**2),))
brents.wrong("sign", "sign", pushforward=lambda y, p, t: -t[0] / (3 * y**2 + 1))
brents.wrong(
    "argument",
    "swapped",
    "the argument in place of the root",
    pushforward=lambda y, p, t: t[0] / (3 * p[0] ** 2 + 1),
    pullback=lambda y, p, c: (c / (3 * p[0] ** 2 + 1),),
)

# a spline through values, at points

NODES = np.linspace(0.0, 1.0, 6)


def spline(values, x, *, kind="natural"):
    return scipy.interpolate.CubicSpline(NODES, values, bc_type=kind)(x)


def spline_push(y, p, t, *, kind):
    s = scipy.interpolate.CubicSpline(NODES, p[0], bc_type=kind)
    return s(p[1], 1) * t[1] + spline(t[0], p[1], kind=kind)


def spline_pull(y, p, c, *, kind):
    s = scipy.interpolate.CubicSpline(NODES, p[0], bc_type=kind)
    basis = scipy.interpolate.CubicSpline(NODES, np.eye(6), bc_type=kind)(p[1])
    return basis.T @ c, s(p[1], 1) * c


splines = Family(
    "spline",
    "linear in the values, smooth in the points",
    f=spline,
    cases=lambda rng: rb.case(rng.standard_normal(6), rng.random(4), kind=["natural", "clamped", "not-a-knot"][rng.integers(3)]),
    pushforward=spline_push,
    pullback=spline_pull,
)
splines.wrong("kind", "static", "natural always", pullback=lambda y, p, c, *, kind: spline_pull(y, p, c, kind="natural"))
splines.wrong(
    "second",
    "power",
    "the second derivative",
    pushforward=lambda y, p, t, *, kind: (
        scipy.interpolate.CubicSpline(NODES, p[0], bc_type=kind)(p[1], 2) * t[1] + spline(t[0], p[1], kind=kind)
    ),
)
splines.wrong(
    "linear_basis",
    "constant",
    "the basis of linear interpolation",
    pullback=lambda y, p, c, *, kind: (np.maximum(1 - np.abs(p[1][:, None] - NODES) * 5, 0).T @ c, spline_pull(y, p, c, kind=kind)[1]),
)
splines.wrong("values_held", "missing cotangent", pullback=lambda y, p, c, *, kind: (None, spline_pull(y, p, c, kind=kind)[1]))

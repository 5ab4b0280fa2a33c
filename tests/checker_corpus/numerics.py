"""Integrators, quadrature, root finding, least squares: rules by adjoints and implicit functions."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# an ODE by fixed steps, with the discrete adjoint


def field(u, k):
    return np.array([k[0] * u[0] - k[1] * u[0] * u[1], -u[1] + u[0] * u[1]])


def field_u(u, k):
    return np.array([[k[0] - k[1] * u[1], -k[1] * u[0]], [u[1], -1 + u[0]]])


def field_k(u):
    return np.array([[u[0], -u[0] * u[1]], [0.0, 0.0]], u.dtype)


def euler(u0, k, *, steps=20, h=0.05):
    us = [u0]
    for _ in range(steps):
        us.append(us[-1] + h * field(us[-1], k))
    return np.array(us)


def euler_push(y, p, t, *, steps, h):
    dots = [t[0]]
    for u in y[:-1]:
        dots.append(dots[-1] + h * (field_u(u, p[1]) @ dots[-1] + field_k(u) @ t[1]))
    return np.array(dots)


def euler_pull(y, p, c, *, steps, h, shift=0, transpose=True, last=True):
    u_bar = c[-1].copy() if last else np.zeros(2)
    k_bar = np.zeros(2)
    for i in range(steps - 1, -1, -1):
        k_bar += h * field_k(y[i]).T @ u_bar
        m = field_u(y[min(i + shift, steps)], p[1])
        u_bar = u_bar + h * (m.T if transpose else m) @ u_bar + c[i]
    return u_bar, k_bar


def ode_cases(rng):
    return rb.case(rng.uniform(0.5, 2, 2), rng.uniform(0.5, 2, 2), steps=int(rng.integers(1, 25)), h=float(rng.choice([0.02, 0.05])))


odes = Family(
    "euler", "a whole trajectory as result; discrete adjoint", f=euler, cases=ode_cases, pushforward=euler_push, pullback=euler_pull
)
odes.wrong(
    "shifted",
    "one element",
    "Jacobians one step late",
    pullback=lambda y, p, c, *, steps, h: euler_pull(y, p, c, steps=steps, h=h, shift=1),
)
odes.wrong("untransposed", "transpose", pullback=lambda y, p, c, *, steps, h: euler_pull(y, p, c, steps=steps, h=h, transpose=False))
odes.wrong(
    "last_dropped",
    "one element",
    "the cotangent of the last state is dropped",
    pullback=lambda y, p, c, *, steps, h: euler_pull(y, p, c, steps=steps, h=h, last=False),
)
odes.wrong(
    "only_last",
    "dropped term",
    "cotangents of inner states are dropped",
    pullback=lambda y, p, c, *, steps, h: euler_pull(y, p, np.append(0 * c[:-1], c[-1:], axis=0), steps=steps, h=h),
)
odes.wrong("default_h", "static", pullback=lambda y, p, c, *, steps, h: euler_pull(y, p, c, steps=steps, h=0.05))
odes.wrong(
    "k_held",
    "dropped term",
    "in both",
    pullback=lambda y, p, c, *, steps, h: (euler_pull(y, p, c, steps=steps, h=h)[0], None),
    pushforward=lambda y, p, t, *, steps, h: euler_push(y, p, (t[0], 0 * t[1]), steps=steps, h=h),
)
odes.wrong(
    "accumulates",
    "accumulates",
    "the adjoint is accumulated into the cotangent",
    pullback=lambda y, p, c, *, steps, h: (lambda _: euler_pull(y, p, c, steps=steps, h=h))(np.add.at(c, 0, 1e-3 * c[-1])),
)

# continuous adjoint of a midpoint rule, exact for linear fields


def decay(u0, rate, *, steps=16):
    h = 1 / steps
    u = u0
    for _ in range(steps):
        u = u + h * -rate * (u + h / 2 * -rate * u)
    return u


def growth(rate, steps):
    z = rate / steps
    return (1 - z + z**2 / 2) ** steps, steps * (1 - z + z**2 / 2) ** (steps - 1) * (-1 + z) / steps


decays = Family(
    "midpoint",
    "the slope of the scheme, not of the exact solution",
    f=decay,
    cases=lambda rng: rb.case(rng.standard_normal(2), rng.uniform(0.1, 3), steps=int(rng.integers(2, 20))),
    frule=lambda p, t, *, steps: (decay(*p, steps=steps), growth(p[1], steps)[0] * t[0] + growth(p[1], steps)[1] * p[0] * t[1]),
    rrule=lambda u0, rate, *, steps: (
        decay(u0, rate, steps=steps),
        lambda c: (growth(rate, steps)[0] * c, np.sum(growth(rate, steps)[1] * u0 * c)),
    ),
)
decays.wrong(
    "exact_solution",
    "primal",
    "the primal of the rule is the exact solution",
    rrule=lambda u0, rate, *, steps: (u0 * np.exp(-rate), lambda c: (growth(rate, steps)[0] * c, np.sum(growth(rate, steps)[1] * u0 * c))),
)
decays.wrong(
    "continuous",
    "constant",
    "the adjoint of the exact solution",
    rrule=lambda u0, rate, *, steps: (decay(u0, rate, steps=steps), lambda c: (np.exp(-rate) * c, np.sum(-u0 * np.exp(-rate) * c))),
)
decays.wrong(
    "continuous_both",
    "both alike",
    rrule=lambda u0, rate, *, steps: (decay(u0, rate, steps=steps), lambda c: (np.exp(-rate) * c, np.sum(-u0 * np.exp(-rate) * c))),
    frule=lambda p, t, *, steps: (decay(*p, steps=steps), np.exp(-p[1]) * (t[0] - p[0] * t[1])),
)
decays.wrong(
    "steps",
    "static",
    "steps fixed at 16",
    frule=lambda p, t, *, steps: (decay(*p, steps=steps), growth(p[1], 16)[0] * t[0] + growth(p[1], 16)[1] * p[0] * t[1]),
)

# quadrature between limits that take part

NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def integrand(x, a):
    return np.exp(-a * x**2)


def quadrature(low, high, a):
    half = (high - low) / 2
    x = (high + low) / 2 + half * NODES
    return half * np.sum(WEIGHTS * integrand(x, a))


def quad_partials(low, high, a):
    half = (high - low) / 2
    x = (high + low) / 2 + half * NODES
    return -integrand(low, a), integrand(high, a), half * np.sum(WEIGHTS * -(x**2) * integrand(x, a))


def scalar_rules(partials):
    return {
        "pushforward": lambda y, p, t: sum(d * v for d, v in zip(partials(*p), t, strict=True)),
        "pullback": lambda y, p, c: tuple(d * c for d in partials(*p)),
    }


quads = Family(
    "quadrature",
    "Leibniz: limits and a parameter, all numbers",
    f=quadrature,
    cases=lambda rng: tuple(np.float64(v) for v in (rng.uniform(-1, 0.5), rng.uniform(-1, 1.5), rng.uniform(-0.5, 1.5))),
    **scalar_rules(quad_partials),
)
quads.wrong("limit_sign", "sign", **scalar_rules(lambda low, high, a: (integrand(low, a), *quad_partials(low, high, a)[1:])))
quads.wrong(
    "limits_swapped",
    "swapped",
    pullback=scalar_rules(lambda low, high, a: (-integrand(high, a), integrand(low, a), quad_partials(low, high, a)[2]))["pullback"],
)
quads.wrong(
    "abs_length",
    "wrong branch",
    "wrong where the limits are reversed",
    pullback=scalar_rules(lambda low, high, a: (*quad_partials(low, high, a)[:2], np.sign(high - low) * quad_partials(low, high, a)[2]))[
        "pullback"
    ],
)
quads.wrong(
    "parameter_power", "power", **scalar_rules(lambda low, high, a: (*quad_partials(low, high, a)[:2], a * quad_partials(low, high, a)[2]))
)
quads.wrong(
    "coarse_nodes",
    "constant",
    "the parameter's part by ten times fewer nodes",
    pushforward=scalar_rules(
        lambda low, high, a: (
            *quad_partials(low, high, a)[:2],
            (
                lambda n, w: (
                    (high - low)
                    / 2
                    * np.sum(w * -(((high + low) / 2 + (high - low) / 2 * n) ** 2) * integrand((high + low) / 2 + (high - low) / 2 * n, a))
                )
            )(*np.polynomial.legendre.leggauss(4)),
        )
    )["pushforward"],
)

# a root of a polynomial, by the implicit function theorem


def largest_root(c):
    return np.max(np.real(np.roots(np.concatenate(([1.0], c)))))


def root_partials(y, c):
    n = c.size
    powers = y ** np.arange(n - 1, -1, -1)
    slope = n * y ** (n - 1) + np.sum(c[:-1] * np.arange(n - 1, 0, -1) * y ** np.arange(n - 2, -1, -1))
    return -powers / slope


def root_cases(rng):
    roots = np.cumsum(rng.uniform(0.5, 1.5, int(rng.integers(1, 5)))) - 2
    return (np.poly(roots)[1:],)


roots = Family(
    "largest_root",
    "real roots, found by eigenvalues",
    f=largest_root,
    cases=root_cases,
    accuracy=1e-11,
    pushforward=lambda y, p, t: np.sum(root_partials(y, p[0]) * t[0]),
    pullback=lambda y, p, c: (root_partials(y, p[0]) * c,),
)
roots.wrong("sign", "sign", pullback=lambda y, p, c: (-root_partials(y, p[0]) * c,))
roots.wrong("reversed", "swapped", "coefficients in the other order", pullback=lambda y, p, c: (root_partials(y, p[0])[::-1] * c,))
roots.wrong("no_slope", "dropped term", pushforward=lambda y, p, t: np.sum(-(y ** np.arange(p[0].size - 1, -1, -1)) * t[0]))


def no_leading_term(y, c):
    n = c.size
    slope = np.sum(c[:-1] * np.arange(n - 1, 0, -1) * y ** np.arange(n - 2, -1, -1))
    return -(y ** np.arange(n - 1, -1, -1)) / (slope if n > 1 else 1.0)


roots.wrong(
    "leading_term",
    "dropped term",
    "the leading term is missing in the slope",
    pushforward=lambda y, p, t: np.sum(no_leading_term(y, p[0]) * t[0]),
)

# least squares, by QR


def lstsq(a, b):
    q, r = np.linalg.qr(a)
    return np.linalg.solve(r, q.T @ b)


def lstsq_push(y, p, t):
    a, b = p
    g = a.T @ a
    return np.linalg.solve(g, t[0].T @ (b - a @ y) + a.T @ (t[1] - t[0] @ y))


def lstsq_pull(y, p, c):
    a, b = p
    g = np.linalg.solve(a.T @ a, c)
    return np.outer(b - a @ y, g) - np.outer(a @ g, y), a @ g


fits = Family(
    "lstsq",
    "more rows than columns; the residual has a part",
    f=lstsq,
    cases=lambda rng: (lambda n: (rng.standard_normal((n + 2, n)), rng.standard_normal(n + 2)))(int(rng.integers(1, 4))),
    pushforward=lstsq_push,
    pullback=lstsq_pull,
)
fits.wrong(
    "no_residual",
    "dropped term",
    "right for consistent systems",
    pullback=lambda y, p, c: (-np.outer(lstsq_pull(y, p, c)[1], y), lstsq_pull(y, p, c)[1]),
)
fits.wrong(
    "no_residual_both",
    "dropped term",
    pullback=lambda y, p, c: (-np.outer(lstsq_pull(y, p, c)[1], y), lstsq_pull(y, p, c)[1]),
    pushforward=lambda y, p, t: np.linalg.solve(p[0].T @ p[0], p[0].T @ (t[1] - t[0] @ y)),
)
fits.wrong(
    "residual_sign",
    "sign",
    pullback=lambda y, p, c: (2 * -np.outer(lstsq_pull(y, p, c)[1], y) - lstsq_pull(y, p, c)[0], lstsq_pull(y, p, c)[1]),
)
fits.wrong(
    "ridge",
    "constant",
    "a ridge of 1e-8",
    pullback=lambda y, p, c: (lambda g: (np.outer(p[1] - p[0] @ y, g) - np.outer(p[0] @ g, y), p[0] @ g))(
        np.linalg.solve(p[0].T @ p[0] + 1e-8 * np.eye(c.size), c)
    ),
)

# the R of a QR decomposition, with positive diagonal


def qr_r(a):
    r = np.linalg.qr(a)[1]
    return np.sign(np.diagonal(r))[:, None] * r


def upper_part(m):
    return np.triu(m) + np.tril(m, -1).T


def qr_push(y, p, t):
    m = np.linalg.solve(y.T, (p[0].T @ t[0] + t[0].T @ p[0])) @ np.linalg.inv(y)
    return (np.triu(m) - np.diag(np.diag(m)) / 2) @ y


def qr_pull(y, p, c):
    m = np.triu(c @ y.T)
    m = m - np.diag(np.diag(m)) / 2
    s = np.linalg.solve(y, m) @ np.linalg.inv(y).T
    return (p[0] @ (s + s.T),)


uppers = Family(
    "qr_r",
    "the triangular factor, by Cholesky's rule",
    f=qr_r,
    cases=lambda rng: (rng.standard_normal((4, int(rng.integers(1, 4)))),),
    pushforward=qr_push,
    pullback=qr_pull,
)
uppers.wrong(
    "whole_diagonal",
    "factor",
    pullback=lambda y, p, c: (lambda s: (p[0] @ (s + s.T),))(np.linalg.solve(y, np.triu(c @ y.T)) @ np.linalg.inv(y).T),
)
uppers.wrong(
    "one_side",
    "dropped term",
    pullback=lambda y, p, c: (lambda m: (p[0] @ np.linalg.solve(y, m - np.diag(np.diag(m)) / 2) @ np.linalg.inv(y).T,))(np.triu(c @ y.T)),
)
uppers.wrong(
    "lower",
    "transpose",
    "the lower part",
    pushforward=lambda y, p, t: (lambda m: (np.tril(m) - np.diag(np.diag(m)) / 2) @ y)(
        np.linalg.solve(y.T, p[0].T @ t[0] + t[0].T @ p[0]) @ np.linalg.inv(y)
    ),
)
uppers.wrong(
    "no_sign",
    "wrong branch",
    "the sign of the diagonal is forgotten in the primal",
    rrule=lambda a: (np.linalg.qr(a)[1], lambda c: qr_pull(qr_r(a), (a,), c)),
    pullback=None,
)

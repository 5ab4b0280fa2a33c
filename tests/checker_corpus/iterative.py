"""Functions that iterate to a tolerance: their values carry noise, their rules do not."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# Kepler's equation to 1e-8


def kepler(mean, e, *, tol=1e-8):
    big = mean + e * np.sin(mean)
    for _ in range(100):
        step = (big - e * np.sin(big) - mean) / (1 - e * np.cos(big))
        big = big - step
        if np.max(np.abs(step), initial=0.0) < tol:
            return big
    raise ArithmeticError("no convergence")


def orbit_cases(rng):
    return rng.uniform(-3, 3, int(rng.integers(1, 5))), rng.uniform(0.0, 0.8)


def orbit_partials(y, e):
    s = 1 - e * np.cos(y)
    return 1 / s, np.sin(y) / s


def kepler_push(y, p, t, *, tol):
    by_mean, by_e = orbit_partials(y, p[1])
    return by_mean * t[0] + by_e * t[1]


def kepler_pull(y, p, c, *, tol):
    by_mean, by_e = orbit_partials(y, p[1])
    return by_mean * c, rb.project(p[1], by_e * c)


keplers = Family("kepler", "Newton to 1e-8", f=kepler, cases=orbit_cases, accuracy=1e-8, pushforward=kepler_push, pullback=kepler_pull)
keplers.right("undeclared", "the noise is not declared", accuracy=None)
keplers.wrong("cosine", "sign", "1 + e cos E", pushforward=lambda y, p, t, *, tol: (t[0] + np.sin(y) * t[1]) / (1 + p[1] * np.cos(y)))
keplers.wrong(
    "cosine_both",
    "both alike",
    "1 + e cos E in both",
    pushforward=lambda y, p, t, *, tol: (t[0] + np.sin(y) * t[1]) / (1 + p[1] * np.cos(y)),
    pullback=lambda y, p, c, *, tol: (c / (1 + p[1] * np.cos(y)), rb.project(p[1], np.sin(y) * c / (1 + p[1] * np.cos(y)))),
)
keplers.wrong(
    "mean_anomaly",
    "swapped",
    "the mean anomaly where the eccentric is meant",
    pullback=lambda y, p, c, *, tol: (c / (1 - p[1] * np.cos(p[0])), kepler_pull(y, p, c, tol=tol)[1]),
)
keplers.wrong(
    "e_unsummed", "broadcast sum", pullback=lambda y, p, c, *, tol: (kepler_pull(y, p, c, tol=tol)[0], (orbit_partials(y, p[1])[1] * c)[-1])
)
keplers.wrong(
    "e_held",
    "missing cotangent",
    "undeclared noise; no cotangent for e",
    accuracy=None,
    of="undeclared",
    pullback=lambda y, p, c, *, tol: (kepler_pull(y, p, c, tol=tol)[0], None),
)
keplers.wrong(
    "sine_of_mean",
    "swapped",
    "undeclared, in forward mode",
    accuracy=None,
    of="undeclared",
    pushforward=lambda y, p, t, *, tol: (t[0] + np.sin(p[0]) * t[1]) / (1 - p[1] * np.cos(y)),
    pullback=None,
)

# a fixed point with slow convergence


def settle(a, *, tol=1e-8):
    x = np.zeros_like(a)
    for _ in range(500):
        new = np.cos(a * x) / 2 + a / 4
        if np.max(np.abs(new - x), initial=0.0) < tol:
            return new
        x = new
    raise ArithmeticError("no convergence")


def settle_slope(a, y):
    s = np.sin(a * y) / 2
    return (0.25 - s * y) / (1 + s * a)


fixed = Family(
    "fixed_point",
    "linear convergence to 1e-8",
    f=settle,
    cases=lambda rng: (rng.uniform(-1.5, 1.5, (int(rng.integers(1, 4)),)),),
    accuracy=1e-7,
    frule=lambda p, t, *, tol: (lambda y: (y, settle_slope(p[0], y) * t[0]))(settle(p[0], tol=tol)),
    rrule=lambda a, *, tol: (lambda y: (y, lambda c: (settle_slope(a, y) * c,)))(settle(a, tol=tol)),
)
fixed.right("undeclared", accuracy=None)
fixed.wrong(
    "explicit_part",
    "dropped term",
    "the implicit part is left out",
    rrule=lambda a, *, tol: (settle(a, tol=tol), lambda c: ((0.25 - np.sin(a * settle(a, tol=tol)) / 2 * settle(a, tol=tol)) * c,)),
)
fixed.wrong(
    "minus",
    "sign",
    "1 - s a, in both",
    frule=lambda p, t, *, tol: (lambda y: (y, (0.25 - np.sin(p[0] * y) / 2 * y) / (1 - np.sin(p[0] * y) / 2 * p[0]) * t[0]))(
        settle(p[0], tol=tol)
    ),
    rrule=lambda a, *, tol: (lambda y: (y, lambda c: ((0.25 - np.sin(a * y) / 2 * y) / (1 - np.sin(a * y) / 2 * a) * c,)))(
        settle(a, tol=tol)
    ),
)
fixed.wrong(
    "one_step",
    "primal",
    "the rule's primal stops after three steps",
    rrule=lambda a, *, tol: (settle(a, tol=1e-2), lambda c: (settle_slope(a, settle(a, tol=tol)) * c,)),
)

# bisection: the value is piecewise constant at the scale of its tolerance


def cube_root(a):
    high = np.exp2(np.ceil(np.log2(np.abs(a) + 1e-300) / 3 + 1))
    low = -high
    for _ in range(40):
        mid = (low + high) / 2
        below = mid**3 < a
        low, high = np.where(below, mid, low), np.where(below, high, mid)
    return (low + high) / 2


def cube_cases(rng):
    return (rng.uniform(0.2, 3.0, 3) * rng.choice([-1.0, 1.0], 3),)


cubes = Family(
    "bisection",
    "the value moves in steps of 1e-12",
    f=cube_root,
    cases=cube_cases,
    accuracy=1e-10,
    pushforward=lambda y, p, t: t[0] / (3 * y**2),
    pullback=lambda y, p, c: (c / (3 * y**2),),
)
cubes.right("undeclared", accuracy=None)
cubes.wrong("y_cubed", "power", pullback=lambda y, p, c: (c / (3 * y**3),))
cubes.wrong("argument", "swapped", "the argument in place of the root", pushforward=lambda y, p, t: t[0] / (3 * p[0] ** 2))
cubes.wrong("negative", "wrong branch", "wrong for negative arguments", pullback=lambda y, p, c: (c / (3 * y * np.abs(y)),))
cubes.wrong("two_thirds", "factor", pushforward=lambda y, p, t: t[0] / (2 * y**2), pullback=lambda y, p, c: (c / (2 * y**2),))

# conjugate gradients stopped early


def cg(a, b, *, tol=1e-9):
    m = a @ a.T + np.eye(a.shape[0])
    x, r = np.zeros_like(b), b.copy()
    d = r.copy()
    for _ in range(10 * b.size):
        if np.sqrt(r @ r) <= tol * np.sqrt(b @ b):
            break
        step = (r @ r) / (d @ m @ d)
        x, new = x + step * d, r - step * (m @ d)
        d, r = new + (new @ new) / (r @ r) * d, new
    return x


def cg_pull(y, p, c, *, tol):
    b_bar = cg(p[0], c, tol=tol)
    m_bar = -np.outer(b_bar, y)
    return (m_bar + m_bar.T) @ p[0], b_bar


def cg_push(y, p, t, *, tol):
    m_dot = t[0] @ p[0].T + p[0] @ t[0].T
    return cg(p[0], t[1] - m_dot @ y, tol=tol)


grads = Family(
    "cg",
    "conjugate gradients inside the rules too",
    f=cg,
    cases=lambda rng: (rng.standard_normal((4, 3)), rng.standard_normal(4)),
    accuracy=1e-8,
    pushforward=cg_push,
    pullback=cg_pull,
)
grads.wrong("one_sided", "dropped term", pullback=lambda y, p, c, *, tol: (-np.outer(cg(p[0], c, tol=tol), y) @ p[0], cg(p[0], c, tol=tol)))
grads.wrong(
    "doubled",
    "factor",
    "twice one term for the sum of both",
    pullback=lambda y, p, c, *, tol: (-2 * np.outer(cg(p[0], c, tol=tol), y) @ p[0], cg(p[0], c, tol=tol)),
)
grads.wrong("loose", "static", "the adjoint solve uses tol=0.1", pullback=lambda y, p, c, *, tol: cg_pull(y, p, c, tol=0.1))
grads.wrong("sign", "sign", pullback=lambda y, p, c, *, tol: (-cg_pull(y, p, c, tol=tol)[0], cg_pull(y, p, c, tol=tol)[1]))

# the largest eigenvalue by power iteration


def leading(a):
    m = a.T @ a
    v = np.ones(m.shape[0])
    for _ in range(2000):
        new = m @ v
        new /= np.sqrt(new @ new)
        if np.max(np.abs(new - v)) < 1e-9:
            break
        v = new
    return new @ m @ new


def leading_vector(a):
    return np.linalg.eigh(a.T @ a)[1][:, -1]


tops = Family(
    "power_iteration",
    "a quotient whose error is the square of the vector's",
    f=leading,
    cases=lambda rng: (rng.standard_normal((3, 3)) + np.diag([4.0, 1.0, 0.0]),),
    accuracy=1e-9,
    pushforward=lambda y, p, t: 2 * (p[0] @ leading_vector(p[0])) @ (t[0] @ leading_vector(p[0])),
    pullback=lambda y, p, c: (2 * c * np.outer(p[0] @ leading_vector(p[0]), leading_vector(p[0])),),
)
tops.wrong("transposed", "transpose", pullback=lambda y, p, c: (2 * c * np.outer(leading_vector(p[0]), p[0] @ leading_vector(p[0])),))
tops.wrong("no_two", "factor", pushforward=lambda y, p, t: (p[0] @ leading_vector(p[0])) @ (t[0] @ leading_vector(p[0])))
tops.wrong(
    "smallest",
    "swapped",
    "the other end of the spectrum",
    pullback=lambda y, p, c: ((lambda v: 2 * c * np.outer(p[0] @ v, v))(np.linalg.eigh(p[0].T @ p[0])[1][:, 0]),),
)
tops.wrong(
    "rayleigh_of_a",
    "dropped term",
    "A v left out",
    pullback=lambda y, p, c: (2 * c * np.outer(leading_vector(p[0]), leading_vector(p[0])),),
)

# Newton's method that starts where it stopped before


def warm_root():
    last = {"x": 1.0}

    def lambert(a):
        x = np.full_like(a, last["x"])
        for _ in range(60):
            step = (x * np.exp(x) - a) / (np.exp(x) * (1 + x))
            x = x - step
            if np.max(np.abs(step)) < 1e-9:
                break
        last["x"] = float(np.mean(x))
        return x

    return {"f": lambert}


warm = Family(
    "warm_start",
    "starts where the last call stopped: equal to 1e-10 only",
    build=warm_root,
    cases=lambda rng: (rng.uniform(0.3, 4.0, 3),),
    accuracy=1e-8,
    pushforward=lambda y, p, t: t[0] / (np.exp(y) * (1 + y)),
    pullback=lambda y, p, c: (c / (np.exp(y) * (1 + y)),),
)
warm.wrong("dropped", "dropped term", pullback=lambda y, p, c: (c / np.exp(y),))
warm.wrong("y_for_a", "swapped", pushforward=lambda y, p, t: t[0] / (np.exp(p[0]) * (1 + p[0])))
warm.wrong("numerator", "power", "W / (a (1 + W)) with a wrong a", pullback=lambda y, p, c: (y * c / (p[0] ** 2 * (1 + y)),))

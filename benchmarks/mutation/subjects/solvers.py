"""Iterative solvers with a declared accuracy, and steps of differential equations with their adjoints."""

import numpy as np

from benchmarks.mutation.subject import normal, option, subject


def kepler(mean, eccentricity):
    """E with E - e sin E = M, by Newton's method."""
    big = mean + eccentricity * np.sin(mean)
    for _ in range(50):
        step = (big - eccentricity * np.sin(big) - mean) / (1 - eccentricity * np.cos(big))
        big = big - step
        if np.all(np.abs(step) < 1e-9):
            break
    return big


def kepler_pushforward(y, primals, tangents):
    _mean, eccentricity = primals
    mean_dot, eccentricity_dot = tangents
    return (mean_dot + np.sin(y) * eccentricity_dot) / (1 - eccentricity * np.cos(y))


def kepler_pullback(y, primals, y_bar):
    _mean, eccentricity = primals
    mean_bar = y_bar / (1 - eccentricity * np.cos(y))
    return mean_bar, np.sum(mean_bar * np.sin(y))


def dottie(a, *, tol=1e-10):
    """x with cos(a x) = x, by iterating."""
    x = np.ones_like(a)
    for _ in range(500):
        new = np.cos(a * x)
        if np.all(np.abs(new - x) < tol):
            return new
        x = new
    return x


def dottie_frule(primals, tangents, *, tol):
    (a,), (a_dot,) = primals, tangents
    x = dottie(a, tol=tol)
    s = np.sin(a * x)
    return x, -s * x / (1 + a * s) * a_dot


def dottie_rrule(a, *, tol):
    x = dottie(a, tol=tol)

    def pullback(x_bar):
        s = np.sin(a * x)
        return (-x * s * x_bar / (1 + a * s),)

    return x, pullback


def conjugate_gradients(a, b, *, tol=1e-10):
    """The solve with a symmetric positive definite matrix."""
    x = np.zeros_like(b)
    r = b - a @ x
    p, rr = r, r @ r
    for _ in range(10 * len(b)):
        if rr <= tol**2 * (b @ b):
            break
        ap = a @ p
        alpha = rr / (p @ ap)
        x, r = x + alpha * p, r - alpha * ap
        rr, old = r @ r, rr
        p = r + rr / old * p
    return x


def conjugate_gradients_frule(primals, tangents, *, tol):
    a, b = primals
    a_dot, b_dot = tangents
    x = conjugate_gradients(a, b, tol=tol)
    return x, conjugate_gradients(a, b_dot - a_dot @ x, tol=tol)


def conjugate_gradients_rrule(a, b, *, tol):
    x = conjugate_gradients(a, b, tol=tol)

    def pullback(x_bar):
        b_bar = conjugate_gradients(a, x_bar, tol=tol)
        a_bar = -np.outer(b_bar, x)
        return (a_bar + a_bar.T) / 2, b_bar

    return x, pullback


def symmetric_first(index, tangent):
    return (tangent + tangent.T) / 2 if index == 0 else tangent


def conjugate_gradients_case(rng):
    a = rng.standard_normal((4, 4))
    return a @ a.T + 2 * np.eye(4), rng.standard_normal(4)


def cubic_root(p, q):
    """The real root of x**3 + p x + q for p > 0, by bisection."""
    low, high = -1.0 - abs(q), 1.0 + abs(q)
    for _ in range(60):
        middle = (low + high) / 2
        if middle**3 + p * middle + q < 0:
            low = middle
        else:
            high = middle
    return np.asarray((low + high) / 2)


def cubic_root_pushforward(y, primals, tangents):
    p_dot, q_dot = tangents
    return -(y * p_dot + q_dot) / (3 * y**2 + primals[0])


def cubic_root_pullback(y, primals, y_bar):
    p, _q = primals
    scaled = y_bar / (3 * y**2 + p)
    return -y * scaled, -scaled


def inverse_sqrt(x):
    """By Newton's method, a fixed number of steps."""
    _mantissa, exponent = np.frexp(x)
    y = np.ldexp(1.0, -(exponent // 2))
    for _ in range(10):
        y = y * (1.5 - 0.5 * x * y * y)
    return y


def inverse_sqrt_frule(primals, tangents):
    y = inverse_sqrt(primals[0])
    return y, -0.5 * y**3 * tangents[0]


def inverse_sqrt_rrule(x):
    y = inverse_sqrt(x)
    cube = y * y * y

    def pullback(y_bar):
        return (-cube * y_bar / 2,)

    return y, pullback


def rk4(state, rate, *, dt=0.1, steps=3):
    """The van der Pol oscillator by Runge and Kutta."""
    for _ in range(steps):
        k1 = field(state, rate)
        k2 = field(state + dt / 2 * k1, rate)
        k3 = field(state + dt / 2 * k2, rate)
        k4 = field(state + dt * k3, rate)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def field(s, rate):
    return np.stack([s[1], rate * (1 - s[0] ** 2) * s[1] - s[0]])


def field_pushforward(s, rate, s_dot, rate_dot):
    second = rate_dot * (1 - s[0] ** 2) * s[1] - 2 * rate * s[0] * s_dot[0] * s[1] + rate * (1 - s[0] ** 2) * s_dot[1] - s_dot[0]
    return np.stack([s_dot[1], second])


def field_pullback(s, rate, k_bar):
    first = k_bar[1] * (-2 * rate * s[0] * s[1] - 1)
    second = k_bar[0] + k_bar[1] * rate * (1 - s[0] ** 2)
    return np.stack([first, second]), k_bar[1] * (1 - s[0] ** 2) * s[1]


def rk4_frule(primals, tangents, *, dt, steps):
    state, rate = primals
    state_dot, rate_dot = tangents
    for _ in range(steps):
        total, total_dot = 0.0, 0.0
        k, k_dot = np.zeros_like(state), np.zeros_like(state)
        for weight, shift in ((1, 0.0), (2, 0.5), (2, 0.5), (1, 1.0)):
            s, s_dot = state + dt * shift * k, state_dot + dt * shift * k_dot
            k, k_dot = field(s, rate), field_pushforward(s, rate, s_dot, rate_dot)
            total, total_dot = total + weight * k, total_dot + weight * k_dot
        state, state_dot = state + dt / 6 * total, state_dot + dt / 6 * total_dot
    return state, state_dot


def rk4_rrule(state, rate, *, dt, steps):
    tape = []
    for _ in range(steps):
        s1 = state
        k1 = field(s1, rate)
        s2 = state + dt / 2 * k1
        k2 = field(s2, rate)
        s3 = state + dt / 2 * k2
        k3 = field(s3, rate)
        s4 = state + dt * k3
        tape.append((s1, s2, s3, s4))
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + field(s4, rate))

    def pullback(y_bar):
        state_bar, rate_bar = y_bar, np.zeros_like(rate)
        for s1, s2, s3, s4 in reversed(tape):
            b4, r4 = field_pullback(s4, rate, dt / 6 * state_bar)
            b3, r3 = field_pullback(s3, rate, dt / 3 * state_bar + dt * b4)
            b2, r2 = field_pullback(s2, rate, dt / 3 * state_bar + dt / 2 * b3)
            b1, r1 = field_pullback(s1, rate, dt / 6 * state_bar + dt / 2 * b2)
            state_bar = state_bar + b1 + b2 + b3 + b4
            rate_bar = rate_bar + r1 + r2 + r3 + r4
        return state_bar, rate_bar

    return state, pullback


def rk4_case(rng):
    return rng.standard_normal(2), rng.uniform(0.2, 2.0)


def leapfrog(q, p, *, dt=0.1):
    """One step in the potential of a pendulum; two results."""
    p = p - dt / 2 * np.sin(q)
    q = q + dt * p
    return q, p - dt / 2 * np.sin(q)


def leapfrog_frule(primals, tangents, *, dt):
    (q, p), (q_dot, p_dot) = primals, tangents
    half = p - dt / 2 * np.sin(q)
    half_dot = p_dot - dt / 2 * np.cos(q) * q_dot
    new, new_dot = q + dt * half, q_dot + dt * half_dot
    return (new, half - dt / 2 * np.sin(new)), (new_dot, half_dot - dt / 2 * np.cos(new) * new_dot)


def leapfrog_rrule(q, p, *, dt):
    half = p - dt / 2 * np.sin(q)
    new = q + dt * half

    def pullback(y_bar):
        new_bar, p_bar = y_bar
        new_bar = new_bar - dt / 2 * np.cos(new) * p_bar
        half_bar = p_bar + dt * new_bar
        return new_bar - dt / 2 * np.cos(q) * half_bar, half_bar

    return (new, half - dt / 2 * np.sin(new)), pullback


def heat(u, conductivity, *, dt=0.2):
    """One implicit step of the heat equation on a line with cold ends."""
    return np.linalg.solve(heat_matrix(len(u), conductivity, dt), u)


def heat_matrix(n, conductivity, dt):
    second = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    return np.eye(n) + dt * conductivity * second


def heat_pushforward(y, primals, tangents, *, dt):
    u, conductivity = primals
    u_dot, conductivity_dot = tangents
    n = len(u)
    moved = (heat_matrix(n, conductivity_dot, dt) - np.eye(n)) @ y
    return np.linalg.solve(heat_matrix(n, conductivity, dt), u_dot - moved)


def heat_pullback(y, primals, y_bar, *, dt):
    u, conductivity = primals
    u_bar = np.linalg.solve(heat_matrix(len(u), conductivity, dt).T, y_bar)
    neighbours = 2 * y
    neighbours[1:] -= y[:-1]
    neighbours[:-1] -= y[1:]
    return u_bar, -dt * np.dot(u_bar, neighbours)


def heat_case(rng):
    return rng.standard_normal(5), rng.uniform(0.3, 2.0)


SUBJECTS = (
    subject(
        kepler,
        pushforward=kepler_pushforward,
        pullback=kepler_pullback,
        cases=(lambda rng: (rng.uniform(0, 6, 4), rng.uniform(0, 0.8)),),
        accuracy=1e-12,
    ),
    subject(
        dottie,
        frule=dottie_frule,
        rrule=dottie_rrule,
        cases=(lambda rng: (rng.uniform(0.2, 1.1, 3),), option(lambda rng: (rng.uniform(0.2, 1.1),), tol=(1e-11, 1e-10))),
        accuracy=1e-8,
    ),
    subject(
        conjugate_gradients,
        frule=conjugate_gradients_frule,
        rrule=conjugate_gradients_rrule,
        cases=(conjugate_gradients_case,),
        tangent_space=symmetric_first,
        accuracy=1e-8,
    ),
    subject(
        cubic_root,
        pushforward=cubic_root_pushforward,
        pullback=cubic_root_pullback,
        cases=(lambda rng: (rng.uniform(0.5, 3.0), rng.standard_normal()),),
        accuracy=1e-13,
    ),
    subject(inverse_sqrt, frule=inverse_sqrt_frule, rrule=inverse_sqrt_rrule, cases=(lambda rng: (rng.uniform(0.1, 30.0, 4),),)),
    subject(rk4, frule=rk4_frule, rrule=rk4_rrule, cases=(rk4_case, option(rk4_case, dt=(0.05, 0.2), steps=(1, 2)))),
    subject(leapfrog, frule=leapfrog_frule, rrule=leapfrog_rrule, cases=(normal((3,), (3,)), option(normal((2,), (2,)), dt=(0.5, 0.02)))),
    subject(heat, pushforward=heat_pushforward, pullback=heat_pullback, cases=(heat_case, option(heat_case, dt=(1.0, 0.05)))),
)

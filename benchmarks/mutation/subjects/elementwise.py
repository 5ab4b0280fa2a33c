"""Elementwise functions, many with branches, some broadcasting."""

import numpy as np

import rulebook as rb
from benchmarks.mutation.subject import normal, option, subject


def softplus(x):
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def softplus_pushforward(y, primals, tangents):
    (x,) = primals
    (x_dot,) = tangents
    return x_dot * np.exp(x - y)


def softplus_pullback(y, primals, y_bar):
    (x,) = primals
    return (y_bar * np.exp(x - y),)


def huber(x, *, delta=1.0):
    small = np.abs(x) <= delta
    return np.where(small, 0.5 * x**2, delta * (np.abs(x) - 0.5 * delta))


def huber_frule(primals, tangents, *, delta):
    (x,) = primals
    slope = np.where(np.abs(x) <= delta, x, delta * np.sign(x))
    return huber(x, delta=delta), slope * tangents[0]


def huber_rrule(x, *, delta):
    small = np.abs(x) <= delta

    def pullback(y_bar):
        return (np.where(small, x, delta * np.sign(x)) * y_bar,)

    return huber(x, delta=delta), pullback


def leaky(x, *, slope=0.1):
    return np.where(x > 0, x, slope * x)


def leaky_pushforward(y, primals, tangents, *, slope):
    return np.where(primals[0] > 0, tangents[0], slope * tangents[0])


def leaky_pullback(y, primals, y_bar, *, slope):
    factor = np.where(primals[0] > 0, 1.0, slope)
    return (factor * y_bar,)


def sinc(x):
    near = np.abs(x) < 1e-2
    safe = np.where(near, 1.0, x)
    return np.where(near, 1 - x**2 / 6 + x**4 / 120, np.sin(safe) / safe)


def sinc_slope(x):
    near = np.abs(x) < 1e-2
    safe = np.where(near, 1.0, x)
    return np.where(near, -x / 3 + x**3 / 30 - x**5 / 840, (np.cos(safe) - np.sin(safe) / safe) / safe)


def sinc_frule(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    near = np.abs(x) < 1e-2
    safe = np.where(near, 1.0, x)
    slope = np.where(near, -x / 3 + x**3 / 30 - x**5 / 840, (np.cos(safe) - np.sin(safe) / safe) / safe)
    return sinc(x), slope * x_dot


def sinc_rrule(x):
    slope = sinc_slope(x)

    def pullback(y_bar):
        return (slope * y_bar,)

    return sinc(x), pullback


def log1mexp(x):
    """log(1 - exp(x)) for x < 0."""
    return np.where(x > -0.6931, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def log1mexp_pushforward(y, primals, tangents):
    x = primals[0]
    return -tangents[0] / np.expm1(-x)


def log1mexp_pullback(y, primals, y_bar):
    (x,) = primals
    x_bar = -y_bar / np.expm1(-x)
    return (x_bar,)


def arctan2(a, b):
    return np.arctan2(a, b)


def arctan2_frule(primals, tangents):
    a, b = primals
    a_dot, b_dot = tangents
    square = a * a + b * b
    return np.arctan2(a, b), (b * a_dot - a * b_dot) / square


def arctan2_rrule(a, b):
    square = a**2 + b**2

    def pullback(y_bar):
        scaled = y_bar / square
        return rb.project(a, b * scaled), rb.project(b, -a * scaled)

    return np.arctan2(a, b), pullback


def power(x, p):
    return x**p


def power_pushforward(y, primals, tangents):
    x, p = primals
    x_dot, p_dot = tangents
    return p * x ** (p - 1) * x_dot + y * np.log(x) * p_dot


def power_pullback(y, primals, y_bar):
    x, p = primals
    x_bar = y_bar * p * x ** (p - 1)
    p_bar = y_bar * y * np.log(x)
    return rb.project(x, x_bar), rb.project(p, p_bar)


def power_case(rng):
    return rng.uniform(0.1, 3.0, (2, 3)), rng.uniform(-2.0, 3.0, (3,))


def clip(x, *, low=-1.0, high=1.0):
    return np.clip(x, low, high)


def clip_frule(primals, tangents, *, low, high):
    (x,) = primals
    inside = (x > low) & (x < high)
    return np.clip(x, low, high), np.where(inside, tangents[0], 0.0)


def clip_rrule(x, *, low, high):
    y = np.clip(x, low, high)

    def pullback(y_bar):
        x_bar = y_bar.copy()
        x_bar[(x < low) | (x > high)] = 0.0
        return (x_bar,)

    return y, pullback


def smoothstep(x, *, edge=1.0):
    t = np.clip(x / edge, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def smoothstep_pushforward(y, primals, tangents, *, edge):
    t = np.clip(primals[0] / edge, 0.0, 1.0)
    return 6 * t * (1 - t) / edge * tangents[0]


def smoothstep_pullback(y, primals, y_bar, *, edge):
    t = np.clip(primals[0] / edge, 0.0, 1.0)
    return (6 * t * (1 - t) * y_bar / edge,)


def xlogy(x, y):
    return np.where(x == 0, 0.0, x * np.log(y))


def xlogy_frule(primals, tangents):
    x, y = primals
    x_dot, y_dot = tangents
    return xlogy(x, y), np.log(y) * x_dot + x / y * y_dot


def xlogy_rrule(x, y):
    log = np.log(y)

    def pullback(z_bar):
        return rb.project(x, z_bar * log), rb.project(y, z_bar * x / y)

    return xlogy(x, y), pullback


def xlogy_case(rng):
    return rng.uniform(0.1, 2.0, (4, 1)), rng.uniform(0.1, 4.0, (3,))


def hypot(a, b):
    return np.hypot(a, b)


def hypot_pushforward(y, primals, tangents):
    a, b = primals
    a_dot, b_dot = tangents
    return a / y * a_dot + b / y * b_dot


def hypot_pullback(y, primals, y_bar):
    a, b = primals
    return rb.thunk(lambda: rb.project(a, y_bar * a / y)), rb.thunk(lambda: rb.project(b, y_bar * b / y))


def lorentz(x, center, width):
    """A line shape."""
    return width / np.pi / ((x - center) ** 2 + width**2)


def lorentz_frule(primals, tangents):
    x, center, width = primals
    x_dot, center_dot, width_dot = tangents
    d = x - center
    q = d**2 + width**2
    y = width / np.pi / q
    d_dot = x_dot - center_dot
    y_dot = width_dot / np.pi / q - y * (2 * d * d_dot + 2 * width * width_dot) / q
    return y, y_dot


def lorentz_rrule(x, center, width):
    d = x - center
    q = d**2 + width**2
    y = width / np.pi / q

    def pullback(y_bar):
        d_bar = -2 * d * y / q * y_bar
        width_bar = y_bar * (1 / np.pi - 2 * width * y) / q
        return rb.project(x, d_bar), rb.project(center, -d_bar), rb.project(width, width_bar)

    return y, pullback


def lorentz_case(rng):
    return rng.standard_normal(7), rng.standard_normal(), rng.uniform(0.3, 2.0)


def relative_error(a, b):
    """|a - b| over the larger of the two."""
    return np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))


def relative_error_pushforward(y, primals, tangents):
    a, b = primals
    a_dot, b_dot = tangents
    first = np.abs(a) >= np.abs(b)
    top = np.where(first, a, b)
    top_dot = np.where(first, a_dot, b_dot)
    return np.sign(a - b) * (a_dot - b_dot) / np.abs(top) - y * top_dot / top


def relative_error_pullback(y, primals, y_bar):
    a, b = primals
    first = np.abs(a) >= np.abs(b)
    top = np.where(first, a, b)
    difference_bar = y_bar * np.sign(a - b) / np.abs(top)
    top_bar = -y_bar * y / top
    a_bar = difference_bar + np.where(first, top_bar, 0.0)
    b_bar = np.where(first, 0.0, top_bar) - difference_bar
    return a_bar, b_bar


SUBJECTS = (
    subject(
        softplus, pushforward=softplus_pushforward, pullback=softplus_pullback, cases=(normal((5,), scale=3), normal(()), normal((2, 3)))
    ),
    subject(
        huber,
        frule=huber_frule,
        rrule=huber_rrule,
        cases=(normal((6,), scale=2), option(normal((2, 4), scale=2), delta=(0.5, 1.5))),
    ),
    subject(
        leaky,
        pushforward=leaky_pushforward,
        pullback=leaky_pullback,
        cases=(normal((6,)), option(normal((3, 2)), slope=(0.3, 0.01))),
    ),
    subject(sinc, frule=sinc_frule, rrule=sinc_rrule, cases=(normal((6,), scale=2), normal((8,), scale=0.02), normal((3,), scale=1e-3))),
    subject(
        log1mexp,
        pushforward=log1mexp_pushforward,
        pullback=log1mexp_pullback,
        cases=(lambda rng: (-rng.exponential(1.0, 6),), lambda rng: (-rng.exponential(0.01, (2, 2)),)),
    ),
    subject(arctan2, frule=arctan2_frule, rrule=arctan2_rrule, cases=(normal((4,), (4,)), normal((3, 1), (2,)), normal((), (3,)))),
    subject(power, pushforward=power_pushforward, pullback=power_pullback, cases=(power_case, lambda rng: (rng.uniform(0.5, 2, 4), 2.0))),
    subject(
        clip, frule=clip_frule, rrule=clip_rrule, cases=(normal((8,), scale=2), option(normal((6,)), low=(-0.5, -2.0), high=(0.2, 0.7)))
    ),
    subject(
        smoothstep,
        pushforward=smoothstep_pushforward,
        pullback=smoothstep_pullback,
        cases=(lambda rng: (rng.uniform(-0.5, 1.5, 7),), option(normal((5,), scale=2), edge=(0.7, 2.0))),
    ),
    subject(xlogy, frule=xlogy_frule, rrule=xlogy_rrule, cases=(xlogy_case, lambda rng: (np.array([0.0, 1.5]), rng.uniform(0.5, 2, 2)))),
    subject(hypot, pushforward=hypot_pushforward, pullback=hypot_pullback, cases=(normal((4,), (4,)), normal((2, 1), (1, 3)))),
    subject(lorentz, frule=lorentz_frule, rrule=lorentz_rrule, cases=(lorentz_case,)),
    subject(
        relative_error,
        pushforward=relative_error_pushforward,
        pullback=relative_error_pullback,
        cases=(normal((6,), (6,)), lambda rng: (rng.uniform(1, 2, (2, 3)), rng.uniform(1, 2, (2, 3)))),
    ),
)

"""Equations with known solutions, and the steps of the methods written out."""

import numpy as np

import rulebook as rb


def predator_prey(y, t, rates):
    """Lotka and Volterra, with a season."""
    xp = rb.xp(y, t, rates)
    hare, lynx = y[0], y[1]
    grow = rates[0] * hare - rates[1] * hare * lynx + 0.1 * xp.sin(t)
    return xp.stack([grow, rates[2] * hare * lynx - rates[3] * lynx])


PREY = np.array([1.0, 0.5]), np.array([0.0, 0.4, 1.1, 2.0]), np.array([1.0, 0.8, 0.5, 1.2])


def logistic(y, t, rate, capacity):
    return rate * y * (1 - y / capacity)


def logistic_solution(y0, t, rate, capacity):
    return capacity / (1 + (capacity / y0 - 1) * rb.xp(t, rate).exp(-rate * (t - t[0])))


def logistic_of(x):
    """Everything that the solution depends on, as functions of one number."""
    xp = rb.xp(x)
    times = xp.stack([0.1 * x, 0.7 + 0.3 * x, 1.5 - x])
    return 0.5 + 0.2 * x, times, 1.3 + 0.4 * x, 2.0 - 0.3 * x


WEIGHTS = (0.3, -1.2, 0.7)


def weighted(ys):
    return sum(w * ys[i] for i, w in enumerate(WEIGHTS))


def unrolled(method, steps, field, y, t, *theta):
    """The steps of a method in plain code, with nothing but arithmetic."""
    xp = rb.xp(y, t, *theta)
    ys = [y]
    for i in range(t.shape[0] - 1):
        h = (t[i + 1] - t[i]) / steps
        for k in range(steps):
            y = STEPS[method](lambda y, t: field(y, t, *theta), y, t[i] + k * h, h)
        ys.append(y)
    return xp.stack(ys)


def _euler(f, y, t, h):
    return y + h * f(y, t)


def _midpoint(f, y, t, h):
    return y + h * f(y + h / 2 * f(y, t), t + h / 2)


def _heun(f, y, t, h):
    first = f(y, t)
    return y + h / 2 * (first + f(y + h * first, t + h))


def _rk4(f, y, t, h):
    a = f(y, t)
    b = f(y + h / 2 * a, t + h / 2)
    c = f(y + h / 2 * b, t + h / 2)
    return y + h / 6 * (a + 2 * b + 2 * c + f(y + h * c, t + h))


STEPS = {"euler": _euler, "midpoint": _midpoint, "heun": _heun, "rk4": _rk4}
ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}

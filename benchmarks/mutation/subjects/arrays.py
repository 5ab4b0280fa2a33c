"""Gather and scatter, cumulative functions, stencils, interpolation."""

import numpy as np

import rulebook as rb
from benchmarks.mutation.subject import normal, option, subject


def take(x, index):
    """Rows of x; rows may repeat."""
    return x[index]


def take_frule(primals, tangents):
    x, index = primals
    return x[index], tangents[0][index]


def take_rrule(x, index):
    def pullback(y_bar):
        x_bar = np.zeros_like(x)
        np.add.at(x_bar, index, y_bar)
        return x_bar, None

    return x[index], pullback


def segment_sum(x, segment, *, n=4):
    """The sums of the rows of each segment."""
    y = np.zeros((n, *x.shape[1:]), x.dtype)
    np.add.at(y, segment, x)
    return y


def segment_sum_pushforward(y, primals, tangents, *, n):
    y_dot = np.zeros_like(y)
    np.add.at(y_dot, primals[1], tangents[0])
    return y_dot


def segment_sum_pullback(y, primals, y_bar, *, n):
    _x, segment = primals
    return y_bar[segment], rb.NoTangent()


def cumsum(x, *, axis=0, reverse=False):
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def cumsum_frule(primals, tangents, *, axis, reverse):
    x, x_dot = primals[0], tangents[0]
    return cumsum(x, axis=axis, reverse=reverse), cumsum(x_dot, axis=axis, reverse=reverse)


def cumsum_rrule(x, *, axis, reverse):
    def pullback(y_bar):
        if reverse:
            return (np.cumsum(y_bar, axis),)
        return (np.flip(np.cumsum(np.flip(y_bar, axis), axis), axis),)

    return cumsum(x, axis=axis, reverse=reverse), pullback


def cumprod(x):
    return np.cumprod(x)


def cumprod_pushforward(y, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    y_dot = np.empty_like(y)
    p, p_dot = 1.0, 0.0
    for i in range(len(x)):
        p_dot = p_dot * x[i] + p * x_dot[i]
        p = p * x[i]
        y_dot[i] = p_dot
    return y_dot


def cumprod_pullback(y, primals, y_bar):
    (x,) = primals
    x_bar = np.empty_like(x)
    carried = 0.0
    for i in reversed(range(len(x))):
        carried = carried + y_bar[i]
        before = y[i - 1] if i > 0 else 1.0
        x_bar[i] = carried * before
        carried = carried * x[i]
    return (x_bar,)


def sort(x, *, descending=False):
    y = np.sort(x)
    return y[::-1] if descending else y


def sort_frule(primals, tangents, *, descending):
    x = primals[0]
    order = np.argsort(x, kind="stable")
    if descending:
        order = order[::-1]
    return x[order], tangents[0][order]


def sort_rrule(x, *, descending):
    order = np.argsort(x, kind="stable")
    if descending:
        order = order[::-1]

    def pullback(y_bar):
        x_bar = np.empty_like(x)
        x_bar[order] = y_bar
        return (x_bar,)

    return x[order], pullback


def laplacian(u, *, spacing=1.0, periodic=True):
    """Second differences of a line."""
    left, right = np.roll(u, 1), np.roll(u, -1)
    if not periodic:
        left[0] = right[-1] = 0.0
    return (left - 2 * u + right) / spacing**2


def laplacian_frule(primals, tangents, *, spacing, periodic):
    u, u_dot = primals[0], tangents[0]
    return laplacian(u, spacing=spacing, periodic=periodic), laplacian(u_dot, spacing=spacing, periodic=periodic)


def laplacian_rrule(u, *, spacing, periodic):
    y = laplacian(u, spacing=spacing, periodic=periodic)

    def pullback(y_bar):
        scaled = y_bar / spacing**2
        u_bar = -2 * scaled
        u_bar[1:] += scaled[:-1]
        u_bar[:-1] += scaled[1:]
        if periodic:
            u_bar[0] += scaled[-1]
            u_bar[-1] += scaled[0]
        return (u_bar,)

    return y, pullback


def upwind(u, velocity, *, courant=0.4):
    """One step of the upwind scheme on a ring; the side depends on the sign of each velocity."""
    back = u - np.roll(u, 1)
    ahead = np.roll(u, -1) - u
    return u - courant * velocity * np.where(velocity > 0, back, ahead)


def upwind_pushforward(y, primals, tangents, *, courant):
    u, velocity = primals
    u_dot, velocity_dot = tangents
    slope = np.where(velocity > 0, u - np.roll(u, 1), np.roll(u, -1) - u)
    slope_dot = np.where(velocity > 0, u_dot - np.roll(u_dot, 1), np.roll(u_dot, -1) - u_dot)
    return u_dot - courant * (velocity_dot * slope + velocity * slope_dot)


def upwind_pullback(y, primals, y_bar, *, courant):
    u, velocity = primals
    positive = velocity > 0
    slope = np.where(positive, u - np.roll(u, 1), np.roll(u, -1) - u)
    slope_bar = -courant * velocity * y_bar
    back_bar = np.where(positive, slope_bar, 0.0)
    ahead_bar = np.where(positive, 0.0, slope_bar)
    u_bar = y_bar + back_bar - np.roll(back_bar, -1) + np.roll(ahead_bar, 1) - ahead_bar
    return u_bar, -courant * slope * y_bar


def convolve(x, kernel, *, mode="full"):
    return np.convolve(x, kernel, mode)


def convolve_frule(primals, tangents, *, mode):
    x, kernel = primals
    y_dot = np.convolve(tangents[0], kernel, mode) + np.convolve(x, tangents[1], mode)
    return np.convolve(x, kernel, mode), y_dot


def convolve_rrule(x, kernel, *, mode):
    def pullback(y_bar):
        if mode == "full":
            return np.correlate(y_bar, kernel, "valid"), np.correlate(y_bar, x, "valid")
        return np.convolve(y_bar, kernel[::-1], "full"), np.correlate(x, y_bar, "valid")[::-1]

    return np.convolve(x, kernel, mode), pullback


def trapezoid(y, x):
    """The integral of samples y at places x."""
    return np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2


def trapezoid_pushforward(z, primals, tangents):
    y, x = primals
    y_dot, x_dot = tangents
    return (np.sum(np.diff(x) * (y_dot[1:] + y_dot[:-1])) + np.sum(np.diff(x_dot) * (y[1:] + y[:-1]))) / 2


def trapezoid_pullback(z, primals, z_bar):
    y, x = primals
    width = np.diff(x)
    height = y[1:] + y[:-1]
    y_bar, x_bar = np.zeros_like(y), np.zeros_like(x)
    y_bar[1:] += width
    y_bar[:-1] += width
    x_bar[1:] += height
    x_bar[:-1] -= height
    return z_bar / 2 * y_bar, z_bar / 2 * x_bar


def interpolate(x, knots, values):
    """Piecewise linear; constant outside."""
    return np.interp(x, knots, values)


def interpolate_frule(primals, tangents):
    x, knots, values = primals
    x_dot, knots_dot, values_dot = tangents
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    width = knots[i + 1] - knots[i]
    slope = (values[i + 1] - values[i]) / width
    t = np.clip((x - knots[i]) / width, 0.0, 1.0)
    inside = (x > knots[0]) & (x < knots[-1])
    moved = x_dot - (1 - t) * knots_dot[i] - t * knots_dot[i + 1]
    y_dot = (1 - t) * values_dot[i] + t * values_dot[i + 1] + np.where(inside, slope * moved, 0.0)
    return np.interp(x, knots, values), y_dot


def interpolate_rrule(x, knots, values):
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    width = knots[i + 1] - knots[i]
    t = np.clip((x - knots[i]) / width, 0.0, 1.0)
    slope = (values[i + 1] - values[i]) / width
    inside = (x > knots[0]) & (x < knots[-1])

    def pullback(y_bar):
        values_bar = np.zeros_like(values)
        np.add.at(values_bar, i, (1 - t) * y_bar)
        np.add.at(values_bar, i + 1, t * y_bar)
        x_bar = np.where(inside, slope * y_bar, 0.0)
        knots_bar = np.zeros_like(knots)
        np.add.at(knots_bar, i, -(1 - t) * x_bar)
        np.add.at(knots_bar, i + 1, -t * x_bar)
        return x_bar, knots_bar, values_bar

    return np.interp(x, knots, values), pullback


def interpolate_case(rng):
    knots = np.cumsum(rng.uniform(0.3, 1.0, 5))
    return rng.uniform(0.0, knots[-1] + 0.5, 8), knots, rng.standard_normal(5)


def bilinear(grid, p, q):
    """The value of a grid at (p, q), in cells."""
    i, j = int(np.floor(p)), int(np.floor(q))
    s, t = p - i, q - j
    low = (1 - t) * grid[i, j] + t * grid[i, j + 1]
    high = (1 - t) * grid[i + 1, j] + t * grid[i + 1, j + 1]
    return (1 - s) * low + s * high


def bilinear_frule(primals, tangents):
    grid, p, q = primals
    grid_dot, p_dot, q_dot = tangents
    i, j = int(np.floor(p)), int(np.floor(q))
    s, t = p - i, q - j
    a, b, c, d = grid[i, j], grid[i, j + 1], grid[i + 1, j], grid[i + 1, j + 1]
    y_dot = bilinear(grid_dot, p, q)
    y_dot = y_dot + p_dot * ((1 - t) * (c - a) + t * (d - b))
    y_dot = y_dot + q_dot * ((1 - s) * (b - a) + s * (d - c))
    return bilinear(grid, p, q), y_dot


def bilinear_rrule(grid, p, q):
    i, j = int(np.floor(p)), int(np.floor(q))
    s, t = p - i, q - j
    a, b, c, d = grid[i, j], grid[i, j + 1], grid[i + 1, j], grid[i + 1, j + 1]

    def pullback(y_bar):
        grid_bar = np.zeros_like(grid)
        weights = np.array([[(1 - s) * (1 - t), (1 - s) * t], [s * (1 - t), s * t]])
        grid_bar[i : i + 2, j : j + 2] = weights * y_bar
        p_bar = y_bar * ((1 - t) * (c - a) + t * (d - b))
        q_bar = y_bar * ((1 - s) * (b - a) + s * (d - c))
        return grid_bar, p_bar, q_bar

    return bilinear(grid, p, q), pullback


def bilinear_case(rng):
    return rng.standard_normal((4, 5)), rng.uniform(0.0, 3.0), rng.uniform(0.0, 4.0)


def pad(x, *, before=1, after=2):
    """Zeros at both ends of the last axis."""
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)])


def pad_pushforward(y, primals, tangents, *, before, after):
    return np.pad(tangents[0], [(0, 0)] * (tangents[0].ndim - 1) + [(before, after)])


def pad_pullback(y, primals, y_bar, *, before, after):
    n = primals[0].shape[-1]
    return (y_bar[..., before : before + n],)


def logistic_map(x, r, *, steps=3):
    """A few steps of x -> r x (1 - x)."""
    for _ in range(steps):
        x = r * x * (1 - x)
    return x


def logistic_map_frule(primals, tangents, *, steps):
    x, r = primals
    x_dot, r_dot = tangents
    for _ in range(steps):
        x_dot = r_dot * x * (1 - x) + r * (1 - 2 * x) * x_dot
        x = r * x * (1 - x)
    return x, x_dot


def logistic_map_rrule(x, r, *, steps):
    states = [x]
    for _ in range(steps):
        states.append(r * states[-1] * (1 - states[-1]))

    def pullback(y_bar):
        x_bar, r_bar = y_bar, np.zeros_like(r)
        for state in reversed(states[:-1]):
            r_bar = r_bar + np.sum(state * (1 - state) * x_bar)
            x_bar = r * (1 - 2 * state) * x_bar
        return x_bar, r_bar

    return states[-1], pullback


SUBJECTS = (
    subject(
        take,
        frule=take_frule,
        rrule=take_rrule,
        cases=(
            lambda rng: (rng.standard_normal((5, 2)), rng.integers(0, 5, 7)),
            lambda rng: (rng.standard_normal(4), np.array([1, 1, 3])),
        ),
    ),
    subject(
        segment_sum,
        pushforward=segment_sum_pushforward,
        pullback=segment_sum_pullback,
        cases=(
            lambda rng: (rng.standard_normal((6, 2)), rng.integers(0, 4, 6)),
            lambda rng: rb.case(rng.standard_normal(5), rng.integers(0, 3, 5), n=int(rng.integers(3, 6))),
        ),
    ),
    subject(
        cumsum,
        frule=cumsum_frule,
        rrule=cumsum_rrule,
        cases=(normal((5,)), option(normal((3, 4)), axis=(0, 1), reverse=(True, False))),
    ),
    subject(cumprod, pushforward=cumprod_pushforward, pullback=cumprod_pullback, cases=(normal((5,)),)),
    subject(sort, frule=sort_frule, rrule=sort_rrule, cases=(normal((6,)), option(normal((5,)), descending=(True, False)))),
    subject(
        laplacian,
        frule=laplacian_frule,
        rrule=laplacian_rrule,
        cases=(normal((6,)), option(normal((5,)), spacing=(0.1, 2.0), periodic=(True, False))),
    ),
    subject(
        upwind,
        pushforward=upwind_pushforward,
        pullback=upwind_pullback,
        cases=(normal((6,), (6,)), option(normal((4,), (4,)), courant=(0.1, 0.9))),
    ),
    subject(
        convolve,
        frule=convolve_frule,
        rrule=convolve_rrule,
        cases=(normal((6,), (3,)), option(normal((7,), (4,)), mode=("full", "valid"))),
    ),
    subject(trapezoid, pushforward=trapezoid_pushforward, pullback=trapezoid_pullback, cases=(normal((6,), (6,)), normal((2,), (2,)))),
    subject(interpolate, frule=interpolate_frule, rrule=interpolate_rrule, cases=(interpolate_case,)),
    subject(bilinear, frule=bilinear_frule, rrule=bilinear_rrule, cases=(bilinear_case,)),
    subject(
        pad,
        pushforward=pad_pushforward,
        pullback=pad_pullback,
        cases=(normal((4,)), option(normal((2, 3)), before=(0, 1, 3), after=(0, 2))),
    ),
    subject(
        logistic_map,
        frule=logistic_map_frule,
        rrule=logistic_map_rrule,
        cases=(
            lambda rng: (rng.uniform(0.1, 0.9, 4), rng.uniform(2.0, 4.0)),
            option(lambda rng: (rng.uniform(0.1, 0.9, 3), rng.uniform(2.0, 4.0)), steps=(1, 5)),
        ),
    ),
)

"""Reductions along an axis, and functions made of them."""

import numpy as np

from benchmarks.mutation.subject import normal, option, subject

AXES = (None, 0, 1, -1)


def total(x, *, axis=None, keepdims=False):
    return np.sum(x, axis=axis, keepdims=keepdims)


def total_frule(primals, tangents, *, axis, keepdims):
    return np.sum(primals[0], axis=axis, keepdims=keepdims), np.sum(tangents[0], axis=axis, keepdims=keepdims)


def total_rrule(x, *, axis, keepdims):
    def pullback(y_bar):
        if axis is not None and not keepdims:
            y_bar = np.expand_dims(y_bar, axis)
        return (np.broadcast_to(y_bar, x.shape),)

    return np.sum(x, axis=axis, keepdims=keepdims), pullback


def variance(x, *, axis=None, ddof=0):
    return np.var(x, axis=axis, ddof=ddof)


def variance_pushforward(y, primals, tangents, *, axis, ddof):
    (x,), (x_dot,) = primals, tangents
    n = x.size if axis is None else x.shape[axis]
    centered = x - np.mean(x, axis=axis, keepdims=True)
    return 2 * np.sum(centered * x_dot, axis=axis) / (n - ddof)


def variance_pullback(y, primals, y_bar, *, axis, ddof):
    (x,) = primals
    n = x.size if axis is None else x.shape[axis]
    centered = x - np.mean(x, axis=axis, keepdims=True)
    if axis is not None:
        y_bar = np.expand_dims(y_bar, axis)
    return (2 * centered * y_bar / (n - ddof),)


def logsumexp(x, *, axis=-1, keepdims=False):
    top = np.max(x, axis=axis, keepdims=True)
    y = top + np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True))
    return y if keepdims else np.squeeze(y, axis=axis)


def logsumexp_frule(primals, tangents, *, axis, keepdims):
    x = primals[0]
    y = logsumexp(x, axis=axis, keepdims=True)
    y_dot = np.sum(np.exp(x - y) * tangents[0], axis=axis, keepdims=keepdims)
    return (y if keepdims else np.squeeze(y, axis=axis)), y_dot


def logsumexp_rrule(x, *, axis, keepdims):
    y = logsumexp(x, axis=axis, keepdims=True)
    weights = np.exp(x - y)

    def pullback(y_bar):
        if not keepdims:
            y_bar = np.expand_dims(y_bar, axis)
        return (weights * y_bar,)

    return (y if keepdims else np.squeeze(y, axis=axis)), pullback


def softmax(x, *, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def softmax_pushforward(y, primals, tangents, *, axis):
    (x_dot,) = tangents
    return y * (x_dot - np.sum(y * x_dot, axis=axis, keepdims=True))


def softmax_pullback(y, primals, y_bar, *, axis):
    inner = np.sum(y * y_bar, axis=axis, keepdims=True)
    return (y * (y_bar - inner),)


def norm(x, *, order=2, axis=-1):
    return np.sum(np.abs(x) ** order, axis=axis) ** (1 / order)


def norm_frule(primals, tangents, *, order, axis):
    x = primals[0]
    y = norm(x, order=order, axis=axis)
    slope = np.sign(x) * np.abs(x) ** (order - 1)
    return y, np.sum(slope * tangents[0], axis=axis) * y ** (1 - order)


def norm_rrule(x, *, order, axis):
    y = norm(x, order=order, axis=axis)

    def pullback(y_bar):
        factor = np.expand_dims(y_bar * y ** (1 - order), axis)
        return (factor * np.sign(x) * np.abs(x) ** (order - 1),)

    return y, pullback


def maximum(x, *, axis=-1):
    return np.max(x, axis=axis)


def maximum_pushforward(y, primals, tangents, *, axis):
    where = np.expand_dims(np.argmax(primals[0], axis=axis), axis)
    return np.squeeze(np.take_along_axis(tangents[0], where, axis=axis), axis=axis)


def maximum_pullback(y, primals, y_bar, *, axis):
    (x,) = primals
    where = np.expand_dims(np.argmax(x, axis=axis), axis)
    x_bar = np.zeros_like(x)
    np.put_along_axis(x_bar, where, np.expand_dims(y_bar, axis), axis=axis)
    return (x_bar,)


def unit(x, *, eps=0.0):
    """Rows of length one."""
    return x / np.sqrt(np.sum(x**2, axis=-1, keepdims=True) + eps)


def unit_frule(primals, tangents, *, eps):
    (x,), (x_dot,) = primals, tangents
    length = np.sqrt(np.sum(x**2, axis=-1, keepdims=True) + eps)
    y = x / length
    return y, (x_dot - y * np.sum(y * x_dot, axis=-1, keepdims=True)) / length


def unit_rrule(x, *, eps):
    length = np.sqrt(np.sum(x**2, axis=-1, keepdims=True) + eps)
    y = x / length

    def pullback(y_bar):
        along = np.sum(y * y_bar, axis=-1, keepdims=True)
        return ((y_bar - along * y) / length,)

    return y, pullback


def product(x, *, axis=-1):
    return np.prod(x, axis=axis)


def exclusive(x, axis):
    """At each element the product of all the others, also where some are zero."""
    ones = np.ones_like(np.take(x, [0], axis=axis))
    before = np.cumprod(np.concatenate([ones, np.delete(x, -1, axis=axis)], axis=axis), axis=axis)
    flipped = np.flip(x, axis=axis)
    after = np.flip(np.cumprod(np.concatenate([ones, np.delete(flipped, -1, axis=axis)], axis=axis), axis=axis), axis=axis)
    return before * after


def product_pushforward(y, primals, tangents, *, axis):
    return np.sum(exclusive(primals[0], axis) * tangents[0], axis=axis)


def product_pullback(y, primals, y_bar, *, axis):
    (x,) = primals
    return (exclusive(x, axis) * np.expand_dims(y_bar, axis),)


def product_case(rng):
    x = rng.standard_normal((3, 4))
    x[0, 1] = 0.0
    return (x,)


def weighted_mean(x, w):
    return np.sum(w * x) / np.sum(w)


def weighted_mean_pushforward(y, primals, tangents):
    x, w = primals
    x_dot, w_dot = tangents
    return (np.sum(w * x_dot) + np.sum(w_dot * (x - y))) / np.sum(w)


def weighted_mean_pullback(y, primals, y_bar):
    x, w = primals
    scaled = y_bar / np.sum(w)
    return w * scaled, (x - y) * scaled


def layer_norm(x, gain, bias, *, eps=1e-5):
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return gain * centered / np.sqrt(np.mean(centered**2, axis=-1, keepdims=True) + eps) + bias


def layer_norm_frule(primals, tangents, *, eps):
    x, gain, bias = primals
    x_dot, gain_dot, bias_dot = tangents
    centered = x - np.mean(x, axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(centered**2, axis=-1, keepdims=True) + eps)
    unit = centered / scale
    centered_dot = x_dot - np.mean(x_dot, axis=-1, keepdims=True)
    unit_dot = (centered_dot - unit * np.mean(unit * centered_dot, axis=-1, keepdims=True)) / scale
    return gain * unit + bias, gain_dot * unit + gain * unit_dot + bias_dot


def layer_norm_rrule(x, gain, bias, *, eps):
    centered = x - np.mean(x, axis=-1, keepdims=True)
    scale = np.sqrt(np.mean(centered**2, axis=-1, keepdims=True) + eps)
    unit = centered / scale

    def pullback(y_bar):
        unit_bar = gain * y_bar
        mean = np.mean(unit_bar, axis=-1, keepdims=True)
        along = np.mean(unit_bar * unit, axis=-1, keepdims=True)
        x_bar = (unit_bar - mean - unit * along) / scale
        rows = tuple(range(y_bar.ndim - 1))
        return x_bar, np.sum(y_bar * unit, axis=rows), np.sum(y_bar, axis=rows)

    return gain * unit + bias, pullback


def covariance(x):
    """Of the columns."""
    centered = x - x.mean(axis=0)
    return centered.T @ centered / (x.shape[0] - 1)


def covariance_pushforward(y, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    half = (x - x.mean(axis=0)).T @ x_dot / (x.shape[0] - 1)
    return half + half.T


def covariance_pullback(y, primals, y_bar):
    (x,) = primals
    centered = x - x.mean(axis=0)
    return (centered @ (y_bar + y_bar.T) / (x.shape[0] - 1),)


def rms_norm(x, *, eps=1e-6):
    """Divided by its root mean square, in the dtype of x."""
    return x / np.sqrt(np.mean(x * x) + x.dtype.type(eps))


def rms_norm_frule(primals, tangents, *, eps):
    (x,), (x_dot,) = primals, tangents
    scale = np.sqrt(np.mean(x * x) + x.dtype.type(eps))
    y = x / scale
    return y, (x_dot - y * np.mean(y * x_dot)) / scale


def rms_norm_rrule(x, *, eps):
    scale = np.sqrt(np.mean(x * x) + x.dtype.type(eps))
    y = x / scale

    def pullback(y_bar):
        return ((y_bar - y * np.mean(y * y_bar)) / scale,)

    return y, pullback


def rms_case(rng):
    return (rng.standard_normal(5).astype(np.float32),)


SUBJECTS = (
    subject(
        total,
        frule=total_frule,
        rrule=total_rrule,
        cases=(normal((2, 3)), option(normal((2, 3)), axis=AXES, keepdims=(True, False)), option(normal((2, 3)), axis=((0, 1),))),
    ),
    subject(
        variance,
        pushforward=variance_pushforward,
        pullback=variance_pullback,
        cases=(normal((4,)), option(normal((3, 4)), axis=AXES, ddof=(0, 1))),
    ),
    subject(
        logsumexp,
        frule=logsumexp_frule,
        rrule=logsumexp_rrule,
        cases=(normal((3, 4)), option(normal((3, 4), scale=5), axis=(0, 1, -1), keepdims=(True, False))),
    ),
    subject(
        softmax,
        pushforward=softmax_pushforward,
        pullback=softmax_pullback,
        cases=(normal((5,)), option(normal((3, 4), scale=3), axis=(0, 1, -1))),
    ),
    subject(norm, frule=norm_frule, rrule=norm_rrule, cases=(normal((5,)), option(normal((3, 4)), order=(2, 3, 1.5, 4), axis=(0, -1)))),
    subject(
        maximum, pushforward=maximum_pushforward, pullback=maximum_pullback, cases=(normal((5,)), option(normal((3, 4)), axis=(0, 1, -1)))
    ),
    subject(unit, frule=unit_frule, rrule=unit_rrule, cases=(normal((4,)), option(normal((2, 3)), eps=(0.0, 0.1)))),
    subject(product, pushforward=product_pushforward, pullback=product_pullback, cases=(product_case, option(product_case, axis=(0, 1)))),
    subject(
        weighted_mean,
        pushforward=weighted_mean_pushforward,
        pullback=weighted_mean_pullback,
        cases=(lambda rng: (rng.standard_normal(5), rng.uniform(0.2, 2.0, 5)),),
    ),
    subject(
        layer_norm,
        frule=layer_norm_frule,
        rrule=layer_norm_rrule,
        cases=(normal((3, 4), (4,), (4,)), option(normal((5,), (5,), (5,)), eps=(1e-3, 0.5))),
    ),
    subject(covariance, pushforward=covariance_pushforward, pullback=covariance_pullback, cases=(normal((5, 3)), normal((4, 2)))),
    subject(rms_norm, frule=rms_norm_frule, rrule=rms_norm_rrule, cases=(rms_case, normal((4,)), option(rms_case, eps=(0.1, 1e-3)))),
)

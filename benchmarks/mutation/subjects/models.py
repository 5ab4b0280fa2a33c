"""Functions of containers, with integer arguments and with options."""

from typing import NamedTuple

import numpy as np
import scipy.special

import rulebook as rb
from benchmarks.mutation.subject import normal, option, subject


class Gaussian(NamedTuple):
    """The parameters of a normal distribution."""

    mean: np.ndarray
    log_scale: np.ndarray


def perceptron(params, x):
    """Two layers; the parameters are a dict."""
    hidden = np.tanh(x @ params["w1"] + params["b1"])
    return hidden @ params["w2"]


def perceptron_frule(primals, tangents):
    params, x = primals
    params_dot, x_dot = tangents
    hidden = np.tanh(x @ params["w1"] + params["b1"])
    before_dot = x_dot @ params["w1"] + x @ params_dot["w1"] + params_dot["b1"]
    hidden_dot = (1 - hidden**2) * before_dot
    return hidden @ params["w2"], hidden_dot @ params["w2"] + hidden @ params_dot["w2"]


def perceptron_rrule(params, x):
    hidden = np.tanh(x @ params["w1"] + params["b1"])

    def pullback(y_bar):
        before_bar = (1 - hidden**2) * (y_bar @ params["w2"].T)
        params_bar = {"w1": x.T @ before_bar, "b1": np.sum(before_bar, axis=0), "w2": hidden.T @ y_bar}
        return params_bar, before_bar @ params["w1"].T

    return hidden @ params["w2"], pullback


def perceptron_case(rng):
    params = {"w1": rng.standard_normal((3, 4)), "b1": rng.standard_normal(4), "w2": rng.standard_normal((4, 2))}
    return params, rng.standard_normal((5, 3))


def log_likelihood(q, x):
    z = (x - q.mean) * np.exp(-q.log_scale)
    return -0.5 * np.sum(z**2) - x.shape[0] * np.sum(q.log_scale) - 0.5 * x.size * np.log(2 * np.pi)


def log_likelihood_pushforward(y, primals, tangents):
    q, x = primals
    q_dot, x_dot = tangents
    z = (x - q.mean) * np.exp(-q.log_scale)
    z_dot = (x_dot - q_dot.mean) * np.exp(-q.log_scale) - z * q_dot.log_scale
    return -np.sum(z * z_dot) - x.shape[0] * np.sum(q_dot.log_scale)


def log_likelihood_pullback(y, primals, y_bar):
    q, x = primals
    precision = np.exp(-q.log_scale)
    z = (x - q.mean) * precision
    mean_bar = y_bar * np.sum(z, axis=0) * precision
    log_scale_bar = y_bar * (np.sum(z**2, axis=0) - x.shape[0])
    return Gaussian(mean_bar, log_scale_bar), -y_bar * z * precision


def log_likelihood_case(rng):
    return Gaussian(rng.standard_normal(3), 0.5 * rng.standard_normal(3)), rng.standard_normal((4, 3))


def blend(arrays, weights):
    """The weighted sum of a list of arrays."""
    return sum(w * a for w, a in zip(weights, arrays, strict=True))


def blend_frule(primals, tangents):
    arrays, weights = primals
    arrays_dot, weights_dot = tangents
    y_dot = 0.0
    for a, w, a_dot, w_dot in zip(arrays, weights, arrays_dot, weights_dot, strict=True):
        y_dot = y_dot + w * a_dot + w_dot * a
    return blend(arrays, weights), y_dot


def blend_rrule(arrays, weights):
    def pullback(y_bar):
        weights_bar = np.stack([np.sum(a * y_bar) for a in arrays])
        return [w * y_bar for w in weights], weights_bar

    return blend(arrays, weights), pullback


def blend_case(rng):
    return [rng.standard_normal((2, 2)) for _ in range(3)], rng.standard_normal(3)


def spherical(r, theta, phi):
    """Cartesian coordinates, as a dict."""
    s = np.sin(theta)
    return {"x": r * s * np.cos(phi), "y": r * s * np.sin(phi), "z": r * np.cos(theta)}


def spherical_frule(primals, tangents):
    r, theta, phi = primals
    r_dot, theta_dot, phi_dot = tangents
    y = spherical(r, theta, phi)
    rho_dot = r_dot * np.sin(theta) + r * np.cos(theta) * theta_dot
    return y, {
        "x": rho_dot * np.cos(phi) - y["y"] * phi_dot,
        "y": rho_dot * np.sin(phi) + y["x"] * phi_dot,
        "z": r_dot * np.cos(theta) - r * np.sin(theta) * theta_dot,
    }


def spherical_rrule(r, theta, phi):
    y = spherical(r, theta, phi)
    sin, cos = np.sin(theta), np.cos(theta)

    def pullback(y_bar):
        rho_bar = y_bar["x"] * np.cos(phi) + y_bar["y"] * np.sin(phi)
        r_bar = rho_bar * sin + y_bar["z"] * cos
        theta_bar = r * (rho_bar * cos - y_bar["z"] * sin)
        phi_bar = y_bar["y"] * y["x"] - y_bar["x"] * y["y"]
        return r_bar, theta_bar, phi_bar

    return y, pullback


def integer_power(x, n):
    """x**n for an integer n, which has no tangent."""
    return x ** int(n)


def integer_power_frule(primals, tangents):
    x, n = primals
    n = int(n)
    y_dot = n * x ** (n - 1) * tangents[0] if n > 0 else np.zeros_like(x)
    return x**n, y_dot


def integer_power_rrule(x, n):
    n = int(n)

    def pullback(y_bar):
        if n == 0:
            return np.zeros_like(y_bar), None
        return n * x ** (n - 1) * y_bar, None

    return x**n, pullback


def horner(coefficients, x):
    """A polynomial, the highest power first."""
    y = np.zeros_like(x)
    for c in coefficients:
        y = y * x + c
    return y


def horner_pushforward(y, primals, tangents):
    coefficients, x = primals
    coefficients_dot, x_dot = tangents
    value, value_dot = np.zeros_like(x), np.zeros_like(x)
    for c, c_dot in zip(coefficients, coefficients_dot, strict=True):
        value_dot = value_dot * x + value * x_dot + c_dot
        value = value * x + c
    return value_dot


def horner_pullback(y, primals, y_bar):
    coefficients, x = primals
    n = len(coefficients)
    powers = [x ** (n - 1 - k) for k in range(n)]
    coefficients_bar = np.array([np.sum(p * y_bar) for p in powers])
    slope = np.zeros_like(x)
    for k in range(n - 1):
        slope = slope + (n - 1 - k) * coefficients[k] * x ** (n - 2 - k)
    return coefficients_bar, slope * y_bar


def legendre(x, *, degree=3):
    """By the recurrence of Bonnet."""
    before, now = np.zeros_like(x), np.ones_like(x)
    for k in range(degree):
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
    return now


def legendre_slope(x, degree):
    before, now = np.zeros_like(x), np.ones_like(x)
    before_slope, slope = np.zeros_like(x), np.zeros_like(x)
    for k in range(degree):
        new = ((2 * k + 1) * (now + x * slope) - k * before_slope) / (k + 1)
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
        before_slope, slope = slope, new
    return slope


def legendre_frule(primals, tangents, *, degree):
    x = primals[0]
    before, now = np.zeros_like(x), np.ones_like(x)
    before_dot, now_dot = np.zeros_like(x), np.zeros_like(x)
    for k in range(degree):
        new_dot = ((2 * k + 1) * (tangents[0] * now + x * now_dot) - k * before_dot) / (k + 1)
        before, now = now, ((2 * k + 1) * x * now - k * before) / (k + 1)
        before_dot, now_dot = now_dot, new_dot
    return now, now_dot


def legendre_rrule(x, *, degree):
    def pullback(y_bar):
        return (legendre_slope(x, degree) * y_bar,)

    return legendre(x, degree=degree), pullback


def rotate(v, angle, *, axis=2):
    """A vector turned about one axis."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    y = v.copy()
    y[i] = np.cos(angle) * v[i] - np.sin(angle) * v[j]
    y[j] = np.sin(angle) * v[i] + np.cos(angle) * v[j]
    return y


def rotate_pushforward(y, primals, tangents, *, axis):
    i, j = (axis + 1) % 3, (axis + 2) % 3
    y_dot = rotate(tangents[0], primals[1], axis=axis)
    y_dot[i] -= y[j] * tangents[1]
    y_dot[j] += y[i] * tangents[1]
    return y_dot


def rotate_pullback(y, primals, y_bar, *, axis):
    _v, angle = primals
    i, j = (axis + 1) % 3, (axis + 2) % 3
    v_bar = rotate(y_bar, -angle, axis=axis)
    return v_bar, y[i] * y_bar[j] - y[j] * y_bar[i]


def normal_cdf(x, mean, scale):
    return scipy.special.ndtr((x - mean) / scale)


def normal_cdf_frule(primals, tangents):
    x, mean, scale = primals
    x_dot, mean_dot, scale_dot = tangents
    z = (x - mean) / scale
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / scale
    return scipy.special.ndtr(z), density * (x_dot - mean_dot - z * scale_dot)


def normal_cdf_rrule(x, mean, scale):
    z = (x - mean) / scale

    def pullback(y_bar):
        x_bar = y_bar * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * scale)
        return rb.project(x, x_bar), rb.project(mean, -x_bar), rb.project(scale, -z * x_bar)

    return scipy.special.ndtr(z), pullback


def normal_cdf_case(rng):
    return rng.standard_normal(4), rng.standard_normal(), rng.uniform(0.5, 2.0)


def log_beta(a, b):
    return scipy.special.betaln(a, b)


def log_beta_pushforward(y, primals, tangents):
    a, b = primals
    both = scipy.special.digamma(a + b)
    return (scipy.special.digamma(a) - both) * tangents[0] + (scipy.special.digamma(b) - both) * tangents[1]


def log_beta_pullback(y, primals, y_bar):
    a, b = primals
    both = scipy.special.digamma(a + b)
    return y_bar * (scipy.special.digamma(a) - both), y_bar * (scipy.special.digamma(b) - both)


def kalman(state, observation):
    """The update of (mean, variance) by one noisy observation."""
    mean, variance = state
    gain = variance / (variance + 1.0)
    return mean + gain * (observation - mean), (1 - gain) * variance


def kalman_pushforward(y, primals, tangents):
    (mean, variance), observation = primals
    (mean_dot, variance_dot), observation_dot = tangents
    gain = variance / (variance + 1.0)
    gain_dot = variance_dot / (variance + 1.0) ** 2
    new_dot = mean_dot + gain_dot * (observation - mean) + gain * (observation_dot - mean_dot)
    return new_dot, (1 - gain) * variance_dot - gain_dot * variance


def kalman_pullback(y, primals, y_bar):
    (mean, variance), observation = primals
    new_bar, left_bar = y_bar
    gain = variance / (variance + 1.0)
    gain_bar = new_bar * (observation - mean) - left_bar * variance
    variance_bar = left_bar * (1 - gain) + gain_bar / (variance + 1.0) ** 2
    return (new_bar * (1 - gain), variance_bar), new_bar * gain


def kalman_case(rng):
    return (rng.standard_normal(3), rng.uniform(0.2, 3.0, 3)), rng.standard_normal(3)


SUBJECTS = (
    subject(perceptron, frule=perceptron_frule, rrule=perceptron_rrule, cases=(perceptron_case,)),
    subject(log_likelihood, pushforward=log_likelihood_pushforward, pullback=log_likelihood_pullback, cases=(log_likelihood_case,)),
    subject(blend, frule=blend_frule, rrule=blend_rrule, cases=(blend_case,)),
    subject(spherical, frule=spherical_frule, rrule=spherical_rrule, cases=(normal((3,), (3,), (3,)), normal((), (), ()))),
    subject(
        integer_power,
        frule=integer_power_frule,
        rrule=integer_power_rrule,
        cases=(lambda rng: (rng.standard_normal(4), int(rng.integers(0, 5))),),
    ),
    subject(horner, pushforward=horner_pushforward, pullback=horner_pullback, cases=(normal((4,), (3,)), normal((3,), ()))),
    subject(legendre, frule=legendre_frule, rrule=legendre_rrule, cases=(normal((4,)), option(normal((3,)), degree=(0, 1, 2, 5)))),
    subject(
        rotate, pushforward=rotate_pushforward, pullback=rotate_pullback, cases=(normal((3,), ()), option(normal((3,), ()), axis=(0, 1, 2)))
    ),
    subject(normal_cdf, frule=normal_cdf_frule, rrule=normal_cdf_rrule, cases=(normal_cdf_case,)),
    subject(
        log_beta,
        pushforward=log_beta_pushforward,
        pullback=log_beta_pullback,
        cases=(lambda rng: (rng.uniform(0.2, 5, 4), rng.uniform(0.2, 5, 4)),),
    ),
    subject(kalman, pushforward=kalman_pushforward, pullback=kalman_pullback, cases=(kalman_case,)),
)

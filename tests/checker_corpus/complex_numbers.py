"""Complex arguments and results: the pairing is Re sum(conj(y_bar) y_dot)."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def draw(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def shape(rng):
    return [(), (3,), (2, 2)][rng.integers(3)]


def one(rng):
    return (np.asarray(draw(rng, *shape(rng)))[()],)


# holomorphic


def spiral(z):
    return z * np.exp(z)


spirals = Family(
    "spiral",
    "holomorphic",
    f=spiral,
    cases=one,
    pushforward=lambda y, p, t: (1 + p[0]) * np.exp(p[0]) * t[0],
    pullback=lambda y, p, c: (np.conj((1 + p[0]) * np.exp(p[0])) * c,),
)
spirals.right("reverse_only", pushforward=None)
spirals.wrong("no_conj", "conj", pullback=lambda y, p, c: ((1 + p[0]) * np.exp(p[0]) * c,))
spirals.wrong(
    "conj_cotangent", "conj", "conjugates the cotangent instead", pullback=lambda y, p, c: ((1 + p[0]) * np.exp(p[0]) * np.conj(c),)
)
spirals.wrong("conj_both", "conj", "conjugates both", pullback=lambda y, p, c: (np.conj((1 + p[0]) * np.exp(p[0]) * c),))
spirals.wrong("conj_forward", "conj", pushforward=lambda y, p, t: np.conj((1 + p[0]) * np.exp(p[0])) * t[0], pullback=None)
spirals.wrong(
    "real_part",
    "dropped term",
    "the imaginary part of the tangent is lost",
    pushforward=lambda y, p, t: (1 + p[0]) * np.exp(p[0]) * np.real(t[0]),
)
spirals.wrong("real_cotangent", "dropped term", pullback=lambda y, p, c: (np.real(np.conj((1 + p[0]) * np.exp(p[0])) * c) + 0j,))
spirals.wrong("conj_of_factor", "conj", "conjugates one factor only", pullback=lambda y, p, c: (np.conj(np.exp(p[0])) * (1 + p[0]) * c,))

# absolute value, and its square: real results of complex numbers


def intensity(z):
    return np.real(z) ** 2 + np.imag(z) ** 2


intensities = Family(
    "intensity",
    "complex in, real out; not holomorphic",
    f=intensity,
    cases=one,
    frule=lambda p, t: (intensity(p[0]), 2 * np.real(np.conj(p[0]) * t[0])),
    rrule=lambda z: (intensity(z), lambda c: (2 * z * c,)),
)
intensities.wrong("conj", "conj", "the convention of JAX", rrule=lambda z: (intensity(z), lambda c: (2 * np.conj(z) * c,)))
intensities.wrong("half", "factor", "Wirtinger's half", rrule=lambda z: (intensity(z), lambda c: (z * c,)))
intensities.wrong(
    "half_both",
    "factor",
    "Wirtinger's half, both directions",
    rrule=lambda z: (intensity(z), lambda c: (z * c,)),
    frule=lambda p, t: (intensity(p[0]), np.real(np.conj(p[0]) * t[0])),
)
intensities.wrong(
    "complex_tangent",
    "dtype",
    "a complex tangent of a real result",
    frule=lambda p, t: (intensity(p[0]), 2 * np.real(np.conj(p[0]) * t[0]) + 0j),
)
intensities.wrong("no_real", "dtype", "the real part is not taken", frule=lambda p, t: (intensity(p[0]), 2 * np.conj(p[0]) * t[0]))
intensities.wrong("no_conj_forward", "conj", frule=lambda p, t: (intensity(p[0]), 2 * np.real(p[0] * t[0])))
intensities.wrong("imaginary_lost", "dropped term", rrule=lambda z: (intensity(z), lambda c: (2 * np.real(z) * c + 0j,)))


def modulus(z):
    return np.abs(z)


moduli = Family(
    "modulus",
    "a cone; magnitudes from tiny to huge",
    f=modulus,
    cases=lambda rng: (draw(rng, 4) * 10.0 ** rng.integers(-9, 9, 4),),
    pushforward=lambda y, p, t: np.real(np.conj(p[0]) * t[0]) / y,
    pullback=lambda y, p, c: (p[0] / y * c,),
)
moduli.wrong("conj", "conj", pullback=lambda y, p, c: (np.conj(p[0]) / y * c,))
moduli.wrong("guarded", "small beside large", "an epsilon of 1e-8 under the division", pullback=lambda y, p, c: (p[0] / (y + 1e-8) * c,))
moduli.wrong("sign_of_real", "wrong branch", "as for a real number", pullback=lambda y, p, c: (np.sign(p[0].real) * c + 0j,))

# polar form: real in, complex out


def polar(r, theta):
    return r * np.exp(1j * theta)


polars = Family(
    "polar",
    "real in, complex out, broadcasting",
    f=polar,
    cases=lambda rng: (rng.standard_normal(3), rng.standard_normal() if rng.random() < 0.5 else rng.standard_normal(3)),
    pushforward=lambda y, p, t: np.exp(1j * p[1]) * t[0] + 1j * y * t[1],
    pullback=lambda y, p, c: (np.real(np.exp(-1j * p[1]) * c), rb.project(p[1], np.real(np.conj(1j * y) * c))),
)
polars.right(
    "left_complex",
    "complex cotangents of real arguments: their real part counts",
    pullback=lambda y, p, c: (np.exp(-1j * p[1]) * c, rb.project(p[1], np.conj(1j * y) * c)),
)
polars.wrong("no_conj", "conj", pullback=lambda y, p, c: (np.real(np.exp(1j * p[1]) * c), rb.project(p[1], np.real(np.conj(1j * y) * c))))
polars.wrong(
    "phase_sign",
    "sign",
    "conj(i) forgotten",
    pullback=lambda y, p, c: (np.real(np.exp(-1j * p[1]) * c), rb.project(p[1], np.real(1j * np.conj(y) * c))),
)
polars.wrong(
    "imaginary_part",
    "conj",
    "takes the imaginary part",
    pullback=lambda y, p, c: (np.imag(np.exp(-1j * p[1]) * c), rb.project(p[1], np.real(np.conj(1j * y) * c))),
)
polars.wrong("no_i", "dropped term", pushforward=lambda y, p, t: np.exp(1j * p[1]) * t[0] + y * t[1])
polars.wrong(
    "modulus_cotangent",
    "nonlinear",
    pullback=lambda y, p, c: (np.abs(np.exp(-1j * p[1]) * c), rb.project(p[1], np.real(np.conj(1j * y) * c))),
)

# a complex solve


def csolve(a, b):
    return np.linalg.solve(a, b)


def csolve_pull(y, p, c):
    b_bar = np.linalg.solve(p[0].conj().T, c)
    return -np.outer(b_bar, y.conj()), b_bar


solves = Family(
    "csolve",
    "the adjoint is conjugated and transposed",
    f=csolve,
    cases=lambda rng: (lambda n: (draw(rng, n, n) + 2 * np.eye(n), draw(rng, n)))(int(rng.integers(1, 4))),
    pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1] - t[0] @ y),
    pullback=csolve_pull,
)
solves.wrong("transposed_only", "conj", pullback=lambda y, p, c: (lambda b: (-np.outer(b, y.conj()), b))(np.linalg.solve(p[0].T, c)))
solves.wrong("conj_only", "transpose", pullback=lambda y, p, c: (lambda b: (-np.outer(b, y.conj()), b))(np.linalg.solve(p[0].conj(), c)))
solves.wrong("y_unconjugated", "conj", pullback=lambda y, p, c: (-np.outer(csolve_pull(y, p, c)[1], y), csolve_pull(y, p, c)[1]))
solves.wrong(
    "vdot", "conj", "conjugates in the tangent's product", pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1] - t[0].conj() @ y)
)

# inner product that conjugates


def vdot(a, b):
    return np.vdot(a, b)


dots = Family(
    "vdot",
    "antilinear in its first argument",
    f=vdot,
    cases=lambda rng: (draw(rng, 3), draw(rng, 3)),
    pushforward=lambda y, p, t: np.vdot(t[0], p[1]) + np.vdot(p[0], t[1]),
    pullback=lambda y, p, c: (np.conj(c) * p[1], c * p[0]),
)
dots.wrong("linear_in_first", "conj", pullback=lambda y, p, c: (c * p[1], c * p[0]))
dots.wrong("linear_forward", "conj", pushforward=lambda y, p, t: np.sum(t[0] * p[1]) + np.vdot(p[0], t[1]))
dots.wrong("conj_second", "conj", pullback=lambda y, p, c: (np.conj(c) * p[1], c * np.conj(p[0])))
dots.wrong(
    "both_linear",
    "both alike",
    "as for real vectors, in both directions",
    pushforward=lambda y, p, t: np.sum(t[0] * p[1] + np.conj(p[0]) * t[1]),
    pullback=lambda y, p, c: (c * np.conj(p[1]), c * p[0]),
)

# mixed: a real matrix times complex vectors


def weigh(w, z):
    return w @ z


weighed = Family(
    "weigh",
    "real weights of complex values",
    f=weigh,
    cases=lambda rng: (rng.standard_normal((2, 3)), draw(rng, 3)),
    frule=lambda p, t: (p[0] @ p[1], t[0] @ p[1] + p[0] @ t[1]),
    rrule=lambda w, z: (w @ z, lambda c: (np.real(np.outer(c, z.conj())), w.T @ c)),
)
weighed.wrong("unconjugated", "conj", rrule=lambda w, z: (w @ z, lambda c: (np.real(np.outer(c, z)), w.T @ c)))
weighed.wrong(
    "real_first", "dropped term", "products of real parts", rrule=lambda w, z: (w @ z, lambda c: (np.outer(c.real, z.real), w.T @ c))
)
weighed.wrong("z_bar_conj", "conj", rrule=lambda w, z: (w @ z, lambda c: (np.real(np.outer(c, z.conj())), w.T @ c.conj())))

# real and imaginary parts, joined and taken apart


def parts(z):
    return {"re": np.real(z).copy(), "im": np.imag(z).copy()}


taken = Family(
    "re_im",
    "a dict of two real results",
    f=parts,
    cases=one,
    pushforward=lambda y, p, t: {"im": np.imag(t[0]), "re": np.real(t[0])},
    pullback=lambda y, p, c: (c["re"] + 1j * c["im"],),
)
taken.wrong("minus", "conj", "minus i", pullback=lambda y, p, c: (c["re"] - 1j * c["im"],))
taken.wrong("swapped", "swapped", pullback=lambda y, p, c: (c["im"] + 1j * c["re"],))
taken.wrong(
    "by_position",
    "structure",
    "values in the other order than keys",
    pushforward=lambda y, p, t: dict(zip(y, (np.imag(t[0]), np.real(t[0])), strict=True)),
)
taken.wrong("real_cotangent", "dropped term", pullback=lambda y, p, c: (c["re"] + 0j,))

# square root with a cut


def root(z):
    return np.sqrt(z)


cuts = Family(
    "csqrt",
    "a branch cut along the negative axis",
    f=root,
    cases=one,
    pushforward=lambda y, p, t: t[0] / (2 * y),
    pullback=lambda y, p, c: (c / (2 * np.conj(y)),),
)
cuts.wrong("no_conj", "conj", pullback=lambda y, p, c: (c / (2 * y),))
cuts.wrong(
    "other_branch",
    "wrong branch",
    "the other root where the imaginary part is negative",
    pushforward=lambda y, p, t: t[0] / (2 * np.where(p[0].imag < 0, -y, y)),
)
cuts.wrong("y_squared", "power", pullback=lambda y, p, c: (c / (2 * np.conj(p[0])),))

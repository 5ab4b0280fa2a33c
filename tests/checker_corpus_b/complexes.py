"""Complex numbers: Fourier, phases, impedances, Hermitian forms; the pairing is Re sum(conj(y_bar) y_dot)."""

from __future__ import annotations

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def _z(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def fft(x, *, norm="backward"):
    return np.fft.fft(x, norm=norm)


@family.add(
    "fft",
    wrong={
        "scale": ("static ignored", "the adjoint is scaled as for norm='backward'"),
        "forward": ("conjugate", "the pullback applies the forward transform"),
        "real": ("complex", "the real part of the cotangent is returned for complex input"),
    },
)
def _fft(v):
    def pullback(y, primals, g, *, norm):
        n = len(g)
        factor = {"backward": n, "ortho": np.sqrt(n), "forward": 1.0}["backward" if v == "scale" else norm]
        out = np.fft.fft(g) / n * factor if v == "forward" else np.fft.ifft(g) * factor
        out = out.real if v == "real" or primals[0].dtype.kind != "c" else out
        return (out.astype(primals[0].dtype),)

    def cases(rng):
        n = rng.integers(1, 7)
        x = rng.normal(size=n) if rng.random() < 0.3 and v != "real" else _z(rng, n)
        return rb.case(x, norm=str(rng.choice(["backward", "ortho", "forward"])))

    return {"f": fft, "pullback": pullback, "cases": [cases]}


def mobius(z, a, b):
    return (z - a) / (1 - np.conj(b) * z)


@family.add(
    "mobius",
    wrong={
        "no-conj": ("conjugate", "the pullback multiplies by the derivative and not its conjugate"),
        "holomorphic-b": ("conjugate", "b is treated as if it entered without conjugation"),
        "tangent": ("conjugate", "the tangent of b is not conjugated"),
    },
)
def _mobius(v):
    def partials(z, a, b):
        d = 1 - np.conj(b) * z
        return (1 - np.conj(b) * a) / d**2, -1 / d, (z - a) * z / d**2  # the last by conj(b)

    def pushforward(y, primals, tangents):
        p = partials(*primals)
        db = tangents[2] if v in ("tangent", "holomorphic-b") else np.conj(tangents[2])
        return p[0] * tangents[0] + p[1] * tangents[1] + p[2] * db

    def pullback(y, primals, g):
        p = partials(*primals)
        c = (lambda u: u) if v == "no-conj" else np.conj
        return c(p[0]) * g, c(p[1]) * g, np.conj(p[2]) * g if v == "holomorphic-b" else p[2] * np.conj(g)

    def cases(rng):
        return _z(rng, 3), 0.4 * _z(rng, 3), 0.15 * _z(rng, 3)

    return {"f": mobius, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def polar(z):
    """Modulus and phase."""
    return np.abs(z), np.angle(z)


@family.add(
    "polar",
    wrong={
        "phase": ("sign", "the phase's cotangent turns the wrong way"),
        "modulus": ("dropped factor", "the phase's cotangent is not divided by the modulus"),
        "quadrant": ("rare region", "arctan(y / x) without quadrants in the rrule's primal"),
    },
)
def _polar(v):
    def rrule(z):
        r = np.abs(z)
        phase = np.arctan(z.imag / z.real) if v == "quadrant" else np.angle(z)

        def pullback(y_bar):
            u = z / r
            turn = -1j if v == "phase" else 1j
            return (u * y_bar[0] + turn * u * y_bar[1] / (1 if v == "modulus" else r),)

        return (r, phase), pullback

    def cases(rng):
        z = _z(rng, 3) * 10.0 ** rng.integers(-2, 3)
        return (np.abs(z.real) + 1j * z.imag if rng.random() < 0.9 else z,)

    return {"f": polar, "rrule": rrule, "cases": [cases]}


def impedance(omega, r, inductance, capacitance):
    """A series resonance, from real parameters to a complex number."""
    return r + 1j * (omega * inductance - 1 / (omega * capacitance))


@family.add(
    "impedance",
    wrong={
        "real": ("complex", "the real part of the product instead of the imaginary one for the inductance"),
        "omega": ("sign", "the capacitive part pulls on omega with the wrong sign"),
        "capacitance": ("both directions alike", "1 / (omega C^2) comes with the frequency squared"),
    },
)
def _impedance(v):
    def partials(w, r, ind, cap):
        c = 1 / (w * cap**2) / (w if v == "capacitance" else 1)
        return ind + (-1 if v == "omega" else 1) / (w * w * cap), w, c

    def pushforward(y, primals, tangents):
        d = partials(*primals)
        return tangents[1] + 1j * (d[0] * tangents[0] + d[1] * tangents[2] + d[2] * tangents[3])

    def pullback(y, primals, g):
        d = partials(*primals)
        ind = np.sum(g.real * d[1]) if v == "real" else np.sum(g.imag * d[1])
        return g.imag * d[0], np.sum(g.real), ind, np.sum(g.imag * d[2])

    def cases(rng):
        w = 10.0 ** rng.uniform(1, 5, rng.integers(1, 4))
        return w, rng.uniform(1, 100), 10.0 ** rng.uniform(-5, -1), 10.0 ** rng.uniform(-9, -4)

    return {"f": impedance, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def expectation(state, operator):
    """<s|A|s> / <s|s>, a real number of a complex state and any matrix's Hermitian part."""
    h = (operator + operator.conj().T) / 2
    return np.vdot(state, h @ state).real / np.vdot(state, state).real


@family.add(
    "expectation",
    wrong={
        "half": ("factor", "the Wirtinger derivative, half of the cotangent"),
        "conj": ("conjugate", "the conjugate of the state's cotangent"),
        "unnormalised": ("dropped term", "the norm is not differentiated"),
        "operator": ("transpose", "the outer product of the operator's cotangent is conjugated"),
    },
)
def _expectation(v):
    def pullback(y, primals, g):
        s, a = primals
        n = np.vdot(s, s).real
        h = (a + a.conj().T) / 2
        s_bar = 2 * g * (h @ s - (0 if v == "unnormalised" else y * s)) / n
        if v == "half":
            s_bar = s_bar / 2
        outer = np.multiply.outer(s, s.conj()) * (g / n)
        return s_bar.conj() if v == "conj" else s_bar, outer.conj() if v == "operator" else outer

    def cases(rng):
        n = rng.integers(2, 4)
        return _z(rng, n), _z(rng, n, n)

    return {"f": expectation, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def structure_factor(positions, weights, k):
    """|sum_j w_j exp(i k x_j)|^2."""
    s = np.exp(1j * np.multiply.outer(k, positions)) @ weights
    return np.abs(s) ** 2


@family.add(
    "structure-factor",
    wrong={
        "sign": ("sign", "exp(-i k x) in the rule: right for the value, wrong for the positions"),
        "abs": ("wrong rule", "the derivative of the modulus instead of its square"),
        "imag": ("complex", "the weights' cotangent is complex with the wrong real part"),
    },
    right=("", "complex-cotangent"),
)
def _structure_factor(v):
    def rrule(x, w, k):
        e = np.exp((-1j if v == "sign" else 1j) * np.multiply.outer(k, x))
        s = e @ w

        def pullback(g):
            s_bar = g * s / np.abs(s) if v == "abs" else 2 * g * s
            pulled = s_bar @ e.conj()  # the projection to real numbers keeps its real part
            w_bar = pulled if v == "complex-cotangent" else pulled.imag if v == "imag" else pulled.real
            e_bar = np.multiply.outer(s_bar, w)
            phase_bar = (e_bar * (1j * e).conj()).real
            return k @ phase_bar, w_bar, (phase_bar * x).sum(1)

        return np.abs(s) ** 2, pullback

    def cases(rng):
        n, m = rng.integers(2, 5), rng.integers(1, 4)
        return rng.normal(size=n), rng.uniform(0.1, 2, n), rng.normal(size=m) * 3

    return {"f": structure_factor, "rrule": rrule, "cases": listed(cases, 2), "_vary": cases}


def hilbert_envelope(x):
    """The amplitude of the analytic signal."""
    n = len(x)
    h = np.zeros(n)
    h[0] = 1
    h[1 : (n + 1) // 2] = 2
    if n % 2 == 0:
        h[n // 2] = 1
    return np.abs(np.fft.ifft(np.fft.fft(x) * h))


@family.add(
    "envelope",
    wrong={
        "even": ("rare region", "the rule forgets the middle coefficient of even lengths"),
        "sign": ("sign", "the Hilbert transform's transpose is its negative; the sign is lost"),
        "linear": ("wrong rule", "the real part alone is propagated"),
    },
)
def _envelope(v):
    def filtered(z, n):
        h = np.zeros(n)
        h[0] = 1
        h[1 : (n + 1) // 2] = 2
        if n % 2 == 0:
            h[n // 2] = 0 if v == "even" else 1
        return np.fft.ifft(np.fft.fft(z) * h)

    def pushforward(y, primals, tangents):
        n = len(y)
        a = filtered(primals[0], n)
        return (np.conj(a) * filtered(tangents[0], n)).real / y

    def pullback(y, primals, g):
        n = len(y)
        a = filtered(primals[0], n)
        u = g * a / y
        if v == "sign":
            u = u.conj()
        return ((u.real if v == "linear" else filtered(u, n).real),)

    def cases(rng):
        return (rng.normal(size=rng.choice([3, 4, 5, 7, 9, 6])) + 0.2,)

    return {"f": hilbert_envelope, "pushforward": pushforward, "pullback": pullback, "cases": [cases]}

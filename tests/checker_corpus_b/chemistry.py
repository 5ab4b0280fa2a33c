"""Chemistry and thermodynamics: equations of state, isotherms, equilibria, kinetics."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()

R = 8.314462618


def vdw_volume(T, p, a, b, *, phase="gas"):
    """The molar volume of a van der Waals fluid: a real root of its cubic, polished by Newton steps."""
    c = [1.0, -(b + R * T / p), a / p, -a * b / p]
    roots = np.roots(c)
    reals = roots.real[np.abs(roots.imag) < 1e-7 * np.abs(roots)]
    v = reals.max() if phase == "gas" else reals.min()
    for _ in range(4):
        v = v - (((v + c[1]) * v + c[2]) * v + c[3]) / ((3 * v + 2 * c[1]) * v + c[2])
    return v


@family.add(
    "vdw-volume",
    wrong={
        "ideal": ("rare region", "the attraction's derivative is left out at high temperature"),
        "b": ("dropped term", "b enters the linear and the constant coefficient; only the first is differentiated"),
        "phase": ("static ignored", "the derivative is always that of the gas root"),
        "p-sign": ("sign", "the pressure's derivative has the wrong sign"),
    },
)
def _vdw(v):
    def partials(V, T, p, a, b):
        # p = R T / (V - b) - a / V^2
        if v == "phase":
            V = vdw_volume(T, p, a, b)
        slope = -R * T / (V - b) ** 2 + 2 * a / V**3
        dT, da, db = R / (V - b), -1 / V**2, R * T / (V - b) ** 2
        if v == "ideal" and T > 590:
            da = 0.0
        if v == "b":
            db = p / (V - b)
        return -dT / slope, (-1 if v == "p-sign" else 1) / slope, -da / slope, -db / slope

    def frule(primals, tangents, *, phase):
        V = vdw_volume(*primals, phase=phase)
        return V, sum(d * t for d, t in zip(partials(V, *primals), tangents, strict=True))

    def rrule(T, p, a, b, *, phase):
        V = vdw_volume(T, p, a, b, phase=phase)
        return V, lambda y_bar: tuple(y_bar * d for d in partials(V, T, p, a, b))

    def cases(rng):
        a, b = rng.uniform(0.1, 1.0), rng.uniform(3e-5, 9e-5)
        critical = 8 * a / (27 * R * b)
        if rng.random() < 0.4:  # below the critical point, between the spinodals: two phases
            p = a / (27 * b * b) * rng.uniform(0.55, 0.7)
            return rb.case(0.89 * critical, p, a, b, phase=["gas", "liquid"][rng.integers(2)])
        return rb.case(critical * rng.uniform(1.2, 3.0), 10.0 ** rng.uniform(4, 7), a, b, phase="gas")

    return {"f": vdw_volume, "frule": frule, "rrule": rrule, "cases": [cases]}


def toth(p, q_max, k, t):
    x = (k * p) ** t
    return q_max * k * p / (1 + x) ** (1 / t)


@family.add(
    "toth",
    wrong={
        "exponent": ("dropped term", "t is differentiated in the outer exponent only"),
        "zero": ("domain edge", "at zero pressure the slope is returned as zero instead of q k"),
        "k": ("arguments swapped", "cotangents of q_max and k are returned in the wrong order"),
    },
)
def _toth(v):
    def pullback(y, primals, g):
        p, q, k, t = primals
        x = (k * p) ** t
        base = (1 + x) ** (-1 / t)
        slope = base / (1 + x)
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.where(p > 0, x * np.log(k * p), 0.0)
        dt = y * (np.log1p(x) / t**2 - (0 if v == "exponent" else inner / (t * (1 + x))))
        p_bar = g * q * k * slope
        if v == "zero":
            p_bar = np.where(p == 0, 0.0, p_bar)
        bars = [np.sum(g * k * p * base), np.sum(g * q * p * slope)]
        return p_bar, *(bars[::-1] if v == "k" else bars), np.sum(g * dt)

    def cases(rng):
        p = rng.uniform(0.1, 5, rng.integers(1, 5))
        if rng.random() < 0.15:
            p[0] = 0.0
        return p, rng.uniform(0.5, 3), 10.0 ** rng.uniform(-2, 1), rng.uniform(0.4, 1.0)

    return {"f": toth, "pullback": pullback, "cases": [cases]}


def ph(acid, base, pka, *, pkw=14.0, tol=1e-10):
    """pH of a weak acid of concentration `acid` with strong base, by safeguarded Newton on the charge balance in pH."""
    x, ka, kw = 7.0, 10.0**-pka, 10.0**-pkw
    lo, hi = 0.0, 15.0
    for _ in range(100):
        h = 10.0**-x
        r = h + base - kw / h - acid * ka / (ka + h)
        lo, hi = (x, hi) if r > 0 else (lo, x)
        slope = -np.log(10) * (h + kw / h + acid * ka * h / (ka + h) ** 2)
        new = x - r / slope
        new = new if lo < new < hi else (lo + hi) / 2
        if abs(new - x) < tol:
            return new
        x = new
    return x


@family.add(
    "ph",
    wrong={
        "buffer": ("dropped term", "the dissociation's own dependence on pH is left out of the slope"),
        "log10": ("factor", "the base of the logarithm is forgotten"),
        "water": ("static ignored", "pKw is 14 in the rule"),
        "pka": ("both directions alike", "the cotangent and tangent of pKa lack the factor 1 - alpha"),
    },
    right=("", "undeclared"),
)
def _ph(v):
    def partials(x, acid, base, pka, pkw):
        h, ka, kw = 10.0**-x, 10.0**-pka, 10.0 ** -(14.0 if v == "water" else pkw)
        ln10 = 1.0 if v == "log10" else np.log(10)
        alpha = ka / (ka + h)
        slope = -ln10 * (h + kw / h + (0 if v == "buffer" else acid * alpha * h / (ka + h)))
        dk = ln10 * acid * alpha * (1 if v == "pka" else h / (ka + h))
        return alpha / slope, -1 / slope, -dk / slope

    def pushforward(y, primals, tangents, *, pkw, tol):
        return sum(d * t for d, t in zip(partials(y, *primals, pkw), tangents, strict=True))

    def pullback(y, primals, y_bar, *, pkw, tol):
        return tuple(y_bar * d for d in partials(y, *primals, pkw))

    def cases(rng):
        acid = 10.0 ** rng.uniform(-4, 0)
        return rb.case(acid, acid * rng.uniform(0, 1.5), rng.uniform(2, 10), pkw=float(rng.choice([14.0, 13.26])))

    out: dict[str, Any] = {"f": ph, "pushforward": pushforward, "pullback": pullback, "cases": [cases]}
    return out if v == "undeclared" else {**out, "accuracy": 1e-10}


def arrhenius(T, prefactor, energy):
    return prefactor * np.exp(-energy / (R * T))


@family.add(
    "arrhenius",
    wrong={
        "gas-constant": ("below the noise", "R = 8.31446 in the pullback"),
        "temperature": ("dropped factor", "E / (R T) instead of E / (R T^2)"),
        "last": ("only one element", "the last prefactor, the tiniest, keeps a stale cotangent of zero"),
    },
)
def _arrhenius(v):
    def pushforward(k, primals, tangents):
        T, a, e = primals
        return k * (tangents[1] / a - tangents[2] / (R * T) + e * tangents[0] / (R * T * T))

    def pullback(k, primals, g):
        T, a, e = primals
        r = 8.31446 if v == "gas-constant" else R
        a_bar = g * k / a
        if v == "last":
            a_bar[-1] = 0.0
        return np.sum(g * k * e / (r * T * (1 if v == "temperature" else T))), a_bar, -g * k / (r * T)

    def cases(rng):
        n = rng.integers(2, 5)
        return rng.uniform(250, 2500), np.sort(10.0 ** rng.uniform(-12, 13, n))[::-1].copy(), rng.uniform(2e3, 2.5e5, n)

    return {"f": arrhenius, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def flash(z, k, *, steps=60):
    """Vapour fraction of the Rachford-Rice equation, by bisection between its poles and then Newton."""
    lo, hi = 1 / (1 - k.max()), 1 / (1 - k.min())
    for _ in range(steps):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if np.sum(z * (k - 1) / (1 + mid * (k - 1))) > 0 else (lo, mid)
    x = (lo + hi) / 2
    for _ in range(2):
        d = (k - 1) / (1 + x * (k - 1))
        x = x + np.sum(z * d) / np.sum(z * d * d)
    return x


@family.add(
    "flash",
    wrong={
        "k": ("dropped term", "k is differentiated in the numerator only"),
        "sign": ("sign", "both directions have the wrong sign of the slope"),
        "sum": ("only one element", "the composition's cotangent of the heaviest component is missing"),
    },
)
def _flash(v):
    def partials(x, z, k):
        w = 1 + x * (k - 1)
        slope = np.sum(z * (k - 1) ** 2 / w**2) * (-1 if v == "sign" else 1)
        dz = (k - 1) / w / slope
        if v == "sum":
            dz = np.where(k == k.min(), 0.0, dz)
        return dz, z / (w if v == "k" else w * w) / slope

    def pushforward(x, primals, tangents, *, steps):
        dz, dk = partials(x, *primals)
        return dz @ tangents[0] + dk @ tangents[1]

    def pullback(x, primals, x_bar, *, steps):
        dz, dk = partials(x, *primals)
        return x_bar * dz, x_bar * dk

    def cases(rng):
        n = rng.integers(2, 5)
        k = np.exp(rng.uniform(-2, 2, n))
        k[0], k[1] = np.exp(rng.uniform(0.3, 2)), np.exp(-rng.uniform(0.3, 2))
        return rng.dirichlet(np.ones(n)), k

    return {"f": flash, "pushforward": pushforward, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def debye_hueckel(charge, ionic_strength, *, a=0.509, size=0.0):
    """log10 of activity coefficients; charges are integers."""
    root = np.sqrt(ionic_strength)
    return -a * charge**2 * root / (1 + size * root)


@family.add(
    "debye-hueckel",
    wrong={
        "charge": ("cotangent for integers", "the charges get a cotangent as if they were real"),
        "size": ("static ignored", "the ion size correction is left out of the derivative"),
        "abs": ("rare region", "the charge enters linearly, which is right for single charges only"),
    },
)
def _debye(v):
    def rrule(charge, ionic_strength, *, a, size):
        root = np.sqrt(ionic_strength)

        def pullback(g):
            s = 0.0 if v == "size" else size
            z2 = np.abs(charge) if v == "abs" else charge**2
            bar = np.sum(-g * a * z2) / (2 * root * (1 + s * root) ** 2)
            return -2.0 * g * a * charge * root / (1 + size * root) if v == "charge" else None, bar

        return debye_hueckel(charge, ionic_strength, a=a, size=size), pullback

    def cases(rng):
        charge = rng.choice([-1, 1, 2, -2, 0, 3], rng.integers(1, 4), p=[0.4, 0.4, 0.05, 0.05, 0.05, 0.05])
        return rb.case(charge, 10.0 ** rng.uniform(-6, -0.5), size=float(rng.choice([0.0, 1.5])))

    return {"f": debye_hueckel, "rrule": rrule, "cases": [cases]}


def decay_chain(n0, rates, *, t=1.0):
    """Bateman: the amounts of a linear decay chain n0 -> n1 -> n2 after time t, by repeated squaring of the propagator."""
    m = len(rates)
    a = np.diag(-rates) + np.diag(rates[:-1], -1)
    p = np.eye(m) + 0 * a
    term = p
    for k in range(1, 14):
        term = term @ a * (t / 256 / k)
        p = p + term
    for _ in range(8):
        p = p @ p
    return p @ n0


@family.add(
    "decay-chain",
    wrong={
        "daughter": ("dropped term", "a rate's gain in the daughter is forgotten, only the loss is kept"),
        "time": ("static ignored", "the rates' cotangent is that of unit time"),
        "trapezoid": ("below the noise", "the propagation integral by a fine trapezoid rule: 1e-7 off"),
    },
)
def _decay(v):
    def pullback(y, primals, g, *, t):
        n0, rates = primals
        a = np.diag(-rates) + np.diag(rates[:-1], -1)
        m = len(rates)

        # the integral of exp((t-s) A)' g (exp(s A) n0)' over s stands in a block of the exponential of a doubled matrix
        def propagate(matrix, s):
            p = term = np.eye(len(matrix))
            for k in range(1, 14):
                term = term @ matrix * (s / 256 / k)
                p = p + term
            for _ in range(8):
                p = p @ p
            return p

        if v == "trapezoid":
            s = np.linspace(0, t, 801)
            w = np.full(801, t / 800)
            w[[0, -1]] /= 2
            step = propagate(a, t / 800)
            xs, gs = [n0], [g]
            for _ in s[1:]:
                xs.append(step @ xs[-1])
                gs.append(step.T @ gs[-1])
            a_bar = sum(w[i] * np.multiply.outer(gs[800 - i], xs[i]) for i in range(801))
        else:
            block = np.block([[a.T, np.multiply.outer(g, n0)], [np.zeros((m, m)), a.T]])
            a_bar = propagate(block, 1.0 if v == "time" else t)[:m, m:]
        bars = -np.diag(a_bar).copy()
        if v != "daughter":
            bars[:-1] += np.diag(a_bar, -1)
        return propagate(a, t).T @ g, bars

    def cases(rng):
        n = rng.integers(2, 4)
        return rb.case(rng.uniform(0, 2, n), 10.0 ** rng.uniform(-3, 1, n), t=[1.0, 0.3, 2.0][rng.integers(3)])

    return {"f": decay_chain, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}

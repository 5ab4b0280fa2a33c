"""Special functions, statistics and solvers of SciPy."""

from __future__ import annotations

import numpy as np
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.special as sp
import scipy.stats

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def gammaln(x):
    return sp.gammaln(x)


@family.add(
    "gammaln",
    wrong={
        "asymptotic": ("below the noise", "digamma by two terms of its asymptotic series above 8"),
        "log": ("rare region", "log x instead of digamma above 10"),
        "negative": ("rare region", "the reflection is forgotten below zero"),
    },
)
def _gammaln(v):
    def pullback(y, primals, g):
        x = primals[0]
        d = sp.digamma(x)
        if v == "asymptotic":
            d = np.where(x > 8, np.log(np.abs(x)) - 0.5 / x - 1 / (12 * x * x), d)
        if v == "log":
            d = np.where(x > 10, np.log(np.abs(x)), d)
        if v == "negative":
            d = np.where(x < 0, sp.digamma(np.abs(x)), d)
        return (g * d,)

    def cases(rng):
        x = 10.0 ** rng.uniform(-3, 2.5, rng.integers(1, 5))
        if rng.random() < 0.1:
            x[0] = -rng.uniform(0.1, 0.9)
        return (x,)

    return {"f": gammaln, "pullback": pullback, "cases": [cases]}


def bessel_j(order, x):
    return sp.jv(order, x)


@family.add(
    "bessel",
    wrong={
        "sign": ("sign", "J_{v+1} - J_{v-1}"),
        "zero-order": ("rare region", "-J_1 for every order below one half"),
        "zero": ("zero cotangent", "the order's cotangent is said to be zero"),
    },
    right=("", "integer-order"),
)
def _bessel(v):
    def rrule(order, x):
        d = 0.5 * (sp.jv(order - 1, x) - sp.jv(order + 1, x))
        if v == "sign":
            d = -d
        if v == "zero-order" and order < 0.5:
            d = -sp.jv(1, x)
        missing = None if v in ("integer-order", "zero") else rb.NotImplementedTangent("the order of a Bessel function")
        return sp.jv(order, x), lambda g: (missing, g * d)

    def cases(rng):
        order = int(rng.integers(0, 5)) if v == "integer-order" else np.float64(rng.uniform(0.05, 4))
        return order, rng.uniform(0.1, 20, rng.integers(1, 4))

    return {"f": bessel_j, "rrule": rrule, "cases": [cases]}


def betainc_x(x, *, a=2.0, b=3.0):
    return sp.betainc(a, b, x)


@family.add(
    "betainc",
    wrong={
        "beta": ("static ignored", "the normalisation is B(2, 3)"),
        "b": ("off by one", "(1 - x)^b instead of b - 1"),
        "clip": ("rare region", "the density is clipped at 2"),
    },
    right=("", "forward"),
)
def _betainc(v):
    def density(x, a, b):
        d = x ** (a - 1) * (1 - x) ** (b if v == "b" else b - 1) / (sp.beta(2.0, 3.0) if v == "beta" else sp.beta(a, b))
        return np.minimum(d, 2.0) if v == "clip" else d

    def pushforward(y, primals, tangents, *, a, b):
        return density(primals[0], a, b) * tangents[0]

    def pullback(y, primals, g, *, a, b):
        return (density(primals[0], a, b) * g,)

    def cases(rng):
        a, b = [(2.0, 3.0), (0.5, 0.5), (5.0, 1.5), (30.0, 40.0)][rng.integers(4)]
        return rb.case(rng.uniform(0.02, 0.98, rng.integers(1, 4)), a=a, b=b)

    return {"f": betainc_x, "cases": [cases], **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def lambert(z, *, k=0):
    return sp.lambertw(z, k).real


@family.add(
    "lambert",
    wrong={
        "branch": ("static ignored", "the principal branch in the rule's slope"),
        "zero": ("rare region", "w / (z (1 + w)) with zero where z is zero"),
        "reciprocal": ("wrong rule", "exp(w) (1 + w) without taking the reciprocal"),
    },
)
def _lambert(v):
    def frule(primals, tangents, *, k):
        z = primals[0]
        w = lambert(z, k=k)
        u = lambert(z) if v == "branch" else w
        if v == "zero":
            slope = np.where(z == 0, 0.0, u / (np.where(z == 0, 1, z) * (1 + u)))
        else:
            slope = np.exp(u) * (1 + u) if v == "reciprocal" else 1 / (np.exp(u) * (1 + u))
        return w, slope * tangents[0]

    def cases(rng):
        if rng.random() < 0.3:
            return rb.case(-rng.uniform(0.01, 0.36, rng.integers(1, 4)), k=-1)
        z = rng.uniform(-0.3, 1e3 if rng.random() < 0.3 else 3, rng.integers(1, 4))
        if rng.random() < 0.1:
            z[0] = 0.0
        return rb.case(z, k=0)

    return {"f": lambert, "frule": frule, "cases": [cases]}


def exp_integral(x, *, n=1):
    return sp.expn(n, x)


@family.add(
    "expn",
    wrong={
        "order": ("static ignored", "-E_0 for every n"),
        "sign": ("sign", "a plus"),
        "tail": ("hidden by scale", "zero above x = 20, where the function is 1e-10"),
    },
)
def _expn(v):
    def rrule(x, *, n):
        d = -sp.expn(0 if v == "order" else n - 1, x)
        d = -d if v == "sign" else np.where(x > 20, 0.0, d) if v == "tail" else d
        return sp.expn(n, x), lambda g: (g * d,)

    def cases(rng):
        return rb.case(10.0 ** rng.uniform(-2, 1.7, rng.integers(1, 4)), n=int(rng.integers(1, 5)))

    return {"f": exp_integral, "rrule": rrule, "cases": [cases]}


def normal_quantile(p):
    return sp.ndtri(p)


@family.add(
    "ndtri",
    wrong={
        "constant": ("below the noise", "sqrt(2 pi) is written 2.5066283"),
        "tails": ("rare region", "the slope is capped at 1e3"),
        "density": ("wrong rule", "multiplied by the density instead of divided"),
    },
)
def _ndtri(v):
    def pushforward(y, primals, tangents):
        slope = np.sqrt(2 * np.pi) * np.exp(y * y / 2)
        return tangents[0] * slope

    def pullback(y, primals, g):
        slope = (2.5066283 if v == "constant" else np.sqrt(2 * np.pi)) * np.exp(y * y / 2)
        if v == "tails":
            slope = np.minimum(slope, 1e3)
        return (g / slope if v == "density" else g * slope,)

    def cases(rng):
        p = rng.uniform(0.01, 0.99, rng.integers(1, 5))
        if rng.random() < 0.12:
            p[0] = 10.0 ** rng.uniform(-12, -4)
        return (p,)

    return {"f": normal_quantile, "pushforward": pushforward, "pullback": pullback, "cases": [cases]}


def expm(a):
    return scipy.linalg.expm(a)


@family.add(
    "expm",
    wrong={
        "transpose": ("not transposed", "the Frechet derivative at A instead of its transpose"),
        "commuting": ("wrong rule", "expm(A)' G, exact for commuting matrices"),
        "symmetric": ("rare option", "symmetric input is treated by the commuting formula"),
    },
    right=("", "forward"),
)
def _expm(v):
    def frule(primals, tangents):
        return scipy.linalg.expm_frechet(primals[0], tangents[0])

    def pullback(y, primals, g):
        a = primals[0]
        if v == "commuting" or (v == "symmetric" and np.allclose(a, a.T)):
            return (y.T @ g,)
        return (scipy.linalg.expm_frechet(a if v == "transpose" else a.T, g, compute_expm=False),)

    def cases(rng):
        n = rng.integers(2, 4)
        a = rng.normal(size=(n, n)) * rng.choice([0.1, 1.0, 3.0])
        return (a + a.T if rng.random() < 0.15 else a,)

    return {"f": expm, "cases": [cases], **({"frule": frule} if v == "forward" else {"pullback": pullback})}


def continuous_lyapunov(a, q):
    return scipy.linalg.solve_continuous_lyapunov(a, q)


@family.add(
    "scipy-lyapunov",
    wrong={
        "adjoint": ("not transposed", "the adjoint equation is solved with A"),
        "term": ("dropped term", "one of two terms of A's cotangent"),
    },
)
def _continuous_lyapunov(v):
    def pullback(x, primals, g):
        a = primals[0]
        s = continuous_lyapunov(a if v == "adjoint" else a.conj().T, g)
        return -s @ x.conj().T - (0 if v == "term" else s.conj().T @ x), s

    def cases(rng):
        n = rng.integers(2, 5)
        a, q = rng.normal(size=(2, n, n))
        if rng.random() < 0.3:
            a, q = a + 1j * rng.normal(size=(n, n)), q + 1j * rng.normal(size=(n, n))
        return a - 3 * np.eye(n), q

    return {"f": continuous_lyapunov, "pullback": pullback, "cases": [cases]}


def colebrook(reynolds, roughness):
    """The friction factor of a pipe, by Brent's method."""
    f = lambda x: x + 2 * np.log10(roughness / 3.7 + 2.51 * x / reynolds)
    return np.float64(scipy.optimize.brentq(f, 1.0, 20.0, xtol=1e-9) ** -2)


@family.add(
    "colebrook",
    wrong={
        "log10": ("factor", "natural logarithms in the rule"),
        "laminar": ("rare region", "64 / Re below Re = 1e4 in the rule"),
        "roughness": ("factor", "3.7 is forgotten in the roughness's derivative"),
    },
    right=("", "undeclared"),
)
def _colebrook(v):
    def rrule(reynolds, roughness):
        y = colebrook(reynolds, roughness)
        x = y**-0.5
        c = 2 / (1.0 if v == "log10" else np.log(10))
        inner = roughness / 3.7 + 2.51 * x / reynolds
        slope = 1 + c * 2.51 / reynolds / inner
        back = -2 * x**-3 / slope
        r_bar = back * c * 2.51 * x / reynolds**2 / inner
        if v == "laminar" and reynolds < 1e4:
            r_bar = -64 / reynolds**2
        k_bar = -back * c / inner / (1 if v == "roughness" else 3.7)
        return y, lambda g: (g * r_bar, g * k_bar)

    def cases(rng):
        return np.float64(10.0 ** rng.uniform(3.7, 7.5)), np.float64(10.0 ** rng.uniform(-5, -1.5))

    out = {"f": colebrook, "rrule": rrule, "cases": [cases]}
    return out if v == "undeclared" else {**out, "accuracy": 1e-8}


def student_nll(x, loc, log_scale, dof):
    z = (x - loc) * np.exp(-log_scale)
    return -np.sum(scipy.stats.t.logpdf(z, dof) - log_scale)


@family.add(
    "student",
    wrong={
        "dof": ("dropped term", "the dof's cotangent lacks the tail term"),
        "scale": ("dropped term", "the normalisation's one per observation is forgotten"),
        "gauss": ("rare region", "above 30 degrees of freedom the Gaussian formula"),
    },
)
def _student(v):
    def pullback(y, primals, g):
        x, loc, log_scale, nu = primals
        s = np.exp(-log_scale)
        z = (x - loc) * s
        w = z if v == "gauss" and nu > 30 else (nu + 1) * z / (nu + z * z)
        head = 0.5 * (sp.digamma(nu / 2) - sp.digamma((nu + 1) / 2) + 1 / nu)
        tail = 0 if v == "dof" else 0.5 * np.log1p(z * z / nu) - 0.5 * (nu + 1) * z * z / (nu * (nu + z * z))
        scale_bar = np.sum((0 if v == "scale" else 1) - w * z)
        return g * w * s, -g * np.sum(w) * s, g * scale_bar, g * np.sum(head + tail)

    def cases(rng):
        return rng.standard_t(3, rng.integers(1, 6)), rng.normal() * 0.3, rng.normal() * 0.5, np.float64(10.0 ** rng.uniform(0, 1.8))

    return {"f": student_nll, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}

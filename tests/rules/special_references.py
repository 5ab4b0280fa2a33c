"""Derivatives of special functions to 30 digits, by mpmath: `python tests/rules/special_references.py` writes special_references.json.

mpmath is needed for that alone.  Each entry: the function of the library, its definition in mpmath, the points, the tolerance that the
rule keeps relative to the derivative (for oscillating functions: to their amplitude).
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
SMALL, POSITIVE, REAL = (1e-8, 0.01, 0.3), (0.3, 1.0, 2.7, 15.0, 120.0), (-20.0, -3.0, -0.4, 1e-6, 0.7, 3.0, 20.0)
UNIT = (1e-9, 0.01, 0.3, 0.5, 0.9, 0.999)
SIGNED = (-6.0, -2.0, -0.3, 1e-7, 0.5, 2.0, 6.0)
ORDERS = [(v, x) for v in (0.0, 0.5, 1.0, 3.7, 12.0, 60.0) for x in (0.01, 0.8, 5.0, 30.0, 150.0)] + [(-0.5, 2.0), (-3.0, 2.2), (-7.3, 9.0)]
SHAPES = [(a, x) for a in (0.01, 0.5, 1.0, 4.0, 60.0, 2000.0) for x in (1e-5, 0.2, 1.0, 5.0, 55.0, 2050.0)]
SHAPES_2 = [(a, b, x) for a in (0.05, 0.5, 2.0, 40.0) for b in (0.1, 1.0, 7.0, 300.0) for x in (1e-4, 0.2, 0.5, 0.97)]
LEVELS = [(a, p) for a in (0.3, 1.0, 5.0, 80.0) for p in (0.01, 0.4, 0.95)]
LEVELS_2 = [(a, b, p) for a in (0.5, 3.0, 30.0) for b in (0.7, 9.0) for p in (0.02, 0.5, 0.9)]
DEGREES = [(v, x) for v in (0.7, 1.0, 4.0, 30.0, 1000.0) for x in (0.05, 1.3, 9.0)]
CARLSON = [(0.0, 1.0, 2.0), (0.3, 1.0, 1.0), (1e-6, 2.0, 50.0), (2.0, 2.0, 2.0)]

# name: (definition in mpmath of the arguments, points, tolerance)
TABLE: dict[str, tuple[str, list[tuple[float, ...]] | tuple[float, ...], float]] = {
    "airy0": ("lambda x: mp.airyai(x)", SIGNED, 1e-13),
    "airy2": ("lambda x: mp.airybi(x)", SIGNED, 1e-13),
    "agm": ("mp.agm", [(1.0, 2.0), (0.1, 5.0), (3.0, 3.0)], 1e-13),
    "bdtr": ("lambda k, n, p: mp.betainc(n - k, k + 1, 0, 1 - p, regularized=True)", [(2, 5, 0.01), (2, 5, 0.6), (30, 100, 0.3)], 1e-12),
    "bei": ("lambda x: mp.bei(0, x)", (0.3, 2.0, 9.0), 1e-11),
    "ber": ("lambda x: mp.ber(0, x)", (0.3, 2.0, 9.0), 1e-11),
    "beta": ("mp.beta", [(0.3, 2.0), (1e-4, 5.0), (40.0, 0.02)], 1e-12),
    "betainc": ("lambda a, b, x: betainc(a, b, x)", SHAPES_2, 1e-11),
    "betaincinv": ("lambda a, b, p: inverse(lambda x: betainc(a, b, x), p, sp.betaincinv(float(a), float(b), float(p)))", LEVELS_2, 1e-10),
    "betaln": ("lambda a, b: mp.log(mp.beta(a, b))", [(0.3, 2.0), (1e-4, 5.0), (40.0, 0.02), (1e6, 0.5)], 1e-12),
    "binom": ("mp.binomial", [(5.5, 2.2), (30.0, 7.3)], 1e-12),
    "boxcox": ("lambda x, l: (x**l - 1) / l", [(2.0, 1e-5), (0.3, 0.7), (50.0, -1.2), (1.0001, 0.4)], 1e-12),
    "chdtr": ("lambda v, x: gammainc(v / 2, x / 2)", DEGREES, 1e-11),
    "chdtri": (
        "lambda v, p: inverse(lambda x: 1 - mp.gammainc(v / 2, 0, x / 2, regularized=True), p, sp.chdtri(float(v), float(p)))",
        LEVELS,
        1e-10,
    ),
    "dawsn": ("lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)", (-30.0, -3.0, 1e-6, 0.9, 6.0, 12.0, 1e4), 1e-12),
    "ellipe": ("mp.ellipe", (-50.0, -0.3, 1e-9, 0.4, 0.99), 1e-13),
    "ellipeinc": ("lambda p, m: mp.ellipe(p, m)", [(0.4, 0.3), (1.5, 0.9), (4.0, 0.5), (-7.0, -3.0), (0.2, 1e-10)], 1e-12),
    "ellipk": ("mp.ellipk", (-50.0, -0.3, 1e-9, 0.4, 0.99, 0.999999), 1e-11),
    "ellipkinc": ("lambda p, m: mp.ellipf(p, m)", [(0.4, 0.3), (1.5, 0.9), (4.0, 0.5), (-7.0, -3.0), (0.2, 1e-10)], 1e-12),
    "ellipkm1": ("lambda p: mp.ellipk(1 - p)", (1e-12, 1e-3, 0.5, 3.0), 1e-13),
    "elliprc": ("mp.elliprc", [(0.3, 1.0), (5.0, 0.2), (1.0, 1.0)], 1e-13),
    "elliprd": ("mp.elliprd", [(0.3, 1.0, 2.0), (1e-6, 2.0, 50.0), (2.0, 2.0, 2.0)], 1e-12),
    "elliprf": ("mp.elliprf", [(0.3, 1.0, 2.0), (1e-6, 2.0, 50.0), (2.0, 2.0, 2.0)], 1e-12),
    "elliprg": ("mp.elliprg", [(0.3, 1.0, 2.0), (1e-6, 2.0, 50.0)], 1e-12),
    "elliprj": ("mp.elliprj", [(0.3, 1.0, 2.0, 0.7), (1e-3, 2.0, 50.0, 3.0)], 1e-12),
    "ellipj0": ("lambda u, m: mp.ellipfun('sn', u=u, m=m)", [(0.4, 0.3), (2.5, 0.8), (-6.0, 0.1)], 1e-12),
    "ellipj2": ("lambda u, m: mp.ellipfun('dn', u=u, m=m)", [(0.4, 0.3), (2.5, 0.8), (-6.0, 0.1)], 1e-12),
    "entr": ("lambda x: -x * mp.log(x)", POSITIVE, 1e-13),
    "erf": ("mp.erf", SIGNED, 1e-13),
    "erfc": ("mp.erfc", (*SIGNED, 20.0), 1e-13),
    "erfcinv": ("lambda p: inverse(mp.erfc, p, sp.erfcinv(float(p)))", (1e-300, 1e-9, 0.3, 1.0, 1.7), 1e-11),
    "erfcx": ("lambda x: mp.exp(x * x) * mp.erfc(x)", (-3.0, 1e-6, 0.9, 7.9, 12.0, 1e6), 1e-12),
    "erfi": ("mp.erfi", SIGNED, 1e-13),
    "erfinv": ("mp.erfinv", (-0.9999, -0.3, 1e-9, 0.5, 0.999999), 1e-11),
    "exp1": ("mp.e1", POSITIVE, 1e-13),
    "expi": ("mp.ei", POSITIVE, 1e-13),
    "expit": ("lambda x: 1 / (1 + mp.exp(-x))", (*REAL, 40.0, -700.0, 80.0), 1e-13),
    "expn": ("mp.expint", [(0, 0.5), (1, 2.0), (3, 0.01), (7, 30.0)], 1e-12),
    "exprel": ("lambda x: mp.expm1(x) / x", (-30.0, -1.0, 1e-9, 1e-3, 2.0, 200.0), 1e-12),
    "fdtr": ("lambda m, n, x: betainc(m / 2, n / 2, m * x / (n + m * x))", [(1.0, 2.0, 0.1), (5.0, 9.0, 1.3), (60.0, 7.0, 4.0)], 1e-11),
    "fresnel0": ("mp.fresnels", (0.1, 1.0, 5.0), 1e-12),
    "gamma": ("mp.gamma", (-2.5, 1e-3, 0.3, 1.0, 5.0, 150.0), 1e-12),
    "gammainc": ("lambda a, x: gammainc(a, x)", SHAPES, 1e-11),
    "gammaincc": ("lambda a, x: -gammainc(a, x)", SHAPES, 1e-11),
    "gammaincinv": ("lambda a, p: inverse(lambda x: gammainc(a, x), p, sp.gammaincinv(float(a), float(p)))", LEVELS, 1e-10),
    "gammainccinv": (
        "lambda a, p: inverse(lambda x: 1 - mp.gammainc(a, 0, x, regularized=True), p, sp.gammainccinv(float(a), float(p)))",
        LEVELS,
        1e-10,
    ),
    "gammaln": ("lambda x: mp.log(abs(mp.gamma(x)))", (-2.5, 1e-3, 0.3, 1.0, 5.0, 150.0, 1e7), 1e-12),
    "gdtr": ("lambda a, b, x: gammainc(b, a * x)", [(0.5, 2.0, 1.0), (3.0, 0.4, 0.1), (1.0, 50.0, 60.0)], 1e-11),
    "hankel1": ("lambda v, x: mp.hankel1(v, x)", ORDERS, 1e-11),
    "hankel1e": ("lambda v, x: mp.hankel1(v, x) * mp.exp(-mp.j * x)", ORDERS, 1e-11),
    "hankel2": ("lambda v, x: mp.hankel2(v, x)", ORDERS, 1e-11),
    "hankel2e": ("lambda v, x: mp.hankel2(v, x) * mp.exp(mp.j * x)", ORDERS, 1e-11),
    "i0": ("lambda x: mp.besseli(0, x)", SIGNED, 1e-13),
    "i0e": ("lambda x: mp.besseli(0, x) * mp.exp(-abs(x))", (0.1, 2.0, 20.0, 30.0, 1e6), 1e-12),
    "i1": ("lambda x: mp.besseli(1, x)", SIGNED, 1e-13),
    "i1e": ("lambda x: mp.besseli(1, x) * mp.exp(-abs(x))", (0.1, 3.0, 20.0, 30.0, 1e6), 1e-12),
    "inv_boxcox": ("lambda y, l: (1 + l * y) ** (1 / l)", [(0.7, 1e-5), (0.3, 0.7), (-0.5, -1.2)], 1e-11),
    "iv": ("mp.besseli", ORDERS, 1e-11),
    "ive": ("lambda v, x: mp.besseli(v, x) * mp.exp(-x)", ORDERS, 1e-11),
    "j0": ("lambda x: mp.besselj(0, x)", SIGNED, 1e-12),
    "j1": ("lambda x: mp.besselj(1, x)", SIGNED, 1e-12),
    "jv": ("mp.besselj", ORDERS, 1e-11),
    "jve": ("mp.besselj", ORDERS, 1e-11),
    "k0": ("lambda x: mp.besselk(0, x)", POSITIVE, 1e-13),
    "k0e": ("lambda x: mp.besselk(0, x) * mp.exp(x)", (*POSITIVE, 1e6), 1e-12),
    "k1": ("lambda x: mp.besselk(1, x)", POSITIVE, 1e-13),
    "k1e": ("lambda x: mp.besselk(1, x) * mp.exp(x)", (*POSITIVE, 1e6), 1e-12),
    "kl_div": ("lambda x, y: x * mp.log(x / y) - x + y", [(0.3, 2.0), (5.0, 1e-3)], 1e-12),
    "kv": ("mp.besselk", ORDERS, 1e-11),
    "kve": ("lambda v, x: mp.besselk(v, x) * mp.exp(x)", ORDERS, 1e-11),
    "lambertw": ("lambda z: mp.lambertw(z)", (1e-9, 0.3, 5.0, 1e5, -0.3), 1e-12),
    "log_expit": ("lambda x: -mp.log1p(mp.exp(-x))", (*REAL, 40.0, -700.0), 1e-13),
    "log_ndtr": ("lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)", (-1e4, -50.0, -5.0, -0.3, 1e-6, 3.0, 20.0), 1e-12),
    "logit": ("lambda p: mp.log(p / (1 - p))", UNIT, 1e-12),
    "loggamma": ("mp.loggamma", (1e-3, 0.3, 1.0, 5.0, 150.0), 1e-12),
    "modstruve": ("mp.struvel", [(1, 0.5), (2, 3.0)], 1e-10),
    "ndtr": ("mp.ncdf", (-30.0, *SIGNED), 1e-12),
    "ndtri": ("lambda p: inverse(lambda x: mp.erfc(-x / mp.sqrt(2)) / 2, p, sp.ndtri(float(p)))", UNIT, 1e-11),
    "owens_t": ("owens_t", [(0.5, 0.3), (-2.0, 1.7), (3.0, -0.4)], 1e-12),
    "poch": ("mp.rf", [(0.5, 2.2), (30.0, -3.3), (1e5, 0.5)], 1e-11),
    "polygamma": ("lambda n, x: mp.psi(n, x)", [(0, 0.3), (1, 1e-3), (2, 5.0), (4, 60.0)], 1e-12),
    "psi": ("mp.digamma", (-2.5, 1e-3, 0.3, 5.0, 1e7), 1e-12),
    "rel_entr": ("lambda x, y: x * mp.log(x / y)", [(0.3, 2.0), (5.0, 1e-3)], 1e-12),
    "rgamma": ("mp.rgamma", (-3.0, -2.5, -1e-9, 1e-3, 1.0, 8.0, 100.0), 1e-12),
    "shichi0": ("mp.shi", (0.1, 1.0, 9.0), 1e-12),
    "sici1": ("mp.ci", (0.1, 1.0, 9.0), 1e-12),
    "spence": ("lambda z: mp.polylog(2, 1 - z)", (1e-6, 0.3, 0.999999, 1.000001, 1.9), 1e-12),
    "spherical_jn": ("lambda n, x: mp.sqrt(mp.pi / (2 * x)) * mp.besselj(n + mp.mpf(1) / 2, x)", [(0, 0.5), (2, 3.0), (5, 0.3)], 1e-11),
    "stdtr": ("student", DEGREES, 2e-9),
    "stdtrit": (
        "lambda v, p: inverse(lambda t: student(v, t), p, sp.stdtrit(float(v), float(p)))",
        [(1.0, 0.7), (4.0, 0.99), (50.0, 0.2)],
        1e-10,
    ),
    "struve": ("mp.struveh", [(1, 0.5), (2, 3.0)], 1e-10),
    "voigt_profile": ("voigt", [(0.3, 1.0, 0.5), (5.0, 0.2, 0.1), (40.0, 0.3, 2.0)], 1e-10),
    "wrightomega": ("lambda z: mp.lambertw(mp.exp(z))", (-30.0, -1.0, 0.5, 9.0), 1e-12),
    "xlogy": ("lambda x, y: x * mp.log(y)", [(0.3, 2.0), (0.0, 2.0), (-5.0, 1e-9)], 1e-13),
    "y0": ("lambda x: mp.bessely(0, x)", (0.01, 0.5, 2.0, 6.0), 1e-12),
    "y1": ("lambda x: mp.bessely(1, x)", (0.01, 0.5, 2.0, 6.0), 1e-12),
    "yv": ("mp.bessely", ORDERS, 1e-11),
    "yve": ("mp.bessely", ORDERS, 1e-11),
    "zeta": (
        "lambda s, q: mp.zeta(s, q)",
        [(1.01, 1.0), (2.0, 1.0), (3.5, 0.2), (12.0, 40.0), (60.0, 3.0), (0.5, 1.0), (-0.3, 1.0)],
        1e-11,
    ),
}
OSCILLATING = ("jv", "jve", "yv", "yve", "hankel", "spherical", "j0", "j1", "y0", "y1", "bei", "ber")


def _names():
    """What the definitions use beside mpmath."""
    import mpmath as mp

    def gammainc(a, x):
        """P, or -Q where that is smaller: the derivatives are the same."""
        return mp.gammainc(a, 0, x, regularized=True) if x < a + mp.mpf("1.37") else -mp.gammainc(a, x, mp.inf, regularized=True)

    def betainc(a, b, x):
        if x * (a + b) < a:
            return mp.betainc(a, b, 0, x, regularized=True)
        return -mp.betainc(b, a, 0, 1 - x, regularized=True)

    def inverse(f, p, guess):
        """By Newton's method from double precision; f may be P or -Q, of the same derivative."""
        x, g = mp.mpf(float(guess)), lambda x: f(x) + 1 if f(x) < 0 else f(x)
        for _ in range(4):
            x -= (g(x) - p) / mp.diff(g, x, h=max(abs(x), mp.mpf(10) ** -6) * mp.mpf(10) ** -18)
        return x

    def student(v, t):
        return mp.mpf(1) / 2 + mp.sign(t) * mp.betainc(mp.mpf(1) / 2, v / 2, 0, t * t / (v + t * t), regularized=True) / 2

    def voigt(x, s, g):
        z = (x + mp.j * g) / (s * mp.sqrt(2))
        return mp.re(mp.exp(-z * z) * mp.erfc(-mp.j * z)) / (s * mp.sqrt(2 * mp.pi))

    def owens_t(h, a):
        return mp.quad(lambda x: mp.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), [0, a]) / (2 * mp.pi)

    return locals()


def references():
    """Rows (function, argument, point, derivative)."""
    names = _names()
    mp = names["mp"]
    mp.mp.dps = 50
    for name, (definition, points, _) in TABLE.items():
        f = eval(definition, names)
        for point in points:
            point = point if isinstance(point, tuple) else (point,)
            for i, value in enumerate(point):
                if isinstance(value, int):
                    continue
                exact = [mp.mpf(v) for v in point]
                along = lambda t, i=i, exact=exact, f=f: f(*exact[:i], t, *exact[i + 1 :])
                step = mp.mpf(10) ** -15 * max(abs(exact[i]), mp.mpf(10) ** -3 if exact[i] == 0 else 0)
                try:
                    found = mp.diff(along, exact[i], h=step)
                    scale = abs(along(exact[i]))
                except (ValueError, ZeroDivisionError) as error:
                    print(name, i, point, error)
                    continue
                if 0 < abs(found) < mp.mpf(10) ** -20 * scale:  # of which the differences leave too few digits
                    continue
                if mp.im(along(exact[i])) == 0:
                    found = mp.re(found)
                yield name, i, point, (float(mp.re(found)), float(mp.im(found))), float(scale)


if __name__ == "__main__":
    rows = list(references())
    FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(len(rows), "derivatives")

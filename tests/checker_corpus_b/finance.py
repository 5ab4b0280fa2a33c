"""Finance: option prices, rates by bisection, bonds, portfolios."""

from __future__ import annotations

import math

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family

family = Family()

_erf = np.frompyfunc(math.erf, 1, 1)


def cdf(x):
    return 0.5 * (1 + np.asarray(_erf(x / math.sqrt(2)), float))


def pdf(x):
    return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def black_scholes(spot, strike, vol, rate, expiry, *, kind="call"):
    root = vol * np.sqrt(expiry)
    d1 = (np.log(spot / strike) + (rate + 0.5 * vol**2) * expiry) / root
    s = 1 if kind == "call" else -1
    return s * (spot * cdf(s * d1) - strike * np.exp(-rate * expiry) * cdf(s * (d1 - root)))


@family.add(
    "black-scholes",
    wrong={
        "put-delta": ("rare option", "the put's delta is the call's"),
        "theta": ("dropped term", "the rate term of theta is left out"),
        "constant": ("below the noise", "1 / sqrt(2 pi) written as 0.3989422"),
        "rho": ("factor", "rho lacks the expiry"),
    },
    right=("", "forward"),
)
def _black_scholes(v):
    def greeks(spot, strike, vol, rate, expiry, kind):
        root = vol * np.sqrt(expiry)
        d1 = (np.log(spot / strike) + (rate + 0.5 * vol**2) * expiry) / root
        d2, s = d1 - root, 1 if kind == "call" else -1
        density = np.exp(-0.5 * d1 * d1) * 0.3989422 if v == "constant" else pdf(d1)
        discounted = strike * np.exp(-rate * expiry) * cdf(s * d2)
        delta = cdf(d1) if v == "put-delta" else s * cdf(s * d1)
        vega = spot * density * np.sqrt(expiry)
        theta = vega * vol / (2 * expiry) + (0 if v == "theta" else s * rate * discounted)
        return delta, -s * discounted / strike, vega, s * discounted * (1 if v == "rho" else expiry), theta

    def pushforward(y, primals, tangents, *, kind):
        return sum(d * t for d, t in zip(greeks(*primals, kind), tangents, strict=True))

    def pullback(y, primals, g, *, kind):
        d = greeks(*primals, kind)
        return g * d[0], g * d[1], *(np.sum(g * part) for part in d[2:])

    def cases(rng):
        n = rng.integers(1, 4)
        spot = 100 * np.exp(0.3 * rng.normal(size=n))
        kind = "call" if rng.random() < 0.85 else "put"
        return rb.case(spot, np.full(n, 100.0), rng.uniform(0.1, 0.6), rng.uniform(0.0, 0.08), rng.uniform(0.1, 2), kind=kind)

    return {"f": black_scholes, "cases": [cases], **({"pushforward": pushforward} if v == "forward" else {"pullback": pullback})}


def irr(flows, *, tol=1e-9):
    """The internal rate of return by bisection: in steps, like a staircase."""
    lo, hi = -0.9, 2.0
    years = np.arange(len(flows))
    while hi - lo > tol:
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if np.sum(flows / (1 + mid) ** years) * flows[-1] > 0 else (lo, mid)
    return np.float64((lo + hi) / 2)


@family.add(
    "irr",
    wrong={
        "years": ("off by one", "the derivative of the discount counts one year less"),
        "sign": ("sign", "the slope's sign is lost"),
        "first": ("only one element", "the first flow gets no cotangent, for its discount is one"),
    },
    right=("", "undeclared"),
)
def _irr(v):
    def gradient(y, flows):
        years = np.arange(len(flows))
        slope = np.sum(-years * flows / (1 + y) ** (years if v == "years" else years + 1))
        out = -((1 + y) ** (-1.0 * years)) / (-slope if v == "sign" else slope)
        if v == "first":
            out[0] = 0.0
        return out

    def frule(primals, tangents, *, tol):
        y = irr(primals[0], tol=tol)
        return y, gradient(y, primals[0]) @ tangents[0]

    def rrule(flows, *, tol):
        y = irr(flows, tol=tol)
        return y, lambda g: (g * gradient(y, flows),)

    def cases(rng):
        n = rng.integers(2, 6)
        return (np.concatenate([[-100.0 * rng.uniform(0.5, 1)], rng.uniform(0.8, 1.6, n) * 100 / n]),)

    out = {"f": irr, "frule": frule, "rrule": rrule, "cases": [cases]}
    return out if v == "undeclared" else {**out, "accuracy": 1e-7}


def implied_vol(price, forward, strike, *, expiry=1.0):
    """Undiscounted calls: Newton from the inflection point, until nothing changes."""
    vol = np.sqrt(2 * abs(np.log(forward / strike)) / expiry) + 0.2
    for _ in range(40):
        root = vol * np.sqrt(expiry)
        d = np.log(forward / strike) / root + root / 2
        new = vol - (forward * cdf(d) - strike * cdf(d - root) - price) / (forward * pdf(d) * np.sqrt(expiry))
        if abs(new - vol) < 1e-12:
            return new
        vol = new
    return vol


@family.add(
    "implied-vol",
    wrong={
        "expiry": ("static ignored", "vega of one year"),
        "strike": ("arguments swapped", "the cotangents of forward and strike change places"),
        "moneyness": ("dropped term", "the forward's delta is one half, as at the money"),
    },
)
def _implied_vol(v):
    def pullback(vol, primals, g, *, expiry):
        _, forward, strike = primals
        root = vol * np.sqrt(expiry)
        d = np.log(forward / strike) / root + root / 2
        vega = forward * pdf(d) * (1.0 if v == "expiry" else np.sqrt(expiry))
        bars = -g * (0.5 if v == "moneyness" else cdf(d)) / vega, g * cdf(d - root) / vega
        return g / vega, *(bars[::-1] if v == "strike" else bars)

    def cases(rng):
        forward, strike, vol = 100.0, 100 * np.exp(rng.normal() * 0.15), rng.uniform(0.15, 0.5)
        expiry = float(rng.choice([1.0, 0.5, 2.0]))
        root = vol * np.sqrt(expiry)
        d = np.log(forward / strike) / root + root / 2
        price = forward * cdf(d) - strike * cdf(d - root)
        return rb.case(np.float64(price), np.float64(forward), np.float64(strike), expiry=expiry)

    return {"f": implied_vol, "pullback": pullback, "cases": [cases], "accuracy": 1e-10}


def bond(yields, times, coupon, *, compounding=2):
    """Present value of coupons and the face value at the last time."""
    m = compounding
    discount = (1 + yields / m) ** (-m * times)
    return np.sum(coupon / m * discount) + discount[-1]


@family.add(
    "bond",
    wrong={
        "face": ("only one element", "the face value is left out of the last yield's duration"),
        "modified": ("dropped factor", "Macaulay instead of modified duration"),
        "compounding": ("static ignored", "coupons are halved whatever the compounding"),
        "times": ("zero cotangent", "the times are treated as constants"),
    },
)
def _bond(v):
    def pullback(y, primals, g, *, compounding):
        yields, times, coupon = primals
        m = compounding
        discount = (1 + yields / m) ** (-m * times)
        flow = np.full(len(times), coupon / m)
        if v != "face":
            flow[-1] += 1
        y_bar = -g * flow * times * discount / (1 if v == "modified" else 1 + yields / m)
        t_bar = None if v == "times" else -g * flow * m * np.log1p(yields / m) * discount
        return y_bar, t_bar, g * np.sum(discount) / (2 if v == "compounding" else m)

    def cases(rng):
        n = rng.integers(1, 6)
        m = int(rng.choice([1, 2, 4]))
        return rb.case(rng.uniform(-0.01, 0.1, n), np.arange(1, n + 1) / m, rng.uniform(0, 0.08), compounding=m)

    return {"f": bond, "pullback": pullback, "cases": [cases]}


def drawdown(returns):
    """The largest loss from a running peak of the compounded value."""
    value = np.cumprod(np.concatenate([[1.0], 1 + returns]))
    return np.max(1 - value / np.maximum.accumulate(value))


@family.add(
    "drawdown",
    wrong={
        "peak": ("wrong index", "the peak is the global maximum, also when it comes after the trough"),
        "inclusive": ("off by one", "the return into the peak is counted as part of the loss"),
        "none": ("rare region", "for rising series, a cotangent from argmax instead of zero"),
    },
)
def _drawdown(v):
    def pullback(y, primals, g):
        r = primals[0]
        value = np.cumprod(np.concatenate([[1.0], 1 + r]))
        loss = 1 - value / np.maximum.accumulate(value)
        trough = int(np.argmax(loss))
        peak = int(np.argmax(value)) if v == "peak" else int(np.argmax(value[: trough + 1]))
        out = np.zeros_like(r)
        out[max(peak - (v == "inclusive"), 0) : trough] = -g * (1 - y) / (1 + r[max(peak - (v == "inclusive"), 0) : trough])
        if v == "none" and y == 0:
            out[0] = -g
        return (out,)

    def cases(rng):
        r = 0.1 * rng.normal(size=rng.integers(2, 8))
        return (np.abs(r) if rng.random() < 0.08 else r,)

    return {"f": drawdown, "pullback": pullback, "cases": [cases]}

"""Orbits and geodesy: Kepler's equation, the great circle, the ellipsoid, rotations, gravity."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb
from tests.checker_corpus_b.model import Family, listed

family = Family()


def kepler(mean_anomaly, eccentricity, *, tol=1e-8):
    E = np.where(eccentricity > 0.8, np.pi * np.ones_like(mean_anomaly), mean_anomaly)
    for _ in range(60):
        step = (E - eccentricity * np.sin(E) - mean_anomaly) / (1 - eccentricity * np.cos(E))
        E = E - step
        if np.all(np.abs(step) <= tol):
            break
    return E


def _kepler_cases(rng):
    e = rng.uniform(0.0, 0.75) if rng.random() > 0.15 else rng.uniform(0.8, 0.92)
    return np.asarray(rng.uniform(0.05, 3.1, rng.integers(1, 6))), np.float64(e)


@family.add(
    "kepler",
    wrong={
        "slope": ("sign in both directions", "1 + e cos E instead of 1 - e cos E, forward and reverse alike"),
        "no-sin": ("dropped factor", "the eccentricity's cotangent lacks sin E"),
        "mean": ("sum over the broadcast axis", "the mean over the anomalies instead of the sum"),
        "guess": ("stale residual", "the slope is taken at the mean anomaly, the first guess"),
        "high-e": ("rare branch", "above e = 0.8 the slope is floored at 1"),
    },
    right=("", "undeclared", "forward"),
)
def _kepler(v):
    def parts(E, e, M):
        if v == "guess":
            E = M
        slope = 1 + e * np.cos(E) if v == "slope" else 1 - e * np.cos(E)
        if v == "high-e" and e > 0.8:
            slope = np.maximum(slope, 1.0)
        return slope, np.sin(E)

    def pushforward(E, primals, tangents, *, tol):
        slope, sine = parts(E, primals[1], primals[0])
        return (tangents[0] + sine * tangents[1]) / slope

    def pullback(E, primals, y_bar, *, tol):
        slope, sine = parts(E, primals[1], primals[0])
        total = np.mean if v == "mean" else np.sum
        return y_bar / slope, total(y_bar / slope if v == "no-sin" else y_bar * sine / slope)

    out: dict[str, Any] = {"f": kepler, "pushforward": pushforward, "pullback": pullback, "cases": [_kepler_cases]}
    if v == "forward":
        del out["pullback"]
    if v != "undeclared":
        out["accuracy"] = 1e-8
    return out


def haversine(lat1, lon1, lat2, lon2, *, radius=6371.0088):
    a = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * radius * np.arcsin(np.sqrt(a))


def _haversine_cases(rng):
    lat = rng.uniform(-1.5, 1.5, (2, 3))
    lon = rng.uniform(-np.pi, np.pi, (2, 3))
    radius = [6371.0088, 3389.5, 1.0][rng.integers(3)]
    return rb.case(lat[0], lon[0], lat[1], lon[1], radius=radius)


@family.add(
    "haversine",
    wrong={
        "radius": ("static ignored", "the derivative is always scaled with the Earth's radius"),
        "lon-sign": ("sign", "both longitudes get the same sign"),
        "cos-lat": ("wrong variable", "cos(lat1) twice instead of cos(lat1) cos(lat2) in the longitude derivative"),
        "north": ("dropped term", "the term of sin(lat) cos(lat) is left out for the first latitude"),
    },
)
def _haversine(v):
    def partials(lat1, lon1, lat2, lon2, radius):
        dlat, dlon = (lat2 - lat1) / 2, (lon2 - lon1) / 2
        a = np.sin(dlat) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin(dlon) ** 2
        outer = (6371.0088 if v == "radius" else radius) / np.sqrt(a * (1 - a))
        half = np.sin(dlat) * np.cos(dlat)
        d1 = -half - (0 if v == "north" else np.sin(lat1) * np.cos(lat2) * np.sin(dlon) ** 2)
        d2 = half - np.cos(lat1) * np.sin(lat2) * np.sin(dlon) ** 2
        cosines = np.cos(lat1) * np.cos(lat1 if v == "cos-lat" else lat2)
        dl = cosines * np.sin(dlon) * np.cos(dlon)
        return outer * d1, outer * (dl if v == "lon-sign" else -dl), outer * d2, outer * dl

    def frule(primals, tangents, *, radius):
        y_dot = sum(p * t for p, t in zip(partials(*primals, radius), tangents, strict=True))
        return haversine(*primals, radius=radius), y_dot

    def rrule(lat1, lon1, lat2, lon2, *, radius):
        ps = partials(lat1, lon1, lat2, lon2, radius)
        return haversine(lat1, lon1, lat2, lon2, radius=radius), lambda y_bar: tuple(p * y_bar for p in ps)

    return {"f": haversine, "frule": frule, "rrule": rrule, "cases": [_haversine_cases]}


def to_ecef(lat, lon, height, *, a=6378137.0, flattening=1 / 298.257223563):
    e2 = flattening * (2 - flattening)
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    return (n + height) * np.cos(lat) * np.cos(lon), (n + height) * np.cos(lat) * np.sin(lon), (n * (1 - e2) + height) * np.sin(lat)


@family.add(
    "ecef",
    wrong={
        "sphere": ("dropped term", "the radius of curvature is taken as constant in latitude"),
        "height": ("hidden by scale", "the height is left out of the metre-long arms: 1e-5 beside the Earth's radius"),
        "z": ("dropped factor", "1 - e2 is missing in the z component"),
    },
)
def _ecef(v):
    def pullback(y, primals, y_bar, *, a, flattening):
        lat, lon, h = primals
        e2 = flattening * (2 - flattening)
        w = 1 - e2 * np.sin(lat) ** 2
        n = a / np.sqrt(w)
        dn = 0.0 * n if v == "sphere" else n * e2 * np.sin(lat) * np.cos(lat) / w
        arm = n if v == "height" else n + h
        gx, gy, gz = y_bar
        polar = 1.0 if v == "z" else 1 - e2
        across = gx * np.cos(lon) + gy * np.sin(lon)
        lat_bar = across * (dn * np.cos(lat) - arm * np.sin(lat)) + gz * (dn * polar * np.sin(lat) + (n * polar + h) * np.cos(lat))
        lon_bar = arm * np.cos(lat) * (gy * np.cos(lon) - gx * np.sin(lon))
        return lat_bar, lon_bar, across * np.cos(lat) + gz * np.sin(lat)

    def cases(rng):
        n = rng.integers(1, 4)
        return rng.uniform(-1.5, 1.5, n), rng.uniform(-3, 3, n), rng.uniform(-100, 9000, n)

    return {"f": to_ecef, "pullback": pullback, "cases": listed(cases, 2), "_vary": cases}


def rodrigues(w, x):
    """Rotate x about w by the angle |w|."""
    t2 = w @ w
    if t2 < 1e-6:
        s, c = 1 - t2 / 6 + t2 * t2 / 120, 0.5 - t2 / 24 + t2 * t2 / 720
    else:
        t = np.sqrt(t2)
        s, c = np.sin(t) / t, (1 - np.cos(t)) / t2
    return x + s * np.cross(w, x) + c * np.cross(w, np.cross(w, x))


def _rodrigues_cases(rng):
    size = rng.choice([1.0, 2.5, 1e-4, 3e-5], p=[0.5, 0.3, 0.15, 0.05])
    return size * rng.normal(size=3), rng.normal(size=3)


@family.add(
    "rodrigues",
    wrong={
        "small": ("rare branch", "the series branch has the derivative of the sine's series with the wrong sign"),
        "inverse": ("not transposed", "the vector's cotangent is rotated forward instead of back"),
        "double-cross": ("dropped term", "w x (dw x v) is forgotten, only dw x (w x v) is kept"),
        "small-zero": ("zero in a branch", "for small angles the axis gets no cotangent at all"),
    },
)
def _rodrigues(v):
    def coefficients(w):
        t2 = w @ w
        if t2 < 1e-6:  # and d/d(t2)
            ds = 1 / 6 if v == "small" else -1 / 6 + t2 / 60
            return 1 - t2 / 6 + t2 * t2 / 120, 0.5 - t2 / 24 + t2 * t2 / 720, ds, -1 / 24 + t2 / 360
        t = np.sqrt(t2)
        s, c = np.sin(t) / t, 2 * np.sin(t / 2) ** 2 / t2
        return s, c, (np.cos(t) - s) / (2 * t2), (s - 2 * c) / (2 * t2)

    def pullback(y, primals, y_bar):
        w, x = primals
        s, c, ds, dc = coefficients(w)
        wx = np.cross(w, x)
        # <g, s dw x x> = <x x g, dw> s, and so on with the triple product
        w_bar = s * np.cross(x, y_bar) + c * np.cross(wx, y_bar)
        if v != "double-cross":
            w_bar = w_bar + c * np.cross(x, np.cross(y_bar, w))
        w_bar = w_bar + 2 * w * (ds * (y_bar @ wx) + dc * (y_bar @ np.cross(w, wx)))
        if v == "small-zero" and w @ w < 1e-6:
            w_bar = np.zeros_like(w)
        sign = 1 if v == "inverse" else -1
        return w_bar, y_bar + sign * s * np.cross(w, y_bar) + c * np.cross(w, np.cross(w, y_bar))

    return {"f": rodrigues, "pullback": pullback, "cases": [_rodrigues_cases]}


def rotate(q, x):
    """Rotate rows of x by the quaternion q (normalised inside)."""
    q = q / np.sqrt(q @ q)
    u = q[1:]
    t = 2 * np.cross(u, x)
    return x + q[0] * t + np.cross(u, t)


@family.add(
    "quaternion",
    wrong={
        "unnormalised": ("dropped projection", "the normalisation of q is not differentiated"),
        "scalar": ("factor", "the scalar part's cotangent lacks the factor 2"),
        "one-row": ("only the first row", "the quaternion's cotangent uses the first row of x alone"),
    },
)
def _quaternion(v):
    def rrule(q, x):
        y = rotate(q, x)
        size = np.sqrt(q @ q)
        n = q / size

        def pullback(g):
            w, u = n[0], n[1:]
            t = 2 * np.cross(u, x)
            gt = w * g + np.cross(g, u)
            x_bar = g + 2 * np.cross(gt, u)
            u_bar = np.cross(t, g) + 2 * np.cross(x, gt)
            w_bar = np.sum(g * t, axis=-1) / (2 if v == "scalar" else 1)
            rows = np.concatenate([w_bar[:, None], u_bar], axis=1)
            n_bar = rows[0] if v == "one-row" else rows.sum(0)
            return (n_bar if v == "unnormalised" else n_bar - n * (n @ n_bar)) / size, x_bar

        return y, pullback

    def cases(rng):
        return rng.normal(size=4), rng.normal(size=(rng.integers(1, 5), 3))

    return {"f": rotate, "rrule": rrule, "cases": listed(cases, 2), "_vary": cases}


def gravity(position, mass, *, softening=1e-2, G=1.0):
    """Accelerations of bodies that attract one another."""
    d = position[None] - position[:, None]
    r2 = (d * d).sum(-1) + softening**2
    return G * np.einsum("ijk,ij,j->ik", d, r2**-1.5, mass)


@family.add(
    "gravity",
    wrong={
        "softening": ("static ignored", "the rule always uses the default softening"),
        "power": ("factor", "the exponent -5/2 comes with 2 instead of 3"),
        "third-law": ("dropped term", "only the attracted body's side of each pair"),
        "mass-G": ("factor", "the masses' cotangent lacks G"),
    },
    right=("", "forward"),
)
def _gravity(v):
    def weights(x, softening):
        d = x[None] - x[:, None]
        soft = 1e-2 if v == "softening" else softening
        r2 = (d * d).sum(-1) + soft**2
        np.fill_diagonal(r2, np.inf)  # a body does not pull itself; the huge self terms would cancel only roughly
        return d, r2

    def pushforward(y, primals, tangents, *, softening, G):
        x, m = primals
        d, r2 = weights(x, softening)
        dd = tangents[0][None] - tangents[0][:, None]
        k = np.einsum("ijk,ijk->ij", d, dd)
        return G * (
            np.einsum("ijk,ij,j->ik", dd, r2**-1.5, m)
            - 3 * np.einsum("ijk,ij,ij,j->ik", d, k, r2**-2.5, m)
            + np.einsum("ijk,ij,j->ik", d, r2**-1.5, tangents[1])
        )

    def pullback(y, primals, y_bar, *, softening, G):
        x, m = primals
        d, r2 = weights(x, softening)
        gd = np.einsum("ik,ijk->ij", y_bar, d)
        power = 2 if v == "power" else 3
        d_bar = G * (y_bar[:, None] * (r2**-1.5)[..., None] - power * d * (gd * r2**-2.5)[..., None]) * m[None, :, None]
        x_bar = -d_bar.sum(1) + (0 if v == "third-law" else d_bar.sum(0))
        return x_bar, (1 if v == "mass-G" else G) * (gd * r2**-1.5).sum(0)

    def cases(rng):
        n = rng.integers(2, 5)
        mass = 10.0 ** rng.uniform(-3, 2, n)
        return rb.case(rng.normal(size=(n, 3)), mass, softening=[1e-2, 0.3, 0.05][rng.integers(3)], G=[1.0, 39.478][rng.integers(2)])

    rules = {"pushforward": pushforward} if v == "forward" else {"pullback": pullback}
    return {"f": gravity, "cases": [cases], **rules}

"""Verify every entry without any rule checker: `python -m tests.checker_corpus_b.oracle [-v] [--right] [id prefix ...]`.

A right rule must agree, at 200 draws of its own cases, with differences of eighth order (in long double where the function takes it)
over a range of steps, or of an exact twin in `exact`; a wrong one must break the protocol, or differ from its right sibling, beyond
rounding or the declared accuracy in at least 3 % of the draws.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import Any

import numpy as np

from tests.checker_corpus_b import entries, exact
from tests.checker_corpus_b.oracle_trees import (
    Broken,
    active,
    aligned,
    copied,
    flat,
    is_single,
    leaves,
    projected_on,
    real,
    rebuild,
    relative,
    same,
    sizes,
    structure,
    unflat,
    widened,
)

DRAWS = 200
WEIGHTS = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
STEPS = (0.103, 0.0317, 0.0097, 2.9e-3, 1.07e-3, 3.13e-4, 0.93e-4, 2.87e-5, 1.13e-5, 1.09e-6, 0.97e-7, 1.03e-8)  # no multiples: aliases


def call(case):
    return (case.args, case.static) if hasattr(case, "args") else (case if isinstance(case, tuple) else (case,), {})


def defaults(f):
    return {p.name: p.default for p in inspect.signature(f).parameters.values() if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def draws(f, cases):
    """The explicit cases and 200 draws of the samplers, with the defaults of the statics filled in."""
    rng = np.random.default_rng(20240517)
    out = []
    samplers = [c for c in cases if callable(c)]
    out += [call(c) for c in cases if not callable(c)]
    for i in range(DRAWS if samplers else 0):
        out.append(call(samplers[i % len(samplers)](rng)))
    return [(args, {**defaults(f), **static}) for args, static in out]


def run(kw, args, static, space, others=None):
    """Jacobians by the rules, primal values, and the breaches of protocol."""
    breaches: list[str] = []
    out: dict[str, Any] = {}
    before, y = copied(args), kw["f"](*copied(args), **static)
    n_in, n_out = sum(sizes(args)), sum(sizes(y))
    out["y"] = y
    watch = copied(args)

    def note(what):
        if what not in breaches:
            breaches.append(what)

    basis_in = [projected_on(unflat(e, args), space) for e in np.eye(n_in)]
    basis_out = np.eye(n_out)

    def forward(tangents):
        kept = copied(tangents)
        if kw.get("frule"):
            y_r, y_dot = kw["frule"](watch, tangents, **static)
            primal(y_r)
        else:
            y_dot = kw["pushforward"](kw["f"](*watch, **static), watch, tangents, **static)
        if not same(kept, tangents):
            note("changes its tangents")
        return flat(y_dot, y)

    def primal(y_r):
        if not structure(y_r, y):
            note("primal: structure or dtype")
            return
        err = relative(flat(y_r, y), flat(y, y))
        out["primal"] = max(out.get("primal", 0.0), err)

    try:
        if kw.get("frule") or kw.get("pushforward"):
            out["fwd"] = np.array([forward(t) for t in basis_in]).reshape(n_in, n_out).T
            out["fwd2"] = np.array([forward(t) for t in basis_in]).reshape(n_in, n_out).T
    except (Broken, ValueError, IndexError, TypeError) as e:
        note(f"forward {type(e).__name__}: {e}")
    try:
        if kw.get("rrule") or kw.get("pullback"):
            if kw.get("rrule"):
                y_r, pull = kw["rrule"](*watch, **static)
                primal(y_r)
                if others is not None:
                    kw["rrule"](*copied(others[0]), **others[1])
            else:
                y_p = kw["f"](*watch, **static)
                pull = lambda g: kw["pullback"](y_p, watch, g, **static)
            out["rev"] = pulled(pull, basis_out, y, args, space, note).reshape(n_out, n_in)
            out["rev2"] = pulled(pull, basis_out, y, args, space, note).reshape(n_out, n_in)
            w = np.linspace(-1.3, 0.9, n_out)
            dense = pulled(pull, [w], y, args, space, note)[0]
            out["linear"] = relative(dense, w @ out["rev"], np.abs(w) @ np.abs(out["rev"]))
    except (Broken, ValueError, IndexError, TypeError) as e:
        note(f"reverse {type(e).__name__}: {e}")
    if not same(before, watch):
        note("changes its arguments")
    for d in ("fwd", "rev"):
        if d + "2" in out and not np.allclose(out[d], out[d + "2"], rtol=1e-13, atol=0, equal_nan=True):
            note(f"second call differs ({d})")
    if out.get("linear", 0) > (1e-4 if is_single(args, y) else 1e-9):
        note("not linear")
    return out, breaches


def pulled(pull, vectors, y, args, space, note):
    rows, kept = [], []
    for e in vectors:
        g = unflat(e, y)
        held = copied(g)
        got = pull(g)
        if not same(held, g):
            note("changes its cotangent")
        if not isinstance(got, tuple):
            raise Broken("not a tuple")
        for (_, x), t in zip(leaves(args), aligned(got, args), strict=True):
            if not active(x) and not (t is None or type(t).__name__ in ("NoTangent", "ZeroTangent")):
                note("cotangent for a leaf without tangent")
        rows.append(flat(got, args))
        kept.append(got)
        if space is not None:
            projected = flat(projected_on(unflat(rows[-1], args), space), args)
            if relative(projected, rows[-1], np.abs(rows[-1]).max(initial=0)) > 1e-9:
                note("cotangent outside the tangent space")
            rows[-1] = projected
    if any(not np.array_equal(flat(k, args) if space is None else r, r, equal_nan=True) for k, r in zip(kept, rows, strict=True)):
        note("a later call overwrites an earlier result")
    return np.array(rows).reshape(len(rows), -1)


def derivative(f, args, static, direction):
    """Differences along a direction with the estimate of their error, per output number."""
    scale = 1.0
    for wide in (True, False):
        base, v = widened(args, wide), widened(unflat(direction, widened(args, False)), wide)
        xs, vs = [x for _, x in leaves(base)], iter([x for _, x in leaves(v)])
        vs = [next(vs) if active(x) else None for x in xs]

        def g(t):
            moved = rebuild(base, iter([x if d is None else x + t * d for x, d in zip(xs, vs, strict=True)]))
            y = f(*moved, **static)
            return np.concatenate([np.zeros(0, np.longdouble), *[real(x) for _, x in leaves(y) if active(x)]])

        try:
            y0 = probe = f(*base, **static)
            kinds = {np.asarray(x).dtype for _, x in leaves(probe) if active(x)}
            if wide and kinds - {np.dtype(np.longdouble), np.dtype(np.clongdouble)}:
                continue
        except Exception:
            if wide:
                continue
            raise
        break
    one = np.longdouble(1) if wide else 1.0
    estimates, floors = [], []
    for h in STEPS:
        h = h * one * scale
        try:
            total = sum(w * (g(k * h) - g(-k * h)) for k, w in enumerate(WEIGHTS, 1)) / h
        except Exception:
            continue
        estimates.append(total)
        floors.append(8 * np.finfo(total.dtype).eps * np.abs(g(0 * one)) / h)
        if len(estimates) > 2 and all(np.all(np.abs(total - e) <= 1e-13 * np.abs(total)) for e in estimates[-3:-1]):
            break
    if not estimates:
        return np.zeros(sum(sizes(y0))), np.full(sum(sizes(y0)), np.inf)
    # the steps whose results agree best relative to themselves: far beyond a singularity everything looks flat
    best, error, least = estimates[0], np.full(estimates[0].shape, np.inf), np.full(estimates[0].shape, np.inf)
    for a, b, c, floor in zip(estimates, estimates[1:], estimates[2:], floors[1:], strict=False):
        with np.errstate(all="ignore"):
            gap = np.maximum(np.abs(a - b), np.abs(b - c)) + floor
            loss = np.where(gap == 0, 0, gap / np.maximum(np.abs(b), np.abs(c)))
        better = loss < least
        best, error, least = np.where(better, b, best), np.where(better, gap, error), np.where(better, loss, least)
    return best.astype(float), error.astype(float)


def verify_right(entry, kw, points):
    """(worst error, share decided) of a right rule."""
    space, accuracy = kw.get("tangent_space"), kw.get("accuracy") or (1e-8 if entry.id.endswith("undeclared") else 0.0)
    f = exact.EXACT.get(entry.id.split("/")[0], kw["f"])
    rng = np.random.default_rng(7)
    worst, decided, total, problems = 0.0, 0, 0, []
    for i, (args, static) in enumerate(points):
        got, breaches = run(kw, args, static, space, points[(i + 1) % len(points)])
        problems += [f"draw {i}: {b}" for b in breaches]
        single = is_single(args, got["y"])
        if f is not kw["f"] and kw.get("accuracy"):  # the accuracy is declared honestly
            y = flat(got["y"], got["y"])
            off = relative(flat(f(*widened(args, False), **static), got["y"]), y, np.abs(y).max(initial=0))
            if off > accuracy:
                problems.append(f"draw {i}: accuracy {off:.1e}")
        if got.get("primal", 0) > (1e-5 if single else max(1e-11, 3 * accuracy)):
            problems.append(f"draw {i}: primal {got['primal']:.1e}")
        parts = np.repeat(np.arange(len(sizes(args))), sizes(args))
        for leaf in sorted(set(parts)):
            size = np.abs(flat(args, args))
            size[size == 0] = 1e-3 * size[parts == leaf].max() or 1.0
            v = rng.normal(size=parts.size) * (parts == leaf) * size
            v = flat(projected_on(unflat(v, widened(args, False)), space), args)
            if not v.any():
                continue
            ref, err = derivative(f, args, static, v)
            for d in ("fwd", "rev"):
                if d not in got:
                    continue
                jacobian = np.where(v == 0, 0.0, got[d])  # what is not implemented is NaN, also times zero
                S = np.abs(jacobian) @ np.abs(v)
                gap = np.abs(jacobian @ v - ref)
                total += int(np.sum(~np.isnan(S)))
                tell = (err <= (1e-4 if single else 1e-7) * S) | (S == 0)
                tell &= ~np.isnan(S)
                decided += int(np.sum(tell))
                with np.errstate(all="ignore"):
                    rel = np.where(gap <= 30 * err, 0, gap / S)[tell]
                big = rel.max(initial=0)
                worst = max(worst, big)
                if big > (1e-3 if single else max(1e-8, 100 * accuracy)):
                    problems.append(f"draw {i}: {d} leaf {leaf} off by {big:.1e}")
    return worst, decided / max(total, 1), problems


def verify_wrong(kw, right, points):
    """Share of draws where it is evidently wrong, the size of the error, and the breaches."""
    space, accuracy = kw.get("tangent_space"), kw.get("accuracy") or 0.0
    hits, sizes_, seen = 0, [], {}
    for i, (args, static) in enumerate(points):
        other = points[(i + 1) % len(points)]
        try:
            good, _ = run(right, args, static, right.get("tangent_space"), other)
        except KeyError:
            good = {}
        got, breaches = run(kw, args, static, space, other)
        single = is_single(args, got["y"])
        floor = 1e-4 if single else max(1e-10, 300 * accuracy)
        error = 0.0
        if got.get("primal", 0) > (1e-5 if single else max(1e-12, 10 * accuracy)):
            error = got["primal"]
        for d in ("fwd", "rev"):
            base = good.get(d, good.get("rev" if d == "fwd" else "fwd"))
            if d in got and base is not None:
                row = 1e-6 * floor * np.abs(base).max(axis=1, initial=0, keepdims=True)
                error = max(error, relative(got[d], base, np.abs(base) + row))
        for b in breaches:
            seen[b[:60]] = seen.get(b[:60], 0) + 1
        if breaches or error > floor:
            hits += 1
        sizes_.append(error)
    return hits / len(points), float(np.median([s for s in sizes_ if s > 0] or [0])), seen


def main(argv):
    verbose = "-v" in argv
    wanted = tuple(a for a in argv if not a.startswith("-"))
    bad = 0
    all_ = entries()
    rights = {e.id.split("/")[0]: e.build for e in reversed(all_) if e.right}
    for e in all_:
        if (wanted and not e.id.startswith(wanted)) or ("--right" in argv and not e.right):
            continue
        kw = e.build()
        points = draws(kw["f"], kw["cases"])
        if "_vary" in kw:  # explicit cases count as one draw in twenty at least
            points = points[:10] * (1 + 10 // len(points)) + draws(kw["f"], [kw["_vary"]])
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if e.right:
                worst, decided, problems = verify_right(e, kw, points)
                ok = not problems and decided > 0.8
                text = f"worst {worst:.1e} decided {decided:.2f} {problems[:3]} ({len(problems)})"
            else:
                share, size, seen = verify_wrong(kw, rights[e.id.split("/")[0]](), points)
                ok = share >= 0.03
                text = f"hits {share:.2f} size {size:.1e} {seen or ''}"
        bad += not ok
        if verbose or not ok:
            print("ok " if ok else "BAD", e.id, text, flush=True)
    print(f"{sum(e.right for e in all_)} right, {sum(not e.right for e in all_)} wrong, {bad} not verified")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))

"""Tells right from wrong without any rule checker: `python -m tests.checker_corpus.oracle [part of an id ...]`.

A right rule is compared with differences of eighth order along random directions, at many sampled points, and its two directions with
each other.  A wrong rule is run beside its right sibling, in the same protocol of calls; it must differ, beyond rounding, in at
least three draws of a hundred.
"""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.primitive import Case
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero
from tests.checker_corpus import Entry, entries
from tests.checker_corpus.protocol import (
    draws,
    fail,
    forward,
    handed,
    has_forward,
    has_reverse,
    has_tangent,
    in_space,
    nearby,
    protocol,
    random_like,
    reverse,
    tree_map,
)

STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))


def differs(one: Any, two: Any, floor: float) -> float:
    """How far two recorded values are apart: 0 where alike, inf where of another kind."""
    if isinstance(one, tuple) and isinstance(two, tuple) and one[:-1] == two[:-1]:
        a, b = one[-1], two[-1]
        if a.dtype.kind not in "fc":
            return 0.0 if np.array_equal(a, b) else np.inf
        nan = np.isnan(a) != np.isnan(b)
        with np.errstate(all="ignore"):
            scale = np.maximum(np.abs(a), np.abs(b))
            gap = np.where((scale == 0) | (np.isnan(a) & np.isnan(b)) | (a == b), 0.0, np.abs(a - b) / scale)
        gap = np.where(nan, np.inf, gap)
        worst = float(np.max(gap, initial=0.0))
        return worst if worst > floor else 0.0
    return 0.0 if type(one) is type(two) and not isinstance(one, tuple) and one == two else np.inf


def rounding(parts: dict[str, Any], case: Case, noise: float = 0.0) -> float:
    single = any(np.asarray(x).dtype in (np.float32, np.complex64) for x in trees.leaves_of(case.args) if has_tangent(x))
    return max(3e-6 if single else 3e-11, 100 * max(noise, parts.get("accuracy") or 0.0))


def verify_wrong(entry: Entry, right: Entry, noise: float, n: int = 120) -> str:
    """ "" if the wrong rule is seen to be wrong, else what is amiss."""
    hits = total = 0
    probe = right.make.parts()
    explicit = not callable(probe["cases"])
    points = list(draws(probe, n, 7, None if entry.at_cases else entry.vary))
    if not entry.at_cases and entry.vary is None:
        rng = np.random.default_rng(3)
        points = [nearby(probe, points[i % len(points)], int(rng.integers(1 << 30))) for i in range(n)]
    for i, case in enumerate(points):
        other = points[(i + 1) % len(points)]
        try:
            logs = [protocol(e.make.parts(), case, other, i) for e in (right, entry)]
        except Exception:  # the variation is outside the function's domain
            if entry.at_cases:
                raise
            continue
        total += 1
        worst = compare(*logs, rounding(probe, case, noise))
        hits += bool(worst[1])
        if hits >= max(4, 0.05 * n):
            return ""
    needed = 1 if explicit and entry.at_cases else max(1, 0.03 * total)
    return "" if total and hits >= needed else f"differs at {hits} of {total}"


def compare(one: list[tuple[str, Any]], two: list[tuple[str, Any]], floor: float) -> tuple[str, float]:
    if [w for w, _ in one] != [w for w, _ in two]:
        return "other events", np.inf
    gaps = [(what, differs(a, b, floor)) for (what, a), (_, b) in zip(one, two, strict=True)]
    return max(gaps, key=lambda g: g[1])


# right rules


def lifted(tree: Any) -> Any:
    wide = lambda x: np.asarray(x).astype(np.complex128 if np.asarray(x).dtype.kind == "c" else np.float64)[()] if has_tangent(x) else x
    return tree_map(wide, tree)


def moved(args: Any, tangents: Any, h: float) -> Any:
    return tree_map(lambda x, t: x if t is None else np.asarray(x + h * t)[()], args, tangents)


def difference(f: Any, args: Any, tangents: Any, static: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Per leaf of the result: the derivative along the tangents, and how far it can be trusted; elementwise."""
    tries: list[Any] = []
    steps_taken: list[float] = []
    for h in 10.0 ** np.arange(-1.0, -6.5, -0.5):
        try:
            total = None
            for k, weight in STENCIL:
                plus, minus = (leaves(f(*handed(moved(args, tangents, s * k * h)), **static)) for s in (1, -1))
                part = [None if p is None else weight * (p - m) / h for p, m in zip(plus, minus, strict=True)]
                total = part if total is None else [None if p is None else p + q for p, q in zip(part, total, strict=True)]
            tries.append(total)
            steps_taken.append(h)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            tries.append(None)
            steps_taken.append(h)
    here, plus, minus = (leaves(f(*handed(moved(args, tangents, h)), **static)) for h in (0.0, 1e-7, -1e-7))
    found = []
    for i in range(len(next(t for t in tries if t is not None))):
        steps = [t[i] if t is not None else None for t in tries]
        best: tuple[Any, Any] = (None, None)
        for a, b, h in zip(steps[:-1], steps[1:], steps_taken[1:], strict=True):
            if a is None or b is None:
                continue
            noise = 1e-16 * np.abs(here[i]) / h
            gap = np.where(np.isfinite(a) & np.isfinite(b), np.abs(a - b) + noise, np.inf)
            best = (b, gap) if best[0] is None else (np.where(gap < best[1], b, best[0]), np.minimum(gap, best[1]))
        if best[0] is not None:  # at a kink the two sides disagree, and central differences converge to their mean
            one, two = plus[i] - here[i], here[i] - minus[i]
            kink = np.abs(one - two) > 1e-2 * np.maximum(np.abs(one), np.abs(two)) + 1e-14 * np.abs(here[i])
            best = (best[0], np.where(kink, np.inf, best[1]))
        found.append(best)
    return found


def leaves(y: Any) -> list[Any]:
    wide = np.longdouble
    return [
        np.array(v).astype(np.clongdouble if np.asarray(v).dtype.kind == "c" else wide) if has_tangent(v) else None
        for v in trees.leaves_of(y)
    ]


def verify_right(entry: Entry, noise: float, n: int = 30) -> str:
    """ "" if the right rule is seen to be right, else what is amiss."""
    conclusive = 0
    probe = entry.make.parts()
    for i, case in enumerate(draws(probe, n, 11)):
        parts = entry.make.parts()
        rng = np.random.default_rng((5, i))
        static = dict(case.static)
        floor = rounding(parts, case, noise)
        args = handed(case.args)
        tangents = in_space(parts, random_like(args, rng, True))
        with np.errstate(all="ignore"):
            y = copy.deepcopy(parts["f"](*args, **static))
            estimates = difference(parts["f"], lifted(case.args), lifted_tangents(tangents), static)
        y_bar = random_like(y, rng, False)
        dots = fit(forward(parts, args, tangents, static), y, floor) if has_forward(parts) else None
        if dots is not None:
            for k, (dot, (fd, gap)) in enumerate(zip(dots, estimates, strict=True)):
                if fd is None:
                    continue
                size = np.abs(fd) + 1e-3 * np.max(np.abs(fd), initial=0.0)
                loose = 30 * gap + floor * 1e2 * size + 1e-300
                far = np.isfinite(gap) & (np.abs(dot - fd) > loose) & (gap < 1e-4 * size + 1e-12)
                if np.any(far):
                    where = np.unravel_index(np.argmax(far), far.shape)
                    return f"draw {i}, y_dot leaf {k} at {where}: {np.asarray(dot)[where]} but {fd[where]} +- {gap[where]}"
                conclusive += bool(np.all(gap < 1e-5 * size + 1e-12))
        if has_reverse(parts):
            y2, pull = reverse(parts, args, static)
            fit((y2, None), y, floor)
            found = pull(y_bar)
            if any(isinstance(x, NotImplementedTangent) for x in found):
                tangents = tuple(None if isinstance(x, NotImplementedTangent) else t for x, t in zip(found, tangents, strict=True))
                with np.errstate(all="ignore"):
                    estimates = difference(parts["f"], lifted(case.args), lifted_tangents(tangents), static)
                dots = None
            one, error, size = pairing(y, y_bar, dots, estimates)
            two, size2 = cotangent_pairing(args, found, tangents)
            if np.isfinite(error) and abs(one - two) > 30 * error + floor * 1e2 * (size + size2) and error < 1e-4 * size:
                return f"draw {i}, pairing {one} but {two}, error {error}"
            conclusive += bool(error <= 1e-5 * (size + size2))
    return "" if conclusive else "never conclusive"


def lifted_tangents(tangents: Any) -> Any:
    return tree_map(lambda t: np.asarray(t).astype(np.complex128 if t.dtype.kind == "c" else np.float64), tangents)


def fit(out: Any, y: Any, floor: float) -> list[Any]:
    """The tangents' leaves; the rule's primal is compared with the function's on the way."""
    y2, y_dot = out
    a, b = trees.leaves_of(y), trees.leaves_of(y2)
    if repr(trees.flatten(y)[1]) != repr(trees.flatten(y2)[1]):
        raise ValueError("structure of the primal")
    for u, v in zip(a, b, strict=True):
        if np.asarray(u).dtype != np.asarray(v).dtype or np.shape(u) != np.shape(v):
            raise ValueError("dtype or shape of the primal")
        if np.asarray(u).dtype.kind in "fc" and not np.allclose(u, v, rtol=max(floor, 1e-13), atol=0, equal_nan=True):
            raise ValueError("value of the primal")
    dots = trees.flatten_like(trees.flatten(y)[1], y_dot, fail)
    for d, u in zip(dots, a, strict=True):
        if d is not None and has_tangent(u) and (np.shape(d) != np.shape(u) or np.asarray(d).dtype != np.asarray(u).dtype):
            raise ValueError(f"y_dot is {np.asarray(d).dtype}{np.shape(d)}, y {np.asarray(u).dtype}{np.shape(u)}")
    return [np.zeros(np.shape(u)) if d is None else d for d, u in zip(dots, a, strict=True)]


def pairing(y: Any, y_bar: Any, dots: Any, estimates: Any) -> tuple[float, float, float]:
    total = error = size = 0.0
    bars = trees.flatten_like(trees.flatten(y)[1], y_bar, fail)
    for k, (b, (fd, gap)) in enumerate(zip(bars, estimates, strict=True)):
        if b is None or (fd is None and dots is None):
            continue
        d = fd if dots is None else dots[k]
        product = np.conj(b) * d
        total += float(np.sum(product.real))
        size += float(np.sum(np.abs(product)))
        error += float(np.sum(np.abs(b) * gap)) if dots is None else 0.0
    return total, error, size


def cotangent_pairing(args: Any, found: Any, tangents: Any) -> tuple[float, float]:
    total = size = 0.0
    if not isinstance(found, tuple) or len(found) != len(args):
        raise ValueError("cotangents are no tuple of the right length")
    for x, x_bar, t in zip(args, found, tangents, strict=True):
        x_bar = x_bar.fn() if isinstance(x_bar, Thunk) else x_bar
        if t is None or is_zero(x_bar) or isinstance(x_bar, NotImplementedTangent):
            continue
        bars = trees.flatten_like(trees.flatten(x)[1], x_bar, fail)
        dots = trees.flatten_like(trees.flatten(x)[1], t, fail)
        for u, c, d in zip(trees.leaves_of(x), bars, dots, strict=True):
            if not has_tangent(u) or c is None:
                continue
            c = c.fn() if isinstance(c, Thunk) else c
            if np.shape(c) != np.shape(u):
                raise ValueError(f"x_bar has shape {np.shape(c)}, x {np.shape(u)}")
            product = np.conj(c) * d
            total += float(np.sum(product.real))
            size += float(np.sum(np.abs(product)))
    return total, size


def verify(chosen: list[str]) -> int:
    every = {e.id: e for e in entries()}
    assert len(every) == len(entries()), "ids are not unique"
    amiss = 0
    for entry in every.values():
        if chosen and not any(c in entry.id for c in chosen):
            continue
        try:
            family = every[entry.id.partition("/")[0]].make.parts()  # its accuracy holds where a sibling does not declare it
            noise = family.get("accuracy") or 0.0
            problem = verify_right(entry, noise) if entry.right else verify_wrong(entry, every[entry.sibling], noise)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            amiss += 1
            print(f"{'right' if entry.right else 'wrong'} {entry.id}: {problem}")
    print(f"{sum(e.right for e in every.values())} right, {sum(not e.right for e in every.values())} wrong, {amiss} amiss")
    return amiss


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(bool(verify(sys.argv[1:])))

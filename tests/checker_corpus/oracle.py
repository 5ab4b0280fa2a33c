"""Tells right from wrong without any rule checker: `python -m tests.checker_corpus.oracle [part of an id ...]`.

A right rule is compared with differences of eighth order along random directions, at many sampled points, and its two directions with
each other.  A wrong rule is run beside its right sibling, in the same protocol of calls; it must differ, beyond rounding, in at
least three draws of a hundred.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.primitive import Case
from rulebook.signature import Signature
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero
from tests.checker_corpus import Entry, entries

STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))


def as_case(drawn: Any, f: Any) -> Case:
    """A drawn point with the defaults of its primals and statics."""
    case = drawn if isinstance(drawn, Case) else Case(tuple(drawn), {})
    return Case(*Signature(f, "f").bind(case.args, case.static))


def draws(parts: dict[str, Any], n: int, seed: int, sampler: Any = None) -> Iterator[Case]:
    """Points of the rule's own cases; of a sampler if one is given."""
    rng = np.random.default_rng(seed)
    cases = parts["cases"]
    if sampler is None and not callable(cases):
        yield from [as_case(c, parts["f"]) for c in cases if not callable(c)]
        samplers = [c for c in cases if callable(c)]
    else:
        samplers = [sampler or cases]
    for i in range(n if samplers else 0):
        yield as_case(samplers[i % len(samplers)](rng), parts["f"])


def varied(case: Case, rng: np.random.Generator) -> Case:
    """Evident variations of an explicit case: signs, magnitudes, other values, options flipped."""
    kind = rng.integers(5)

    def leaf(x: Any) -> Any:
        if not has_tangent(x):
            return x
        a = np.asarray(x)
        new = {
            0: lambda: a * (1 + 0.3 * rng.standard_normal(a.shape)),
            1: lambda: -a,
            2: lambda: a * rng.choice([-1.0, 1.0], a.shape),
            3: lambda: a * 10.0 ** rng.integers(-4, 4),
            4: lambda: rng.standard_normal(a.shape) * np.max(np.abs(a), initial=1e-3),
        }[kind]()
        return np.asarray(new).astype(a.dtype)[()] if a.shape == () else np.asarray(new).astype(a.dtype)

    static = {k: (not v if isinstance(v, bool) else v) if rng.random() < 0.5 else v for k, v in case.static.items()}
    return Case(tree_map(leaf, case.args), static)


def has_tangent(x: Any) -> bool:
    return isinstance(x, (float, complex, np.ndarray, np.generic)) and np.asarray(x).dtype.kind in "fc"


def tree_map(fn: Any, tree: Any, *rest: Any) -> Any:
    leaves, structure = trees.flatten(tree)
    others = [trees.flatten_like(structure, r, fail) for r in rest]
    return structure.unflatten(iter([fn(*group) for group in zip(leaves, *others, strict=True)]))


def fail(path: str, expected: str, got: str) -> Exception:
    return ValueError(f"structure: {path}: expected {expected}, got {got}")


def random_like(tree: Any, rng: np.random.Generator, relative: bool) -> Any:
    def one(x: Any) -> Any:
        if not has_tangent(x):
            return None
        a = np.asarray(x)
        t = rng.standard_normal(a.shape)
        if a.dtype.kind == "c":
            t = t + 1j * rng.standard_normal(a.shape)
        scale = np.abs(a) + (1e-3 * np.max(np.abs(a), initial=0.0) or 1.0) * (a == 0) if relative else 1.0
        return np.asarray(t * scale).astype(a.dtype)

    return tree_map(one, tree)


def in_space(parts: dict[str, Any], tangents: tuple[Any, ...]) -> tuple[Any, ...]:
    space = parts.get("tangent_space")
    return tangents if space is None else tuple(None if t is None else space(i, t) for i, t in enumerate(tangents))


def handed(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The primals as a rule gets them: numbers as 0-d values, everything a fresh copy."""
    return tree_map(lambda x: np.asarray(x).copy()[()] if has_tangent(x) else copy.deepcopy(x), args)


# the protocol: everything a rule can be seen to do, as a list of (what, plain value)


def record(what: str, y: Any, log: list[tuple[str, Any]], like: Any = None) -> None:
    try:
        if is_zero(y) and like is not None:
            y = trees.flatten(like)[1].unflatten(iter([None] * trees.flatten(like)[1].n_leaves))
        leaves, structure = trees.flatten(y) if like is None else (trees.flatten_like(trees.flatten(like)[1], y, fail), "same")
        log.append((f"{what} structure", repr(structure)))
        likes = trees.flatten(like)[0] if like is not None else [None] * len(leaves)
        for i, (leaf, x) in enumerate(zip(leaves, likes, strict=True)):
            log.append((f"{what} {i}", settle(leaf, x)))
    except Exception as error:
        log.append((what, f"{type(error).__name__}: {error}"))


def settle(leaf: Any, x: Any) -> Any:
    """A cotangent in the space of its primal; other leaves as they are."""
    if isinstance(leaf, Thunk):
        leaf = leaf.fn()
    if isinstance(leaf, NotImplementedTangent):
        return "not implemented"
    if x is None:
        return (str(np.asarray(leaf).dtype), np.shape(leaf), np.array(leaf, copy=True)) if leaf is not None else None
    if not has_tangent(x):
        return "integer: " + ("none" if is_zero(leaf) else "given")
    a, c = np.asarray(x), np.asarray(0.0 if is_zero(leaf) else leaf)
    if is_zero(leaf):
        c = np.zeros(a.shape)
    c = np.real(c) if a.dtype.kind == "f" else c
    return (np.shape(c), np.array(c).astype(a.dtype))


def forward(parts: dict[str, Any], args: tuple[Any, ...], tangents: tuple[Any, ...], static: dict[str, Any]) -> Any:
    if "frule" in parts:
        return parts["frule"](args, tangents, **static)
    y = parts["f"](*args, **static)
    return y, parts["pushforward"](y, args, tangents, **static)


def reverse(parts: dict[str, Any], args: tuple[Any, ...], static: dict[str, Any]) -> tuple[Any, Any]:
    if "rrule" in parts:
        return parts["rrule"](*args, **static)
    y = parts["f"](*args, **static)
    return y, lambda y_bar: parts["pullback"](y, args, y_bar, **static)


def has_forward(parts: dict[str, Any]) -> bool:
    return "frule" in parts or "pushforward" in parts


def has_reverse(parts: dict[str, Any]) -> bool:
    return "rrule" in parts or "pullback" in parts


def protocol(parts: dict[str, Any], one: Case, two: Case, seed: int) -> list[tuple[str, Any]]:
    log: list[tuple[str, Any]] = []
    pulls: list[Any] = []
    kept: list[tuple[str, Any]] = []
    for turn, case in enumerate((one, two, one)):
        rng = np.random.default_rng((seed, turn % 2))
        args, static = handed(case.args), copy.deepcopy(case.static)
        before, static_before = handed(args), copy.deepcopy(static)
        with np.errstate(all="ignore"):
            y = parts["f"](*handed(args), **copy.deepcopy(static))
        y = copy.deepcopy(y)
        for relative in (False, True):
            tangents = in_space(parts, random_like(args, rng, relative))
            tangents_before = copy.deepcopy(tangents)
            if has_forward(parts):
                try:
                    out = forward(parts, args, tangents, static)
                    record(f"{turn} forward y", out[0], log)
                    kept += [(f"{turn} y_dot", out[1]), (f"{turn} forward y", out[0])]
                    record(f"{turn} y_dot", out[1], log, None if trees.leaves_of(out[1]) else y)
                    log.append((f"{turn} y_dot dtypes", dtypes(out[1], y)))
                except Exception as error:
                    log.append((f"{turn} forward", f"{type(error).__name__}: {error}"))
                log.append((f"{turn} forward mutates", same(before, args) and same(tangents, tangents_before) and static == static_before))
            y_bars = [random_like(y, rng, relative), random_like(y, rng, False), tree_map(small, random_like(y, rng, False))]
            y_bars += alone(y_bars[0])
            if has_reverse(parts):
                try:
                    y2, pull = reverse(parts, args, static)
                    record(f"{turn} reverse y", y2, log)
                    pulls.append((turn, args, pull, copy.deepcopy(y_bars[0]), y2))
                except Exception as error:
                    log.append((f"{turn} reverse", f"{type(error).__name__}: {error}"))
                    continue
                for k in (0, *range(1, len(y_bars)), 0):
                    pull_once(f"{turn} x_bar {k}", pull, args, y_bars[k], log, kept)
                log.append((f"{turn} reverse mutates", same(before, args) and static == static_before))
    for turn, args, pull, y_bar, y2 in pulls:
        pull_once(f"later {turn} x_bar", pull, args, y_bar, log)
        record(f"later {turn} y", y2, log)
    if has_forward(parts) and has_reverse(parts):
        crossed(parts, one, two, seed, log)
    for what, value in kept:  # what was returned may not change later
        record(f"later {what}", value, log)
    return log


def crossed(parts: dict[str, Any], one: Case, two: Case, seed: int, log: list[tuple[str, Any]]) -> None:
    """The reverse rule at one point just after the forward rule at another."""
    rng = np.random.default_rng((seed, 2))
    for turn, (first, then) in enumerate(((one, two), (two, one))):
        args, static = handed(then.args), copy.deepcopy(then.static)
        try:
            before = handed(first.args)
            forward(parts, before, in_space(parts, random_like(before, rng, False)), copy.deepcopy(first.static))
            y, pull = reverse(parts, args, static)
        except Exception as error:
            log.append((f"crossed {turn}", f"{type(error).__name__}: {error}"))
            continue
        pull_once(f"crossed {turn} x_bar", pull, args, random_like(y, rng, False), log)


def alone(y_bar: Any) -> list[Any]:
    """The cotangents with all leaves but one zero."""
    n = len(trees.leaves_of(y_bar))
    found = []
    for keep in range(n if n > 1 else 0):
        count = iter(range(n))
        found.append(tree_map(lambda t, count=count, keep=keep: t if next(count) == keep else 0 * t, y_bar))
    return found


def small(t: Any) -> Any:
    return None if t is None else t * np.asarray(1e-9, t.dtype)


def pull_once(what: str, pull: Any, args: Any, y_bar: Any, log: list[tuple[str, Any]], kept: list[Any] | None = None) -> None:
    given = copy.deepcopy(y_bar)
    try:
        found = pull(given)
        if not isinstance(found, tuple) or len(found) != len(args):
            raise ValueError(f"not {len(args)} cotangents but {type(found).__name__}")
        if kept is not None and not any(isinstance(leaf, Thunk | NotImplementedTangent) for leaf in trees.leaves_of(found)):
            kept.append((what, found))
        for i, (x, x_bar) in enumerate(zip(args, found, strict=True)):
            if isinstance(x_bar, NotImplementedTangent):
                log.append((f"{what} {i}", "not implemented"))
            else:
                record(f"{what} {i}", x_bar.fn() if isinstance(x_bar, Thunk) else x_bar, log, x)
    except Exception as error:
        log.append((what, f"{type(error).__name__}: {error}"))
    log.append((f"{what} keeps y_bar", same(given, y_bar)))


def dtypes(y_dot: Any, y: Any) -> str:
    leaves = trees.leaves_of(y_dot)
    return ", ".join(str(np.asarray(leaf).dtype) for leaf in leaves) if len(leaves) == len(trees.leaves_of(y)) else "?"


def same(a: Any, b: Any) -> bool:
    one, two = trees.leaves_of(a), trees.leaves_of(b)
    return len(one) == len(two) and all(not has_tangent(x) or np.array_equal(x, z, equal_nan=True) for x, z in zip(one, two, strict=True))


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
        points = [varied(points[i % len(points)], rng) for i in range(n)]
    for i, case in enumerate(points):
        other = varied(case, np.random.default_rng(i)) if explicit and entry.at_cases else points[(i + 1) % len(points)]
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

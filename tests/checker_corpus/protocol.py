"""What the oracle sees: points of a rule's cases, and everything a rule does there in one protocol of calls."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.primitive import Case
from rulebook.signature import Signature
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero


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


def nearby(parts: dict[str, Any], case: Case, seed: int) -> Case:
    """A variation at which the function is defined; the case itself if none is found."""
    for k in range(5):
        found = varied(case, np.random.default_rng((seed, k)))
        try:
            with np.errstate(all="raise", under="ignore"):
                parts["f"](*handed(found.args), **found.static)
            return found
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            continue
    return case


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
        size = np.where(np.isfinite(a), np.abs(a), 1.0)
        scale = size + (1e-3 * np.max(size, initial=0.0) or 1.0) * (a == 0) if relative else 1.0
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
        leaf = None if is_zero(leaf) else leaf
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
    kept: list[tuple[str, Any, Any]] = []
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
                    kept += [(f"{turn} y_dot", out[1], y), (f"{turn} forward y", out[0], y)]
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
    for what, value, like in kept:  # what was returned may not change later
        record(f"later {what}", value, log, like)
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
            kept.append((what, found, args))
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

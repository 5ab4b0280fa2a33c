"""Derivatives of a function by running it on dual numbers: one pass, however many tangents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.dual import live
from rulebook.dual.array import DualArray
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.identity import identity
from rulebook.dual.parts import is_dual, join, peel, primal, tag_of, tangent, top
from rulebook.dual.scalar import Dual
from rulebook.dual.tags import new_tag
from rulebook.errors import RulebookError, RuleOutputError

__all__ = ["floating", "jvp", "jvp_many", "seed", "split", "value", "vjp"]

_NUMBERS: dict[type, Callable[[Any], Any]] = {float: np.float64, complex: np.complex128, np.float64: lambda x: x}
_CHUNK_BYTES = 1 << 26  # tangents of the argument held at once by a Jacobian; below it one pass is fastest


def run(fn: Callable[..., Any], *args: Any) -> Any:
    """fn(*args); where NumPy hides our refusal behind an error of its own, ours."""
    try:
        return fn(*args) if not live.is_on() else _followed(fn, args)
    except (TypeError, ValueError) as error:
        if isinstance(error.__cause__, DroppedTangentError) and not isinstance(
            error, RulebookError
        ):  # "setting an array element with a sequence"
            raise error.__cause__ from None
        raise


def _followed(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """fn(*args) where `third_party.passing` is on."""
    with live.following(args):
        y = fn(*args)
        live.check(y)
    return y


def value(x: Any) -> Any:
    """A number or array as one with shape and dtype; a dual passes."""
    kind = type(x)
    if kind is DualArray or kind is Dual or kind is np.ndarray:
        return x
    make = _NUMBERS.get(kind)
    if make is not None:
        return make(x)
    if isinstance(x, np.generic):
        return x
    if isinstance(x, np.ndarray) and x.dtype == object:
        return _gathered(x)
    return np.asarray(x)


def floating(x: Any) -> bool:
    """Whether a value is real or complex floating, so that it can be perturbed."""
    dtype = getattr(x, "dtype", None)
    return (dtype if dtype is not None else np.asarray(x).dtype).kind in "fc"


def seed(x: Any, t: Any, tag: int) -> Any:
    """A dual with the value of x, in memory of its own, and stacked tangents."""
    return join(x if np.ndim(x) == 0 else np.array(x) if type(x) is np.ndarray else np.copy(x), t, tag)


def _gathered(x: Any) -> Any:
    """An array of objects with duals in it as one dual array."""
    if not top(x.ravel().tolist()):
        return x
    return np.reshape(np.stack(x.ravel().tolist()), x.shape)


def split(y: Any, tag: int, k: int) -> tuple[Any, Any]:
    """A result as its primal and its k stacked tangents (zeros where it does not depend), in its dtype; None where it has none.

    Raises:
        DroppedTangentError: the result belongs to an inner derivative call that has ended.
    """
    if type(y) is np.ndarray and y.dtype == object:
        y = _gathered(y)
    if tag_of(y) > tag:
        raise DroppedTangentError(
            "The result of a function (engine dual).",
            "a value of this derivative call",
            f"{describe(y)} of an inner call that has ended",
            "return the results of the inner call alone",
        )
    p = primal(y, tag)
    p = p if is_dual(p) else np.asarray(p)
    if p.dtype.kind not in "fc":
        return p, None
    t = tangent(y, tag)
    if t is None:
        return p, np.zeros((k, *np.shape(p)), p.dtype)
    return p, t if t.dtype == p.dtype else t.astype(p.dtype)


def _structure_error(path: str, expected: str, got: str) -> RuleOutputError:
    return RuleOutputError(f"rb.jvp (engine dual), {path}.", expected, got, "pass tangents of the structure of the primals")


def _unstack(t: Any) -> Any:
    t = t[0]
    return t if is_dual(t) else np.asarray(t)


def jvp(fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along one tangent."""
    leaves, structure = trees.flatten(tuple(primals))
    dots = trees.flatten_like(structure, tuple(tangents), _structure_error, "tangents")
    tag = new_tag()
    duals = [
        x if t is None or not floating(x) else seed(x, np.reshape(t, (1, *np.shape(x))), tag) for x, t in zip(leaves, dots, strict=True)
    ]
    ys, result = trees.flatten(run(fn, *structure.unflatten(iter(duals))))
    pairs = [split(y, tag, 1) for y in ys]
    y_dots = [None if t is None else _unstack(t) for _, t in pairs]
    return result.unflatten(iter([p for p, _ in pairs])), result.unflatten(iter(y_dots))


def jvp_many(fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivatives along stacked tangents: one pass, several where the tangents would fill the memory."""
    xs = [value(x) for x in primals]
    k = tangents[0].shape[0]
    passes = [_pass(fn, xs, tangents, start, stop) for start, stop in _chunks(k, xs)]
    ps, result = [p for p, _ in passes[0][0]], passes[0][1]
    if len(passes) == 1:
        ts = [t for _, t in passes[0][0]]
    else:
        ts = [None if p.dtype.kind not in "fc" else np.concatenate([pairs[o][1] for pairs, _ in passes]) for o, p in enumerate(ps)]
    return result.unflatten(iter(ps)), result.unflatten(iter(ts))


def _chunks(k: int, xs: Sequence[Any]) -> list[tuple[int, int]]:
    """Ranges of tangents that are pushed at once."""
    row = sum(int(np.size(peel(x))) * x.dtype.itemsize for x in xs if floating(x))
    rows = max(1, _CHUNK_BYTES // max(row, 1))
    return [(start, min(start + rows, k)) for start in range(0, max(k, 1), rows)]


def _pass(fn: Callable[..., Any], xs: list[Any], tangents: tuple[Any, ...], start: int, stop: int) -> tuple[list[Any], trees.Structure]:
    tag = new_tag()
    some = [t if stop - start == len(t) else t[start:stop] for t in tangents]
    ys, result = trees.flatten(run(fn, *[seed(x, t, tag) for x, t in zip(xs, some, strict=True)]))
    return [split(y, tag, stop - start) for y in ys], result


def _complex(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


def _directions(leaves: Sequence[Any]) -> list[int]:
    """In how many real directions each leaf is perturbed: its elements, complex ones along 1 and along 1j."""
    return [int(np.size(peel(x))) * (2 if _complex(x) else 1) if floating(x) else 0 for x in leaves]


def _seeds(leaves: Sequence[Any], sizes: list[int], start: int, stop: int) -> list[Any]:
    """For each leaf the stacked tangents for the directions from start to stop, counted through all leaves."""
    k = stop - start
    if len(leaves) == 1 and k == sizes[0] and leaves[0].dtype == np.float64:
        return [identity(k) if leaves[0].ndim == 1 else identity(k).reshape((k, *leaves[0].shape))]
    at = 0
    seeds: list[Any] = []
    for x, size in zip(leaves, sizes, strict=True):
        if not floating(x):
            seeds.append(None)
            continue
        n = size // 2 if _complex(x) else size
        t = np.zeros((k, n), x.dtype)
        moved = np.arange(max(start, at), max(min(stop, at + size), max(start, at)))
        t[moved - start, (moved - at) % max(n, 1)] = np.where(moved - at < n, 1.0, 1j) if _complex(x) else 1.0
        seeds.append(t.reshape((k, *x.shape)))
        at += size
    return seeds


def _all_directions(
    fn: Callable[..., Any], leaves: Sequence[Any], structure: trees.Structure
) -> tuple[list[Any], list[Any], trees.Structure]:
    """The leaves of the result, their tangents for every direction of the arguments, and the structure.

    One pass; several where the tangents of the arguments would fill the memory.
    """
    sizes = _directions(leaves)
    k = sum(sizes)
    passes = []
    for start, stop in _chunks(k, leaves):
        tag = new_tag()
        duals = [x if t is None else seed(x, t, tag) for x, t in zip(leaves, _seeds(leaves, sizes, start, stop), strict=True)]
        ys, result = trees.flatten(run(fn, *structure.unflatten(iter(duals))))
        passes.append([split(y, tag, stop - start) for y in ys])
    ps = [p for p, _ in passes[0]]
    if len(passes) == 1:
        return ps, [t for _, t in passes[0]], result
    return ps, [None if p.dtype.kind not in "fc" else np.concatenate([some[o][1] for some in passes]) for o, p in enumerate(ps)], result


def vjp(fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and its pullback: one forward pass with a tangent for every element of the primals."""
    leaves, structure = trees.flatten(tuple(primals))
    leaves = [value(x) for x in leaves]
    ps, ts, result = _all_directions(fn, leaves, structure)
    k = sum(_directions(leaves))
    columns = [None if t is None else np.reshape(t, (k, int(np.size(peel(p))))) for p, t in zip(ps, ts, strict=True)]

    def pullback(y_bar: Any) -> tuple[Any, ...]:
        bars = trees.flatten_like(result, y_bar, _bar_error, "y_bar")
        total: Any = np.zeros(k)
        for column, bar in zip(columns, bars, strict=True):
            if column is not None and bar is not None:
                total = total + np.real(np.matmul(column, np.conjugate(np.reshape(bar, (-1,)))))
        made: tuple[Any, ...] = structure.unflatten(iter(_cotangents(leaves, total)))
        return made

    return result.unflatten(iter(ps)), pullback


def _bar_error(path: str, expected: str, got: str) -> RuleOutputError:
    return RuleOutputError(f"rb.vjp (engine dual), {path}.", expected, got, "pass a cotangent of the structure of the result")


def _cotangents(leaves: Sequence[Any], total: Any) -> list[Any]:
    """The sensitivities, one per real direction, as cotangents of the leaves."""
    found: list[Any] = []
    at = 0
    for x in leaves:
        if not floating(x):
            found.append(None)
            continue
        n = int(np.size(peel(x)))
        bar = total[at : at + n]
        at += n
        if _complex(x):
            bar = bar + 1j * total[at : at + n]
            at += n
        bar = np.reshape(bar, np.shape(x))
        found.append(bar if bar.dtype == x.dtype else bar.astype(x.dtype))
    return [np.asarray(b) if b is not None and not is_dual(b) else b for b in found]

"""A primitive on dual numbers: the primal once, then all k tangents of the topmost tag through the rule.

The rule runs on the primals of that tag, which may be duals of outer derivative calls, so nesting
needs nothing more.  All k tangents go through a traceable rule in one call: the rule is linear in
them, so it is handed duals without a primal whose tangents are the k columns.  A rule for which
that fails, because it is host code or looks at its tangents, is called once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import trees
from rulebook.bridges._dual.single import direct
from rulebook.bridges._dual.values import attach, unshared
from rulebook.dual.drivers import floating, value
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.parts import is_dual, join, primal, tag_of, tangent
from rulebook.dual.tags import directional, is_directional
from rulebook.forms import LinearForward
from rulebook.host import run_each
from rulebook.trees import LEAF, Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["bind", "transpose"]

Push = Callable[[list[Any]], Sequence[Any]]


def bind(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of a form."""
    return _Call(form)


class _Call:
    """A primitive at one structure, on dual numbers."""

    __slots__ = ("direct", "form")

    def __init__(self, form: NormalForm) -> None:
        self.form = form
        self.direct = direct(form)

    def __call__(self, *leaves: Any) -> Any:
        """The result, with the tangents of every tag among the leaves."""
        if self.direct is not None:
            found = self.direct(leaves)
            if found is not None:
                return found
        ys, structure = self.run(leaves)
        return ys[0] if structure is LEAF else structure.unflatten(iter(ys))

    def run(self, leaves: Sequence[Any]) -> tuple[list[Any], Structure]:
        """The leaves of the result and its structure."""
        tag = max(map(tag_of, leaves), default=0)
        if not tag:
            return self.form.primal([value(x) for x in leaves])
        if is_directional(tag):
            self._check_linear(leaves, tag)
            return self.form.primal([value(x) for x in leaves])
        ps = [value(primal(x, tag)) for x in leaves]
        dots = [tangent(x, tag) for x in leaves]
        k = next(t.shape[0] for t in dots if t is not None)
        try:
            ys, y_dots, structure = self._differentiate(ps, dots, k)
        except DroppedTangentError as error:
            raise self.form.explain(error, "primal or rule") from error
        own = [unshared(y, ps) for y in ys]
        return [attach(y, t, tag) for y, t in zip(own, y_dots or [None] * len(ys), strict=True)], structure

    def primal(self, args: tuple[Any, ...]) -> Any:
        """The function on arguments that may be duals of outer calls: by its rules again."""
        form = self.form
        leaves = list(args) if form.flat else [x for i, x in enumerate(trees.flatten(args)[0]) if i not in form.opaque]
        if not any(map(is_dual, leaves)):
            return form.evaluate(args)
        return self(*leaves)

    def _differentiate(self, ps: list[Any], dots: list[Any], k: int) -> tuple[Sequence[Any], Sequence[Any], Structure]:
        """The leaves of y, their stacked tangents (None where zero), and the structure."""
        form = self.form
        if form.forward is None and form.reverse is not None:
            ys, structure, pull = form.start(ps, self.primal)
            return ys, _by_rows(form, ys, ps, dots, pull), structure
        if k > 1 and form.primitive.twins is not None:
            return self._both_ways(ps, dots, k)
        if form.forward is None or form.forward.given_output:
            if form.forward is None:
                form.joint(ps, [None] * len(ps))  # raises: no rule
            ys, structure = form.flatten_result(self.primal(form.args(ps)), "primal")
            return ys, _push_all(lambda ts: form.push(ys, structure, ps, ts, self.primal), dots, k, form.forward.host), structure  # type: ignore[union-attr]
        return self._joint(ps, dots, k)

    def _both_ways(self, ps: list[Any], dots: list[Any], k: int) -> tuple[Sequence[Any], Sequence[Any], Structure]:
        """The same of a function of another engine, which has both rules and runs again for each tangent: by rows where they are fewer."""
        form = self.form
        ys, structure, pull = form.start(ps, self.primal)
        rows = sum([int(np.size(y)) * (2 if y.dtype.kind == "c" else 1) for y in ys if floating(y)])
        if rows <= k:
            return ys, _by_rows(form, ys, ps, dots, pull), structure
        return ys, _push_all(lambda ts: form.push(ys, structure, ps, ts, self.primal), dots, k, host=True), structure

    def _joint(self, ps: list[Any], dots: list[Any], k: int) -> tuple[Sequence[Any], Sequence[Any], Structure]:
        """The same by an frule, which gives y and y_dot together."""
        form = self.form
        kept: list[tuple[Sequence[Any], Structure]] = []

        def push(ts: list[Any]) -> Sequence[Any]:
            ys, y_dots, structure = form.joint(ps, ts, self.primal)
            kept.append((ys, structure))
            return y_dots

        y_dots = _push_all(push, dots, k, form.forward.host)  # type: ignore[union-attr]
        if not kept:  # there is no tangent to push
            push([None] * len(ps))
        ys, structure = kept[-1]
        return ys, y_dots, structure

    def _check_linear(self, leaves: Sequence[Any], tag: int) -> None:
        """A rule calls a primitive on its tangents: they have no primal, so it must be declared linear in them."""
        rule = self.form.forward
        moved = {self.form.arg_of_leaf[i] for i, x in enumerate(leaves) if tag_of(x) == tag}
        if self.form.primitive.host or not (isinstance(rule, LinearForward) and moved <= set(rule.wrt)):
            raise DroppedTangentError(
                f"{self.form.name} on a tangent (engine dual).",
                "a primitive declared linear by rb.transpose",
                "another",
                "nothing: the rule is called for each tangent",
            )


def _push_all(push: Push, dots: list[Any], k: int, host: bool) -> Sequence[Any]:
    """All tangents through a linear map: in one call where it takes duals, else one call each; host code on threads."""
    if k == 1:
        found = push([_first(t) for t in dots])
        return [None if t is None else t[None] if is_dual(t) else np.asarray(t)[None] for t in found]
    one = lambda i: push([None if t is None else t[i] for t in dots])
    if host:
        return _columns(run_each(one, range(k)))
    together = _push_together(push, dots, k)
    return _columns([one(i) for i in range(k)]) if together is None else together


def _first(t: Any) -> Any:
    return None if t is None else t[0]


def _push_together(push: Push, dots: list[Any], k: int) -> Sequence[Any] | None:
    """One call with duals for tangents; None where the map refuses them, or where NaN says that it looked at their primal."""
    tag = directional()
    moving = [None if t is None else join(np.full(t.shape[1:], np.nan, t.dtype), t, tag) for t in dots]
    try:
        with np.errstate(invalid="ignore"):  # what NaN may raise
            found = push(moving)
    except Exception:
        return None
    stacked = [None if y_dot is None else _stacked(y_dot, tag, k) for y_dot in found]
    if any(t is not None and _has_nan(t) for t in stacked):
        return None
    return stacked


def _stacked(y_dot: Any, tag: int, k: int) -> Any:
    t = tangent(y_dot, tag)
    return np.broadcast_to(y_dot, (k, *np.shape(y_dot))) if t is None else t


def _has_nan(t: Any) -> bool:
    while is_dual(t):
        t = t.p
    return bool(np.isnan(np.sum(t)))


def _columns(found: list[Sequence[Any]]) -> Sequence[Any]:
    """The tangents of each result stacked, of those that each call gave."""
    if not found:
        return []
    columns = []
    for some in zip(*found, strict=True):
        like = next((t for t in some if t is not None), None)
        columns.append(None if like is None else np.stack([np.zeros(like.shape, like.dtype) if t is None else t for t in some]))
    return columns


def _by_rows(form: NormalForm, ys: Sequence[Any], ps: list[Any], dots: list[Any], pull: Callable[..., list[Any]]) -> list[Any]:
    """The tangents of y from its pullback, applied to a basis of the cotangents of y."""
    wanted = [t is not None for t in dots]
    outs = [o for o, y in enumerate(ys) if floating(y)]
    ins = [i for i, w in enumerate(wanted) if w]

    def rows(*bars: Any) -> tuple[Any, ...]:
        full: list[Any] = [None] * len(ys)
        for o, bar in zip(outs, bars, strict=True):
            full[o] = bar
        found = pull(full, wanted)
        return tuple(np.zeros(ps[i].shape, ps[i].dtype) if found[i] is None else found[i] for i in ins)

    found: list[Any] = [None] * len(ys)
    if outs:
        pushed = _transposed(
            rows, [ys[o] for o in outs], [dots[i] for i in ins], stacked=True, host=form.reverse is not None and form.reverse.host
        )
        for o, t in zip(outs, pushed, strict=True):
            found[o] = t
    return found


def transpose(fn: Callable[..., tuple[Any, ...]], like: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """The transpose of a linear function of arrays that are shaped `like`."""
    return lambda bars: tuple(_transposed(fn, list(like), list(bars), stacked=False, host=False))


def _transposed(fn: Callable[..., tuple[Any, ...]], like: list[Any], bars: list[Any], stacked: bool, host: bool) -> list[Any]:
    """The transposed map, sum of Re(conj(fn(e)) * bar) for each basis vector e, on bars with or without a leading axis.

    With one, fn is a pullback and takes None for what is zero.
    """
    found: list[Any] = []
    for i, x in enumerate(like):
        n = int(np.prod(np.shape(x)))
        total = _real_rows(fn, like, i, 1.0, n, bars, stacked, host)
        if x.dtype.kind == "c":
            total = total + 1j * _real_rows(fn, like, i, 1j, n, bars, stacked, host)
        lead = total.shape[:-1]
        total = np.reshape(total, (*lead, *np.shape(x)))
        found.append(total if total.dtype == x.dtype else total.astype(x.dtype))
    return found


def _real_rows(
    fn: Callable[..., tuple[Any, ...]], like: list[Any], i: int, unit: complex, n: int, bars: list[Any], stacked: bool, host: bool
) -> Any:
    """Re <fn(unit * e), bar> for the n basis vectors e of the i-th argument: (k, n), or (n,)."""
    x = like[i]
    basis = (np.eye(n) * unit).astype(x.dtype).reshape((n, *np.shape(x)))
    zeros = lambda v: None if stacked else np.broadcast_to(np.zeros(np.shape(v), v.dtype), (n, *np.shape(v)))
    dots = [basis if j == i else zeros(v) for j, v in enumerate(like)]
    rows = _push_all(lambda ts: fn(*ts), dots, n, host)
    lead = (bars[0].shape[0],) if stacked else ()
    total: Any = np.zeros((*lead, n))
    for row, bar in zip(rows, bars, strict=True) if n else ():
        if row is None or bar is None:
            continue
        flat = np.reshape(bar, (*lead, -1)) if np.size(row) else np.zeros((*lead, 0))
        matrix = np.conjugate(np.reshape(row, (n, -1))) if np.size(row) else np.zeros((n, 0))
        total = total + np.real(np.matmul(flat, np.transpose(matrix)))
    return total

"""The short way for the common call: one tangent, on plain numbers and arrays.

It does what the long way does, without stacking tangents or taking trees apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.bridges._dual.values import attach, unshared
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import floating, value
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.parts import is_dual
from rulebook.dual.scalar import dual
from rulebook.dual.tags import is_directional
from rulebook.forms import Forward
from rulebook.trees import LEAF

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["direct"]


def direct(form: NormalForm) -> Callable[[Sequence[Any]], Any] | None:
    """A function of the leaves that gives the result, or None for leaves that are not as simple; None where the form is not."""
    rule = form.forward
    if not form.flat or rule is None or rule.host or form.primitive.host:
        return None

    def joint(args: tuple[Any, ...], dots: tuple[Any, ...]) -> Any:
        return rule.joint(form, form.evaluate, args, dots)

    def call(leaves: Sequence[Any]) -> Any:
        parts = _parts(leaves)
        if parts is None:
            return None
        ps, dots, tag = parts
        if not rule.symbolic_zeros:
            dots = [np.zeros(p.shape, p.dtype) if t is None and floating(p) else t for p, t in zip(ps, dots, strict=True)]
        try:
            y, y_dot = form.run(rule, joint, tuple(ps), tuple(dots))
        except DroppedTangentError as error:
            raise form.explain(error, "primal or rule") from error
        kind = type(y)
        if kind is type(y_dot):
            if kind is np.float64:
                return dual(float(y), float(y_dot), tag)
            if kind is np.ndarray and y.ndim and y.shape == y_dot.shape and y.dtype == y_dot.dtype and floating(y):
                return DualArray(unshared(y, ps), None, y_dot[None], tag)
        return _finish(form, rule, ps, y, y_dot, tag)

    return call


def _finish(form: NormalForm, rule: Forward, ps: list[Any], y: Any, y_dot: Any, tag: int) -> Any:
    """The result with its tangent, checked."""
    ys, structure = form.flatten_result(y, rule.kind)
    y_dots = form.fit_tangents(rule, ys, structure, y_dot)
    stacked = [None if t is None else np.reshape(t, (1, *np.shape(t))) if is_dual(t) else np.asarray(t)[None] for t in y_dots]
    made = [attach(unshared(v, ps), t, tag) for v, t in zip(ys, stacked, strict=True)]
    return made[0] if structure is LEAF else structure.unflatten(iter(made))


def _parts(leaves: Sequence[Any]) -> tuple[list[Any], list[Any], int] | None:
    """Primals, single tangents (None for constants) and the tag; None where there are outer calls, or more tangents."""
    ps: list[Any] = []
    dots: list[Any] = []
    tag = 0
    for x in leaves:
        found = _number(x) if type(x) is Dual else _array(x) if type(x) is DualArray else (value(x), None)
        if found is None:
            return None
        ps.append(found[0])
        dots.append(found[1])
        if found[1] is not None:
            if tag and x.tag != tag:
                return None
            tag = x.tag
    return (ps, dots, tag) if tag and not is_directional(tag) else None


def _number(x: Dual) -> tuple[Any, Any] | None:
    return (np.float64(x.p), np.float64(x.t)) if type(x.p) is float and type(x.t) is float else None


def _array(x: DualArray) -> tuple[Any, Any] | None:
    c, b = x.parts()
    if type(x.p) is not np.ndarray or type(b) is not np.ndarray or len(b) != 1 or (c is not None and type(c) not in (np.ndarray, float)):
        return None
    t = b[0] if c is None else c * b[0]
    return x.p, t if t.dtype == x.p.dtype else t.astype(x.p.dtype)

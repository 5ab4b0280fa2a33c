"""Copies of a primitive that nobody else sees: with marked rules, with a counted function, as host code."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from rulebook import forms, trees
from rulebook.primitive import Primitive
from rulebook.tangents import NotImplementedTangent, ShapeDtype, Thunk, is_zero

__all__ = ["MARKER", "as_host", "clone", "counted", "marked"]

MARKER = 100.0
F = TypeVar("F", bound=forms.Rule)


def clone(p: Primitive, forward: forms.Forward | None, reverse: forms.Reverse | None, host: bool | None = None) -> Primitive:
    """An unlisted primitive like another, with these rules."""
    made = Primitive(
        p.fn,
        name=p.name,
        host=p.host if host is None else host,
        result=p.result,
        vectorized=p.vectorized,
        tangent_space=p.tangent_space,
        accuracy=p.accuracy,
        jit=p.jit,
        listed=False,
    )
    made.forward, made.reverse, made.batch = forward, reverse, p.batch
    return made


def as_host(p: Primitive, rules: tuple[forms.Forward | None, forms.Reverse | None], y: Any) -> Primitive:
    """A primitive whose function and rules get NumPy arrays, with results like y."""
    leaves, structure = trees.flatten(y)
    specs = [ShapeDtype(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]
    forward, reverse = (None if rule is None else _host(rule) for rule in rules)
    made = clone(p, forward, reverse, host=True)  # type: ignore[arg-type]
    made.result = lambda *_, **__: structure.unflatten(iter(specs))
    return made


def _host(rule: F) -> F:
    made = copy.copy(rule)
    made.host = True
    return made


def counted(p: Primitive) -> tuple[Primitive, list[int]]:
    """A primitive that counts how often its function runs."""
    runs: list[int] = []

    @functools.wraps(p.fn)
    def fn(*args: Any, **statics: Any) -> Any:
        runs.append(1)
        return p.fn(*args, **statics)

    made = clone(p, p.forward, p.reverse)
    made.fn = fn  # only now, as C code does not tell its parameters through a wrapper
    return made, runs


def marked(rule: F) -> F | None:
    """A copy of a rule whose derivative is MARKER times as large; None for one that has no result of its own to mark."""
    wrap = _WRAPS.get(rule.kind)
    if wrap is None or isinstance(rule, forms.LinearForward):
        return None
    made = copy.copy(rule)
    made.fn = functools.wraps(rule.fn)(wrap(rule.fn))
    return made


def _scaled(tree: Any) -> Any:
    """A tangent or cotangent times MARKER; zeros of every kind stay."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([_times(leaf) for leaf in leaves]))


def _times(leaf: Any) -> Any:
    if isinstance(leaf, Thunk):
        return Thunk(lambda: _scaled(leaf.fn()))
    if is_zero(leaf) or isinstance(leaf, NotImplementedTangent):
        return leaf
    return leaf * (leaf.dtype.type(MARKER) if isinstance(leaf, np.inexact) else MARKER)


def _of_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **statics: _scaled(fn(*args, **statics))


def _of_frule(fn: Callable[..., Any]) -> Callable[..., Any]:
    def frule(*args: Any, **statics: Any) -> Any:
        y, y_dot = fn(*args, **statics)
        return y, _scaled(y_dot)

    return frule


def _of_rrule(fn: Callable[..., Any]) -> Callable[..., Any]:
    def rrule(*args: Any, **statics: Any) -> Any:
        y, pullback = fn(*args, **statics)
        return y, _of_result(pullback)

    return rrule


_WRAPS = {
    "frule": _of_frule,
    "rrule": _of_rrule,
    "pushforward": _of_result,
    "pullback": _of_result,
    "scalar_rule": _of_result,
    "transpose": _of_result,
}

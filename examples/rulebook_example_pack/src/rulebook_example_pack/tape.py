"""The engine `tape`: reverse and forward mode for plain NumPy code, without another package.

It is short as rulebook's primitives do the mathematics: this module says how the rules of a primitive run on values of
the engine (`bind`), and how a derivative call begins and ends (`jvp`, `vjp`).
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engine import Engine, TracedValueError
from rulebook.namespace import Namespace
from rulebook_example_pack.recording import Entry, TapeArray, Unrecorded, backward, below, bottom, level_of

__all__ = ["TapeEngine", "engine"]

_levels = itertools.count()


def _asarray(a: Any, dtype: Any = None) -> Any:
    if isinstance(a, (list, tuple)) and any(type(x) is TapeArray for x in trees.leaves_of(a)):
        return np.stack([_asarray(x) for x in a])
    return a if type(a) is TapeArray else np.asarray(a, dtype)


def _value(x: Any) -> Any:
    """A leaf with shape and dtype, where it is a number."""
    return _asarray(x) if isinstance(x, (int, float, complex, np.generic)) else x


_NAMESPACE = Namespace(
    "tape", np, {"asarray": _asarray, "array": _asarray}, {"special": lambda: importlib.import_module("rulebook.rules.special")}
)


class TapeEngine(Engine):
    """NumPy arrays, or `TapeArray`s of one or more derivative calls."""

    name = "tape"
    protocol = 1  # of rulebook.engine.Engine
    reverses = True  # the derivative of a gradient is cheaper by reverse mode

    def owns(self, kind: type) -> bool:
        """See Engine."""
        return kind is TapeArray

    def bind(self, form: Any) -> Callable[..., Any]:
        """The primitive on TapeArrays: a rule runs on what is below the newest derivative call, and may be recorded by older ones."""

        def primal(args: tuple[Any, ...]) -> Any:
            """The function as its rules call it: on older tapes it goes by its rules again."""
            leaves = [x for i, x in enumerate(trees.flatten(args)[0]) if i not in form.opaque]
            return call(*leaves) if any(type(x) is TapeArray for x in leaves) else form.evaluate(args)

        def call(*leaves: Any) -> Any:
            level = max(map(level_of, leaves), default=-1)
            values = [below(x, level, leaves) for x in leaves]
            if level < 0:
                return form.evaluate(form.args(values))
            at = {i: x for i, x in enumerate(leaves) if level_of(x) == level}
            if next(iter(at.values())).entry is None:
                ys, y_dots, structure = form.joint(values, [at[i].dot if i in at else None for i in range(len(leaves))], primal)
                boxed = [y if dot is None else TapeArray(y, level, None, dot=dot) for y, dot in zip(ys, y_dots, strict=True)]
                return structure.unflatten(iter(boxed))
            ys, structure, pull = form.start(values, primal)
            wanted = [i in at for i in range(len(leaves))]
            entry = Entry(list(at.values()), lambda bars: [bar for i, bar in enumerate(pull(bars, wanted)) if i in at], len(ys))
            boxed = [TapeArray(y, level, entry, k) if self.has_tangent(y) else y for k, y in enumerate(ys)]
            return structure.unflatten(iter(boxed))

        return call

    def asarray(self, value: Any, like: Any = None) -> Any:
        """See Engine."""
        return _asarray(value)

    def zeros_like(self, value: Any) -> Any:
        """See Engine."""
        return np.zeros(value.shape, value.dtype)

    def has_tangent(self, value: Any) -> bool:
        """See Engine."""
        return bool(value.dtype.kind in "fc")

    def cast(self, value: Any, like: Any) -> Any:
        """See Engine."""
        if value.dtype.kind == "c" and like.dtype.kind != "c":
            value = value.real
        return value if value.dtype == like.dtype else value.astype(like.dtype)

    def is_complex(self, value: Any) -> bool:
        """See Engine."""
        return bool(value.dtype.kind == "c")

    def conj(self, value: Any) -> Any:
        """See Engine."""
        return value.conj()

    def broadcast(self, value: Any, like: Any) -> Any:
        """See Engine."""
        return np.broadcast_to(value, like.shape)

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """See Engine."""
        return np.sum(value, axis=axes, keepdims=True)

    def to_numpy(self, value: Any) -> Any:
        """See Engine."""
        if type(value) is TapeArray:
            raise TracedValueError(f"a TapeArray of shape {value.shape}")
        found = np.asarray(value).view()
        found.flags.writeable = False
        return found

    def stop_gradient(self, value: Any) -> Any:
        """See Engine."""
        return np.asarray(bottom(value))

    def is_active(self, value: Any) -> bool:
        """See Engine."""
        return type(value) is TapeArray

    def is_traced_error(self, error: Exception) -> bool:
        """See Engine."""
        return isinstance(error, Unrecorded)

    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """See Engine."""
        leaves, structure, level = self._opened(primals)
        dots = trees.flatten_like(structure, tangents, _refused, "tangents")
        box = lambda x, dot: x if dot is None else TapeArray(x, level, None, dot=_asarray(dot))
        ys, out = trees.flatten(fn(*structure.unflatten(map(box, leaves, dots))))
        y_dots = [y.dot if level_of(y) == level else self.zeros_like(y) if self._moves(y) else None for y in map(_value, ys)]
        return out.unflatten(iter([below(_value(y), level) for y in ys])), out.unflatten(iter(y_dots))

    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """See Engine."""
        leaves, structure, level = self._opened(primals)
        starts = {i: TapeArray(x, level, Entry([], None, 1)) for i, x in enumerate(leaves) if self._moves(x)}
        ys, out = trees.flatten(fn(*structure.unflatten(iter([starts.get(i, x) for i, x in enumerate(leaves)]))))

        def pullback(y_bar: Any) -> tuple[Any, ...]:
            bars = trees.flatten_like(out, y_bar, _refused, "y_bar")
            ends = [(y, None if b is None else self.cast(_asarray(b), y)) for y, b in zip(ys, bars, strict=True) if level_of(y) == level]
            found = dict(zip(starts, backward(ends, list(starts.values())), strict=True))
            full = [self.zeros_like(x) if i in starts and found[i] is None else found.get(i) for i, x in enumerate(leaves)]
            result: tuple[Any, ...] = structure.unflatten(iter(full))
            return result

        return out.unflatten(iter([below(_value(y), level) for y in ys])), pullback

    def _opened(self, primals: tuple[Any, ...]) -> tuple[list[Any], trees.Structure, int]:
        """The leaves of the arguments, their structure, and the number of a new derivative call."""
        leaves, structure = trees.flatten(primals)
        return list(map(_value, leaves)), structure, next(_levels)

    def _moves(self, x: Any) -> bool:
        return hasattr(x, "dtype") and self.has_tangent(x)

    def jacobian(self, fn: Callable[..., Any], x: Any) -> tuple[Any, Any]:
        """See Engine; a complex function of complex x is taken to be holomorphic."""
        y, pullback = self.vjp(fn, (x,))
        if self.is_complex(x) and not self.is_complex(y):
            raise rb.RuleSignatureError("rb.jacobian (engine tape).", "a holomorphic function of complex x", "a real result", "use rb.vjp")
        basis = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        rows = [_row(pullback, e, self.is_complex(x)) for e in basis]
        return y, np.stack(rows).reshape(y.shape + x.shape) if rows else np.zeros(y.shape + x.shape, np.result_type(y.dtype, x.dtype))

    def namespace(self) -> Any:
        """NumPy's names, which dispatch on TapeArrays."""
        return _NAMESPACE


def _row(pullback: Callable[[Any], tuple[Any, ...]], e: Any, is_complex: bool) -> Any:
    (row,) = pullback(e)
    if e.dtype.kind != "c":
        return row
    return row.conj() if is_complex else row + 1j * pullback(1j * e)[0]


def _refused(path: str, expected: str, got: str) -> Exception:
    return rb.RuleSignatureError(f"engine tape, {path}.", expected, got, "pass what has the structure of the function's result")


engine = TapeEngine()

"""The bridge to dual numbers, rulebook's own engine for plain NumPy code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.bridges._dual.buffers import CELLS
from rulebook.bridges._dual.calls import bind, transpose
from rulebook.bridges._dual.namespace import NAMESPACE
from rulebook.dual import Dual, DualArray, drivers
from rulebook.dual.creation import constant
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.identity import identity
from rulebook.dual.parts import depth, is_dual, peel
from rulebook.engine import Engine, TracedValueError
from rulebook.memory import owned, unknown

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["DualEngine", "engine"]


class DualEngine(Engine):
    """Dual numbers: values are NumPy's, or duals of one or more derivative calls."""

    name = "dual"
    pulls = False
    writes = True

    def owns(self, kind: type) -> bool:
        """Whether a type is Dual or DualArray."""
        return kind is DualArray or kind is Dual

    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """The function of the leaves, whose tangents go by the rules."""
        return bind(form)

    def asarray(self, value: Any, like: Any = None) -> Any:
        """A number with shape and dtype; arrays and duals pass."""
        return drivers.value(value)

    def zeros_like(self, value: Any) -> Any:
        """Zeros of the shape and dtype of a value."""
        return np.zeros(value.shape, value.dtype)

    def has_tangent(self, value: Any) -> bool:
        """Whether a value is real or complex floating."""
        return drivers.floating(value)

    def cast(self, value: Any, like: Any) -> Any:
        """A value in the dtype of another."""
        if value.dtype.kind == "c" and like.dtype.kind != "c":
            value = np.real(value)
        return value.astype(like.dtype)

    def is_complex(self, value: Any) -> bool:
        """Whether a value is complex."""
        return bool(value.dtype.kind == "c")

    def conj(self, value: Any) -> Any:
        """The complex conjugate."""
        return np.conjugate(value)

    def broadcast(self, value: Any, like: Any) -> Any:
        """A value repeated to the shape of another."""
        return np.broadcast_to(value, like.shape)

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, which stay with length one."""
        return np.sum(value, axis=axes, keepdims=True)

    def to_numpy(self, value: Any) -> Any:
        """A concrete value as a read-only array."""
        if is_dual(value):
            raise TracedValueError(f"a {type(value).__name__} of shape {value.shape}")
        found = np.asarray(value).view()
        found.flags.writeable = False
        return found

    def from_host(self, arrays: list[Any], like: Any) -> list[Any]:
        """What host code returned: the same arrays, copied where somebody else may write to them."""
        return owned(arrays)

    def stop_gradient(self, value: Any) -> Any:
        """The value below all derivative calls."""
        return drivers.value(peel(value))

    def is_active(self, value: Any) -> bool:
        """Whether a value is a dual."""
        return is_dual(value)

    def is_traced_error(self, error: Exception) -> bool:
        """Whether code outside NumPy met a dual where it needs numbers."""
        return isinstance(error, DroppedTangentError) or isinstance(error.__cause__, DroppedTangentError)

    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`fn(*primals)` and its derivative along the tangents."""
        return drivers.jvp(fn, primals, tangents)

    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """`fn(*primals)` and its pullback, by one forward pass with a tangent per element of the primals."""
        return drivers.vjp(fn, primals)

    def jvp_many(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """All tangents in one pass; a few where they would fill the memory."""
        return drivers.jvp_many(fn, primals, tangents)

    def eye(self, n: int, like: Any) -> Any:
        """The identity matrix; as tangents of float64 known as such."""
        return identity(n) if like.dtype == np.float64 else np.eye(n, dtype=like.dtype)

    def work_array(self, like: Any, xs: tuple[Any, ...]) -> Any:
        """A dual array that takes tangents of xs, of all derivative calls; an array of integers as it is."""
        value = unknown(like)
        return value if value.dtype.kind not in "fc" else constant(value, max(xs, key=depth))

    def transpose(self, fn: Callable[..., tuple[Any, ...]], like: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """The transpose of a linear function: one pass over a basis of its arguments."""
        return transpose(fn, like)

    def cells(self) -> Any:
        """How buffers hold arrays of this engine."""
        return CELLS

    def namespace(self) -> Any:
        """NumPy's names, which dispatch on duals."""
        return NAMESPACE


engine = DualEngine()

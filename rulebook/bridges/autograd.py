"""The bridge to HIPS autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from rulebook import trees
from rulebook.bridges._autograd import gradients, operators, values
from rulebook.bridges._autograd.buffers import CELLS
from rulebook.bridges._autograd.calls import bind
from rulebook.bridges._autograd.namespace import NAMESPACE
from rulebook.bridges._autograd.trace import ARRAY, BOXES, DICT, SEQUENCE, open_container, value_of
from rulebook.engine import Engine, TracedValueError
from rulebook.memory import owned

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["AutogradEngine", "engine"]

# How NumPy says that it met a box where it needs numbers.
_TRACED = ("ArrayBox", "object arrays are not supported", "dtype('O')", "dtype object", "array element with a sequence")

trees.register_opener(SEQUENCE, open_container)
trees.register_opener(DICT, open_container)


class AutogradEngine(Engine):
    """HIPS autograd: values are NumPy's, or boxes of them below one or more traces."""

    name = "autograd"
    reverses = True

    def owns(self, kind: type) -> bool:
        """Whether a type is a box of an array; boxes of containers are opened when a tree is flattened."""
        return issubclass(kind, ARRAY)

    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """The function of the leaves that autograd differentiates by the rules."""
        return bind(form)

    def asarray(self, value: Any, like: Any = None) -> Any:
        """A number with shape and dtype; arrays and boxes pass."""
        return values.as_value(value)

    def zeros_like(self, value: Any) -> Any:
        """Zeros of the shape and dtype of a value."""
        return values.zeros_like(value)

    def has_tangent(self, value: Any) -> bool:
        """Whether a value is real or complex floating."""
        return values.has_tangent(value)

    def is_number(self, value: Any) -> bool:
        """Whether a value is a number of NumPy, or a box of one."""
        return type(value_of(value)) in (np.float64, np.float32)

    def cast(self, value: Any, like: Any) -> Any:
        """A value in the dtype of another."""
        return values.cast(value, like)

    def is_complex(self, value: Any) -> bool:
        """Whether a value is complex."""
        return values.dtype_of(value).kind == "c"

    def conj(self, value: Any) -> Any:
        """The complex conjugate."""
        return values.conj(value)

    def broadcast(self, value: Any, like: Any) -> Any:
        """A value repeated to the shape of another; by a product, as autograd cannot differentiate broadcast_to forward."""
        shape = np.shape(value_of(like))
        if type(value) not in BOXES:
            return np.broadcast_to(value, shape)
        return value * np.ones(shape, values.dtype_of(value))

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, which stay with length one."""
        return anp.sum(value, axis=axes, keepdims=True)

    def to_numpy(self, value: Any) -> Any:
        """A concrete value as a read-only array."""
        if type(value) in BOXES:
            raise TracedValueError(f"a box of autograd, shape {value.shape}")
        found = np.asarray(value).view()
        found.flags.writeable = False
        return found

    def from_host(self, arrays: list[Any], like: Any) -> list[Any]:
        """What host code returned: the same arrays, copied where somebody else may write to them."""
        return owned(arrays)

    def stop_gradient(self, value: Any) -> Any:
        """The value below all traces."""
        return value_of(value)

    def is_active(self, value: Any) -> bool:
        """Whether a value is a box."""
        return type(value) in BOXES

    def is_traced_error(self, error: Exception) -> bool:
        """Whether NumPy, SciPy or math met a box where they need numbers."""
        return isinstance(error, (TypeError, ValueError, AttributeError)) and any(text in str(error) for text in _TRACED)

    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`fn(*primals)` and its derivative along the tangents."""
        return operators.jvp(fn, primals, tangents)

    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """`fn(*primals)` and its pullback."""
        return operators.vjp(fn, primals)

    def cells(self) -> Any:
        """How buffers hold arrays of this engine."""
        return CELLS

    def jvp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """One array without a sequence around it."""
        return gradients.jvp(fn, xs, tangents)

    def vjp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """One array without a sequence around it."""
        return gradients.vjp(fn, xs)

    def value_and_grad(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """`fn(*xs)` and its gradient."""
        return gradients.value_and_grad(fn, xs)

    def namespace(self) -> Any:
        """autograd.numpy, with the linear algebra and special functions that autograd can differentiate."""
        return NAMESPACE


engine = AutogradEngine()

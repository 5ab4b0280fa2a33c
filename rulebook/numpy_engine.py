"""NumPy arrays as an engine: runs host rules for every other engine, and all rules for the checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.engine import Engine, NumpyArrays, is_floating
from rulebook.memory import read_only

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["NumpyEngine", "real_matrix", "stack", "unstack"]


class NumpyEngine(Engine):
    """NumPy arrays as an engine; linear maps are transposed by a sweep of real basis vectors.

    Args:
        name: how messages call it: an engine on whose behalf host code runs.
    """

    runs_host_code = True

    def __init__(self, name: str = "numpy") -> None:
        self.name = name

    def owns(self, kind: type) -> bool:
        """See Engine."""
        return issubclass(kind, np.ndarray)

    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """See Engine."""
        raise NotImplementedError

    def asarray(self, value: Any, like: Any = None) -> Any:
        """See Engine."""
        return np.asarray(value)

    def zeros_like(self, value: Any) -> Any:
        """See Engine."""
        return read_only(np.zeros_like(value))

    def has_tangent(self, value: Any) -> bool:
        """See Engine."""
        return is_floating(np.asarray(value).dtype)

    def cast(self, value: Any, like: Any) -> Any:
        """See Engine."""
        return NumpyArrays.cast(value, like)

    def is_complex(self, value: Any) -> bool:
        """See Engine."""
        return np.iscomplexobj(value)

    def conj(self, value: Any) -> Any:
        """See Engine."""
        return np.conj(value)

    def broadcast(self, value: Any, like: Any) -> Any:
        """See Engine."""
        return np.broadcast_to(value, like.shape)

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """See Engine."""
        return NumpyArrays.sum(value, axes)

    def to_numpy(self, value: Any) -> Any:
        """See Engine."""
        return np.asarray(value)

    def stop_gradient(self, value: Any) -> Any:
        """See Engine."""
        return value

    def is_active(self, value: Any) -> bool:
        """See Engine."""
        return False

    def is_traced_error(self, error: Exception) -> bool:
        """See Engine."""
        return False

    def jvp(self, fn: Any, primals: Any, tangents: Any) -> Any:
        """See Engine."""
        raise NotImplementedError

    def vjp(self, fn: Any, primals: Any) -> Any:
        """Of a linear function only."""
        y = fn(*primals)
        return y, self.transpose(lambda *x: tuple(a - b for a, b in zip(fn(*x), y, strict=True)), primals)

    def transpose(self, fn: Any, like: Any) -> Any:
        """See Engine."""
        matrix = real_matrix(fn, like)
        return lambda bars: unstack(matrix.T @ stack(bars), like)

    def namespace(self) -> Any:
        """See Engine."""
        return np


def stack(arrays: Any) -> np.ndarray:
    """Arrays as one real vector; a complex entry as its real and imaginary part."""
    parts = [np.zeros(0)]
    for a in arrays:
        a = np.asarray(a)
        parts += [a.real.ravel(), a.imag.ravel()] if np.iscomplexobj(a) else [a.ravel()]
    return np.concatenate([p.astype(float) for p in parts])


def unstack(vector: np.ndarray, like: Any) -> tuple[np.ndarray, ...]:
    """The inverse of stack."""
    out, at = [], 0
    for a in like:
        a = np.asarray(a)
        n = a.size
        value = vector[at : at + n]
        at += n
        if np.iscomplexobj(a):
            value = value + 1j * vector[at : at + n]
            at += n
        out.append(value.reshape(a.shape).astype(a.dtype))
    return tuple(out)


def real_matrix(fn: Any, like: Any) -> np.ndarray:
    """The matrix of a real-linear function of arrays."""
    basis = np.eye(stack(like).size)
    rows = stack(fn(*unstack(np.zeros(len(basis)), like))).size
    columns = [stack(fn(*unstack(e, like))) for e in basis]
    return np.stack(columns, 1) if columns else np.zeros((rows, 0))

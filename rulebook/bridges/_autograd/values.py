"""Single values of autograd: numbers, arrays and boxes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np

from rulebook import trees
from rulebook.bridges._autograd.trace import BOXES, new_box, value_of
from rulebook.engines import NUMPY, kind_of
from rulebook.errors import RuleSignatureError

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = [
    "NUMBERS",
    "as_value",
    "cast",
    "check_integers",
    "conj",
    "dtype_of",
    "fit",
    "has_tangent",
    "is_unused",
    "normalise",
    "tangent",
    "zeros_like",
]

# Types that are values as they are: with a shape and a dtype, and below no trace.
NUMBERS = frozenset((np.ndarray, *(kind for kind in np.sctypeDict.values())))

_SCALARS: dict[type, Any] = {float: np.float64, complex: np.complex128}


def as_value(value: Any) -> Any:
    """A number as one with shape and dtype; an array as it is."""
    kind = type(value)
    if kind in NUMBERS:
        return value
    if kind in BOXES:  # before autograd 1.9 a box of a Python number has no shape
        below = as_value(value._value)
        return value if below is value._value else new_box(below, value._trace, value._node)
    make = _SCALARS.get(kind)
    return make(value) if make is not None else np.asarray(value)


def normalise(tree: Any) -> Any:
    """A result with plain containers, and numbers that have shape and dtype."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([as_value(leaf) if kind_of(type(leaf)) == NUMPY else leaf for leaf in leaves]))


def dtype_of(value: Any) -> np.dtype[Any]:
    """The dtype of a number, an array or a box of one."""
    below = value_of(value)
    return below.dtype if type(below) in NUMBERS else np.asarray(below).dtype


def has_tangent(value: Any) -> bool:
    """Whether a value is real or complex floating."""
    return dtype_of(value).kind in "fc"


def zeros_like(value: Any) -> Any:
    """Zeros of the shape and dtype of a value."""
    return np.zeros(np.shape(value_of(value)), dtype_of(value))


def conj(value: Any) -> Any:
    """The complex conjugate; real values pass."""
    if dtype_of(value).kind != "c":
        return value
    return anp.conj(value)


def cast(value: Any, like: Any) -> Any:
    """A value in the dtype of another; the real part where `like` is real and the value complex."""
    dtype = dtype_of(like)
    if dtype.kind != "c" and dtype_of(value).kind == "c":
        value = anp.real(value)
    if dtype_of(value) == dtype:
        return value
    return value.astype(dtype) if type(value) in BOXES else np.asarray(value).astype(dtype)


def fit(form: NormalForm, what: str, t: Any, like: Any) -> Any:
    """A tangent or cotangent that autograd hands over, in the shape and dtype of what it belongs to.

    autograd makes float64 of float32 here and there, and hands a caller's vector on unchecked.
    """
    t = as_value(t)
    if type(t) in NUMBERS and type(like) in NUMBERS and t.shape == like.shape and t.dtype == like.dtype:
        return t
    shape = np.shape(value_of(like))
    if np.shape(value_of(t)) != shape:
        raise RuleSignatureError(
            f"{form.name} (engine autograd), {what}.",
            f"shape {shape}, {dtype_of(like)}",
            f"shape {np.shape(value_of(t))}, {dtype_of(t)}",
            "give autograd a vector of the shape of the function's result or argument",
        )
    return t if dtype_of(t) == dtype_of(like) else cast(t, like)


def is_unused(c: Any, n: int) -> bool:
    """Whether a cotangent, one of n, is zero: autograd makes arrays of zeros for the parts of a container that nobody used.

    A rule may save its work; zeros below a trace have a derivative and are none.
    """
    return n > 1 and type(c) in NUMBERS and not np.any(c)


def tangent(form: NormalForm, i: int, x_dot: Any, x: Any) -> Any:
    """The tangent of an argument as rules take it; None for one without tangent space.

    Raises:
        RuleSignatureError: its shape differs from the primal's, or it perturbs an integer.
    """
    if has_tangent(x):
        return fit(form, f"tangent of {form.paths[i]}", x_dot, x)
    if dtype_of(x_dot).kind in "fc" and np.any(value_of(x_dot)):
        raise _integer_error(form, i, x)
    return None


def check_integers(form: NormalForm, leaves: list[Any], at: list[int], nodes: list[Any]) -> None:
    """Refuse the gradient with respect to an array of integers, which autograd lets pass and which would be zero.

    Integers computed from what is differentiated have a right derivative of zero.
    """
    for i, node in zip(at, nodes, strict=True):
        if not has_tangent(leaves[i]) and not node.parents:
            raise _integer_error(form, i, leaves[i])


def _integer_error(form: NormalForm, i: int, x: Any) -> RuleSignatureError:
    path = form.paths[i]
    return RuleSignatureError(
        f"{form.name} (engine autograd), argument {path}.",
        "floating-point numbers to differentiate by",
        f"{dtype_of(x)}",
        f"pass {path} as floats",
    )

"""The host transpose of a linear host function as a primitive of its own, so that it is differentiable to every order.

With T the transpose of f in some arguments, T is linear in y_bar and does not depend on the values of those arguments;
so T is its own pushforward in y_bar, and its transpose is f again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.forms import LinearForward, LinearReverse
from rulebook.namespace import stop_gradient
from rulebook.primitive import Primitive
from rulebook.tangents import NotImplementedTangent, Thunk, is_zero

__all__ = ["host_transpose"]


def host_transpose(f: Primitive, fn: Callable[..., Any], wrt: tuple[int, ...]) -> LinearReverse:
    """The reverse rule of a function whose transpose is host code.

    Args:
        f: the function, linear in its arguments `wrt`, taken together.
        fn: `(y_bar, *primals, **static) -> cotangents of the linear arguments`, on NumPy arrays.
        wrt: their positions.
    """
    adjoint = Primitive(
        _all_arrays(fn, wrt),
        name=f"{f.name}, its transpose",
        host=True,
        result=lambda y_bar, *args, **_: tuple(args[i] for i in wrt),
        listed=False,
    )

    def again(t_bar: Any, y_bar: Any, *args: Any, **statics: Any) -> Any:
        moved = dict(zip(wrt, t_bar, strict=True))
        return f(*[moved.get(i, a) for i, a in enumerate(args)], **statics)

    adjoint.set_rule(LinearForward(fn, (0,)), LinearReverse(again, (0,)), replace=False)

    @functools.wraps(fn)
    def rule(y_bar: Any, *args: Any, **statics: Any) -> Any:
        # Only the shapes of the linear arguments matter.
        return adjoint(y_bar, *[stop_gradient(a) if i in wrt else a for i, a in enumerate(args)], **statics)

    return LinearReverse(rule, wrt, wraps_host=True)


def _all_arrays(fn: Callable[..., Any], wrt: tuple[int, ...]) -> Callable[..., Any]:
    """fn with its zeros and thunks as arrays of the dtypes of the arguments: what an engine can compile."""

    @functools.wraps(fn)
    def whole(y_bar: Any, *args: Any, **statics: Any) -> tuple[Any, ...]:
        found = fn(y_bar, *args, **statics)
        if len(wrt) == 1 and not isinstance(found, tuple):
            found = (found,)
        if not isinstance(found, tuple) or len(found) != len(wrt):
            return found  # type: ignore[no-any-return]  # another structure than declared, which is an error
        return tuple(_filled(args[i], x_bar) for i, x_bar in zip(wrt, found, strict=True))

    return whole


def _filled(x: Any, x_bar: Any) -> Any:
    leaves, structure = trees.flatten(x)
    if isinstance(x_bar, Thunk):
        x_bar = x_bar.fn()
    if is_zero(x_bar):
        return structure.unflatten(iter([np.zeros(np.shape(a), np.asarray(a).dtype) for a in leaves]))
    bars, other = trees.flatten(x_bar)
    if other != structure or isinstance(x_bar, NotImplementedTangent):
        return x_bar
    return structure.unflatten(iter([_cast(a, b) for a, b in zip(leaves, bars, strict=True)]))


def _cast(x: Any, x_bar: Any) -> Any:
    x, x_bar = np.asarray(x), np.asarray(x_bar)
    if np.iscomplexobj(x_bar) and not np.iscomplexobj(x):
        x_bar = x_bar.real
    return x_bar.astype(x.dtype, copy=False)

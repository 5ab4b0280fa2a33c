"""What the modules for NumPy's functions share: where an engine has them, and which of NumPy's they stand for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

import rulebook as rb
import rulebook.dual  # fills the tables
from rulebook.dual.errors import unsupported
from rulebook.dual.registry import FUNCTIONS, UFUNCS
from rulebook.engine import TracedValueError
from rulebook.engines import engine_of
from rulebook.errors import ResultSpecError
from rulebook.native import stand_for
from rulebook.rules._along import alike, array

__all__ = ["constants", "is_complex", "own", "plain", "stands"]

F = TypeVar("F", bound=Callable[..., Any])


def own(path: str, *engines: str) -> dict[str, Any]:
    """The engines that have a function of NumPy's themselves, under the path that NumPy has it.

    Dual numbers are among them where their own table has the function.
    """
    function = functools.reduce(getattr, path.split("."), np)
    dual = ("dual",) if function in FUNCTIONS or function in UFUNCS else ()
    return dict.fromkeys((*engines, *dual), path)


def stands(*functions: Any) -> Callable[[F], F]:
    """Let a function of this package stand for functions of NumPy where they meet a dual."""

    def register(fn: F) -> F:
        for function in functions:
            stand_for(fn if isinstance(function, np.ufunc) else _adapted(fn, function), function)
        return fn

    return register


def _adapted(fn: Callable[..., Any], function: Any) -> Callable[..., Any]:
    """A function of this package with the signature of NumPy's: options by name, and only those that it has."""
    theirs = inspect.signature(function)
    kinds = inspect.Parameter
    ours = inspect.signature(fn).parameters.values()
    primals = [p.name for p in ours if p.kind == kinds.POSITIONAL_OR_KEYWORD]
    statics = {p.name for p in ours if p.kind == kinds.KEYWORD_ONLY}
    names = list(theirs.parameters)[: len(primals)]  # the same by position
    rest = next((p.name for p in theirs.parameters.values() if p.kind == kinds.VAR_POSITIONAL), None)

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = theirs.bind(*args, **kwargs).arguments
        values = given.pop(rest, ()) if rest else ()
        leading = [given.pop(name) for name in names if name in given]
        options = {name: value for name, value in given.items() if name in statics}
        for name, value in given.items():
            if name not in statics and value is not theirs.parameters[name].default:
                full = f"{function.__module__}.{function.__name__}"
                raise unsupported(full, f"{name}={value!r}", f"leave {name}= away")
        return fn(*leading, *values, **options)

    return call


def is_complex(*values: Any) -> bool:
    """Whether one of some arrays is complex; the names of dtypes are all that the engines have in common."""
    return any("complex" in str(x.dtype) for x in values)


def plain(x: Any) -> Any:
    """A value, or those in a list, as NumPy's without derivative: what indices, conditions and orders are made of.

    Raises:
        ResultSpecError: the value is traced, and has no numbers.
    """
    if isinstance(x, (list, tuple)):
        return type(x)(plain(v) for v in x)
    engine = engine_of((x,), "indices and orders")
    if engine is None:
        return x
    try:
        return engine.to_numpy(engine.stop_gradient(x))
    except TracedValueError as error:
        raise ResultSpecError(
            f"rulebook.rules.numpy (engine {engine.name}).",
            "numbers that decide on the shape or the order of the result",
            f"a traced value of shape {tuple(x.shape)}",
            "compute this outside of the transformation, or pass it as a NumPy array",
        ) from error


def constants(*values: Any) -> tuple[Any, ...]:
    """Values without derivative: NumPy's where all have numbers, else traced ones of one engine."""
    try:
        return tuple(np.asarray(plain(x)) for x in values)
    except ResultSpecError:
        return tuple(rb.stop_gradient(x) for x in alike([array(x) for x in values]))

"""`float()`, `type()` and the functions of `math` on dual numbers, where the mode is on."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.dual import live
from rulebook.dual.array import DualArray
from rulebook.dual.parts import is_dual, peel, top
from rulebook.dual.scalar import Dual

__all__ = ["Float", "functions_of_math", "looks_up_types", "type_of"]


class _FloatType(type):
    """Float is float in everything but a call: as a dtype, in comparisons, for isinstance."""

    def __call__(cls, *args: Any) -> Any:
        if args and live.is_on() and is_dual(args[0]) and args[0].size == 1 and args[0].dtype.kind == "f":
            return args[0].item()
        return float(*args)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, float) or (type(instance) is Dual and bool(live.is_on()) and issubclass(instance.dtype.type, float))

    def __subclasscheck__(cls, subclass: Any) -> bool:
        return issubclass(subclass, float)

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is float

    def __hash__(cls) -> int:
        return hash(float)

    def __repr__(cls) -> str:
        return repr(float)


class Float(float, metaclass=_FloatType):
    """`float`, whose call gives a dual number back as it is."""

    dtype = np.dtype(float)


def type_of(x: Any, *rest: Any) -> Any:
    """`type`, for which a dual is what it stands for."""
    if rest or not live.is_on() or not is_dual(x):
        return type(x, *rest)
    return np.ndarray if type(x) is DualArray else x.dtype.type


def looks_up_types(namespace: dict[str, Any]) -> bool:
    """Whether a module finds the array namespace of a value by its type: SciPy's and scikit-learn's copies of array-api-compat."""
    return str(namespace.get("__name__")).endswith("array_api_compat.common._helpers")


def _smooth(original: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of math; on duals a function of NumPy, where math's takes the primals."""

    @functools.wraps(original)
    def call(*args: Any) -> Any:
        if not live.is_on() or not top(*args):
            return original(*args)
        original(*map(_primal, args))  # raises for what is outside its domain
        return fn(*args)

    return call


def _primal(x: Any) -> Any:
    if isinstance(x, (list, tuple)) and not is_dual(x):
        return [_primal(v) for v in x]
    return float(peel(x)) if is_dual(x) else x


def _flag(original: Any) -> Callable[..., Any]:
    """A function of math whose result depends on the primals alone: a flag, or a step, whose derivative is zero."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return original(*map(_primal, args), **kwargs) if live.is_on() else original(*args, **kwargs)

    return call


def _hypot(*xs: Any) -> Any:
    return functools.reduce(np.hypot, xs) if len(xs) > 1 else np.abs(xs[0])


def _log(x: Any, base: Any = None) -> Any:
    return np.log(x) if base is None else np.log(x) / np.log(base)


def _special() -> Any:
    return importlib.import_module("scipy.special")


_SAME = "sin cos tan sinh cosh tanh exp exp2 expm1 log2 log10 log1p sqrt cbrt fabs copysign fmod degrees radians"
_NAMED = {
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "atan2": np.arctan2,
    "pow": np.power,
    "log": _log,
    "hypot": _hypot,
    "fsum": lambda xs: np.sum(np.stack(list(xs))),
    "prod": lambda xs: np.prod(np.stack(list(xs))),
    "gamma": lambda x: _special().gamma(x),
    "lgamma": lambda x: _special().gammaln(x),
    "erf": lambda x: _special().erf(x),
    "erfc": lambda x: _special().erfc(x),
    "dist": lambda p, q: _hypot(*(a - b for a, b in zip(p, q, strict=True))),
}


def functions_of_math() -> dict[Any, Callable[..., Any]]:
    """Each function of `math` that has a derivative or is a flag, and what stands in its place."""
    smooth = {**{name: getattr(np, name) for name in _SAME.split()}, **_NAMED}
    found = {getattr(math, name): _smooth(getattr(math, name), fn) for name, fn in smooth.items()}
    return {**found, **{f: _flag(f) for f in (math.isnan, math.isinf, math.isfinite, math.floor, math.ceil, math.trunc, math.isclose)}}

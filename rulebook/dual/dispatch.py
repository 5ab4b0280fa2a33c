"""From a call of NumPy on dual values to the rule in the tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual import registry
from rulebook.dual.errors import DroppedTangentError, missing, unsupported
from rulebook.dual.outputs import give, split_out

__all__ = ["run_function", "run_ufunc"]


def _name(ufunc: Any) -> str:
    module = getattr(ufunc, "__module__", None) or "numpy"
    return f"{module}.{ufunc.__name__}"


def run_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`ufunc(*inputs, **kwargs)` or one of its methods."""
    if method != "__call__":
        return _run_method(ufunc, method, inputs, kwargs)
    found = registry.UFUNCS.get(ufunc) or _find_ufunc(ufunc)
    return found(*inputs) if not kwargs else _with_options(ufunc, found, inputs, kwargs)


def _find_ufunc(ufunc: Any) -> Any:
    found = registry.find(registry.UFUNCS, ufunc)
    if found is not None:
        return found
    if all(set(loop) <= set("O->") for loop in ufunc.types):
        return lambda *inputs: registry.METHODS[None, "objects"](ufunc, *inputs)  # of np.frompyfunc
    if not any(set(loop) & set("dD") for loop in ufunc.types):
        raise _not_for_floats(ufunc)
    raise missing(_name(ufunc))


def _not_for_floats(ufunc: Any) -> DroppedTangentError:
    return DroppedTangentError(
        f"{_name(ufunc)} (engine dual).",
        "integers, flags or text",
        "floating-point numbers with a tangent",
        "use rb.stop_gradient(x).astype(int), whose derivative is zero",
    )


def _run_method(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    out = kwargs.pop("out", None)
    if out is not None and out != (None,):
        return give(_name(ufunc), getattr(ufunc, method)(*inputs, **kwargs), out)
    found = registry.METHODS.get((ufunc, method))
    if found is not None:
        return found(*inputs, **kwargs)
    found = registry.METHODS.get((None, method))
    if found is None or ((ufunc.nin, ufunc.nout) != (2, 1) and method != "at"):
        raise missing(_name(ufunc), method)
    return found(ufunc, *inputs, **kwargs)


def _with_options(ufunc: Any, found: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The options that every ufunc has."""
    if ufunc in registry.STEPS and not any(hasattr(o, "tag") for o in kwargs.get("out") or ()):
        return found(*inputs, **kwargs)
    name = _name(ufunc)
    out = kwargs.pop("out", None)
    if out is not None and kwargs.get("where", True) is True:
        return give(name, ufunc(*inputs, **kwargs), out)
    where = kwargs.pop("where", True)
    dtype = kwargs.pop("dtype", None)
    casting = kwargs.pop("casting", "same_kind")
    for option in ("order", "subok"):
        kwargs.pop(option, None)
    for option in ("signature", "sig"):
        if kwargs.get(option) is not None:
            raise unsupported(name, f"{option}=", "use dtype=")
    if dtype is not None and ufunc not in registry.STEPS:
        inputs = tuple(_cast(name, x, np.dtype(dtype), casting) for x in inputs)
    if where is True:
        return found(*inputs, **kwargs)
    with np.errstate(all="ignore"):  # of elements that are not asked for
        y = found(*inputs, **kwargs)
    return _where(name, where, y, out)


def _cast(name: str, x: Any, dtype: Any, casting: str) -> Any:
    if hasattr(x, "dtype") and dtype.kind in "fc" and not np.can_cast(x.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"Cannot cast ufunc {name!r} input from {x.dtype!r} to {dtype!r} with casting rule {casting!r}")
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


def _where(name: str, where: Any, y: Any, out: Any) -> Any:
    """y where that is asked for; elsewhere what out holds, or zero, as NumPy leaves it open."""
    ys, olds = (y, out or (None,) * len(y)) if type(y) is tuple else ((y,), out or (None,))
    made = tuple(np.where(where, v, np.zeros((), v.dtype)[()] if old is None else old) for v, old in zip(ys, olds, strict=True))
    made = made if out is None else tuple(v if old is None else give(name, v, old) for v, old in zip(made, olds, strict=True))
    return made if type(y) is tuple else made[0]


def run_function(like: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of NumPy's that dispatches; `like` is the dual that was found first."""
    if kwargs or len(args) > 1:
        out, args = split_out(func, args, kwargs)
        if out is not None:
            return give(f"{func.__module__}.{func.__name__}", func(*args, **kwargs), out)
    found = registry.FUNCTIONS.get(func)
    if found is None:
        creator = registry.CREATORS.get(func)
        if creator is not None:
            return creator(like, *args, **kwargs)
        found = registry.find(registry.FUNCTIONS, func)
        if found is None:
            raise missing(f"{func.__module__}.{func.__name__}")
    return found(*args, **kwargs)

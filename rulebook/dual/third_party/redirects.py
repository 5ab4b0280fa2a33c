"""Functions of SciPy that are compiled code or solvers, where the mode is on: the rule library's are called instead, or they refuse."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rulebook import native
from rulebook.dual import live
from rulebook.dual.errors import DroppedTangentError, describe
from rulebook.dual.parts import is_dual
from rulebook.dual.third_party.coercions import gathered

__all__ = ["PACKAGES", "redirects"]

_WITH_RULES = ("scipy.fft", "scipy.linalg", "scipy.signal", "scipy.sparse", "scipy.special")
_WITH_SOLVERS = "scipy.optimize"
PACKAGES = (*_WITH_RULES, _WITH_SOLVERS)

# The functions of scipy.optimize that are formulas, or whose iteration has the derivative of its limit.  The others, solvers, choose
# their next point by comparing values: the derivative of what they do is not that of the solution.
_FORMULAS = frozenset(("approx_fprime", "check_grad", "fixed_point", "newton", "rosen", "rosen_der", "rosen_hess", "rosen_hess_prod"))


def _holds_dual(values: Any) -> bool:
    return any(is_dual(gathered(v)) for v in values)


def redirects() -> dict[Any, Callable[..., Any]]:
    """Each function of the parts of SciPy that are loaded, and what stands in its place."""
    found = {fn: _redirect(fn, primitive) for package in _WITH_RULES for fn, primitive in _counterparts(package)}
    return {**found, **{fn: _refusing(fn) for fn in _public(_WITH_SOLVERS) if fn.__name__ not in _FORMULAS}}


def _public(package: str) -> Iterator[Any]:
    """The functions of a package, if it is loaded."""
    module = sys.modules.get(package)
    for name in getattr(module, "__all__", ()):
        fn = getattr(module, name, None)
        if inspect.isfunction(fn):
            yield fn


def _counterparts(package: str) -> Iterator[tuple[Any, Any]]:
    """The functions of a package for which the rule library has one."""
    for fn in _public(package):
        primitive = native.standing_for(fn) or _by_name(fn)
        if primitive is not None:
            yield fn, primitive


def _by_name(fn: Any) -> Any:
    path = native.counterpart(fn.__module__, fn.__name__)
    if path is None:
        return None
    home, _, name = path.rpartition(".")
    return getattr(importlib.import_module(home), name)


def _redirect(original: Any, primitive: Any) -> Callable[..., Any]:
    theirs, ours = inspect.signature(original), inspect.signature(primitive)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not live.is_on() or not _holds_dual((*args, *kwargs.values())):
            return original(*args, **kwargs)
        fitting = _fitted(theirs, ours, args, kwargs)
        return original(*args, **kwargs) if fitting is None else primitive(*fitting[0], **fitting[1])

    return call


def _fitted(theirs: inspect.Signature, ours: inspect.Signature, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]] | None:
    """The arguments as the primitive takes them; None where it has not the option, or a dual is given for one."""
    given = theirs.bind(*args, **kwargs).arguments
    if any(p.kind is p.VAR_POSITIONAL for s in (theirs, ours) for p in s.parameters.values()):
        return None if kwargs else ([_array(a) for a in args], {})
    named: dict[str, Any] = {}
    for name, value in given.items():
        parameter = ours.parameters.get(name)
        if parameter is None and value is not theirs.parameters[name].default:
            return None
        if parameter is not None:
            static = parameter.kind is parameter.KEYWORD_ONLY
            if static and is_dual(gathered(value)):
                return None
            named[name] = value if static else _array(value)
    return [], named


def _array(value: Any) -> Any:
    """A list, which SciPy takes for an array, as one."""
    value = gathered(value)
    return np.asarray(value) if isinstance(value, list) else value


def _refusing(original: Any) -> Callable[..., Any]:
    """A solver, which refuses a function that gives duals: it would compare their values, and drop the tangents."""
    name = f"scipy.optimize.{original.__name__}"

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not live.is_on():
            return original(*args, **kwargs)
        with live.suspended():
            return original(*(_watched(a, name) for a in args), **{key: _watched(a, name) for key, a in kwargs.items()})

    return call


def _watched(fn: Any, name: str) -> Any:
    """A function that a solver calls; other arguments as they are."""
    if not inspect.isroutine(fn):
        return fn

    @functools.wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        y = fn(*args, **kwargs)
        if _holds_dual([y]):
            raise DroppedTangentError(
                f"{name} (engine dual), what its function gives.",
                "a number or array without a tangent",
                f"{describe(y)}, whose tangent would be lost",
                "use rb.implicit.root, rb.implicit.fixed_point or rb.implicit.minimizer around the solver",
            )
        return y

    return call

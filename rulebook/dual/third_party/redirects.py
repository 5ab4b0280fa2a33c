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
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.parts import is_dual, top
from rulebook.dual.scalar import Dual
from rulebook.dual.third_party.coercions import gathered
from rulebook.dual.third_party.watching import holds_dual, watched

__all__ = ["PACKAGES", "redirects"]

_WITH_RULES = ("scipy.fft", "scipy.linalg", "scipy.signal", "scipy.sparse", "scipy.special")
PACKAGES = (*_WITH_RULES, "scipy.optimize", "scipy.integrate")

# The functions of scipy.optimize that are formulas, or whose iteration has the derivative of its limit.  The others, solvers, choose
# their next point by comparing values: the derivative of what they do is not that of the solution.
_FORMULAS = frozenset(("approx_fprime", "check_grad", "fixed_point", "newton", "rosen", "rosen_der", "rosen_hess", "rosen_hess_prod"))


_BY_VALUES = frozenset(("zpk2tf",))  # SciPy's results are real or complex as the values have it; the rule library's as the dtypes have it
_QUADRATURES = frozenset(("dblquad", "nquad", "quad", "tplquad"))
_SAME_RESULT = frozenset(("scipy.integrate.quad", "scipy.optimize.brentq"))
_DO = "use rulebook.rules.optimize or rulebook.rules.integrate, or rb.implicit around the solver"


def redirects() -> dict[Any, Callable[..., Any]]:
    """Each function of the parts of SciPy that are loaded, and what stands in its place."""
    found = {fn: _redirect(fn, primitive) for package in _WITH_RULES for fn, primitive in _counterparts(package)}
    solvers = [fn for fn in _public("scipy.optimize") if fn.__name__ not in _FORMULAS]
    return {**found, **{fn: _solver(fn) for fn in (*solvers, *(fn for fn in _public("scipy.integrate") if fn.__name__ in _QUADRATURES))}}


def _public(package: str) -> Iterator[Any]:
    """The functions of a package, if it is loaded."""
    module = sys.modules.get(package)
    for name in getattr(module, "__all__", ()):
        fn = getattr(module, name, None)
        if hasattr(fn, "__module__") and callable(fn) and not isinstance(fn, (type, np.ufunc)):  # those of scipy.fft are objects
            yield fn


def _counterparts(package: str) -> Iterator[tuple[Any, Any]]:
    """The functions of a package for which the rule library has one."""
    for fn in _public(package):
        if fn.__name__ in _BY_VALUES:
            continue
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
        if not live.is_on() or not holds_dual((*args, *kwargs.values())):
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
            if static and top(value):
                return None
            named[name] = value if static or name == "args" else _array(value)
    return [], named


def _array(value: Any) -> Any:
    """A list, or a tuple of numbers, which SciPy takes for an array, as one."""
    numbers = isinstance(value, tuple) and value and all(isinstance(v, (Dual, int, float, complex)) for v in value)
    if isinstance(value, list) or numbers:
        value = gathered(value)
    return value if is_dual(value) or not (isinstance(value, list) or numbers) else np.asarray(value)


def _solver(original: Any) -> Callable[..., Any]:
    """A solver, which would compare the values of duals and drop the tangents: the rule library's, or an error."""
    name = f"{original.__module__.partition('._')[0]}.{original.__name__}"

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not live.is_on():
            return original(*args, **kwargs)
        try:
            with live.suspended():
                return original(*(watched(a, name, _DO) for a in args), **{key: watched(a, name, _DO) for key, a in kwargs.items()})
        except DroppedTangentError:
            instead = _of_library(name)
            fitting = None if instead is None else _fitted(inspect.signature(original), inspect.signature(instead), args, kwargs)
            if instead is None or fitting is None:
                raise
        return instead(*fitting[0], **fitting[1])

    return call


def _of_library(name: str) -> Any:
    """The function of the rule library that gives what this solver gives, by the implicit function theorem or Leibniz's rule."""
    if name not in _SAME_RESULT:
        return None
    home, _, short = name.rpartition(".")
    return getattr(importlib.import_module(home.replace("scipy", "rulebook.rules")), short)

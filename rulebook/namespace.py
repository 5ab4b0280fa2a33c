"""The array namespace of some values, and what rule bodies need that is the same on every engine."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from rulebook import trees
from rulebook.engine import Engine, NumpyArrays, project_array
from rulebook.engines import CONTAINER, OPAQUE, engine_of, kind_of, load_engine
from rulebook.errors import RuleOutputError

__all__ = ["Namespace", "arrays_of", "engine_for", "project", "run_inside", "stop_gradient", "xp"]


T = TypeVar("T")


class Namespace:
    """An array module with `.linalg`, `.special` and `.fft` under one signature on every engine.

    A name is looked up in `own`, then in the module.  A name that the engine does not have raises
    NotImplementedError when it is asked for.

    Args:
        name: of the engine, for messages.
        module: the engine's array module, or None.
        own: names that differ from the module's, or that it lacks; a function without arguments
            that makes the value may stand under a name in `lazy`.
        lazy: name -> function that gives the value when it is first asked for.
    """

    def __init__(self, name: str, module: Any, own: dict[str, Any], lazy: dict[str, Callable[[], Any]] | None = None) -> None:
        self.__name__ = name
        self._module = module
        self._lazy = lazy or {}
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._lazy:
            value = self._lazy[name]()
        else:
            value = getattr(self._module, name, None)
            if value is None:
                raise NotImplementedError(f"xp.{name} has no counterpart in {self.__name__}.")
        self.__dict__[name] = value
        return value


def _scipy_special() -> Any:
    return importlib.import_module("scipy.special")


def _scipy_linalg() -> Any:
    return importlib.import_module("scipy.linalg")


def _from_scipy(name: str) -> Callable[[], Any]:
    return lambda: getattr(_scipy_linalg(), name)


def _unchecked(name: str) -> Callable[[], Any]:
    """The same, for which NaN is a number like others, as on every engine."""
    return lambda: functools.partial(getattr(_scipy_linalg(), name), check_finite=False)


_NUMPY = Namespace(
    "numpy",
    np,
    {
        "linalg": Namespace(
            "numpy.linalg",
            np.linalg,
            {},
            {"expm": _from_scipy("expm"), **{n: _unchecked(n) for n in ("solve_triangular", "lu_factor", "lu_solve", "cho_solve")}},
        )
    },
    {"special": _scipy_special},
)


def xp(*values: Any) -> Any:
    """The array namespace of the values: NumPy's names, on the engine that the values belong to.

    Args:
        values: arrays, numbers or containers of them, of one engine; NumPy values mix with any.

    Returns:
        A module-like object with `.linalg`, `.special` and `.fft`.

    Raises:
        MixedEnginesError: values of two engines.

    Example:
        >>> xp(np.ones(2)).sum(np.ones(2))
        np.float64(2.0)
    """
    types_ = tuple(map(type, values))
    found = _known.get(types_) or _find(values, types_)
    if found is _NUMPY and _running.engine is not None:
        return _running.engine.namespace()
    return found


class _Running(threading.local):
    engine: Engine | None = None


_running = _Running()


def run_inside(engine: Engine | None, fn: Callable[..., Any], *args: Any) -> Any:
    """Run rule code in which `xp` of NumPy values alone gives the engine's namespace; NumPy's for None, as host code wants it.

    For an engine whose concrete values are NumPy's: a rule that asks for the namespace of its primals may
    use it on tangents that are traced.
    """
    before, _running.engine = _running.engine, engine
    try:
        return fn(*args)
    finally:
        _running.engine = before


def arrays_of(engine: Engine, *values: Any) -> Any:
    """The functions for values of an engine: NumPy's own where all of them are plain arrays."""
    return _NUMPY if all(type(v) is np.ndarray for v in values) else engine.namespace()


def engine_for(values: Any, where: str) -> Engine:
    """The engine of a tree of values; for NumPy's alone the engine whose rule is running, by `run_inside`, else dual numbers.

    Raises:
        MixedEnginesError: values of two engines.
    """
    found = engine_of(trees.leaves_of(values), where) or _running.engine
    return load_engine("dual") if found is None or found.runs_host_code else found


_known: dict[tuple[type, ...], Any] = {}  # types of leaves -> their namespace: 0.2 us a call instead of 6
_MAX_KNOWN = 512


def _find(values: tuple[Any, ...], types_: tuple[type, ...]) -> Any:
    engine = engine_of(trees.flatten(values)[0], "rb.xp")
    found = _NUMPY if engine is None else engine.namespace()
    if all(kind_of(t) not in (CONTAINER, OPAQUE) for t in types_):
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[types_] = found
    return found


def project(primal: Any, x_bar: Any) -> Any:
    """A cotangent in the space of its primal: broadcast axes summed, the primal's dtype, real for a real primal.

    Args:
        primal: an array or number, or a container of them.
        x_bar: its cotangent, of a shape that the primal broadcasts to.

    Returns:
        An array of the primal's shape and dtype; a container for a container.

    Raises:
        RuleOutputError: the shapes do not fit.

    Example:
        >>> project(np.ones((2, 1)), np.ones((3, 2, 4)))
        array([[12.],
               [12.]])
    """
    leaves, structure = trees.flatten(primal)
    bars = trees.flatten_like(structure, x_bar, _structure_error, "x_bar")
    return structure.unflatten(iter([None if b is None else _project(x, b) for x, b in zip(leaves, bars, strict=True)]))


def _structure_error(path: str, expected: str, got: str) -> RuleOutputError:
    return RuleOutputError(f"rb.project, {path}.", expected, got, "pass a cotangent of the primal's structure")


def _project(x: Any, x_bar: Any) -> Any:
    engine = engine_of((x, x_bar), "rb.project")
    return project_array(NumpyArrays(), x, x_bar) if engine is None else engine.project(x, x_bar)


def stop_gradient(x: T) -> T:
    """The value, cut from what it was computed from: all derivatives through it are zero.

    Args:
        x: an array or number of any engine, or a container of them.

    Returns:
        The same values.

    Example:
        >>> stop_gradient(2.0)
        2.0
    """
    leaves, structure = trees.flatten(x)
    return cast(T, structure.unflatten(iter([_cut(leaf) for leaf in leaves])))


def _cut(leaf: Any) -> Any:
    engine = engine_of((leaf,), "rb.stop_gradient")
    return leaf if engine is None else engine.stop_gradient(leaf)

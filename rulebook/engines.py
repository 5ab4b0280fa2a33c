"""Which engine a value belongs to.

Engines are found by the files of `rulebook.bridges`, and by the entry points of that name in other distributions, which are
read when a value or a name is none of ours; the bridge of an engine is loaded when a value of that engine is met, or when it is
asked for by name.  No engine is imported before that: a value of an engine proves that its package is loaded already.
"""

from __future__ import annotations

import difflib
import enum
import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np

from rulebook import plugins, trees
from rulebook.engine import PROTOCOL, Engine
from rulebook.errors import EngineMissingError, MixedEnginesError
from rulebook.plugins import Plugin, PluginError

__all__ = [
    "CONTAINER",
    "NUMPY",
    "OPAQUE",
    "any_is_recording",
    "constant",
    "engine_names",
    "engine_of",
    "is_installed",
    "kind_of",
    "load_engine",
    "loaded_engines",
]

NUMPY = "numpy"  # concrete numbers, which mix with any engine
CONTAINER = "container"
OPAQUE = "opaque"  # no number: a string, a function, an object

_kinds: dict[type, str] = dict.fromkeys((np.ndarray, float, int, complex, bool, np.float64, np.float32, np.int64, np.bool_), NUMPY)


_RESERVED = (NUMPY, CONTAINER, OPAQUE, "differences")  # what other things than engines are called


@cache
def _ours() -> tuple[str, ...]:
    folder = os.path.join(os.path.dirname(__file__), "bridges")
    return tuple(m.name for m in pkgutil.iter_modules([folder]) if not m.name.startswith("_"))


@cache
def _others() -> dict[str, Plugin]:
    """The engines of other distributions; a name that is taken or is none is refused."""
    known: dict[str, Plugin] = {}
    for plugin in plugins.found(plugins.BRIDGES):
        taken = "rulebook" if plugin.name in (*_ours(), *_RESERVED) else known[plugin.name].distribution if plugin.name in known else ""
        if taken or not plugin.name.isidentifier():
            got = f"a name that {taken} has already" if taken else f"the name {plugin.name!r}"
            plugins.report(plugin.error("a Python name of its own", got, f"uninstall {plugin.distribution}, or have it renamed there"))
        else:
            known[plugin.name] = plugin
    return known


def engine_names() -> tuple[str, ...]:
    """The engines that this installation has a bridge for."""
    return (*_ours(), *_others())


def is_installed(name: str) -> bool:
    """Whether the package of an engine that there is a bridge for is installed, without importing it."""
    return name in _others() or find_spec(name) is not None or find_spec(f"rulebook.{name}") is not None


_loaded: dict[str, Engine] = {}
_broken: dict[str, PluginError] = {}  # engines of other distributions that could not be loaded


def load_engine(name: str) -> Engine:
    """The engine of that name; imports its package.

    Raises:
        EngineMissingError: there is no such engine, or its package is not installed.
    """
    engine = _loaded.get(name)
    if engine is not None:
        return engine
    if name not in _ours() and name in _others():
        return _load_other(_others()[name])
    if name not in _ours():
        near = difflib.get_close_matches(str(name), engine_names(), n=1)
        do = f"write {near[0]!r}, if that is meant" if near else "use an engine that has a bridge"
        raise EngineMissingError(f"engine {name!r}.", f"one of {engine_names()}", repr(name), do)
    try:
        module = importlib.import_module(f"rulebook.bridges.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name or find_spec(f"rulebook.bridges.{name}") is None:
            raise
        raise EngineMissingError(
            f"engine {name!r}.", f"the package {name!r}", "it is not installed", f"pip install 'rulebook-ad[{name}]'"
        ) from error
    _loaded[name] = module.engine
    return module.engine  # type: ignore[no-any-return]


def _load_other(plugin: Plugin) -> Engine:
    """The engine of another distribution, if it is one."""
    if plugin.name not in _broken:
        try:
            _loaded[plugin.name] = found = _engine_in(plugin)
            return found
        except PluginError as error:
            _broken[plugin.name] = error
    raise EngineMissingError(str(_broken[plugin.name])) from _broken[plugin.name]


def _engine_in(plugin: Plugin) -> Engine:
    found = getattr(plugin.load(), "engine", None)
    if not isinstance(found, Engine):
        got = f"none of {plugin.module}" if found is None else f"a {type(found).__name__}"
        raise plugin.error("`engine`, an instance of a subclass of rulebook.engine.Engine", got, "have the entry point name the module")
    if getattr(found, "name", None) != plugin.name:
        got = f"the name {getattr(found, 'name', None)!r}"
        raise plugin.error("an engine with the name of its entry point", got, f"have {plugin.distribution} call both the same")
    if found.protocol != PROTOCOL:
        got = "none" if found.protocol is None else str(found.protocol)
        do = f"install a {plugin.distribution} and a rulebook-ad that fit (an engine says so by `protocol = {PROTOCOL}`)"
        raise plugin.error(f"an engine of protocol {PROTOCOL}", got, do)
    return found


def loaded_engines() -> list[Engine]:
    """The engines whose packages were met so far."""
    return list(_loaded.values())


def any_is_recording() -> bool:
    """Whether an engine records the Python code that runs now."""
    return any([engine.is_recording() for engine in _loaded.values()])


C = TypeVar("C", bound=Callable[..., Any])


def constant(fn: C) -> C:
    """Mark a function as one whose result is a constant to a tracer that records Python code: it runs and is not recorded."""
    fn._dynamo_marked_constant = True  # type: ignore[attr-defined]  # the name that torch.compile looks for; costs nothing elsewhere
    return fn


def _present(name: str) -> bool:
    return name in sys.modules or f"rulebook.{name}" in sys.modules


@constant
def kind_of(kind: type) -> str:
    """What values of a type are: an engine's name, NUMPY, CONTAINER or OPAQUE."""
    known = _kinds.get(kind)
    if known is None:
        known = _find_kind(kind)
        if known is not CONTAINER and known is not OPAQUE:
            _kinds[kind] = known  # the other two may change: a dataclass is registered, an engine is loaded
    return known


def _find_kind(kind: type) -> str:
    if issubclass(kind, (np.ndarray, np.number, np.bool_)):
        return NUMPY
    if issubclass(kind, (int, float, complex)):
        return OPAQUE if issubclass(kind, enum.Enum) else NUMPY
    if trees.is_container_type(kind):
        return CONTAINER
    for name in _ours():
        if _present(name) and load_engine(name).owns(kind):
            return name
    for name, plugin in _others().items():
        engine = _met(plugin, kind)
        if engine is not None and engine.owns(kind):
            return name
    return CONTAINER if trees.is_container_type(kind) else OPAQUE  # a bridge loaded just now may have registered it


def _met(plugin: Plugin, kind: type) -> Engine | None:
    """The engine of another distribution, if values of a type can be its: its package is loaded, or its distribution has the type."""
    package = plugin.module.partition(".")[0]
    if plugin.name not in sys.modules and all(base.__module__.partition(".")[0] != package for base in kind.__mro__):
        return None
    if plugin.name in _broken:
        return None
    try:
        return load_engine(plugin.name)
    except EngineMissingError:
        plugins.report(_broken[plugin.name])
        return None


def engine_of(leaves: Iterable[Any], where: str) -> Engine | None:
    """The one engine that values belong to; None where all are NumPy's.

    Raises:
        MixedEnginesError: values of two engines.
    """
    leaves = tuple(leaves)
    kinds = {kind_of(type(leaf)) for leaf in leaves}
    if CONTAINER in kinds:  # flattened before the engine that it belongs to was loaded
        return engine_of(trees.flatten(leaves)[0], where)
    found = kinds - {NUMPY, OPAQUE}
    if not found:
        return None
    if len(found) > 1:
        raise MixedEnginesError(
            f"{where}.",
            "values of one engine (NumPy values mix with any)",
            f"values of {' and '.join(sorted(found))}",
            "convert them to one engine before the call",
        )
    return load_engine(found.pop())

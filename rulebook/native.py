"""Engines that have a function themselves, natively and right: there a call goes to theirs, and no rule of ours runs.

And the other way round: which primitive stands for a function of NumPy or SciPy that meets values of an engine.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rulebook.engine import Engine
    from rulebook.normal import NormalForm

__all__ = ["bind", "counterpart", "stand_for", "standing_for"]

Native = str | Callable[..., Any]

_standing: dict[Any, Callable[..., Any]] = {}
_HOMES = {  # package -> the module of the rule library that has its functions
    "numpy": "rulebook.rules.numpy",
    "scipy.fft": "rulebook.rules.fft",
    "scipy.linalg": "rulebook.rules.linalg",
    "scipy.signal": "rulebook.rules.signal",
    "scipy.sparse": "rulebook.rules.sparse",
    "scipy.special": "rulebook.rules.special",
}


def bind(native: Native, form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of a form that calls the engine's own.

    Args:
        native: a path in the engine's `rb.xp` namespace, as "special.i0e", or a function.
        form: the primitive at one structure.
    """
    engine, statics = form.engine, form.statics
    fn = functools.reduce(getattr, native.split("."), engine.namespace()) if isinstance(native, str) else native
    if form.flat:
        return lambda *leaves: fn(*_values(engine, leaves), **statics)
    return lambda *leaves: fn(*form.args(_values(engine, leaves)), **statics)


def _values(engine: Engine, leaves: tuple[Any, ...]) -> list[Any]:
    """Leaves as values of the engine, on one device."""
    like = next((x for x in leaves if engine.owns(type(x))), None)
    return [x if engine.owns(type(x)) else engine.asarray(x, like) for x in leaves]


def stand_for(fn: Callable[..., Any], *functions: Any) -> None:
    """Let a function of the rule library, of the same arguments, stand for functions of NumPy or SciPy where they meet a dual."""
    for function in functions:
        _standing[function] = fn


def standing_for(function: Any) -> Callable[..., Any] | None:
    """What stands for a function of NumPy or SciPy; the module of the rule library that has it is loaded."""
    found = _standing.get(function)
    if found is None and _load(_package(function)):
        found = _standing.get(function)
    return found


def _package(function: Any) -> str:
    """The public package of a function: scipy.special for a ufunc of it, which does not tell."""
    module = getattr(function, "__module__", None) or ""
    if not module:
        name = getattr(function, "__name__", "?")
        special = [sys.modules.get("scipy.special"), sys.modules.get("scipy.special._ufuncs")]  # some of the latter are wrapped
        return "scipy.special" if any(getattr(m, name, None) is function for m in special) else "numpy"
    return ".".join(module.split(".")[: 2 if module.startswith("scipy.") else 1])


def _load(package: str) -> bool:
    """Whether a module of the rule library was loaded just now."""
    home = _HOMES.get(package)
    if home is None or home in sys.modules:
        return False
    importlib.import_module(home)
    return True


def counterpart(module: str, name: str) -> str | None:
    """The function of the rule library for one of NumPy or SciPy, as a user writes it; None where there is none.

    Args:
        module: where a function is defined, as "scipy.linalg._matfuncs".
        name: of the function.
    """
    home = next((home for package, home in _HOMES.items() if f"{module}.".startswith(f"{package}.")), None)
    if home is None:
        return None
    try:
        found = name in importlib.import_module(home).__all__
    except ImportError:
        return None
    return f"{home}.{name}" if found else None

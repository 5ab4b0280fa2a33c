"""What a TARGET names: an importable module, with the primitives defined in it, a rule pack, or `module:primitive`."""

from __future__ import annotations

import difflib
import functools
import gc
import importlib
import inspect
import pkgutil
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from rulebook import packs, plugins
from rulebook.errors import EngineMissingError, RulebookError
from rulebook.places import places_of, written_rules
from rulebook.plugins import Plugin
from rulebook.primitive import Primitive, registered

__all__ = ["Target", "TargetError", "TargetImportError", "Unimported", "find", "find_all", "find_function"]


class TargetError(RulebookError, LookupError):
    """A TARGET that names no module, no primitive, or a module without primitives."""


class TargetImportError(RulebookError, ImportError):
    """A TARGET whose own code fails while it is imported; the text ends with the traceback of that code."""


@dataclass(frozen=True)
class Unimported:
    """A submodule that needs a package which is not installed.

    Attributes:
        module: the submodule.
        why: the text of its import error.
    """

    module: str
    why: str


@dataclass
class Target:
    """What one TARGET stands for.

    Attributes:
        text: as the user wrote it.
        explicit: whether it names one primitive.
        primitives: name -> primitive, in the order of definition; names that occur twice are numbered.
        unimported: the submodules that could not be looked into.
    """

    text: str
    explicit: bool = False
    primitives: dict[str, Primitive] = field(default_factory=dict)
    unimported: list[Unimported] = field(default_factory=list)


def find_all(texts: Sequence[str]) -> list[Target]:
    """The targets, each primitive in the first that has it.

    Args:
        texts: modules and `module:primitive`s.

    Returns:
        One Target per text.

    Raises:
        TargetError: a text names nothing that can be checked.
        TargetImportError: importing it fails.
    """
    targets = [find(text) for text in texts]
    taken: dict[str, Primitive] = {}
    for target in targets:
        own: dict[str, Primitive] = {}
        for p in target.primitives.values():
            if not any(p is other for other in taken.values()):
                name = _free_name(p.name, taken)
                own[name] = taken[name] = p
        target.primitives = own
    return targets


def find(text: str) -> Target:
    """What one TARGET stands for (see `find_all`)."""
    name, colon, path = text.partition(":")
    pack = _pack_of(name)
    name = pack.module if pack else name
    if "/" in name or "\\" in name or name.endswith(".py"):
        meant = name.removesuffix(".py").replace("\\", "/").strip("/.").replace("/", ".")
        raise TargetError(f"target {text!r}.", "an importable module or module:primitive", "the path of a file", f"write {meant}")
    if not all(part.isidentifier() for part in name.split(".")) or (colon and not path):
        raise TargetError(f"target {text!r}.", "an importable module or module:primitive", repr(text), "write package.module:primitive")
    module = _import(name, text)
    packs.load()  # they may have rules for what the module defines
    if colon:
        found = _attribute(module, path, text)
        return Target(text, True, {found.name: found})
    return _whole(module, text, pack is not None)


def find_function(text: str) -> tuple[Callable[..., Any], types.ModuleType] | None:
    """The function that `module:function` names, and the module; None where that is a primitive, a class or nothing.

    Raises:
        TargetImportError: importing the module fails.
    """
    name, colon, path = text.partition(":")
    if not (colon and path and all(part.isidentifier() for part in name.split("."))):
        return None
    try:
        module = _import(name, text)
        found: Any = functools.reduce(getattr, path.split("."), module)
    except (TargetError, AttributeError):
        return None
    return (found, module) if callable(found) and not isinstance(found, Primitive | type) else None


def _pack_of(name: str) -> Plugin | None:
    """The rule pack of this name, or in this module; a module that can be imported comes before a pack that is called so."""
    known = plugins.found(plugins.RULES)
    is_module = all(part.isidentifier() for part in name.split(".")) and find_spec(name.partition(".")[0]) is not None
    return next((p for p in known if p.module == name), None if is_module else packs.named(name))


# -- importing ---------------------------------------------------------------------------------


def _import(name: str, text: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _broken(name, error) from error
        raise TargetError(
            f"target {text!r}.", "an importable module", f"no module named {error.name!r}", _nearest_module(name, error.name)
        ) from error
    except BaseException as error:  # whatever the module does, SystemExit too
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _broken(name, error) from error


def _nearest_module(name: str, missing: str) -> str:
    """What to do about a module that is not there."""
    parent, _, last = missing.rpartition(".")
    paths = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    near = difflib.get_close_matches(last, [m.name for m in pkgutil.iter_modules(paths)], n=1) if not parent or paths else []
    if near:
        return f"write {parent + '.' if parent else ''}{near[0]}{name[len(missing) :]}, if that is meant"
    if parent and paths is None:
        return f"write {parent}:{name[len(parent) + 1 :]}, if a primitive of {parent} is meant"
    return "run the command where the module lies, or install its package"


def _broken(name: str, error: BaseException) -> TargetImportError:
    return TargetImportError(
        f"target {name!r}.", "a module that can be imported", type(error).__name__, "mend the import:\n" + _own_traceback(error)
    )


def _own_traceback(error: BaseException) -> str:
    """The traceback of what is imported, without the frames of the importing."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and "importlib" not in f.filename]
    return "".join(
        ["Traceback (most recent call last):\n"] * bool(own) + traceback.format_list(own) + traceback.format_exception_only(error)
    ).rstrip()


def _submodules(module: types.ModuleType, unimported: list[Unimported]) -> Iterator[types.ModuleType]:
    """The module and, of a package, every module below it; what is run as a program is left out."""
    yield module
    for found in sorted(pkgutil.iter_modules(getattr(module, "__path__", ())), key=lambda m: m.name):
        if found.name == "__main__":
            continue
        name = f"{module.__name__}.{found.name}"
        try:
            below = _import(name, name)
        except TargetImportError as error:
            missing = error.__cause__
            if not _is_missing_package(missing):
                raise
            unimported.append(Unimported(name, str(missing).partition("\n")[0]))
        else:
            yield from _submodules(below, unimported)


def _is_missing_package(error: BaseException | None) -> bool:
    """Whether an import failed because a package is not installed, and not by a mistake."""
    if isinstance(error, EngineMissingError):
        return True
    return isinstance(error, ModuleNotFoundError) and error.name is not None and find_spec(error.name.partition(".")[0]) is None


# -- primitives --------------------------------------------------------------------------------


def _attribute(module: types.ModuleType, path: str, text: str) -> Primitive:
    owner: Any = module
    for name in path.split("."):
        if not hasattr(owner, name):
            near = difflib.get_close_matches(name, dir(owner), n=1)
            do = f"write {near[0]}, if that is meant" if near else "name a primitive of the module"
            raise TargetError(f"target {text!r}.", "a primitive", f"no attribute {name!r}", do)
        owner = getattr(owner, name)
    if not isinstance(owner, Primitive):
        made = f"make it one with rb.primitive({path.rpartition('.')[2]})" if callable(owner) else "name a primitive"
        raise TargetError(f"target {text!r}.", "a primitive", f"a {type(owner).__name__}", made)
    return owner


def _whole(module: types.ModuleType, text: str, is_pack: bool) -> Target:
    """Every primitive that is defined in a module or below it; where none is, those that it imports.  Of a pack: that it has rules for."""
    target = Target(text)
    modules = list(_submodules(module, target.unimported))
    gc.collect()  # what was made and dropped during the import is still registered while it waits in a cycle
    homes = [(_home(p, modules, is_pack), p) for p in registered() if not _is_stale(p)]
    chosen = [(i, p) for i, p in homes if i is not None]
    if not chosen:
        chosen = [(i, p) for i, m in enumerate(modules) for p in vars(m).values() if isinstance(p, Primitive)]
    if not chosen and not target.unimported:
        where = "it or its submodules" if len(modules) > 1 else "it"
        pack = packs.named(text)
        do = f"write {pack.module} for {pack}" if pack else "decorate a function with @rb.primitive, or name the module that has one"
        raise TargetError(f"target {text!r}.", "a module that defines primitives", f"none in {where}", do)
    chosen.sort(key=lambda each: (each[0], _line(each[1], modules[each[0]]), each[1].name))
    for p in dict.fromkeys(p for _, p in chosen):
        target.primitives[_free_name(p.name, target.primitives)] = p
    return target


def _free_name(name: str, taken: dict[str, Primitive]) -> str:
    """The name, numbered where it is taken: lambdas and functions made by a function share theirs."""
    n = 1
    while (free := name if n == 1 else f"{name}#{n}") in taken:
        n += 1
    return free


def _home(p: Primitive, modules: list[types.ModuleType], is_pack: bool) -> int | None:
    """Which of the modules defines a primitive: the one that has it beside its function, else (in a pack, or) the one of its rules."""
    names = [m.__name__ for m in modules]
    rules = [getattr(rule.fn, "__module__", None) for rule in written_rules(p)]
    module = getattr(p.fn, "__module__", None)
    own = _holds(sys.modules.get(module or ""), p)
    home = module if own else next(filter(None, rules), module)
    if home in names:
        return names.index(home)
    if is_pack and any(rule in names for rule in rules):
        return next(names.index(rule) for rule in rules if rule in names)
    if own or rules:
        return None
    return next((i for i, m in enumerate(modules) if _holds(m, p)), None)  # a function from elsewhere, without written rules


def _is_stale(p: Primitive) -> bool:
    """Whether a primitive or its rules are from an earlier import of a module, or from an example that ran in a copy of its names."""
    fns = [p.fn, *(rule.fn for rule in written_rules(p))]
    spaces = [names for fn in fns if (names := getattr(inspect.unwrap(fn), "__globals__", None)) is not None]
    modules = [(sys.modules.get(names.get("__name__", "")), names) for names in spaces]
    return any(module is not None and vars(module) is not names for module, names in modules)


def _holds(module: types.ModuleType | None, p: Primitive) -> bool:
    """Whether a primitive is an attribute of a module, or a method of its classes."""
    if module is None:
        return False
    if any(value is p for value in vars(module).values()):
        return True
    try:
        found: Any = functools.reduce(getattr, getattr(p.fn, "__qualname__", "?").split("."), module)
    except AttributeError:
        return False
    return found is p


def _line(p: Primitive, module: types.ModuleType) -> int:
    """What orders the primitives of a module: the first line of it that belongs to one."""
    return min((place.line for place in places_of(p).values() if place.file == getattr(module, "__file__", None)), default=0)

"""Rule packs: modules of other distributions whose import registers rules.

They are imported once in a process, when a rule is first looked up, all of them: a pack may have the rule for anybody's
primitive, and which it has, only its import says.  See docs/design/plugins.md.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field

from rulebook import plugins
from rulebook.engines import loaded_engines
from rulebook.plugins import Plugin, PluginError

__all__ = ["failed", "load", "lost", "named"]


@dataclass
class _State:
    done: bool = False
    failed: dict[Plugin, PluginError] = field(default_factory=dict)


class _Here(threading.local):
    loading = False  # in this thread: a pack that is imported just now may differentiate


_state = _State()
_here = _Here()


def load() -> None:
    """Import every rule pack, where that has not been done; one that fails is reported once, and the others work.

    No lock is held while a module is imported, as that would wait for threads which import a pack themselves: each thread
    that comes before the end goes through all of them, and Python's import makes it wait for those that another one imports.
    """
    if _state.done or _here.loading:
        return
    _here.loading = True
    try:
        news = _import_all()
    finally:
        _here.loading = False
    _state.done = True
    for error in news:
        plugins.report(error)


def _import_all() -> list[PluginError]:
    """What failed in this thread first."""
    news = []
    with contextlib.ExitStack() as outside:
        packs = plugins.found(plugins.RULES)
        for engine in loaded_engines() if packs else ():
            outside.enter_context(engine.outside())  # an array that a module makes for itself must not belong to a trace
        for plugin in packs:
            try:
                plugin.load()
            except PluginError as error:
                if _state.failed.setdefault(plugin, error) is error:
                    news.append(error)
    return news


def failed() -> dict[Plugin, PluginError]:
    """The packs that could not be imported, and why."""
    return dict(_state.failed)


def lost() -> str:
    """What a message about a rule that is missing says of these; "" where there are none."""
    return f"; or mend {' and '.join(map(str, _state.failed))}, which could not be imported" if _state.failed else ""


def named(name: str) -> Plugin | None:
    """The pack whose entry point has this name."""
    return next((plugin for plugin in plugins.found(plugins.RULES) if plugin.name == name), None)

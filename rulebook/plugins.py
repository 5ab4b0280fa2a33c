"""What other distributions add: modules named by entry points, read when they are first asked for.

`importlib.metadata` takes longer to import than rulebook's own modules do, so it is imported then as well.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from rulebook.errors import RulebookError

__all__ = ["BRIDGES", "RULES", "SWITCH", "Plugin", "PluginError", "found", "report", "report_by"]

RULES = "rulebook.rules"
BRIDGES = "rulebook.bridges"
SWITCH = "RULEBOOK_WITHOUT"  # the environment variable with names of what is not to be loaded, separated by commas; * for all

_WHAT = {RULES: "rule pack", BRIDGES: "engine"}


class PluginError(RulebookError, ImportError):
    """A rule pack or an engine of another distribution cannot be used."""


@dataclass(frozen=True)
class Plugin:
    """What one entry point names.

    Attributes:
        group: the group of the entry point.
        name: its name.
        module: its value.
        distribution: the name of the distribution that brings it.
        version: of the distribution.
    """

    group: str
    name: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{_WHAT[self.group]} {self.name!r} of {self.distribution} {self.version}"

    def load(self) -> ModuleType:
        """The module, imported.

        Raises:
            PluginError: that fails, whatever it fails with.
        """
        try:
            return importlib.import_module(self.module)
        except (Exception, SystemExit) as error:
            raise self.error(
                f"the module {self.module}, imported",
                f"{type(error).__name__}: {str(error) or 'no text'}".replace("\n", "\n  "),
                f"update or uninstall {self.distribution}, or set {SWITCH}={self.name}; "
                f"where it fails shows: python -c 'import {self.module}'",
            ) from error

    def error(self, expected: str, got: str, do: str) -> PluginError:
        """The error that says why it is not used."""
        return PluginError(f"{self}.", expected, got, do)


@cache
def found(group: str) -> tuple[Plugin, ...]:
    """The plugins of a group, in the order of the names of their distributions, without those that are switched off."""
    metadata = importlib.import_module("importlib.metadata")
    off = {name.strip() for name in os.environ.get(SWITCH, "").split(",")}
    plugins = {
        Plugin(group, entry.name, entry.value, entry.dist.name, entry.dist.version)
        for entry in metadata.entry_points(group=group)
        if not off & {"*", entry.name}
    }
    return tuple(sorted(plugins, key=lambda p: (p.distribution, p.name, p.module)))


def _warn(error: PluginError) -> None:
    warnings.warn(str(error), RuntimeWarning, stacklevel=2)


_tell: Callable[[PluginError], None] = _warn


def report(error: PluginError) -> None:
    """Tell the user why something is not used: a RuntimeWarning, or what `report_by` was given."""
    _tell(error)


def report_by(tell: Callable[[PluginError], None]) -> Callable[[PluginError], None]:
    """Have another function told, as the command line does; gives the one that was."""
    global _tell
    before, _tell = _tell, tell
    return before

"""What an entry of the collection is, and how a family module declares a function with its right and wrong rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Build = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Entry:
    """One rule: `make()` gives a fresh `rulebook.testing.Rule`; `bug` is the class of what is wrong, `why` says it in a line."""

    id: str
    make: Callable[[], Any]
    right: bool
    bug: str = ""
    why: str = ""
    build: Callable[[], dict[str, Any]] | None = field(default=None, compare=False)


def _rule(build: Build, variant: str) -> Any:
    from rulebook.testing import Rule

    made = dict(build(variant))
    return Rule(made.pop("f"), **made)


class Family:
    """The entries of one module: each builder gives, for the name of a variant, the keywords of a Rule."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, name: str, wrong: Mapping[str, tuple[str, str]], right: Sequence[str] = ("",)) -> Callable[[Build], Build]:
        def declare(build: Build) -> Build:
            for variant in right:
                self._append(name, build, variant, True, "", "")
            for variant, (bug, why) in wrong.items():
                self._append(name, build, variant, False, bug, why)
            return build

        return declare

    def _append(self, name: str, build: Build, variant: str, right: bool, bug: str, why: str) -> None:
        full = f"{name}/{variant}" if variant else name
        self.entries.append(Entry(full, lambda: _rule(build, variant), right, bug, why, lambda: build(variant)))

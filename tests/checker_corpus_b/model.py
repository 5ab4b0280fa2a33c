"""What an entry of the collection is, and how a family module declares a function with its right and wrong rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import rulebook as rb

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

    made = {k: x for k, x in build(variant).items() if not k.startswith("_")}
    return Rule(made.pop("f"), **made)


def listed(sampler: Callable[[Any], Any], n: int = 2, seed: int = 11) -> list[Any]:
    """A few draws as an explicit list, as an author would write down who has no sampler."""
    rng = np.random.default_rng(seed)
    drawn = [sampler(rng) for _ in range(n)]
    return [c if hasattr(c, "args") else rb.case(*c) for c in drawn]


class Family:
    """The entries of one module: each builder gives, for the name of a variant, the keywords of a Rule.

    Beside them, `_vary` is a sampler of evident variations of explicit cases, for the oracle alone.
    """

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

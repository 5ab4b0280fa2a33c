"""What the corpus is made of: entries, each one rule, right or with one bug, in families of siblings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

BUGS = (
    "sign",
    "factor",
    "dropped term",
    "wrong branch",
    "one element",
    "transpose",
    "swapped",
    "broadcast sum",
    "conj",
    "power",
    "constant",
    "small beside large",
    "stale",
    "workspace",
    "works once",
    "accumulates",
    "mutates",
    "alias",
    "affine",
    "threshold",
    "nonlinear",
    "primal",
    "dtype",
    "structure",
    "shape",
    "integer cotangent",
    "missing cotangent",
    "not honest",
    "off space",
    "static",
    "random",
    "nan",
    "raises",
    "precision",
    "differences",
    "both alike",
    "first call",
    "closure",
    "generator",
)

RULE_PARTS = ("f", "frule", "rrule", "pushforward", "pullback", "cases", "tangent_space", "accuracy")


@dataclass(frozen=True)
class Maker:
    """Makes a fresh rule each time it is called; `parts()` gives what it is made of."""

    parts: Callable[[], dict[str, Any]]

    def __call__(self) -> Any:
        from rulebook.testing import Rule

        return Rule(**self.parts())


@dataclass(frozen=True)
class Entry:
    """One rule of the corpus.

    Attributes:
        id: family and variant.
        make: gives a fresh `rulebook.testing.Rule`, with fresh state, per call.
        right: whether the rule is right.
        bug: one of `BUGS` for a wrong rule.
        why: what is awkward about it, or what is wrong.
        sibling: for a wrong rule, the id of the right rule it was made from.
        at_cases: whether the bug shows at the declared cases; otherwise at an evident variation of them.
        vary: for entries whose bug does not show at their cases: a sampler of variations, for the oracle alone.
    """

    id: str
    make: Maker
    right: bool
    bug: str = ""
    why: str = ""
    sibling: str = ""
    at_cases: bool = True
    vary: Callable[[Any], Any] | None = None


class Family:
    """A right rule and its siblings.

    Args:
        name: the id of the right rule.
        why: what is awkward about it.
        build: gives parts of the rule that need fresh state, or depend on flags; called once for each rule made.
        **parts: what Rule takes.
    """

    def __init__(self, name: str, why: str = "", *, build: Callable[..., dict[str, Any]] | None = None, **parts: Any) -> None:
        self.name = name
        self.build = build
        self.parts = parts
        self.entries: list[Entry] = [Entry(name, self._maker({}), True, why=why)]

    def _maker(self, changes: dict[str, Any]) -> Maker:
        replaced = {k: v for k, v in changes.items() if k in RULE_PARTS}
        flags = {k: v for k, v in changes.items() if k not in RULE_PARTS}

        def parts() -> dict[str, Any]:
            built = self.build(**flags) if self.build else {}
            every = {**self.parts, **built, **replaced}
            return {k: v for k, v in every.items() if v is not None}

        return Maker(parts)

    def right(self, suffix: str, why: str = "", **changes: Any) -> Family:
        """Another right rule: parts replaced, None for left out; other keywords go to `build`."""
        self.entries.append(Entry(f"{self.name}/{suffix}", self._maker(changes), True, why=why))
        return self

    def wrong(self, suffix: str, bug: str, why: str = "", *, of: str = "", seen: bool = True, vary: Any = None, **changes: Any) -> Family:
        """A wrong rule: the right one (or the sibling `of`) with parts replaced."""
        assert bug in BUGS, bug
        sibling = f"{self.name}/{of}" if of else self.name
        self.entries.append(Entry(f"{self.name}/{suffix}", self._maker(changes), False, bug, why, sibling, seen, vary))
        return self

    def twin(self, name: str, *, without: str = "", unseen: str = "", vary: Any = None, **parts: Any) -> Family:
        """The same family with parts replaced in every rule: other cases, or one direction left out.

        Args:
            name: of the new family.
            without: suffixes of entries that are left out, separated by blanks.
            unseen: suffixes of wrong entries whose bug does not show at the new cases.
            vary: the sampler of variations for those.
            **parts: what replaces; None leaves out.
        """
        made = Family(name, self.entries[0].why, build=self.build, **{**self.parts, **parts})
        made.entries = []
        for entry in self.entries:
            suffix = entry.id.removeprefix(self.name)
            if suffix and suffix[1:] in without.split():
                continue
            hidden = bool(suffix) and suffix[1:] in unseen.split()
            made.entries.append(
                replace(
                    entry,
                    id=f"{name}{suffix}",
                    make=_replaced(entry.make, parts),
                    sibling=name + entry.sibling.removeprefix(self.name) if entry.sibling else "",
                    at_cases=not hidden,
                    vary=vary if hidden else None,
                )
            )
        return made


def _replaced(make: Maker, changes: dict[str, Any]) -> Maker:
    return Maker(lambda: {k: v for k, v in {**make.parts(), **changes}.items() if v is not None})

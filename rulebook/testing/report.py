"""What a check found: findings (the rule is wrong), notes (what could not be told), and the report that holds them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rulebook.errors import RuleCheckError

__all__ = ["Finding", "Note", "Report"]


@dataclass(frozen=True)
class Finding:
    """One law that a rule breaks, where, and by how much.

    Attributes:
        rule: which rule of which function, as `rrule of kepler`.
        law: the id of the law.
        title: what the law says.
        argument: the argument or result it is about, as `params['w']`, or "".
        element: the position in that array, or None.
        expected, got: numbers, shapes or types as short text.
        do: how to mend it.
        looks_like: what the error resembles ("the sign is wrong"), or "".
        estimate: the error of the expected value as far as it is known, or None.
        case: where the point comes from, as `case 0, signs changed`.
        call: the arguments at which it was found, as short text.
        seed: reproduces the point together with the case.
        reproduce: a line of Python that finds it again.
        ladder: (step size, difference to the expected value) pairs, for plots; empty where no differences were taken.
    """

    rule: str
    law: str
    title: str
    expected: str
    got: str
    do: str
    argument: str = ""
    element: tuple[int, ...] | None = None
    looks_like: str = ""
    estimate: float | None = None
    case: str = ""
    call: str = ""
    seed: int = 0
    reproduce: str = ""
    ladder: tuple[tuple[float, float], ...] = ()

    @property
    def where(self) -> str:
        """Argument and element, as `x_bar of a[0, 2]`."""
        element = "" if not self.element else f"[{', '.join(map(str, self.element))}]"
        return f"{self.argument}{element}"

    def __str__(self) -> str:
        """The four parts of a message, then how to find it again."""
        which = f"{self.rule}, law {self.law!r} ({self.title})" + (f", {self.where}" if self.where else "")
        got = self.got + (f" ({self.looks_like})" if self.looks_like else "")
        estimate = "" if self.estimate is None else f" +- {self.estimate:.1e}"
        lines = [f"{which}.", f"Expected {self.expected}{estimate}.", f"Got {got}.", f"Do: {self.do}."]
        if self.case:
            lines.append(f"At {self.case}: {self.call}.")
        if self.reproduce:
            lines.append(f"Again: {self.reproduce}")
        return "\n  ".join(lines)


@dataclass(frozen=True)
class Note:
    """Something that was not decided, and why; no failure unless the check is strict.

    Attributes:
        kind: "inconclusive" (noise hides it), "left out" (the function is not differentiable or defined there), "unchecked"
            (time ran out), "shortened" (fewer points, as the function is slow), "not implemented" (a NotImplementedTangent),
            "switched off", "outside" (found where no case is); of engines "refused" or "unavailable".
        text: one line.
        rule, law: as in Finding, or "".
        count: how often.
    """

    kind: str
    text: str
    rule: str = ""
    law: str = ""
    count: int = 1

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.rule, f"law {self.law!r}" if self.law else "") if part)
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.kind}: {where + ': ' if where else ''}{self.text}{times}"


@dataclass
class Report:
    """The outcome of checking one function's rules.

    Attributes:
        name: of the function.
        findings: the laws that do not hold; empty when all is well.
        notes: what was left out, inconclusive or unchecked.
        held: law id -> at how many points it held.
        points: how many points were checked, and `left_out` how many were not differentiable or not defined.
        seed: the seed of the points.
        seconds: how long it took.
        strict: whether an inconclusive note counts as a failure.
    """

    name: str
    seed: int = 0
    strict: bool = False
    findings: list[Finding] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    points: int = 0
    left_out: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every law held (strict: and none was inconclusive or unchecked)."""
        return not self.findings and not (self.strict and any(n.kind in ("inconclusive", "unchecked") for n in self.notes))

    def note(self, note: Note) -> None:
        """Add a note, or count it once more."""
        for i, old in enumerate(self.notes):
            if (old.kind, old.text, old.rule, old.law) == (note.kind, note.text, note.rule, note.law):
                self.notes[i] = dataclasses.replace(old, count=old.count + note.count)
                return
        self.notes.append(note)

    def __str__(self) -> str:
        head = f"{self.name}: {'ok' if self.ok else 'WRONG'}, {len(self.held)} laws at {self.points} points"
        if self.left_out:
            head += f", {self.left_out} left out"
        return "\n".join([f"{head} ({self.seconds:.2f} s, seed {self.seed})", *map(str, self.findings), *map(str, self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """The report as plain numbers, strings, lists and dicts, for JSON."""
        made: Mapping[str, Any] = dataclasses.asdict(self)
        return {**made, "held": dict(self.held), "ok": self.ok}

    def raise_if_wrong(self) -> None:
        """Raise what was found.

        Raises:
            RuleCheckError: a law does not hold.
        """
        if self.ok:
            return
        undecided = [str(n) for n in self.notes if n.kind in ("inconclusive", "unchecked")]
        raise RuleCheckError("\n".join([str(f) for f in self.findings] or undecided))

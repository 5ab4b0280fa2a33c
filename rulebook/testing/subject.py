"""What is checked: a function, its rules, and where they are meant to hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rulebook import forms, packs
from rulebook.errors import RuleMissingError, RuleSignatureError
from rulebook.normal import NormalForm
from rulebook.primitive import Primitive
from rulebook.testing.spaces import Space
from rulebook.trees import Structure

__all__ = ["Rule", "Subject"]


class Rule:
    """A function with rules that are checked without being registered.

    Args:
        f: the function; a primitive stands for its function.
        frule: `(primals, tangents, **static) -> (y, y_dot)`.
        rrule: `(*primals, **static) -> (y, pullback)`.
        pushforward: `(y, primals, tangents, **static) -> y_dot`.
        pullback: `(y, primals, y_bar, **static) -> cotangents`.
        cases: example calls: `rb.case(...)`, tuples of arguments, or functions of a numpy.random.Generator that return one.
        tangent_space: `(argument index, tangent) -> tangent`, the orthogonal projection onto the space where the rules hold.
        accuracy: the relative error of f where it iterates to a tolerance.

    Raises:
        RuleSignatureError: f or a rule is no function.

    Example:
        >>> from rulebook.testing import Rule, check_rules
        >>> cube = Rule(lambda x: x**3, pullback=lambda y, primals, y_bar: (3 * primals[0] ** 2 * y_bar,), cases=[(2.0,)])
        >>> check_rules(cube).ok
        True
    """

    def __init__(
        self,
        f: Callable[..., Any],
        frule: Callable[..., Any] | None = None,
        rrule: Callable[..., Any] | None = None,
        pushforward: Callable[..., Any] | None = None,
        pullback: Callable[..., Any] | None = None,
        cases: Any = (),
        tangent_space: Callable[[int, Any], Any] | None = None,
        accuracy: float | None = None,
    ) -> None:
        fn = f.fn if isinstance(f, Primitive) else f
        many = cases if isinstance(cases, Sequence) else [cases]
        self.primitive = Primitive(
            fn,
            name=f.name if isinstance(f, Primitive) else None,
            cases=many,
            tangent_space=tangent_space,
            accuracy=accuracy,
            listed=False,
        )
        written: dict[str, Any] = {"frule": frule, "pushforward": pushforward, "rrule": rrule, "pullback": pullback}
        for kind, rule in written.items():
            if rule is not None and not callable(rule):
                which = f"{kind} of {self.primitive.name}."
                raise RuleSignatureError(which, "a function", f"a {type(rule).__name__}", "pass the rule itself")
        self.forward: list[forms.Forward] = []
        self.reverse: list[forms.Reverse] = []
        if frule is not None:
            self.forward.append(forms.Frule("frule", frule))
        if pushforward is not None:
            self.forward.append(forms.Pushforward("pushforward", pushforward))
        if rrule is not None:
            self.reverse.append(forms.Rrule("rrule", rrule))
        if pullback is not None:
            self.reverse.append(forms.Pullback("pullback", pullback))


class Subject:
    """A primitive or a Rule in one shape.

    Attributes:
        name: of the function.
        short: its last part, for messages.
        fn: the function itself.
        primitive: it, or the unlisted one of a Rule.
        forward, reverse: the rules that are checked.
        cases: where, and `given` the arguments that came with the check instead, as text.
    """

    def __init__(self, f: Any, directions: Sequence[str] = (forms.FORWARD, forms.REVERSE)) -> None:
        packs.load()
        if isinstance(f, Rule):
            self.primitive, forward, reverse = f.primitive, f.forward, f.reverse
        elif isinstance(f, Primitive):
            self.primitive = f
            forward = [] if f.forward is None else [f.forward]
            reverse = [] if f.reverse is None else [f.reverse]
        else:
            raise RuleSignatureError(
                f"rulebook.testing, {getattr(f, '__qualname__', repr(f))}.",
                "a primitive or a rulebook.testing.Rule",
                f"a {type(f).__name__}",
                "wrap it: check_rules(Rule(f, rrule=...))",
            )
        self.forward = forward if forms.FORWARD in directions else []
        self.reverse = reverse if forms.REVERSE in directions else []
        self.name = self.primitive.name
        self.short = self.name.rpartition(".")[2]
        self.fn = self.primitive.fn
        self.signature = self.primitive.signature
        self.accuracy = self.primitive.accuracy or 0.0
        self.looked_for_jumps = False  # of an iteration whose accuracy is not declared
        self.tangent_space = self.primitive.tangent_space
        self.forms: dict[Structure, NormalForm] = {}  # what rules without opaque arguments are run with
        self.spaces: dict[Any, Space] = {}
        self.paths: dict[Structure, list[str]] = {}  # of the leaves of the arguments
        self.cases: list[Any] = self.primitive.cases
        self.given = ""  # the arguments of the check itself, as they are written
        if not self.forward and not self.reverse:
            wanted = " or ".join(directions)
            raise RuleMissingError(
                f"rulebook.testing of {self.name}.",
                f"a {wanted} rule to check",
                "none",
                "write one with @rb.frule, @rb.pushforward, @rb.rrule or @rb.pullback",
            )

    @property
    def rules(self) -> list[forms.Rule]:
        """Every rule that is checked."""
        return [*self.forward, *self.reverse]

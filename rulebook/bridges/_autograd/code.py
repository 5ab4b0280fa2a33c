"""How the bridge runs the author's code: on concrete values, or on values that older traces follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rulebook import trees
from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.trace import BOXES, depth
from rulebook.captures import find_captured
from rulebook.errors import RulebookError, RuleMissingError, RuleSignatureError
from rulebook.forms import Rule
from rulebook.namespace import run_inside
from rulebook.normal import NormalForm

__all__ = ["linked_primal", "plain_primal", "refuse_captured", "refuse_reached", "runner"]

Primal = Callable[[tuple[Any, ...]], Any]


def linked_primal(form: NormalForm) -> Primal:
    """The primal as a rule evaluates it on values that older traces follow: the primitive again; host code where there are none."""

    def again(args: tuple[Any, ...]) -> Any:
        return values.normalise(form.primitive(*args, **form.statics))

    def host(args: tuple[Any, ...]) -> Any:
        if any(type(x) in BOXES for x in trees.leaves_of(args)):
            return again(args)
        return run_inside(None, form.evaluate, args)

    return host if form.primitive.host else again


def plain_primal(form: NormalForm) -> Primal:
    """The primal on concrete values; `form.evaluate` with one call less on the way."""
    fn, statics, numbers = form.primitive.fn, form.statics, values.NUMBERS

    def primal(args: tuple[Any, ...]) -> Any:
        try:
            y = fn(*args, **statics)
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, "primal") from error.__cause__
        return y if type(y) in numbers else values.normalise(y)

    return primal


def runner(form: NormalForm, rule: Rule | None) -> Callable[..., Any]:
    """How code of a rule is run: with autograd's functions for `rb.xp`, host code with NumPy's."""
    if rule is not None and rule.host:
        return lambda fn, *args: run_inside(None, fn, *args)
    return lambda fn, *args: _run(form, fn, *args)


def _run(form: NormalForm, fn: Callable[..., Any], *args: Any) -> Any:
    """Run rule code on values that may be traced."""
    try:
        return run_inside(form.engine, fn, *args)
    except NotImplementedError as error:
        if isinstance(error, RulebookError) or not str(error).endswith("not defined"):
            raise
        raise RuleMissingError(
            f"{form.name} (engine autograd).",
            "rules made of functions that autograd can differentiate, once more",
            f"autograd: {error}",
            "make that function a primitive with rules of its own",
        ) from error


def refuse_captured(form: NormalForm, results: Sequence[Any], top: int, rule: Rule | None) -> None:
    """All boxes of this trace were peeled: a result that is one reached the code past the arguments."""
    for value in results:
        if type(value) in BOXES and value._trace >= top:
            raise _captured_error(form, top, rule)


def refuse_reached(form: NormalForm, top: int, rule: Rule | None) -> None:
    """The same where results cannot tell: y_bar brings boxes of a newer trace, which may bear any number."""
    if rule is not None and find_captured(rule.fn, lambda v: depth(v) >= top) is not None:
        raise _captured_error(form, top, rule)


def _captured_error(form: NormalForm, top: int, rule: Rule | None) -> RuleSignatureError:
    parts = [("primal", form.primitive.fn), *([] if rule is None else [(rule.kind, rule.fn)])]
    found = [(what, find_captured(fn, lambda v: depth(v) >= top)) for what, fn in parts]
    what, path = next(((what, path) for what, path in found if path is not None), ("code", None))
    return RuleSignatureError(
        f"{what} of {form.name} (engine autograd){f', captured variable {path}' if path else ''}.",
        "nothing that is being differentiated, except the arguments",
        "a value of autograd that the code captured",
        "pass the value itself as a positional primal",
    )

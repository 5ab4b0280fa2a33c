"""Checks that can be made when a rule is registered: its signature fits the function's."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rulebook.errors import RuleSignatureError
from rulebook.signature import Signature

__all__ = ["check_rule_signature"]

# kind of rule -> the positional parameters before (or instead of) the primals, whether the primals follow
_SHAPES: dict[str, tuple[tuple[str, ...], bool]] = {
    "frule": (("primals", "tangents"), False),
    "pushforward": (("y", "primals", "tangents"), False),
    "pullback": (("y", "primals", "y_bar"), False),
    "rrule": ((), True),
    "scalar_rule": (("y",), True),
    "transpose": (("y_bar",), True),
    "batch_rule": (("axis_size", "in_batched"), True),
}


def check_rule_signature(kind: str, fn: Callable[..., Any], name: str, signature: Signature) -> None:
    """Refuse a rule that could not be called with the primals and statics of its function.

    Raises:
        RuleSignatureError: it takes other positional arguments, lacks a static, or asks for one the function does not have.
    """
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return
    which = f"{kind} of {name}."
    before, primals = _SHAPES[kind]
    _check_positional(which, list(parameters), before, signature if primals else None)
    _check_statics(which, list(parameters), signature)


def _check_positional(which: str, parameters: list[inspect.Parameter], before: tuple[str, ...], primals: Signature | None) -> None:
    own = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    needed = before + (primals.positional if primals else ())
    required = sum(p.default is p.empty for p in own)
    variable = primals is not None and primals.var_positional
    if required > len(needed) + (99 if variable else 0) or (len(own) < len(needed) and not takes_more) or (variable and not takes_more):
        star = ", *args" if variable else ""
        got = ", ".join(p.name for p in own) + (", *args" if takes_more else "")
        raise RuleSignatureError(
            which,
            f"the positional parameters ({', '.join(needed)}{star})",
            f"({got})",
            "take the primals positionally and the statics by keyword",
        )


def _check_statics(which: str, parameters: list[inspect.Parameter], signature: Signature) -> None:
    any_keyword = any(p.kind is p.VAR_KEYWORD for p in parameters)
    own = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    lacking = [s for s in signature.statics if s not in own]
    if (lacking or signature.var_keyword) and not any_keyword:
        want = lacking[0] if lacking else "**options"
        raise RuleSignatureError(
            which, f"the static {want!r} as a keyword parameter", f"the keywords {tuple(own)}", f"add *, {want} to the rule"
        )
    extra = [n for n, p in own.items() if n not in signature.statics and p.default is p.empty]
    if extra and not signature.var_keyword:
        raise RuleSignatureError(
            which, f"keywords among the statics {signature.statics}", f"{extra[0]!r}", "name the statics as the function does"
        )

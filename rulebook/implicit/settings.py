"""The options of the decorators, listed once: their types, their defaults and the signatures that show them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict, TypeVar, get_type_hints

from rulebook.errors import RuleSignatureError

__all__ = ["Settings", "completed", "shown"]

F = TypeVar("F", bound=Callable[..., Any])


class Settings(TypedDict, total=False):
    """Each option with its default; `rulebook.implicit.root` says what they mean."""

    host: Annotated[bool, False]
    result: Annotated[Callable[..., Any] | None, None]
    vectorized: Annotated[bool, False]
    linear_solver: Annotated[str | Callable[..., Any], "auto"]
    tol: Annotated[float | None, None]
    has_aux: Annotated[bool, False]
    on_failure: Annotated[str, "warn"]
    name: Annotated[str | None, None]
    cases: Annotated[Sequence[Any], ()]
    tangent_space: Annotated[Callable[[int, Any], Any] | None, None]
    accuracy: Annotated[float | None, None]


_TYPES = get_type_hints(Settings, include_extras=True)
_DEFAULTS = {name: kind.__metadata__[0] for name, kind in _TYPES.items()}


def completed(given: Settings, where: str) -> dict[str, Any]:
    """All options, those that are not given by their defaults.

    Raises:
        RuleSignatureError: one of them is unknown.
    """
    for name in given:
        if name not in _DEFAULTS:
            near = difflib.get_close_matches(name, _DEFAULTS, 1)
            raise RuleSignatureError(
                f"{where}, option {name!r}.",
                f"one of {', '.join(_DEFAULTS)}",
                repr(name),
                f"did you mean {near[0]}=?" if near else "leave it out",
            )
    return {**_DEFAULTS, **given}


def shown(fn: F) -> F:
    """Let the signature of a function that takes `**options` show them one by one."""
    signature = inspect.signature(fn, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    by_name = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(n, by_name, default=_DEFAULTS[n], annotation=kind.__origin__) for n, kind in _TYPES.items()]
    fn.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]  # functions may have one
    return fn

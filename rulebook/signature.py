"""From a call to its primals and statics: positional parameters are primals, keyword-only ones static."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from rulebook.errors import RuleSignatureError

__all__ = ["Signature", "static_key"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The primals and statics of a function.

    Args:
        fn: any callable; one without a readable signature takes any primals and any statics.
        name: how messages call it.
    """

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        self.name = name
        parameters = _parameters(fn)
        positional = [p for p in parameters if p.kind in _POSITIONAL]
        self.positional: tuple[str, ...] = tuple(p.name for p in positional)
        self.by_keyword = frozenset(p.name for p in positional if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.defaults: dict[str, Any] = {p.name: p.default for p in positional if p.default is not inspect.Parameter.empty}
        self.var_positional = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
        self.var_keyword = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        keyword_only = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        self.statics: tuple[str, ...] = tuple(p.name for p in keyword_only)
        self.required_statics = tuple(p.name for p in keyword_only if p.default is inspect.Parameter.empty)
        self.default_statics: dict[str, Any] = {p.name: p.default for p in keyword_only if p.default is not inspect.Parameter.empty}
        # A call with this many positional arguments and no keyword needs no binding; -1 where every call does.
        self.arity = -1 if self.var_positional or self.required_statics else len(self.positional)

    def primal_names(self, n: int) -> tuple[str, ...]:
        """The names of n primals, those of *args numbered."""
        return self.positional[:n] + tuple(f"args[{i}]" for i in range(n - len(self.positional)))

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The primals, in order and with defaults, and every static.

        Raises:
            RuleSignatureError: an argument is missing, unknown, given twice, or a static is given positionally.
        """
        n = len(self.positional)
        if len(args) > n and not self.var_positional:
            self._fail_too_many(args)
        statics = self.default_statics
        if kwargs:
            statics = {**statics, **{k: v for k, v in kwargs.items() if k not in self.by_keyword}}
            unknown = [k for k in statics if k not in self.statics] if not self.var_keyword else []
            if unknown:
                raise RuleSignatureError(
                    f"{self.name}, argument {unknown[0]!r}.",
                    f"one of {self.positional + self.statics}",
                    f"the keyword {unknown[0]!r}",
                    "use a parameter that the function has",
                )
        missing = [s for s in self.required_statics if s not in statics]
        if missing:
            raise RuleSignatureError(f"{self.name}, static {missing[0]!r}.", "a value", "none", f"pass {missing[0]}=")
        twice = [k for k in self.positional[: len(args)] if k in kwargs and k in self.by_keyword]
        if twice:
            raise RuleSignatureError(f"{self.name}, argument {twice[0]!r}.", "one value", "two", "pass it once")
        return args + tuple(self._fill(name, kwargs) for name in self.positional[len(args) :]), statics

    def _fill(self, name: str, kwargs: Mapping[str, Any]) -> Any:
        if name in kwargs and name in self.by_keyword:
            return kwargs[name]
        if name in self.defaults:
            return self.defaults[name]
        raise RuleSignatureError(f"{self.name}, argument {name!r}.", "a value", "none", f"pass {name}")

    def _fail_too_many(self, args: tuple[Any, ...]) -> None:
        n = len(self.positional)
        static = self.statics[len(args) - n - 1 :][:1] or self.statics[:1]
        raise RuleSignatureError(
            f"{self.name}.",
            f"{n} positional argument{'s' * (n != 1)} {self.positional}",
            f"{len(args)}",
            f"pass the static {static[0]!r} by keyword, as {static[0]}=..." if static else "pass the primals only",
        )


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function; any primals and any statics where they cannot be read."""
    inner = inspect.unwrap(fn)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    if not isinstance(inner, np.ufunc):  # a ufunc refuses its own defaults: dtype= and signature= may not both be given
        try:
            return list(inspect.signature(fn).parameters.values())
        except (TypeError, ValueError):  # C code without a text signature
            pass
    return [inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL), inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)]


def static_key(value: Any) -> Hashable:
    """A key that tells statics apart: 1 from 1.0 from True, 0.0 from -0.0.

    Raises:
        TypeError: the value is not hashable.

    Example:
        >>> static_key(1) == static_key(True), static_key(0.0) == static_key(-0.0)
        (False, False)
    """
    kind = type(value)
    if kind is float:
        return (kind, value, math.copysign(1.0, value))
    if kind is complex:
        return (kind, static_key(value.real), static_key(value.imag))
    if kind is tuple:
        return (kind, *map(static_key, value))
    if kind is slice:  # not hashable before Python 3.12
        return (kind, static_key(value.start), static_key(value.stop), static_key(value.step))
    hash(value)
    return (kind, value)

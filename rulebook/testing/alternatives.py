"""Other values of an option than those that cases give."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["alternatives"]


def alternatives(fn: Callable[..., Any], name: str, value: Any) -> list[Any]:
    """Other values of an option: by its type, or those that the function's own code compares it with."""
    if isinstance(value, bool):
        return [not value]
    named = [v for v in _compared(fn, name) if v != value]
    if isinstance(value, int):
        return [value + 1, *named]
    if isinstance(value, float):
        return [value * 1.25, *named] if value else named
    return named


def _compared(fn: Callable[..., Any], name: str) -> list[Any]:
    """The constants that the source of a function compares an option with, or looks it up among."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError):
        return []
    found: list[Any] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(_is_name(n, name) for n in (node.left, *node.comparators)):
            found += _constants(n for n in (node.left, *node.comparators) if isinstance(n, (ast.Constant, ast.Tuple, ast.List, ast.Set)))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict) and _is_name(node.slice, name):
            found += _constants([k for k in node.value.keys if k is not None])
        if isinstance(node, ast.Match) and _is_name(node.subject, name):
            found += _constants([case.pattern for case in node.cases])
    return list(dict.fromkeys(v for v in found if isinstance(v, (str, int, float))))


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _constants(nodes: Iterable[ast.AST]) -> list[Any]:
    return [n.value for node in nodes for n in ast.walk(node) if isinstance(n, ast.Constant)]

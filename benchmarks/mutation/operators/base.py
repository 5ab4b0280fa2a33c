"""What a mutation operator is given and gives: a node with its surroundings, and what may stand in its place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EXPRESSIONS", "STATEMENTS", "Scope", "call", "function_name", "is_number", "on_expression", "on_statement"]


@dataclass
class Scope:
    """Where a node stands.

    Attributes:
        form: of the rule.
        inner: whether the node stands in a function inside the rule function.
        names: parameters and local variables that are visible, in the order they appear.
        arguments: those that hold what the caller gave, and may not be changed.
        defaults: the default of each static.
        number: of the node, to tell apart what several places remember.
    """

    form: str
    inner: bool = False
    names: list[str] = field(default_factory=list)
    arguments: set[str] = field(default_factory=set)
    defaults: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    @property
    def returns_cotangents(self) -> bool:
        """Whether a return here gives a tuple with one cotangent per argument."""
        return self.form == "pullback" or (self.form == "rrule" and self.inner)


OnExpression = Callable[[Any, Scope], Iterator[ast.expr]]
OnStatement = Callable[[Any, Scope], Iterator[list[ast.stmt]]]

EXPRESSIONS: list[tuple[str, type | tuple[type, ...], OnExpression]] = []
STATEMENTS: list[tuple[str, type | tuple[type, ...], OnStatement]] = []


def on_expression(name: str, *kinds: type) -> Callable[[OnExpression], OnExpression]:
    """Make a function an operator on expressions of these kinds."""

    def register(fn: OnExpression) -> OnExpression:
        EXPRESSIONS.append((name, kinds, fn))
        return fn

    return register


def on_statement(name: str, *kinds: type) -> Callable[[OnStatement], OnStatement]:
    """Make a function an operator on statements of these kinds."""

    def register(fn: OnStatement) -> OnStatement:
        STATEMENTS.append((name, kinds, fn))
        return fn

    return register


def call(name: str, *args: ast.expr) -> ast.Call:
    """The call of a function by its name."""
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def function_name(node: ast.expr) -> str:
    """`sum` for `np.sum` and for `sum`; "" for what is neither."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_number(node: ast.AST) -> bool:
    """Whether a node is a numeric literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float, complex)) and not isinstance(node.value, bool)

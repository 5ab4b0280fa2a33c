"""From a function to its syntax tree, and from a changed source back to a function with the same surroundings."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["UnreadableError", "parse", "rebuild"]

Definition = ast.FunctionDef | ast.Lambda


class UnreadableError(ValueError):
    """The source of a function cannot be found."""


@functools.cache
def _definitions(file: str) -> tuple[Definition, ...]:
    with open(file, encoding="utf-8") as handle:
        return tuple(n for n in ast.walk(ast.parse(handle.read())) if isinstance(n, Definition))


def parse(fn: Callable[..., Any]) -> Definition:
    """The syntax tree of a function or lambda, without decorators.

    Raises:
        UnreadableError: fn is no Python function, or its file is not there.
    """
    if not isinstance(fn, types.FunctionType):
        raise UnreadableError(f"{fn!r} is no Python function")
    try:
        every = _definitions(inspect.getfile(fn))
    except (OSError, TypeError, SyntaxError) as error:
        raise UnreadableError(str(error)) from error
    found = [n for n in every if _is_source_of(n, fn.__code__)]
    if len(found) != 1:
        raise UnreadableError(f"{len(found)} definitions of {fn.__qualname__}")
    text = ast.unparse(found[0])  # parsed again: a tree of its own
    if isinstance(found[0], ast.Lambda):
        expression = ast.parse(text, mode="eval").body
        assert isinstance(expression, ast.Lambda)
        return expression
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    return definition


def _is_source_of(node: Definition, code: types.CodeType) -> bool:
    if isinstance(node, ast.FunctionDef):
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return node.name == code.co_name and first == code.co_firstlineno
    if code.co_name != "<lambda>" or node.lineno != code.co_firstlineno:
        return False
    columns = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]
    body = node.body
    inside = [p for p in columns if p != (code.co_firstlineno, 0)]
    return bool(inside) and all((body.lineno, body.col_offset) <= p <= (body.end_lineno or 0, body.end_col_offset or 0) for p in inside)


def rebuild(source: str, like: Callable[..., Any], helpers: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that a source defines, with the globals, closure and defaults of another.

    Args:
        source: one function definition or lambda.
        like: the function that the source was made from.
        helpers: names that the source may use besides.

    Raises:
        SyntaxError: the source is no Python.
        UnreadableError: it reads a variable of an enclosing function that the original does not.
    """
    assert isinstance(like, types.FunctionType)
    cells = dict(zip(like.__code__.co_freevars, like.__closure__ or (), strict=True))
    definition = ast.parse(source).body[0]
    value: ast.expr
    inner: list[ast.stmt]
    if isinstance(definition, ast.FunctionDef):
        inner, value = [definition], ast.Name(definition.name, ast.Load())
    else:
        assert isinstance(definition, ast.Expr)
        inner, value = [], definition.value
    outer = ast.FunctionDef("outer", _parameters(list(cells)), [*inner, ast.Return(value)], [])
    outer.type_params = []  # a field that newer Pythons want
    module = ast.fix_missing_locations(ast.Module([outer], []))
    names: dict[str, Any] = {**like.__globals__, **helpers}
    code = compile(module, f"<mutant of {like.__qualname__}>", "exec")
    outer_code = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    wanted = [c for c in outer_code.co_consts if isinstance(c, types.CodeType) and c.co_name == like.__code__.co_name]
    if len(wanted) != 1 or any(name not in cells for name in wanted[0].co_freevars):
        raise UnreadableError(f"{like.__qualname__} cannot be put together again")
    closure = tuple(cells[name] for name in wanted[0].co_freevars)
    made = types.FunctionType(wanted[0], names, like.__name__, like.__defaults__, closure)
    made.__kwdefaults__ = like.__kwdefaults__
    return made


def _parameters(names: list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])

"""Variables taken for one another, options that do not reach their place, containers unpacked in the wrong order."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutation.operators.base import Scope, is_number, on_expression, on_statement


@on_expression("other variable", ast.Name)
def other_variable(node: ast.Name, scope: Scope) -> Iterator[ast.expr]:
    """The variables that come before and after in the order of their first appearance."""
    if node.id in scope.names and len(scope.names) > 1:
        i = scope.names.index(node.id)
        for j in sorted({(i + 1) % len(scope.names), (i - 1) % len(scope.names)} - {i}):
            yield ast.Name(scope.names[j], ast.Load())


@on_expression("option ignored", ast.Name)
def option_ignored(node: ast.Name, scope: Scope) -> Iterator[ast.expr]:
    if node.id in scope.defaults:
        yield ast.Constant(scope.defaults[node.id])


@on_expression("other tangent", ast.Subscript)
def other_element(node: ast.Subscript, scope: Scope) -> Iterator[ast.expr]:
    """The primal for the tangent and the other way round; other positions are constants, which have their own operator."""
    other = {"tangents": "primals", "primals": "tangents"}
    if isinstance(node.value, ast.Name) and is_number(node.slice) and other.get(node.value.id) in scope.names:
        yield ast.Subscript(ast.Name(other[node.value.id], ast.Load()), node.slice, ast.Load())


@on_statement("unpacked in another order", ast.Assign)
def unpacked(node: ast.Assign, scope: Scope) -> Iterator[list[ast.stmt]]:
    target = node.targets[0]
    if isinstance(target, ast.Tuple):
        for i in range(len(target.elts) - 1):
            names = list(target.elts)
            names[i], names[i + 1] = names[i + 1], names[i]
            yield [ast.Assign([ast.Tuple(names, ast.Store())], node.value)]


@on_expression("entry under another key", ast.Dict)
def entry(node: ast.Dict, scope: Scope) -> Iterator[ast.expr]:
    for i in range(len(node.values) - 1):
        values = list(node.values)
        values[i], values[i + 1] = values[i + 1], values[i]
        yield ast.Dict(node.keys, values)

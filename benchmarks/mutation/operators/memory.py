"""Values that outlive their call: stale residuals, results kept from the first call, work space used twice."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutation.operators.base import Scope, call, on_statement

_HELPERS = ("_keep", "_keep_shape", "_reuse")


def _remembered(helper: str, scope: Scope, value: ast.expr, i: int = 0) -> ast.expr:
    return call(helper, ast.Constant(100 * scope.number + i), value)


@on_statement("residual of an earlier call", ast.Assign)
def residual(node: ast.Assign, scope: Scope) -> Iterator[list[ast.stmt]]:
    if isinstance(node.targets[0], (ast.Name, ast.Tuple)):
        for helper in _HELPERS:
            yield [ast.Assign(node.targets, _remembered(helper, scope, node.value))]


@on_statement("result of an earlier call", ast.Return)
def result(node: ast.Return, scope: Scope) -> Iterator[list[ast.stmt]]:
    if node.value is None or (scope.form == "rrule" and not scope.inner and not isinstance(node.value, ast.Tuple)):
        return
    for helper in _HELPERS:
        if not isinstance(node.value, ast.Tuple):
            yield [ast.Return(_remembered(helper, scope, node.value))]
            continue
        elements = node.value.elts
        last = 1 if scope.form == "rrule" and not scope.inner else len(elements)
        for i in range(last):
            changed = [*elements[:i], _remembered(helper, scope, elements[i], i + 1), *elements[i + 1 :]]
            yield [ast.Return(ast.Tuple(changed, ast.Load()))]

"""Statements left out, branches forced, results returned in the wrong place or not at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutation.operators.base import Scope, call, function_name, on_statement

_OTHER: dict[type, ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult()}


@on_statement("statement deleted", ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.While)
def deleted(node: ast.stmt, scope: Scope) -> Iterator[list[ast.stmt]]:
    yield [ast.Pass()]


@on_statement("branch forced", ast.If)
def forced(node: ast.If, scope: Scope) -> Iterator[list[ast.stmt]]:
    yield node.body
    if node.orelse:
        yield node.orelse


@on_statement("loop left or not left", ast.For, ast.Break, ast.Continue)
def loop(node: ast.stmt, scope: Scope) -> Iterator[list[ast.stmt]]:
    if isinstance(node, ast.For):
        yield [ast.For(node.target, node.iter, [*node.body, ast.Break()], node.orelse)]
    else:
        yield [ast.Pass()]


@on_statement("other update", ast.AugAssign)
def update(node: ast.AugAssign, scope: Scope) -> Iterator[list[ast.stmt]]:
    other = _OTHER.get(type(node.op))
    if other is not None:
        yield [ast.AugAssign(node.target, other, node.value)]
    yield [ast.Assign([node.target], node.value)]


@on_statement("scatter without repeats", ast.Expr)
def scatter(node: ast.Expr, scope: Scope) -> Iterator[list[ast.stmt]]:
    """`np.add.at(x, i, v)` became `x[i] += v`, which loses all but one of repeated positions, or `x[i] = v`."""
    found = node.value
    if isinstance(found, ast.Call) and function_name(found.func) == "at" and len(found.args) == 3:
        target = ast.Subscript(found.args[0], found.args[1], ast.Store())
        yield [ast.AugAssign(target, ast.Add(), found.args[2])]
        yield [ast.Assign([target], found.args[2])]


@on_statement("result misplaced", ast.Return)
def misplaced(node: ast.Return, scope: Scope) -> Iterator[list[ast.stmt]]:
    if not isinstance(node.value, ast.Tuple):
        return
    elements = node.value.elts
    for i in range(len(elements) - 1):
        swapped = list(elements)
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
        yield _return(swapped)
    for i in range(len(elements)):
        yield _return([*elements[:i], *elements[i + 1 :]])
    yield _return([*elements, ast.Constant(None)])
    if len(elements) == 1:
        yield [ast.Return(elements[0])]


@on_statement("result left out", ast.Return)
def left_out(node: ast.Return, scope: Scope) -> Iterator[list[ast.stmt]]:
    for changed in (
        lambda e: ast.Constant(None),
        lambda e: call("_zeros", e),
        lambda e: call("_without_last", e),
        lambda e: call("_nudge", e),
    ):
        yield from _each_result(node, changed, scope)


@on_statement("precision lost or gained", ast.Return)
def precision(node: ast.Return, scope: Scope) -> Iterator[list[ast.stmt]]:
    """A gain shows in results only: tangents and cotangents are cast to the dtype of what they belong to."""
    yield from _each_result(node, lambda e: call("_single", e), scope)
    if scope.form in ("frule", "rrule") and not scope.inner and isinstance(node.value, ast.Tuple):
        yield _return([call("_double", node.value.elts[0]), *node.value.elts[1:]])


@on_statement("precision lost on the way", ast.Assign)
def precision_between(node: ast.Assign, scope: Scope) -> Iterator[list[ast.stmt]]:
    if not isinstance(node.value, (ast.Tuple, ast.List)):
        yield [ast.Assign(node.targets, call("_single", node.value))]


def _return(elements: list[ast.expr]) -> list[ast.stmt]:
    return [ast.Return(ast.Tuple(elements, ast.Load()))]


def _each_result(node: ast.Return, changed: object, scope: Scope) -> Iterator[list[ast.stmt]]:
    """The return with one of its results changed; the pullback that an rrule returns is no result."""
    assert callable(changed)
    pair = scope.form in ("frule", "rrule") and not scope.inner
    if not isinstance(node.value, ast.Tuple) or (scope.form == "pushforward"):
        if node.value is not None and not pair:
            yield [ast.Return(changed(node.value))]
        return
    elements = node.value.elts
    for i, element in enumerate(elements[:1] if scope.form == "rrule" and pair else elements):
        yield _return([*elements[:i], changed(element), *elements[i + 1 :]])

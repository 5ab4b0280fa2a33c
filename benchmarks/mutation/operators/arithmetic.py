"""Signs, factors, terms, exponents, constants and comparisons."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutation.operators.base import Scope, call, is_number, on_expression

_OTHER: dict[type, tuple[ast.operator, ...]] = {
    ast.Add: (ast.Sub(), ast.Mult()),
    ast.Sub: (ast.Add(),),
    ast.Mult: (ast.Div(), ast.Add()),
    ast.Div: (ast.Mult(),),
    ast.FloorDiv: (ast.Mult(),),
    ast.Mod: (ast.Add(),),
    ast.BitAnd: (ast.BitOr(),),
    ast.BitOr: (ast.BitAnd(),),
}
_IN_PLACE: dict[type, str] = {ast.Add: "_iadd", ast.Sub: "_isub", ast.Mult: "_imul", ast.Div: "_itruediv"}
_STRICTNESS: dict[type, ast.cmpop] = {ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt()}
_DIRECTION: dict[type, ast.cmpop] = {
    ast.Lt: ast.Gt(),
    ast.LtE: ast.GtE(),
    ast.Gt: ast.Lt(),
    ast.GtE: ast.LtE(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
}


def minus(node: ast.expr) -> ast.UnaryOp:
    return ast.UnaryOp(ast.USub(), node)


@on_expression("other operation", ast.BinOp)
def other_operation(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    for operation in _OTHER.get(type(node.op), ()):
        yield ast.BinOp(node.left, operation, node.right)


@on_expression("operand dropped", ast.BinOp)
def operand_dropped(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    yield node.left
    if isinstance(node.op, ast.Sub):
        yield minus(node.right)
    elif not isinstance(node.op, (ast.Div, ast.Pow, ast.FloorDiv, ast.Mod)):
        yield node.right


@on_expression("operand negated", ast.BinOp)
def operand_negated(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)):
        yield ast.BinOp(minus(node.left), node.op, node.right)


@on_expression("operands swapped", ast.BinOp)
def operands_swapped(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    if isinstance(node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow)):
        yield ast.BinOp(node.right, node.op, node.left)


@on_expression("exponent off by one", ast.BinOp)
def exponent(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    if isinstance(node.op, ast.Pow):
        for operation in (ast.Add(), ast.Sub()):
            yield ast.BinOp(node.left, ast.Pow(), ast.BinOp(node.right, operation, ast.Constant(1)))


@on_expression("minus or not dropped", ast.UnaryOp)
def unary_dropped(node: ast.UnaryOp, scope: Scope) -> Iterator[ast.expr]:
    yield node.operand


@on_expression("other constant", ast.Constant)
def constant(node: ast.Constant, scope: Scope) -> Iterator[ast.expr]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif is_number(node):
        made: list[complex] = [node.value + 1, 2 * node.value, -node.value, 0, 1]
        for value in made:
            if value != node.value:
                yield minus(ast.Constant(-value)) if isinstance(value, (int, float)) and value < 0 else ast.Constant(value)


@on_expression("other comparison", ast.Compare)
def comparison(node: ast.Compare, scope: Scope) -> Iterator[ast.expr]:
    for table in (_STRICTNESS, _DIRECTION):
        other = table.get(type(node.ops[0]))
        if other is not None:
            yield ast.Compare(node.left, [other, *node.ops[1:]], node.comparators)


@on_expression("and for or", ast.BoolOp)
def boolean(node: ast.BoolOp, scope: Scope) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    yield from node.values


@on_expression("condition forced", ast.IfExp)
def choice(node: ast.IfExp, scope: Scope) -> Iterator[ast.expr]:
    yield node.body
    yield node.orelse


@on_expression("argument changed in place", ast.BinOp)
def in_place(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    helper = _IN_PLACE.get(type(node.op))
    if helper is None:
        return
    if isinstance(node.left, ast.Name) and node.left.id in scope.arguments:
        yield call(helper, node.left, node.right)
    if isinstance(node.op, (ast.Add, ast.Mult)) and isinstance(node.right, ast.Name) and node.right.id in scope.arguments:
        yield call(helper, node.right, node.left)

"""Functions taken for their neighbours, their arguments and options, transposes and conjugates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from benchmarks.mutation.operators.base import Scope, call, function_name, is_number, on_expression

_PAIRS = (
    "sin cos, exp expm1, log log1p, sum mean, max min, maximum minimum, zeros ones, zeros_like ones_like, triu tril, fft ifft, rfft fft, "
    "irfft ifft, fft2 ifft2, sinh cosh, tanh sinh, sqrt square, abs sign, real imag, argmax argmin, cumsum cumprod, sum prod, floor ceil, "
    "inv pinv, det trace, outer inner, convolve correlate, argsort sort, any all, digamma gammaln, left right, arctan2 hypot, erf erfc, "
    "conj negative, var std, expm sqrtm, eigh eig, add subtract, multiply divide, nansum sum, roll flip, fftfreq rfftfreq, diff ediff1d, "
    "hstack vstack, searchsorted digitize, ndtr log_ndtr"
)
SIBLINGS: dict[str, list[str]] = {}
for _pair in _PAIRS.split(", "):
    _one, _two = _pair.split()
    SIBLINGS.setdefault(_one, []).append(_two)
    SIBLINGS.setdefault(_two, []).append(_one)

_WRAPPERS = {
    "conj",
    "conjugate",
    "real",
    "imag",
    "transpose",
    "swapaxes",
    "abs",
    "negative",
    "sqrt",
    "sign",
    "flip",
    "tril",
    "triu",
    "expand_dims",
}
_WRAPPERS |= {"array", "copy", "ascontiguousarray", "asarray", "squeeze", "broadcast_to", "moveaxis", "reshape", "ravel", "diag", "roll"}
_LINEAR = {"matmul", "dot", "solve", "solve_triangular", "cho_solve", "lstsq", "expm_frechet", "solve_continuous_lyapunov"}


@on_expression("arguments swapped", ast.Call)
def arguments_swapped(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    if any(isinstance(a, ast.Starred) for a in node.args):
        return
    for i, j in combinations(range(len(node.args)), 2):
        args = list(node.args)
        args[i], args[j] = args[j], args[i]
        yield ast.Call(node.func, args, node.keywords)


@on_expression("sibling function", ast.Call)
def sibling(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    for name in SIBLINGS.get(function_name(node.func), ()):
        if isinstance(node.func, ast.Attribute):
            yield ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)
    if function_name(node.func) == "cumsum" and isinstance(node.func, ast.Attribute) and node.args:
        turned = [_reversed(node.args[0]), *node.args[1:]]
        yield _reversed(ast.Call(node.func, turned, node.keywords))


def _reversed(node: ast.expr) -> ast.expr:
    return ast.Subscript(node, ast.Slice(None, None, ast.UnaryOp(ast.USub(), ast.Constant(1))), ast.Load())


@on_expression("where: one branch", ast.Call)
def where(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    if function_name(node.func) == "where" and len(node.args) == 3:
        yield node.args[1]
        yield node.args[2]


@on_expression("call dropped", ast.Call)
def call_dropped(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    name = function_name(node.func)
    if name == "project" and len(node.args) == 2:
        yield node.args[1]
    elif name in _WRAPPERS and node.args and not (isinstance(node.func, ast.Attribute) and _is_value(node.func.value, scope)):
        yield node.args[0]
    elif name in _WRAPPERS and isinstance(node.func, ast.Attribute):
        yield node.func.value
    elif name == "reversed" and node.args:
        yield node.args[0]


def _is_value(node: ast.expr, scope: Scope) -> bool:
    """Whether a dotted name starts at a variable, not at a module."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return not isinstance(node, ast.Name) or node.id in scope.names


@on_expression("transpose or part dropped", ast.Attribute)
def attribute_dropped(node: ast.Attribute, scope: Scope) -> Iterator[ast.expr]:
    if node.attr in ("T", "mT", "H", "real", "imag"):
        yield node.value
    if node.attr in ("real", "imag"):
        yield ast.Attribute(node.value, "imag" if node.attr == "real" else "real", ast.Load())


def _transposed(node: ast.expr) -> ast.expr:
    return ast.Attribute(node, "T", ast.Load())


@on_expression("transpose added", ast.BinOp)
def operand_transposed(node: ast.BinOp, scope: Scope) -> Iterator[ast.expr]:
    if isinstance(node.op, ast.MatMult):
        yield ast.BinOp(_transposed(node.left), node.op, node.right)
        yield ast.BinOp(node.left, node.op, _transposed(node.right))
        yield _transposed(node)


@on_expression("transpose added", ast.Call)
def argument_transposed(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    name = function_name(node.func)
    if name in _LINEAR:
        for i, argument in enumerate(node.args[:2]):
            yield ast.Call(node.func, [*node.args[:i], _transposed(argument), *node.args[i + 1 :]], node.keywords)
    elif name in ("inv", "outer", "tril", "triu", "cholesky"):
        yield _transposed(node)


@on_expression("other option", ast.Call)
def option(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    for i, keyword in enumerate(node.keywords):
        rest = [*node.keywords[:i], *node.keywords[i + 1 :]]
        if keyword.arg is not None:
            yield ast.Call(node.func, node.args, rest)
        for value in _other_values(keyword):
            yield ast.Call(node.func, node.args, [*rest, ast.keyword(keyword.arg, value)])


def _other_values(keyword: ast.keyword) -> Iterator[ast.expr]:
    value = keyword.value
    if keyword.arg == "axis":
        yield ast.BinOp(value, ast.Add(), ast.Constant(1))
        yield ast.Constant(None)
    elif isinstance(value, ast.Constant) and value.value in ("T", "N"):
        yield ast.Constant("N" if value.value == "T" else "T")
    elif isinstance(value, ast.Constant) and value.value in ("left", "right"):
        yield ast.Constant("right" if value.value == "left" else "left")
    elif keyword.arg in ("keepdims", "lower", "reverse", "inverse") and not isinstance(value, ast.Constant):
        yield ast.UnaryOp(ast.Not(), value)


@on_expression("letters swapped", ast.Call)
def letters(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    """Two indices of one operand of einsum change places."""
    if function_name(node.func) != "einsum" or not isinstance(node.args[0], ast.Constant):
        return
    inputs, arrow, result = str(node.args[0].value).partition("->")
    operands = [*inputs.split(","), result]
    for i, operand in enumerate(operands):
        if len(operand) >= 2:
            changed = [*operands[:i], operand[1] + operand[0] + operand[2:], *operands[i + 1 :]]
            text = ",".join(changed[:-1]) + arrow + changed[-1]
            yield ast.Call(node.func, [ast.Constant(text), *node.args[1:]], node.keywords)


@on_expression("one turn less", ast.Call)
def one_turn_less(node: ast.Call, scope: Scope) -> Iterator[ast.expr]:
    if function_name(node.func) == "range" and len(node.args) == 1:
        yield call("range", ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1)))
        yield call("range", ast.Constant(1), node.args[0])


@on_expression("index off by one", ast.Subscript)
def index(node: ast.Subscript, scope: Scope) -> Iterator[ast.expr]:
    """Bounds of slices, and positions that are computed; literal positions are constants, which have their own operator."""
    if isinstance(node.slice, ast.Slice):
        yield from _slices(node, node.slice)
    elif isinstance(node.slice, ast.Name) or (isinstance(node.slice, ast.BinOp) and any(map(is_number, ast.walk(node.slice)))):
        yield ast.Subscript(node.value, ast.BinOp(node.slice, ast.Sub(), ast.Constant(1)), ast.Load())
    if isinstance(node.slice, ast.Slice) and node.slice.step is not None:
        yield node.value


def _slices(node: ast.Subscript, part: ast.Slice) -> Iterator[ast.expr]:
    for lower, upper in ((1, 0), (0, 1), (0, -1)):
        made = ast.Slice(_moved(part.lower, lower, 0), _moved(part.upper, upper, None), part.step)
        if made.lower is not None or made.upper is not None:
            yield ast.Subscript(node.value, made, ast.Load())


def _moved(bound: ast.expr | None, by: int, start: int | None) -> ast.expr | None:
    if by == 0:
        return bound
    if bound is None:
        return ast.Constant(by) if start is not None else (ast.UnaryOp(ast.USub(), ast.Constant(1)) if by < 0 else None)
    return ast.BinOp(bound, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))

"""einsum, and products of several matrices."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from rulebook.dual.lifting import lift
from rulebook.dual.parts import join, primal, tag_of, tangent, top
from rulebook.dual.registry import rule

__all__: list[str] = []


def _parsed(operands: tuple[Any, ...]) -> tuple[list[str], str, list[Any]]:
    """The indices of each operand and of the result, and the operands."""
    if not isinstance(operands[0], str):
        operands = (_subscripts(operands), *operands[: len(operands) // 2 * 2 : 2])
    text = operands[0].replace(" ", "")
    ins, arrow, result = text.partition("->")
    if not arrow:
        letters = ins.replace(",", "").replace("...", "")
        result = ("..." if "..." in ins else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return ins.split(","), result, [lift(x) for x in operands[1:]]


def _subscripts(operands: tuple[Any, ...]) -> str:
    """The form operand, indices, operand, indices, ..., indices of the result, as a string."""
    lists = list(operands[1::2])
    ends = operands[-1] if len(operands) % 2 else None
    used = sorted({i for some in (*lists, ends or ()) for i in some if i is not Ellipsis})
    letter = {i: string.ascii_letters[n] for n, i in enumerate(used)}  # in their order: it is that of an implicit result
    written = ["".join("..." if i is Ellipsis else letter[i] for i in some) for some in (*lists, ends or ())]
    return ",".join(written[:-1]) + ("" if ends is None else "->" + written[-1])


@rule(np.einsum)
def _einsum(*operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None, **options: Any) -> Any:
    terms, result, xs = _parsed(operands)
    if dtype is not None:
        xs = [x.astype(dtype) for x in xs]
    tag = top(xs)
    ps = [primal(x, tag) for x in xs]
    free = next(c for c in reversed(string.ascii_letters) if c not in "".join([*terms, result]))
    y = np.einsum(",".join(terms) + "->" + result, *ps, optimize=optimize)
    t: Any = None
    for i, x in enumerate(xs):
        if tag_of(x) != tag:
            continue
        spec = ",".join(free + s if j == i else s for j, s in enumerate(terms)) + "->" + free + result
        part = np.einsum(spec, *ps[:i], tangent(x, tag), *ps[i + 1 :], optimize=optimize)
        t = part if t is None else t + part
    return join(y, t, tag)


@rule(np.linalg.multi_dot)
def _multi_dot(arrays: Any, *, out: Any = None) -> Any:
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    items = [lift(a) for a in arrays]
    first, last = items[0].ndim == 1, items[-1].ndim == 1
    if last and not first:  # from the vector on
        y = items[-1]
        for a in reversed(items[:-1]):
            y = np.dot(a, y)
        return y
    if len(items) == 3 and not first:
        (m, k), (_, n), p = items[0].shape, items[1].shape, items[2].shape[1]
        if k * n * p + m * k * p < m * k * n + m * n * p:
            return np.dot(items[0], np.dot(items[1], items[2]))
    y = items[0]
    for a in items[1:]:
        y = np.dot(y, a)
    return y


@rule(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if n == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    y: Any = None
    square = a
    while n:
        if n & 1:
            y = +square if y is None else np.matmul(y, square)
        n >>= 1
        square = np.matmul(square, square) if n else square
    return y

"""What a derivative is commonly taken for: its conjugate, its transpose, a reversed or summed one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rulebook.testing.block import Block
from rulebook.testing.spaces import Array

__all__ = ["one_of_many", "rearranged"]


def rearranged(block: Block) -> Iterator[tuple[str, Array, Array]]:
    """(name, block, its error) for everything that a derivative is commonly taken for."""
    e, error = block.expected, block.error
    x, y = ("x_dot", "y_dot") if block.forward else ("x_bar", "y_bar")
    rows, columns = (np.where(part, -1.0, 1.0) for part in block.imaginary)
    conjugated = rows[:, None] * e * columns
    if (rows < 0).any() or (columns < 0).any():
        yield "the complex conjugate of the derivative", conjugated, error
        yield f"{x} is conjugated", e * columns, error
        yield f"{y} is conjugated", rows[:, None] * e, error
        yield "the imaginary part is missing", e * (columns > 0), error
        yield "the imaginary part is missing", e * (rows > 0)[:, None], error
    if e.shape[0] == e.shape[1]:
        yield "the transpose of the derivative", e.T, error.T
        yield "the transpose of the derivative", conjugated.T, error.T
        yield "minus the transpose of the derivative", -e.T, error.T
    yield from _turned(block, x, y)
    yield from _summed(block)


def _turned(block: Block, x: str, y: str) -> Iterator[tuple[str, Array, Array]]:
    e, error = block.expected, block.error
    outs, ins = (list(_orders(shape, e.shape[axis])) for axis, shape in enumerate(block.shapes))
    for how, order in ins:
        yield f"{x} is {how}", e[:, order], error[:, order]
    for how, order in outs:
        yield f"{y} is {how}", e[order], error[order]
    for a, rows in outs:
        for b, columns in ins:
            if a == b == "transposed":
                yield "a matrix acts from the wrong side", e[rows][:, columns], error[rows][:, columns]
                if e.shape[0] == e.shape[1]:
                    yield "a matrix acts from the wrong side", e[rows][:, columns].T, error[rows][:, columns].T


def _orders(shape: tuple[int, ...], n: int) -> Iterator[tuple[str, Array]]:
    """Rearrangements of the coordinates of an array, that leave its shape."""
    size = int(np.prod(shape))
    if size < 2:
        return
    at = np.arange(n).reshape(*shape, n // size)
    if len(shape) > 1 and shape[-1] == shape[-2] and shape[-1] > 1:
        yield "transposed", np.swapaxes(at, len(shape) - 1, len(shape) - 2).reshape(-1)
    for axis, length in enumerate(shape):
        if length > 1:
            along = "" if len(shape) == 1 else f" along axis {axis}"
            yield f"reversed{along}", np.flip(at, axis).reshape(-1)
            if length > 2:
                for step in (1, -1):
                    yield f"shifted by one element{along}", np.roll(at, step, axis).reshape(-1)


def _summed(block: Block) -> Iterator[tuple[str, Array, Array]]:
    """The derivative summed over an axis of the argument, and given to all elements along it."""
    e, error = block.expected, block.error
    shape = block.shapes[1]
    n = int(np.prod(shape))
    if n != e.shape[1]:
        return
    cuts = [(axis,) for axis, length in enumerate(shape) if length > 1]
    for axes in [*cuts, *([tuple(range(len(shape)))] if len(cuts) > 1 else [])]:
        among = tuple(a + 1 for a in axes)
        total, blur = (
            np.broadcast_to(m.reshape(-1, *shape).sum(among, keepdims=True), (len(m), *shape)).reshape(m.shape) for m in (e, error)
        )
        yield "a sum over an axis that is not broadcast", total, blur


def one_of_many(block: Block) -> str:
    """Whether only one element along an axis that the argument is broadcast over is used."""
    out, into = block.shapes
    aligned = (1,) * (len(out) - len(into)) + into
    if len(aligned) != len(out) or block.imaginary[0].any():
        return ""
    index = np.arange(block.expected.shape[0]).reshape(out)
    for axis, (a, b) in enumerate(zip(out, aligned, strict=True)):
        for j in range(a) if b == 1 and a > 1 else ():
            kept = np.isin(np.arange(index.size), np.take(index, j, axis))[:, None]
            if block.fits(np.where(kept, block.expected, 0.0), np.where(kept, block.error, 0.0)):
                if block.forward:
                    return f"only one element along axis {axis} of y moves"
                return f"a sum over {'the broadcast axes' if _spread(block, aligned) else f'axis {axis} of y'} is missing"
    return ""


def _spread(block: Block, aligned: tuple[int, ...]) -> bool:
    """Whether each element of the result depends on none but the one that it is broadcast from."""
    source = np.arange(block.expected.shape[1]).reshape(aligned)
    other = block.expected.copy()
    other[np.arange(len(other)), np.broadcast_to(source, block.shapes[0]).reshape(-1)] = 0
    return not other.any()

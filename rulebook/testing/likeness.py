"""What one matrix looks like beside another: a multiple, a conjugate, a transpose, a matrix with some entries of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from rulebook.testing.matrices import Matrices
from rulebook.testing.spaces import Array
from rulebook.testing.whereabouts import place, said, which

__all__ = ["Block", "like", "of_vectors"]

ZERO = "zero where it should not be"
_EXPLAINED = 0.05  # the part of a gap that an explanation may leave
_LOCAL = (-1.0, 2.0, 0.5, -2.0, -0.5)  # factors that are believed of a few entries
_LEAST_AXIS = 3  # a mean over two elements cannot be told from a half
Steady = Callable[[float, int], bool]


class Block:
    """The part of two matrices that belongs to one leaf of the result and one leaf of the arguments.

    Args:
        whole: the matrices it is cut from.
        out, into: the numbers of the leaves.
        forward: whether the rule is a forward one.
        values: the vectors of the result and of the arguments.
    """

    def __init__(self, whole: Matrices, out: int, into: int, forward: bool, values: tuple[Array, Array]) -> None:
        self.whole = whole
        self.out, self.into = out, into
        self.forward = forward
        self.values = values
        self.at = self.rows, self.columns = whole.outputs.leaves[out], whole.inputs.leaves[into]
        self.expected, self.error, self.got = whole.expected[self.at], whole.error[self.at], whole.got[self.at]
        self.bad = ~whole.near(self.got, self.expected, self.error, self.at)

    def fits(self, made: Array, error: Array, where: Array | None = None) -> bool:
        """Whether the rule's block is this one, to within the error and with next to nothing of the gap left."""
        near = self.whole.near(self.got, made, error, self.at)
        gap = np.abs(self.got - self.expected)
        explained = (np.abs(self.got - made) <= _EXPLAINED * gap) & (10 * error <= _EXPLAINED * gap + self.whole.relative * np.abs(made))
        fit = near & (explained | ~self.bad)
        return bool(fit.all() if where is None else fit[where].all())

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the result and of the argument."""
        return self.whole.outputs.space.shapes[self.out], self.whole.inputs.space.shapes[self.into]

    @property
    def imaginary(self) -> tuple[Array, Array]:
        """Which rows and columns are imaginary parts."""
        return self.whole.outputs.imaginary[self.rows], self.whole.inputs.imaginary[self.columns]


def like(both: Matrices, forward: bool, values: tuple[Array, Array], steady: Steady) -> str:
    """The simplest explanation of every wrong entry; nothing where there is none.

    Args:
        both: the matrices.
        forward: whether the rule is a forward one.
        values: the vectors of the result and of the arguments.
        steady: whether a factor of the block of an argument is the same at another point.
    """
    blocks = [Block(both, o, i, forward, values) for o in range(len(both.outputs.leaves)) for i in range(len(both.inputs.leaves))]
    wrong = [b for b in blocks if b.bad.any()]
    text = _exchanged(both)
    if text:
        return text
    said: dict[str, list[Block]] = {}
    for block in wrong:
        said.setdefault(_of_block(block, steady), []).append(block)
    alive = {b.into for b in blocks if b.expected.any() or b.got.any()}
    if "" in said or len(said) > 2:
        right = sorted(alive - {b.into for b in wrong})
        return f"right for {_names(both, right)}, not for {_names(both, sorted(alive - set(right)))}" if right else ""
    parts = [_about(both, text, {b.into for b in those}, alive) for text, those in said.items()]
    return "; ".join(parts)


def _names(both: Matrices, leaves: list[int]) -> str:
    return " and ".join(both.inputs.name(i) for i in leaves)


def _about(both: Matrices, text: str, leaves: set[int], alive: set[int]) -> str:
    return (
        text
        if leaves == alive or len(alive) < 2 or " of " in text.partition("elements")[2]
        else f"{text}, for {_names(both, sorted(leaves))}"
    )


def _exchanged(both: Matrices) -> str:
    """Whether two arguments, or two results, stand for each other."""
    for axis, turn in ((both.inputs, False), (both.outputs, True)):
        expected, error, got, bad, floor = (m.T if turn else m for m in (both.expected, both.error, both.got, both.bad, both.floor))
        wrong = [i for i, part in enumerate(axis.leaves) if bad[:, part].any()]
        if len(wrong) != 2:
            continue
        a, b = (axis.leaves[i] for i in wrong)
        if a.stop - a.start != b.stop - b.start:
            continue
        made, blur = expected.copy(), error.copy()
        made[:, a], made[:, b] = expected[:, b], expected[:, a]
        blur[:, a], blur[:, b] = error[:, b], error[:, a]
        gap = np.abs(got - made)
        near = gap <= 10 * blur + both.relative * (np.abs(got) + np.abs(made)) + floor
        if (near & (~bad | (gap <= _EXPLAINED * np.abs(got - expected)))).all():
            return f"the derivatives of {axis.name(wrong[0])} and {axis.name(wrong[1])} are swapped"
    return ""


def _of_block(block: Block, steady: Steady) -> str:
    if not block.got.any():
        return ZERO
    text = _factor(block, steady)
    if text:
        return text
    for name, made, error in _candidates(block):
        if block.fits(made, error):
            return name
    return _power(block) or _broadcast(block) or place(block, _content(block))


# -- multiples ------------------------------------------------------------------------------------------------


def times(c: float) -> str:
    """A factor in words."""
    return "the sign is wrong" if abs(c + 1) < 1e-4 else f"the derivative times {float(f'{c:.4g}'):g}"


def ratio(block: Block, where: Array) -> float | None:
    """The number that the expected entries are to be multiplied with, where there is one."""
    e, g, error = block.expected[where], block.got[where], block.error[where]
    with np.errstate(all="ignore"):
        blur = np.where((e != 0) & np.isfinite(error), error / np.abs(e), np.inf)
    if not blur.size or blur.min() > 1e-5:
        return None
    best = int(np.argmin(blur))
    c = float(g[best] / e[best])
    return c if abs(c - 1) > 1e-4 and block.fits(c * block.expected, abs(c) * block.error, where) else None


def _factor(block: Block, steady: Steady) -> str:
    c = ratio(block, np.ones_like(block.bad))
    if c is None or not steady(c, block.into):
        return ""
    return times(c) + _as_mean(block, c)


def _as_mean(block: Block, c: float) -> str:
    """Whether a factor is the number of elements of an axis that one of both has more."""
    out, into = block.shapes
    sizes = {int(np.prod(out)), int(np.prod(into)), *out, *into}
    small, large = sorted((int(np.prod(out)), int(np.prod(into))))
    if small and large % small == 0 and large // small >= _LEAST_AXIS:
        n = large // small
        if n in sizes | {n} and abs(c * n - 1) < 1e-4:
            return ", as of a mean instead of a sum"
        if abs(c / n - 1) < 1e-4:
            return ", as of a sum instead of a mean"
    return ""


def _content(block: Block) -> str:
    """What the wrong entries are, where only some are wrong."""
    if not block.got[block.bad].any():
        return ZERO
    c = ratio(block, block.bad)
    return times(c) if c is not None and any(abs(c - f) < 1e-4 for f in _LOCAL) else ""


def _power(block: Block) -> str:
    """Whether an elementwise derivative is multiplied with its argument or its result, or divided by it."""
    used = block.expected != 0
    if used.sum() < 3 or block.imaginary[0].any() or block.imaginary[1].any():
        return ""
    j, k = np.nonzero(used)
    axes = block.whole.outputs, block.whole.inputs
    y = np.real(block.values[0])[axes[0].at[block.rows]][j]
    x = np.real(block.values[1])[axes[1].at[block.columns]][k]
    for name, v in ((axes[1].name(block.into), x), (axes[0].name(block.out), y)):
        if len(np.unique(np.abs(v))) < 3 or not v.all():
            continue
        for words, factor in ((f"times {name}", v), (f"divided by {name}", 1 / v), (f"times -{name}", -v)):
            weights = np.ones_like(block.expected)
            weights[used] = factor
            if block.fits(weights * block.expected, np.abs(weights) * block.error):
                return f"the derivative {words}"
    return ""


# -- rearrangements -----------------------------------------------------------------------------------------------


def _candidates(block: Block) -> Iterator[tuple[str, Array, Array]]:
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


def _broadcast(block: Block) -> str:
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
                return "a sum over the broadcast axes is missing" if not block.forward else f"only one element along axis {axis} of y moves"
    return ""


# -- vectors ------------------------------------------------------------------------------------------------------


def of_vectors(expected: Array, got: Array, error: float, name: str = "", values: Array | None = None) -> str:
    """What a vector looks like beside another, where no matrices can be had.

    Args:
        expected, got: the vectors.
        error: of the expected one.
        name: what their elements are elements of, or nothing where they have no places.
        values: what is said about places is said of these.
    """
    used = np.isfinite(expected) & np.isfinite(got)
    e, g = expected[used], got[used]
    size = np.abs(e) + np.abs(g)
    bad = np.abs(g - e) > 1e-5 * size + 100 * error
    if not bad.any() or 100 * error > 1e-3 * np.abs(e[bad]).min():
        return ""
    if not g.any():
        return ZERO
    if (e != 0).sum() >= 3 and (g != 0).sum() >= 3:
        c = complex(np.vdot(e, g) / np.vdot(e, e))
        if (np.abs(g - c * e) <= 1e-5 * size + 100 * abs(c) * error).all() and abs(c.imag) <= 1e-5 * abs(c) and abs(c.real - 1) > 1e-4:
            return times(c.real)
        if np.iscomplexobj(e) and np.allclose(g, e.conj(), rtol=1e-5, atol=100 * error):
            return "the complex conjugate"
    return _few(expected, got, used, bad, name, values)


def _few(expected: Array, got: Array, used: Array, bad: Array, name: str, values: Array | None) -> str:
    if not name or bad.all() or not used.all():
        return ""
    content = ZERO if not got[bad].any() else "the sign is wrong" if np.allclose(got[bad], -expected[bad], rtol=1e-5, atol=0) else ""
    return said(content, int(bad.sum()), bad.size, name, which(bad, expected if values is None else values, name))

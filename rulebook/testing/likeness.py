"""What one matrix looks like beside another: a multiple, a conjugate, a transpose, a matrix with some entries of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from rulebook.testing.block import Block
from rulebook.testing.exchange import exchanged
from rulebook.testing.matrices import Axis, Matrices
from rulebook.testing.rearranged import one_of_many, rearranged
from rulebook.testing.spaces import Array
from rulebook.testing.whereabouts import place, said, which

__all__ = ["like", "of_vectors"]

ZERO = "zero where it should not be"
_EXPLAINED = 0.05  # the part of a gap that an explanation may leave
_LOCAL = (-1.0, 2.0, 0.5, -2.0, -0.5)  # factors that are believed of a few entries
_LEAST_AXIS = 3  # a mean over two elements cannot be told from a half
Steady = Callable[[float, int, int], bool]


def like(both: Matrices, forward: bool, values: tuple[Array, Array], steady: Steady) -> str:
    """The simplest explanation of every wrong entry; nothing where there is none.

    Args:
        both: the matrices.
        forward: whether the rule is a forward one.
        values: the vectors of the result and of the arguments.
        steady: whether a factor of the block of a result and an argument is the same at another point.
    """
    blocks = [Block(both, o, i, forward, values) for o in range(len(both.outputs.leaves)) for i in range(len(both.inputs.leaves))]
    wrong = [b for b in blocks if b.bad.any()]
    text = exchanged(both)
    if text:
        return text
    said: dict[str, list[Block]] = {}
    for block in wrong:
        said.setdefault(_of_block(block, steady), []).append(block)
    if "" not in said and len(said) <= 2:
        return "; ".join(text + _where(both, text, those, blocks) for text, those in said.items())
    alive = {b.into for b in blocks if b.alive}
    right = sorted(alive - {b.into for b in wrong})
    return f"right for {_names(both.inputs, right)}, not for {_names(both.inputs, sorted(alive - set(right)))}" if right else ""


def _names(axis: Axis, leaves: Iterable[int]) -> str:
    return " and ".join(axis.name(i) for i in sorted(leaves))


def _where(both: Matrices, text: str, those: list[Block], blocks: list[Block]) -> str:
    """For which arguments and in which results something is said, where there are others."""
    parts = ""
    for axis, word, some, every in (
        (both.inputs, "for", {b.into for b in those}, {b.into for b in blocks if b.alive}),
        (both.outputs, "in", {b.out for b in those}, {b.out for b in blocks if b.alive}),
    ):
        names = _names(axis, some)
        if some != every and f"elements of {names}" not in text:
            parts += f", {word} {names}"
    return parts


def _of_block(block: Block, steady: Steady) -> str:
    if not block.got.any():
        return ZERO
    text = _factor(block, steady)
    if text:
        return text
    for name, made, error in rearranged(block):
        if block.fits(made, error):
            return name
    return _power(block) or one_of_many(block) or place(block, lambda where: _content(block, where))


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
    if c is None or not steady(c, block.out, block.into):
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


def _content(block: Block, where: Array) -> str:
    """What some of the entries are."""
    if not block.got[where].any():
        return ZERO
    c = ratio(block, where)
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

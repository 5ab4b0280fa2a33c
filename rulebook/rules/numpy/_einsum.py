"""Einstein's summation convention, and what all products share: each is multilinear, so that a tangent stands in the place of its factor.

y = sum of products over common letters; with <y_bar, y_dot> = Re sum(conj(y_bar) y_dot) the cotangent of a factor is the same sum of
y_bar with the conjugates of the others, over the letters that the factor does not have (M. Giles 2008, section 2.2.2, for a matrix
product).
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._support import is_complex, stands

__all__ = [
    "Letters",
    "cotangent",
    "einsum",
    "lazily",
    "leibniz",
]

Letters = tuple[list[str], str]


def _parsed(subscripts: str, shapes: Sequence[Sequence[int]]) -> Letters:
    """The letters of each factor and of the result; those of "..." are capitals, aligned at the last."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    ranks = [len(s) - len(t.replace("...", "")) for s, t in zip(shapes, terms, strict=True)]
    most = max((r for r, t in zip(ranks, terms, strict=True) if "..." in t), default=0)
    spare = [c for c in string.ascii_uppercase + string.ascii_lowercase if c not in subscripts][:most]
    filled = ["".join(spare[most - r :]) if "..." in t else "" for r, t in zip(ranks, terms, strict=True)]
    if not arrow:
        joined = left.replace("...", "").replace(",", "")
        right = "..." * ("..." in left) + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return [t.replace("...", f) for t, f in zip(terms, filled, strict=True)], right.replace("...", "".join(spare))


def cotangent(i: int, letters: Letters, operands: Sequence[Any], y_bar: Any) -> Any:
    """That of factor i, letters that it has twice on their diagonal, and axes of length one that were broadcast summed."""
    terms, result = letters
    term, x = terms[i], operands[i]
    others = [k for k in range(len(terms)) if k != i]
    sizes = {c: n for t, o in zip(terms, operands, strict=True) for c, n in zip(t, o.shape, strict=True) if n != 1}
    unique = "".join(dict.fromkeys(term))
    xp = rb.xp(y_bar, *operands)
    known = set(result).union(*(terms[k] for k in others))
    present = "".join(c for c in unique if c in known)
    factors = [xp.conj(operands[k]) if is_complex(operands[k]) else operands[k] for k in others]
    single = [_squeezed(xp, f, terms[k], sizes) for f, k in zip(factors, others, strict=True)]
    bar, result = _squeezed(xp, y_bar, result, sizes)
    present = "".join(c for c in present if c in sizes)
    found = einsum(f"{','.join([result, *(t for _, t in single)])}->{present}", bar, *(f for f, _ in single))
    wide = tuple(sizes.get(c, 1) if c in present else 1 for c in unique)
    found = xp.reshape(found, wide) + xp.zeros(tuple(sizes.get(c, 1) for c in unique), dtype=found.dtype)
    if len(unique) < len(term):
        found = _on_diagonals(found, unique, term, sizes)
    return rb.project(x, found)


def _squeezed(xp: Any, x: Any, term: str, sizes: dict[str, int]) -> tuple[Any, str]:
    """A factor without its axes of length one."""
    keep = [(c, n) for c, n in zip(term, x.shape, strict=True) if n != 1]
    return xp.reshape(x, tuple(n for _, n in keep)), "".join(c for c, _ in keep)


def _on_diagonals(x: Any, unique: str, term: str, sizes: dict[str, int]) -> Any:
    """An array on the diagonals of axes of one letter."""
    xp = rb.xp(x)
    index = np.indices(tuple(sizes.get(c, 1) for c in term))
    mask = functools.reduce(np.logical_and, (index[k] == index[term.index(c)] for k, c in enumerate(term)), np.array(True))
    wide = xp.reshape(x, tuple(sizes.get(c, 1) if term.index(c) == k else 1 for k, c in enumerate(term)))
    return xp.where(mask, wide + xp.zeros(mask.shape, dtype=x.dtype), 0.0)


def _einsum_cases() -> list[Any]:
    specs: list[Any] = [
        ("ij,jk->ik", (2, 3), (3, 2)),
        ("i,j", (2,), (3,)),
        ("...ij,...j->...i", (2, 1, 2, 3), (3, 3)),
        ("ii->i", (3, 3)),
        ("ij,jk,kl->", (2, 2), (2, 2), (2, 1)),
        ("ij->", (2, 3)),
    ]
    return [normal(*shapes, subscripts=s) for s, *shapes in specs] + [complex_normal((2, 3), (3,), subscripts="ij,j->i")]


@rb.primitive(
    name="rulebook.rules.numpy.einsum_of",
    cases=_einsum_cases(),
    native={e: (lambda *operands, subscripts: rb.xp(*operands).einsum(subscripts, *operands)) for e in ("jax", "torch", "dual")},
)
def einsum_of(*operands: Any, subscripts: str) -> Any:
    """Einstein's summation convention, the factors first."""
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


@rb.pushforward(einsum_of, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, subscripts: str) -> Any:
    return leibniz(lambda *xs: einsum_of(*xs, subscripts=subscripts), primals, tangents)


def leibniz(product: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The sum over factors of the product with the tangent in the place of one."""
    total: Any = None
    for i, t in enumerate(tangents):
        if t is not None:
            term = product(*primals[:i], t, *primals[i + 1 :])
            total = term if total is None else total + term
    return total


@rb.pullback(einsum_of)
def _(y: Any, primals: Any, y_bar: Any, *, subscripts: str) -> Any:
    letters = _parsed(subscripts, [x.shape for x in primals])
    return tuple(lazily(i, letters, primals, y_bar) for i in range(len(primals)))


def lazily(i: int, letters: Letters, operands: Sequence[Any], y_bar: Any) -> Any:
    return rb.thunk(lambda: cotangent(i, letters, operands, y_bar))


@stands(np.einsum)
def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein's summation convention.

    Example:
        >>> einsum("ij,j->i", np.array([[1.0, 2.0]]), np.ones(2))
        array([3.])
    """
    return einsum_of(*operands, subscripts=subscripts)

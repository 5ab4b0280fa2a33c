"""Containers of arrays as vectors: what tangents and cotangents are drawn from and compared in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Space", "moves", "normal_leaf", "rounding"]

Array = npt.NDArray[Any]


def rounding(eps: Any) -> Any:
    """How far two orders of the same sum may differ, relative to the sum of the moduli of its terms, for a unit roundoff.

    A thousand units; in half precision, where that would be everything, sixteen.
    """
    return np.minimum(1e3 * eps, np.maximum(1.2e-4, 16 * eps))


def normal_leaf(leaf: Any) -> Any:
    """A leaf as rules receive it: a Python float or complex as the NumPy scalar; everything else as it is."""
    if type(leaf) is float:
        return np.float64(leaf)
    if type(leaf) is complex:
        return np.complex128(leaf)
    return leaf


def moves(leaf: Any) -> bool:
    """Whether a leaf has a tangent: a real or complex floating number or array."""
    return isinstance(leaf, (np.ndarray, np.generic, float, complex)) and np.asarray(leaf).dtype.kind in "fc"


def _kind(leaf: Any) -> Any:
    """What decides about the space of a leaf: its type, shape and dtype, and how it lies in memory."""
    if isinstance(leaf, np.ndarray):
        return leaf.shape, leaf.dtype, leaf.flags.fnc
    return type(leaf)


class Space:
    """The vectors over those leaves of a container that have a tangent.

    A vector holds all their elements one after the other, complex where any leaf is, at least in double precision.

    Attributes:
        paths: the name of every leaf, as `params['w']`.
        at: the numbers of the leaves that have a tangent.
        like: for every leaf, the shape and dtype of its tangent; None where it has none.
        n: the number of elements.
        slices: where each of those leaves stands in a vector.
        eps: the unit roundoff of each element.
        real: which elements are real.
    """

    def __init__(self, leaves: Sequence[Any], paths: Sequence[str]) -> None:
        self.paths = tuple(paths)
        self.at = [i for i, leaf in enumerate(leaves) if moves(leaf)]
        arrays = [np.asarray(leaves[i]) for i in self.at]
        self.shapes = [a.shape for a in arrays]
        self.dtypes = [a.dtype for a in arrays]
        self._fortran = [isinstance(leaves[i], np.ndarray) and leaves[i].flags.fnc for i in self.at]
        self._scalars = [not isinstance(leaves[i], np.ndarray) for i in self.at]
        ends = np.cumsum([0, *(a.size for a in arrays)])
        self.like = [(np.shape(leaf), np.asarray(leaf).dtype) if moves(leaf) else None for leaf in leaves]
        self.slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
        self.n = int(ends[-1])
        self.dtype = np.result_type(np.float64, *self.dtypes)
        self._alike = all(d == self.dtype for d in self.dtypes) and not any(self._fortran)  # so that one copy serves all leaves
        self._places = list(zip(self.slices, self.shapes, self._scalars, strict=True))
        self._empty = np.zeros(0, self.dtype)
        self.eps = np.concatenate([np.zeros(0), *(np.full(a.size, float(np.finfo(a.dtype).eps)) for a in arrays)])
        self.real = np.concatenate([np.zeros(0, bool), *(np.full(a.size, a.dtype.kind == "f") for a in arrays)])

    @classmethod
    def of(cls, known: dict[Any, Space], leaves: Sequence[Any], paths: Sequence[str]) -> Space:
        """The space of some leaves, made once for all that are alike."""
        key = tuple([_kind(leaf) for leaf in leaves]), *paths
        space = known.get(key)
        if space is None:
            space = known[key] = cls(leaves, paths)
        return space

    def pack(self, values: Sequence[Any]) -> Array:
        """One vector from the arrays of the leaves that have a tangent."""
        if len(values) == 1:
            return np.array(values[0], self.dtype).reshape(-1)
        return np.concatenate([self._empty, *[np.asarray(v).reshape(-1) for v in values]])

    def unpack(self, vector: Array, lift: bool = False) -> list[Any]:
        """Fresh arrays (scalars where the leaf is one) from a vector; in double precision where lifted."""
        if len(self.at) == 1 and self.dtypes[0] == vector.dtype:
            value = vector.reshape(self.shapes[0]).copy("F" if self._fortran[0] else "C")
            return [value[()] if self._scalars[0] else value]
        if self._alike and vector.dtype == self.dtype:
            own = vector.copy()
            return [own[part.start] if scalar else own[part].reshape(shape) for part, shape, scalar in self._places]
        made = []
        for part, shape, dtype, scalar, fortran in zip(self.slices, self.shapes, self.dtypes, self._scalars, self._fortran, strict=True):
            a = vector[part]
            if dtype.kind == "f" and a.dtype.kind == "c":
                a = a.real
            value = np.array(a, np.result_type(dtype, np.float64) if lift else dtype).reshape(shape)
            made.append(value[()] if scalar else np.asfortranarray(value) if fortran else value)
        return made

    def spread(self, values: Sequence[Any]) -> list[Any]:
        """One value per leaf of the container, None for those without tangent."""
        every: list[Any] = [None] * len(self.paths)
        for i, value in zip(self.at, values, strict=True):
            every[i] = value
        return every

    def locate(self, k: int) -> tuple[int, tuple[int, ...]]:
        """The leaf (its place in `at`) and the position in it of the k-th element of a vector."""
        leaf = next(i for i, s in enumerate(self.slices) if s.start <= k < s.stop)
        return leaf, tuple(int(j) for j in np.unravel_index(k - self.slices[leaf].start, self.shapes[leaf]))

    def name(self, k: int) -> tuple[str, tuple[int, ...]]:
        """The path of the leaf of the k-th element, and the position in it."""
        leaf, element = self.locate(k)
        return self.paths[self.at[leaf]], element

    def leaf_scale(self, vector: Array) -> Array:
        """For every element, the typical size of its leaf: the median of the moduli that are not zero, or one."""
        scale = np.ones(self.n)
        for part in self.slices:
            sizes = np.abs(vector[part])
            sizes = np.sort(sizes[(sizes > 0) & (sizes < np.inf)])
            if sizes.size:
                scale[part] = (sizes[(sizes.size - 1) // 2] + sizes[sizes.size // 2]) / 2
        return scale

    def element_scale(self, vector: Array) -> Array:
        """The modulus of every element; that of its leaf where it is zero."""
        sizes = np.abs(vector)
        if sizes.size and sizes.min() > 0 and sizes.max() < np.inf:
            return sizes
        return np.where((sizes > 0) & np.isfinite(sizes), sizes, self.leaf_scale(vector))

    def draw(self, rng: np.random.Generator) -> Array:
        """A random vector with elements of modulus between 0.5 and 1.5 and any sign or phase."""
        v = 2.0 * rng.random(self.n) - 1.0
        v += np.copysign(0.5, v)
        if self.dtype.kind == "c":
            return np.where(self.real, v, v * np.exp(2j * np.pi * rng.random(self.n)))
        return v

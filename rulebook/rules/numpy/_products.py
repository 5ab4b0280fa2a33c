"""Products: multilinear, so that each factor's tangent stands in its place, and the cotangent of one is a product of the others.

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
from rulebook.primitive import Primitive
from rulebook.rules._along import beside
from rulebook.rules.numpy._cases import complex_normal, normal
from rulebook.rules.numpy._einsum import Letters, cotangent, lazily, leibniz
from rulebook.rules.numpy._selection import diagonal
from rulebook.rules.numpy._support import is_complex, own, stands
from rulebook.rules.numpy.linalg._solving import inv

__all__ = [
    "_",
    "cross",
    "dot",
    "inner",
    "kron",
    "matmul",
    "matrix_power",
    "matvec",
    "multi_dot",
    "outer",
    "tensordot",
    "trace",
    "vdot",
    "vecdot",
    "vecmat",
]


def _product(
    function: Any, letters: Callable[..., Letters], cases: Sequence[Any], engines: Sequence[str], conjugated: bool = False
) -> Callable[[Callable[..., Any]], Primitive]:
    """Make the primitive of a product of two factors.

    Args:
        function: of NumPy.
        letters: gives those of the factors and of the result for their ranks and the options.
        cases, engines: as in `rearrangement`.
        conjugated: whether the first factor is.
    """

    def make(fn: Callable[..., Any]) -> Primitive:
        path = f"linalg.{fn.__name__}" if function.__module__ == "numpy.linalg" else fn.__name__
        by_einsum = {} if "torch" in engines else {"torch": _einsum_of(letters, conjugated)}
        f = Primitive(fn, name=f"rulebook.rules.numpy.{fn.__name__}", cases=cases, native={**own(path, *engines), **by_einsum})

        def push(y: Any, primals: Any, tangents: Any, **options: Any) -> Any:
            return leibniz(lambda *xs: f(*xs, **options), primals, tangents)

        def pull(y: Any, primals: Any, y_bar: Any, **options: Any) -> Any:
            spec = letters(*(x.ndim for x in primals), **options)
            xs = [rb.xp(primals[0]).conj(primals[0]), *primals[1:]] if conjugated and is_complex(primals[0]) else list(primals)
            bars = [lazily(i, spec, xs, y_bar) for i in range(len(xs))]
            if conjugated and is_complex(primals[0]):
                first = bars[0]
                bars[0] = rb.thunk(lambda: rb.xp(y_bar, *xs).conj(first.fn()))
            return tuple(bars)

        rb.pushforward(f, symbolic_zeros=True)(push)
        rb.pullback(f)(pull)
        return stands(function)(f)

    return make


_A, _B = string.ascii_lowercase[:12], string.ascii_lowercase[12:24]


def _dot(m: int, n: int) -> Letters:
    if m == 0 or n == 0:
        return [_A[:m], _B[:n]], _A[:m] + _B[:n]
    a, b, at = _A[:m], _B[:n], max(n - 2, 0)
    return [a, b[:at] + a[-1] + b[at + 1 :]], a[:-1] + b[:at] + b[at + 1 :]


@_product(np.dot, _dot, [normal((2, 3), (3, 2)), normal((3,), (3,)), normal((2,), ()), complex_normal((2, 2, 3), (3,))], ("jax", "torch"))
def dot(a: Any, b: Any) -> Any:
    """The product over the last axis of a and the last but one of b."""
    return np.dot(a, b)


def _matmul(m: int, n: int) -> Letters:
    lead = _B[: max(m, n, 2) - 2]
    a = lead[len(lead) - (m - 2) :] + "ij" if m > 1 else "j"
    b = lead[len(lead) - (n - 2) :] + "jk" if n > 1 else "j"
    return [a, b], lead + "i" * (m > 1) + "k" * (n > 1)


def _einsum_of(letters: Callable[..., Letters], conjugated: bool) -> Callable[..., Any]:
    """A product of two tensors by einsum, for what torch has no function for, or none that it can batch."""

    def product(a: Any, b: Any, **options: Any) -> Any:
        xp = rb.xp(a, b)
        factors, y = letters(a.ndim, b.ndim, **options)
        return xp.einsum(f"{','.join(factors)}->{y}", xp.conj(a) if conjugated else a, b)

    return product


_MATRICES = [
    normal((2, 3), (3, 2)),
    normal((3,), (3,)),
    normal((3,), (3, 2)),
    normal((2, 2, 3), (3,)),
    normal((2, 1, 2, 3), (4, 3, 1)),
    complex_normal((2, 3), (3, 2)),
]


@_product(np.matmul, _matmul, _MATRICES, ("jax", "torch", "autograd"))
def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product."""
    return np.matmul(x1, x2)


def _inner(m: int, n: int) -> Letters:
    if m == 0 or n == 0:
        return [_A[:m], _B[:n]], _A[:m] + _B[:n]
    return [_A[: m - 1] + "z", _B[: n - 1] + "z"], _A[: m - 1] + _B[: n - 1]


@_product(np.inner, _inner, [normal((3,), (3,)), normal((2, 3), (2, 3)), complex_normal((3,), (2, 3))], ("jax",))
def inner(a: Any, b: Any) -> Any:
    """The product over the last axes."""
    return np.inner(a, b)


def _aligned(core_a: str, core_b: str, core_y: str) -> Callable[[int, int], Letters]:
    def letters(m: int, n: int) -> Letters:
        most = max(m - len(core_a), n - len(core_b))
        lead = _B[:most]
        return [lead[most - m + len(core_a) :] + core_a, lead[most - n + len(core_b) :] + core_b], lead + core_y

    return letters


@_product(np.matvec, _aligned("ij", "j", "i"), [normal((2, 2, 3), (3,)), complex_normal((2, 3), (2, 3))], ("jax",))
def matvec(x1: Any, x2: Any) -> Any:
    """Matrices times vectors."""
    return np.matvec(x1, x2)


@_product(np.vecmat, _aligned("i", "ij", "j"), [normal((2,), (2, 2, 3)), complex_normal((2,), (2, 3))], ("jax",), conjugated=True)
def vecmat(x1: Any, x2: Any) -> Any:
    """Vectors, conjugated, times matrices."""
    return np.vecmat(x1, x2)


@_product(
    np.vecdot, lambda m, n: _aligned("i", "i", "")(m, n), [normal((2, 3), (3,)), complex_normal((2, 3), (2, 3))], ("jax",), conjugated=True
)
def vecdot(x1: Any, x2: Any) -> Any:
    """The inner product along the last axis, the first conjugated."""
    return np.vecdot(x1, x2)


def _tensordot(m: int, n: int, axes: Any) -> Letters:
    first, second = _axes(m, n, axes)
    b = list(_B[:n])
    for i, j in zip(first, second, strict=True):
        b[j] = _A[i]
    return [_A[:m], "".join(b)], "".join(c for i, c in enumerate(_A[:m]) if i not in first) + "".join(c for c in b if c in _B)


def _axes(m: int, n: int, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(m - axes, m)), list(range(axes))
    first, second = ([a] if isinstance(a, int) else list(a) for a in axes)
    return [a % m for a in first], [a % n for a in second]


@_product(
    np.tensordot,
    _tensordot,
    [normal((2, 3, 2), (3, 2), axes=2), normal((2, 3), (3, 2), axes=((0, 1), (1, 0))), complex_normal((2,), (3,), axes=0)],
    ("jax", "torch"),
)
def tensordot(a: Any, b: Any, *, axes: Any = 2) -> Any:
    """The product over some axes of both."""
    return np.tensordot(a, b, axes)


def _raveled(f: Primitive, letters: Letters, conjugated: bool) -> None:
    """Rules of a product of flattened arrays."""

    def push(y: Any, primals: Any, tangents: Any) -> Any:
        return leibniz(f, primals, tangents)

    def pull(y: Any, primals: Any, y_bar: Any) -> Any:
        xp = rb.xp(y_bar, *primals)
        a, b = (xp.reshape(x, (-1,)) for x in primals)
        first = xp.conj(a) if conjugated and is_complex(a) else a
        a_bar = rb.thunk(lambda: _shaped(cotangent(0, letters, [first, b], y_bar), primals[0], conjugated))
        return a_bar, rb.thunk(lambda: _shaped(cotangent(1, letters, [first, b], y_bar), primals[1], False))

    rb.pushforward(f, symbolic_zeros=True)(push)
    rb.pullback(f)(pull)


def _shaped(bar: Any, x: Any, conjugate: bool) -> Any:
    xp = rb.xp(bar, x)
    bar = xp.reshape(bar, tuple(x.shape))
    return xp.conj(bar) if conjugate and is_complex(bar) else bar


@stands(np.outer)
@rb.primitive(
    name="rulebook.rules.numpy.outer", cases=[normal((2,), (3,)), complex_normal((2, 1), (2,))], native=own("outer", "jax", "torch")
)
def outer(a: Any, b: Any) -> Any:
    """Every product of two vectors."""
    return np.outer(a, b)


_raveled(outer, (["i", "j"], "ij"), False)


@stands(np.vdot)
@rb.primitive(
    name="rulebook.rules.numpy.vdot", cases=[normal((3,), (3,)), complex_normal((2, 2), (2, 2))], native=own("vdot", "jax", "torch")
)
def vdot(a: Any, b: Any) -> Any:
    """The inner product of all elements, the first conjugated."""
    return np.vdot(a, b)


_raveled(vdot, (["i", "i"], ""), True)


@stands(np.kron)
@rb.primitive(
    name="rulebook.rules.numpy.kron",
    cases=[normal((2, 3), (2, 2)), normal((2,), (2, 3)), complex_normal((2, 2), (2,))],
    native=own("kron", "jax", "torch"),
)
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product."""
    return np.kron(a, b)


@rb.pushforward(kron, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any) -> Any:
    return leibniz(kron, primals, tangents)


@rb.pullback(kron)
def _(y: Any, primals: Any, y_bar: Any) -> Any:
    xp = rb.xp(y_bar, *primals)
    rank = max(x.ndim for x in primals)
    a, b = (xp.reshape(x, (*(1,) * (rank - x.ndim), *x.shape)) for x in primals)
    letters = ([_A[:rank], _B[:rank]], "".join(i + j for i, j in zip(_A[:rank], _B[:rank], strict=True)))
    pairs = [n for pair in zip(a.shape, b.shape, strict=True) for n in pair]
    bar = xp.reshape(y_bar, tuple(pairs))
    first = rb.thunk(lambda: xp.reshape(cotangent(0, letters, [a, b], bar), tuple(primals[0].shape)))
    return first, rb.thunk(lambda: xp.reshape(cotangent(1, letters, [a, b], bar), tuple(primals[1].shape)))


@stands(np.cross)
@rb.primitive(
    name="rulebook.rules.numpy.cross",
    cases=[normal((3,), (3,)), normal((2, 3), (3,)), complex_normal((3, 2), (3, 2), axis=0)],
    native=own("cross", "jax", "torch"),
)
def cross(a: Any, b: Any, *, axis: int = -1) -> Any:
    """The vector product of vectors of three entries.

    Derivation:
        It is bilinear, and <y_bar, a x b> = <conj(b) x y_bar, a> = <y_bar x conj(a), b>.
    """
    return np.cross(a, b, axis=axis)


@rb.pushforward(cross, symbolic_zeros=True)
def _(y: Any, primals: Any, tangents: Any, *, axis: int) -> Any:
    return leibniz(lambda a, b: cross(a, b, axis=axis), primals, tangents)


@rb.pullback(cross)
def _(y: Any, primals: Any, y_bar: Any, *, axis: int) -> Any:
    a, b = primals
    xp = rb.xp(y_bar, *primals)
    a_bar = rb.thunk(lambda: rb.project(a, cross(xp.conj(b), y_bar, axis=axis)))
    return a_bar, rb.thunk(lambda: rb.project(b, cross(y_bar, xp.conj(a), axis=axis)))


def matrix_power(a: Any, n: int) -> Any:
    """A product of a matrix with itself; of its inverse for negative n.

    Example:
        >>> matrix_power(np.array([[1.0, 1.0], [0.0, 1.0]]), 3)
        array([[1., 3.],
               [0., 1.]])
    """
    if n < 0:
        return matrix_power(inv(a), -n)
    if n == 0:
        return rb.xp(a).zeros_like(a) + beside(a, np.eye(a.shape[-1], dtype=bool))
    half = matrix_power(a, n // 2) if n > 1 else a
    whole = matmul(half, half) if n > 1 else a
    return matmul(whole, a) if n > 1 and n % 2 else whole


def multi_dot(arrays: Sequence[Any]) -> Any:
    """A product of several matrices, from the left; the first and the last may be vectors.

    Example:
        >>> multi_dot([np.ones(2), np.eye(2), np.ones(2)])
        np.float64(2.0)
    """
    return functools.reduce(matmul, arrays)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    Example:
        >>> trace(np.eye(2))
        np.float64(2.0)
    """
    found = diagonal(a, offset=offset, axis1=axis1, axis2=axis2)
    return rb.xp(found).sum(found, axis=-1)

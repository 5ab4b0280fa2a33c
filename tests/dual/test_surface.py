"""The functions of NumPy that have a rule: values, first and second tangents against central differences.

Shapes are such that the number of tangents, 3, is the length of an axis: an axis that is
broadcast against the leading one shows.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.dual.tools import check

_rng = np.random.default_rng(0)
V = _rng.uniform(0.2, 0.8, size=3)
W = _rng.uniform(0.2, 0.8, size=3)
A = _rng.uniform(0.2, 0.8, size=(3, 3)) + np.eye(3)
B = _rng.uniform(0.2, 0.8, size=(3, 4))
C = _rng.uniform(0.2, 0.8, size=(2, 3, 4))
Z = _rng.normal(size=3) + 1j * _rng.normal(size=3)
ZZ = _rng.normal(size=(3, 3)) + 1j * _rng.normal(size=(3, 3)) + 3 * np.eye(3)
S = A @ A.T + np.eye(3)
T = np.stack([A, A.T, A + 1])

ONE = [
    np.sin,
    np.cos,
    np.tan,
    np.arcsin,
    np.arccos,
    np.arctan,
    np.sinh,
    np.cosh,
    np.tanh,
    np.arcsinh,
    np.arctanh,
    np.exp,
    np.exp2,
    np.expm1,
    np.log,
    np.log2,
    np.log10,
    np.log1p,
    np.sqrt,
    np.cbrt,
    np.square,
    np.reciprocal,
    np.negative,
    np.positive,
    np.absolute,
    np.fabs,
    np.deg2rad,
    np.rad2deg,
    np.radians,
    np.degrees,
    np.conjugate,
]
TWO = [
    np.add,
    np.subtract,
    np.multiply,
    np.true_divide,
    np.power,
    np.float_power,
    np.maximum,
    np.minimum,
    np.fmax,
    np.fmin,
    np.arctan2,
    np.hypot,
    np.logaddexp,
    np.logaddexp2,
    np.remainder,
    np.fmod,
    np.copysign,
]
COMPLEX = [
    np.sin,
    np.cos,
    np.tan,
    np.exp,
    np.log,
    np.sqrt,
    np.square,
    np.reciprocal,
    np.conjugate,
    np.absolute,
    np.real,
    np.imag,
    np.angle,
    np.sign,
    np.tanh,
]


@pytest.mark.parametrize("fn", ONE, ids=lambda f: f.__name__)
def test_one_argument(fn):
    check(fn, V)
    check(fn, B)
    check(fn, 0.4)
    check(fn, 0.4, k=1)
    check(lambda x: fn(x[0]) * x[1] + fn(x)[2], V, k=1)


def test_arccosh():
    check(np.arccosh, V + 1)


@pytest.mark.parametrize("fn", TWO, ids=lambda f: f.__name__)
def test_two_arguments(fn):
    check(fn, V, W)
    check(fn, B, V[:, None])
    check(fn, V, A)
    check(fn, 0.4, 0.7)
    check(fn, V, 0.7)
    check(fn, 0.3, B)
    check(fn, 0.3, 0.5, k=1)


@pytest.mark.parametrize("fn", COMPLEX, ids=lambda f: f.__name__)
def test_complex(fn):
    check(fn, Z)
    check(fn, 0.3 + 0.4j)


OPERATORS = {
    "+": lambda x, y: (x + y, 2 + x, x + 2.0, 1j + y, np.float32(2) + x, np.int64(2) + y, W + x, y + W),
    "-": lambda x, y: (x - y, 2 - x, x - 2.0, 1j - y, x - np.float64(2), W - x, y - W, -x, +y),
    "*": lambda x, y: (x * y, 2 * x, x * 2.0, 1j * y, np.float64(2) * x, W * x, y * W, x * x),
    "/": lambda x, y: (x / y, 2 / x, x / 2.0, 1j / y, x / np.float64(2), W / x, y / W),
    "**": lambda x, y: (x**y, 2**x, x**2.0, x**3, x**-1, x**0, x**1, y**0.5, W**x, y**W),
    "% and //": lambda x, y: (x % y, 2.3 % x, x % 0.3, x // y, 3.0 // x, *divmod(x, 0.3), *divmod(2.3, y)),
    "abs": lambda x, y: (abs(x), abs(-y)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    fn = OPERATORS[name]
    check(fn, V, W + 1)
    check(fn, 0.4, 0.7)
    check(fn, 0.4, 0.7, k=1)
    check(fn, V, 0.7)


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "var": np.var,
    "std": np.std,
    "ptp": np.ptp,
    "norm": lambda x, axis=None, keepdims=False: np.linalg.norm(np.ravel(x) if axis is None else x, axis=axis, keepdims=keepdims),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    fn = REDUCTIONS[name]
    for axis in (None, 0, -1, 1, *(() if name in ("ptp", "prod", "norm") else ((0, 2),))):
        check(lambda x: fn(x, axis=axis), C, tol=1e-5)
        if name not in ("ptp", "norm"):
            check(lambda x: fn(x, axis=axis, keepdims=True), C, second=False)
    check(fn, V)


SHAPES = {
    "cumsum": lambda x: (np.cumsum(x), np.cumsum(x, 1), x.cumsum(-1)),
    "cumprod": lambda x: (np.cumprod(x), np.cumprod(x, 1)),
    "diff": lambda x: (np.diff(x), np.diff(x, 2, 0) if x.shape[0] > 2 else x, np.diff(x, axis=1)),
    "reshape": lambda x: (np.reshape(x, (4, -1)), x.reshape(-1), x.reshape(3, 8), x.ravel(), x.flatten(), np.ravel(x)),
    "transpose": lambda x: (
        x.T,
        np.transpose(x, (1, 0, 2)),
        x.transpose(2, 0, 1),
        np.swapaxes(x, 0, 2),
        np.moveaxis(x, 0, -1),
        np.moveaxis(x, [0, 1], [-1, 0]),
    ),
    "axes": lambda x: (np.expand_dims(x, 1), np.expand_dims(x, (0, -1)), np.squeeze(x[:1]), np.squeeze(x[:, :1], 1), np.rollaxis(x, 2)),
    "broadcast": lambda x: (np.broadcast_to(x, (2, 2, 3, 4)), np.broadcast_to(x[0, 0, 0], (3,)), np.broadcast_arrays(x, x[0])),
    "flip": lambda x: (np.flip(x), np.flip(x, 1), np.flipud(x), np.fliplr(x), np.rot90(x), x[::-1], x[..., ::-1]),
    "roll": lambda x: (np.roll(x, 2), np.roll(x, 1, -1), np.roll(x, (1, 2), (0, 1))),
    "take": lambda x: (np.take(x, [0, 2], 1), np.take(x, 5), x.take([[0, 1], [2, 3]]), np.compress([True, False, True], x, axis=1)),
    "along": lambda x: np.take_along_axis(x, np.argsort(x, axis=1), axis=1),
    "sort": lambda x: (np.sort(x), np.sort(x, 0), np.sort(x, None)),
    "repeat": lambda x: (np.repeat(x, 2), np.repeat(x, 2, 1), np.tile(x, 2), np.tile(x, (2, 1, 1, 1))),
    "pad": lambda x: (np.pad(x, 1), np.pad(x, ((0, 0), (1, 2), (0, 1)), mode="edge")),
    "tril": lambda x: (
        np.tril(x),
        np.triu(x, 1),
        np.trace(x),
        np.trace(x, 1, 1, 2),
        np.diagonal(x),
        np.diag(x[0]),
        np.diag(x[0, 0]),
        np.diag(x[0, 0], -1),
    ),
    "split": lambda x: (np.split(x, 2, axis=2), np.array_split(x, [1], axis=1)),
    "where": lambda x: (
        np.where(x > 0.5, x, 2 * x),
        np.where(x > 0.5, x, 0.0),
        np.where(x > 0.5, 1.0, x * x),
        np.where(x[0] > 0.5, x[0, 0], x[1]),
    ),
    "clip": lambda x: (np.clip(x, 0.3, 0.6), x.clip(0.3, None), np.clip(x, x[0], None) * 1.0),
    "stack": lambda x: (
        np.stack([x, x * 2]),
        np.stack([x[0, 0], np.ones(4)], 1),
        np.stack([x[0, 0, 0], 1.0, x[0, 0, 1]]),
        np.vstack([x[0], x[1]]),
        np.hstack([x[0], x[1]]),
    ),
    "concatenate": lambda x: (
        np.concatenate([x, np.ones((2, 3, 4))], 1),
        np.concatenate([x, x], None),
        np.append(x, 1.0),
        np.column_stack([x[0, 0], x[0, 1]]),
    ),
    "atleast": lambda x: (np.atleast_1d(x[0, 0, 0]), np.atleast_2d(x[0, 0]), np.atleast_3d(x[0])),
    "like": lambda x: (
        np.zeros_like(x) + x,
        np.ones_like(x) * x,
        np.full_like(x, x[0, 0, 0]),
        np.full_like(x, 2.0),
        np.array([x[0, 0, 0], 1.0], like=x),
        np.full((2, 2), x[0, 0, 0], like=x),
    ),
    "array": lambda x: (
        np.array([[x[0, 0, 0], 1.0], [2.0, x[0, 0, 1]]], like=x),
        np.asarray([x[0, 0, 0]], like=x),
        np.array(x, like=x),
        np.copy(x),
        x.copy(),
    ),
    "meshgrid": lambda x: (
        np.meshgrid(x[0, 0], x[1, 1, :3]),
        np.meshgrid(x[0, 0], x[1, 1, :3], indexing="ij"),
        np.meshgrid(x[0, 0], x[1, 1, :3], sparse=True),
    ),
    "indexing": lambda x: (
        x[0],
        x[0, 1],
        x[0, 1, 2],
        x[:, 1],
        x[..., 0],
        x[None, 0],
        x[[0, 1, 0]],
        x[:, [0, 2]],
        x[x > 0.5],
        x[:, [0, 2], [1, 1]],
    ),
    "index arrays apart": lambda x: (
        x[[0, 1], :, [1, 2]],
        x[0, :, [1, 2, 3]],
        x[[0, 1], None, [1, 2]],
        x[np.array([[0], [1]]), ..., [1, 2]],
    ),
    "iteration": lambda x: ([row for row in x], [v for v in x[0, 0]], list(x[0].flat)),
    "trapezoid": lambda x: (np.trapezoid(x), np.trapezoid(x[0, 0], np.arange(4.0)), np.trapezoid(x, axis=1)),
    "average": lambda x: (np.average(x), np.average(x, 1, weights=[1.0, 2.0, 3.0]), np.average(x, weights=x)),
    "methods": lambda x: (
        x.sum(0),
        x.mean(),
        x.prod(1),
        x.max(),
        x.min(0),
        x.std(),
        x.var(),
        x.dot(np.ones(4)),
        x.trace(),
        x.diagonal(),
        x.squeeze(),
        x.swapaxes(0, 1),
        x.repeat(2),
        x.real,
        x.conj(),
    ),
    "astype": lambda x: (x.astype(complex), x.astype(float)),
    "ufunc methods": lambda x: (
        np.add.reduce(x),
        np.add.reduce(x, axis=(1, 2)),
        np.multiply.reduce(x, 1),
        np.maximum.reduce(x),
        np.add.accumulate(x, 1),
        np.multiply.accumulate(x),
        np.multiply.outer(x[0], x[1, 0]),
        np.subtract.outer(x[0, 0], np.ones(2)),
    ),
    "fft": lambda x: (
        np.fft.fft(x),
        np.fft.rfft(x, axis=1),
        np.fft.ifft(x, 5),
        np.fft.irfft(x[0] + 0j),
        np.fft.fft2(x),
        np.fft.rfftn(x),
        np.fft.fftshift(x),
        np.fft.fftn(x, axes=(0, 1)),
    ),
    "complex parts": lambda x: (x + 1j * x[0], (x * 1j).imag, abs(x + 2j), np.angle(x + 1j), (x + 0j).real, np.conj(x * 1j)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    check(SHAPES[name], C)
    check(SHAPES[name], C, k=1, second=False)


ALGEBRA = {
    "matmul": (lambda a, b: (a @ b, a.T @ b, a @ b[:, 0], b[:, 0] @ a, b.T @ a @ b, b[:, 0] @ b[:, 1]), A, B),
    "matmul constants": (lambda a, b: (B.T @ a, a @ B, W @ a, a @ W, B.T @ b, b @ V.reshape(3, 1)[:1].repeat(4, 0), W @ b), A, B),
    "stacks": (
        lambda t, b: (t @ b, t @ b[:, 0], b[:, 0] @ t, t @ t, b.T @ t, t[0] @ t, T @ b, b.T @ T, T @ b[:, 0], b[:, 0] @ T, t @ B, W @ t),
        T,
        B,
    ),
    "dot": (
        lambda a, b: (
            np.dot(a, b),
            np.dot(a, b[:, 0]),
            np.dot(a, 2.0),
            np.dot(2.0, b),
            np.vdot(a, a),
            np.inner(a, b.T),
            np.dot(b.T, np.stack([a, a])),
        ),
        A,
        B,
    ),
    "outer": (lambda a, b: (np.outer(a, b), np.linalg.outer(a[0], b[0]), np.kron(a, b), np.cross(a, a[::-1]), np.cross(a[0], W)), A, B),
    "tensordot": (
        lambda a, b: (
            np.tensordot(a, b, 1),
            np.tensordot(a, b, ([1], [0])),
            np.tensordot(a, a),
            np.tensordot(a, b, ((0,), (0,))),
            np.tensordot(a, b, 0),
        ),
        A,
        B,
    ),
    "einsum": (
        lambda a, b: (
            np.einsum("ij,jk->ik", a, b),
            np.einsum("ii", a),
            np.einsum("ij,jk,kl", a, a, b),
            np.einsum("ij->j", b),
            np.einsum("...j,jk->...k", a, b),
            np.einsum("i,ij", W, b),
        ),
        A,
        B,
    ),
    "solve": (
        lambda a, b: (
            np.linalg.solve(a, b),
            np.linalg.solve(a, b[:, 0]),
            np.linalg.solve(A, b),
            np.linalg.solve(a, B),
            np.linalg.solve(a, W),
        ),
        A,
        B,
    ),
    "stacked solve": (
        lambda t, b: (np.linalg.solve(t, b), np.linalg.solve(t, T), np.linalg.solve(T, b), np.linalg.inv(t), np.linalg.det(t)),
        T + 2 * np.eye(3),
        B,
    ),
    "inv": (
        lambda a, b: (
            np.linalg.inv(a),
            np.linalg.det(a),
            np.linalg.slogdet(a)[1],
            np.linalg.matrix_power(a, 3),
            np.linalg.matrix_power(a, -2),
            np.linalg.multi_dot([a, a, b]),
        ),
        A,
        B,
    ),
    "cholesky": (lambda s, b: (np.linalg.cholesky(s @ s.T), np.linalg.cholesky(s @ s.T, upper=True)), A, B),
    "eigh": (lambda s, b: (np.linalg.eigh(s @ s.T)[0], np.linalg.eigvalsh(s + s.T), abs(np.linalg.eigh(s @ s.T)[1])), A, B),
    "norm": (
        lambda a, b: (
            np.linalg.norm(a),
            np.linalg.norm(a[0]),
            np.linalg.norm(a[0], 1),
            np.linalg.norm(a[0], np.inf),
            np.linalg.norm(a[0], 3),
            np.linalg.norm(a, axis=1),
            np.linalg.norm(b, "fro"),
        ),
        A,
        B,
    ),
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name):
    fn, a, b = ALGEBRA[name]
    check(fn, a, b, tol=1e-5)
    check(fn, a, b, k=1, second=False, tol=1e-5)


def _square(a):
    u, s, vh = np.linalg.svd(a)
    return s, np.abs(u), np.abs(vh), u * s @ vh, np.linalg.svdvals(a), np.linalg.svd(a, compute_uv=False)


def _tall(a):
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return s, np.abs(u), np.abs(vh), u @ vh


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 4), (2, 3, 3)])
def test_singular_values(shape):
    a = np.random.default_rng(5).normal(size=shape)
    check(_square if shape[-1] == shape[-2] == 3 and len(shape) == 2 else _tall, a, tol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("kind", [float, complex])
def test_qr(shape, kind):
    rng = np.random.default_rng(6)
    a = rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind is complex else 0)
    check(lambda a: tuple(np.linalg.qr(a)), a, tol=1e-5)


def test_complex_algebra():
    check(
        lambda a, b: (
            a @ b,
            np.linalg.solve(a, b),
            np.linalg.inv(a),
            np.linalg.det(a),
            *np.linalg.slogdet(a),
            np.linalg.norm(b),
            np.vdot(b, b),
        ),
        ZZ,
        Z,
        tol=1e-5,
    )
    check(lambda a: (np.linalg.cholesky(a @ a.conj().T), np.linalg.eigh(a @ a.conj().T)[0]), ZZ, tol=1e-5)


def test_zero_factors():
    """Products and powers at zero."""
    x = np.array([0.0, 2.0, 0.0, 3.0])
    check(
        lambda x: (np.prod(x), np.cumprod(x), np.prod(x[1:]), x**2, x**0, x**1, np.linalg.det(np.diag(x) + x[1] * np.eye(4, k=1))),
        x,
        second=False,
        tol=1e-5,
    )

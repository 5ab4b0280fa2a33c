"""The programs of the thread that rulebook began with, line by line, and one that writes in all ways; one text for every engine.

Each comes with a closed form for NumPy, which gives exact derivatives by complex steps and dual numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb

randmat = np.random.default_rng(0).uniform(0.1, 0.9, (3, 2))
sto = np.empty_like(randmat)
stod = rb.DiffCache(sto, warn=False)


def claytonsample(sto: Any, tau: Any, alpha: Any, *, randmat: Any = randmat) -> Any:
    sto = sto.get(tau, alpha)
    sto[...] = randmat
    n = sto.shape[0]
    for i in range(n):
        v = sto[i, 1]
        u = sto[i, 0]
        sto[i, 0] = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau) * alpha
        sto[i, 1] = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau)
    return rb.freeze(sto)


def _clayton_exact(x: Any) -> Any:
    tau, alpha = x[0], x[1]
    u, v = randmat.T
    sample = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau)
    return np.stack([sample * alpha, sample], axis=1)


p = (np.random.default_rng(1).normal(size=(5, 5)), rb.DiffCache(np.zeros((5, 5)), warn=False))
du = rb.DiffCache(np.ones((5, 5)), warn=False)


def foo(du: Any, u: Any, p: Any) -> Any:
    a, tmp = p
    tmp = tmp.get(u)
    du = du.get(u)
    np.matmul(a, u, out=tmp)  # mul!(tmp, A, u)
    du[...] = u + tmp  # @. du = u + tmp
    return rb.freeze(du)


_cache = rb.DiffCache(np.zeros(6), warn=False)


def writes(x: Any) -> Any:
    """Each element from the one before; then in place, by slices, with index arrays and masks, of parts that were read before."""
    b = _cache.get(x)
    b[0] = x[0]
    for i in range(1, 4):
        b[i] = b[i - 1] * x[1]
    b[4:] = b[2:0:-1] * 2.0
    b[1] += 2.0 * x[0]
    b[::2] *= x[1]
    b[np.array([False, True, False, False, False, True])] = x[0] * x[0]
    b[[3, 0]] = b[[0, 3]] * b[2]
    b *= b[...] + 1.0
    return rb.freeze(b)


def _writes_exact(x: Any) -> Any:
    first, second = x[0], x[1]
    b2 = first * second**3
    b = [first * second**3 * b2, first * first, b2, first * second * b2, 2 * first * second**3, first * first]
    y = np.stack(b)
    return y * (y + 1.0)


class Program(NamedTuple):
    """A function of one array that uses buffers, the same in closed form, and a point."""

    run: Callable[[Any], Any]
    exact: Callable[[Any], Any]
    x: Any


PROGRAMS = {
    "claytonsample": Program(lambda x: claytonsample(stod, x[0], x[1]), _clayton_exact, np.array([0.3, 0.7])),
    "foo": Program(lambda u: foo(du, u, p), lambda u: u + p[0] @ u, np.random.default_rng(2).normal(size=(5, 5))),
    "writes": Program(writes, _writes_exact, np.array([0.8, 1.3])),
}


def jacobian(program: Program) -> Any:
    """The Jacobian by complex steps."""
    columns = []
    for i in range(program.x.size):
        step = np.zeros(program.x.size, complex)
        step[i] = 1e-30j
        columns.append(program.exact(program.x + step.reshape(program.x.shape)).imag / 1e-30)
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *program.x.shape)


def hessian(program: Program) -> Any:
    """The second derivatives, by nested dual numbers of the closed form."""
    return rb.jacobian(lambda x: rb.jacobian(program.exact, engine="dual")(x), engine="dual")(program.x)


def check(got: Any, expected: Any) -> None:
    assert np.shape(got) == expected.shape
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-12, atol=1e-12)

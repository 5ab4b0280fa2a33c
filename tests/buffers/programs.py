"""The programs of the thread that rulebook began with, line by line, and two more; one text for every engine."""

from __future__ import annotations

from typing import Any

import numpy as np

import rulebook as rb

randmat = np.random.default_rng(0).uniform(0.1, 0.9, (5, 2))
sto = np.empty_like(randmat)
stod = rb.DiffCache(sto, warn=False)


def claytonsample(stod: rb.DiffCache, tau: Any, alpha: Any) -> Any:
    sto = stod.get(tau, alpha)
    sto[...] = randmat

    n = sto.shape[0]
    for i in range(n):
        v = sto[i, 1]
        u = sto[i, 0]
        sto[i, 0] = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau) * alpha
        sto[i, 1] = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau)
    return rb.freeze(sto)


def clayton_exact(tau: Any, alpha: Any) -> Any:
    """The same in one expression, for complex numbers too."""
    u, v = randmat.T
    x = (1 - u ** (-tau) + u ** (-tau) * v ** (-(tau / (1 + tau)))) ** (-1 / tau)
    return np.stack([x * alpha, x], axis=1)


A = np.random.default_rng(1).normal(size=(5, 5))


def foo(du: rb.DiffCache, u: Any, p: tuple[Any, rb.DiffCache]) -> Any:
    a, cache = p
    tmp = cache.get(u)
    du_now = du.get(u)
    np.matmul(a, u, out=tmp)  # mul!(tmp, A, u)
    du_now[...] = u + tmp  # @. du = u + tmp
    return rb.freeze(du_now)


def powers(cache: rb.DiffCache, x: Any) -> Any:
    """Element after element, each from the one before; then in place, by slices, and with a mask."""
    b = cache.get(x)
    b[0] = x
    for i in range(1, 4):
        b[i] = b[i - 1] * x
    b[4:] = b[2:0:-1]
    b[1] += 2.0 * x
    b[::2] *= x
    b[np.array([False, True, False, False, False, True])] = x * x
    return rb.freeze(b)


def powers_exact(x: Any) -> Any:
    return np.stack([x * x, x * x, x**4, x**4, x**4, x * x])

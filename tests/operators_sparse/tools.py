"""Matrices with known colourings, functions with known patterns, and the engines that are installed."""

import importlib.util

import numpy as np
import scipy.sparse

import rulebook as rb
from rulebook import engines
from rulebook.operators.sparse.pattern import Pattern, read

INSTALLED = [name for name in engines.engine_names() if name == "dual" or importlib.util.find_spec(name)]


def band(n, width=1):
    """All places at most `width` from the diagonal."""
    return abs(np.subtract.outer(np.arange(n), np.arange(n))) <= width


def arrow(n):
    """First row, first column and diagonal."""
    made = np.eye(n, dtype=bool)
    made[0] = made[:, 0] = True
    return made


def grid(n, corners=False):
    """The five or nine points of a Laplacian on a square grid."""
    line, one = scipy.sparse.csr_array(band(n)), scipy.sparse.eye_array(n)
    return (scipy.sparse.kron(line, line) if corners else scipy.sparse.kron(line, one) + scipy.sparse.kron(one, line)).toarray() != 0


def scattered(m, n, k, seed=0):
    """k places in each row, by chance."""
    rng = np.random.default_rng(seed)
    made = np.zeros((m, n), bool)
    made[np.repeat(np.arange(m), k), rng.integers(0, n, m * k)] = True
    return made


def pattern(places) -> Pattern:
    return read(places, "the test")


def beside(x):
    """The neighbours of each element, zero at the ends."""
    xp, end = rb.xp(x), x[:1] * 0
    return xp.concatenate([x[1:], end]), xp.concatenate([end, x[:-1]])


def chain(x):
    """Tridiagonal."""
    right, left = beside(x)
    return rb.xp(x).sin(x) * right - 2 * x + left**2


def rosenbrock(x):
    """Of shape ()."""
    return rb.xp(x).sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def dense(operator, f, *args, engine, **options):
    """The same derivative without sparsity, of shape (y.size, x.size)."""
    found = np.asarray(operator(f, engine=engine, **options)(*args))
    n = np.size(args[options.get("argnums", 0)])
    return found.reshape(-1, n) if n else found.reshape(found.shape[0] if found.ndim else 1, 0)

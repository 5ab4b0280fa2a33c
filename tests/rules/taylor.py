"""Taylor coefficients of the solution of a matrix equation, in NumPy: the reference for derivatives of every order.

The data are A(t) = A + t A_dot.  The coefficients of X(t) follow one after the other from the equation itself, each from a
linear system whose matrix is found column by column: no derivative rule is used, and no solver of matrix equations.
"""

from __future__ import annotations

import numpy as np

ORDER = 3


class Series:
    """A truncated power series with matrices as coefficients."""

    def __init__(self, *coefficients):
        first = np.asarray(coefficients[0])
        self.c = [np.asarray(c) for c in coefficients] + [np.zeros_like(first)] * (ORDER + 1 - len(coefficients))

    def __add__(self, other):
        return Series(*(a + b for a, b in zip(self.c, other.c, strict=True)))

    def __sub__(self, other):
        return Series(*(a - b for a, b in zip(self.c, other.c, strict=True)))

    def __matmul__(self, other):
        return Series(*(sum(self.c[i] @ other.c[k - i] for i in range(k + 1)) for k in range(ORDER + 1)))

    @property
    def H(self):
        return Series(*(a.conj().T for a in self.c))

    @property
    def hermitian(self):
        return Series(*((a + a.conj().T) / 2 for a in self.c))

    @property
    def inverse(self):
        first = np.linalg.inv(self.c[0])
        found = [first]
        for k in range(1, ORDER + 1):
            found.append(-first @ sum(self.c[i] @ found[k - i] for i in range(1, k + 1)))
        return Series(*found)


def sylvester(x, a, b, q):
    return a @ x + x @ b - q


def continuous_lyapunov(x, a, q):
    return a @ x + x @ a.H - q


def discrete_lyapunov(x, a, q):
    return a @ x @ a.H - x + q


def continuous_are(x, a, b, q, r, e=None, s=None):
    xe = x if e is None else x @ e
    ex = x if e is None else e.H @ x
    left, right = ex @ b, b.H @ xe
    if s is not None:
        left, right = left + s, right + s.H
    return ex @ a + a.H @ xe - left @ r.hermitian.inverse @ right + q.hermitian


def discrete_are(x, a, b, q, r, e=None, s=None):
    left, right = a.H @ x @ b, b.H @ x @ a
    if s is not None:
        left, right = left + s, right + s.H
    exe = x if e is None else e.H @ x @ e
    return a.H @ x @ a - exe - left @ (r.hermitian + b.H @ x @ b).inverse @ right + q.hermitian


def coefficients(residual, x, args, tangents):
    """The coefficients of X(t), from the zeroth on, where x = X(0) and `residual` is linear in each coefficient after it."""
    moving = [None if a is None else Series(np.atleast_2d(a), np.atleast_2d(t)) for a, t in zip(args, tangents, strict=True)]
    still = [None if a is None else Series(np.atleast_2d(a)) for a in args]
    columns = []
    for j in range(x.size):
        unit = np.zeros(x.size)
        unit[j] = 1.0
        columns.append(residual(Series(x, unit.reshape(x.shape).astype(x.dtype)), *still).c[1].ravel())
    system = np.stack(columns, axis=1)
    found = [x]
    for k in range(1, ORDER + 1):
        rest = residual(Series(*found), *moving).c[k]
        found.append(-np.linalg.solve(system, rest.ravel()).reshape(x.shape))
    return found

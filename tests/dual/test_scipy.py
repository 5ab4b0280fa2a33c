"""What rb.xp gives beside NumPy's names: special functions and solvers."""

from __future__ import annotations

import numpy as np
import pytest

import rulebook as rb
from tests.dual.tools import check

pytest.importorskip("scipy")

_rng = np.random.default_rng(1)
V = _rng.uniform(0.2, 0.8, size=3)
A = _rng.uniform(0.2, 0.8, size=(3, 3)) + 2 * np.eye(3)
B = _rng.uniform(0.2, 0.8, size=(3, 4))
Z = A + 1j * _rng.normal(size=(3, 3)) / 3

ONE = [
    "gammaln",
    "gamma",
    "digamma",
    "psi",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "erfcinv",
    "expit",
    "logit",
    "log_expit",
    "ndtr",
    "ndtri",
    "log_ndtr",
    "entr",
    "j0",
    "j1",
    "y0",
    "y1",
    "i0",
    "i1",
    "i0e",
    "i1e",
    "expm1",
    "log1p",
    "exp2",
    "exp10",
]
TWO = ["xlogy", "xlog1py", "rel_entr", "kl_div", "betaln", "beta"]


def special(x):
    return rb.xp(x).special


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name):
    check(lambda x: getattr(special(x), name)(x), V, tol=1e-5)
    check(lambda x: getattr(special(x), name)(x), 0.4, k=1, tol=1e-5)


@pytest.mark.parametrize("name", ["j1", "i1", "i1e"])
def test_order_one_at_zero(name):
    check(lambda x: getattr(special(x), name)(x), np.array([0.0, 1.0]), second=False, tol=1e-5)


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name):
    check(lambda x, y: getattr(rb.xp(x, y).special, name)(x, y), V, V[::-1] + 0.5, tol=1e-5)


def test_functions():
    check(lambda x: (special(x).polygamma(1, x), special(x).zeta(2.0, x)), V, tol=1e-5)
    check(lambda x: (special(x).logsumexp(x), special(x).logsumexp(x, axis=1), special(x).softmax(x, axis=0), special(x).log_softmax(x)), B)
    check(lambda x: special(x).logsumexp(x, b=np.array([1.0, 2.0, 3.0]), keepdims=True), V)


def test_a_ufunc_of_scipy_loads_its_rule():
    import scipy.special

    check(lambda x: scipy.special.gammaln(x), V, tol=1e-5)
    with pytest.raises(rb.RuleMissingError, match=r"mathieu_a \(engine dual\)"):
        rb.jvp(lambda x: scipy.special.mathieu_a(1, x), (V,), (V,), engine="dual")


def test_an_order_is_refused():
    with pytest.raises(rb.RuleMissingError, match="the order is an integer"):
        rb.jvp(lambda x: special(x).polygamma(x, 2.0), (V,), (V,), engine="dual")


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("trans", [0, 1, "C"])
def test_triangular(lower, trans):
    solve = lambda a, b: rb.xp(a, b).linalg.solve_triangular(a, b, trans=trans, lower=lower)
    check(lambda a, b: (solve(a, b), solve(a, b[:, 0]), solve(A, b), solve(a, B)), A, B)
    check(solve, Z, B + 0j)


def test_factors():
    def by_lu(a, b):
        xp = rb.xp(a, b).linalg
        lu = xp.lu_factor(a)
        return xp.lu_solve(lu, b), xp.lu_solve(lu, b[:, 0], trans=1)

    def by_cholesky(a, b):
        xp = rb.xp(a, b)
        low = xp.linalg.cholesky(a @ a.T)
        return xp.linalg.cho_solve((low, True), b), xp.linalg.cho_solve((low.T, False), b[:, 0])

    check(by_lu, A, B)
    check(by_cholesky, A, B)
    check(lambda b: rb.xp(b).linalg.cho_solve((np.linalg.cholesky(A @ A.T), True), b), B)
    check(lambda b: rb.xp(b).linalg.lu_solve(rb.xp(A).linalg.lu_factor(A), b), B)


def test_expm():
    check(lambda a: rb.xp(a).linalg.expm(a), A / 3, tol=1e-5)

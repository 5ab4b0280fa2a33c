"""The functions of rulebook.rules.linalg on NumPy arrays: SciPy's numbers, shapes and dtypes, for every size, and over stacks."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.linalg

import rulebook as rb
from rulebook.primitive import Case, Primitive
from rulebook.rules import blas, linalg
from rulebook.rules.linalg import _cases

NAMES = [
    "inv",
    "det",
    "solve",
    "solve_triangular",
    "solve_banded",
    "solveh_banded",
    "lu",
    "lu_factor",
    "lu_solve",
    "cholesky",
    "cho_factor",
    "cho_solve",
    "ldl",
    "qr",
    "schur",
    "hessenberg",
    "polar",
    "svd",
    "svdvals",
    "eig",
    "eigvals",
    "eigh",
    "eigvalsh",
    "pinv",
    "lstsq",
    "expm",
    "expm_frechet",
    "logm",
    "sqrtm",
    "sinm",
    "cosm",
    "tanm",
    "sinhm",
    "coshm",
    "tanhm",
    "signm",
    "funm",
    "fractional_matrix_power",
    "solve_sylvester",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_continuous_are",
    "solve_discrete_are",
    "block_diag",
    "toeplitz",
    "circulant",
    "hankel",
    "solve_toeplitz",
    "matmul_toeplitz",
    "companion",
]
BLAS = ["ddot", "dnrm2", "dasum", "dgemv", "dgemm", "dsymm", "dsyrk", "dtrsm", "zdotc", "dznrm2", "dtrsyl", "dgetrf", "dpotrf"]
OWN = [name for name in NAMES if isinstance(getattr(linalg, name), Primitive) and not name.startswith(("solve_c", "solve_d", "solve_s"))]


def test_every_name_is_public():
    assert set(NAMES) == set(linalg.__all__), set(NAMES) ^ set(linalg.__all__)
    assert set(BLAS) == set(blas.__all__)
    assert all(hasattr(scipy.linalg, name) for name in NAMES)


def drawn(f, number, seed=0):
    found = f.cases[number](np.random.default_rng(seed))
    return (found.args, found.static) if isinstance(found, Case) else (found, {})


def leaves(y):
    return [np.asarray(x) for x in (y if isinstance(y, tuple) else (y,)) if x is not None]


def close(found, expected, tol=1e-10):
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=tol, atol=tol)


@pytest.mark.parametrize("name", OWN)
def test_the_numbers_are_those_of_scipy(name):
    f = getattr(linalg, name)
    for number in range(len(f.cases)):
        args, static = drawn(f, number)
        if any(np.ndim(x) > 2 for x in args if isinstance(x, np.ndarray)) or "transposed" in static:
            continue  # stacks, and what SciPy refuses in some versions, have tests of their own
        single = any(getattr(x, "dtype", None) == np.float32 for x in args)
        close(f(*args, **static), getattr(scipy.linalg, name)(*args, **static), tol=1e-4 if single else 1e-10)


def specs(args):
    shape = lambda x: rb.ShapeDtype(x.shape, x.dtype)
    one = lambda x: tuple(map(one, x)) if isinstance(x, tuple) else None if x is None else x if callable(x) else shape(np.asarray(x))
    return [one(x) for x in args]


@pytest.mark.parametrize("name", OWN)
def test_shapes_and_dtypes_are_those_told_to_tracers(name):
    f = getattr(linalg, name)
    for number in range(len(f.cases)) if f.host else ():
        args, static = drawn(f, number)
        missing = [None] * (len(f.signature.positional) - len(args))
        told = f.result(*specs(args), *missing, **{**f.signature.default_statics, **static})
        for x, spec in zip(
            leaves(f(*args, **static)), [t for t in (told if isinstance(told, tuple) else (told,)) if t is not None], strict=True
        ):
            assert (x.shape, x.dtype) == (spec.shape, spec.dtype)


MATRIX = {  # name -> what is drawn, options
    "inv": (_cases.regular, {}),
    "det": (_cases.regular, {}),
    "lu": (_cases.regular, {}),
    "lu_factor": (_cases.regular, {}),
    "cholesky": (_cases.positive, {"lower": True}),
    "ldl": (_cases.hermitian, {}),
    "qr": (_cases.regular, {"mode": "economic"}),
    "hessenberg": (_cases.normal, {"calc_q": True}),
    "polar": (_cases.regular, {}),
    "svd": (_cases.normal, {}),
    "svdvals": (_cases.normal, {}),
    "eig": (_cases.normal, {}),
    "eigvals": (_cases.normal, {}),
    "eigh": (_cases.hermitian, {}),
    "eigvalsh": (_cases.hermitian, {}),
    "pinv": (_cases.regular, {}),
    "expm": (_cases.normal, {}),
    "logm": (_cases._right_half, {}),
    "sqrtm": (_cases._right_half, {}),
    "sinm": (_cases._small, {}),
    "coshm": (_cases._small, {}),
    "signm": (_cases._right_half, {}),
}


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("dtype", [np.float32, complex])
def test_every_size_and_stacks(name, dtype):
    make, static = MATRIX[name]
    f, rng = getattr(linalg, name), np.random.default_rng(1)
    for n in (1, 2, 5):
        a = make(rng, 2, 3, n, n, dtype=dtype)
        stack = f(a, **static)
        for i in np.ndindex(2, 3):
            one = f(a[i], **static)
            close(tuple(x[i] for x in leaves(stack)), tuple(leaves(one)), tol=1e-4 if dtype is np.float32 else 1e-12)
            assert all(x.dtype.itemsize <= 8 for x in leaves(one) if x.dtype.kind in "fc") or dtype is complex


EMPTY = ["inv", "det", "cholesky", "qr", "svd", "svdvals", "eigh", "pinv", "expm", "logm", "sqrtm", "sinm", "lu_factor", "lu", "schur"]


@pytest.mark.parametrize("name", EMPTY)
def test_matrices_without_entries(name):
    f, a = getattr(linalg, name), np.zeros((0, 0))
    found = leaves(f(a))
    told = f.result(rb.ShapeDtype((0, 0)), **({"b": None} if name == "eigh" else {}), **f.signature.default_statics)
    assert [x.shape for x in found] == [t.shape for t in (told if isinstance(told, tuple) else (told,))]


def test_systems_of_every_form():
    rng = np.random.default_rng(2)
    a, b = _cases.regular(rng, 3, 3), rng.normal(size=(4, 3, 2))
    factors, c = linalg.lu_factor(a), linalg.cho_factor(a @ a.T)
    for solver, full in (
        (lambda b: linalg.solve(a, b), a),
        (lambda b: linalg.lu_solve(factors, b), a),
        (lambda b: linalg.cho_solve(c, b), a @ a.T),
    ):
        np.testing.assert_allclose(full @ solver(b), b, atol=1e-12)
        np.testing.assert_allclose(full @ solver(b[0, :, 0]), b[0, :, 0], atol=1e-12)
        assert solver(b[:, :, :0]).shape == (4, 3, 0)
    np.testing.assert_allclose(linalg.solve(a, b[0], transposed=True), np.linalg.solve(a.T, b[0]), atol=1e-12)
    stack = _cases.regular(rng, 5, 3, 3)
    np.testing.assert_allclose(linalg.solve(stack, b[0, :, 0]), np.linalg.solve(stack, b[0, :, :1])[..., 0], atol=1e-12)


def test_what_is_not_there_is_refused():
    a = np.eye(2)
    with pytest.raises(ValueError, match=r"assume_a has to be None or one of 'gen'.*and is 'fast'"):
        linalg.solve(a, a, assume_a="fast")
    with pytest.raises(TypeError, match="LAPACK has no routines for float16"):
        linalg.inv(a.astype(np.float16))
    for call, message in (
        (lambda: linalg.qr(a, mode="raw"), "mode='raw' has no rule"),
        (lambda: linalg.eigh(a, subset_by_value=(0, 1)), "subset_by_value has no rule"),
        (lambda: linalg.eig(a, homogeneous_eigvals=True), "homogeneous_eigvals=True has no rule"),
        (lambda: linalg.schur(a, sort="lhp"), "sort has no rule"),
    ):
        with pytest.raises(NotImplementedError, match=message):
            call()


def test_integers_become_floating():
    a = np.array([[2, 1], [1, 3]])
    for name in ("inv", "det", "expm", "cholesky", "eigvalsh"):
        found = getattr(linalg, name)(a)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, getattr(scipy.linalg, name)(a.astype(float)))


def test_arguments_are_left_alone():
    a = _cases.positive(np.random.default_rng(3), 3, 3)
    kept = a.copy()
    for name in ("inv", "det", "lu_factor", "cholesky", "eigh", "svd", "qr"):
        option = "overwrite_a"
        getattr(linalg, name)(a, **{option: True})
        np.testing.assert_array_equal(a, kept)


def test_a_pickled_function_is_the_same():
    for name in OWN:
        f = getattr(linalg, name)
        assert pickle.loads(pickle.dumps(f)) is f


def test_blas_is_that_of_scipy_and_of_every_engine():
    rng = np.random.default_rng(4)
    a, b, c = (np.asfortranarray(rng.normal(size=(3, 3)) + 3 * np.eye(3)) for _ in range(3))
    x, y, sym = rng.normal(size=3), rng.normal(size=3), a + a.T
    upper, right = np.triu(a), np.triu(b)
    calls = {
        "ddot": ((x, y), {}),
        "dasum": ((x,), {}),
        "dnrm2": ((x,), {}),
        "dgemv": ((2.0, a, x, 0.5, y), {"trans": 1}),
        "dgemm": ((2.0, a, b, 0.5, c), {"trans_a": 1}),
        "dsymm": ((2.0, sym, b, 0.5, c), {"side": 1, "lower": 1}),
        "dsyrk": ((2.0, a, 0.5, c), {"trans": 1, "lower": 1}),
        "dtrsm": ((2.0, a, b), {"side": 1, "trans_a": 1}),
        "dtrsyl": ((upper, right, c), {"tranb": "T", "isgn": -1}),
        "dgetrf": ((a,), {}),
        "dpotrf": ((a @ a.T,), {"lower": 1, "clean": 0}),
    }
    for name, (args, options) in calls.items():
        f, own = getattr(blas, name), getattr(scipy.linalg.blas, name, None) or getattr(scipy.linalg.lapack, name)
        theirs = (
            own(*args[:3], **({"beta": args[3], "y" if name == "dgemv" else "c": args[4]} if len(args) == 5 else {}), **options)
            if (len(args) != 4)
            else own(*args[:2], beta=args[2], c=args[3], **options)
        )
        close(f(*args, **options), theirs)
        # Along a tangent the derivative of all results, on duals, is what differences give.
        dots = [rng.normal(size=np.shape(v)) if isinstance(v, np.ndarray) else 0.0 for v in args]
        if name == "dtrsyl":
            dots = [np.triu(dots[0]), np.triu(dots[1]), dots[2]]

        def along(t, f=f, args=args, dots=dots, options=options):
            y = f(*(v + t * d if isinstance(v, np.ndarray) else v for v, d in zip(args, dots, strict=True)), **options)
            return y[0] if isinstance(y, tuple) else y

        step = 1e-6
        expected = (np.asarray(along(step)) - np.asarray(along(-step))) / (2 * step)
        np.testing.assert_allclose(rb.jvp(along, (0.0,), (1.0,), engine="dual")[1], expected, atol=1e-7)


def test_complex_blas():
    z, w = np.array([1.0 + 2j, 3j]), np.array([2.0, 1j])
    assert blas.zdotc(z, w) == scipy.linalg.blas.zdotc(z, w)
    assert blas.dznrm2(z) == pytest.approx(scipy.linalg.blas.dznrm2(z))
    found = rb.jvp(lambda t: blas.dznrm2(z + t * w), (0.0,), (1.0,), engine="dual")[1]
    assert found == pytest.approx(np.real(np.vdot(z, w)) / np.linalg.norm(z))
    assert rb.grad(blas.dnrm2, engine="dual")(np.zeros(2)).tolist() == [0.0, 0.0]


def test_a_banded_system_reads_its_diagonals_alone():
    ab = np.array([[7.0, 1.0, 1.0], [4.0, 4.0, 4.0], [1.0, 1.0, 7.0]])
    gradient = rb.grad(lambda ab: np.sum(linalg.solve_banded((1, 1), ab, np.ones(3))), engine="dual")(ab)
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] == gradient[2, 2] == 0.0


def test_warnings_are_those_of_scipy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linalg.funm(np.eye(2), np.sqrt)

"""Patterns found from products with a matrix, and what lies behind a difference."""

import numpy as np
import pytest

from rulebook.operators.sparse import detection, suspicion
from rulebook.operators.sparse.scheme import scheme_of
from rulebook.operators.sparse.sparsity import Sparsity
from rulebook.operators.sparse.verification import verify
from tests.operators_sparse.test_colouring import every, matrix, products
from tests.operators_sparse.tools import arrow, band, pattern, scattered


def found(a, reverse=True, counts=None, **options):
    def forward(directions):
        if counts is not None:
            counts.append(len(directions))
        return directions @ a.T

    back = [lambda directions: directions @ a] * 2 if reverse else None
    made = detection.detect([forward, forward], back, a.shape, a.dtype, **options)
    places = np.zeros(a.shape, bool)
    places[made.rows, made.cols] = True
    return places


@every
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [float, np.float32, complex])
def test_any_pattern(known, reverse, dtype):
    np.testing.assert_array_equal(found(matrix(known, dtype), reverse), known)


def test_differences_cancel_in_no_block():
    known = band(300)
    a = np.diff(np.eye(301), axis=0)[:, :300]
    np.testing.assert_array_equal(found(a), a != 0)
    np.testing.assert_array_equal(found(known * 1e-300), known)


def test_numbers_that_are_not_finite_count():
    a = np.eye(5)
    a[2, 2] = np.inf
    with np.errstate(invalid="ignore"):
        assert (found(a, reverse=False) >= (a != 0)).all()


def test_the_number_of_products_grows_with_the_logarithm():
    counts = {}
    for n in (256, 4096):
        counts[n] = []
        found(band(n).astype(float), counts=counts[n])
    # four parts for two colours, or three in the last levels; two draws; two levels more
    assert sum(counts[256]) <= 2 * 4 * 4 * 3
    assert sum(counts[4096]) - sum(counts[256]) <= 2 * 2 * 4 * 3


def test_a_long_row_is_found_by_itself():
    counts = []
    np.testing.assert_array_equal(found(arrow(256).astype(float), counts=counts), arrow(256))
    assert sum(counts) < 2 * 4 * 4 * 4


def test_products_are_run_in_turn_where_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(detection, "_NUMBERS", 200)
    known = scattered(30, 40, 3)
    np.testing.assert_array_equal(found(matrix(known)), known)


def test_some_rows_alone():
    known = scattered(30, 40, 3)
    rows = np.array([3, 7, 20])
    only = np.isin(np.arange(30), rows)[:, None]
    np.testing.assert_array_equal(found(matrix(known), reverse=False, rows=rows), known & only)


def verdict(a, sparsity, dtype=float, mode=(False, False)):
    scheme = scheme_of(sparsity, *mode, False)
    data, checks = scheme.entries(products(a, scheme, dtype))
    return verify(scheme, data, checks, np.dtype(dtype))


@every
@pytest.mark.parametrize("dtype", [float, np.float32, complex])
def test_rounding_is_no_difference(known, dtype):
    judged = verdict(matrix(known, dtype), Sparsity(known), dtype)
    assert not judged.differs.any()
    assert not judged.unknown.any()
    assert judged.holomorphic


@pytest.mark.parametrize("mode", [(False, False), (True, True)])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-9])
def test_an_entry_outside_of_the_pattern_is_a_difference_in_its_line(mode, size):
    known = band(40)
    for row, col in ((0, 39), (20, 5), (7, 9)):
        a = matrix(known)
        a[row, col] = size
        assert np.flatnonzero(verdict(a, Sparsity(known), mode=mode).differs).tolist() == [col if mode[1] else row]


def test_a_line_with_numbers_that_are_not_finite_is_unknown():
    a = np.diag([1.0, np.inf, 3.0])
    scheme = scheme_of(Sparsity(np.eye(3, dtype=bool)), False, False, False)
    checks = np.array([[2.0, np.inf, 6.0]])
    judged = verify(scheme, a.diagonal(), checks, np.dtype(float))
    assert judged.unknown.tolist() == [False, True, False]


def test_a_missing_entry_is_named():
    a = matrix(band(40))
    a[20, 5] = 1e-12
    lines = np.arange(40)
    assert suspicion.missing(lambda d: d @ a.T, pattern(band(40)), lines, np.dtype(float)) == (20, 5)
    assert suspicion.missing(lambda d: d @ a.T, pattern(a != 0), lines, np.dtype(float)) is None
    assert suspicion.missing(lambda d: d @ a.T, pattern(band(40)), np.array([3, 4]), np.dtype(float)) is None


def test_what_is_rounding_alone_is_not_missing():
    def product(directions):
        """The identity, and what is left of a derivative that cancels."""
        s, c = np.sin(0.7), np.cos(0.7)
        left = np.roll(directions, 1, axis=1)
        return directions + ((left * s) * c * 2 - (left * c) * (2 * s))

    eye = np.eye(64, dtype=bool)
    now = detection.detect([product, product], None, eye.shape, np.dtype(float))
    assert now.nnz > 64  # the rounding is seen
    assert suspicion.missing(product, pattern(eye), np.arange(64), np.dtype(float)) is None

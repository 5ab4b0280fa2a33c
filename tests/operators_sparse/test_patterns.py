"""Patterns: what is read, their transposes and unions."""

import pickle

import numpy as np
import pytest
import scipy.sparse

import rulebook as rb
from rulebook.operators.sparse.pattern import Pattern
from tests.operators_sparse.tools import arrow, band, pattern, scattered


def places(found):
    made = np.zeros(found.shape, bool)
    made[found.rows, found.cols] = True
    return made


def test_a_boolean_array_and_a_sparse_matrix_are_read():
    known = scattered(7, 5, 2)
    np.testing.assert_array_equal(places(pattern(known)), known)
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array):
        np.testing.assert_array_equal(places(pattern(kind(known * 2.5))), known)


def test_stored_zeros_of_a_sparse_matrix_count():
    stored = scipy.sparse.csr_array((np.array([0.0, 1.0]), ([0, 1], [1, 0])), shape=(2, 2))
    np.testing.assert_array_equal(places(pattern(stored)), [[False, True], [True, False]])


def test_places_are_in_order_and_each_once():
    found = Pattern([2, 0, 2, 0], [1, 3, 1, 0], (3, 4))
    assert found.rows.tolist() == [0, 0, 2]
    assert found.cols.tolist() == [0, 3, 1]
    assert found.indptr.tolist() == [0, 2, 2, 3]
    assert found.lists() == [[0, 3], [], [1]]
    assert found.nnz == 3
    assert repr(found) == "<pattern of 3 entries in 3 x 4>"
    with pytest.raises(ValueError, match="read-only"):
        found.rows[0] = 1


def test_transpose_symmetry_and_parts():
    known = scattered(6, 6, 2)
    found = pattern(known)
    np.testing.assert_array_equal(places(found.transposed), known.T)
    np.testing.assert_array_equal(places(found.symmetric), known | known.T)
    np.testing.assert_array_equal(places(found.joined(pattern(np.eye(6, dtype=bool)))), known | np.eye(6, dtype=bool))
    some = np.arange(6) % 2 == 0
    np.testing.assert_array_equal(places(found.of_rows(some)), known & some[:, None])
    np.testing.assert_array_equal(found.contains(found.symmetric), known[found.symmetric.rows, found.symmetric.cols])


def test_rows_that_are_alike_are_kept_once():
    known = np.repeat(scattered(5, 9, 3), 4, axis=0)
    left = places(pattern(known).without_repetitions())
    assert {tuple(row) for row in left if row.any()} == {tuple(row) for row in known}
    assert left.any(axis=1).sum() == len({tuple(row) for row in known})


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (np.eye(3), r"an array of shape \(3, 3\), float64"),
        (np.zeros(3, bool), r"an array of shape \(3,\), bool"),
        ("detected", "'detected'"),
        (True, "True"),
        ([[True]], "a list"),
    ],
)
def test_what_is_no_pattern_is_refused(given, got):
    expected = r'Expected: None, "detect", a matrix of scipy.sparse, a boolean array of two axes, or rb.Sparsity\n'
    with pytest.raises(rb.RuleSignatureError, match=rf"rb.Sparsity, pattern\.\n{expected}Got: {got}\nDo: pass where"):
        rb.Sparsity(given)
    with pytest.raises(rb.RuleSignatureError, match=rf"rb.jacobian of abs, sparsity\.\n{expected}Got: {got}\n"):
        rb.jacobian(abs, sparsity=given)


def test_a_sparsity_says_what_it_is_and_can_be_pickled():
    known = rb.Sparsity(band(6))
    assert repr(known) == "<sparsity of 16 entries in 6 x 6: 3 colours of columns, 3 of rows>"
    again = pickle.loads(pickle.dumps(known))
    assert (again.shape, again.nnz) == (known.shape, known.nnz) == ((6, 6), 16)
    np.testing.assert_array_equal(places(again.pattern), band(6))
    assert known.symmetric is known
    assert rb.Sparsity(np.triu(arrow(4))).symmetric.nnz == arrow(4).sum()

"""Colourings are right, and as good as those known."""

import numpy as np
import pytest

from rulebook.operators.sparse import colouring
from rulebook.operators.sparse.scheme import scheme_of
from rulebook.operators.sparse.sparsity import Sparsity
from tests.operators_sparse.tools import arrow, band, grid, pattern, scattered

PATTERNS = {
    "diagonal": np.eye(30, dtype=bool),
    "tridiagonal": band(30),
    "wide band": band(40, 4),
    "arrow": arrow(30),
    "five points": grid(12),
    "nine points": grid(12, corners=True),
    "scattered": scattered(60, 50, 3),
    "one column": np.ones((20, 1), bool),
    "one row": np.ones((1, 20), bool),
    "full": np.ones((7, 7), bool),
    "empty": np.zeros((5, 6), bool),
    "no rows": np.zeros((0, 4), bool),
    "no columns": np.zeros((4, 0), bool),
    "empty lines": scattered(40, 40, 2) & (np.arange(40) % 3 > 0) & (np.arange(40) % 4 > 0)[:, None],
}
every = pytest.mark.parametrize("known", PATTERNS.values(), ids=PATTERNS)
square = pytest.mark.parametrize("known", [p for p in PATTERNS.values() if p.shape[0] == p.shape[1]])


def count(colours):
    return int(colours.max(initial=-1)) + 1


def matrix(known, dtype=float):
    rng = np.random.default_rng(0)
    values = rng.normal(size=known.shape) + (1j * rng.normal(size=known.shape) if dtype is complex else 0)
    return np.where(known, values, 0).astype(dtype)


def products(a, scheme, dtype):
    """What the seeds of a scheme give for a known matrix."""
    seeds = scheme.seeds(np.dtype(dtype))
    return [[some @ (a.T if part.forward else a) for some in runs] for part, runs in zip(scheme.parts, seeds, strict=True)]


@every
def test_columns_of_one_colour_meet_in_no_row(known):
    colours = colouring.columns(pattern(known))
    np.testing.assert_array_equal(colours < 0, ~known.any(axis=0))
    for colour in range(count(colours)):
        assert known[:, colours == colour].sum(axis=1).max() == 1


@square
def test_a_star_colouring_leaves_no_path_of_four_with_two_colours(known):
    known = known | known.T
    colours = colouring.star(pattern(known))
    beside = [np.flatnonzero(known[i] & (np.arange(len(known)) != i)) for i in range(len(known))]
    for v, near in enumerate(beside):
        assert (colours[near] != colours[v]).all()
        for w in near:
            for x in beside[w]:
                if x != v and colours[x] == colours[v]:
                    assert all(colours[y] != colours[w] for y in beside[x] if y != w)


@pytest.mark.parametrize("n", [3, 4, 10, 101])
def test_known_optima_of_columns(n):
    assert count(colouring.columns(pattern(np.eye(n, dtype=bool)))) == 1
    assert count(colouring.columns(pattern(band(n)))) == 3
    assert count(colouring.columns(pattern(band(n, 2)))) == min(5, n)
    assert count(colouring.columns(pattern(arrow(n)))) == n
    assert count(colouring.columns(pattern(np.ones((2, n), bool)))) == n


@pytest.mark.parametrize("n", [4, 10, 101])
def test_known_optima_of_stars(n):
    assert count(colouring.star(pattern(np.eye(n, dtype=bool)))) == 1
    assert count(colouring.star(pattern(band(n)))) == 3  # a path of four has three colours
    assert count(colouring.star(pattern(arrow(n)))) == 2
    assert count(colouring.star(pattern(arrow(n)[::-1, ::-1]))) == 2
    assert count(colouring.star(pattern(np.ones((n, n), bool)))) == n


def test_grids():
    assert count(colouring.star(pattern(grid(12)))) == 5
    assert count(colouring.columns(pattern(grid(12, corners=True)))) == 9
    assert count(colouring.columns(pattern(grid(12)))) <= 7  # 5 are known, by a formula


@every
@pytest.mark.parametrize("mode", [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("dtype", [float, np.float32, complex])
def test_a_scheme_gives_all_entries(known, mode, dtype):
    a = matrix(known, dtype)
    sparsity = Sparsity(known)
    scheme = scheme_of(sparsity, *mode, False)
    data, checks = scheme.entries(products(a, scheme, dtype))
    np.testing.assert_array_equal(data, a[sparsity.pattern.rows, sparsity.pattern.cols])
    assert data.dtype == a.dtype
    assert len(checks) == (2 if dtype is complex else 1)
    probe = scheme.probe(np.dtype(dtype))
    np.testing.assert_allclose(checks[0], a @ probe if scheme.parts[0].forward else probe @ a, rtol=1e-5, atol=1e-5)


@square
@pytest.mark.parametrize("prefers_pull", [False, True])
def test_a_symmetric_scheme_gives_all_entries(known, prefers_pull):
    a = matrix(known | known.T)
    a = a + a.T
    sparsity = Sparsity(known).symmetric
    scheme = scheme_of(sparsity, True, prefers_pull, True)
    data, _ = scheme.entries(products(a, scheme, float))
    np.testing.assert_array_equal(data, a[sparsity.pattern.rows, sparsity.pattern.cols])
    assert scheme is scheme_of(sparsity, True, prefers_pull, True)


def test_the_cheaper_direction_is_taken():
    tall, wide = np.ones((50, 2), bool), np.ones((2, 50), bool)
    assert [scheme_of(Sparsity(p), True, False, False).parts[0].forward for p in (tall, wide)] == [True, False]
    assert [scheme_of(Sparsity(p), True, False, False).count for p in (tall, wide)] == [2, 2]
    assert scheme_of(Sparsity(wide), False, False, False).count == 50  # no reverse mode
    assert not scheme_of(Sparsity(band(9)), True, True, False).parts[0].forward


def test_long_rows_and_columns_go_in_the_other_direction():
    scheme = scheme_of(Sparsity(arrow(50)), True, False, False)
    assert [part.forward for part in scheme.parts] == [True, False]
    assert scheme.count == 3
    two = arrow(50) | arrow(50)[::-1, ::-1]
    assert scheme_of(Sparsity(two), True, False, False).count <= 6
    assert scheme_of(Sparsity(arrow(50)).symmetric, True, False, True).count == 2


def test_products_that_fill_the_memory_are_run_in_turn(monkeypatch):
    from rulebook.operators.sparse import detection

    monkeypatch.setattr(detection, "_NUMBERS", 100)
    known = scattered(40, 30, 4)
    a, sparsity = matrix(known), Sparsity(known)
    scheme = scheme_of(sparsity, False, False, False)
    assert len(scheme.seeds(np.dtype(float))[0]) > 1
    data, checks = scheme.entries(products(a, scheme, float))
    np.testing.assert_array_equal(data, a[sparsity.pattern.rows, sparsity.pattern.cols])
    np.testing.assert_allclose(checks[0], a @ scheme.probe(np.dtype(float)))

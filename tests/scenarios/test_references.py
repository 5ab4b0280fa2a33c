"""The exact derivatives of the scenarios are those of their functions: compared with differences of NumPy code."""

from __future__ import annotations

import numpy as np
import pytest

from rulebook import trees
from rulebook.testing.scenario import scenarios
from tests.scenarios.differences import Moved, floating, value_at

pytest.importorskip("scipy")

DIRECTIONS = 3


def close(got, expected, limit=2e-8):
    """Equal to some part of the largest number, or of 1."""
    scale = max([1.0, *(float(np.abs(e).max()) for e in expected if np.size(e))])
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=limit * scale)


def leaves(tree):
    return [a for _, a in floating(tree)]


def contracted(derivative, direction, n_results):
    """The leaves of a Jacobian times a direction: results outside, arguments inside."""
    found = leaves(derivative)
    rows = [found[i * len(direction) : (i + 1) * len(direction)] for i in range(n_results)]
    return [sum(np.tensordot(j, d, d.ndim) for j, d in zip(row, direction, strict=True)) for row in rows]


def along_gradient(gradient, direction):
    return [sum(np.sum((np.conj(g) * d).real) for g, d in zip(leaves(gradient), direction, strict=True))]


def check_jvp(scenario, point, moved, limit):
    tangents = point.tangents if scenario.argnums is None or isinstance(scenario.argnums, tuple) else (point.tangents,)
    if not scenario.batch:
        return close(leaves(point.expected), moved.along(leaves(tangents)), limit)
    for k in range(leaves(tangents)[0].shape[0]):
        close([e[k] for e in leaves(point.expected)], moved.along([t[k] for t in leaves(tangents)]), limit)


def check_vjp(scenario, point, moved, limit):
    bars = leaves(point.tangents)
    for direction in moved.directions(DIRECTIONS, 1):
        y_dot = moved.along(direction)
        for k in range(bars[0].shape[0]) if scenario.batch else [...]:
            x_bar = [b[k] for b in leaves(point.expected)]
            pairing = sum(np.sum((np.conj(b[k]) * d).real) for b, d in zip(bars, y_dot, strict=True))
            close(along_gradient(x_bar, direction), [pairing], limit)


def check_grad(scenario, point, moved, limit):
    for direction in moved.directions(DIRECTIONS, 2):
        close(along_gradient(point.expected, direction), [moved.along(direction)[0].real], limit)


def check_jacobian(scenario, point, moved, limit):
    for direction in moved.directions(DIRECTIONS, 3):
        y_dot = moved.along(direction)
        if scenario.sparsity is not None:  # of shape (y.size, x.size)
            direction, y_dot = [d.ravel() for d in direction], [y.ravel() for y in y_dot]
        close(contracted(point.expected, direction, len(y_dot)), y_dot, limit)


def check_derivative(scenario, point, moved, limit):
    close(leaves(point.expected), moved.along([np.ones(())]), limit)


def check_second_derivative(scenario, point, moved, limit):
    close(leaves(point.expected), moved.second([np.ones(())], [np.ones(())]), 100 * limit)


def check_hessian(scenario, point, moved, limit):
    for one, other in zip(moved.directions(DIRECTIONS, 4), moved.directions(DIRECTIONS, 5), strict=True):
        product = contracted(point.expected, other, len(one))
        close(along_gradient(product, one), [moved.second(one, other)[0]], 100 * limit)


def check_hvp(scenario, point, moved, limit):
    dots = leaves(point.tangents)
    for one in moved.directions(DIRECTIONS, 6):
        for k in range(dots[0].shape[0]) if scenario.batch else [...]:
            product = [e[k] for e in leaves(point.expected)]
            close(along_gradient(product, one), [moved.second(one, [d[k] for d in dots])[0]], 100 * limit)


CHECKS = {name.removeprefix("check_"): check for name, check in globals().items() if name.startswith("check_")}
CHECKS["value_and_grad"] = check_grad


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda s: s.name)
def test_the_reference_is_the_derivative(scenario):
    """Differences are taken in double precision; a reference in single precision is as accurate as that."""
    limit = 1e-6 if "float32" in scenario.tags else 2e-8
    for point in scenario.points:
        CHECKS[scenario.operator](scenario, point, Moved(scenario, point), limit)


def test_references_of_single_precision_are_in_it():
    for point in [p for s in scenarios({"float32"}) for p in s.points]:
        assert {np.asarray(leaf).dtype.name for leaf in trees.leaves_of(point.expected)} == {"float32"}


def test_two_points_tell_a_derivative_that_is_kept():
    """Where the derivative depends on the point, those at the two points differ."""
    same = [s.name for s in scenarios(without={"empty"}) if all(map(np.array_equal, *(trees.leaves_of(p.expected) for p in s.points)))]
    assert same == [name for name in same if name.startswith(("affine-hessian", "constant-", "identity-", "linear_solve-"))]


def test_every_scenario_has_the_value_of_its_function():
    for scenario in scenarios():
        for point in scenario.points:
            close([v for v in map(np.asarray, trees.leaves_of(point.value)) if v.dtype.kind in "fc"], value_at(scenario, point, point.args))


def test_there_are_enough_of_every_kind():
    names = [s.name for s in scenarios()]
    assert len(names) == len(set(names)) >= 60
    kinds = ("number", "vector", "matrix")
    for tag in [f"{kind}-{side}" for kind in kinds for side in ("in", "out")]:
        assert len(scenarios({tag})) >= 5, tag
    for tag in ("closure", "constant", "cache", "container", "complex", "float32", "empty", "zero-d", "batch", "argnums", "integer"):
        assert scenarios({tag}), tag
    for tag in ("solver", "rule", "dict", "tuple", "nested", "namedtuple", "dataclass", "host"):
        assert scenarios({tag}), tag

"""The example of optimal transport: the least work is that of a linear program, its derivatives those of differences, in all engines."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")
pytest.importorskip("ot")

import rulebook as rb
from rulebook.testing import check_rules

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/gallery/transport.md").read_text(encoding="utf-8")
ENGINES = [e for e in ("jax", "torch", "autograd", "dual") if e == "dual" or importlib.util.find_spec(e)]
AFFINE = np.array([0.9, 0.15, -0.1, 1.05, 0.2, -0.3])


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("transport_digits", ROOT / "examples/transport_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def threes(example):
    return example.digits(3, 3)


def _generic(threes):
    """Two pictures with ink everywhere, of which no parts have equal sums: the dual solution is unique."""
    rng = np.random.default_rng(0)
    return [ink + rng.uniform(0.1, 1.0, 64) for ink in threes[:2]]


def _differences(f, x, h):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def test_the_work_is_that_of_the_linear_program(example, threes):
    from scipy.optimize import linprog

    ink, target = threes[:2]
    cost = example.squares(example.moved(AFFINE))
    rows, columns = np.kron(np.eye(64), np.ones(64)), np.kron(np.ones(64), np.eye(64))
    shares = np.concatenate([ink / ink.sum(), target / target.sum()])
    program = linprog(cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=shares, bounds=(0, None))
    assert example.work(ink, target, cost) == pytest.approx(program.fun, rel=1e-10)


def test_the_rules_keep_the_laws(example):
    def case(rng):
        return rng.uniform(0.5, 1.5, 5), rng.uniform(0.5, 1.5, 4), rng.uniform(size=(5, 4))

    example.work.case(case)
    check_rules(example.work)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_by_the_map(example, threes, engine):
    ink, target = threes[:2]
    gradient = rb.grad(example.distance, engine=engine)(AFFINE, ink, target)
    expected = _differences(lambda affine: float(example.distance(affine, ink, target)), AFFINE, 1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_by_the_ink(example, threes, engine):
    ink, target = _generic(threes)
    gradients = rb.grad(example.distance, argnums=(1, 2), engine=engine)(AFFINE, ink, target)
    expected = _differences(lambda both: float(example.distance(AFFINE, both[:64], both[64:])), np.append(ink, target), 1e-5)
    np.testing.assert_allclose(np.concatenate(gradients), expected, atol=1e-8)
    assert gradients[0] @ ink == pytest.approx(0, abs=1e-12) and gradients[1] @ target == pytest.approx(0, abs=1e-12)


def test_the_first_ink_at_a_place(example, threes):
    """Where there is none, the derivative is that of adding some; POT's own dual solution is only a bound there."""
    ink, target = _generic(threes)
    empty = threes[0] == 0
    ink[empty] = 0.0
    gradient = rb.grad(example.distance, argnums=1, engine="dual")(AFFINE, ink, target)
    h = 1e-6
    start = example.distance(AFFINE, ink, target)
    expected = [(float(example.distance(AFFINE, ink + h * e, target)) - start) / h for e in np.eye(64)[empty]]
    assert empty.sum() > 20
    np.testing.assert_allclose(gradient[empty], expected, atol=1e-6)


def test_pot_has_the_same_plan_in_torch_and_raises_elsewhere(example, threes):
    import ot

    ink, target = (x / x.sum() for x in threes[:2])
    cost = example.squares(example.moved(AFFINE))
    if "torch" in ENGINES:
        import torch

        traced = torch.tensor(cost, requires_grad=True)
        ot.emd2(torch.tensor(ink), torch.tensor(target), traced).backward()
        np.testing.assert_allclose(rb.grad(example.work, argnums=2, engine="torch")(ink, target, cost), traced.grad, atol=1e-15)
        with pytest.raises(RuntimeError, match="doesn't have storage"):
            torch.func.grad(lambda c: ot.emd2(torch.tensor(ink), torch.tensor(target), c))(torch.tensor(cost))
    if "jax" in ENGINES:
        import jax

        with pytest.raises(jax.errors.TracerArrayConversionError):
            jax.grad(lambda c: ot.emd2(jax.numpy.asarray(ink), jax.numpy.asarray(target), c))(jax.numpy.asarray(cost))


def test_many_pictures_in_one_compiled_program(example, threes):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    mapped = jax.jit(jax.vmap(jax.value_and_grad(example.distance), in_axes=(None, 0, None)))
    for ink, value, gradient in zip(threes[1:], *mapped(AFFINE, threes[1:], threes[0]), strict=True):
        one, slopes = rb.value_and_grad(example.distance, engine="dual")(AFFINE, ink, threes[0])
        assert value == pytest.approx(float(one), rel=1e-14)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-14)


def test_second_order_raises(example, threes):
    """The rules are host code: the plan of one cost is no function that could be differentiated again."""
    engine = ENGINES[0]
    with pytest.raises(rb.HigherOrderError, match="work"):
        rb.hessian(example.distance, engine=engine)(AFFINE, *threes[:2])


@pytest.fixture(scope="module")
def fitted(example, threes):
    return functools.cache(lambda engine: [example.fit(engine, ink, threes[0]) for ink in threes[1:]])


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_lays_the_digits_alike(fitted, engine):
    expected = [[0.85591, 0.15740, -0.04905, 0.96439, -0.16222, 0.16060], [0.83925, 0.24339, -0.08365, 0.93931, -0.17080, 0.24137]]
    for found, first, map_ in zip(fitted(engine), fitted("dual"), expected, strict=True):
        np.testing.assert_allclose(found.affine, map_, atol=1e-5)
        np.testing.assert_allclose(found.affine, first.affine, atol=1e-8)
        np.testing.assert_allclose(found.gradient, first.gradient, atol=1e-13)
        np.testing.assert_allclose(found.wanted, first.wanted, atol=1e-8)
        assert found.after < 0.6 * found.before


def test_the_table(example, capsys):
    example.main(["--engines", "dual", "--count", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "dual"
    assert "\n".join(lines[3:]) in PAGE


def test_the_plot(example, fitted, threes, tmp_path):
    pytest.importorskip("matplotlib")
    example.plot(fitted("dual"), threes[1:], threes[0], str(tmp_path / "digits.svg"))
    assert (tmp_path / "digits.svg").read_text().startswith("<?xml")

"""The matrix equations under the transformations of JAX."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("scipy")

from jax import numpy as jnp  # noqa: E402

import rulebook as rb  # noqa: E402
from rulebook.rules import linalg  # noqa: E402
from tests.rules.calls import SOLVERS, arguments, decompositions  # noqa: E402

solvers = pytest.mark.parametrize("f", SOLVERS, ids=lambda f: f.__name__)


def total(f):
    return lambda *args: jnp.sum(f(*args) * jnp.arange(1.0, 10.0).reshape(3, 3))


def axes_of(f):
    """Every argument batched, the first alone, the last alone, and the first along its last axis."""
    n = len(arguments(f))
    first = [None] * n
    return [(0,) * n, (0, *first[1:]), (*first[1:], 0), (2, *first[1:])]


def batch(f, axes):
    """Arguments with a batch of three along the axes, and those of each member."""
    args = [arguments(f, 3) if d is not None else arguments(f) for d in axes]
    args = [x[i] for i, x in enumerate(args)]
    members = [[x if d is None else x[k] for x, d in zip(args, axes, strict=True)] for k in range(3)]
    return [x if d is None else np.moveaxis(x, 0, d) for x, d in zip(args, axes, strict=True)], members


@solvers
def test_vmap_is_a_loop(f):
    for axes in axes_of(f):
        args, members = batch(f, axes)
        expected = [f(*member) for member in members]
        np.testing.assert_allclose(jax.vmap(f, axes)(*args), expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(jax.jit(jax.vmap(f, axes))(*args), expected, rtol=1e-9, atol=1e-12)


@solvers
def test_vmap_of_grad_is_a_loop(f):
    gradient = jax.grad(total(f), argnums=(0, 1))
    args, members = batch(f, axes_of(f)[0])
    weighted = lambda *args: np.sum(f(*args) * np.arange(1.0, 10.0).reshape(3, 3))
    expected = [rb.grad(weighted, argnums=(0, 1), engine="dual")(*member) for member in members]
    for found in (jax.vmap(gradient)(*args), jax.jit(jax.vmap(gradient))(*args), jax.vmap(jax.jit(gradient))(*args)):
        for i in range(2):
            np.testing.assert_allclose(found[i], [g[i] for g in expected], rtol=1e-7, atol=1e-9)


@solvers
def test_grad_of_vmap_sums_over_what_is_shared(f):
    axes = axes_of(f)[1]
    args, members = batch(f, axes)
    found = jax.jit(jax.grad(lambda *args: jnp.sum(jax.vmap(total(f), axes)(*args)), argnums=1))(*args)
    np.testing.assert_allclose(found, sum(jax.grad(total(f), argnums=1)(*member) for member in members), rtol=1e-7, atol=1e-9)


@solvers
def test_jacobians_agree(f):
    args = arguments(f)
    for i in (0, len(args) - 1):
        forward = jax.jit(jax.jacfwd(f, i))(*args)
        np.testing.assert_allclose(jax.jit(jax.jacrev(f, i))(*args), forward, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(jax.jacfwd(f, i)(*args), forward, rtol=1e-9, atol=1e-12)


def test_a_jacobian_decomposes_shared_matrices_once(monkeypatch):
    args = [jnp.asarray(x) for x in arguments(linalg.solve_sylvester)]
    for derive in (jax.jacfwd, jax.jacrev):
        compiled = jax.jit(derive(linalg.solve_sylvester, (0, 1, 2)))
        compiled(*args)
        with decompositions(monkeypatch) as calls:
            jax.block_until_ready(compiled(*args))
        assert len(calls) == 4  # of a and b, for the solution and for all its tangents or cotangents


@pytest.mark.parametrize("f", [linalg.solve_discrete_lyapunov, linalg.solve_continuous_are], ids=lambda f: f.__name__)
def test_hessian_under_jit(f):
    args = arguments(f)
    direction = np.random.default_rng(5).normal(size=args[0].shape)
    along = lambda t: total(f)(args[0] + t * direction, *args[1:])
    hessian = jax.jit(jax.hessian(total(f)))(*args)
    assert jnp.einsum("ij,ijkl,kl", direction, hessian, direction) == pytest.approx(float(jax.grad(jax.grad(along))(0.0)), rel=1e-8)


def test_in_loops_and_branches():
    a, q = arguments(linalg.solve_continuous_lyapunov)

    def iterate(a):
        step = lambda x, _: (linalg.solve_continuous_lyapunov(a, q + 0.1 * x), None)
        return jax.lax.scan(jax.checkpoint(step), jnp.zeros((3, 3)), None, length=3)[0].sum()

    def unrolled(a):
        x = np.zeros((3, 3))
        for _ in range(3):
            x = linalg.solve_continuous_lyapunov(a, q + 0.1 * x)
        return rb.xp(x).sum(x)

    found = jax.jit(jax.grad(iterate))(a)
    np.testing.assert_allclose(found, rb.grad(unrolled, engine="dual")(a), rtol=1e-8)
    branch = jax.jit(jax.grad(lambda a: jax.lax.cond(a[0, 0] < 0, lambda: total(linalg.solve_continuous_lyapunov)(a, q), lambda: a.sum())))
    np.testing.assert_allclose(branch(a), jax.grad(total(linalg.solve_continuous_lyapunov))(a, q), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
@solvers
def test_dtypes_stay_under_jit(f, dtype):
    args = arguments(f, dtype=dtype)
    x, bars = jax.jit(jax.value_and_grad(lambda *args: jnp.sum(jnp.real(f(*args))), argnums=(0, 1)))(*args)
    assert x.dtype == np.finfo(dtype).dtype
    assert [b.dtype for b in bars] == [dtype, dtype]
    assert jax.jit(f)(*args).dtype == dtype


def test_optional_arguments_and_options_under_jit():
    a, b, q, r = arguments(linalg.solve_continuous_are)
    e, s = np.eye(3) + 0.1 * b, 0.1 * a
    for extra in ({}, {"e": e}, {"s": s}, {"e": e, "s": s}, {"balanced": False}):
        traced = jax.jit(lambda a, extra=extra: linalg.solve_continuous_are(a, b, q, r, **extra))
        np.testing.assert_allclose(traced(a), linalg.solve_continuous_are(a, b, q, r, **extra), rtol=1e-9)
    traced = jax.jit(lambda r: linalg.solve_continuous_are(a, b[:, :1], q, r))
    np.testing.assert_allclose(jax.vmap(traced)(jnp.array([1.0, 2.0]))[1], linalg.solve_continuous_are(a, b[:, :1], q, 2.0), rtol=1e-9)


def test_integers_under_jit():
    a, q = np.array([[-1, 0], [0, -2]]), np.eye(2)
    found = jax.jit(jax.grad(lambda q: linalg.solve_continuous_lyapunov(a, q).sum()))(q)
    np.testing.assert_allclose(found, [[-0.5, -1 / 3], [-1 / 3, -0.25]])


def test_a_singular_equation_is_told_under_jit():
    one = np.eye(2)
    with pytest.raises(np.linalg.LinAlgError, match="the equation is singular"):
        jax.block_until_ready(jax.jit(linalg.solve_sylvester)(one, -one, one))
    np.testing.assert_allclose(jax.jit(linalg.solve_sylvester)(one, one, one), one / 2)

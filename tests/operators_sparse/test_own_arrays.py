"""Arrays of an engine give sparse matrices of the engine, where it has them."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse

import rulebook as rb
from tests.operators_sparse.tools import INSTALLED, band, chain, dense, rosenbrock

X = np.random.default_rng(0).normal(size=12)
with_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
with_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")


@with_jax
@pytest.mark.parametrize("operator", [rb.jacobian, rb.hessian])
def test_jax_gives_bcoo(operator):
    import jax.numpy as jnp
    from jax.experimental import sparse

    f = chain if operator is rb.jacobian else rosenbrock
    expected = dense(operator, f, X, engine="jax")
    x = jnp.asarray(X)
    for found in (operator(f, sparsity="detect")(x), rb.prepare(operator, f, x, sparsity=band(12))(x)):
        assert isinstance(found, sparse.BCOO)
        assert found.nse == np.count_nonzero(band(12))
        np.testing.assert_allclose(found.todense(), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found @ x, expected @ X, rtol=1e-12, atol=1e-12)


@with_torch
@pytest.mark.parametrize("operator", [rb.jacobian, rb.hessian])
def test_torch_gives_coo(operator):
    import torch

    f = chain if operator is rb.jacobian else rosenbrock
    expected = dense(operator, f, X, engine="torch")
    x = torch.from_numpy(X)
    for found in (operator(f, sparsity="detect")(x), rb.prepare(operator, f, x, sparsity=band(12))(x)):
        assert found.layout is torch.sparse_coo
        assert found.is_coalesced()
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.to_dense(), expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found @ x, expected @ X, rtol=1e-12, atol=1e-12)


@with_jax
@pytest.mark.parametrize("sparsity", ["detect", band(12)])
def test_in_a_program_that_is_traced(sparsity):
    import jax

    with pytest.raises(
        rb.RuleSignatureError, match=r"rb.jacobian of chain.*, sparsity\.\nExpected: numbers.*\nGot: a value that is traced"
    ):
        jax.jit(rb.jacobian(chain, engine="jax", sparsity=sparsity))(X)


@with_jax
def test_a_function_of_jax_that_asks_for_numbers():
    f = lambda x: x**2 if x[0] > -100 else x
    found = rb.jacobian(f, engine="jax", sparsity="detect")(X)
    np.testing.assert_allclose(found.toarray(), np.diag(2 * X))


@with_torch
def test_compiled_by_torch():
    import torch

    torch._dynamo.reset()
    prepared = rb.prepare(rb.jacobian, chain, X, engine="torch", sparsity=band(12), compile={"backend": "eager"})
    np.testing.assert_allclose(prepared(X + 1).toarray(), dense(rb.jacobian, chain, X + 1, engine="torch"), rtol=1e-13)


@pytest.mark.parametrize("engine", INSTALLED)
def test_threads_share_a_prepared_one(engine):
    prepared = rb.prepare(rb.jacobian, chain, X, engine=engine, sparsity="detect")
    points = [X * k for k in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(prepared, points))
    for x, one in zip(points, found, strict=True):
        assert isinstance(one, scipy.sparse.csr_array)
        np.testing.assert_array_equal(one.toarray(), prepared(x).toarray())

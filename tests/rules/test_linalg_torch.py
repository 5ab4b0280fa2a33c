"""The matrix equations under the transformations of torch."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

import rulebook as rb  # noqa: E402
from rulebook.rules import linalg  # noqa: E402
from tests.rules.calls import SOLVERS, arguments, decompositions  # noqa: E402

solvers = pytest.mark.parametrize("f", SOLVERS, ids=lambda f: f.__name__)
WEIGHT = torch.arange(1.0, 10.0, dtype=torch.float64).reshape(3, 3)


def total(f):
    return lambda *args: (f(*args) * WEIGHT).sum()


def expected_gradients(f, args):
    return rb.grad(lambda *args: np.sum(f(*args) * WEIGHT.numpy()), argnums=tuple(range(len(args))), engine="dual")(*args)


def tensors(args, track=False):
    return [torch.from_numpy(x.copy()).requires_grad_(track) for x in args]


@solvers
def test_backward(f):
    args = arguments(f)
    leaves = tensors(args, track=True)
    total(f)(*leaves).backward()
    for leaf, expected in zip(leaves, expected_gradients(f, args), strict=True):
        np.testing.assert_allclose(leaf.grad, expected, rtol=1e-9, atol=1e-12)


@solvers
def test_gradcheck_to_second_order(f):
    """torch's own checks; only for Hermitian weights is the primal defined, so that they are held fixed."""
    args = tensors(arguments(f), track=True)
    if "are" in f.__name__:
        args[2:] = [x.detach() for x in args[2:]]
    assert torch.autograd.gradcheck(f, args, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=False)
    assert torch.autograd.gradgradcheck(f, args, check_fwd_over_rev=True)


@solvers
def test_vmap_is_a_loop(f):
    n = len(arguments(f))
    first = (None,) * (n - 1)
    for axes in ((0,) * n, (0, *first), (*first, 0), (2, *first)):
        args = [(arguments(f, 3) if d is not None else arguments(f))[i] for i, d in enumerate(axes)]
        expected = [f(*(x if d is None else x[k] for x, d in zip(args, axes, strict=True))) for k in range(3)]
        moved = [x if d is None else np.moveaxis(x, 0, d) for x, d in zip(args, axes, strict=True)]
        np.testing.assert_allclose(torch.vmap(f, axes)(*tensors(moved)), expected, rtol=1e-9, atol=1e-12)


@solvers
def test_vmap_of_grad_is_a_loop(f):
    args = arguments(f, 3)
    every = tuple(range(len(args)))
    found = torch.vmap(torch.func.grad(total(f), every))(*tensors(args))
    for k in range(3):
        for got, expected in zip(found, expected_gradients(f, [x[k] for x in args]), strict=True):
            np.testing.assert_allclose(got[k], expected, rtol=1e-8, atol=1e-10)


@solvers
def test_jacobians_agree(f):
    args = tensors(arguments(f))
    for i in (0, len(args) - 1):
        np.testing.assert_allclose(torch.func.jacrev(f, i)(*args), torch.func.jacfwd(f, i)(*args), rtol=1e-7, atol=1e-9)


def test_a_jacobian_decomposes_shared_matrices_once(monkeypatch):
    args = tensors(arguments(linalg.solve_sylvester))
    for derive in (torch.func.jacfwd, torch.func.jacrev):
        with decompositions(monkeypatch) as calls:
            derive(linalg.solve_sylvester, (0, 1, 2))(*args)
        assert len(calls) == 4  # of a and b, for the solution and for all its tangents or cotangents


@pytest.mark.parametrize("f", [linalg.solve_discrete_lyapunov, linalg.solve_continuous_are], ids=lambda f: f.__name__)
def test_hessian(f):
    args = tensors(arguments(f))
    direction = torch.from_numpy(np.random.default_rng(5).normal(size=(3, 3)))
    hessian = torch.func.hessian(total(f))(*args)
    along = lambda t: total(f)(args[0] + t * direction, *args[1:])
    second = torch.func.grad(torch.func.grad(along))(torch.zeros((), dtype=torch.float64))
    assert float(torch.einsum("ij,ijkl,kl", direction, hessian, direction)) == pytest.approx(float(second), rel=1e-8)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # inductor, as it is loaded
@solvers
def test_compiled(f):
    """In one graph, forward and backward."""
    args = arguments(f)
    torch._dynamo.reset()
    compiled = torch.compile(total(f), fullgraph=True)
    for scale in (1.0, 0.9):
        scaled = [scale * x for x in args]
        leaves = tensors(scaled, track=True)
        value = compiled(*leaves)
        assert float(value.detach()) == pytest.approx(float(np.sum(f(*scaled) * WEIGHT.numpy())), rel=1e-9)
        value.backward()
        for leaf, expected in zip(leaves, expected_gradients(f, scaled), strict=True):
            np.testing.assert_allclose(leaf.grad, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.complex128])
@solvers
def test_dtypes_stay(f, dtype):
    args = [x.to(dtype).requires_grad_() for x in tensors(arguments(f))]
    y = f(*args)
    y.abs().sum().backward()
    assert [x.grad.dtype for x in args] == [dtype] * len(args)
    assert y.dtype == dtype

"""odeint in torch: double backward, compiled code, batches, modules."""

import pytest

from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import PREY, logistic, logistic_solution, predator_prey

torch = pytest.importorskip("torch")


def loss(y0, t, rates, **options):
    return (odeint(predator_prey, y0, t, rates, **options)[1:] ** 2).sum()


def tensors():
    return [torch.tensor(a, requires_grad=True) for a in PREY]


def test_gradcheck_of_second_order():
    run = lambda y0, t, rates: odeint(predator_prey, y0, t, rates, method="heun")
    y0, t, rates = tensors()
    xs = y0, t[:3].detach().requires_grad_(), rates
    assert torch.autograd.gradcheck(run, xs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(run, xs, check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize("method", ["rk4", "DOP853"])
def test_compiled(method):
    if method == "DOP853":
        pytest.importorskip("scipy")
    run = lambda y0, t, rates: loss(y0, t, rates, method=method)
    xs = tensors()
    expected = torch.autograd.grad(run(*xs), xs)
    found = torch.autograd.grad(torch.compile(run, backend="aot_eager", fullgraph=True)(*xs), xs)
    for x_bar, other in zip(found, expected, strict=True):
        torch.testing.assert_close(x_bar, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", ["rk4", "RK45"])
def test_batches_of_gradients_and_hessians(method):
    if method == "RK45":
        pytest.importorskip("scipy")
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    options = {"method": method, **({"steps": 20} if method == "rk4" else {})}
    run = lambda p: odeint(logistic, torch.tensor(0.5, dtype=p.dtype), t, p[0], p[1], **options)[-1]
    exact = lambda p: logistic_solution(0.5, t, p[0], p[1])[-1]
    points = torch.tensor([[1.3, 2.0], [0.4, 1.5]], dtype=torch.float64)
    close = {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(run))(points), torch.func.vmap(torch.func.grad(exact))(points), **close)
    torch.testing.assert_close(torch.func.hessian(run)(points[0]), torch.func.hessian(exact)(points[0]), **close)


def test_modules_are_differentiated():
    """The parameters of a module that the field captured."""
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 2, dtype=torch.float64)
    y0, t, _ = tensors()
    out = odeint(lambda y, t: torch.tanh(net(y)), y0, t, method="midpoint", steps=2)
    found = torch.autograd.grad((out**2).sum(), tuple(net.parameters()))

    def plain(y):
        rows = [y]
        for i in range(3):
            h = (t[i + 1] - t[i]) / 2
            for _ in range(2):
                y = y + h * torch.tanh(net(y + h / 2 * torch.tanh(net(y))))
            rows.append(y)
        return torch.stack(rows)

    expected = torch.autograd.grad((plain(y0) ** 2).sum(), tuple(net.parameters()))
    for x_bar, other in zip(found, expected, strict=True):
        torch.testing.assert_close(x_bar, other, rtol=1e-12, atol=1e-12)

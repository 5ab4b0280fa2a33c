"""odeint under what one engine alone has: compiled programs, batches, double backward."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit.ode import odeint
from tests.implicit.ode_problems import PREY, logistic, logistic_solution, predator_prey


def loss(y0, t, rates, **options):
    return (odeint(predator_prey, y0, t, rates, **options)[1:] ** 2).sum()


class TestJax:
    jax = pytest.importorskip("jax")

    def test_the_program_does_not_grow_with_the_steps(self):
        def size(steps, order):
            fn = lambda rates: loss(PREY[0], PREY[1], rates, method="rk4", steps=steps)
            for _ in range(order):
                fn = lambda rates, fn=fn: self.jax.grad(fn)(rates).sum()
            return str(self.jax.make_jaxpr(fn)(PREY[2])).count(" = ")

        for order in (0, 1, 2):
            assert size(3, order) == size(300, order)

    def test_only_states_are_stored(self):
        """A scan that JAX differentiates stores what each of the four stages left."""
        n, steps = 50, 400
        matrix, y0 = np.random.default_rng(0).normal(size=(n, n)) / n, np.ones(n)
        field = lambda y, t, a: rb.xp(a).tanh(a @ y)

        def plain(y0, a):
            h = 1.0 / steps

            def step(y, _):
                k1 = field(y, 0.0, a)
                k2 = field(y + h / 2 * k1, 0.0, a)
                k3 = field(y + h / 2 * k2, 0.0, a)
                return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + field(y + h * k3, 0.0, a)), None

            return self.jax.lax.scan(step, y0, None, length=steps)[0]

        ours = lambda y0, a: odeint(field, y0, np.array([0.0, 1.0]), a, method="rk4", steps=steps)[-1]

        def memory(run):
            compiled = self.jax.jit(self.jax.grad(lambda y0, a: run(y0, a).sum(), argnums=(0, 1))).lower(y0, matrix).compile()
            return compiled.memory_analysis().temp_size_in_bytes / (8 * n * steps)

        assert memory(ours) < 4.5  # in states; a scan keeps the stages as well
        assert memory(plain) > 8

    @pytest.mark.parametrize("method", ["rk4", "RK45"])
    def test_batches_of_gradients(self, method):
        if method == "RK45":
            pytest.importorskip("scipy")
        options = {"method": method, **({"steps": 4} if method == "rk4" else {})}
        grad = self.jax.grad(lambda y0, rates: loss(y0, PREY[1], rates, **options), argnums=(0, 1))
        starts = PREY[0] * np.array([[1.0], [1.2], [0.7]])
        found = self.jax.jit(self.jax.vmap(grad, in_axes=(0, None)))(starts, PREY[2])
        for i, y0 in enumerate(starts):
            for x_bar, expected in zip(found, grad(y0, PREY[2]), strict=True):
                np.testing.assert_allclose(x_bar[i], expected, rtol=1e-6 if method == "RK45" else 1e-12)

    def test_hessians_under_jit(self):
        pytest.importorskip("scipy")
        run = lambda p: odeint(logistic, 0.5, np.array([0.0, 1.0]), p[0], p[1], rtol=1e-9, atol=1e-10)[-1]
        exact = lambda p: logistic_solution(0.5, np.array([0.0, 1.0]), p[0], p[1])[-1]
        p = np.array([1.3, 2.0])
        np.testing.assert_allclose(self.jax.jit(self.jax.hessian(run))(p), self.jax.hessian(exact)(p), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(self.jax.jit(self.jax.jacrev(self.jax.jacfwd(run)))(p), self.jax.hessian(exact)(p), rtol=1e-5, atol=1e-7)


class TestTorch:
    torch = pytest.importorskip("torch")

    def tensors(self):
        return [self.torch.tensor(a, requires_grad=True) for a in PREY]

    def test_gradcheck_of_second_order(self):
        run = lambda y0, t, rates: odeint(predator_prey, y0, t, rates, method="heun", steps=2)
        assert self.torch.autograd.gradcheck(run, self.tensors(), check_forward_ad=True, check_batched_grad=True)
        assert self.torch.autograd.gradgradcheck(run, self.tensors(), check_fwd_over_rev=True, check_rev_over_rev=True)

    @pytest.mark.parametrize("method", ["rk4", "DOP853"])
    def test_compiled(self, method):
        if method == "DOP853":
            pytest.importorskip("scipy")
        run = lambda y0, t, rates: loss(y0, t, rates, method=method)
        xs = self.tensors()
        expected = self.torch.autograd.grad(run(*xs), xs)
        found = self.torch.autograd.grad(self.torch.compile(run, backend="aot_eager", fullgraph=True)(*xs), xs)
        for x_bar, other in zip(found, expected, strict=True):
            self.torch.testing.assert_close(x_bar, other, rtol=1e-9, atol=1e-9)

    @pytest.mark.parametrize("method", ["rk4", "RK45"])
    def test_batches_of_gradients_and_hessians(self, method):
        if method == "RK45":
            pytest.importorskip("scipy")
        t = self.torch.tensor([0.0, 1.0], dtype=self.torch.float64)
        options = {"method": method, **({"steps": 20} if method == "rk4" else {})}
        run = lambda p: odeint(logistic, self.torch.tensor(0.5, dtype=p.dtype), t, p[0], p[1], **options)[-1]
        exact = lambda p: logistic_solution(0.5, t, p[0], p[1])[-1]
        points = self.torch.tensor([[1.3, 2.0], [0.4, 1.5]], dtype=self.torch.float64)
        close = {"rtol": 1e-5, "atol": 1e-6}
        self.torch.testing.assert_close(
            self.torch.func.vmap(self.torch.func.grad(run))(points), self.torch.func.vmap(self.torch.func.grad(exact))(points), **close
        )
        self.torch.testing.assert_close(self.torch.func.hessian(run)(points[0]), self.torch.func.hessian(exact)(points[0]), **close)

    def test_modules_are_differentiated(self):
        """The parameters of a module that the field captured."""
        self.torch.manual_seed(0)
        net = self.torch.nn.Linear(2, 2, dtype=self.torch.float64)
        y0, t, _ = self.tensors()
        out = odeint(lambda y, t: self.torch.tanh(net(y)), y0, t, method="midpoint", steps=2)
        found = self.torch.autograd.grad((out**2).sum(), tuple(net.parameters()))

        def plain(y):
            rows = [y]
            for i in range(3):
                h = (t[i + 1] - t[i]) / 2
                for _ in range(2):
                    y = y + h * self.torch.tanh(net(y + h / 2 * self.torch.tanh(net(y))))
                rows.append(y)
            return self.torch.stack(rows)

        expected = self.torch.autograd.grad((plain(y0) ** 2).sum(), tuple(net.parameters()))
        for x_bar, other in zip(found, expected, strict=True):
            self.torch.testing.assert_close(x_bar, other, rtol=1e-12, atol=1e-12)

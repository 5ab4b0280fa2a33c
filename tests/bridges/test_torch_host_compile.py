"""Host code in the torch bridge under torch.compile and torch.export."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import engine_names, load_engine
from rulebook.residuals import RESIDUALS
from tests.bridges import test_torch_host as eager

torch = pytest.importorskip("torch")

from torch import func  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

BACKENDS = ("aot_eager", "inductor")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for name in engine_names():  # a bridge that is loaded while dynamo records raises
        if name in sys.modules:
            load_engine(name)
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)  # inductor, as it is loaded
        yield
    torch._dynamo.reset()


def compiled(f: Callable[..., Any], backend: str = "aot_eager", **options: Any) -> Callable[..., Any]:
    return torch.compile(f, fullgraph=True, backend=backend, **options)


def solver(**options: Any) -> tuple[Any, list[int]]:
    """a^-1 b by a factorisation that the pullback uses again, and how often it was made; derivatives times 1000."""
    runs = [0]

    def inverse(a: Any) -> Any:
        runs[0] += 1
        return np.linalg.inv(a)

    f = rb.primitive(lambda a, b: inverse(a) @ b, host=True, name="solver", result=lambda a, b: b, **options)

    @rb.rrule(f, host=True)
    def _(a, b):
        held = inverse(a)
        y = held @ b

        def pull(y_bar):  # a and y must still be what they were
            b_bar = eager.REVERSE * (held @ a @ held).T @ y_bar
            return -np.outer(b_bar, y), b_bar

        return y, pull

    return f, runs


def system(n: int = 3) -> tuple[Any, Any]:
    a = torch.eye(n, dtype=torch.float64) * n + torch.arange(n * n, dtype=torch.float64).reshape(n, n) / (n * n)
    return a, torch.linspace(0.5, 1.5, n, dtype=torch.float64)


def leaves(*values: Any) -> tuple[Any, ...]:
    return tuple(v.clone().requires_grad_() for v in values)


def loss(f: Any) -> Callable[..., Any]:
    """Intermediate values as arguments, so that their memory may be used again."""
    return lambda a, b: (torch.sin(f(a * 1.0, torch.cos(b))) * torch.sin(b) * 3).sum()


def expected_gradients(a: Any, b: Any) -> list[Any]:
    """By torch's own solve, with the derivative of the solve times 1000."""
    p, q = leaves(a, torch.cos(b))
    y = torch.linalg.solve(p, q)
    outer = leaves(y.detach(), b)
    torch.sin(outer[0]).mul(torch.sin(outer[1])).mul(3).sum().backward()
    p_bar, q_bar = torch.autograd.grad(y, (p, q), eager.REVERSE * outer[0].grad)
    return [p_bar, outer[1].grad - q_bar * torch.sin(b)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_residuals_reach_the_backward_pass_and_nothing_is_solved_twice(backend: str) -> None:
    f, runs = solver()
    run = compiled(loss(f), backend)
    for scale in (1.0, 2.0, 0.5):  # the first call, and the same program at other values
        a, b = (scale * v for v in system())
        runs[0], missed = 0, RESIDUALS.missed
        args = leaves(a, b)
        torch.testing.assert_close(list(torch.autograd.grad(run(*args), args)), expected_gradients(a, b))
        assert (runs[0], RESIDUALS.missed) == (1, missed)


def test_a_program_may_pull_twice() -> None:
    f, runs = solver()
    with torch._functorch.config.patch(donated_buffer=False):  # torch's condition
        args = leaves(*system())
        y = compiled(loss(f))(*args)
        for retain in (True, False):
            torch.testing.assert_close(list(torch.autograd.grad(y, args, retain_graph=retain)), expected_gradients(*system()))
    assert runs[0] == 1


def test_a_residual_that_is_gone_is_computed_again() -> None:
    f, runs = solver()
    run = compiled(loss(f))
    args = leaves(*system())
    y = run(*args)
    RESIDUALS.clear()
    torch.testing.assert_close(list(torch.autograd.grad(y, args)), expected_gradients(*system()))
    assert runs[0] == 2


def test_residuals_are_freed_when_nobody_can_ask_for_them() -> None:
    f, runs = solver()
    run = compiled(loss(f))
    args = leaves(*system(40))
    RESIDUALS.clear()
    for i in range(100):
        y = run(*args)
        assert len(RESIDUALS) == 1
        if i % 3:  # a third of the gradients is never asked for
            torch.autograd.grad(y, args)
            assert len(RESIDUALS) == 0
    assert runs[0] == 100
    del y
    ys = [run(*args) for _ in range(5)]
    assert len(RESIDUALS) == 5
    del ys
    assert (len(RESIDUALS), RESIDUALS._bytes) == (0, 0)


def test_residuals_are_bounded() -> None:
    f, runs = solver()
    run = compiled(loss(f))
    args = leaves(*system(40))
    size = 40 * 40 * 8
    run(*args)
    with rb.config(host_memory=8 * size):
        ys = [run(*args) for _ in range(20)]
        assert 1 < len(RESIDUALS) <= 8
        runs[0] = 0
        for y in ys:
            torch.testing.assert_close(list(torch.autograd.grad(y, args)), expected_gradients(*system(40)))
        assert 20 > runs[0] >= 12  # what was dropped is made again


def test_tokens_of_a_batch_are_freed_together() -> None:
    f, runs = solver()
    a, b = system()
    RESIDUALS.clear()
    rows = torch.stack([b, 2 * b])
    func.vmap(func.grad(lambda b: f(a, b).sum()))(rows)
    assert runs[0] == 2
    compiled(lambda rows: func.vmap(func.grad(lambda b: f(a, b).sum()))(rows))(rows)
    assert runs[0] == 4
    assert len(RESIDUALS) == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", eager.KINDS)
def test_transformations_inside_compiled_code(kind: str, backend: str) -> None:
    f, _ = eager.make(kind, True, "host", "host")
    names = ["func.grad", "jacrev", "vmap of grad", "jvp", "grad of vmap", "jacfwd", "vmap"]
    rows = eager._rows()
    transforms: dict[str, Callable[[Any], Any]] = {
        "func.grad": lambda f: lambda x, w: func.grad(eager.SUM(f), (0, 1))(x, w),
        "jacrev": lambda f: lambda x, w: func.jacrev(f)(x, w),
        "jacfwd": lambda f: lambda x, w: func.jacfwd(f)(x, w),
        "jvp": lambda f: lambda x, w: func.jvp(f, (x, w), (w, x))[1],
        "vmap of grad": lambda f: lambda x, w: func.vmap(func.grad(eager.SUM(f)), in_dims=(1, None))(x, w),
        "grad of vmap": lambda f: lambda x, w: func.grad(lambda x, w: func.vmap(f, in_dims=(1, None))(x, w).sum())(x, w),
        "vmap": lambda f: lambda x, w: func.vmap(f, in_dims=(1, None))(x, w),
    }
    for name in names if kind == "closed" and backend == "aot_eager" else names[2:4]:
        args = rows if "vmap" in name else eager.point()
        marker = 1.0 if name == "vmap" else eager.FORWARD if name in ("jvp", "jacfwd") else eager.REVERSE
        found, expected = compiled(transforms[name](f), backend)(*args), transforms[name](eager.plain)(*args)
        scaled = tuple(marker * e for e in expected) if isinstance(expected, tuple) else marker * expected
        torch.testing.assert_close(found, scaled, msg=lambda m, name=name: f"{name} {m}")


def test_second_order_raises_in_compiled_code_too() -> None:
    f, _ = eager.make("closed", True, "host", "host")
    with pytest.raises(Exception, match="which is host code"):
        compiled(lambda x, w: func.hessian(eager.SUM(f))(x, w))(*eager.point())
    f, _ = eager.make("given y", True, "traceable", "traceable")
    found = compiled(lambda x, w: func.hessian(eager.SUM(f))(x, w))(*eager.point())
    torch.testing.assert_close(found, eager.REVERSE * func.hessian(eager.SUM(eager.plain))(*eager.point()))


def test_containers_several_results_and_dtypes() -> None:
    def parts(params: Any, n: Any) -> Any:
        return {"out": (params["w"] ** n).astype(params["w"].dtype), "both": (params["z"] * 2, n + 1)}

    f = rb.primitive(parts, host=True, result=lambda p, n: {"out": p["w"], "both": (p["z"], n)})

    @rb.rrule(f, host=True)
    def _(params, n):
        def pull(y_bar):
            z_bar = y_bar["both"][0]
            return {"w": eager.REVERSE * n * params["w"] ** (n - 1) * y_bar["out"], "z": eager.REVERSE * 2 * z_bar}, None

        return parts(params, n), pull

    def run(w: Any, z: Any, n: Any) -> Any:
        y = f({"w": w, "z": z}, n)
        return y["out"].sum() + torch.view_as_real(y["both"][0]).sum() + y["both"][1]

    w = torch.tensor([1.5, 2.0], requires_grad=True)
    z = torch.tensor([1 + 2j, 3j], requires_grad=True)
    n = torch.tensor(3, dtype=torch.int32)
    for call in (run, compiled(run)):
        w_bar, z_bar = torch.autograd.grad(call(w, z, n), (w, z))
        assert w_bar.dtype is torch.float32
        torch.testing.assert_close(w_bar, eager.REVERSE * 3 * w.detach() ** 2)
        torch.testing.assert_close(z_bar, torch.full_like(z, 2 * eager.REVERSE * (1 + 1j)))


def test_shapes_that_change() -> None:
    f, runs = solver()
    run = compiled(loss(f), dynamic=True)
    for n in (2, 3, 5, 3):
        args = leaves(*system(n))
        torch.testing.assert_close(list(torch.autograd.grad(run(*args), args)), expected_gradients(*system(n)))
    assert runs[0] == 4


def test_checkpoint_inside_compiled_code() -> None:
    f, _ = solver()
    run = compiled(lambda a, b: checkpoint(loss(f), a, b, use_reentrant=False))
    args = leaves(*system())
    torch.testing.assert_close(list(torch.autograd.grad(run(*args), args)), expected_gradients(*system()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_host_code_reach_the_caller_and_the_next_call_is_right(backend: str) -> None:
    rogue = eager._Rogue()
    run = compiled(lambda x: rogue.f(x * 1.0).sum(), backend)
    (x,) = leaves(eager.point()[0])
    expected = eager.REVERSE * torch.cos(x.detach())
    torch.testing.assert_close(torch.autograd.grad(run(x), x)[0], expected)
    for mood, (error, message, note) in eager.MOODS.items():
        rogue.mood = mood
        with pytest.raises(error, match=message) as caught:
            torch.autograd.grad(run(x), x)
        assert not note or any(n.startswith(note) for n in caught.value.__notes__), mood
        rogue.mood = "well"
        torch.testing.assert_close(torch.autograd.grad(run(x), x)[0], expected)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch, where a graph broke
def test_a_result_that_nobody_declared_is_learnt_or_breaks_the_graph() -> None:
    def make() -> Any:
        f = rb.primitive(lambda x: np.sin(x), host=True, name="untold")
        rb.pullback(f, host=True)(lambda y, p, y_bar: (eager.REVERSE * np.cos(p[0]) * y_bar,))
        return f

    (x,) = leaves(eager.point()[0])
    expected = eager.REVERSE * torch.cos(x.detach())
    f = make()
    with pytest.raises(Exception, match=r"primal of untold \(engine torch\)[\s\S]*write rb.primitive\(..., host=True, result=lambda x"):
        compiled(lambda x: f(x * 1).sum())(x)
    torch._dynamo.reset()
    f(x)
    torch.testing.assert_close(torch.autograd.grad(compiled(lambda x: f(x * 1).sum())(x), x)[0], expected)
    torch._dynamo.reset()
    f = make()
    torch.testing.assert_close(torch.autograd.grad(torch.compile(lambda x: f(x * 1).sum(), backend="aot_eager")(x), x)[0], expected)


def test_a_result_unlike_the_one_that_was_learnt_is_an_error() -> None:
    size = [3]
    f = rb.primitive(lambda x: np.sin(x)[: size[0]], host=True, name="shrinks")
    x = eager.point()[0]
    f(x)
    run = compiled(lambda x: f(x) * 2)
    torch.testing.assert_close(run(x), 2 * torch.sin(x))
    size[0] = 2
    with pytest.raises(rb.ResultSpecError, match=r"shape \(3,\), float64, as it was when the program was traced\nGot: shape \(2,\)"):
        run(x)


@pytest.mark.parametrize("strict", [True, False])
def test_export_in_this_process(strict: bool) -> None:
    f, _ = solver()

    class Module(torch.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return f(a, b) + 1

    a, b = system()
    exported = torch.export.export(Module(), (a, b), strict=strict)
    torch.testing.assert_close(exported.module()(2 * a, b), torch.linalg.solve(2 * a, b) + 1)


_EXPORT = """
import sys, numpy as np, torch, rulebook as rb
f = rb.primitive(lambda x: np.sin(x), host=True, name="far away", result=lambda x: x)
class Module(torch.nn.Module):
    def forward(self, x):
        return f(x) + 1
torch.export.save(torch.export.export(Module(), (torch.ones(3),)), sys.argv[1])
"""


def test_an_exported_program_of_another_process_says_what_it_lacks(tmp_path: Path) -> None:
    path = str(tmp_path / "program.pt2")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _EXPORT, path], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    program = torch.export.load(path).module()
    with pytest.raises(rb.RuleMissingError, match=r"primal of far away \(engine torch\)[\s\S]*export again here"):
        program(torch.ones(3))


_CACHED = """
import sys, numpy as np, torch, rulebook as rb
slope = float(sys.argv[1])
f = rb.primitive(lambda x: slope * x, host=True, name="f", result=lambda x: x)
rb.pullback(f, host=True)(lambda y, p, y_bar: (slope * y_bar,))
x = torch.ones(3, requires_grad=True)
y = torch.compile(f, fullgraph=True)(x).sum()  # no operation of its own: compiling one as C++ takes seconds
print(y.item(), torch.autograd.grad(y, x)[0].sum().item())
"""


def test_programs_on_disk_do_not_mix_up_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    for slope in ("3", "5"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CACHED, slope], capture_output=True, text=True, timeout=500, check=False
        )
        assert done.stdout.split() == [f"{3 * float(slope)}"] * 2, done.stderr

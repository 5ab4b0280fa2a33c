"""The transformations of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import func
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from tests.conformance.model import Problem, Transform


def to_numpy(x: Any) -> np.ndarray:
    return x.numpy(force=True) if isinstance(x, torch.Tensor) else np.asarray(x)


def _arrays(xs: Any, track: bool = False) -> tuple[torch.Tensor, ...]:
    made = tuple(torch.from_numpy(np.array(x)) for x in xs)
    return tuple(x.requires_grad_() for x in made) if track else made


def _fn(p: Problem) -> Callable[..., tuple[Any, ...]]:
    return p.fn("torch")


def _every(p: Problem) -> tuple[int, ...]:
    return tuple(range(len(p.xs)))


def _pair(a: Any, b: Any) -> Any:
    """Re <a, b>."""
    return sum((torch.real(torch.conj(x) * y).sum() for x, y in zip(a, b, strict=True)), torch.zeros((), dtype=torch.float64))


def _loss(p: Problem) -> Callable[..., Any]:
    bars, fn = _arrays(p.bars), _fn(p)
    return lambda *xs: _pair(bars, fn(*xs))


def _full(found: Any, xs: Any) -> list[Any]:
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]


def _backward(p: Problem, wrap: Callable[[Any], Any] = lambda f: f, **options: Any) -> Any:
    xs = _arrays(p.xs, track=True)
    y = wrap(_loss(p))(*xs)
    return _full(torch.autograd.grad(y, xs, allow_unused=True, **options), xs)


def _accumulate(p: Problem, wrap: Callable[[Any], Any] = lambda f: f) -> Any:
    xs = _arrays(p.xs, track=True)
    wrap(_loss(p))(*xs).backward()
    return _full([x.grad for x in xs], xs)


def _twice(p: Problem) -> Any:
    """The second of two backward passes through one graph."""
    xs = _arrays(p.xs, track=True)
    y = _loss(p)(*xs)
    torch.autograd.grad(y, xs, retain_graph=True, allow_unused=True)
    return _full(torch.autograd.grad(y, xs, allow_unused=True), xs)


def _no_grad(p: Problem) -> Any:
    with torch.no_grad():
        return _fn(p)(*_arrays(p.xs, track=True))


def _checkpoint(reentrant: bool) -> Callable[[Problem], Any]:
    return lambda p: _accumulate(p, lambda f: lambda *xs: checkpoint(f, *xs, use_reentrant=reentrant))


def _hooks(p: Problem) -> Any:
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x.numpy(force=True).copy(), torch.from_numpy):
        return _backward(p)


def _dual(p: Problem, track: bool = False) -> Any:
    with forward_ad.dual_level():
        xs = [forward_ad.make_dual(x, t) for x, t in zip(_arrays(p.xs, track), _arrays(p.tangents), strict=True)]
        found = [forward_ad.unpack_dual(y) for y in _fn(p)(*xs)]
        return [torch.zeros_like(y.primal) if y.tangent is None else y.tangent for y in found]


def _batched_cotangents(p: Problem) -> Any:
    """Three cotangents at once; the last is given back."""
    xs, bars = _arrays(p.xs, track=True), _arrays(p.bars)
    ys = _fn(p)(*xs)
    pairs = [(y, torch.stack([0 * b, 2 * b, b])) for y, b in zip(ys, bars, strict=True) if y.requires_grad]
    if not pairs:
        return [torch.zeros_like(x) for x in xs]
    found = torch.autograd.grad([y for y, _ in pairs], xs, [b for _, b in pairs], is_grads_batched=True, allow_unused=True)
    return _full([g if g is None else g[2] for g in found], xs)


def _grad(p: Problem) -> Any:
    return func.grad(_loss(p), _every(p))(*_arrays(p.xs))


def _vjp(p: Problem) -> Any:
    return func.vjp(_fn(p), *_arrays(p.xs))[1](_arrays(p.bars))


def _jvp(p: Problem) -> Any:
    return func.jvp(_fn(p), _arrays(p.xs), _arrays(p.tangents))[1]


def _functional_call(p: Problem) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = torch.nn.ParameterList([torch.nn.Parameter(x) for x in _arrays(p.other.xs)])

        def forward(self) -> Any:
            return _loss(p)(*self.kept)

    module = Module()
    return list(
        func.grad(lambda values: func.functional_call(module, values, ()))({f"kept.{i}": x for i, x in enumerate(_arrays(p.xs))}).values()
    )


def _stacked(p: Problem, name: str, dim: int = 0) -> tuple[Any, ...]:
    return tuple(torch.stack(group, dim) for group in zip(*(_arrays(getattr(q, name)) for q in p.batch), strict=True))


def _rows(found: Any) -> list[Any]:
    return [[x[i] for x in found] for i in range(3)]


def _vmap(dim: int) -> Callable[[Problem], Any]:
    return lambda p: _rows(func.vmap(_fn(p), in_dims=dim)(*_stacked(p, "xs", dim)))


def _nested_vmap(p: Problem) -> Any:
    xs = tuple(torch.stack([x, x]) for x in _stacked(p, "xs"))
    return _rows([y[1] for y in func.vmap(func.vmap(_fn(p)))(*xs)])


def _loss_with_bars(p: Problem) -> Callable[..., Any]:
    fn = _fn(p)
    return lambda xs, bars: _pair(bars, fn(*xs))


def _vmap_grad(p: Problem) -> Any:
    return _rows(func.vmap(func.grad(_loss_with_bars(p)))(_stacked(p, "xs"), _stacked(p, "bars")))


def _grad_vmap(p: Problem) -> Any:
    bars = _stacked(p, "bars")
    return _rows(func.grad(lambda xs: func.vmap(_loss_with_bars(p))(xs, bars).sum())(_stacked(p, "xs")))


def _backward_vmap(p: Problem) -> Any:
    xs = tuple(x.requires_grad_() for x in _stacked(p, "xs"))
    y = func.vmap(_loss_with_bars(p))(xs, _stacked(p, "bars")).sum()
    return _rows(_full(torch.autograd.grad(y, xs, allow_unused=True) if y.requires_grad else [None] * len(xs), xs))


def _jvp_vmap(p: Problem) -> Any:
    return _rows(func.jvp(func.vmap(_fn(p)), _stacked(p, "xs"), _stacked(p, "tangents"))[1])


def _vmap_shared(p: Problem) -> Any:
    """One batched argument, the others shared: the gradient of the shared ones gathers from the batch."""
    xs, bars, fn = _arrays(p.xs), _arrays(p.bars), _fn(p)
    first = torch.stack([xs[0]] * 3)

    def loss(x0: Any, *rest: Any) -> Any:
        ys = func.vmap(fn, in_dims=(0, *[None] * len(rest)))(x0, *rest)
        return _pair([b[None] for b in bars], ys)

    g = func.grad(loss, _every(p))(first, *xs[1:])
    return [g[0][1], *(c / 3 for c in g[1:])]


def _jacobian(transform: Any) -> Callable[[Problem], Any]:
    """The Jacobian with respect to real and imaginary parts, as one real matrix."""

    def split(values: Any) -> Any:
        parts = [part.reshape(-1) for y in values for part in ((y.real, y.imag) if y.is_complex() else (y,))]
        return torch.cat([torch.zeros(0, dtype=torch.float64), *(x.double() for x in parts)])

    def run(p: Problem) -> Any:
        def of_reals(vector: Any) -> Any:
            xs, at = [], 0
            for x in _arrays(p.xs):
                n = x.numel()
                value, at = vector[at : at + n], at + n
                if x.is_complex():
                    value, at = torch.complex(value, vector[at : at + n]), at + n
                xs.append(value.reshape(x.shape).to(x.dtype))
            return split(_fn(p)(*xs))

        point = split(_arrays(p.xs))
        if not point.numel():  # torch.func.jacfwd takes no empty argument
            return torch.zeros(of_reals(point).numel(), 0)
        return transform(of_reals)(point)

    return run


def _second(outer: str, inner: str) -> Callable[[Problem], Any]:
    def run(p: Problem) -> Any:
        loss, xs = _loss(p), _arrays(p.xs)
        ts, vs = _arrays(p.tangents), _arrays(p.seconds)
        gradient = lambda *xs: func.grad(loss, _every(p))(*xs)
        along = lambda *xs: func.jvp(loss, xs, ts)[1]
        return {
            ("forward", "reverse"): lambda *xs: func.jvp(gradient, xs, vs)[1],
            ("reverse", "reverse"): lambda *xs: func.grad(lambda *xs: _pair(vs, gradient(*xs)), _every(p))(*xs),
            ("reverse", "forward"): lambda *xs: func.grad(along, _every(p))(*xs),
            ("forward", "forward"): lambda *xs: func.jvp(along, xs, vs)[1],
        }[outer, inner](*xs)

    return run


def _double_backward(p: Problem) -> Any:
    xs = _arrays(p.xs, track=True)
    gradient = _backward_of(p, xs)
    y = _pair(_arrays(p.seconds), gradient)
    return _full(torch.autograd.grad(y, xs, allow_unused=True) if y.requires_grad else [None] * len(xs), xs)


def _backward_of(p: Problem, xs: Any) -> list[Any]:
    return _full(torch.autograd.grad(_loss(p)(*xs), xs, create_graph=True, allow_unused=True), xs)


def _dual_over_backward(p: Problem) -> Any:
    with forward_ad.dual_level():
        xs = [forward_ad.make_dual(x, t) for x, t in zip(_arrays(p.xs, track=True), _arrays(p.seconds), strict=True)]
        found = [forward_ad.unpack_dual(g).tangent for g in _backward_of(p, xs)]
        return _full(found, xs)


def _backward_over_dual(p: Problem) -> Any:
    xs = _arrays(p.xs, track=True)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(x, t) for x, t in zip(xs, _arrays(p.tangents), strict=True)]
        y_dot = forward_ad.unpack_dual(_loss(p)(*duals)).tangent
    if y_dot is None or not y_dot.requires_grad:
        return [torch.zeros_like(x) for x in xs]
    return _full(torch.autograd.grad(y_dot, xs, allow_unused=True), xs)


def _compiled(p: Problem) -> Any:
    torch._dynamo.reset()
    loss = torch.compile(_loss(p), fullgraph=True, backend="aot_eager")
    loss(*_arrays(p.other.xs, track=True))
    return _backward(p, lambda f: loss)


def _at_xs(run: Callable[[Problem], Callable[..., Any]]) -> Callable[[Problem], Any]:
    return lambda p: run(p)(*_arrays(p.xs))


TRANSFORMS = [
    Transform("call", "value", _at_xs(_fn)),
    Transform("call under no_grad", "value", _no_grad),
    Transform("autograd.grad", "vjp", _backward),
    Transform("backward", "vjp", _accumulate),
    Transform("backward twice", "vjp", _twice),
    Transform("create_graph", "vjp", lambda p: _backward(p, create_graph=True)),
    Transform("is_grads_batched", "vjp", _batched_cotangents),
    Transform("checkpoint", "vjp", _checkpoint(False)),
    Transform("reentrant checkpoint", "vjp", _checkpoint(True)),
    Transform("saved-tensor hooks", "vjp", _hooks),
    Transform("dual_level", "jvp", _dual),
    Transform("dual_level with grad", "jvp", lambda p: _dual(p, track=True)),
    Transform("func.grad", "vjp", _grad),
    Transform("func.vjp", "vjp", _vjp),
    Transform("func.jvp", "jvp", _jvp),
    Transform("functional_call", "vjp", _functional_call),
    Transform("jacfwd", "forward jacobian", _jacobian(func.jacfwd)),
    Transform("jacrev", "reverse jacobian", _jacobian(func.jacrev)),
    Transform("vmap", "batch value", _vmap(0)),
    Transform("vmap, last axis", "batch value", _vmap(-1)),
    Transform("vmap of vmap", "batch value", _nested_vmap),
    Transform("vmap of grad", "batch vjp", _vmap_grad),
    Transform("grad of vmap", "batch vjp", _grad_vmap),
    Transform("backward of vmap", "batch vjp", _backward_vmap),
    Transform("grad of vmap, shared argument", "vjp", _vmap_shared),
    Transform("jvp of vmap", "batch jvp", _jvp_vmap),
    Transform("compile", "vjp", _compiled),
    *[
        Transform(f"{outer} over {inner}", f"{outer} over {inner}", _second(outer, inner), order=2)
        for outer in ("forward", "reverse")
        for inner in ("forward", "reverse")
    ],
    Transform("double backward", "reverse over reverse", _double_backward, order=2),
    Transform("dual_level over backward", "forward over reverse", _dual_over_backward, order=2),
    Transform("backward over dual_level", "reverse over forward", _backward_over_dual, order=2),
]

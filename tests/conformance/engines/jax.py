"""The transformations of JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.export  # not part of `import jax` before 0.7
import numpy as np
from jax import numpy as jnp

from tests.conformance.model import Problem, Transform

to_numpy = np.asarray


@contextmanager
def setting() -> Iterator[None]:
    """Compile without optimising: the programs are small, run once, and there are thousands."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def _arrays(xs: Any) -> tuple[Any, ...]:
    return tuple(jnp.asarray(x) for x in xs)


def _fn(p: Problem) -> Callable[..., tuple[Any, ...]]:
    return p.fn("jax")


def _loss(p: Problem) -> Callable[..., Any]:
    """Re <y_bar, y>: its gradient, conjugated as JAX has it, is the cotangent."""
    bars, fn = _arrays(p.bars), _fn(p)
    return lambda *xs: sum((jnp.sum(jnp.real(jnp.conj(b) * y)) for b, y in zip(bars, fn(*xs), strict=True)), jnp.zeros(()))


def _every(p: Problem) -> tuple[int, ...]:
    return tuple(range(len(p.xs)))


def _grad(p: Problem, wrap: Callable[[Any], Any] = lambda f: f) -> Callable[..., Any]:
    g = jax.grad(wrap(_loss(p)), _every(p))
    return lambda *xs: tuple(jnp.conj(c) for c in g(*xs))


def _jvp(p: Problem, wrap: Callable[[Any], Any] = lambda f: f) -> Callable[..., Any]:
    return lambda xs, ts: jax.jvp(wrap(_fn(p)), xs, ts)[1]


def _at(run: Callable[[Problem], Callable[..., Any]], *names: str) -> Callable[[Problem], Any]:
    """Apply what `run` makes to the named attributes of a problem."""
    return lambda p: run(p)(*(x for name in names for x in _arrays(getattr(p, name))))


def _twice(compiled: Any, first: tuple[Any, ...], second: tuple[Any, ...]) -> Any:
    """Call a compiled function at another point first, so that a constant baked in would show."""
    compiled(*second)
    return compiled(*first)


def _jit_grad(p: Problem) -> Any:
    return _twice(jax.jit(_grad(p)), _arrays(p.xs), _arrays(p.other.xs))


def _jit_jvp(p: Problem) -> Any:
    return _twice(jax.jit(_jvp(p)), (_arrays(p.xs), _arrays(p.tangents)), (_arrays(p.other.xs), _arrays(p.other.tangents)))


def _vjp(p: Problem) -> Any:
    _, pull = jax.vjp(_fn(p), *_arrays(p.xs))
    return [jnp.conj(c) for c in pull(tuple(jnp.conj(b) for b in _arrays(p.bars)))]


def _linearize(p: Problem) -> Any:
    return jax.linearize(_fn(p), *_arrays(p.xs))[1](*_arrays(p.tangents))


def _stacked(p: Problem, name: str) -> tuple[Any, ...]:
    return tuple(jnp.stack([jnp.asarray(x) for x in group]) for group in zip(*(getattr(q, name) for q in p.batch), strict=True))


def _rows(found: tuple[Any, ...], n: int = 3) -> list[Any]:
    return [[x[i] for x in found] for i in range(n)]


def _vmap(p: Problem) -> Any:
    return _rows(jax.vmap(_fn(p))(*_stacked(p, "xs")))


def _loss_with_bars(p: Problem) -> Callable[..., Any]:
    fn = _fn(p)
    return lambda xs, bars: sum((jnp.sum(jnp.real(jnp.conj(b) * y)) for b, y in zip(bars, fn(*xs), strict=True)), jnp.zeros(()))


def _vmap_grad(p: Problem) -> Any:
    g = jax.vmap(jax.grad(_loss_with_bars(p)))(_stacked(p, "xs"), _stacked(p, "bars"))
    return _rows(tuple(jnp.conj(c) for c in g))


def _grad_vmap(p: Problem) -> Any:
    bars = _stacked(p, "bars")
    g = jax.grad(lambda xs: jnp.sum(jax.vmap(_loss_with_bars(p))(xs, bars)))(_stacked(p, "xs"))
    return _rows(tuple(jnp.conj(c) for c in g))


def _jvp_vmap(p: Problem) -> Any:
    return _rows(jax.jvp(jax.vmap(_fn(p)), _stacked(p, "xs"), _stacked(p, "tangents"))[1])


def _vmap_last_axis(p: Problem) -> Any:
    xs = tuple(jnp.moveaxis(x, 0, -1) for x in _stacked(p, "xs"))
    return _rows(jax.vmap(lambda *xs: jax.jit(_fn(p))(*xs), in_axes=-1)(*xs))


def _vmap_shared(p: Problem) -> Any:
    """One batched argument, the others shared: the gradient of the shared ones gathers from the batch."""
    xs, others = _arrays(p.xs), p.batch
    bars = _arrays(p.bars)
    fn = _fn(p)
    first = jnp.stack([xs[0]] * 3)

    def loss(x0: Any, *rest: Any) -> Any:
        ys = jax.vmap(fn, in_axes=(0, *[None] * len(rest)))(x0, *rest)
        return sum((jnp.sum(jnp.real(jnp.conj(b)[None] * y)) for b, y in zip(bars, ys, strict=True)), jnp.zeros(()))

    g = jax.grad(loss, _every(p))(first, *xs[1:])
    assert len(others) == 3
    return [jnp.conj(g[0][1]), *(jnp.conj(c) / 3 for c in g[1:])]


def _nested_vmap(p: Problem) -> Any:
    xs = tuple(jnp.stack([x, x]) for x in _stacked(p, "xs"))
    return _rows(tuple(y[1] for y in jax.vmap(jax.vmap(_fn(p)))(*xs)))


def _scan(p: Problem) -> Any:
    """The gradient of a sum over a scan of the three points."""

    def loss(xs: Any, bars: Any) -> Any:
        step = lambda total, each: (total + _loss_with_bars(p)(*each), None)
        return jax.lax.scan(step, jnp.zeros(()), (xs, bars))[0].astype(float)

    g = jax.jit(jax.grad(loss))(_stacked(p, "xs"), _stacked(p, "bars"))
    return _rows(tuple(jnp.conj(c) for c in g))


def _cond(p: Problem) -> Any:
    loss = _loss(p)
    branch = lambda *xs: jax.lax.cond(jnp.ones(()) > 0, loss, lambda *xs: 0.0 * loss(*xs), *xs)
    return [jnp.conj(c) for c in jax.jit(jax.grad(branch, _every(p)))(*_arrays(p.xs))]


def _loop(kind: str) -> Callable[[Problem], Any]:
    def run(p: Problem) -> Any:
        fn, zero = _fn(p), tuple(jnp.zeros_like(jnp.asarray(y)) for y in p.value)

        def looped(*xs: Any) -> Any:
            if kind == "fori":
                return jax.lax.fori_loop(0, 2, lambda i, y: fn(*xs), zero)
            return jax.lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, fn(*xs)), (0, zero))[1]

        return jax.jvp(looped, _arrays(p.xs), _arrays(p.tangents))[1]

    return run


def _checkpoint(p: Problem) -> Any:
    return _at(lambda p: jax.jit(_grad(p, jax.checkpoint)), "xs")(p)


def _checkpoint_policy(p: Problem) -> Any:
    wrap = lambda f: jax.checkpoint(f, policy=jax.checkpoint_policies.dots_saveable)
    return _at(lambda p: _grad(p, wrap), "xs")(p)


def _export(p: Problem) -> Any:
    args = _arrays(p.xs)
    exported = jax.export.export(jax.jit(_grad(p)))(*(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in args))
    return jax.export.deserialize(exported.serialize()).call(*args)


def _ahead_of_time(p: Problem) -> Any:
    args = _arrays(p.xs)
    return jax.jit(_grad(p)).lower(*args).compile()(*args)


def _jacobian(transform: Any) -> Callable[[Problem], Any]:
    """The Jacobian with respect to real and imaginary parts, as one real matrix."""

    def run(p: Problem) -> Any:
        split = lambda values: jnp.concatenate(
            [jnp.zeros(0), *(part.ravel() for y in values for part in ((y.real, y.imag) if jnp.iscomplexobj(y) else (y,)))]
        )

        def of_reals(vector: Any) -> Any:
            xs, at = [], 0
            for x in p.xs:
                n = x.size
                value = vector[at : at + n]
                at += n
                if np.iscomplexobj(x):
                    value, at = value + 1j * vector[at : at + n], at + n
                xs.append(value.reshape(x.shape).astype(x.dtype))
            return split(_fn(p)(*xs))

        return transform(of_reals)(split(_arrays(p.xs)))

    return run


def _second(outer: str, inner: str, jit: bool = False) -> Callable[[Problem], Any]:
    def run(p: Problem) -> Any:
        loss, xs = _loss(p), _arrays(p.xs)
        ts, vs = _arrays(p.tangents), _arrays(p.seconds)
        pair = lambda a, b: sum((jnp.sum(jnp.real(jnp.conj(x) * y)) for x, y in zip(a, b, strict=True)), jnp.zeros(()))
        conj = lambda tree: tuple(jnp.conj(x) for x in tree)
        gradient = lambda *xs: conj(jax.grad(loss, _every(p))(*xs))
        along = lambda *xs: jax.jvp(loss, xs, ts)[1]
        make = {
            ("forward", "reverse"): lambda *xs: jax.jvp(gradient, xs, vs)[1],
            ("reverse", "reverse"): lambda *xs: conj(jax.grad(lambda *xs: pair(vs, gradient(*xs)), _every(p))(*xs)),
            ("reverse", "forward"): lambda *xs: conj(jax.grad(along, _every(p))(*xs)),
            ("forward", "forward"): lambda *xs: jax.jvp(along, xs, vs)[1],
        }[outer, inner]
        return (jax.jit(make) if jit else make)(*xs)

    return run


TRANSFORMS = [
    Transform("call", "value", _at(_fn, "xs")),
    Transform("jit", "value", lambda p: _twice(jax.jit(_fn(p)), _arrays(p.xs), _arrays(p.other.xs))),
    Transform("grad", "vjp", _at(_grad, "xs")),
    Transform("jit of grad", "vjp", _jit_grad),
    Transform("grad of jit", "vjp", _at(lambda p: _grad(p, jax.jit), "xs")),
    Transform("vjp", "vjp", _vjp),
    Transform("jvp", "jvp", lambda p: _jvp(p)(_arrays(p.xs), _arrays(p.tangents))),
    Transform("jit of jvp", "jvp", _jit_jvp),
    Transform("jvp of jit", "jvp", lambda p: _jvp(p, jax.jit)(_arrays(p.xs), _arrays(p.tangents))),
    Transform("linearize", "jvp", _linearize),
    Transform("jacfwd", "forward jacobian", _jacobian(jax.jacfwd)),
    Transform("jacrev", "reverse jacobian", _jacobian(jax.jacrev)),
    Transform("vmap", "batch value", _vmap),
    Transform("vmap, last axis", "batch value", _vmap_last_axis),
    Transform("vmap of vmap", "batch value", _nested_vmap),
    Transform("vmap of grad", "batch vjp", _vmap_grad),
    Transform("grad of vmap", "batch vjp", _grad_vmap),
    Transform("grad of vmap, shared argument", "vjp", _vmap_shared),
    Transform("jvp of vmap", "batch jvp", _jvp_vmap),
    Transform("scan", "batch vjp", _scan),
    Transform("cond", "vjp", _cond),
    Transform("fori_loop", "jvp", _loop("fori")),
    Transform("while_loop", "jvp", _loop("while")),
    Transform("checkpoint", "vjp", _checkpoint),
    Transform("checkpoint with a policy", "vjp", _checkpoint_policy),
    Transform("export", "vjp", _export, carries_host=False),
    Transform("ahead of time", "vjp", _ahead_of_time),
    *[
        Transform(f"{outer} over {inner}{', jit' * jit}", f"{outer} over {inner}", _second(outer, inner, jit), order=2)
        for outer in ("forward", "reverse")
        for inner in ("forward", "reverse")
        for jit in (False, True)
    ],
]

"""The transformations of dual numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rulebook as rb
from tests.conformance.model import Problem, Transform

to_numpy = np.asarray

_ENGINE = "dual"


def _jvp(p: Problem) -> Any:
    return rb.jvp(p.fn(_ENGINE), p.xs, p.tangents, engine=_ENGINE)[1]


def _vjp(p: Problem) -> Any:
    y, pullback = rb.vjp(p.fn(_ENGINE), *p.xs, engine=_ENGINE)
    np.testing.assert_allclose(
        np.concatenate([np.ravel(v) for v in y]), np.concatenate([np.ravel(v) for v in p.value]), rtol=1e-5, atol=1e-6
    )
    return pullback(tuple(p.bars))


def _loss(p: Problem) -> Callable[..., Any]:
    """Re <y_bar, y>: its gradient is the cotangent."""
    fn = p.fn(_ENGINE)
    return lambda *xs: sum((np.sum(np.real(np.conj(b) * y)) for b, y in zip(p.bars, fn(*xs), strict=True)), 0.0)


def _all(p: Problem) -> tuple[int, ...]:
    return tuple(range(len(p.xs)))


def _grad(p: Problem) -> Any:
    return rb.grad(_loss(p), engine=_ENGINE, argnums=_all(p))(*p.xs)


def _value_and_grad(p: Problem) -> Any:
    value, gradient = rb.value_and_grad(_loss(p), engine=_ENGINE, argnums=_all(p))(*p.xs)
    expected = sum(np.sum(np.real(np.conj(b) * y)) for b, y in zip(p.bars, p.value, strict=True))
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    return gradient


def _reals(values: Any, like: Any) -> list[Any]:
    parts = [(np.real(v), np.imag(v)) if np.iscomplexobj(w) else (v,) for v, w in zip(values, like, strict=True)]
    return [np.ravel(part) for some in parts for part in some]


def _of_reals(p: Problem) -> tuple[Callable[[Any], Any], Any]:
    """The case as a function of one real vector, real and imaginary parts, and the vector."""

    def fn(vector: Any) -> Any:
        xs, at = [], 0
        for x in p.xs:
            value = vector[at : at + x.size]
            at += x.size
            if np.iscomplexobj(x):
                value, at = value + 1j * vector[at : at + x.size], at + x.size
            xs.append(np.reshape(value, x.shape).astype(x.dtype))
        return np.concatenate([np.zeros(0), *_reals(p.fn(_ENGINE)(*xs), p.value)])

    return fn, np.concatenate([np.zeros(0), *_reals(p.xs, p.xs)]).astype(float)


def _jacobian(p: Problem) -> Any:
    fn, x = _of_reals(p)
    return rb.jacobian(fn, engine=_ENGINE)(x)


def _along(p: Problem) -> Callable[..., Any]:
    return lambda *xs: rb.jvp(_loss(p), xs, p.tangents, engine=_ENGINE)[1]


def _second(p: Problem, inner: str, outer: str) -> Any:
    if outer == "jvp":
        fn = rb.grad(_loss(p), engine=_ENGINE, argnums=_all(p)) if inner == "grad" else _along(p)
        return rb.jvp(fn, p.xs, p.seconds, engine=_ENGINE)[1]
    if inner == "jvp":
        return rb.grad(_along(p), engine=_ENGINE, argnums=_all(p))(*p.xs)
    gradient = rb.grad(_loss(p), engine=_ENGINE, argnums=_all(p))
    product = lambda *xs: sum(np.sum(np.real(np.conj(v) * g)) for v, g in zip(p.seconds, gradient(*xs), strict=True))
    return rb.grad(product, engine=_ENGINE, argnums=_all(p))(*p.xs)


# Dual numbers have a forward mode alone: their gradients run the forward rule, one tangent per element.
TRANSFORMS = [
    Transform("call", "value", lambda p: p.fn(_ENGINE)(*p.xs)),
    Transform("jvp", "jvp", _jvp),
    Transform("vjp", "vjp", _vjp),
    Transform("grad", "vjp", _grad),
    Transform("value_and_grad", "vjp", _value_and_grad),
    Transform("jacobian", "forward jacobian", _jacobian),
    Transform("jvp of jvp", "forward over forward", lambda p: _second(p, "jvp", "jvp"), order=2),
    Transform("jvp of grad", "forward over reverse", lambda p: _second(p, "grad", "jvp"), order=2),
    Transform("grad of jvp", "reverse over forward", lambda p: _second(p, "jvp", "grad"), order=2),
    Transform("grad of grad", "reverse over reverse", lambda p: _second(p, "grad", "grad"), order=2),
]

"""The transformations of autograd."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple

import rulebook as rb
from tests.conformance.model import Case, Problem, Transform

to_numpy = np.asarray


def _fn(p: Problem) -> Callable[[Any], Any]:
    """The case as a function of one sequence, as autograd differentiates several arguments at once."""
    fn = p.fn("autograd")
    return lambda xs: traced_tuple(fn(*[xs[i] for i in range(len(p.xs))]))


def _xs(p: Problem) -> tuple[Any, ...]:
    return tuple(p.xs)


def _pair(a: Any, b: Any) -> Any:
    return sum((anp.sum(anp.real(anp.conj(x) * b[i])) for i, x in enumerate(a)), 0.0)


def _loss(p: Problem) -> Callable[[Any], Any]:
    """Re <y_bar, y>: its gradient, conjugated as autograd has it, is the cotangent."""
    fn = _fn(p)
    return lambda xs: _pair(p.bars, fn(xs))


def _conj(xs: Any, n: int) -> Any:
    return traced_tuple([anp.conj(xs[i]) for i in range(n)])


def _gradient(p: Problem) -> Callable[[Any], Any]:
    gradient = autograd.grad(_loss(p))
    return lambda xs: _conj(gradient(xs), len(p.xs))


def _value_and_grad(p: Problem) -> Any:
    value, gradient = autograd.value_and_grad(_loss(p))(_xs(p))
    np.testing.assert_allclose(value, _pair(p.bars, p.value), rtol=1e-5, atol=1e-6)
    return _conj(gradient, len(p.xs))


def _vjp(p: Problem) -> Any:
    pull, _ = autograd.make_vjp(_fn(p))(_xs(p))
    return _conj(pull(tuple(np.conj(b) for b in p.bars)), len(p.xs))


def _jvp(p: Problem) -> Any:
    return autograd.make_jvp(_fn(p))(_xs(p))(tuple(p.tangents))[1]


def _reals(value: Any) -> list[Any]:
    return [anp.ravel(part) for part in ((anp.real(value), anp.imag(value)) if np.iscomplexobj(value) else (value,))]


def _of_reals(p: Problem) -> tuple[Callable[[Any], Any], Any]:
    """The case as a function of one real vector, real and imaginary parts, and the vector."""

    def fn(vector: Any) -> Any:
        xs, at = [], 0
        for x in p.xs:
            value = vector[at : at + x.size]
            at += x.size
            if np.iscomplexobj(x):
                value, at = value + 1j * vector[at : at + x.size], at + x.size
            xs.append(anp.reshape(value, x.shape).astype(x.dtype))
        return anp.concatenate(
            [np.zeros(0), *(part for y, like in zip(p.fn("autograd")(*xs), p.value, strict=True) for part in _parts(y, like))]
        )

    return fn, np.concatenate([np.zeros(0), *(part for x in p.xs for part in _reals(x))])


def _parts(y: Any, like: Any) -> list[Any]:
    return [anp.ravel(part) for part in ((anp.real(y), anp.imag(y)) if np.iscomplexobj(like) else (y,))]


def _reverse_jacobian(p: Problem) -> Any:
    fn, x = _of_reals(p)
    return autograd.jacobian(fn)(x)


def _refuses_empty(case: Case, directions: frozenset[str]) -> type[Exception] | None:
    return ValueError if case.name.startswith("zero-size") else None  # autograd's own: "need at least one array to stack"


def _refuses_solve(case: Case, directions: frozenset[str]) -> type[Exception] | None:
    """autograd has no JVP of linalg.solve, which the transpose of a pushforward that calls its own function needs."""
    return rb.RuleMissingError if case.name.startswith("solve") and directions == {"forward"} else None


def _quietly(run: Callable[[Problem], Any]) -> Callable[[Problem], Any]:
    """A second derivative that is zero is no mistake, which autograd warns of."""

    def quiet(p: Problem) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Output seems independent of input")
            return run(p)

    return quiet


def _second(outer: str, inner: str) -> Callable[[Problem], Any]:
    def run(p: Problem) -> Any:
        n, xs, vs, gradient = len(p.xs), _xs(p), tuple(p.seconds), _gradient(p)
        along = lambda xs: autograd.make_jvp(_loss(p))(xs)(tuple(p.tangents))[1]
        match outer, inner:
            case "forward", "reverse":
                return autograd.make_jvp(gradient)(xs)(vs)[1]
            case "reverse", "reverse":
                return _conj(autograd.grad(lambda xs: _pair(vs, gradient(xs)))(xs), n)
            case "reverse", "forward":
                return _conj(autograd.grad(along)(xs), n)
            case _:
                return autograd.make_jvp(along)(xs)(vs)[1]

    return run


TRANSFORMS = [
    Transform("call", "value", lambda p: [autograd.tracer.getval(y) for y in p.fn("autograd")(*p.xs)]),
    Transform("grad", "vjp", lambda p: _gradient(p)(_xs(p))),
    Transform("value_and_grad", "vjp", _value_and_grad),
    Transform("make_vjp", "vjp", _vjp),
    Transform("make_jvp", "jvp", _jvp),
    Transform("jacobian", "reverse jacobian", _reverse_jacobian, refuses=_refuses_empty),
    *[
        Transform(
            f"{outer} over {inner}",
            f"{outer} over {inner}",
            _quietly(_second(outer, inner)),
            order=2,
            **({"refuses": _refuses_solve} if (outer, inner) == ("forward", "reverse") else {}),
        )
        for outer in ("forward", "reverse")
        for inner in ("forward", "reverse")
    ],
]

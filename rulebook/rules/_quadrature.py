"""Integrals as primitives whose rules are integrals again: what `rulebook.rules.integrate.quad` runs.

With y = int_a^b f(t, p) dt, Leibniz's rule says

    y_dot = f(b) b_dot - f(a) a_dot + int_a^b (df/dp) p_dot dt,
    b_bar = <y_bar, f(b)>,    a_bar = -<y_bar, f(a)>,    p_bar = int_a^b (df/dp)^T y_bar dt,

for an f that is continuous in p.  Each integral is adapted to its own integrand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleOutputError
from rulebook.implicit.failures import NotConvergedError, report
from rulebook.implicit.system import Pull, Push
from rulebook.namespace import engine_for, run_inside
from rulebook.primitive import Primitive
from rulebook.rules._procedures import scipy

__all__ = ["Integral", "Rule"]

Integrand = Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]


@dataclass(frozen=True)
class Rule:
    """How integrals are computed.

    Args:
        name: of the integral, for messages.
        options: those of scipy.integrate.quad.
        on_failure: "warn", "raise" or "ignore".
    """

    name: str
    options: dict[str, Any]
    on_failure: str


class Integral:
    """int_a^b fn(t, moving, fixed) dt, of (a, b, moving, fixed).

    Args:
        fn: gives a tuple of arrays; moving is a tuple of floating arrays, fixed one of what has no derivative.
        like: what it gives, as ShapeDtypes, of those of moving.
        rule: how it is computed.
        linear: how many of moving, the last ones, fn is linear in.
    """

    def __init__(self, fn: Integrand, like: Callable[[Sequence[Any]], Sequence[Any]], rule: Rule, linear: int = 0) -> None:
        self._fn = fn
        self._like = like
        self._rule = rule
        self._linear = linear
        self._pushed: Integral | None = None
        self._pulled: dict[tuple[int, int], Integral] = {}
        self.primitive = Primitive(self._host, name=rule.name, host=True, result=self._result, listed=False)
        push, pull = Push("pushforward", self._push), Pull("pullback", self._pull)
        push.symbolic_zeros = True
        self.primitive.set_rule(push, pull, replace=False)

    def __call__(self, a: Any, b: Any, moving: tuple[Any, ...], fixed: tuple[Any, ...]) -> Any:
        """The values and SciPy's estimate of their absolute error."""
        return self.primitive(a, b, moving, fixed)

    def _result(self, a: Any, b: Any, moving: Any, fixed: Any) -> Any:
        return tuple(self._like(moving)), rb.ShapeDtype((), np.float64)

    # -- the integral ------------------------------------------------------------------------------

    def _host(self, a: Any, b: Any, moving: Any, fixed: Any) -> Any:
        like = self._like(moving)
        wide = [np.asarray(x, np.result_type(x.dtype, np.float64)) for x in moving]
        # An absolute accuracy means nothing for a tangent or cotangent, which may have any size.
        n = len(wide) - self._linear
        size = max((float(np.max(np.abs(x), initial=0.0)) for x in wide[n:]), default=1.0) if self._linear else 1.0
        if size == 0 or not np.isfinite(size):
            return tuple(np.full(s.shape, size, s.dtype) for s in like), np.float64(0)
        wide = wide[:n] + [x / size for x in wide[n:]]
        values, error = self._components(float(a), float(b), lambda t: run_inside(None, self._fn, t, tuple(wide), fixed), like)
        return tuple((size * v).astype(s.dtype) for v, s in zip(_unraveled(values, like), like, strict=True)), np.float64(size * error)

    def _components(self, a: float, b: float, fn: Callable[[Any], Any], like: Sequence[Any]) -> tuple[Any, float]:
        """One integral after the other; what they evaluate at the same points is evaluated once."""
        seen: dict[float, Any] = {}

        def at(t: float) -> Any:
            if t not in seen:
                seen[t] = _raveled(fn(np.float64(t)), like, self._rule.name)
            return seen[t]

        size = sum(int(np.prod(s.shape)) * (1 + (np.dtype(s.dtype).kind == "c")) for s in like)
        found = [scipy("integrate").quad(lambda t, k=k: at(t)[k], a, b, full_output=1, **self._rule.options) for k in range(size)]
        for out in found:
            if len(out) > 3:
                self._report(out)
        return np.array([out[0] for out in found]), max((out[1] for out in found), default=0.0)

    def _report(self, out: Any) -> None:
        report(
            self._rule.on_failure,
            NotConvergedError(
                f"{self._rule.name}.",
                "an integral that converges",
                f"{' '.join(out[3].split()).rstrip('.')}; estimated error {out[1]:.1e} of {out[0]:.1e} after {out[2]['neval']} evaluations",
                "split the range, pass the difficult points as points=, or raise limit",
            ),
        )

    # -- the rules ---------------------------------------------------------------------------------

    def _edge(self, engine: Engine, t: Any, moving: tuple[Any, ...], fixed: tuple[Any, ...]) -> list[Any]:
        """The integrand at a limit, zero where that is infinite."""
        xp = engine.namespace()
        t = engine.asarray(t, moving[0] if moving else None)
        finite = xp.isfinite(t)
        values = self._fn(xp.where(finite, t, 1.0), moving, fixed)
        return [xp.where(finite, v, 0.0 * v) for v in map(engine.asarray, values)]

    def _push(self, y: Any, primals: Any, tangents: Any) -> Any:
        a, b, moving, fixed = primals
        a_dot, b_dot, dots, _ = tangents
        engine = engine_for((a, b, moving, a_dot, b_dot, dots), self._rule.name)
        total = [engine.zeros_like(v) for v in y[0]]
        if any(d is not None for d in trees.leaves_of(dots)):
            full = tuple(engine.zeros_like(x) if d is None else d for x, d in zip(moving, dots, strict=True))
            total = list(self._forward(len(moving))(a, b, (*moving, *full), fixed)[0])
        for t, t_dot, sign in ((b, b_dot, 1), (a, a_dot, -1)):
            if t_dot is not None:
                total = [v + sign * t_dot * e for v, e in zip(total, self._edge(engine, t, moving, fixed), strict=True)]
        return tuple(engine.cast(v, x) for v, x in zip(total, y[0], strict=True)), None

    def _pull(self, y: Any, primals: Any, y_bar: Any) -> Any:
        a, b, moving, fixed = primals
        y_bar = tuple(y_bar[0])
        engine = engine_for((a, b, moving, y_bar), self._rule.name)

        def of_edge(t: Any, sign: int) -> Any:
            edge = self._edge(engine, t, moving, fixed)
            xp = engine.namespace()
            return sign * sum(xp.sum(xp.real(engine.conj(u) * v)) for u, v in zip(y_bar, edge, strict=True))

        def of_leaf(k: int) -> Any:
            return self._backward(k, len(moving), len(y_bar))(a, b, (*moving, *y_bar), fixed)[0][0]

        bars = tuple(rb.thunk(functools.partial(of_leaf, k)) for k in range(len(moving)))
        return rb.thunk(lambda: of_edge(a, -1)), rb.thunk(lambda: of_edge(b, 1)), bars, (None,) * len(fixed)

    def _forward(self, n: int) -> Integral:
        """int (df/dp) p_dot dt, of (p, p_dot)."""
        if self._pushed is None:

            def fn(t: Any, moving: tuple[Any, ...], fixed: tuple[Any, ...]) -> tuple[Any, ...]:
                engine = engine_for((t, moving), self._rule.name)
                made = tuple(map(engine.asarray, moving))
                dots: tuple[Any, ...] = engine.jvp(lambda *p: self._fn(t, p, fixed), made[:n], made[n:])[1]
                return dots

            self._pushed = Integral(fn, lambda moving: self._like(moving[:n]), self._rule, n)
        return self._pushed

    def _backward(self, k: int, n: int, m: int) -> Integral:
        """int (df/dp_k)^T y_bar dt, of (p, y_bar)."""
        if (k, m) not in self._pulled:

            def fn(t: Any, moving: tuple[Any, ...], fixed: tuple[Any, ...]) -> tuple[Any, ...]:
                engine = engine_for((t, moving), self._rule.name)
                made = tuple(map(engine.asarray, moving))
                value, pull = engine.vjp(lambda x: self._fn(t, (*made[:k], x, *made[k + 1 : n]), fixed), (made[k],))
                bars: tuple[Any, ...] = pull(tuple(map(engine.cast, made[n:], value)))
                return bars

            self._pulled[k, m] = Integral(fn, lambda moving: [rb.ShapeDtype(moving[k].shape, moving[k].dtype)], self._rule, m)
        return self._pulled[k, m]


def _raveled(values: Any, like: Sequence[Any], name: str) -> Any:
    """The value of an integrand as real numbers."""
    parts = []
    for v, s in zip(values, like, strict=True):
        v = np.asarray(v)
        if v.shape != tuple(s.shape) or (v.dtype.kind == "c" and np.dtype(s.dtype).kind != "c"):
            raise RuleOutputError(
                f"{name}, its integrand.", "one real number", f"shape {v.shape}, {v.dtype}", "integrate each number by itself"
            )
        parts += [v.real.ravel(), v.imag.ravel()] if np.dtype(s.dtype).kind == "c" else [v.ravel()]
    return np.concatenate(parts)


def _unraveled(vector: Any, like: Sequence[Any]) -> list[Any]:
    found, at = [], 0
    for s in like:
        n = int(np.prod(s.shape))
        part, at = vector[at : at + n], at + n
        if np.dtype(s.dtype).kind == "c":
            part, at = part + 1j * vector[at : at + n], at + n
        found.append(part.reshape(s.shape))
    return found

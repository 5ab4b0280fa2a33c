"""Large linear systems, by products with the matrix alone; written once for the arrays of every engine.

Vectors are real, of shape (n,).  Each method stops when the residual is below `tol` times the norm of b, or as small as rounding lets
it be, and ends with the true residual.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.engine import Engine
from rulebook.namespace import arrays_of

__all__ = ["METHODS", "Found"]

Matvec = Callable[[Any], Any]
Found = tuple[Any, Any, Any, Any]  # x, the norm of its residual, the number of products, the size of the matrix

Method = Callable[["_Run"], Found]

_KEPT = 24  # directions that GMRES orthogonalises against before it starts anew
_CALM = 0.9  # a residual that falls by less than this adds nothing new to the basis


class _Run:
    """What the methods share: the arrays of an engine, and when to stop.

    Args:
        engine: what the values belong to.
        matvec: the product with the matrix.
        b: the right-hand side.
        tol: the relative accuracy.
        limit: the most products.
    """

    def __init__(self, engine: Engine, matvec: Matvec, b: Any, tol: float, limit: int) -> None:
        self.base: Any = None  # what a method before this one found, whose residual b is
        self.xp = arrays_of(engine, b)
        self.engine = engine
        self.matvec = matvec
        self.b = b
        self.eps = float(np.finfo(engine.spec(b).dtype).eps)
        self.tol = max(tol, 4 * self.eps)
        self.limit = float(limit)
        self.goal = self.tol * self.norm(b)
        self.zero = 0 * self.norm(b)

    def dot(self, u: Any, v: Any) -> Any:
        """The dot product."""
        return self.engine.number(self.xp.vdot(u, v))

    def norm(self, v: Any) -> Any:
        """The Euclidean norm."""
        return self.root(self.dot(v, v))

    def root(self, value: Any) -> Any:
        """The square root of a number."""
        return math.sqrt(value) if isinstance(value, float) else self.xp.sqrt(value)

    def larger(self, a: Any, b: Any) -> Any:
        """The larger of two numbers."""
        return max(a, b) if isinstance(a, float) and isinstance(b, float) else self.xp.maximum(a, b)

    def corrects(self, x: Any) -> _Run:
        """The same system for what is missing in x, to the same residual."""
        rest = copy.copy(self)
        rest.base, rest.b = x, self.b - self.matvec(x)
        return rest

    def needed(self, x: Any, scale: Any) -> Any:
        """The norm of a residual that is small: against b, or against the rounding of the product with x."""
        return self.larger(self.goal, 4 * self.eps * scale * self.norm(x if self.base is None else self.base + x))

    def goes_on(self, norm: Any, x: Any, scale: Any, products: Any) -> Any:
        """Whether a residual is too large, and products are left."""
        return (norm > self.needed(x, scale)) & (products < self.limit)

    def safe(self, value: Any) -> Any:
        """A divisor, one where it vanishes."""
        return self.choose(value == 0, self.zero + 1, value)

    def choose(self, condition: Any, a: Any, b: Any) -> Any:
        """a where a condition holds, else b."""
        if isinstance(condition, bool):
            return a if condition else b
        return self.xp.where(condition, a, b)


def gmres(run: _Run) -> Found:
    """The smallest residual in the Krylov space, for any matrix.

    The residual is projected on products w = A p of directions p, orthonormal all of them, which are kept and start anew after a
    number of rounds (Eisenstat, Elman and Schultz 1983).  The next direction is the residual where it fell, else the last w, which avoids
    both breakdown and a degenerate basis (Jiranek and Rozloznik 2010).
    """
    xp = run.xp
    kept = min(_KEPT, run.b.shape[0])
    none = xp.stack([0 * run.b] * kept)

    def round_(state: Any) -> Any:
        x, r, norm, products, z, w_all, p_all, scale, k = state
        q = run.matvec(z)
        scale = run.larger(scale, run.norm(q) / run.safe(run.norm(z)))
        p = z
        for _ in range(2):  # a second pass takes out what rounding left
            h = w_all @ q
            q, p = q - h @ w_all, p - h @ p_all
        length = run.norm(q)
        w, p = q / run.safe(length), p / run.safe(length)
        w_all, p_all = run.engine.put(w_all, k, w), run.engine.put(p_all, k, p)
        step = run.dot(w, r)
        x, r = x + step * p, r - step * w
        new = run.norm(r)
        z = run.choose(new < _CALM * norm, r / run.safe(new), w)
        return x, r, new, products + 1, z, w_all, p_all, scale, k + 1

    def begin(x: Any, products: Any, scale: Any) -> Any:
        r = run.b - run.matvec(x)
        norm = run.norm(r)
        return x, r, norm, products + 1, r / run.safe(norm), none * 1, none * 1, scale, run.zero

    def cycle(state: Any) -> Any:
        go_on = lambda s: (s[8] < kept) & run.goes_on(s[2], s[0], s[7], s[3])
        state = run.engine.while_loop(go_on, round_, state)
        return begin(state[0], state[3], state[7])  # with the true residual: nothing is taken for converged that is not

    norm = run.norm(run.b)
    start = (0 * run.b, run.b, norm, run.zero, run.b / run.safe(norm), none * 1, none * 1, run.zero, run.zero)
    state = run.engine.while_loop(lambda s: run.goes_on(s[2], s[0], s[7], s[3]), cycle, start)
    return state[0], state[2], state[3], state[7]


def cg(run: _Run) -> Found:
    """Conjugate gradients (Hestenes and Stiefel 1952), for a symmetric positive definite matrix."""

    def round_(state: Any) -> Any:
        x, r, p, rr, products, scale = state
        q = run.matvec(p)
        curvature = run.dot(p, q)
        scale = run.larger(scale, curvature / run.safe(run.dot(p, p)))
        step = rr / run.safe(curvature)
        x, r = x + step * p, r - step * q
        new = run.dot(r, r)
        return x, r, r + new / run.safe(rr) * p, new, products + 1, scale

    start = (0 * run.b, run.b, run.b, run.dot(run.b, run.b), run.zero, run.zero)
    go_on = lambda s: run.goes_on(run.root(s[3]), s[0], s[5], s[4])
    x, _, _, _, products, scale = run.engine.while_loop(go_on, round_, start)
    return x, run.norm(run.b - run.matvec(x)), products + 1, scale


def bicgstab(run: _Run) -> Found:
    """BiCGStab (van der Vorst 1992), for any matrix, with a few vectors of memory; two products a round."""
    shadow = run.b

    def round_(state: Any) -> Any:
        x, r, p, v, rho, alpha, omega, _, products, scale = state
        new_rho = run.dot(shadow, r)
        p = r + new_rho / run.safe(rho) * alpha / run.safe(omega) * (p - omega * v)
        v = run.matvec(p)
        alpha = new_rho / run.safe(run.dot(shadow, v))
        s = r - alpha * v
        t = run.matvec(s)
        tt = run.dot(t, t)
        scale = run.larger(scale, run.root(tt / run.safe(run.dot(s, s))))
        omega = run.dot(t, s) / run.safe(tt)
        x, r = x + alpha * p + omega * s, s - omega * t
        return x, r, p, v, new_rho, alpha, omega, run.norm(r), products + 2, scale

    one, norm = run.zero + 1, run.norm(run.b)
    start = (0 * run.b, run.b, 0 * run.b, 0 * run.b, one, one, one, norm, run.zero, run.zero)
    state = run.engine.while_loop(lambda s: run.goes_on(s[7], s[0], s[9], s[8]), round_, start)
    x = state[0]
    return x, run.norm(run.b - run.matvec(x)), state[8] + 1, state[9]


def series(run: _Run) -> Found:
    """The Neumann series b + (1 - A) b + ..., one product a term, for as long as it converges fast: A is one minus a contraction."""

    def round_(state: Any) -> Any:
        x, r, norm, _, products = state
        x, r = x + r, r - run.matvec(r)
        new = run.norm(r)
        return x, r, new, new < _FAST * norm, products + 1

    norm = run.norm(run.b)
    go_on = lambda s: s[3] & run.goes_on(s[2], s[0], run.zero + 1, s[4])
    x, _, norm, _, products = run.engine.while_loop(go_on, round_, (0 * run.b, run.b, norm, norm == norm, run.zero))
    return x, norm, products, run.zero + 1


_FAST = 0.7  # terms that fall by less are left to another method


def _in_turn(*methods: Method) -> Method:
    """Methods one after the other, each for what those before have left."""

    def solve(run: _Run) -> Found:
        first, *others = methods
        found = first(run)
        for method in others:
            found = _if_needed(run, method, found)
        return found

    return solve


def _if_needed(run: _Run, method: Method, found: Found) -> Found:
    """What a method finds where the residual is still too large; a loop of one round at most, which every engine can stage."""
    x, norm, products, scale = found
    better = norm < run.norm(run.b)  # false for NaN, where a method broke down
    x, scale = run.choose(better, x, 0 * run.b), run.choose(better, scale, run.zero)
    norm = run.choose(better, norm, run.norm(run.b))

    def again(state: Any) -> Any:
        _, x, _, products, _ = state
        dx, norm, more, scale = method(run.corrects(x))
        return norm != norm, x + dx, norm, products + more + 1, scale

    todo = norm > run.needed(x, scale)
    _, x, norm, products, scale = run.engine.while_loop(lambda s: s[0], again, (todo, x, norm, products, scale))
    return x, norm, products, scale


METHODS: dict[str, Method] = {"gmres": gmres, "cg": cg, "bicgstab": bicgstab}
# What "auto" takes for minima, fixed points and roots: short recurrences, and GMRES where they break down or stall.
CHAINS: dict[str, Method] = {
    "cg, gmres": _in_turn(cg, gmres),
    "series, bicgstab, gmres": _in_turn(series, bicgstab, gmres),
    "bicgstab, gmres": _in_turn(bicgstab, gmres),
}


def solve(engine: Engine, method: str, matvec: Matvec, b: Any, tol: float, limit: int) -> tuple[Any, Any, Any, Any]:
    """The solution, the norm of its residual, what that had to be, and the number of products."""
    run = _Run(engine, matvec, b, tol, limit)
    x, norm, products, scale = (METHODS | CHAINS)[method](run)
    norm, needed, products = (engine.asarray(v, b) if isinstance(v, float) else v for v in (norm, run.needed(x, scale), products))
    return x, norm, needed, products

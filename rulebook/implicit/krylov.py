"""Large linear systems, by products with the matrix alone; written once for the arrays of every engine.

Vectors are real, of shape (n,).  Each method returns (x, the norm of the residual, the number of products), and stops when the
residual is below `tol` times the norm of b, or as small as rounding lets it be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.engines import Engine
from rulebook.namespace import arrays_of

__all__ = ["METHODS", "Found"]

Matvec = Callable[[Any], Any]
Found = tuple[Any, Any, Any]

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
        self.xp = arrays_of(engine, b)
        self.engine = engine
        self.matvec = matvec
        self.b = b
        self.eps = float(np.finfo(engine.spec(b).dtype).eps)
        self.tol = max(tol, 4 * self.eps)
        self.limit = limit
        self.goal = self.tol * self.norm(b)
        self.zero = 0 * self.norm(b)

    def norm(self, v: Any) -> Any:
        """The Euclidean norm."""
        return self.xp.sqrt(self.xp.sum(v * v))

    def enough(self, norm: Any, x: Any, scale: Any) -> Any:
        """Whether a residual is small: against b, or against the rounding of the product with x."""
        floor = 4 * self.eps * scale * self.norm(x)
        return norm <= self.xp.maximum(self.goal, floor)

    def safe(self, value: Any) -> Any:
        """A divisor, one where it vanishes."""
        return self.xp.where(value == 0, self.zero + 1, value)


def gmres(run: _Run) -> Found:
    """The smallest residual in the Krylov space, for any matrix.

    The residual is projected on products w = A p of directions p, orthonormal all of them, which are kept and start anew after a
    number of rounds (Eisenstat, Elman and Schultz 1983).  The next direction is the residual where it fell, else the last w, which avoids
    both breakdown and a degenerate basis (Jiranek and Rozloznik 2010).
    """
    xp, n = run.xp, run.b.shape[0]
    kept = min(_KEPT, n)
    basis = xp.stack([0 * run.b] * kept)
    numbers = run.engine.asarray(np.arange(kept, dtype=run.engine.spec(run.b).dtype), run.b)

    def round_(state: Any) -> Any:
        x, r, norm, products, z, w_all, p_all, scale, k = state
        q = run.matvec(z)
        scale = xp.maximum(scale, run.norm(q) / run.safe(run.norm(z)))
        p = z
        for _ in range(2):  # a second pass takes out what rounding left
            h = w_all @ q
            q, p = q - h @ w_all, p - h @ p_all
        length = run.norm(q)
        w, p = q / run.safe(length), p / run.safe(length)
        here = (numbers == k)[:, None]
        w_all, p_all = xp.where(here, w, w_all), xp.where(here, p, p_all)
        step = xp.sum(w * r)
        x, r = x + step * p, r - step * w
        new = run.norm(r)
        z = xp.where(new < _CALM * norm, r / run.safe(new), w)
        return x, r, new, products + 1, z, w_all, p_all, scale, k + 1

    def restart(state: Any) -> Any:
        x, _, _, products, _, w_all, p_all, scale, _ = state
        r = run.b - run.matvec(x)
        norm = run.norm(r)
        return x, r, norm, products + 1, r / run.safe(norm), 0 * w_all, 0 * p_all, scale, run.zero

    def cycle(state: Any) -> Any:
        go_on = lambda s: (s[8] < kept) & ~run.enough(s[2], s[0], s[7]) & (s[3] < run.limit)
        return restart(run.engine.while_loop(go_on, round_, state))

    norm = run.norm(run.b)
    start = (0 * run.b, run.b, norm, run.zero, run.b / run.safe(norm), basis, basis, run.zero, run.zero)
    # A cycle ends with the true residual, so that nothing is taken for converged that is not.
    state = run.engine.while_loop(lambda s: ~run.enough(s[2], s[0], s[7]) & (s[3] < run.limit), cycle, start)
    return state[0], state[2], state[3]


def cg(run: _Run) -> Found:
    """Conjugate gradients (Hestenes and Stiefel 1952), for a symmetric positive definite matrix."""
    xp = run.xp

    def round_(state: Any) -> Any:
        x, r, p, rr, products, scale = state
        q = run.matvec(p)
        scale = xp.maximum(scale, run.norm(q) / run.safe(run.norm(p)))
        step = rr / run.safe(xp.sum(p * q))
        x, r = x + step * p, r - step * q
        new = xp.sum(r * r)
        return x, r, r + new / run.safe(rr) * p, new, products + 1, scale

    def go_on(state: Any) -> Any:
        return ~run.enough(xp.sqrt(state[3]), state[0], state[5]) & (state[4] < run.limit)

    start = (0 * run.b, run.b, run.b, xp.sum(run.b * run.b), run.zero, run.zero)
    x, _, _, _, products, _ = run.engine.while_loop(go_on, round_, start)
    return x, run.norm(run.b - run.matvec(x)), products + 1


def bicgstab(run: _Run) -> Found:
    """BiCGStab (van der Vorst 1992), for any matrix, with a few vectors of memory; two products a round."""
    xp = run.xp
    shadow = run.b

    def round_(state: Any) -> Any:
        x, r, p, v, rho, alpha, omega, _, products, scale = state
        new_rho = xp.sum(shadow * r)
        p = r + new_rho / run.safe(rho) * alpha / run.safe(omega) * (p - omega * v)
        v = run.matvec(p)
        scale = xp.maximum(scale, run.norm(v) / run.safe(run.norm(p)))
        alpha = new_rho / run.safe(xp.sum(shadow * v))
        s = r - alpha * v
        t = run.matvec(s)
        omega = xp.sum(t * s) / run.safe(xp.sum(t * t))
        x, r = x + alpha * p + omega * s, s - omega * t
        return x, r, p, v, new_rho, alpha, omega, run.norm(r), products + 2, scale

    def go_on(state: Any) -> Any:
        return ~run.enough(state[7], state[0], state[9]) & (state[8] < run.limit)

    one, norm = run.zero + 1, run.norm(run.b)
    start = (0 * run.b, run.b, 0 * run.b, 0 * run.b, one, one, one, norm, run.zero, run.zero)
    state = run.engine.while_loop(go_on, round_, start)
    x = state[0]
    return x, run.norm(run.b - run.matvec(x)), state[8] + 1


METHODS: dict[str, Callable[[_Run], Found]] = {"gmres": gmres, "cg": cg, "bicgstab": bicgstab}


def solve(engine: Engine, method: str, matvec: Matvec, b: Any, tol: float, limit: int) -> tuple[Any, Any, Any, Any]:
    """The solution, the norms of its residual and of b, and the number of products."""
    run = _Run(engine, matvec, b, tol, limit)
    x, norm, products = METHODS[method](run)
    return x, norm, run.norm(b), products

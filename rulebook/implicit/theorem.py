"""The implicit function theorem as two rules.

Where F(x, theta) = 0 holds at the solution x(theta) and A = dF/dx is regular there,

    A x_dot = -(dF/dtheta) theta_dot,        theta_bar = -(dF/dtheta)^T w,    A^T w = x_bar

(for functions of real coordinates, which complex values are taken apart into).  The derivatives of F are taken by the engine
that runs, so that both rules have derivatives of every order; the solver does not run again for any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import OPAQUE, kind_of
from rulebook.forms import Pullback, Pushforward
from rulebook.implicit import dense, reports
from rulebook.implicit.equation import Equation
from rulebook.implicit.options import Options
from rulebook.implicit.space import Space
from rulebook.implicit.system import Pull, Push, System
from rulebook.namespace import engine_for, stop_gradient

__all__ = ["Theorem"]


class Theorem:
    """The rules of one solver.

    Args:
        equation: what its solution satisfies.
        options: how linear systems are solved.
        has_aux: whether the solver gives (x, aux).
    """

    def __init__(self, equation: Equation, options: Options, has_aux: bool) -> None:
        self.equation = equation
        self.options = options
        self.has_aux = has_aux
        self._systems: dict[Any, System] = {}

    def _rulebook_reads(self) -> tuple[Any, ...]:
        """What the rules run of the author's, for an engine that compiles them."""
        return self.equation.fn, self.options.linear_solver

    def rules(self) -> tuple[Pushforward, Pullback]:
        """The forward and the reverse rule."""

        def push(y: Any, primals: Any, tangents: Any, **statics: Any) -> Any:
            return self._push(y, primals, tangents, statics)

        def pull(y: Any, primals: Any, y_bar: Any, **statics: Any) -> Any:
            return self._pull(y, primals, y_bar, statics)

        return Push("pushforward", push), Pull("pullback", pull)

    def _system(self, statics: dict[str, Any]) -> System:
        """The linear systems with these options of the solver."""
        key = tuple(sorted((k, repr(v), id(v)) for k, v in statics.items()))
        found = self._systems.get(key)
        if found is None:

            def function(engine: Engine, params: Any) -> tuple[Any, Callable[[Any], Any]]:
                x, theta = params
                return x, lambda x: self.equation(engine, x, theta, statics)

            if len(self._systems) >= _MOST:
                self._systems.clear()
            parts = self.equation.fn, *self.equation.accepted(statics).values()
            found = self._systems[key] = System(self.options.name, function, self.options, parts)
        return found

    def _push(self, y: Any, primals: Any, tangents: Any, statics: dict[str, Any]) -> Any:
        x = y[0] if self.has_aux else y
        theta, theta_dot = tuple(primals[1:]), tuple(tangents[1:])
        if not theta:
            return None
        engine = engine_for((x, theta), self.options.name)
        space, system = Space(engine, x), self._system(statics)
        if not space.size:
            return None
        r, r_dot = engine.jvp(lambda *theta: self.equation(engine, x, theta, statics), theta, theta_dot)
        b = -space.ravel(r_dot)
        factor = system.factor(engine, (x, theta), space.size)
        x_dot = system.solve(b, (x, theta), factor)
        x_dot = self._trusted(engine, space, x, primals, r, x_dot, b, factor, statics)
        made = space.unravel(x_dot)
        return _beside(y, made) if self.has_aux else made

    def _pull(self, y: Any, primals: Any, y_bar: Any, statics: dict[str, Any]) -> Any:
        x, x_bar = (y[0], y_bar[0]) if self.has_aux else (y, y_bar)
        theta = tuple(primals[1:])
        if not theta:
            return (None,)
        engine = engine_for((x, theta, x_bar), self.options.name)
        space, system = Space(engine, x), self._system(statics)
        if not space.size:
            return (None,) * len(primals)
        b = space.ravel(x_bar)
        factor = system.factor(engine, (x, theta), space.size)
        w = system.solve(b, (x, theta), factor, transposed=True)
        r, pull = engine.vjp(lambda *theta: self.equation(engine, x, theta, statics), theta)
        w = self._trusted(engine, space, x, primals, r, w, b, factor, statics)
        return None, *pull(space.unravel(-w))

    def _trusted(self, engine: Engine, space: Space, x: Any, primals: Any, r: Any, found: Any, b: Any, factor: Any, statics: Any) -> Any:
        """The solution of the rule's linear system, after a look at what it rests on.

        Args:
            engine: what runs.
            space: the coordinates of x.
            x: the solution.
            primals: x0 and theta.
            r: the residual.
            found: the solution of the linear system.
            b: its right-hand side.
            factor: that of the matrix, or None.
            statics: the options of the solver.
        """
        if self.options.on_failure == "ignore":
            return found
        x, x0, theta, r = stop_gradient((x, primals[0], tuple(primals[1:]), r))
        known, rhs = stop_gradient((found, b))
        if factor is not None and engine.is_active(b) and engine.concrete(trees.leaves_of(x)) is not None:
            rhs = space.ravel(r)  # the numbers of b are out of reach; r has a solution as well
            known = dense.solve(engine, factor, rhs, False)
        residual = lambda v: stop_gradient(space.ravel(self.equation(engine, space.unravel(v), theta, statics)))
        start = stop_gradient(_as_like(engine, x0, x))
        vectors = [space.ravel(v) for v in (x, start, r)]
        gate = reports.solution(engine, self.options, residual, (vectors[0], vectors[1], vectors[2], known, rhs))
        return found if gate is None or gate is True else found * gate


def _beside(y: Any, x_dot: Any) -> Any:
    """The tangent of y = (x, aux), which may be a namedtuple of two."""
    return type(y)(x_dot, None) if hasattr(type(y), "_fields") else (x_dot, None)


_MOST = 32  # sets of options whose systems are kept


def _as_like(engine: Engine, x0: Any, x: Any) -> Any:
    """The point that the solver started from, in the dtypes of its result; the result itself where it differs in shape."""
    leaves, structure = trees.flatten(x)
    starts = trees.leaves_of(x0)
    if any(kind_of(type(a)) == OPAQUE for a in starts) or [tuple(np.shape(a)) for a in starts] != [tuple(a.shape) for a in leaves]:
        return x
    made = [engine.asarray(a, b) for a, b in zip(starts, leaves, strict=True)]
    return structure.unflatten(iter([a if a.dtype == b.dtype else engine.cast(a, b) for a, b in zip(made, leaves, strict=True)]))

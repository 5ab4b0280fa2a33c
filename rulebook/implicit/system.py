"""Linear systems A(p) z = b as a primitive whose rules solve the same system again: derivatives of every order.

A is the Jacobian of a function at a point, and both may depend on the values p.  With A z = b,

    z_dot = A^-1 (b_dot - A_dot z),        b_bar = w,    p_bar = -d<w, A(p) z>/dp,    A^T w = z_bar,

and the system with the transpose has the same rules with the two matrices exchanged.  A factor of the matrix is an argument
of its own without a derivative, so that all orders share it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.engine import Engine
from rulebook.errors import RuleOutputError
from rulebook.forms import Forward, LinearForward, Pullback, Pushforward
from rulebook.implicit import dense, krylov, reports
from rulebook.implicit.memo import Memo
from rulebook.implicit.options import Options
from rulebook.implicit.space import Space
from rulebook.namespace import engine_for, run_inside, stop_gradient
from rulebook.normal import NormalForm
from rulebook.primitive import Primitive
from rulebook.tangents import Thunk
from rulebook.trees import flatten, flatten_like, leaves_of

__all__ = ["Operator", "Pull", "Push", "System", "linear_primitive"]

Function = Callable[[Engine, Any], tuple[Any, Callable[[Any], Any]]]


class Push(Pushforward):
    """A forward rule that calls back into the engine: it is the one that runs also where its values are NumPy arrays."""

    def push(self, form: NormalForm, primal: Any, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        """See Forward."""
        return run_inside(form.engine, super().push, form, primal, y, args, tangents)


class Pull(Pullback):
    """A reverse rule of that kind."""

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        """See Reverse."""
        return run_inside(form.engine, super().pull, form, y, args, y_bar)


class _LinearIn(LinearForward):
    """A forward rule of a function that is linear in its first argument, so that many tangents of that are one call."""

    def push(self, form: NormalForm, primal: Any, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        """See Forward."""
        return run_inside(form.engine, lambda: self.fn(y, args, tangents, **form.statics))


class Operator:
    """The matrix of a system as a function of a tree: what a user's own `linear_solver(operator, b)` is given.

    Attributes:
        params: the values that it depends on.
        transposed: whether it is the transpose (the adjoint, in the pairing Re sum(conj(a) * b)).
    """

    def __init__(self, matvec: Callable[[Any], Any], space: Space, params: Any, transposed: bool) -> None:
        self._matvec = matvec
        self._space = space
        self.params = params
        self.transposed = transposed

    def __call__(self, v: Any) -> Any:
        """The product with a tree that has the structure of the unknown."""
        return self._space.unravel(self._matvec(self._space.ravel(v)))


class System:
    """The systems A(params) z = b of one function, with their primitive.

    Args:
        name: what they belong to, for messages.
        function: `(engine, params) -> (x, f)`: A is the Jacobian of f at x, both trees of one structure.
        options: how they are solved.
        parts: what the function runs of the author's; given where the same matrix may be asked for more than once.
    """

    def __init__(self, name: str, function: Function, options: Options, parts: tuple[Any, ...] | None = None) -> None:
        self.name = name
        self._function = function
        self.options = options
        title = f"the linear system of {name}"
        solve = lambda b, params, factor, *, transposed: self.primal(b, params, factor, transposed=transposed)
        self._dense = linear_primitive(solve, self.push, self.pull, title)
        self._free = _primitive(solve, Push("pushforward", self.push, symbolic_zeros=True), self.pull, title)
        self._memo = None if parts is None else Memo(parts)

    def _rulebook_reads(self) -> tuple[Any, ...]:
        """What the rules run of the author's, for an engine that compiles them."""
        return self._function, self.options.linear_solver

    # -- the matrix ----------------------------------------------------------------------------

    def _flat(self, engine: Engine, params: Any) -> tuple[Space, Any, Callable[[Any], Any]]:
        """The coordinates, the point, and the function of coordinates."""
        x, f = self._function(engine, params)
        space = Space(engine, x)
        return space, space.ravel(x), lambda v: space.ravel(f(space.unravel(v)))

    def _operator(self, engine: Engine, params: Any, transposed: bool) -> tuple[Space, Callable[[Any], Any]]:
        """The product with the matrix or its transpose, for many vectors."""
        space, x, f = self._flat(engine, params)
        if transposed:
            pull = engine.vjp(f, (x,))[1]
            return space, lambda w: pull(w)[0]
        push = engine.linearize(f, (x,))[1]
        return space, lambda v: push((v,))

    def _product(self, engine: Engine, transposed: bool, v: Any) -> Callable[[Any], Any]:
        """A v or A^T v as a function of params."""
        return lambda params: self._operator(engine, params, transposed)[1](v)

    def factor(self, engine: Engine, params: Any, size: int) -> Any:
        """The factor of the matrix, cut from what it was computed from; None for a matrix-free method."""
        if self.options.method(size) != "dense":
            return None
        params = stop_gradient(params)
        if self._memo is None:
            return self._factorise(engine, params)
        return self._memo.factor(engine, params, lambda: self._factorise(engine, params))

    def _factorise(self, engine: Engine, params: Any) -> Any:
        _, x, f = self._flat(engine, params)
        return dense.factorise(engine, engine.jacobians(f, (x,))[1][0][0], self.options)

    # -- the solution --------------------------------------------------------------------------

    def solve(self, b: Any, params: Any, factor: Any, transposed: bool = False) -> Any:
        """z with A z = b, or with the transpose, of shape (n,): differentiable in b and in params."""
        engine = engine_for((b, params), self.name)
        if not engine.compiles and not any(map(engine.is_active, _arrays((b, params)))):
            return self.primal(b, params, factor, transposed=transposed)  # nothing to differentiate
        primitive = self._free if factor is None else self._dense
        return primitive(b, params, factor, transposed=transposed)

    def primal(self, b: Any, params: Any, factor: Any, *, transposed: bool) -> Any:
        """The solution of plain values."""
        engine = engine_for((b, params), self.name)
        if factor is not None:
            return dense.solve(engine, factor, b, transposed)
        space, matvec = self._operator(engine, params, transposed)
        method = self.options.method(b.shape[0])
        if callable(method):
            return space.ravel(method(Operator(matvec, space, params, transposed), space.unravel(b)))
        tol = self.options.accuracy(engine.spec(b).dtype)
        z, norm, goal, products = krylov.solve(engine, method, matvec, b, tol, self.options.products)
        return reports.linear_solve(engine, self.options, method, z, norm, goal, products)

    def push(self, z: Any, primals: Any, tangents: Any, *, transposed: bool) -> Any:
        """A^-1 (b_dot - A_dot z)."""
        b, params, factor = primals
        b_dot, params_dot, _ = tangents
        if any(t is not None for t in leaves_of(params_dot)):
            engine = engine_for((b, params), self.name)
            a_dot_z = engine.jvp(self._product(engine, transposed, z), (params,), (_made(engine, params, params_dot),))[1]
            b_dot = -a_dot_z if b_dot is None else b_dot - a_dot_z
        return None if b_dot is None else self.solve(b_dot, params, factor, transposed)

    def pull(self, z: Any, primals: Any, z_bar: Any, *, transposed: bool) -> Any:
        """w and the cotangents of params."""
        b, params, factor = primals
        engine = engine_for((b, params), self.name)
        w = self.solve(z_bar, params, factor, not transposed)
        left, right = (z, w) if transposed else (w, z)  # <left, A(p) right> is what depends on p

        def params_bar() -> Any:
            if engine.reverses:
                left_, right_, of_transpose = right, left, True
            else:
                left_, right_, of_transpose = left, right, False
            pull = engine.vjp(self._product(engine, of_transpose, right_), (params,))[1]
            return pull(-left_)[0]

        return w, Thunk(params_bar), None


def _primitive(solve: Callable[..., Any], forward: Forward, pull: Callable[..., Any], name: str) -> Primitive:
    made = Primitive(solve, name=name, listed=False)
    made.set_rule(forward, Pull("pullback", pull), replace=False)
    return made


def linear_primitive(solve: Callable[..., Any], push: Callable[..., Any], pull: Callable[..., Any], name: str) -> Primitive:
    """A primitive that is linear in its first argument for plain values of the others, with a pushforward and a pullback."""
    forward = _LinearIn(push, (0,))
    forward.symbolic_zeros = True
    return _primitive(solve, forward, pull, name)


def _arrays(tree: Any) -> list[Any]:
    return [x for x in leaves_of(tree) if hasattr(x, "dtype")]


def _made(engine: Engine, params: Any, dots: Any) -> Any:
    """A tangent with arrays for its zeros."""
    leaves, structure = flatten(params)
    found = flatten_like(structure, dots, lambda path, expected, got: RuleOutputError(f"{path}.", expected, got))
    moves = [t is None and hasattr(x, "dtype") and engine.has_tangent(x) for x, t in zip(leaves, found, strict=True)]
    return structure.unflatten(iter([engine.zeros_like(x) if m else t for x, t, m in zip(leaves, found, moves, strict=True)]))

"""What each operator does with the engine's values: `kernel(use, options, point, xs, tangents) -> result`.

xs are the arrays that are differentiated, `point` is the function of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleSignatureError
from rulebook.operators.arguments import Point, has_tangent
from rulebook.operators.conversion import into
from rulebook.operators.directions import directions
from rulebook.operators.options import Options
from rulebook.operators.results import a_kind

__all__ = ["Kernel", "derivative", "grad", "hessian", "hvp", "jacobian", "jvp", "second_derivative", "value_and_grad", "vjp"]

Tangents = tuple[Any, ...]  # one per leaf that is differentiated
Arrays = tuple[Any, ...]
Kernel = Callable[[Engine, Options, Point, Arrays, Tangents], Any]


def jvp(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> tuple[Any, Any]:
    """(y, y_dot)."""
    if not xs:
        y = into(use, point())
        return y, trees.flatten(y)[1].unflatten(iter([use.zeros_like(v) if has_tangent(use, v) else None for v in trees.leaves_of(y)]))
    return (use.jvp_many if options.batch else use.jvp_at)(point, xs, tangents)


def vjp(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> tuple[Any, Callable[[Any], Any]]:
    """(y, pullback)."""
    y, pull = use.vjp_at(point, xs) if xs else (point(), lambda y_bar: ())
    y = into(use, y)
    return y, pullback_of(use, options, point, y, pull)


def pullback_of(use: Engine, options: Options, point: Point, y: Any, pull: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The pullback that takes what a caller gives, of the engine's."""
    leaves, structure = trees.flatten(y)

    def pullback(y_bar: Any) -> Any:
        bars = directions(use, leaves, structure, y_bar, options.where, "y_bar", options.batch)
        if not options.batch:
            return point.spread(pull(structure.unflatten(iter(bars))))
        moving = [b for b in bars if b is not None]
        return point.spread(use.each(lambda *some: pull(_filled(structure, bars, some)), moving))

    return pullback


def _filled(structure: trees.Structure, bars: list[Any], some: tuple[Any, ...]) -> Any:
    rest = iter(some)
    return structure.unflatten(iter([None if b is None else next(rest) for b in bars]))


def value_and_grad(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> tuple[Any, Any]:
    """(y, gradient)."""
    y, gradient = use.value_and_grad(point.number, xs)
    return y, point.spread(gradient)


def grad(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The gradient."""
    return point.spread(use.value_and_grad(point.number, xs)[1])


def derivative(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The derivative by one number."""
    return use.jvp_at(point, xs, _one(use, options, point, xs))[1]


def second_derivative(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The second derivative by one number."""
    one = _one(use, options, point, xs)
    return use.jvp_at(lambda x: use.jvp_at(point, (x,), one)[1], xs, one)[1]


def _one(use: Engine, options: Options, point: Point, xs: Arrays) -> Tangents:
    """The tangent 1 of the one real number that is differentiated."""
    if not point.single or len(xs) != 1 or tuple(xs[0].shape) != () or use.is_complex(xs[0]):
        got = ", ".join(map(a_kind, point.chosen())) or "no numbers"
        raise RuleSignatureError(f"{options.where}.", "a real number, shape ()", got, "use rb.jacobian for arrays")
    return (use.cast(use.asarray(1.0, xs[0]), xs[0]),)


def jacobian(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The structure of y outside, that of the arguments inside, with leaves of shape y.shape + x.shape."""
    y, blocks = use.jacobians(lambda *xs: into(use, point(*xs)), xs, options.rows)
    return trees.flatten(y)[1].unflatten(iter([point.spread(row) for row in blocks]))


def hessian(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The Jacobian of the gradient: the structure of the arguments twice."""
    _, blocks = use.jacobians(lambda *xs: tuple(use.value_and_grad(point.number, xs)[1]), xs)
    return point.spread([point.spread(row) for row in blocks])


def hvp(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> Any:
    """The derivative of the gradient along the tangents."""
    return point.spread(use.hvp(point.number, xs, tangents, options.batch))

"""What each operator does with the engine's values: `kernel(use, options, args, constants) -> result`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.engines import Engine
from rulebook.errors import RuleSignatureError
from rulebook.operators.arguments import Point
from rulebook.operators.conversion import into
from rulebook.operators.directions import directions
from rulebook.operators.options import Options
from rulebook.operators.results import real_number

__all__ = ["Kernel", "derivative", "grad", "hessian", "hvp", "jacobian", "jvp", "second_derivative", "value_and_grad", "vjp"]

Args = tuple[Any, ...]
Kernel = Callable[[Engine, Options, Args, Any], Any]


def jvp(use: Engine, options: Options, args: Args, constants: Any = None) -> tuple[Any, Any]:
    """(y, y_dot) for (primals, tangents)."""
    primals, tangents = _several(options, args[0], "primals"), args[1]
    point = Point(use, options, primals, constants)
    dots = _tangents(use, options, point, tangents)
    if not point.xs:
        y = into(use, point())
        return y, trees.flatten(y)[1].unflatten(iter([_zero(use, v) for v in trees.leaves_of(y)]))
    return (use.jvp_many if options.batch else use.jvp)(point, point.xs, tuple(dots))


def _several(options: Options, values: Any, what: str) -> Args:
    if not isinstance(values, (tuple, list)):
        raise RuleSignatureError(
            f"{options.where}, {what}.", f"a tuple of {what}", f"a {type(values).__name__}", f"put them in a tuple, also one: {what}=(x,)"
        )
    return tuple(values)


def _tangents(use: Engine, options: Options, point: Point, tangents: Any) -> list[Any]:
    """The tangents of the leaves that are differentiated."""
    if not point.single:
        tangents = _several(options, tangents, "tangents")
        if len(tangents) != len(point.numbers):
            raise RuleSignatureError(
                f"{options.where}.",
                f"{len(point.numbers)} tangents, one per primal",
                f"{len(tangents)}",
                "pass None where a tangent is zero",
            )
    return point.gather(directions(use, point.leaves(), point.of, tangents, options.where, "tangent", options.batch))


def _zero(use: Engine, y: Any) -> Any:
    return use.zeros_like(y) if hasattr(y, "dtype") and use.has_tangent(y) else None


def vjp(use: Engine, options: Options, args: Args, constants: Any = None) -> tuple[Any, Callable[[Any], Any]]:
    """(y, pullback)."""
    point = Point(use, options, args, constants)
    y, pull = use.vjp(point, point.xs) if point.xs else (point(), lambda y_bar: ())
    y = into(use, y)
    leaves, structure = trees.flatten(y)

    def pullback(y_bar: Any) -> Any:
        bars = directions(use, leaves, structure, y_bar, options.where, "y_bar", options.batch)
        if not options.batch:
            return point.spread(pull(structure.unflatten(iter(bars))))
        moving = [b for b in bars if b is not None]
        return point.spread(use.each(lambda *some: pull(_filled(structure, bars, some)), moving))

    return y, pullback


def _filled(structure: trees.Structure, bars: list[Any], some: Args) -> Any:
    rest = iter(some)
    return structure.unflatten(iter([None if b is None else next(rest) for b in bars]))


def value_and_grad(use: Engine, options: Options, args: Args, constants: Any = None) -> tuple[Any, Any]:
    """(y, gradient)."""
    point = Point(use, options, args, constants).need_floats()
    y, gradient = use.value_and_grad(real_number(use, options, point), point.xs)
    return y, point.spread(gradient)


def grad(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The gradient."""
    return value_and_grad(use, options, args, constants)[1]


def derivative(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The derivative by one number."""
    point = _number(Point(use, options, args, constants), use, options)
    return use.jvp(point, point.xs, _one(use, point))[1]


def second_derivative(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The second derivative by one number."""
    point = _number(Point(use, options, args, constants), use, options)
    one = _one(use, point)
    return use.jvp(lambda x: use.jvp(point, (x,), one)[1], point.xs, one)[1]


def _number(point: Point, use: Engine, options: Options) -> Point:
    """The point, if it is one real number that is differentiated."""
    if not point.single or len(point.xs) != 1 or tuple(point.xs[0].shape) != () or use.is_complex(point.xs[0]):
        got = ", ".join(f"shape {tuple(x.shape)}, {x.dtype}" if hasattr(x, "dtype") else f"a {type(x).__name__}" for x in point.leaves())
        raise RuleSignatureError(f"{options.where}.", "a real number, shape ()", got or "no numbers", "use rb.jacobian for arrays")
    return point


def _one(use: Engine, point: Point) -> Args:
    return (use.cast(use.asarray(1.0, point.xs[0]), point.xs[0]),)


def jacobian(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The structure of y outside, that of the arguments inside, with leaves of shape y.shape + x.shape."""
    point = Point(use, options, args, constants).need_floats()
    return _blocks(point, *use.jacobians(_converted(use, point), point.xs))


def _converted(use: Engine, fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: into(use, fn(*xs))


def _blocks(point: Point, y: Any, blocks: list[list[Any]]) -> Any:
    return trees.flatten(y)[1].unflatten(iter([point.spread(row) for row in blocks]))


def hessian(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The Jacobian of the gradient: the structure of the arguments twice."""
    point = Point(use, options, args, constants).need_floats()
    gradient = _gradient(use, options, point)
    blocks = use.jacobians(gradient, point.xs)[1]
    return point.spread([point.spread(row) for row in blocks])


def _gradient(use: Engine, options: Options, point: Point) -> Callable[..., Args]:
    fn = real_number(use, options, point)
    return lambda *xs: tuple(use.value_and_grad(fn, xs)[1])


def hvp(use: Engine, options: Options, args: Args, constants: Any = None) -> Any:
    """The derivative of the gradient along the tangents, for (primals, tangents)."""
    point = Point(use, options, _several(options, args[0], "primals"), constants).need_floats()
    dots = _tangents(use, options, point, args[1])
    gradient = _gradient(use, options, point)
    if not use.reverses:
        return point.spread((use.jvp_many if options.batch else use.jvp)(gradient, point.xs, tuple(dots))[1])
    pull = use.vjp(gradient, point.xs)[1]  # the second derivative is symmetric
    return point.spread(use.each(lambda *bars: pull(bars), dots) if options.batch else pull(tuple(dots)))

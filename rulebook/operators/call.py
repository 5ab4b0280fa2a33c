"""One call of an operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.engine import Engine
from rulebook.errors import RuleSignatureError
from rulebook.operators import kernels
from rulebook.operators.arguments import Point
from rulebook.operators.conversion import find_engine, out
from rulebook.operators.directions import directions
from rulebook.operators.options import Options

__all__ = ["NONE", "evaluate", "evaluate_pulled", "function_of", "locate", "one_engine", "tangents_of", "use_of"]

NONE: Any = object()  # of an operator that takes no tangents


def evaluate(kernel: kernels.Kernel, options: Options, primals: Any, tangents: Any = NONE) -> Any:
    """The result of an operator, NumPy's for NumPy arguments."""
    use, numpy = use_of(options, primals, tangents)
    point, dots = locate(use, options, primals, tangents)
    return out(use, kernel(use, options, point, point.xs, dots), numpy)


def function_of(options: Options, make: Callable[[Options], Callable[..., Any]]) -> Callable[..., Any]:
    """What an operator gives: a function of the arguments, and of keywords, which go to the function as they are."""
    derived = make(options)

    def call(*args: Any, **static: Any) -> Any:
        return make(options.given(static))(*args) if static else derived(*args)

    call.__name__ = options.which
    return call


def evaluate_pulled(options: Options, primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
    """(y, pullback), NumPy's for NumPy arguments."""
    use, numpy = use_of(options, primals, NONE)
    point = Point(use, options, primals)
    y, pullback = kernels.vjp(use, options, point, point.xs, ())
    return out(use, y, numpy), lambda y_bar: out(use, pullback(y_bar), numpy)


def use_of(options: Options, primals: Any, tangents: Any) -> tuple[Engine, bool]:
    """The engine to use, and whether all values are NumPy's."""
    given = (primals, None if tangents is NONE else tangents, options.constants, options.caches)
    return find_engine(one_engine(options), given, options.where)


def one_engine(options: Options) -> str | None:
    """The name of the engine of an operator that takes one.

    Raises:
        RuleSignatureError: two are given.
    """
    if isinstance(options.engine, (tuple, list)):
        raise RuleSignatureError(
            f"{options.where}, engine={options.engine!r}.",
            "the name of one engine",
            f"{len(options.engine)} names",
            "pass one; rb.hessian, rb.hvp and rb.second_derivative take two",
        )
    return options.engine


def locate(use: Engine, options: Options, primals: Any, tangents: Any, constants: Any = None) -> tuple[Point, tuple[Any, ...]]:
    """The arguments as the engine's values, and one tangent per leaf that is differentiated."""
    point = Point(use, options, _several(options, primals, "primals"), constants)
    if options.operator not in ("jvp", "vjp", "derivative", "second_derivative"):
        point.need_floats()
    return point, () if tangents is NONE else tangents_of(use, options, point, tangents)


def tangents_of(use: Engine, options: Options, point: Point, tangents: Any) -> tuple[Any, ...]:
    """The tangents that a caller gave, one per leaf that is differentiated."""
    if not point.single:
        tangents = _several(options, tangents, "tangents")
        if len(tangents) != len(point.numbers):
            expected = f"{len(point.numbers)} tangents, one per primal"
            raise RuleSignatureError(f"{options.where}.", expected, f"{len(tangents)}", "pass None where a tangent is zero")
    return point.gather(directions(use, point.chosen(), point.of, tangents, options.where, "tangent", options.batch))


def _several(options: Options, values: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(values, (tuple, list)):
        raise RuleSignatureError(
            f"{options.where}, {what}.", f"a tuple of {what}", f"a {type(values).__name__}", f"put them in a tuple, also one: {what}=(x,)"
        )
    return tuple(values)

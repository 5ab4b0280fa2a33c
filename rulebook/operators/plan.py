"""An operator of a function at arguments of one layout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rulebook import trees
from rulebook.operators import kernels
from rulebook.operators.arguments import Point
from rulebook.operators.call import NONE, locate, use_of
from rulebook.operators.contexts import Contexts
from rulebook.operators.conversion import out
from rulebook.operators.layout import Layout
from rulebook.operators.options import Options

__all__ = ["Plan"]


class Plan:
    """An operator of a function at arguments that are like an example.

    Args:
        kernel: of the operator.
        options: what it was asked for.
        primals, tangents: the example.
        compile: see `rb.prepare`.

    Attributes:
        kernel: as given.
        use: the engine.
        is_numpy: whether results are NumPy's.
        compiles: whether the operator becomes a program of the engine.
        options: as given, and what the example tells.
        example: (primals, tangents).
        example_point: the primals as the engine's values.
        primals, tangents, constants: their layouts.
        contexts: the constants and caches of the options.
        all_move: whether all leaves of the arguments are arrays that are differentiated.
    """

    def __init__(self, kernel: kernels.Kernel, options: Options, primals: Any, tangents: Any, compile: Any) -> None:
        self.use, self.is_numpy = use_of(options, primals, tangents)
        self.compiles = self.use.compiles and (compile is None or bool(compile))
        if compile and not self.use.compiles:
            options = replace(options, fn=self.use.compiled_function(options.fn, compile, options.where))
        self.kernel, self.options = kernel, options
        self.example_point, dots = locate(self.use, options, primals, tangents)
        self.example = primals, () if tangents is NONE else tangents
        self.primals = self._layout("arguments", self.example_point.structure.unflatten(iter(self.example_point.leaves)))
        self.tangents = self._layout("tangents", self.example_point.spread(dots) if dots else (), lenient=True)
        self.constants = self._layout("constants", self.example_point.contexts.constants)
        self.contexts = self.example_point.contexts
        self.all_move = self.example_point.all_move
        self._takes_tangents = bool(dots)

    def _layout(self, what: str, example: Any, lenient: bool = False) -> Layout:
        return Layout(self.use, self.options.which, what, example, lenient)

    def located(self, primals: Any, contexts: Contexts) -> tuple[Point, tuple[Any, ...]]:
        """The point and the arrays that are differentiated, for primals that are like the example."""
        leaves = self.primals.read(primals)
        if self.all_move and contexts is self.contexts:
            return self.example_point, tuple(leaves)
        point = self.example_point.at(leaves, contexts)
        return point, point.xs

    def run(self, primals: Any, tangents: Any, contexts: Contexts) -> Any:
        """The result of the kernel."""
        point, xs = self.located(primals, contexts)
        return self.kernel(self.use, self.options, point, xs, tuple(self.tangents.read(tangents)) if self._takes_tangents else ())

    def finish(self, result: Any) -> Any:
        """A result as the caller gets it."""
        if not self.is_numpy:
            return result
        if self.options.operator != "vjp":
            return out(self.use, result, True)
        y, pullback = result
        return out(self.use, y, True), lambda y_bar: out(self.use, pullback(y_bar), True)

    def with_constants(self, constants: Any) -> Contexts:
        """The constants of one call, and the caches."""
        made = self.constants.read(self.contexts.given(constants))
        return self.contexts.at(self.constants.structure.unflatten(iter(made)))

    def choose_rows(self, result: Any) -> None:
        """Decide on the mode of a Jacobian, whose result for the example is known."""
        if self.options.operator != "jacobian" or not self.use.reverses:
            return
        n = sum(_size(x) for x in self.example_point.xs)
        entries = sum(_size(x) * (2 if self.use.is_complex(x) else 1) for x in trees.leaves_of(result))
        self.options = replace(self.options, rows=entries <= n * n)


def _size(x: Any) -> int:
    n = 1
    for length in x.shape:
        n *= length
    return n

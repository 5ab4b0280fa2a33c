"""Prepared operators: one function, or one compiled program, for all calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.operators import kernels
from rulebook.operators.arguments import Point
from rulebook.operators.contexts import Contexts
from rulebook.operators.plan import Plan

__all__ = ["prepared"]

_WITH_TANGENTS = ("jvp", "hvp")
Run = Callable[[Any, Any, Any], Any]  # (primals, tangents, constants or None)


def prepared(plan: Plan) -> Callable[..., Any]:
    """A plan as a function that is called as the operator's result is; it has run once."""
    if not plan.compiles:
        return _named(plan, _eager(plan))
    run: Any = (_PullbackProgram if plan.options.operator == "vjp" else _Program)(plan)
    run(*plan.example, None)
    return _named(plan, run.direct() if run.is_direct() else _as_called(plan, run))


def _named(plan: Plan, function: Callable[..., Any]) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = f"prepared {plan.options.operator} of {getattr(plan.options.fn, '__name__', 'fn')}"
    return function


def _as_called(plan: Plan, run: Run) -> Callable[..., Any]:
    if plan.options.operator in _WITH_TANGENTS:
        return lambda primals, tangents, *, constants=None: run(primals, tangents, constants)
    return lambda *args, constants=None: run(args, (), constants)


def _eager(plan: Plan) -> Callable[..., Any]:
    def run(primals: Any, tangents: Any, constants: Any) -> Any:
        return plan.finish(plan.run(primals, tangents, plan.contexts if constants is None else plan.with_constants(constants)))

    plan.choose_rows(run(*plan.example, None))
    return _as_called(plan, run) if plan.is_numpy or not plan.all_move else _direct(plan, run)


def _direct(plan: Plan, run: Run) -> Callable[..., Any]:
    """Where all arrays are differentiated, and neither go in nor come out as NumPy's: nothing but the check and the kernel."""
    kernel, use, options, point, read, read_tangents = (
        plan.kernel,
        plan.use,
        plan.options,
        plan.example_point,
        plan.primals.read,
        plan.tangents.read,
    )

    def with_tangents(primals: Any, tangents: Any, *, constants: Any = None) -> Any:
        if constants is not None:
            return run(primals, tangents, constants)
        return kernel(use, options, point, tuple(read(primals)), tuple(read_tangents(tangents)))

    def of_arguments(*args: Any, constants: Any = None) -> Any:
        return kernel(use, options, point, tuple(read(args)), ()) if constants is None else run(args, (), constants)

    return with_tangents if options.operator in _WITH_TANGENTS else of_arguments


class _Inputs:
    """What a compiled program takes: trees where it knows the containers, else those leaves that are not static.

    It runs the Python code below once more where it is called with another structure, shape or dtype, and that is how
    these are found: nothing is checked in the calls that fit.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.is_native = all(
            plan.use.knows(layout.structure) and len(layout.moving) == len(layout.leaves) for layout in (plan.primals, plan.tangents)
        )
        self.constants = self._moving(plan.contexts)

    def _moving(self, contexts: Contexts) -> tuple[Any, ...]:
        leaves = trees.leaves_of(contexts.constants)
        return tuple([leaves[k] for k in self._plan.constants.moving])

    def pack(self, primals: Any, tangents: Any, constants: Any) -> tuple[Any, Any, Any]:
        """What the program is called with."""
        plan = self._plan
        given = self.constants if constants is None else self._moving(plan.with_constants(constants))
        if self.is_native:
            return primals, tangents, given
        leaves = plan.primals.read(primals)
        return tuple([leaves[k] for k in plan.primals.moving]), tuple(plan.tangents.read(tangents)), given

    def unpack(self, primals: Any, tangents: Any, constants: Any) -> tuple[Any, Any, Contexts]:
        """What `Plan.run` takes, in the program."""
        plan = self._plan
        contexts = plan.contexts.at(plan.constants.filled(constants)) if constants else plan.contexts
        if self.is_native:
            return primals, tangents, contexts
        return plan.primals.filled(primals), plan.tangents.filled(tangents), contexts

    def explain(self, primals: Any, tangents: Any) -> None:
        """Raise if it is the arguments that the program could not take.

        Raises:
            PreparationError: they are not like the example.
        """
        self._plan.primals.read(primals)
        self._plan.tangents.read(tangents)


class _Program:
    """A plan as one compiled program."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._inputs = _Inputs(plan)
        self._program = plan.use.compiled(self._entry)
        self._structure: trees.Structure | None = None

    def _entry(self, *packed: Any) -> Any:
        result = self._plan.run(*self._inputs.unpack(*packed))
        leaves, structure = trees.flatten(result)
        self._structure = None if self._plan.use.knows(structure) else structure
        return leaves if self._structure else result

    def __call__(self, primals: Any, tangents: Any, constants: Any) -> Any:
        packed = self._inputs.pack(primals, tangents, constants)
        try:
            found = self._program(*packed)
        except TypeError:
            self._inputs.explain(primals, tangents)
            raise
        return self._plan.finish(found if self._structure is None else self._structure.unflatten(iter(found)))

    def is_direct(self) -> bool:
        """Whether nothing needs to be done before and after the program."""
        return self._inputs.is_native and self._structure is None and not self._plan.is_numpy and not self._inputs.constants

    def direct(self) -> Callable[..., Any]:
        """The program with nothing around it."""
        program, run = self._program, self

        def with_tangents(primals: Any, tangents: Any, *, constants: Any = None) -> Any:
            try:
                return program(primals, tangents, ()) if constants is None else run(primals, tangents, constants)
            except TypeError:
                run._inputs.explain(primals, tangents)
                raise

        def of_arguments(*args: Any, constants: Any = None) -> Any:
            try:
                return program(args, (), ()) if constants is None else run(args, (), constants)
            except TypeError:
                run._inputs.explain(args, ())
                raise

        return with_tangents if self._plan.options.operator in _WITH_TANGENTS else of_arguments


class _PullbackProgram:
    """A plan of rb.vjp as two programs: one gives y and what the other, the pullback, needs."""

    is_direct = staticmethod(lambda: False)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._inputs = _Inputs(plan)
        self._program = plan.use.compiled_vjp(self._locate)

    def _locate(self, *packed: Any) -> tuple[Point, tuple[Any, ...]]:
        primals, _, contexts = self._inputs.unpack(*packed)
        return self._plan.located(primals, contexts)

    def __call__(self, primals: Any, tangents: Any, constants: Any) -> Any:
        packed = self._inputs.pack(primals, tangents, constants)
        try:
            y, pull = self._program(*packed)
        except TypeError:
            self._inputs.explain(primals, tangents)
            raise
        plan = self._plan
        return plan.finish((y, kernels.pullback_of(plan.use, plan.options, plan.example_point, y, pull)))

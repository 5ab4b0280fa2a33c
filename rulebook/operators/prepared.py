"""`rb.prepare`: what does not depend on the numbers is done once."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from rulebook.errors import RuleSignatureError
from rulebook.operators import first, kernels, second
from rulebook.operators.call import NONE
from rulebook.operators.crossed import crossed
from rulebook.operators.options import Options
from rulebook.operators.plan import Plan
from rulebook.operators.programs import prepared
from rulebook.operators.sparse import sparse

__all__ = ["prepare"]

_KERNELS: dict[Callable[..., Any], kernels.Kernel] = {
    first.jvp: kernels.jvp,
    first.vjp: kernels.vjp,
    first.derivative: kernels.derivative,
    first.grad: kernels.grad,
    first.value_and_grad: kernels.value_and_grad,
    first.jacobian: kernels.jacobian,
    second.hessian: kernels.hessian,
    second.hvp: kernels.hvp,
    second.second_derivative: kernels.second_derivative,
}
_WITH_TANGENTS = (first.jvp, second.hvp)


def prepare(operator: Callable[..., Any], fn: Callable[..., Any], *example: Any, compile: Any = None, **options: Any) -> Callable[..., Any]:
    """An operator of a function, ready for arguments like the example's.

    The operator runs once on the example.  For JAX it becomes one compiled program, for the other engines a function that
    knows the structure, shapes and dtypes, and what follows from them; torch compiles fn where that is asked for.

    Args:
        operator: `rb.grad` or another operator, itself.
        fn: the function to differentiate.
        *example: what the result will be called with: the arguments of fn; for `rb.jvp` and `rb.hvp` primals and tangents.
        compile: for torch, whether `torch.compile` compiles fn (or a dict of its options); False for JAX: no `jax.jit`.
        **options: of the operator, as `engine=`, `argnums=`, `batch=`, `constants=`, `caches=`, `sparsity=`.

    Returns:
        A function that is called as the operator's result is (for `rb.jvp`, `rb.vjp` and `rb.hvp` with the arguments that
        follow fn), and takes other `constants=` too.  It gives NumPy's values where the example is NumPy's, and the engine's
        where the example is.  Threads may call it at the same time, as far as they may call fn.  A compiled program keeps what
        fn reads besides its arguments as it was, as `jax.jit` does: pass what changes in `constants=`.

    Raises:
        RuleSignatureError: no operator, no function, no example, or an option that the operator has not.
        PreparationError: (later) the arguments have another structure, shape or dtype than the example, or other static values.

    Example:
        >>> import numpy as np
        >>> gradient = prepare(first.grad, lambda x: (x**3).sum(), np.zeros(2), engine="dual")
        >>> gradient(np.array([1.0, 2.0]))
        array([ 3., 12.])
    """
    asked = _options(operator, fn, options)
    primals, tangents = _example(operator, asked, example)
    if asked.sparsity is not None:
        return sparse(asked).prepare(primals, compile)
    kernel, plain = crossed(_KERNELS[operator], asked)
    if operator is not second.hvp:
        return prepared(Plan(kernel, plain, primals, tangents, compile))
    in_one_form = functools.partial(second.in_tuples, asked.argnums)
    form = in_one_form(primals, tangents)
    run = prepared(Plan(kernel, plain, *form, compile))
    if form[0] is primals and form[1] is tangents:
        return run
    return lambda primals, tangents, **constants: run(*in_one_form(primals, tangents), **constants)


def _options(operator: Any, fn: Any, options: dict[str, Any]) -> Options:
    known = [f"rb.{o.__name__}" for o in _KERNELS]
    if not callable(operator) or operator not in _KERNELS:
        got = getattr(operator, "__name__", f"a {type(operator).__name__}")
        raise RuleSignatureError(
            "rb.prepare, operator.", f"one of {', '.join(known)}", got, "pass the operator, then the function: rb.prepare(rb.grad, f, x)"
        )
    name = operator.__name__
    if not callable(fn):
        raise RuleSignatureError(
            f"rb.prepare of rb.{name}.", "a function", f"a {type(fn).__name__}", f"pass it after the operator: rb.prepare(rb.{name}, f, x)"
        )
    takes = {p.name: p.default for p in inspect.signature(operator).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in takes:
            near = difflib.get_close_matches(option, takes, n=1)
            do = f"write {near[0]}=, if that is meant" if near else "leave it out"
            raise RuleSignatureError(f"rb.prepare of rb.{name}, option {option}=.", f"one of {', '.join(takes)}", repr(option), do)
    return Options(name, fn, **{**takes, **options})


def _example(operator: Callable[..., Any], options: Options, example: tuple[Any, ...]) -> tuple[Any, Any]:
    """The primals and tangents of an example."""
    if operator in _WITH_TANGENTS:
        if len(example) != 2:
            raise RuleSignatureError(
                f"rb.prepare of {options.where}.",
                "an example: primals and tangents",
                f"{len(example)} values",
                "pass what it will be called with",
            )
        return example
    if not example:
        raise RuleSignatureError(
            f"rb.prepare of {options.where}.", "an example of the arguments", "none", "pass what it will be called with"
        )
    return example, NONE

"""Operators of second order, in one engine or in two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from rulebook.operators import kernels
from rulebook.operators.call import evaluate, function_of
from rulebook.operators.crossed import crossed
from rulebook.operators.kernels import Kernel
from rulebook.operators.options import Argnums, Constants, Derivative, Name, Options, P
from rulebook.operators.sparse import sparse

__all__ = ["hessian", "hvp", "in_tuples", "second_derivative"]


@overload
def hessian(fn: Callable[P, Any], *, engine: Name = ..., argnums: Argnums = ..., sparsity: Any = ...) -> Derivative[P, Any]: ...
@overload
def hessian(
    fn: Callable[..., Any],
    *,
    engine: Name = ...,
    argnums: Argnums = ...,
    constants: Constants = ...,
    caches: Sequence[Any] = ...,
    sparsity: Any = ...,
) -> Callable[..., Any]: ...
def hessian(
    fn: Callable[..., Any],
    *,
    engine: Name = None,
    argnums: Argnums = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
    sparsity: Any = None,
) -> Callable[..., Any]:
    """A function that gives the Hessian of a real function, of shape x.shape + x.shape.

    Args:
        fn: gives a real number, of shape ().
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.  A pair: what
            differentiates the gradient, and what gives the gradient.
        argnums: which argument; a tuple gives a tuple of tuples.
        constants: see `rb.jvp`.
        caches: see `rb.jvp`.
        sparsity: what is known of the pattern, for a sparse result: see `rulebook.operators.sparse`.

    Returns:
        A function of fn's arguments.  Of a container: its structure, twice.

    Raises:
        RuleSignatureError: fn gives no real number.
        EngineMissingError: the engine is not installed.

    Example:
        >>> import numpy as np
        >>> hessian(lambda x: (x**3).sum(), engine="dual")(np.array([1.0, 2.0]))
        array([[ 6.,  0.],
               [ 0., 12.]])
    """
    options = Options("hessian", fn, engine, argnums, False, constants, caches, sparsity)
    if sparsity is not None:
        return sparse(options)
    return function_of(options, lambda o: _at(*crossed(kernels.hessian, o)))


@overload
def second_derivative(fn: Callable[P, Any], *, engine: Name = ..., argnums: int = ...) -> Derivative[P, Any]: ...
@overload
def second_derivative(
    fn: Callable[..., Any], *, engine: Name = ..., argnums: int = ..., constants: Constants = ..., caches: Sequence[Any] = ...
) -> Callable[..., Any]: ...
def second_derivative(
    fn: Callable[..., Any],
    *,
    engine: Name = None,
    argnums: int = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that gives the second derivative of fn with respect to one number.

    Args:
        fn: gives an array or container of arrays.
        engine: as `hessian` takes it.
        argnums: which argument; it must have shape ().
        constants: see `rb.jvp`.
        caches: see `rb.jvp`.

    Returns:
        A function of fn's arguments that gives a value of the structure and shape of fn's.

    Raises:
        RuleSignatureError: the argument is no number.
        EngineMissingError: the engine is not installed.

    Example:
        >>> second_derivative(lambda x: x**3, engine="dual")(2.0)
        array(12.)
    """
    options = Options("second_derivative", fn, engine, argnums, False, constants, caches)
    return function_of(options, lambda o: _at(*crossed(kernels.second_derivative, o)))


def hvp(
    fn: Callable[..., Any],
    primals: Sequence[Any] | None = None,
    tangents: Any = None,
    *,
    engine: Name = None,
    argnums: Argnums = 0,
    batch: bool = False,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> Any:
    """The derivative of the gradient of fn along tangents: the Hessian times a vector, without the Hessian.

    Args:
        fn: gives a real number, of shape ().
        primals: a tuple of the arguments of fn, or the only one; without them the result is a function of these and the tangent.
        tangents: a tuple of the tangents of the arguments that are differentiated, or that of the only one.
        engine: as `hessian` takes it.
        argnums: the arguments to differentiate, and to which the tangents belong.
        batch: whether tangents have one more leading axis, for many vectors.
        constants: see `rb.jvp`.
        caches: see `rb.jvp`.

    Returns:
        What `rb.grad` gives for these argnums, differentiated.

    Raises:
        RuleSignatureError: fn gives no real number, or the tangents do not fit.
        EngineMissingError: the engine is not installed.

    Example:
        >>> import numpy as np
        >>> hvp(lambda x: (x**3).sum(), (np.array([1.0, 2.0]),), np.array([1.0, 0.0]), engine="dual")
        array([6., 0.])
    """
    options = Options("hvp", fn, engine, argnums, batch, constants, caches)
    if primals is None:
        return function_of(options, lambda o: _along(*crossed(kernels.hvp, o)))
    return evaluate(*crossed(kernels.hvp, options), *in_tuples(argnums, primals, tangents))


def _at(kernel: Kernel, options: Options) -> Callable[..., Any]:
    return lambda *args: evaluate(kernel, options, args)


def _along(kernel: Kernel, options: Options) -> Callable[..., Any]:
    return lambda *args: evaluate(kernel, options, args[:-1], args[-1])


def in_tuples(argnums: Argnums | None, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The arguments of `hvp` in one form: primals in a tuple, and the tangent of one argument without."""
    primals = tuple(primals) if isinstance(primals, (tuple, list)) else (primals,)
    if isinstance(argnums, int) and isinstance(tangents, (tuple, list)) and len(tangents) == 1 and -len(primals) <= argnums < len(primals):
        tangents = tangents if _belongs(tangents, primals[argnums]) else tangents[0]
    return primals, tangents


def _belongs(tangents: Sequence[Any], x: Any) -> bool:
    """Whether a sequence of one is itself the tangent of x, which then is a sequence of one too, and not a sequence that holds it."""
    is_sequence = (tuple, list)
    return isinstance(x, is_sequence) and len(x) == 1 and (isinstance(x[0], is_sequence) or not isinstance(tangents[0], is_sequence))

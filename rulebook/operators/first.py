"""Operators of first order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from rulebook.operators import kernels
from rulebook.operators.call import evaluate, evaluate_pulled, function_of
from rulebook.operators.options import Argnums, Constants, Derivative, Options, P
from rulebook.operators.sparse import sparse

__all__ = ["derivative", "grad", "jacobian", "jvp", "value_and_grad", "vjp"]


def jvp(
    fn: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Any,
    *,
    engine: str | None = None,
    argnums: Argnums | None = None,
    batch: bool = False,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along the tangents.

    Args:
        fn: a function of the primals.
        primals: arrays, numbers or containers of them.
        tangents: one per primal, of its structure, shapes and dtypes; None where zero.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: the primals that the tangents belong to; an int takes one tangent, not a tuple.
        batch: whether tangents have one more leading axis, for many directions; the primal runs once.
        constants: passed to fn after the primals (a dict: by keyword); not differentiated, and not to be written to.
        caches: work arrays that fn may write to, after the constants; their values do not matter.

    Returns:
        (y, y_dot), NumPy arrays for NumPy arguments.

    Raises:
        RuleSignatureError: the numbers of primals and tangents differ, or values belong to another engine.
        EngineMissingError: the engine is not installed.

    Example:
        >>> jvp(lambda x: x**2, (3.0,), (1.0,), engine="dual")
        (array(9.), array(6.))
    """
    options = Options("jvp", fn, engine, argnums, batch, constants, caches)
    found: tuple[Any, Any] = evaluate(kernels.jvp, options, primals, tangents)
    return found


def vjp(
    fn: Callable[..., Any],
    *primals: Any,
    engine: str | None = None,
    argnums: Argnums | None = None,
    batch: bool = False,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> tuple[Any, Callable[[Any], Any]]:
    """`fn(*primals)` and its pullback, in the pairing Re sum(conj(y_bar) * y_dot).

    Args:
        fn: a function of the primals.
        primals: arrays, numbers or containers of them.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's
            (whose pullback costs one forward pass for all elements of the primals together).
        argnums: the primals to give cotangents of; an int gives one, not a tuple.
        batch: whether cotangents have one more leading axis, for many at once.
        constants: see `jvp`.
        caches: see `jvp`.

    Returns:
        (y, pullback), where pullback(y_bar) gives a tuple of cotangents, one per primal.

    Raises:
        RuleSignatureError: values belong to another engine.
        EngineMissingError: the engine is not installed.

    Example:
        >>> import numpy as np
        >>> y, pullback = vjp(lambda x: x**2, np.array([1.0, 2.0]), engine="dual")
        >>> pullback(np.ones(2))
        (array([2., 4.]),)
    """
    return evaluate_pulled(Options("vjp", fn, engine, argnums, batch, constants, caches), primals)


@overload
def value_and_grad(fn: Callable[P, Any], *, engine: str | None = ..., argnums: Argnums = ...) -> Derivative[P, tuple[Any, Any]]: ...
@overload
def value_and_grad(
    fn: Callable[..., Any], *, engine: str | None = ..., argnums: Argnums = ..., constants: Constants = ..., caches: Sequence[Any] = ...
) -> Callable[..., tuple[Any, Any]]: ...
def value_and_grad(
    fn: Callable[..., Any],
    *,
    engine: str | None = None,
    argnums: Argnums = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> Callable[..., tuple[Any, Any]]:
    """A function that gives `fn(*args)`, one real number, and its gradient.

    Args:
        fn: gives a real number, of shape ().
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: the arguments to differentiate; a tuple gives a tuple of gradients.
        constants: see `jvp`.
        caches: see `jvp`.

    Returns:
        A function of fn's arguments that gives (value, gradient); the primal runs once.

    Raises:
        RuleSignatureError: fn gives no real number, or argnums names no argument.
        EngineMissingError: the engine is not installed.

    Example:
        >>> import numpy as np
        >>> value_and_grad(lambda x: (x**2).sum(), engine="dual")(np.array([1.0, 2.0]))
        (array(5.), array([2., 4.]))
    """
    options = Options("value_and_grad", fn, engine, argnums, False, constants, caches)
    return function_of(options, lambda o: lambda *args: evaluate(kernels.value_and_grad, o, args))


@overload
def grad(fn: Callable[P, Any], *, engine: str | None = ..., argnums: Argnums = ...) -> Derivative[P, Any]: ...
@overload
def grad(
    fn: Callable[..., Any], *, engine: str | None = ..., argnums: Argnums = ..., constants: Constants = ..., caches: Sequence[Any] = ...
) -> Callable[..., Any]: ...
def grad(
    fn: Callable[..., Any],
    *,
    engine: str | None = None,
    argnums: Argnums = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that gives the gradient of fn; see `value_and_grad`.

    Example:
        >>> import numpy as np
        >>> grad(lambda x: (x**2).sum(), engine="dual")(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    options = Options("grad", fn, engine, argnums, False, constants, caches)
    return function_of(options, lambda o: lambda *args: evaluate(kernels.grad, o, args))


@overload
def derivative(fn: Callable[P, Any], *, engine: str | None = ..., argnums: int = ...) -> Derivative[P, Any]: ...
@overload
def derivative(
    fn: Callable[..., Any], *, engine: str | None = ..., argnums: int = ..., constants: Constants = ..., caches: Sequence[Any] = ...
) -> Callable[..., Any]: ...
def derivative(
    fn: Callable[..., Any],
    *,
    engine: str | None = None,
    argnums: int = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
) -> Callable[..., Any]:
    """A function that gives the derivative of fn with respect to one number, by forward mode.

    Args:
        fn: gives an array or container of arrays.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: which argument; it must have shape ().
        constants: see `jvp`.
        caches: see `jvp`.

    Returns:
        A function of fn's arguments that gives a value of the structure and shape of fn's.

    Raises:
        RuleSignatureError: the argument is no number.
        EngineMissingError: the engine is not installed.

    Example:
        >>> derivative(lambda x: x**3, engine="dual")(2.0)
        array(12.)
    """
    options = Options("derivative", fn, engine, argnums, False, constants, caches)
    return function_of(options, lambda o: lambda *args: evaluate(kernels.derivative, o, args))


@overload
def jacobian(fn: Callable[P, Any], *, engine: str | None = ..., argnums: Argnums = ..., sparsity: Any = ...) -> Derivative[P, Any]: ...
@overload
def jacobian(
    fn: Callable[..., Any],
    *,
    engine: str | None = ...,
    argnums: Argnums = ...,
    constants: Constants = ...,
    caches: Sequence[Any] = ...,
    sparsity: Any = ...,
) -> Callable[..., Any]: ...
def jacobian(
    fn: Callable[..., Any],
    *,
    engine: str | None = None,
    argnums: Argnums = 0,
    constants: Constants = (),
    caches: Sequence[Any] = (),
    sparsity: Any = None,
) -> Callable[..., Any]:
    """A function that gives the Jacobian of fn, of shape y.shape + x.shape.

    Args:
        fn: gives an array or container of arrays.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: which argument; a tuple gives, for each leaf of y, a tuple.
        constants: see `jvp`.
        caches: see `jvp`.
        sparsity: what is known of the pattern, for a sparse result: see `rulebook.operators.sparse`.

    Returns:
        A function of fn's arguments.  Of containers: the structure of y, and inside that of x.

    Raises:
        RuleOutputError: x is complex and fn not holomorphic.
        EngineMissingError: the engine is not installed.

    Example:
        >>> import numpy as np
        >>> jacobian(lambda x: x**2, engine="dual")(np.array([1.0, 2.0]))
        array([[2., 0.],
               [0., 4.]])
    """
    options = Options("jacobian", fn, engine, argnums, False, constants, caches, sparsity)
    if sparsity is not None:
        return sparse(options)
    return function_of(options, lambda o: lambda *args: evaluate(kernels.jacobian, o, args))

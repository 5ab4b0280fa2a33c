"""Derivative operators, one spelling for every engine: NumPy in, NumPy out.

A function given to an operator may be any function that the engine can run.  Without `engine=`
the operators take the engine that the values belong to, so that a rule can call back into
whatever engine is running; for NumPy values that is "dual".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engines import NUMPY, Engine, engine_of, kind_of, load_engine
from rulebook.errors import RulebookError, RuleSignatureError

__all__ = ["derivative", "grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp"]


def _engine(name: str | None, values: Any, where: str) -> tuple[Engine, bool]:
    """The engine to use, and whether all values are NumPy's, so that the results should be."""
    found = engine_of(trees.flatten(values)[0], where)
    if name is None:
        return (found or load_engine("dual")), found is None
    asked = load_engine(name)
    if found is not None and found is not asked:
        raise RuleSignatureError(
            f"{where}, engine={name!r}.", f"values of {name} or NumPy", f"values of {found.name}", f"pass engine={found.name!r}"
        )
    return asked, found is None


def _into(engine: Engine, tree: Any) -> Any:
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([engine.asarray(v) if kind_of(type(v)) == NUMPY else v for v in leaves]))


def _arrays_into(engine: Engine, tree: Any) -> Any:
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([engine.asarray(v) if isinstance(v, np.ndarray) and v.dtype.kind in "fciub" else v for v in leaves]))


def _out(engine: Engine, tree: Any, numpy: bool) -> Any:
    """A result as it is returned: for NumPy arguments, NumPy arrays that share no memory with them."""
    if not numpy:
        return tree
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([_leaf_out(engine, v) for v in leaves]))


def _leaf_out(engine: Engine, value: Any) -> Any:
    """A result as a NumPy array; one that depends on an outer derivative call, through what fn captured, as it is."""
    if engine.owns(type(value)):
        return value if engine.is_active(value) else np.array(engine.to_numpy(value))
    return np.array(value) if kind_of(type(value)) == NUMPY else value


def jvp(fn: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, engine: str | None = None) -> tuple[Any, Any]:
    """`fn(*primals)` and its derivative along the tangents.

    Args:
        fn: a function of the primals.
        primals: arrays, numbers or containers of them.
        tangents: one per primal, of its structure, shapes and dtypes; None where zero.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.

    Returns:
        (y, y_dot), NumPy arrays for NumPy arguments.

    Raises:
        RuleSignatureError: the numbers of primals and tangents differ, or values belong to another engine.
        EngineMissingError: the engine is not installed.

    Example:
        >>> jvp(lambda x: x**2, (3.0,), (1.0,), engine="dual")
        (array(9.), array(6.))
    """
    if len(primals) != len(tangents):
        raise RuleSignatureError(
            "rb.jvp.", f"{len(primals)} tangents, one per primal", f"{len(tangents)}", "pass None where a tangent is zero"
        )
    use, numpy = _engine(engine, (tuple(primals), tuple(tangents)), "rb.jvp")
    made = tuple(_into(use, x) for x in primals)
    y, y_dot = use.jvp(fn, made, tuple(_full_tangent(use, x, t) for x, t in zip(made, tangents, strict=True)))
    return _out(use, y, numpy), _out(use, y_dot, numpy)


def _full_tangent(engine: Engine, x: Any, t: Any, where: str = "rb.jvp", what: str = "tangent") -> Any:
    """A tangent or cotangent of x with arrays for its zeros, in the dtypes of x; None where x has none."""

    def fail(path: str, expected: str, got: str) -> RulebookError:
        return RuleSignatureError(f"{where}, {path}.", expected, got, f"pass a {what} of the structure and shape of what it belongs to")

    leaves, structure = trees.flatten(x)
    paths = trees.leaf_paths(structure, what)
    dots = trees.flatten_like(structure, t, fail, what)
    full = [_tangent_leaf(engine, a, d, path, fail) for a, d, path in zip(leaves, dots, paths, strict=True)]
    return structure.unflatten(iter(full))


def _tangent_leaf(engine: Engine, x: Any, t: Any, path: str, fail: Callable[..., RulebookError]) -> Any:
    if not engine.has_tangent(x):
        return None
    if t is None:
        return engine.zeros_like(x)
    t = engine.asarray(t, x)
    if tuple(t.shape) != tuple(x.shape):
        raise fail(path, f"shape {tuple(x.shape)}", f"shape {tuple(t.shape)}")
    return t if t.dtype == x.dtype else engine.cast(t, x)


def vjp(fn: Callable[..., Any], *primals: Any, engine: str | None = None) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """`fn(*primals)` and its pullback, in the pairing Re sum(conj(y_bar) * y_dot).

    Args:
        fn: a function of the primals.
        primals: arrays, numbers or containers of them.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's
            (whose pullback costs one forward pass for all elements of the primals together).

    Returns:
        (y, pullback), where pullback(y_bar) gives a tuple of cotangents, one per primal.

    Raises:
        RuleSignatureError: values belong to another engine.
        EngineMissingError: the engine is not installed.

    Example:
        >>> y, pullback = vjp(lambda x: x**2, np.array([1.0, 2.0]), engine="dual")
        >>> pullback(np.ones(2))
        (array([2., 4.]),)
    """
    use, numpy = _engine(engine, primals, "rb.vjp")
    y, pullback = use.vjp(fn, tuple(_into(use, x) for x in primals))
    y = _into(use, y)

    def pull(y_bar: Any) -> tuple[Any, ...]:
        found: tuple[Any, ...] = _out(use, pullback(_full_tangent(use, y, y_bar, "rb.vjp", "y_bar")), numpy)
        return found

    return _out(use, y, numpy), pull


def _partial(engine: Engine, fn: Callable[..., Any], args: tuple[Any, ...], argnums: tuple[int, ...]) -> Callable[..., Any]:
    """fn of the arguments `argnums` alone; the other arrays are made the engine's, numbers stay what they are."""
    fixed = [x if i in argnums else _arrays_into(engine, x) for i, x in enumerate(args)]

    def of_some(*some: Any) -> Any:
        every = list(fixed)
        for i, x in zip(argnums, some, strict=True):
            every[i] = x
        return fn(*every)

    return of_some


def _argnums(argnums: int | Sequence[int], n: int, where: str) -> tuple[tuple[int, ...], bool]:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    wrong = [i for i in numbers if not -n <= i < n]
    if wrong or not numbers:
        raise RuleSignatureError(f"{where}, argnums.", f"positions among the {n} arguments", repr(argnums), "number the arguments from 0")
    return tuple(i % n for i in numbers), isinstance(argnums, int)


def value_and_grad(
    fn: Callable[..., Any], *, engine: str | None = None, argnums: int | Sequence[int] = 0
) -> Callable[..., tuple[Any, Any]]:
    """A function that gives `fn(*args)`, one real number, and its gradient.

    Args:
        fn: gives a real number, of shape ().
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: the arguments to differentiate; a tuple gives a tuple of gradients.

    Returns:
        A function of fn's arguments that gives (value, gradient); the primal runs once.

    Raises:
        RuleSignatureError: fn gives no real number, or argnums names no argument.
        EngineMissingError: the engine is not installed.

    Example:
        >>> value_and_grad(lambda x: (x**2).sum(), engine="dual")(np.array([1.0, 2.0]))
        (array(5.), array([2., 4.]))
    """

    def value_and_gradient(*args: Any) -> tuple[Any, Any]:
        where = "rb.value_and_grad"
        numbers, single = _argnums(argnums, len(args), where)
        use, numpy = _engine(engine, args, where)
        made = tuple(_differentiable(use, args[i], i, where) for i in numbers)
        y, pullback = use.vjp(_partial(use, fn, args, numbers), made)
        y = _real_number(use, y, f"{where} of {getattr(fn, '__name__', 'fn')}.")
        gradients = _out(use, pullback(_one(use, y)), numpy)
        return _out(use, y, numpy), gradients[0] if single else gradients

    return value_and_gradient


def _differentiable(engine: Engine, x: Any, number: int, where: str) -> Any:
    """An argument as the engine's values, if there is something to differentiate by."""
    made = _into(engine, x)
    leaves = trees.flatten(made)[0]
    if not any(engine.has_tangent(leaf) for leaf in leaves):
        got = ", ".join(dict.fromkeys(str(leaf.dtype) if hasattr(leaf, "dtype") else f"a {type(leaf).__name__}" for leaf in leaves))
        raise RuleSignatureError(
            f"{where}, argument {number}.", "floating-point numbers", got or "no numbers", "pass floats to differentiate by"
        )
    return made


def _array(engine: Engine, x: Any, number: int, where: str) -> Any:
    """One array to differentiate by."""
    if not trees.is_leaf(x):
        raise RuleSignatureError(
            f"{where}, argument {number}.", "one array", f"a {type(x).__name__}", "use rb.jvp or rb.vjp for containers"
        )
    return _differentiable(engine, x, number, where)


def _real_number(engine: Engine, y: Any, which: str) -> Any:
    """What fn gave, if it is one real number."""
    y = _into(engine, y)
    if not trees.is_leaf(y) or tuple(getattr(y, "shape", (1,))) != () or engine.is_complex(y) or not engine.has_tangent(y):
        got = f"shape {tuple(y.shape)}, {y.dtype}" if hasattr(y, "dtype") else f"a {type(y).__name__}"
        raise RuleSignatureError(which, "one real number, shape ()", got, "use rb.jacobian or rb.vjp")
    return y


def _one(engine: Engine, like: Any) -> Any:
    return engine.cast(engine.asarray(1.0, like), like)


def grad(fn: Callable[..., Any], *, engine: str | None = None, argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that gives the gradient of fn; see `value_and_grad`.

    Example:
        >>> grad(lambda x: (x**2).sum(), engine="dual")(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    both = value_and_grad(fn, engine=engine, argnums=argnums)
    return lambda *args: both(*args)[1]


def derivative(fn: Callable[..., Any], *, engine: str | None = None, argnums: int = 0) -> Callable[..., Any]:
    """A function that gives the derivative of fn with respect to one number, by forward mode.

    Args:
        fn: gives an array or container of arrays.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: which argument; it must have shape ().

    Returns:
        A function of fn's arguments that gives a value of the structure and shape of fn's.

    Raises:
        RuleSignatureError: the argument is no number.
        EngineMissingError: the engine is not installed.

    Example:
        >>> derivative(lambda x: x**3, engine="dual")(2.0)
        array(12.)
    """

    def of(*args: Any) -> Any:
        (number,), _ = _argnums(argnums, len(args), "rb.derivative")
        use, numpy = _engine(engine, args, "rb.derivative")
        x = use.asarray(args[number])
        if tuple(x.shape) != () or not use.has_tangent(x):
            raise RuleSignatureError(
                "rb.derivative.", "a real number, shape ()", f"shape {tuple(x.shape)}, {x.dtype}", "use rb.jacobian for arrays"
            )
        return _out(use, use.jvp(_partial(use, fn, args, (number,)), (x,), (_one(use, x),))[1], numpy)

    return of


def jacobian(fn: Callable[..., Any], *, engine: str | None = None, argnums: int = 0) -> Callable[..., Any]:
    """A function that gives the Jacobian of fn, of shape y.shape + x.shape; the primal runs once.

    Args:
        fn: gives one array.
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: which argument.

    Returns:
        A function of fn's arguments.

    Raises:
        EngineMissingError: the engine is not installed.

    Example:
        >>> jacobian(lambda x: x**2, engine="dual")(np.array([1.0, 2.0]))
        array([[2., 0.],
               [0., 4.]])
    """

    def of(*args: Any) -> Any:
        (number,), _ = _argnums(argnums, len(args), "rb.jacobian")
        use, numpy = _engine(engine, args, "rb.jacobian")
        inner = _checked(_partial(use, fn, args, (number,)), _one_array, f"rb.jacobian of {getattr(fn, '__name__', 'fn')}.", use)
        return _out(use, use.jacobian(inner, _array(use, args[number], number, "rb.jacobian"))[1], numpy)

    return of


def _checked(fn: Callable[..., Any], check: Callable[..., Any], which: str, engine: Engine) -> Callable[..., Any]:
    return lambda *args: check(engine, fn(*args), which)


def _one_array(engine: Engine, y: Any, which: str) -> Any:
    if not trees.is_leaf(y):
        raise RuleSignatureError(which, "one array", f"a {type(y).__name__}", "return one array, or use rb.jvp or rb.vjp")
    return _into(engine, y)


def hessian(fn: Callable[..., Any], *, engine: str | None = None, argnums: int = 0) -> Callable[..., Any]:
    """A function that gives the Hessian of a real function, of shape x.shape + x.shape.

    Args:
        fn: gives a real number, of shape ().
        engine: what differentiates; by default the engine of the values, "dual" for NumPy's.
        argnums: which argument.

    Returns:
        A function of fn's arguments.

    Raises:
        EngineMissingError: the engine is not installed.

    Example:
        >>> hessian(lambda x: (x**3).sum(), engine="dual")(np.array([1.0, 2.0]))
        array([[ 6.,  0.],
               [ 0., 12.]])
    """

    def of(*args: Any) -> Any:
        (number,), _ = _argnums(argnums, len(args), "rb.hessian")
        use, numpy = _engine(engine, args, "rb.hessian")
        inner = _checked(_partial(use, fn, args, (number,)), _real_number, f"rb.hessian of {getattr(fn, '__name__', 'fn')}.", use)
        x = _array(use, args[number], number, "rb.hessian")
        return _out(use, use.jacobian(lambda x: use.jacobian(inner, x)[1], x)[1], numpy)

    return of

"""The decorators that make primitives and register rules, and what is registered."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, Unpack, overload

from rulebook import forms, packs
from rulebook.adjoint import host_transpose
from rulebook.engines import engine_names, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.native import Native
from rulebook.primitive import P, Primitive, R, registered
from rulebook.validate import check_rule_signature

__all__ = [
    "RuleInfo",
    "batch_rule",
    "bind",
    "frule",
    "non_differentiable",
    "primitive",
    "primitives",
    "pullback",
    "pushforward",
    "rrule",
    "rules",
    "scalar_rule",
    "transpose",
]

F = TypeVar("F", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """Those of `primitive`, which says what they mean."""

    name: str | None
    host: bool
    result: Callable[..., Any] | None
    vectorized: bool
    cases: Sequence[Any]
    tangent_space: Callable[[int, Any], Any] | None
    accuracy: float | None
    jit: bool
    native: Mapping[str, Native] | None
    listed: bool


@overload
def primitive(fn: Callable[P, R], **options: Unpack[Options]) -> Primitive[P, R]: ...
@overload
def primitive(fn: None = None, **options: Unpack[Options]) -> Callable[[Callable[P, R]], Primitive[P, R]]: ...
def primitive(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function carry rules.  A decorator, or a wrapper for a function one does not own.

    Args:
        fn: the function; its positional parameters are primals, its keyword-only ones static.
        name: how messages and `rb.primitives()` call it; module and name by default.
        host: fn needs NumPy arrays, which are read-only, and returns NumPy arrays.
        result: for a host function under tracing, maps the arguments' `rb.ShapeDtype`s to the result's.
        vectorized: the host function accepts extra leading axes.
        cases: example calls, `rb.case(...)` or functions of a numpy.random.Generator.
        tangent_space: `(argument index, tangent) -> tangent`, the projection onto the space where the rules hold.
        accuracy: the relative error of a function that iterates to a tolerance.
        jit: whether un-jitted calls on JAX values may be compiled; false for code that branches on values.
        native: engine -> the function that it has itself, natively and right in every mode and order: a path in its `rb.xp`
            namespace, as {"jax": "special.i0e"}, or a function of the same arguments.  There the rules are not used.

    Returns:
        A Primitive: the function, which also takes any engine's values.

    Raises:
        RuleSignatureError: fn is no function.

    Example:
        >>> @primitive
        ... def cube(x):
        ...     return x**3
        >>> cube(2.0)
        8.0
    """
    if fn is None:
        return lambda fn: Primitive(fn, **options)
    return Primitive(fn, **options)


def _need(f: Any, kind: str) -> Primitive:
    if not isinstance(f, Primitive):
        name = getattr(f, "__qualname__", type(f).__name__)
        raise RuleSignatureError(f"rb.{kind} of {name}.", "a primitive", f"a {type(f).__name__}", f"make it one with rb.primitive({name})")
    return f


def _register(
    f: Any, kind: str, replace: bool, make: Callable[[Callable[..., Any]], tuple[forms.Forward | None, forms.Reverse | None]]
) -> Callable[[F], F]:
    target = _need(f, kind)

    def register(fn: F) -> F:
        check_rule_signature(kind, fn, target.name, target.signature)
        target.set_rule(*make(fn), replace=replace)
        return fn

    return register


def frule(f: Primitive, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(primals, tangents, **static) -> (y, y_dot)`: primal and tangent share work.

    Args:
        f: the primitive.
        host: the rule needs NumPy arrays; then it has no derivative of its own.
        symbolic_zeros: a tangent that is zero arrives as None instead of an array.
        replace: allow a forward rule to be registered already.
        jit: whether the JAX bridge may compile the rule in un-jitted calls.

    Returns:
        A decorator that returns the rule unchanged.

    Raises:
        RuleSignatureError: f is no primitive, or the rule's parameters do not fit.
        DuplicateRuleError: there is a forward rule already.

    Example:
        >>> cube = primitive(lambda x: x**3)
        >>> @frule(cube)
        ... def _(primals, tangents):
        ...     (x,), (x_dot,) = primals, tangents
        ...     return x**3, 3 * x**2 * x_dot
    """
    return _register(f, "frule", replace, lambda fn: (forms.Frule("frule", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit), None))


def pushforward(
    f: Primitive, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True
) -> Callable[[F], F]:
    """Register `(y, primals, tangents, **static) -> y_dot`: the linear map alone, given the output.

    Options and errors as in `frule`.

    Example:
        >>> root = primitive(np.sqrt)
        >>> @pushforward(root)
        ... def _(y, primals, tangents, **options):
        ...     return tangents[0] / (2 * y)
    """
    return _register(
        f,
        "pushforward",
        replace,
        lambda fn: (forms.Pushforward("pushforward", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit), None),
    )


def rrule(f: Primitive, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(*primals, **static) -> (y, pullback)`, with `pullback(y_bar) -> cotangents`, one per primal.

    Options and errors as in `frule`; `symbolic_zeros` concerns y_bar.

    Example:
        >>> cube = primitive(lambda x: x**3)
        >>> @rrule(cube)
        ... def _(x):
        ...     return x**3, lambda y_bar: (3 * x**2 * y_bar,)
    """
    return _register(f, "rrule", replace, lambda fn: (None, forms.Rrule("rrule", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit)))


def pullback(
    f: Primitive, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True
) -> Callable[[F], F]:
    """Register `(y, primals, y_bar, **static) -> cotangents`: the linear map alone, given the output.

    Options and errors as in `frule`; `symbolic_zeros` concerns y_bar.

    Example:
        >>> root = primitive(np.sqrt)
        >>> @pullback(root)
        ... def _(y, primals, y_bar, **options):
        ...     return (y_bar / (2 * y),)
    """
    return _register(
        f, "pullback", replace, lambda fn: (None, forms.Pullback("pullback", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit))
    )


def scalar_rule(f: Primitive, *, host: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(y, *primals, **static) -> partials` of an elementwise function: writes both directions.

    The function is real or holomorphic and broadcasts its arguments; a partial may be `rb.thunk`ed.
    Options and errors as in `frule`.

    Example:
        >>> hypot = primitive(lambda a, b: np.sqrt(a**2 + b**2))
        >>> @scalar_rule(hypot)
        ... def _(y, a, b):
        ...     return a / y, b / y
    """

    def make(fn: Callable[..., Any]) -> tuple[forms.Forward, forms.Reverse]:
        return (
            forms.ScalarForward("scalar_rule", fn, host=host, symbolic_zeros=True, jit=jit),
            forms.ScalarReverse("scalar_rule", fn, host=host, symbolic_zeros=True, jit=jit),
        )

    return _register(f, "scalar_rule", replace, make)


def transpose(f: Primitive, wrt: tuple[int, ...] = (0,), *, host: bool = False, replace: bool = False) -> Callable[[F], F]:
    """Register `(y_bar, *primals, **static) -> cotangents of the linear arguments`: gives both directions.

    Args:
        f: a primitive that is linear in the arguments `wrt`, taken together.
        wrt: their positions.
        host: the transpose needs NumPy arrays; its own derivatives follow, as its transpose is f.
        replace: allow rules to be registered already.

    Returns:
        A decorator that returns the rule unchanged.

    Raises:
        RuleSignatureError: f is no primitive, `wrt` names no argument, or the rule's parameters do not fit.
        DuplicateRuleError: there is a rule already.

    Example:
        >>> scale = primitive(lambda x, a: a * x)
        >>> @transpose(scale)
        ... def _(y_bar, x, a):
        ...     return (a * y_bar,)
    """
    target = _need(f, "transpose")
    n = len(target.signature.positional)
    bad = [i for i in wrt if not 0 <= i < n] if not target.signature.var_positional else []
    if bad:
        raise RuleSignatureError(f"transpose of {target.name}.", f"wrt among 0..{n - 1}", f"{bad[0]}", "name positions of primals")

    def make(fn: Callable[..., Any]) -> tuple[forms.Forward, forms.Reverse]:
        reverse = host_transpose(target, fn, tuple(wrt)) if host else forms.LinearReverse(fn, tuple(wrt))
        return forms.LinearForward(fn, tuple(wrt)), reverse

    return _register(f, "transpose", replace, make)


def batch_rule(f: Primitive) -> Callable[[F], F]:
    """Register `(axis_size, in_batched, *primals, **static) -> (y, out_batched)`, the batch axis first.

    Args:
        f: the primitive.

    Returns:
        A decorator that returns the rule unchanged.

    Raises:
        RuleSignatureError: f is no primitive, or the rule's parameters do not fit.
    """
    target = _need(f, "batch_rule")

    def register(fn: F) -> F:
        check_rule_signature("batch_rule", fn, target.name, target.signature)
        target.set_batch(forms.Rule("batch_rule", fn))
        return fn

    return register


def non_differentiable(f: Callable[P, R], *, replace: bool = False) -> Primitive[P, R]:
    """Declare that all derivatives of a primitive are zero; gives the primitive back.

    Example:
        >>> floor = non_differentiable(primitive(np.floor))
        >>> floor(1.5)
        np.float64(1.0)
    """
    target: Primitive[P, R] = f if isinstance(f, Primitive) else Primitive(f)
    zero = lambda *_: None
    target.set_rule(forms.ZeroForward("non_differentiable", zero), forms.ZeroReverse("non_differentiable", zero), replace)
    return target


def bind(f: Primitive[P, R], engine: str) -> Callable[P, Any]:
    """The engine's own function of a primitive, without dispatch on values.

    Args:
        f: the primitive.
        engine: "jax", "torch", "autograd" or "dual".

    Returns:
        A function of the same arguments.

    Raises:
        EngineMissingError: the engine is not installed.
    """
    target = _need(f, "bind")
    loaded = load_engine(engine)

    @functools.wraps(target.fn)
    def bound(*args: Any, **kwargs: Any) -> Any:
        return target.call_in(loaded, args, kwargs)

    return bound


@dataclass(frozen=True)
class RuleInfo:
    """What is registered for one primitive.

    Attributes:
        name: of the primitive.
        forward, reverse: the kind of rule in each direction, or None where it is derived.
        host: which of "primal", "forward" and "reverse" are host code.
        batch: whether it has a batch rule.
        engines: the engines that there is a bridge for.
        native: those of them in which the function is the engine's own.
        derived: what is derived, direction -> how and at what cost.
    """

    name: str
    forward: str | None
    reverse: str | None
    host: tuple[str, ...]
    batch: bool
    engines: tuple[str, ...]
    native: tuple[str, ...]
    derived: dict[str, str]


def rules(f: Primitive) -> RuleInfo:
    """What is registered for a primitive: kinds, host or traceable, engines, derived or written.

    Example:
        >>> cube = scalar_rule(cubed := primitive(lambda x: x**3))(lambda y, x: (3 * x**2,)) and cubed
        >>> rules(cube).forward
        'scalar_rule'
    """
    target = _need(f, "rules")
    packs.load()
    parts = (("primal", target), (forms.FORWARD, target.forward), (forms.REVERSE, target.reverse))
    derived: dict[str, str] = {}
    if target.forward is None and target.reverse is not None:
        derived[forms.FORWARD] = (
            "one pullback per element of y"
            if target.reverse.host
            else "the reverse rule transposed: one pullback per tangent; dual: one per element of y"
        )
    if target.reverse is None and target.forward is not None:
        derived[forms.REVERSE] = (
            "one pushforward per element of the arguments"
            if target.forward.host
            else "the forward rule transposed: one pushforward per cotangent; dual: one per element of the arguments"
        )
    return RuleInfo(
        target.name,
        None if target.forward is None else target.forward.kind,
        None if target.reverse is None else target.reverse.kind,
        tuple(what for what, part in parts if part is not None and (part.host or getattr(part, "wraps_host", False))),
        target.batch is not None,
        engine_names(),
        tuple(target.native),
        derived,
    )


def primitives() -> list[Primitive]:
    """Every primitive there is, by name; those of rule packs too."""
    packs.load()
    return registered()

"""Primitives: functions that carry rules, the registry of them, and the decorators that register rules."""

from __future__ import annotations

import functools
import importlib
import types
import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from rulebook import captures, forms, trees
from rulebook.engines import CONTAINER, NUMPY, OPAQUE, Engine, engine_names, engine_of, kind_of, load_engine
from rulebook.errors import DuplicateRuleError, RuleSignatureError
from rulebook.normal import NormalForm
from rulebook.signature import Signature, static_key
from rulebook.validate import check_rule_signature

__all__ = [
    "Case",
    "Primitive",
    "RuleInfo",
    "batch_rule",
    "bind",
    "case",
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

_PLAIN = (str, bytes, int, float, complex, bool, type(None))  # statics that can hold nothing that is being differentiated
_MAX_FORMS = 512  # forms kept per primitive; statics that are fresh functions would add one per call

_registry: weakref.WeakValueDictionary[int, Primitive] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Case:
    """An example call: what checks, documentation and benchmarks use.

    Args:
        args: the primals.
        static: the options.
    """

    args: tuple[Any, ...]
    static: dict[str, Any]


def case(*args: Any, **static: Any) -> Case:
    """An example call of a primitive.

    Example:
        >>> case(1.0, tol=1e-8)
        Case(args=(1.0,), static={'tol': 1e-08})
    """
    return Case(args, static)


class Primitive:
    """A function that carries rules.  Made by `rb.primitive`; called like the function.

    Attributes:
        fn: the function itself.
        name: module and qualified name, or the one given.
        host: whether fn needs NumPy arrays.
        forward, reverse: the rules, or None.
        batch: the batch rule, or None.
        cases: example calls.
    """

    _rulebook_primitive = True

    def __init__(
        self,
        fn: Callable[..., Any],
        *,
        name: str | None = None,
        host: bool = False,
        result: Callable[..., Any] | None = None,
        vectorized: bool = False,
        cases: Sequence[Any] = (),
        tangent_space: Callable[[int, Any], Any] | None = None,
        accuracy: float | None = None,
        jit: bool = True,
    ) -> None:
        if not callable(fn):
            raise RuleSignatureError("rb.primitive.", "a function", f"a {type(fn).__name__}", "decorate a function")
        if isinstance(fn, Primitive):
            raise RuleSignatureError(f"rb.primitive of {fn.name}.", "a function", "a primitive already", "use it as it is")
        self.fn = fn
        functools.update_wrapper(self, fn)
        self.name: str = name or _full_name(fn)
        self.signature = Signature(fn, self.name)
        self.host = host
        self.result = result
        self.vectorized = vectorized
        self.cases: list[Any] = list(cases)
        self.tangent_space = tangent_space
        self.accuracy = accuracy
        self.jit = jit
        self.forward: forms.Forward | None = None
        self.reverse: forms.Reverse | None = None
        self.batch: forms.Rule | None = None
        self._arity = self.signature.arity
        self._defaults = self.signature.default_statics
        self._routes: dict[Hashable, Callable[..., Any]] = {}  # types of flat arguments -> what runs them, default statics
        self._bound: dict[Hashable, Callable[..., Any]] = {}  # (engine, structure, opaque values, statics) -> what runs the leaves
        _registry[id(self)] = self

    # -- calling -------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function: the engine follows from the values."""
        if not kwargs and len(args) == self._arity:
            route = self._routes.get(tuple(map(type, args)))
            if route is not None:
                return route(*args)
        return self._dispatch(args, kwargs)

    def _dispatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Find what runs a call, and remember it where the types of the arguments and the statics decide it."""
        args, statics = self.signature.bind(args, kwargs)
        key = self._key(statics)
        types_ = tuple(map(type, args))
        route = self._routes.get(types_ if key is None else (types_, key))
        if route is not None:
            return route(*args)
        engine = engine_of(trees.flatten((args, statics))[0], self.name)
        if engine is None:
            route, leaves = functools.partial(self.fn, **statics) if statics else self.fn, list(args)
        else:
            route, leaves = self._bind(engine, args, statics, key)
        if self._flat(args) and (key is None or all(type(v) in _PLAIN for v in statics.values())):
            if len(self._routes) >= _MAX_FORMS:
                self._routes.clear()
            self._routes[types_ if key is None else (types_, key)] = route
        return route(*leaves)

    @staticmethod
    def _flat(args: tuple[Any, ...]) -> bool:
        return all(kind_of(type(a)) not in (CONTAINER, OPAQUE) for a in args)

    def call_in(self, engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the engine's own function, whatever the values are."""
        args, statics = self.signature.bind(args, kwargs)
        found = engine_of(trees.flatten((args, statics))[0], self.name)
        if found is not None and found is not engine:
            engine_of([*trees.flatten(args)[0], engine.asarray(0.0)], self.name)
        bound, leaves = self._bind(engine, args, statics, self._key(statics))
        return bound(*leaves)

    def _bind(self, engine: Engine, args: tuple[Any, ...], statics: dict[str, Any], statics_key: Hashable) -> tuple[Callable[..., Any], list[Any]]:
        """The engine's function of the leaves of these arguments, and the leaves."""
        every, structure = trees.flatten(args)
        opaque: dict[int, Any] = {}
        leaves: list[Any] = []
        for i, leaf in enumerate(every):
            if kind_of(type(leaf)) == OPAQUE or getattr(leaf, "dtype", None) == object:
                opaque[i] = leaf
            else:
                leaves.append(leaf)
        if opaque:
            self._check_opaque(engine, structure, opaque)
        if statics and statics is not self._defaults:
            self._check_statics(engine, statics)
        key = (engine.name, structure, tuple((i, _opaque_key(v)) for i, v in opaque.items()), statics_key)
        bound = self._bound.get(key)
        if bound is None:
            while len(self._bound) >= _MAX_FORMS:
                self._bound.pop(next(iter(self._bound)), None)
            bound = self._bound[key] = engine.bind(NormalForm(self, engine, structure, opaque, statics))
        return bound, leaves

    def _key(self, statics: dict[str, Any]) -> Hashable:
        if statics is self._defaults:
            return None
        try:
            return tuple((k, static_key(v)) for k, v in sorted(statics.items()))
        except TypeError:
            name, value = next((k, v) for k, v in statics.items() if not _hashable(v))
            raise RuleSignatureError(
                f"{self.name}, static {name!r}.",
                "a hashable option (a number, a string, a tuple, a function)",
                f"a {type(value).__name__}",
                "pass a tuple instead of a list or array, or make it a positional primal",
            ) from None

    def _check_statics(self, engine: Engine, statics: dict[str, Any]) -> None:
        for name, value in statics.items():
            self._refuse_active(engine, f"static {name!r}", value, "a static is never differentiated; make it a positional primal")

    def _check_opaque(self, engine: Engine, structure: trees.Structure, opaque: dict[int, Any]) -> None:
        names = self.signature.primal_names(len(structure.children))
        paths = [p for name, child in zip(names, structure.children, strict=True) for p in trees.leaf_paths(child, name)]
        for i, value in opaque.items():
            if hasattr(type(value), "__dataclass_fields__"):
                raise RuleSignatureError(
                    f"{self.name}, argument {paths[i]}.",
                    "a registered dataclass, a container, an array or a number",
                    f"the dataclass {type(value).__name__}, which is not registered",
                    f"decorate {type(value).__name__} with @rb.register_dataclass",
                )
            self._refuse_active(engine, f"argument {paths[i]}", value, "pass the value itself as a positional primal")

    def _refuse_active(self, engine: Engine, where: str, value: Any, do: str) -> None:
        path = captures.find_captured(value, lambda v: engine.owns(type(v)) and engine.is_active(v))
        if path is not None:
            raise RuleSignatureError(
                f"{self.name}, {where}.",
                "nothing that is being differentiated",
                f"a value of {engine.name} {f'at {path}' if path else ''}".rstrip(),
                do,
            )

    # -- being a function ----------------------------------------------------------------------

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that a primitive works as a method."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> tuple[Any, ...]:
        return _find, (self.fn.__module__, self.fn.__qualname__)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def case(self, example: Callable[..., Any]) -> Callable[..., Any]:
        """Add an example call: a function of a numpy.random.Generator that gives the arguments."""
        self.cases.append(example)
        return example

    # -- registering ---------------------------------------------------------------------------

    def set_rule(self, forward: forms.Forward | None, reverse: forms.Reverse | None, replace: bool) -> None:
        """Register rules; forget what was specialised with the old ones.

        Raises:
            DuplicateRuleError: there is a rule for that direction and `replace` is false.
        """
        for direction, new, old in ((forms.FORWARD, forward, self.forward), (forms.REVERSE, reverse, self.reverse)):
            if new is not None and old is not None and not replace:
                raise DuplicateRuleError(
                    f"{new.kind} of {self.name}.", f"no {direction} rule yet", f"a {old.kind} is registered", "pass replace=True to replace it"
                )
        self.forward = forward or self.forward
        self.reverse = reverse or self.reverse
        self._routes.clear()
        self._bound.clear()

    def set_batch(self, rule: forms.Rule) -> None:
        """Register the batch rule."""
        self.batch = rule
        self._routes.clear()
        self._bound.clear()


def _full_name(fn: Callable[..., Any]) -> str:
    name = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None) or type(fn).__name__
    return f"{getattr(fn, '__module__', None) or '?'}.{name}".replace("<locals>.", "")


def _find(module: str, qualname: str) -> Any:
    """The object of that name: how a primitive is unpickled."""
    return functools.reduce(getattr, qualname.split("."), importlib.import_module(module))


def _hashable(value: Any) -> bool:
    try:
        static_key(value)
    except TypeError:
        return False
    return True


class _Identity:
    """An unhashable opaque argument as a key: by identity, kept alive."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value


def _opaque_key(value: Any) -> Hashable:
    return static_key(value) if _hashable(value) else _Identity(value)


@overload
def primitive(fn: Callable[..., Any], **options: Any) -> Primitive: ...
@overload
def primitive(fn: None = None, **options: Any) -> Callable[[Callable[..., Any]], Primitive]: ...
def primitive(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a function carry rules.  A decorator, or a wrapper for a function one does not own.

    Args:
        fn: the function; its positional parameters are primals, its keyword-only ones static.
        name: how messages and `rb.primitives()` call it; module and name by default.
        host: fn needs NumPy arrays and returns NumPy arrays.
        result: for a host function under tracing, maps the arguments' `rb.ShapeDtype`s to the result's.
        vectorized: the host function accepts extra leading axes.
        cases: example calls, `rb.case(...)` or functions of a numpy.random.Generator.
        tangent_space: `(argument index, tangent) -> tangent`, the projection onto the space where the rules hold.
        accuracy: the relative error of a function that iterates to a tolerance.
        jit: whether un-jitted calls on JAX values may be compiled; false for code that branches on values.

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


def _register(f: Any, kind: str, replace: bool, make: Callable[[Callable[..., Any]], tuple[forms.Forward | None, forms.Reverse | None]]) -> Callable[[F], F]:
    target = _need(f, kind)

    def register(fn: F) -> F:
        check_rule_signature(kind, fn, target.name, target.signature)
        target.set_rule(*make(fn), replace=replace)
        return fn

    return register


def frule(f: Any, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
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


def pushforward(f: Any, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(y, primals, tangents, **static) -> y_dot`: the linear map alone, given the output.

    Options and errors as in `frule`.

    Example:
        >>> root = primitive(np.sqrt)
        >>> @pushforward(root)
        ... def _(y, primals, tangents, **options):
        ...     return tangents[0] / (2 * y)
    """
    return _register(
        f, "pushforward", replace, lambda fn: (forms.Pushforward("pushforward", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit), None)
    )


def rrule(f: Any, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(*primals, **static) -> (y, pullback)`, with `pullback(y_bar) -> cotangents`, one per primal.

    Options and errors as in `frule`; `symbolic_zeros` concerns y_bar.

    Example:
        >>> cube = primitive(lambda x: x**3)
        >>> @rrule(cube)
        ... def _(x):
        ...     return x**3, lambda y_bar: (3 * x**2 * y_bar,)
    """
    return _register(f, "rrule", replace, lambda fn: (None, forms.Rrule("rrule", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit)))


def pullback(f: Any, *, host: bool = False, symbolic_zeros: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
    """Register `(y, primals, y_bar, **static) -> cotangents`: the linear map alone, given the output.

    Options and errors as in `frule`; `symbolic_zeros` concerns y_bar.

    Example:
        >>> root = primitive(np.sqrt)
        >>> @pullback(root)
        ... def _(y, primals, y_bar, **options):
        ...     return (y_bar / (2 * y),)
    """
    return _register(f, "pullback", replace, lambda fn: (None, forms.Pullback("pullback", fn, host=host, symbolic_zeros=symbolic_zeros, jit=jit)))


def scalar_rule(f: Any, *, host: bool = False, replace: bool = False, jit: bool = True) -> Callable[[F], F]:
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


def transpose(f: Any, wrt: tuple[int, ...] = (0,), *, host: bool = False, replace: bool = False) -> Callable[[F], F]:
    """Register `(y_bar, *primals, **static) -> cotangents of the linear arguments`: gives both directions.

    Args:
        f: a primitive that is linear in the arguments `wrt`, taken together.
        wrt: their positions.
        host: the transpose needs NumPy arrays.
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
        return forms.LinearForward(fn, tuple(wrt), host=False), forms.LinearReverse(fn, tuple(wrt), host=host)

    return _register(f, "transpose", replace, make)


def batch_rule(f: Any) -> Callable[[F], F]:
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


def non_differentiable(f: Any, *, replace: bool = False) -> Primitive:
    """Declare that all derivatives of a primitive are zero; gives the primitive back.

    Example:
        >>> floor = non_differentiable(primitive(np.floor))
        >>> floor(1.5)
        np.float64(1.0)
    """
    target = f if isinstance(f, Primitive) else Primitive(f)
    zero = lambda *_: None  # noqa: E731
    target.set_rule(forms.ZeroForward("non_differentiable", zero), forms.ZeroReverse("non_differentiable", zero), replace)
    return target


def bind(f: Any, engine: str) -> Callable[..., Any]:
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
        derived: what is derived, direction -> how and at what cost.
    """

    name: str
    forward: str | None
    reverse: str | None
    host: tuple[str, ...]
    batch: bool
    engines: tuple[str, ...]
    derived: dict[str, str]


def rules(f: Any) -> RuleInfo:
    """What is registered for a primitive: kinds, host or traceable, engines, derived or written.

    Example:
        >>> cube = scalar_rule(cubed := primitive(lambda x: x**3))(lambda y, x: (3 * x**2,)) and cubed
        >>> rules(cube).forward
        'scalar_rule'
    """
    target = _need(f, "rules")
    parts = (("primal", target), (forms.FORWARD, target.forward), (forms.REVERSE, target.reverse))
    derived: dict[str, str] = {}
    if target.forward is None and target.reverse is not None:
        derived[forms.FORWARD] = "the reverse rule transposed: one pullback per tangent; dual: one per element of y"
    if target.reverse is None and target.forward is not None:
        derived[forms.REVERSE] = "the forward rule transposed: one pushforward per cotangent; dual: one per element of the arguments"
    return RuleInfo(
        target.name,
        target.forward and target.forward.kind,
        target.reverse and target.reverse.kind,
        tuple(what for what, part in parts if part is not None and part.host),
        target.batch is not None,
        engine_names(),
        derived,
    )


def primitives() -> list[Primitive]:
    """Every primitive there is, by name."""
    return sorted(_registry.values(), key=lambda p: p.name)

"""Primitives: functions that carry rules, called like the functions, and the registry of them."""

from __future__ import annotations

import functools
import importlib
import operator
import sys
import types
import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, Generic, overload

import numpy as np

from rulebook import captures, forms, native as natives, trees
from rulebook.engine import Engine
from rulebook.engines import CONTAINER, NUMPY, OPAQUE, constant, engine_of, kind_of, load_engine
from rulebook.errors import DuplicateRuleError, RuleSignatureError
from rulebook.memory import guarded
from rulebook.native import Native
from rulebook.normal import NormalForm
from rulebook.signature import Signature, static_key

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import ParamSpec, TypeVar

    from rulebook.hostcalls import Twins

    P = ParamSpec("P", default=...)
    R = TypeVar("R", default=Any)
else:  # without the defaults, which Python 3.11 does not have and only type checkers need
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

Q = ParamSpec("Q")  # the parameters of a method without the instance
F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["Case", "P", "Primitive", "R", "case", "full_name", "registered"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None))  # statics that can hold nothing that is being differentiated
_OBJECTS = np.dtype(object)
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


class _Recorded:
    """Holds, as attributes, the functions that recorded Python code calls."""


class Primitive(Generic[P, R]):
    """A function that carries rules.  Made by `rb.primitive`; called like the function.

    Attributes:
        fn: the function itself.
        name: module and qualified name, or the one given.
        host: whether fn needs NumPy arrays.
        forward, reverse: the rules, or None.
        batch: the batch rule, or None.
        native: engine -> its own function, which is called there.
        infer: what result= would say, at a cost; or None.
        takes: tells concrete values of an engine that its host code takes as they are, and returns such; None where it wants arrays.
        twins: the maps that its host rules compute as primitives of their own, which derivatives of the rules go by; or None.
        cases: example calls.
    """

    _rulebook_primitive = True

    def __init__(
        self,
        fn: Callable[P, R],
        *,
        name: str | None = None,
        host: bool = False,
        result: Callable[..., Any] | None = None,
        vectorized: bool = False,
        cases: Sequence[Any] = (),
        tangent_space: Callable[[int, Any], Any] | None = None,
        accuracy: float | None = None,
        jit: bool = True,
        native: Mapping[str, Native] | None = None,
        listed: bool = True,
    ) -> None:
        if not callable(fn):
            raise RuleSignatureError("rb.primitive.", "a function", f"a {type(fn).__name__}", "decorate a function")
        if isinstance(fn, Primitive):
            raise RuleSignatureError(f"rb.primitive of {fn.name}.", "a function", "a primitive already", "use it as it is")
        self.fn: Callable[..., Any] = fn
        functools.update_wrapper(self, fn)
        self.name: str = name or full_name(fn)
        self.signature = Signature(fn, self.name)
        self.host = host
        self.result = result
        self.twins: Twins | None = None
        self.takes: Callable[[Engine, Sequence[Any]], bool] | None = None
        self.infer: Callable[..., Any] | None = None  # what result= would say, found out at some cost where the program is traced
        self.vectorized = vectorized
        self.cases: list[Any] = list(cases)
        self.tangent_space = tangent_space
        self.accuracy = accuracy
        self.jit = jit
        self.native = dict(native or {})
        self.forward: forms.Forward | None = None
        self.reverse: forms.Reverse | None = None
        self.batch: forms.Rule | None = None
        self._arity = self.signature.arity
        self._defaults = self.signature.default_statics
        self._routes: dict[Hashable, Callable[..., Any]] = {}  # types of flat arguments -> what runs them, default statics
        self._bound: dict[Hashable, Callable[..., Any]] = {}  # (engine, structure, opaque values, statics) -> what runs the leaves
        self._recorded = _Recorded()
        if listed:
            _registry[id(self)] = self

    # -- calling -------------------------------------------------------------------------------

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function: the engine follows from the values."""
        if not kwargs and len(args) == self._arity:
            route = self._routes.get(tuple(map(type, args)))
            if route is not None:
                return route(*args)  # type: ignore[no-any-return]  # what the function returns
        return self._dispatch(args, kwargs)  # type: ignore[no-any-return]

    def _dispatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Find what runs a call, and remember it where the types of the arguments and the statics decide it."""
        args, statics = self.signature.bind(args, kwargs)
        key = self._key(statics)
        leaves: list[Any] = []
        shape = tuple([_shape(a, leaves) for a in args])
        if key is not None:
            shape = shape, key
        route = self._routes.get(shape)
        if route is not None:
            return route(*leaves)
        engine = engine_of(trees.leaves_of((args, statics)), self.name)
        if engine is not None and engine.is_recording():
            return self._record(engine, args, statics)
        same = all(kind_of(type(x)) not in (CONTAINER, OPAQUE) for x in leaves)
        if engine is None:
            fn = guarded(self.fn, self.name) if self.host else self.fn
            route = functools.partial(fn, **statics) if statics else fn
            flat = len(leaves) == len(args) and all(map(operator.is_, leaves, args))  # a pair and None are two leaves as well
            leaves, same = list(args), same and flat
        else:
            route, leaves = self._bind(engine, args, statics, key)
        if same and (key is None or all(type(v) in _PLAIN for v in statics.values())):
            if len(self._routes) >= _MAX_FORMS:
                self._routes.clear()
            self._routes[shape] = route
        return route(*leaves)

    def _record(self, engine: Engine, args: tuple[Any, ...], statics: dict[str, Any]) -> Any:
        """Call the engine's function while Python code is recorded: only constants are made, from types and statics."""
        leaves = [leaf for leaf in trees.leaves_of(args) if kind_of(type(leaf)) != OPAQUE]
        return getattr(self._recorded, self._bound_for(engine.name, _skeleton(args), statics))(*leaves)

    @constant
    def _bound_for(self, engine: str, skeleton: Any, statics: dict[str, Any]) -> str:
        """The attribute of `_recorded` that is the engine's function of arguments like `skeleton`, which holds their types."""
        opaque: dict[int, Any] = {}
        structure = _from_skeleton(skeleton, opaque)
        # A key of its own even for the defaults: compared as values, True and -0.0 would pass for 1 and 0.0.
        bound = self._bind_leaves(load_engine(engine), structure, opaque, statics, self._key(dict(statics)))
        name = f"bound_{id(bound)}"
        setattr(self._recorded, name, bound)  # an attribute, as a tracer guards on that and not on a constant function
        return name

    def call_in(self, engine: Engine, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the engine's own function, whatever the values are."""
        args, statics = self.signature.bind(args, kwargs)
        found = engine_of(trees.flatten((args, statics))[0], self.name)
        if found is not None and found is not engine:
            engine_of([*trees.flatten(args)[0], engine.asarray(0.0)], self.name)
        bound, leaves = self._bind(engine, args, statics, self._key(statics))
        return bound(*leaves)

    def _bind(
        self, engine: Engine, args: tuple[Any, ...], statics: dict[str, Any], statics_key: Hashable
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The engine's function of the leaves of these arguments, and the leaves."""
        every, structure = trees.flatten(args)
        opaque: dict[int, Any] = {}
        leaves: list[Any] = []
        for i, leaf in enumerate(every):
            if kind_of(type(leaf)) == OPAQUE or getattr(leaf, "dtype", None) == _OBJECTS:
                opaque[i] = leaf
            else:
                leaves.append(leaf)
        return self._bind_leaves(engine, structure, opaque, statics, statics_key), leaves

    def _bind_leaves(
        self, engine: Engine, structure: trees.Structure, opaque: dict[int, Any], statics: dict[str, Any], statics_key: Hashable
    ) -> Callable[..., Any]:
        if opaque:
            self._check_opaque(engine, structure, opaque)
        if statics and statics is not self._defaults:
            self._check_statics(engine, statics)
        key = (engine.name, structure, tuple((i, _opaque_key(v)) for i, v in opaque.items()), statics_key)
        bound = self._bound.get(key)
        if bound is None:
            while len(self._bound) >= _MAX_FORMS:
                self._bound.pop(next(iter(self._bound)), None)
            form = NormalForm(self, engine, structure, opaque, statics)
            own = self.native.get(engine.name)
            bound = self._bound[key] = engine.bind(form) if own is None else natives.bind(own, form)
        return bound

    def _key(self, statics: dict[str, Any]) -> Hashable:
        if statics is self._defaults:
            return None
        try:
            return tuple((k, static_key(v)) for k, v in sorted(statics.items()))
        except TypeError:
            name, value = next((k, v) for k, v in statics.items() if not _hashable(v))
            traced = kind_of(type(value)) not in (NUMPY, CONTAINER, OPAQUE)
            raise RuleSignatureError(
                f"{self.name}, static {name!r}.",
                "a hashable option (a number, a string, a tuple, a function)",
                f"a value of {kind_of(type(value))} ({type(value).__name__})" if traced else f"a {type(value).__name__}",
                "make it a positional primal; an option of a program that is compiled is static there too (jax.jit: static_argnames)"
                if traced
                else "pass a tuple instead of a list or array, or make it a positional primal",
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

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self: Primitive[Concatenate[Any, Q], R], instance: object, owner: type | None = None) -> Callable[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, so that a primitive works as a method."""
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> tuple[Any, ...]:
        return _find, _home(self)

    def __copy__(self) -> Primitive:
        return self

    def __deepcopy__(self, memo: Any) -> Primitive:
        return self

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def case(self, example: F) -> F:
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
                theirs = getattr(old.fn, "__module__", None)
                by = "" if theirs == getattr(new.fn, "__module__", None) else f", by {theirs}"
                raise DuplicateRuleError(
                    f"{new.kind} of {self.name}.",
                    f"no {direction} rule yet",
                    f"a {old.kind} is registered{by}",
                    "pass replace=True to replace it",
                )
        if replace:
            self.native.clear()  # a rule that replaces another is meant to run, in every engine
        self.forward = forward or self.forward
        self.reverse = reverse or self.reverse
        self._routes.clear()
        self._bound.clear()
        self._recorded = _Recorded()

    def set_batch(self, rule: forms.Rule) -> None:
        """Register the batch rule."""
        self.batch = rule
        self._routes.clear()
        self._bound.clear()
        self._recorded = _Recorded()


def _shape(tree: Any, leaves: list[Any]) -> Any:
    """What routes a call: types for leaves, which are noted, and nested tuples for dicts, lists and tuples."""
    kind = type(tree)
    if kind is dict:
        return kind, tuple(tree), *[_shape(v, leaves) for v in tree.values()]
    if kind is tuple or kind is list:
        return kind, *[_shape(v, leaves) for v in tree]
    if tree is None:
        return None
    leaves.append(tree)
    return kind


def _skeleton(tree: Any) -> Any:
    """A container as nested tuples of constants, with the types of its arrays and numbers in their place."""
    if tree is None:
        return None
    if trees.is_leaf(tree):
        kind = type(tree)
        return ("value", tree) if kind_of(kind) == OPAQUE else (kind,)
    kind, data, values = trees.parts(tree)  # type: ignore[misc]  # no leaf
    return kind, data, tuple([_skeleton(v) for v in values])


def _from_skeleton(skeleton: Any, opaque: dict[int, Any], n: int = 0) -> trees.Structure:
    """The structure that a skeleton stands for; its other leaves are noted under their number, from n on."""
    if skeleton is None:
        return trees.flatten(None)[1]
    if len(skeleton) < 3:
        if len(skeleton) == 2:
            opaque[n] = skeleton[1]
        return trees.LEAF
    children = []
    for child in skeleton[2]:
        children.append(_from_skeleton(child, opaque, n))
        n += children[-1].n_leaves
    return trees.Structure(skeleton[0], skeleton[1], tuple(children))


def full_name(fn: Callable[..., Any]) -> str:
    """Module and qualified name of a function."""
    name = getattr(fn, "__qualname__", None) or getattr(fn, "__name__", None) or type(fn).__name__
    return f"{getattr(fn, '__module__', None) or '?'}.{name}".replace("<locals>.", "")


def _home(primitive: Primitive) -> tuple[str, str]:
    """The module and the name under which a primitive is found: those of its function, or the variable that holds it."""
    module, name = getattr(primitive.fn, "__module__", None) or "", getattr(primitive.fn, "__qualname__", "")
    if module in sys.modules and "<" not in name and _lookup(module, name) is primitive:
        return module, name
    # A wrapped function's own name leads to the function, which has no rules.  Not every process has the same __main__.
    for module, loaded in sorted(sys.modules.items(), key=lambda item: item[0] == "__main__"):
        for name, value in list(getattr(loaded, "__dict__", {}).items()):
            if value is primitive:
                return module, name
    raise RuleSignatureError(
        f"{primitive.name}, pickle.",
        "a primitive that a module has as a variable, which another process can import",
        "one that no module holds",
        "define it at the top level of a module",
    )


def _lookup(module: str, qualname: str) -> Any:
    try:
        return _find(module, qualname)
    except AttributeError:
        return None


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


def registered() -> list[Primitive]:
    """Every primitive there is, by name."""
    return sorted(_registry.values(), key=lambda p: p.name)

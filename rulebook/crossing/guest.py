"""A function of one engine as a host primitive of all others: NumPy arrays in, its own engine inside, NumPy arrays out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from rulebook import captures, forms, trees
from rulebook.crossing.inner import CapturedError, Inner, WrongResultError
from rulebook.engine import Engine, is_floating
from rulebook.engines import NUMPY, OPAQUE, kind_of, load_engine, loaded_engines
from rulebook.errors import ResultSpecError, RuleOutputError, RuleSignatureError
from rulebook.hostresults import refuse_narrower
from rulebook.primitive import Primitive, full_name
from rulebook.signature import static_key
from rulebook.trees import Structure

__all__ = ["Guest", "primitive_of"]

_MOST_KINDS = 256  # of calls that are told apart


class Guest:
    """A function and the engine that it is written for.

    Args:
        f: the function.
        inner: the engine.
        name: how messages call it; module and name by default.
    """

    _rulebook_sealed = True

    def __init__(self, f: Callable[..., Any], inner: Inner, name: str | None = None) -> None:
        self.f = f
        self.inner = inner
        self.name = name or full_name(f)
        self._may_capture = captures.may_capture(f)
        self._borrows = True  # as far as is known
        self._trusted: set[Hashable] = set()  # the kinds of calls in which the function was seen not to write to its arguments

    def parts(self) -> tuple[Any, ...]:
        """What it may capture values with."""
        return (self.f,)

    def primal(self, args: tuple[Any, ...], statics: dict[str, Any]) -> Any:
        """y."""
        self._refuse_captured()
        leaves, structure = trees.flatten(args)
        fn, outer = self.of(statics), outer_of(leaves)
        with self.inner.settings(leaves):
            held = [self._primal(fn, leaves, structure, _kind(leaves, structure, statics))]
            return self._give(held, "result", outer)

    def _primal(self, fn: Callable[..., Any], leaves: Sequence[Any], structure: Structure, key: Hashable) -> Any:
        """y; memory is shared from the second call of a kind on, as it is known then that the function does not write to it."""
        borrow = self._borrows and key in self._trusted
        values = self._take(leaves, borrow)
        try:
            y = self._run(lambda: self.inner.primal(fn, structure.unflatten(iter(values))))
        except Exception as error:
            if not borrow or not self.inner.needs_copy(error):
                raise
            self._borrows = False
            return self._primal(fn, leaves, structure, key)
        if not borrow:
            self._check_unchanged(values, leaves, key)
        return y

    def joint(self, primals: tuple[Any, ...], tangents: tuple[Any, ...], statics: dict[str, Any]) -> tuple[Any, Any]:
        """y and y_dot."""
        self._refuse_captured()
        leaves, structure = trees.flatten(primals)
        dots, dots_structure = trees.flatten(tangents)
        outer = outer_of(leaves)
        with self.inner.settings([*leaves, *dots]):
            values, moves = self._take(leaves), dots_structure.unflatten(iter(self._take(dots)))
            y, y_dot = self._run(lambda: self.inner.joint(self.of(statics), structure.unflatten(iter(values)), moves))
            self._check_unchanged(values, leaves, _kind(leaves, structure, statics))
            held, held_dot = [y], [y_dot]
            del y, y_dot
            return self._give(held, "result", outer), self._give(held_dot, "tangent of the result", outer)

    def start(self, primals: tuple[Any, ...], statics: dict[str, Any]) -> tuple[Any, Callable[[Any], Any]]:
        """y and its pullback."""
        self._refuse_captured()
        leaves, structure = trees.flatten(primals)
        with self.inner.settings(leaves):
            values = self._take(leaves)
            y, pull = self._run(lambda: self.inner.start(self.of(statics), structure.unflatten(iter(values))))
            self._check_unchanged(values, leaves, _kind(leaves, structure, statics))
            given = self._give([y], "result", outer_of(leaves))

        def pullback(y_bar: Any) -> Any:
            bars, bars_structure = trees.flatten(y_bar)
            with self.inner.settings([*leaves, *bars]):
                held = [pull(bars_structure.unflatten(iter(self._take(bars))))]
                return self._give(held, "cotangents", outer_of(bars))

        return given, pullback

    def infer(self, *args: Any, **statics: Any) -> Any:
        """What the result looks like, for arguments that are ShapeDtypes.

        Raises:
            ResultSpecError: the function does not run on what stands for them.
        """
        try:
            with self.inner.settings(trees.leaves_of(args)):
                found = self.inner.infer(self.of(statics), args)
                if not trees.leaves_of(found):
                    raise _nothing(self.inner, trees.flatten(found)[1])
                return found
        except WrongResultError as error:
            raise self._wrong("result", error) from error.__cause__
        except Exception as error:
            raise ResultSpecError(
                f"{self.name} (rb.differentiate_with, engine {self.inner.name}), called in a program that is traced.",
                "a result whose shapes and dtypes can be found out",
                f"{type(error).__name__} from the function, called with values that stand for the arguments",
                "pass result=, which tells them: result=lambda x: rb.ShapeDtype(x.shape, x.dtype)",
            ) from error

    def of(self, statics: dict[str, Any]) -> Callable[..., Any]:
        """The function with its options."""
        return functools.partial(self.f, **statics) if statics else self.f

    def _refuse_captured(self) -> None:
        """Refuse a value of another engine that the function reads and turns into numbers: its derivative would be lost."""
        if not self._may_capture:
            return
        for engine in loaded_engines():
            if engine.keeps_marks and engine is not self.inner.engine:
                self._refuse_marked(engine)

    def _refuse_marked(self, engine: Engine) -> None:
        path = captures.find_captured(self.f, lambda v: engine.owns(type(v)) and engine.is_marked(v))
        if path is not None:
            raise RuleSignatureError(
                f"{self.name} (rb.differentiate_with, engine {self.inner.name}), {path}.",
                "values that are differentiated among the positional arguments only",
                f"{path}, a value of {engine.name} that the function captured; its derivative would be lost",
                f"pass {path} as a positional argument, or detach it",
            )

    def _take(self, leaves: Sequence[Any], borrow: bool = False) -> list[Any]:
        return [self.inner.take(x, borrow) for x in leaves]

    def _run(self, fn: Callable[[], Any]) -> Any:
        """Run the function; where it is refused a write to its arguments, say so."""
        try:
            return fn()
        except WrongResultError as error:
            raise self._wrong("result", error) from error.__cause__
        except Exception as error:
            if self.inner.is_write(error):
                raise self._written() from error
            raise

    def _check_unchanged(self, values: Sequence[Any], leaves: Sequence[Any], key: Hashable) -> None:
        """Whether copies of the arguments are still what they were: compared at the first call of a kind, seen by their versions later."""
        known = key in self._trusted
        if self.inner.changed(values, None if known else leaves):
            raise self._written()
        if not known:
            if len(self._trusted) >= _MOST_KINDS:
                self._trusted.clear()
            self._trusted.add(key)

    def _written(self) -> RuleSignatureError:
        return RuleSignatureError(
            f"{self.name} (rb.differentiate_with, engine {self.inner.name}), its arguments.",
            "arguments that stay what they are, as they belong to the caller",
            "a function that writes to one",
            "copy the argument before writing to it",
        )

    def _give(self, y: list[Any], what: str, outer: Engine | None) -> Any:
        """A result, the only entry of a list, in NumPy arrays or in values of another engine."""
        held, structure = (y, trees.LEAF) if kind_of(type(y[0])) == self.inner.name else trees.flatten(y.pop())
        if not held and what == "result":
            raise self._wrong(what, _nothing(self.inner, structure))
        return structure.unflatten(iter([self._give_leaf(held, k, structure, what, outer) for k in range(len(held))]))

    def _give_leaf(self, held: list[Any], k: int, structure: Structure, what: str, outer: Engine | None) -> Any:
        try:
            value, fresh = self.inner.give(held, k, outer)
        except WrongResultError as error:
            raise self._wrong(trees.leaf_paths(structure, what)[k], error) from error.__cause__
        if outer is None:
            return value
        held[k] = None
        if isinstance(value, (np.ndarray, np.generic)):
            refuse_narrower(value, outer, f"{self.name} (engine {outer.name}), {what}.")
        return outer.adopt(value, fresh)

    def _wrong(self, path: str, error: WrongResultError) -> RuleOutputError:
        if isinstance(error, CapturedError):
            path = captures.find_captured(self.f, self._is_marked) or path
        return RuleOutputError(f"{self.name} (rb.differentiate_with, engine {self.inner.name}), {path}.", *error.args)

    def _is_marked(self, value: Any) -> bool:
        return self.inner.engine.owns(type(value)) and self.inner.engine.is_marked(value)


def _nothing(inner: Inner, structure: Structure) -> WrongResultError:
    return WrongResultError(f"arrays of {inner.name}", repr(structure), "return what the function computes")


def outer_of(leaves: Sequence[Any]) -> Engine | None:
    """The engine whose values come as they are; None for NumPy's."""
    for x in leaves:
        kind = kind_of(type(x))
        if kind != NUMPY and kind != OPAQUE:
            return load_engine(kind)
    return None


def _kind(leaves: Sequence[Any], structure: Structure, statics: dict[str, Any]) -> Hashable:
    """What tells calls apart in which a function may do different things."""
    looks = [(x.shape, x.dtype) if hasattr(x, "dtype") else type(x) for x in leaves]
    return structure, *looks, *[(name, static_key(value)) for name, value in sorted(statics.items())]


def primitive_of(guest: Guest, **options: Any) -> Primitive:
    """The primitive that runs a guest: host code to every engine but its own, which calls the function itself."""
    f, inner = guest.f, guest.inner

    def primal(*args: Any, **statics: Any) -> Any:
        return guest.primal(args, statics)

    functools.update_wrapper(primal, f, updated=())  # what an object holds is the object's, as the parameters of a module

    def forward(primals: tuple[Any, ...], tangents: tuple[Any, ...], **statics: Any) -> tuple[Any, Any]:
        return guest.joint(primals, tangents, statics)

    def reverse(*primals: Any, **statics: Any) -> tuple[Any, Callable[[Any], Any]]:
        return guest.start(primals, statics)

    native = {inner.name: f} if inner.is_engine else None
    made = Primitive(primal, name=guest.name, host=True, jit=False, native=native, **options)
    made.set_rule(
        forms.Frule("frule", forward, host=True, symbolic_zeros=True, jit=False),
        forms.Rrule("rrule", reverse, host=True, jit=False),
        replace=False,
    )
    made.infer = guest.infer
    made.signature.defaults = {name: _default(guest, name, value) for name, value in made.signature.defaults.items()}
    made.takes = inner.takes
    made.twins = GuestTwins(guest, made)
    return made


def _default(guest: Guest, name: str, value: Any) -> Any:
    """The default of a parameter; one of the function's engine as an array, which every engine can take."""
    if kind_of(type(value)) != guest.inner.name:
        return value
    try:
        return guest.inner.give([value], 0, None)[0]
    except WrongResultError:
        raise RuleSignatureError(
            f"{guest.name} (rb.differentiate_with, engine {guest.inner.name}), default of {name}.",
            "a constant",
            "a value that is being differentiated, or requires grad",
            f"pass {name} as an argument",
        ) from None


class GuestTwins:
    """The pushforward and the pullback of a guest as guests of the same engine: what its derivatives of higher order go by.

    Args:
        guest: the guest.
        primitive: what it was made into.
    """

    def __init__(self, guest: Guest, primitive: Primitive) -> None:
        self._guest = guest
        self._result: Callable[..., Any] = primitive.result or guest.infer

    @functools.cached_property
    def jvp(self) -> Primitive:
        """`(primals, tangents, **static) -> (y, y_dot)`."""
        inner, result = self._guest.inner, self._result

        def pushforward(primals: tuple[Any, ...], tangents: tuple[Any, ...], **statics: Any) -> tuple[Any, Any]:
            return inner.joint(self._guest.of(statics), primals, tangents)

        def looks(primals: tuple[Any, ...], tangents: tuple[Any, ...], **statics: Any) -> tuple[Any, Any]:
            y = result(*primals, **statics)
            return y, _with_tangents(y)

        return self._made(pushforward, looks)

    @functools.cached_property
    def vjp(self) -> Primitive:
        """`(primals, y_bar, **static) -> cotangents`."""
        inner = self._guest.inner

        def pullback(primals: tuple[Any, ...], y_bar: Any, **statics: Any) -> tuple[Any, ...]:
            y, pull = inner.vjp(self._guest.of(statics), primals)
            return pull(_filled(inner, y, y_bar))

        return self._made(pullback, lambda primals, y_bar, **statics: _with_tangents(primals))

    def _made(self, fn: Callable[..., Any], result: Callable[..., Any]) -> Primitive:
        name = f"{self._guest.name}, its {fn.__name__}"
        return primitive_of(Guest(fn, self._guest.inner, name), result=result, listed=False)


def _with_tangents(tree: Any) -> Any:
    """The leaves that have a tangent; None in the place of the others."""
    leaves, structure = trees.flatten(tree)
    moving = [hasattr(x, "dtype") and is_floating(x.dtype) for x in leaves]
    return structure.unflatten(iter([x if m else None for x, m in zip(leaves, moving, strict=True)]))


def _filled(inner: Inner, y: Any, y_bar: Any) -> Any:
    """A cotangent with arrays for its zeros."""
    ys, structure = trees.flatten(y)
    bars = trees.flatten_like(structure, y_bar, RuleOutputError)
    return structure.unflatten(iter([_zero(inner, leaf) if bar is None else bar for leaf, bar in zip(ys, bars, strict=True)]))


def _zero(inner: Inner, leaf: Any) -> Any:
    moves = hasattr(leaf, "dtype") and inner.engine.has_tangent(leaf)
    return inner.engine.zeros_like(leaf) if moves else None

"""A function of one engine as a host primitive of all others: NumPy arrays in, its own engine inside, NumPy arrays out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rulebook import forms, trees
from rulebook.crossing.inner import Inner, WrongResultError
from rulebook.engines import is_floating
from rulebook.errors import ResultSpecError, RuleOutputError, RuleSignatureError
from rulebook.primitive import Primitive, full_name

__all__ = ["Guest", "primitive_of"]


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

    def parts(self) -> tuple[Any, ...]:
        """What it may capture values with."""
        return (self.f,)

    def primal(self, args: tuple[Any, ...], statics: dict[str, Any]) -> Any:
        """y."""
        leaves, structure = trees.flatten(args)
        with self.inner.settings(leaves):
            values = self._take(leaves)
            y = self._run(values, lambda: self.inner.primal(self.of(statics), structure.unflatten(iter(values))))
            return self._give(y, "result")

    def joint(self, primals: tuple[Any, ...], tangents: tuple[Any, ...], statics: dict[str, Any]) -> tuple[Any, Any]:
        """y and y_dot."""
        leaves, structure = trees.flatten(primals)
        dots, dots_structure = trees.flatten(tangents)
        with self.inner.settings([*leaves, *dots]):
            values, moves = self._take(leaves), dots_structure.unflatten(iter(self._take(dots)))
            y, y_dot = self._run(values, lambda: self.inner.joint(self.of(statics), structure.unflatten(iter(values)), moves))
            return self._give(y, "result"), self._give(y_dot, "tangent of the result")

    def start(self, primals: tuple[Any, ...], statics: dict[str, Any]) -> tuple[Any, Callable[[Any], Any]]:
        """y and its pullback."""
        leaves, structure = trees.flatten(primals)
        with self.inner.settings(leaves):
            values = self._take(leaves)
            y, pull = self._run(values, lambda: self.inner.start(self.of(statics), structure.unflatten(iter(values))))
            given = self._give(y, "result")

        def pullback(y_bar: Any) -> Any:
            bars, bars_structure = trees.flatten(y_bar)
            with self.inner.settings([*leaves, *bars]):
                return self._give(pull(bars_structure.unflatten(iter(self._take(bars)))), "cotangents")

        return given, pullback

    def infer(self, *args: Any, **statics: Any) -> Any:
        """What the result looks like, for arguments that are ShapeDtypes.

        Raises:
            ResultSpecError: the function does not run on what stands for them.
        """
        try:
            with self.inner.settings(trees.leaves_of(args)):
                return self.inner.infer(self.of(statics), args)
        except WrongResultError as error:
            raise self._wrong("result", *error.args) from error.__cause__
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

    def _take(self, leaves: Sequence[Any]) -> list[Any]:
        return [self.inner.take(x) for x in leaves]

    def _run(self, values: Sequence[Any], fn: Callable[[], Any]) -> Any:
        """Run the function; what it does to its arguments is an error."""
        try:
            y = fn()
        except WrongResultError as error:
            raise self._wrong("result", *error.args) from error.__cause__
        except Exception as error:
            if self.inner.is_write(error):
                raise self._written() from error
            raise
        if self.inner.has_written(values):
            raise self._written()
        return y

    def _written(self) -> RuleSignatureError:
        return RuleSignatureError(
            f"{self.name} (rb.differentiate_with, engine {self.inner.name}), its arguments.",
            "arguments that stay what they are, as they belong to the caller",
            "a function that writes to one",
            "copy the argument before writing to it",
        )

    def _give(self, y: Any, what: str) -> Any:
        """A result in NumPy arrays."""
        leaves, structure = trees.flatten(y)
        given = []
        for k, leaf in enumerate(leaves):
            try:
                given.append(self.inner.give(leaf))
            except WrongResultError as error:
                raise self._wrong(trees.leaf_paths(structure, what)[k], *error.args) from error.__cause__
        if not leaves and what == "result":
            raise self._wrong(what, f"arrays of {self.inner.name}", repr(structure), "return what the function computes")
        return structure.unflatten(iter(given))

    def _wrong(self, path: str, expected: str, got: str, do: str) -> RuleOutputError:
        return RuleOutputError(f"{self.name} (rb.differentiate_with, engine {self.inner.name}), {path}.", expected, got, do)


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
    made.twins = GuestTwins(guest, made)
    return made


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

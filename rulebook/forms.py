"""The forms in which a rule may be written, each compiled to one of two normal forms.

A Forward gives (y, y_dot) with the primal evaluated once (`joint`), and y_dot at a y that is
known already (`push`), so that many tangents cost one primal.  A Reverse gives (y, pull).
Rules given the output (`pushforward`, `pullback`, `scalar_rule`, `transpose`) leave the primal
to the caller, who evaluates it so that y stays linked to its arguments at higher orders.

All of them work on primals as the author wrote them: trees, with every static.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rulebook import trees
from rulebook.tangents import NotImplementedTangent, Thunk, ZeroTangent, is_zero

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["FORWARD", "REVERSE", "Forward", "Reverse"]

Primal = Callable[[tuple[Any, ...]], Any]
Pull = Callable[[Any], Any]


class Rule:
    """One rule as it was registered.

    Args:
        kind: the decorator it was written with, as messages call it.
        fn: the author's function.
        host: fn needs NumPy arrays.
        symbolic_zeros: fn takes None for a tangent or cotangent that is zero.
        jit: outside jit, the JAX bridge may compile fn.
    """

    given_output: bool  # whether the caller evaluates the primal

    def __init__(self, kind: str, fn: Callable[..., Any], *, host: bool = False, symbolic_zeros: bool = False, jit: bool = True) -> None:
        self.kind = kind
        self.fn = fn
        self.host = host
        self.symbolic_zeros = symbolic_zeros
        self.jit = jit


class Forward(Rule, ABC):
    """A rule that carries tangents forward."""

    given_output = True

    @abstractmethod
    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        """The tangent of y at arguments for which y is known."""

    def joint(self, form: NormalForm, primal: Primal, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        """(y, y_dot), the primal evaluated once."""
        y = primal(args)
        return y, self.push(form, primal, y, args, tangents)


class Reverse(Rule, ABC):
    """A rule that carries cotangents backward."""

    given_output = True

    @abstractmethod
    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        """The cotangents of the arguments, given y."""

    def start(self, form: NormalForm, primal: Primal, args: tuple[Any, ...]) -> Any:
        """(y, pull), the primal evaluated once."""
        y = primal(args)
        return y, lambda y_bar: self.pull(form, y, args, y_bar)


class Frule(Forward):
    """`(primals, tangents, **static) -> (y, y_dot)`."""

    given_output = False

    def joint(self, form: NormalForm, primal: Primal, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        return form.pair(self.fn(args, tangents, **form.statics), self, "(y, y_dot)")

    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        return self.joint(form, primal, args, tangents)[1]


class Pushforward(Forward):
    """`(y, primals, tangents, **static) -> y_dot`."""

    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        return self.fn(y, args, tangents, **form.statics)


class Rrule(Reverse):
    """`(*primals, **static) -> (y, pullback)`."""

    given_output = False

    def start(self, form: NormalForm, primal: Primal, args: tuple[Any, ...]) -> Any:
        return form.pair(self.fn(*args, **form.statics), self, "(y, pullback)")

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        return form.pair(self.fn(*args, **form.statics), self, "(y, pullback)")[1](y_bar)


class Pullback(Reverse):
    """`(y, primals, y_bar, **static) -> cotangents`."""

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        return self.fn(y, args, y_bar, **form.statics)


def _partials(rule: Rule, form: NormalForm, y: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    partials = trees.opened(rule.fn(y, *args, **form.statics))
    if len(args) == 1 and not isinstance(partials, tuple):
        partials = (partials,)
    return form.arity(partials, len(args), rule, "partial")


def _value(partial: Any) -> Any:
    return partial.fn() if isinstance(partial, Thunk) else partial


class ScalarForward(Forward):
    """`(y, *primals, **static) -> partials`, elementwise: y_dot = sum of partial * x_dot."""

    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        total = None
        for i, (partial, x_dot) in enumerate(zip(_partials(self, form, y, args), tangents, strict=True)):
            if x_dot is None or is_zero(partial):
                continue
            if isinstance(partial, NotImplementedTangent):
                raise form.not_implemented(self, form.arg_name(i), partial)
            term = _value(partial) * x_dot
            total = term if total is None else total + term
        return ZeroTangent() if total is None else form.spread(total, y)


class ScalarReverse(Reverse):
    """The same partials, conjugated: x_bar = conj(partial) * y_bar, summed over broadcast axes."""

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        if is_zero(y_bar):
            return (None,) * len(args)
        return tuple(self._cotangent(form, partial, x, y_bar) for partial, x in zip(_partials(self, form, y, args), args, strict=True))

    @staticmethod
    def _cotangent(form: NormalForm, partial: Any, x: Any, y_bar: Any) -> Any:
        if is_zero(partial) or isinstance(partial, NotImplementedTangent) or not form.engine.has_tangent(x):
            return partial if isinstance(partial, NotImplementedTangent) else None
        return Thunk(lambda: form.gather(form.conj(_value(partial)) * y_bar, x))


class LinearForward(Forward):
    """A function linear in some arguments is its own pushforward there."""

    def __init__(self, fn: Callable[..., Any], wrt: tuple[int, ...]) -> None:
        super().__init__("transpose", fn, symbolic_zeros=True)
        self.wrt = wrt

    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        moved = [i for i, x_dot in enumerate(tangents) if not form.all_zero(x_dot)]
        outside = [i for i in moved if i not in self.wrt]
        if outside:
            raise form.not_implemented(self, form.arg_name(outside[0]), NotImplementedTangent(_NOT_LINEAR))
        if not moved:
            return ZeroTangent()
        return primal(tuple(form.materialise(args[i], t) if i in self.wrt else args[i] for i, t in enumerate(tangents)))


class LinearReverse(Reverse):
    """`(y_bar, *primals, **static) -> cotangents of the linear arguments`.

    Args:
        fn: the rule.
        wrt: the positions of those arguments.
        wraps_host: whether fn is host code, wrapped as a primitive.
    """

    def __init__(self, fn: Callable[..., Any], wrt: tuple[int, ...], wraps_host: bool = False) -> None:
        super().__init__("transpose", fn)
        self.wrt = wrt
        self.wraps_host = wraps_host

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        found = trees.opened(self.fn(y_bar, *args, **form.statics))
        if len(self.wrt) == 1 and not isinstance(found, tuple):
            found = (found,)
        cotangents: list[Any] = [NotImplementedTangent(_NOT_LINEAR)] * len(args)
        for i, x_bar in zip(self.wrt, form.arity(found, len(self.wrt), self, "cotangent"), strict=True):
            cotangents[i] = x_bar
        return tuple(cotangents)


_NOT_LINEAR = "the transpose covers the linear arguments only"


class ZeroForward(Forward):
    """All derivatives are zero."""

    def push(self, form: NormalForm, primal: Primal, y: Any, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        return ZeroTangent()


class ZeroReverse(Reverse):
    """All derivatives are zero."""

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        return (None,) * len(args)


FORWARD = "forward"
REVERSE = "reverse"

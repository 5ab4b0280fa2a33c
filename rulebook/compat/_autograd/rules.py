"""Rules in autograd's spelling: makers of vector-Jacobian products, Jacobian-vector products, and their conventions.

autograd pairs without conjugation: its cotangents are the conjugates of those in Re sum(conj(y_bar) * y_dot).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.compat._imported import released
from rulebook.engines import OPAQUE, kind_of, load_engine
from rulebook.errors import HigherOrderError, RuleMissingError, RuleSignatureError
from rulebook.forms import Primal, Pull, Pushforward, Reverse
from rulebook.normal import NormalForm
from rulebook.tangents import Thunk

__all__ = ["ARRAYS", "JvpArgnums", "Makers", "VjpArgnums", "jvp_table", "pushforward", "values_of", "vjp_table"]

_engine = load_engine("autograd")

from autograd.core import (  # noqa: E402  # after the line that says how to install it
    sparse_add,
    sparse_object_types,
    sum_outgrads,
    vspace,
)

VjpArgnums = Callable[..., Callable[[Any], Iterable[Any]]]  # (argnums, ans, args, kwargs) -> vjp(g) -> one cotangent each
JvpArgnums = Callable[..., Any]  # (argnums, gs, ans, args, kwargs) -> tangent

_OBJECTS = np.dtype(object)
ARRAYS = "*arrays"  # the static that names the keywords whose values are arrays


def values_of(arrays: Sequence[Any], statics: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], list[int]]:
    """The arguments of a call as autograd has them, its keywords, and where the arrays are among the arguments."""
    if not statics:
        return tuple(arrays), {}, list(range(len(arrays)))
    names = statics.get(ARRAYS, ())
    places = {int(k): released(v) for k, v in statics.items() if k.isdigit()}
    n = len(arrays) - len(names) + len(places)
    rest = iter(arrays)
    args = tuple(places[i] if i in places else next(rest) for i in range(n))
    kwargs = {k: released(v) for k, v in statics.items() if not k.isdigit() and k != ARRAYS}
    return args, {**kwargs, **dict(zip(names, rest, strict=True))}, [i for i in range(n) if i not in places]


class Makers(Reverse):
    """A reverse rule: each vector-Jacobian product is made when its argument is wanted, and once for many cotangents."""

    def __init__(self, vjp: VjpArgnums) -> None:
        super().__init__("defvjp", vjp)

    def start(self, form: NormalForm, primal: Primal, args: tuple[Any, ...]) -> Any:
        """See Reverse."""
        y = primal(args)
        return y, self._pull(form, y, args)

    def pull(self, form: NormalForm, y: Any, args: tuple[Any, ...], y_bar: Any) -> Any:
        """See Reverse."""
        return self._pull(form, y, args)(y_bar)

    def _pull(self, form: NormalForm, y: Any, args: tuple[Any, ...]) -> Pull:
        values, kwargs, at = values_of(args, form.statics)
        made: dict[int, Callable[[Any], Iterable[Any]]] = {}
        run = _runner(form.name, self.kind)

        def one(argnum: int, g: Any) -> Any:
            vjp = made.get(argnum)
            if vjp is None:
                vjp = made[argnum] = run(self.fn, (argnum,), y, values, kwargs)
            (found,) = run(lambda: tuple(vjp(g)))
            return _conj(_dense(found))

        def pull(y_bar: Any) -> tuple[Any, ...]:
            g = _conj(y_bar)
            bars: list[Any] = [Thunk(functools.partial(one, i, g)) if _moves(values[i]) else None for i in at]
            return (*bars, *[None] * (len(args) - len(at)))  # by keyword there are constants

        return pull


def _runner(name: str, what: str) -> Callable[..., Any]:
    """How code of a rule is run: one in NumPy's functions that meets boxes is of the first order."""

    def run(fn: Callable[..., Any], *args: Any) -> Any:
        try:
            found = fn(*args)
        except Exception as error:
            if not _engine.is_traced_error(error):
                raise
            raise refused(type(error).__name__) from error
        if not callable(found) and any(getattr(leaf, "dtype", None) == _OBJECTS for leaf in trees.leaves_of(found)):
            raise refused("an array of boxes")
        return found

    def refused(got: str) -> HigherOrderError:
        return HigherOrderError(
            f"{what} of {name} (engine autograd).",
            "a derivative of the first order, as the rule is NumPy code",
            f"a derivative of the rule: {got}",
            "write the rule with autograd.numpy, whose own derivatives follow",
        )

    return run


def pushforward(name: str, jvp: JvpArgnums) -> Pushforward:
    """A forward rule."""

    def push(y: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **statics: Any) -> Any:
        values, kwargs, at = values_of(primals, statics)
        moved = [k for k in range(len(at)) if not _is_zero(tangents[k])]
        if not moved:
            return None
        gs = [_filled(values[at[k]], tangents[k]) for k in moved]
        return _runner(name, "defjvp")(jvp, tuple(at[k] for k in moved), gs, y, values, kwargs)

    return Pushforward("defjvp", push, symbolic_zeros=True)


def vjp_table(name: str, makers: Sequence[Any], argnums: Iterable[int] | None) -> VjpArgnums:
    """Makers by the number of their argument, as one function."""
    table = dict(zip(count() if argnums is None else argnums, makers))  # noqa: B905  # argnums may go on for ever
    for argnum, maker in table.items():
        if maker is not None and not callable(maker):
            raise RuleSignatureError(f"defvjp of {name}, argument {argnum}.", "a maker of a vjp, or None", repr(maker), "pass a function")

    def vjp_argnums(argnums: Sequence[int], ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        vjps = [_made(name, table, i, ans, args, kwargs) for i in argnums]
        return lambda g: (vjp(g) for vjp in vjps)

    return vjp_argnums


def _made(name: str, table: dict[int, Any], argnum: int, ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if argnum not in table:
        raise RuleMissingError(f"{name}, argument {argnum}.", "a vjp", "none", f"define it by defvjp, or None for zero, at place {argnum}")
    maker = table[argnum]
    return (lambda g: None) if maker is None else maker(ans, *args, **kwargs)


def jvp_table(name: str, fun: Callable[..., Any], jvps: Sequence[Any], argnums: Iterable[int] | None) -> JvpArgnums:
    """Functions of tangents by the number of their argument, as one; "same" calls the function itself."""
    table = dict(zip(count() if argnums is None else argnums, jvps))  # noqa: B905  # argnums may go on for ever
    for argnum, jvp in table.items():
        if jvp is not None and jvp != "same" and not callable(jvp):
            raise RuleSignatureError(f"defjvp of {name}, argument {argnum}.", 'a jvp, "same" or None', repr(jvp), "pass a function")

    def one(argnum: int, g: Any, ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if argnum not in table:
            raise RuleMissingError(
                f"{name}, argument {argnum}.", "a jvp", "none", f"define it by defjvp, or None for zero, at place {argnum}"
            )
        jvp = table[argnum]
        return fun(*_replaced(args, argnum, g), **kwargs) if isinstance(jvp, str) else jvp(g, ans, *args, **kwargs)

    def jvp_argnums(argnums: Sequence[int], gs: Sequence[Any], ans: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = [one(i, g, ans, args, kwargs) for i, g in zip(argnums, gs, strict=True) if table.get(i, "") is not None]
        return sum_outgrads(found) if found else None

    return jvp_argnums


def _replaced(args: tuple[Any, ...], argnum: int, value: Any) -> tuple[Any, ...]:
    return (*args[:argnum], value, *args[argnum + 1 :])


def _is_zero(t: Any) -> bool:
    return all(leaf is None for leaf in trees.leaves_of(t))


def _moves(x: Any) -> bool:
    return any(kind_of(type(leaf)) != OPAQUE and _engine.has_tangent(leaf) for leaf in trees.leaves_of(x))


def _filled(x: Any, t: Any) -> Any:
    """The tangent of a container with arrays for the zeros in it."""
    if trees.is_leaf(x):
        return t
    leaves, structure = trees.flatten(x)
    dots = trees.flatten_like(structure, t, RuleSignatureError)
    return structure.unflatten(iter([vspace(a).zeros() if d is None else d for a, d in zip(leaves, dots, strict=True)]))


def _conj(value: Any) -> Any:
    if type(value) is np.ndarray and value.dtype.kind == "f":
        return value
    leaves, structure = trees.flatten(value)
    return structure.unflatten(iter([_engine.conj(v) if hasattr(v, "dtype") and _engine.is_complex(v) else v for v in leaves]))


def _dense(g: Any) -> Any:
    """A cotangent of its own, where a rule of autograd gave what is to be added into one."""
    return sparse_add(vspace(g), None, g) if type(g) in sparse_object_types else g

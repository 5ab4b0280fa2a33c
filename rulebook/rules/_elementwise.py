"""One table entry for an elementwise function: the primitive with its rule for every engine, and its rule on dual numbers.

A partial derivative is written once, as `partial(xp, y, *args, **static)`: y is the value, xp the array namespace of the arguments.
It calls primitives of the library, so that every order follows.  In its place None stands for zero, and a text for a derivative that is
not written; the text says why.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook import native as natives
from rulebook.dual.elementwise import combine, operand, unary
from rulebook.dual.parts import tag_of
from rulebook.dual.registry import UFUNCS
from rulebook.engines import load_engine
from rulebook.errors import RuleMissingError
from rulebook.primitive import Primitive
from rulebook.tangents import NotImplementedTangent, ShapeDtype

__all__ = ["elementwise", "several", "uniform", "unwritten"]

Partial = Callable[..., Any] | str | None

_PLAIN = (np.ndarray, float, np.float64, np.float32, int, complex, np.complex128, np.complex64, np.int64)
_SINGLE = {np.dtype(np.float32): np.float32, np.dtype(np.complex64): np.complex64, np.dtype(np.float16): np.float32}
_NARROW = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.complex64)}


class _Elementwise(Primitive):
    """A primitive whose function never keeps or changes its arguments: on plain values it is called as it is."""

    plain: Callable[..., Any]

    @functools.cached_property
    def _options(self) -> frozenset[str]:
        return frozenset(self.signature.statics)

    def _dispatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        types = tuple(map(type, args))
        if len(args) == len(self.signature.positional) and all(t in _PLAIN for t in types):
            if kwargs:
                if kwargs.keys() <= self._options and all(name in kwargs for name in self.signature.required_statics):
                    return self.fn(*args, **kwargs)
            elif self._arity >= 0:
                self._routes[types] = self.plain
                return self.plain(*args)
        return super()._dispatch(args, kwargs)


def elementwise(
    function: Any,
    *partials: Partial,
    names: str = "x",
    doc: str = "",
    cases: Sequence[Any] = (),
    native: Mapping[str, Any] | None = None,
    name: str = "",
    out: type = float,
    also: Sequence[Any] = (),
) -> Primitive:
    """The primitive of an elementwise function of one result.

    Args:
        function: a ufunc, or a function of NumPy arrays that broadcasts, with options by keyword only.
        partials: one per argument.
        names: of the arguments of a ufunc, as SciPy or NumPy has them.
        doc: the docstring; for a function with one of its own, nothing.
        cases: as in `rb.primitive`.
        native: engines that have the function natively and right.
        name: the variable that holds the primitive; the name of the function by default.
        out: complex for a function of NumPy arrays that is complex for real arguments.
        also: ufuncs of the same mathematics, which the rule on dual numbers serves as well.

    Returns:
        The primitive; ufuncs that meet a dual have its rule.
    """
    maker = _Maker(function, (partials,), names, doc, name, sys._getframe(1).f_globals["__name__"])
    maker.least = np.dtype(np.complex64 if out is complex else np.float32)
    return maker.make(cases, native, also)


def several(
    function: Any,
    *rows: Sequence[Partial],
    names: str = "x",
    doc: str = "",
    cases: Sequence[Any] = (),
    native: Mapping[str, Any] | None = None,
    name: str = "",
) -> Primitive:
    """The primitive of an elementwise function of several results: `rows[k]` are the partials of the k-th; y is the tuple of all.

    Arguments otherwise as in `elementwise`.
    """
    return _Maker(function, rows, names, doc, name, sys._getframe(1).f_globals["__name__"]).make(cases, native, ())


class _Maker:
    """What is known of one elementwise function."""

    def __init__(self, function: Any, rows: Sequence[Sequence[Partial]], names: str, doc: str, name: str, module: str) -> None:
        self.rows = rows
        self.unwritten = [(i, partial) for row in rows for i, partial in enumerate(row) if isinstance(partial, str)]
        self.function = function
        self.is_ufunc = isinstance(function, np.ufunc)
        self.loses = self.is_ufunc and function.nin == 1 and _loses_single(function)
        self.mixed = not self.is_ufunc or function.nin > 1 or self.loses
        self.name = name or function.__name__
        self.label = ".".join([*module.split(".")[:3], self.name])
        self.fn = self._function(names, doc, module)
        self.primitive: _Elementwise
        self.least: np.dtype[Any] = np.dtype(np.float32)
        self._xp: Any = None

    def _function(self, names: str, doc: str, module: str) -> Callable[..., Any]:
        """The function with a signature, name and docstring."""
        function = _narrowed(self.function) if self.mixed else self.function
        fn = lambda *args, **static: function(*args, **static)
        if self.is_ufunc:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            signature = inspect.Signature([inspect.Parameter(n, kind) for n in names.split()])
        else:
            signature = inspect.signature(self.function)
        fn.__signature__ = signature  # type: ignore[attr-defined]
        fn.__name__ = fn.__qualname__ = self.name
        fn.__module__ = module
        fn.__doc__ = doc or self.function.__doc__
        return fn

    def make(self, cases: Sequence[Any], native: Mapping[str, Any] | None, also: Sequence[Any]) -> Primitive:
        """The primitive, with all rules."""
        on_duals = self._on_duals()
        one = len(self.rows[0]) == 1
        self.primitive = _Elementwise(
            self.fn,
            name=self.label,
            host=True,
            vectorized=one,
            result=self._result,
            cases=cases,
            native={**(native or {}), "dual": on_duals},
        )
        self.primitive.plain = self.fn if self.mixed else self.function
        if not one:
            rb.batch_rule(self.primitive)(self._batched)
        if len(self.rows) == 1:
            rb.scalar_rule(self.primitive)(self._scalar_rule)
        else:
            rb.pushforward(self.primitive, symbolic_zeros=True)(self._push)
            rb.pullback(self.primitive, symbolic_zeros=True)(self._pull)
        if self.is_ufunc:
            self._register(on_duals, also)
        return self.primitive

    # -- on every engine -----------------------------------------------------------------------

    def _result(self, *specs: Any, **static: Any) -> Any:
        """The shapes and dtypes of the results."""
        shape = np.broadcast_shapes(*[s.shape for s in specs])
        dtypes = [np.dtype(s.dtype) for s in specs]
        if self.is_ufunc:
            found = self.function.resolve_dtypes((*dtypes, *[None] * self.function.nout))[len(dtypes) :]
        else:
            found = [np.result_type(self.least, *(_floating(dtypes) or [np.dtype(np.float64)]))] * len(self.rows)
        if self.mixed and _is_single(dtypes):
            found = [_NARROW.get(d, d) for d in found]
        ys = tuple(ShapeDtype(shape, d) for d in found)
        return ys[0] if len(self.rows) == 1 else ys

    def _batched(self, axis_size: int, in_batched: Any, *args: Any, **static: Any) -> Any:
        """One call, the axes of the members aligned."""
        rank = max(np.ndim(a) - bool(b) for a, b in zip(args, in_batched, strict=True))
        wide = [
            np.reshape(a, (axis_size, *(1,) * (rank - np.ndim(a) + 1), *np.shape(a)[1:])) if b else a
            for a, b in zip(args, in_batched, strict=True)
        ]
        y = self.fn(*wide, **static)
        return y, True if len(self.rows) == 1 else (True,) * len(self.rows)

    def _partial(self, partial: Partial, xp: Any, y: Any, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        if partial is None:
            return None
        if isinstance(partial, str):
            return NotImplementedTangent(partial)
        return rb.thunk(lambda: _as_precise(partial(xp, y, *args, **static), y))

    def _scalar_rule(self, y: Any, *args: Any, **static: Any) -> Any:
        xp = rb.xp(y, *args)
        return tuple(self._partial(p, xp, y, args, static) for p in self.rows[0])

    def _push(self, y: Any, primals: Any, tangents: Any, **static: Any) -> Any:
        xp = rb.xp(y, *primals)
        out: list[Any] = []
        for row, value in zip(self.rows, y, strict=True):
            total: Any = None
            for i, (partial, t) in enumerate(zip(row, tangents, strict=True)):
                if t is None or partial is None:
                    continue
                term = self._factor(partial, i, xp, y, primals, static) * t
                total = term if total is None else total + term
            out.append(total if total is None or total.shape == value.shape else xp.broadcast_to(total, value.shape))
        return tuple(out)

    def _pull(self, y: Any, primals: Any, y_bar: Any, **static: Any) -> Any:
        xp = rb.xp(y, *primals)
        return tuple(self._cotangent(i, xp, y, primals, y_bar, static) for i in range(len(primals)))

    def _cotangent(self, i: int, xp: Any, y: Any, primals: Any, y_bars: Any, static: dict[str, Any]) -> Any:
        met = [(row[i], bar) for row, bar in zip(self.rows, y_bars, strict=True) if row[i] is not None and bar is not None]
        if not met:
            return None
        why = next((p for p, _ in met if isinstance(p, str)), None)
        if why is not None:
            return NotImplementedTangent(why)

        def total() -> Any:
            found = sum(xp.conj(self._factor(p, i, xp, y, primals, static)) * bar for p, bar in met)
            return rb.project(primals[i], found)

        return rb.thunk(total)

    def _factor(self, partial: Partial, i: int, xp: Any, y: Any, args: Any, static: dict[str, Any]) -> Any:
        """The value of a partial that is needed."""
        if isinstance(partial, str):
            raise unwritten(self.label, self.primitive.signature.positional[i], partial)
        assert partial is not None
        return _as_precise(partial(xp, y, *args, **static), y)

    # -- on dual numbers -----------------------------------------------------------------------

    def xp(self) -> Any:
        """The namespace of duals."""
        if self._xp is None:
            self._xp = load_engine("dual").namespace()
        return self._xp

    def _on_duals(self) -> Callable[..., Any]:
        """The rule on values of which at least one is a dual."""

        def apply(*xs: Any, **static: Any) -> Any:
            tag = max(map(tag_of, xs))
            if self.unwritten:
                self._refuse(xs, tag)
            args = [x if self.mixed and _is_integer(x) else operand(x, tag) for x in xs]
            plain = self.is_ufunc and not self.loses and not (self.mixed and any(map(_is_integer, args)))
            y = self.function(*args) if plain else self.primitive(*args, **static)
            ys = y if len(self.rows) > 1 else (y,)
            found = [self._combined(tag, v, row, xs, y, args, static) for v, row in zip(ys, self.rows, strict=True)]
            return tuple(found) if len(found) > 1 else found[0]

        return apply

    def _refuse(self, xs: tuple[Any, ...], tag: int) -> None:
        """Raise for a derivative that is not written, before the function is called."""
        for i, why in self.unwritten:
            if tag_of(xs[i]) == tag:
                raise unwritten(self.label, self.primitive.signature.positional[i], why)

    def _combined(self, tag: int, value: Any, row: Any, xs: Any, y: Any, args: list[Any], static: dict[str, Any]) -> Any:
        met = [(p, i, x) for i, (p, x) in enumerate(zip(row, xs, strict=True)) if p is not None and tag_of(x) == tag]
        if not met:
            return value
        terms = [(self._factor(p, i, self.xp(), y, tuple(args), static), x) for p, i, x in met]
        return combine(tag, value, terms)

    def _register(self, on_duals: Callable[..., Any], also: Sequence[Any]) -> None:
        """The rule of the ufunc itself."""
        partial = self.rows[0][0]
        short = len(self.rows) == len(self.rows[0]) == 1 and callable(partial) and not self.mixed
        for ufunc in (self.function, *also):
            if short:
                self._unary(ufunc, partial)
            else:
                UFUNCS[ufunc] = on_duals
            natives.stand_for(self.primitive, ufunc)

    def _unary(self, ufunc: Any, partial: Any) -> None:
        """The short way for one argument."""
        xp = self.xp()
        unary(ufunc, lambda x, y: partial(xp, y, x))


def unwritten(function: str, argument: str, why: str) -> RuleMissingError:
    """The error for a derivative that is not written, found while a partial runs."""
    return RuleMissingError(
        f"scalar_rule of {function}, {argument}.",
        "a derivative",
        f"NotImplementedTangent: {why}",
        f"do not differentiate with respect to {argument}, or write this derivative",
    )


def _is_integer(x: Any) -> bool:
    """Whether a value is an integer or an array of them: a function may have code of its own for it."""
    return isinstance(x, (int, np.integer)) or (type(x) is np.ndarray and x.dtype.kind in "iu")


def _loses_single(ufunc: np.ufunc) -> bool:
    """Whether a ufunc has code for double precision alone."""
    found = ufunc.resolve_dtypes((np.dtype(np.float32),) * ufunc.nin + (None,) * ufunc.nout)[ufunc.nin :]
    return any(d in _NARROW for d in found)


def _floating(dtypes: Sequence[np.dtype[Any]]) -> list[np.dtype[Any]]:
    return [d for d in dtypes if d.kind in "fc"]


def _is_single(dtypes: Sequence[np.dtype[Any]]) -> bool:
    """Whether what is not an integer is in single precision, so that the result is."""
    floating = _floating(dtypes)
    return bool(floating) and all(d in _SINGLE for d in floating)


def _as_precise(factor: Any, y: Any) -> Any:
    """A partial in single precision where the value is: in NumPy an integer array beside it makes it double."""
    dtype = getattr(y[0] if type(y) is tuple else y, "dtype", None)
    if dtype not in _SINGLE or getattr(factor, "dtype", None) not in _NARROW or not hasattr(factor, "astype"):
        return factor
    return factor.astype(_NARROW[factor.dtype])


def _narrowed(function: Any) -> Any:
    """A function that keeps single precision where integers beside it, or code for double precision alone, would lose it."""

    def fn(*args: Any, **static: Any) -> Any:
        y = function(*args, **static)
        if not _is_single([a.dtype for a in args if hasattr(a, "dtype")]):
            return y
        return tuple(_single(v) for v in y) if type(y) is tuple else _single(y)

    return fn


def _single(y: Any) -> Any:
    dtype = _NARROW.get(getattr(y, "dtype", np.dtype(np.float64)))
    return y if dtype is None else np.asarray(y).astype(dtype)[()]


def uniform(
    *ranges: tuple[float, float] | int, holomorphic: bool = False, slow: bool = False
) -> list[Callable[[np.random.Generator], Any]]:
    """Cases of an elementwise function: vectors, single precision, and with several arguments a broadcast of a number.

    Args:
        ranges: one per argument: where it is drawn from, or an integer that it is.
        holomorphic: a complex case as well, with real parts from the ranges.
        slow: one element each, and no broadcast.
    """

    def drawn(rng: np.random.Generator, size: tuple[int, ...], dtype: Any) -> tuple[Any, ...]:
        return tuple(r if isinstance(r, int) else rng.uniform(*r, size).astype(dtype) for r in ranges)

    def broadcast(rng: np.random.Generator) -> tuple[Any, ...]:
        args = drawn(rng, (2,), float)
        return tuple(float(a[0]) if i == 0 and not isinstance(a, int) else a for i, a in enumerate(args))

    def moved(rng: np.random.Generator) -> tuple[Any, ...]:
        return tuple(a if isinstance(a, int) else a + 1j * rng.uniform(-0.7, 0.7, 2) for a in drawn(rng, (2,), float))

    sizes = (1, 1) if slow else (3, 2)
    found: list[Callable[[np.random.Generator], Any]] = [
        lambda rng: drawn(rng, sizes[:1], float),
        lambda rng: drawn(rng, sizes[1:], np.float32),
    ]
    if not slow and len(ranges) > 1 and not isinstance(ranges[0], int):
        found.append(broadcast)
    return [*found, moved] if holomorphic else found

"""Buffers as operands: operators, NumPy's functions and those of the engines read the present value."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.buffers.errors import BufferValueError
from rulebook.engine import Engine, TracedValueError
from rulebook.engines import any_is_recording, constant, engine_of
from rulebook.errors import RuleMissingError

__all__ = ["TAUGHT", "Arithmetic", "opened", "recorded_call", "recorded_operation"]


def _forward(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: op(self.value(), opened(other))


def _reflected(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: op(opened(other), self.value())


def _in_place(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(self: Any, other: Any) -> Any:
        self[...] = op(self.value(), opened(other))
        return self

    return apply


class Arithmetic:
    """What a buffer does in expressions."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # equality is that of the elements
    _cells: Any

    def value(self) -> Any:
        """What the buffer holds."""
        raise NotImplementedError

    __add__, __radd__, __iadd__ = _forward(operator.add), _reflected(operator.add), _in_place(operator.add)
    __sub__, __rsub__, __isub__ = _forward(operator.sub), _reflected(operator.sub), _in_place(operator.sub)
    __mul__, __rmul__, __imul__ = _forward(operator.mul), _reflected(operator.mul), _in_place(operator.mul)
    __truediv__, __rtruediv__, __itruediv__ = _forward(operator.truediv), _reflected(operator.truediv), _in_place(operator.truediv)
    __pow__, __rpow__, __ipow__ = _forward(operator.pow), _reflected(operator.pow), _in_place(operator.pow)
    __matmul__, __rmatmul__, __imatmul__ = _forward(operator.matmul), _reflected(operator.matmul), _in_place(operator.matmul)
    __eq__, __ne__ = _forward(operator.eq), _forward(operator.ne)
    __lt__, __le__, __gt__, __ge__ = _forward(operator.lt), _forward(operator.le), _forward(operator.gt), _forward(operator.ge)

    def _fill(self, value: Any, *, own: bool = False) -> None:
        raise NotImplementedError

    def __neg__(self) -> Any:
        return -self.value()

    def __abs__(self) -> Any:
        return abs(self.value())

    def __bool__(self) -> bool:
        return bool(self.value())

    def __float__(self) -> float:
        return float(self.value())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        x = self.value()
        engine = engine_of((x,), "np.asarray of a buffer")
        try:
            return np.array(x if engine is None else engine.to_numpy(x), dtype)
        except TracedValueError:
            raise BufferValueError(
                f"np.asarray of {self!r}.",
                "a buffer of concrete numbers",
                "values that are traced or differentiated",
                "read the buffer by b[...], and use the functions of rb.xp(b[...])",
            ) from None

    def __dlpack__(self, **options: Any) -> Any:
        """Refused: torch.tensor, which would read the numbers without their derivative, asks for it."""
        return self.__dlpack_device__()

    def __dlpack_device__(self) -> Any:
        """Refused."""
        raise BufferValueError(f"A conversion of {self!r}.", "an array", "a buffer", "read the buffer by b[...] first")

    def __jax_array__(self) -> Any:
        return self.value()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if isinstance(args[0] if args else None, Arithmetic) and func.__name__.endswith("_") and not func.__name__.endswith("__"):
            raise BufferValueError(f"{func.__name__} of {args[0]!r}.", "a tensor", "a buffer", "write b[...] = v")
        if any_is_recording():
            _check_order(func)
        out = kwargs.pop("out") if isinstance(kwargs.get("out"), Arithmetic) else None
        return _given(func(*opened(args), **opened(kwargs)), out)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        inputs, kwargs = opened(inputs), dict(kwargs)
        out = kwargs.pop("out", None)
        engine = self._engine_of((*inputs, *kwargs.values()))
        if engine is None:
            return _given(getattr(ufunc, method)(*inputs, **opened(kwargs)), out)
        if method != "__call__":
            name = f"numpy.{ufunc.__name__}.{method} of a buffer (engine {engine.name})."
            raise RuleMissingError(name, "a plain call of a function", method, "use a function of rb.xp(b[...])")
        module = "numpy" if getattr(np, ufunc.__name__, None) is ufunc else "scipy.special"
        y = _named(engine, module, ufunc.__name__)(*inputs, **opened(kwargs))
        return _given(y, out, own=ufunc not in _SAME)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        args, kwargs = opened(args), dict(kwargs)
        out = kwargs.pop("out", None)
        engine = self._engine_of((*args, *kwargs.values()))
        call = func if engine is None else _named(engine, func.__module__, func.__name__)
        return _given(call(*args, **opened(kwargs)), out)

    def _engine_of(self, values: tuple[Any, ...]) -> Engine | None:
        """The engine whose functions are called on values; None where NumPy's own dispatch on them."""
        self._cells.entered(values)
        engine = engine_of(opened(values), "a call of NumPy with a buffer")
        return None if engine is None or engine.cells().dispatches else engine


TAUGHT: set[str] = set()  # engines that record `recorded_operation` for operators with buffers


@constant
def _check_order(func: Any) -> None:
    """Refuse a method of tensors where Python code is recorded: it may be an operator, with its operands in another order."""
    if not TAUGHT and "Tensor" in getattr(func, "__qualname__", ""):
        name = f"{func.__name__} of a buffer, recorded by torch.compile."
        raise BufferValueError(name, "a tensor", "a buffer", "read the buffer by b[...] first, and write b[...] = v")


def opened(x: Any) -> Any:
    """Buffers as what they hold, also in tuples, lists and dicts."""
    kind = type(x)
    if kind is tuple or kind is list:
        return kind([opened(v) for v in x])
    if kind is dict:
        return {k: opened(v) for k, v in x.items()}
    return x.value() if isinstance(x, Arithmetic) else x


def recorded_call(module: str, name: str, *args: Any, **kwargs: Any) -> Any:
    """A function of NumPy with buffers among its arguments, where an engine records Python code and asks for that by its name."""
    out = kwargs.pop("out", None)
    args, kwargs = opened(args), opened(kwargs)
    engine = engine_of((*args, *kwargs.values()), "a call of NumPy with a buffer")
    assert engine is not None
    taken = [engine.cells().taken(v) for v in args]
    return _given(_named(engine, module, name)(*taken, **kwargs), out)


def recorded_operation(name: str, a: Any, b: Any) -> Any:
    """A function of `operator` with buffers among its operands, where an engine records Python code."""
    if name in _IN_PLACE and isinstance(a, Arithmetic):
        a._fill(_IN_PLACE[name](a.value(), opened(b)))
        return a
    plain = "matmul" if name == "imatmul" else name  # torch's arrays have none; its recorder takes one for a change in place
    return getattr(operator, plain)(opened(a), opened(b))


_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "iadd": operator.add,
    "isub": operator.sub,
    "imul": operator.mul,
    "itruediv": operator.truediv,
    "ipow": operator.pow,
    "imatmul": operator.matmul,
}


def _named(engine: Engine, module: str, name: str) -> Any:
    """The engine's counterpart of a function of NumPy's."""
    found = engine.namespace()
    for part in module.split(".")[1:]:
        found = getattr(found, part)
    return getattr(found, name)


_SAME = (np.positive, np.conjugate)  # which may give their argument, or a view of it


def _given(y: Any, out: Any, *, own: bool = False) -> Any:
    """y, written into out= where that was given; own: it is a new array."""
    target = out[0] if type(out) is tuple and len(out) == 1 else out
    if target is None:
        return y
    if type(target) is tuple:
        return tuple(v if o is None else _given(v, o, own=own) for v, o in zip(y, target, strict=True))
    if isinstance(target, Arithmetic):
        target._fill(y, own=own)
    else:
        target[...] = y
    return target

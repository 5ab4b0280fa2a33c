"""What Dual and DualArray share: the protocol of NumPy, refusals, comparisons, and methods that are functions.

There is no `__float__`, `__array__` and the like that succeeds: whatever called it would go on
without the tangent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from rulebook.dual import registry
from rulebook.dual.dispatch import run_function, run_ufunc
from rulebook.dual.errors import DroppedTangentError, dropped, refuse_subclasses
from rulebook.dual.tags import is_directional

__all__ = ["Methods", "primal_only"]


def primal_only(x: Any, what: str) -> Any:
    """The primal of a dual, for code whose result depends on it alone.

    Raises:
        DroppedTangentError: the dual is a tangent that is pushed through a linear map, which has no primal.
    """
    if is_directional(x.tag):
        raise DroppedTangentError(
            f"{what} on a tangent (engine dual).",
            "a rule that is linear in its tangents",
            f"{what}, which looks at the value of a tangent",
            "write the rule without it",
        )
    return x.p


def _compare(name: str, ufunc: Any) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented
        return ufunc(self, other)

    method.__name__ = name
    return method


def _function(fn: Any) -> Callable[..., Any]:
    """A method that is the NumPy function of the same name."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1 or "out" in kwargs:
            return fn(self, *args, **kwargs)
        return registry.FUNCTIONS[fn](self, *args, **kwargs)

    method.__name__ = fn.__name__
    method.__doc__ = f"As `numpy.{fn.__name__}`."
    return method


def _objects(x: Any) -> Any:
    """The elements, which keep their tangents, as an array of objects."""
    cells = np.empty(x.shape, object)
    for at in np.ndindex(x.shape):
        cells[at] = x[at] if at else x
    return cells


class Methods:
    """What every dual value can do."""

    __slots__ = ()
    __array_priority__ = 1000.0  # before np.matrix and the like

    p: Any
    tag: int
    dtype: Any
    shape: tuple[int, ...]
    ndim: int

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if registry.DEFERRED and any(type(x) in registry.DEFERRED for x in inputs):
            return NotImplemented
        return run_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if len(types) > 1:
            if not registry.DEFERRED.isdisjoint(types):
                return NotImplemented
            refuse_subclasses(types)
        return run_function(self, func, args, kwargs)

    # -- refusals ----------------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is not None and np.dtype(dtype) == object:
            return _objects(self)
        dropped(
            "np.asarray(x), np.array(...), a write into a NumPy array, or compiled code such as SciPy's",
            self,
            "use functions of numpy on x itself, np.stack or np.array(..., like=x) to gather, np.zeros_like(x) for a buffer,"
            " rb.xp(x).linalg and .special for SciPy's, or rb.primitive(fn, host=True) with a rule",
        )

    def __float__(self) -> NoReturn:
        dropped(
            "float(x), a function of math, or a write into an array of floats",
            self,
            "use functions of numpy, np.zeros_like(x) for a buffer, or rb.stop_gradient(x)",
        )

    def __int__(self) -> NoReturn:
        dropped("int(x)", self, "use int(rb.stop_gradient(x))")

    def __index__(self) -> NoReturn:
        dropped("x as an index", self, "use int(rb.stop_gradient(x))")

    def __complex__(self) -> NoReturn:
        dropped("complex(x), or a function of cmath", self, "use functions of numpy, x * (1 + 0j), or rb.stop_gradient(x)")

    def __round__(self, ndigits: Any = None) -> NoReturn:
        dropped("round(x)", self, "use round(rb.stop_gradient(x)), whose derivative is zero")

    # -- on primals --------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(primal_only(self, "bool()"))

    __lt__ = _compare("__lt__", np.less)
    __le__ = _compare("__le__", np.less_equal)
    __gt__ = _compare("__gt__", np.greater)
    __ge__ = _compare("__ge__", np.greater_equal)
    __eq__ = _compare("__eq__", np.equal)
    __ne__ = _compare("__ne__", np.not_equal)
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.p!r}, tangent={self.tangent!r})"

    @property
    def tangent(self) -> Any:
        """The tangents: of a Dual its `t`, of a DualArray stacked on a leading axis."""
        raise NotImplementedError

    # -- ufuncs as operators -----------------------------------------------------------------

    def __abs__(self) -> Any:
        return np.absolute(self)

    def __mod__(self, other: Any) -> Any:
        return np.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return np.remainder(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self)

    def __divmod__(self, other: Any) -> Any:
        return np.floor_divide(self, other), np.remainder(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return np.floor_divide(other, self), np.remainder(other, self)

    # -- functions as methods ----------------------------------------------------------------

    sum = _function(np.sum)
    prod = _function(np.prod)
    mean = _function(np.mean)
    var = _function(np.var)
    std = _function(np.std)
    max = _function(np.max)
    min = _function(np.min)
    cumsum = _function(np.cumsum)
    cumprod = _function(np.cumprod)
    argmax = _function(np.argmax)
    argmin = _function(np.argmin)
    all = _function(np.all)
    any = _function(np.any)
    clip = _function(np.clip)
    dot = _function(np.dot)
    trace = _function(np.trace)
    diagonal = _function(np.diagonal)
    ravel = _function(np.ravel)
    squeeze = _function(np.squeeze)
    swapaxes = _function(np.swapaxes)
    repeat = _function(np.repeat)
    take = _function(np.take)
    argsort = _function(np.argsort)
    argpartition = _function(np.argpartition)
    searchsorted = _function(np.searchsorted)
    nonzero = _function(np.nonzero)
    round = _function(np.round)

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """As `numpy.reshape`; the lengths may be given one by one."""
        return registry.FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        """As `numpy.transpose`; the axes may be given one by one."""
        return registry.FUNCTIONS[np.transpose](self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self, order: Any = "C") -> Any:
        """A copy with one axis."""
        return np.copy(np.ravel(self, order))

    def copy(self, order: Any = "C") -> Any:
        """A copy."""
        return registry.FUNCTIONS[np.copy](self)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """As `numpy.compress`."""
        return np.compress(condition, self, axis, out)

    def astype(self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True) -> Any:
        """In another floating dtype; an integer one would drop the tangent."""
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"Cannot cast array data from {self.dtype!r} to {np.dtype(dtype)!r} according to the rule {casting!r}")
        return registry.FUNCTIONS["astype"](self, dtype)

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        from rulebook.dual.namespace import namespace

        return namespace(api_version)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The same: there is the CPU alone."""
        if device != "cpu" or stream is not None:
            raise ValueError('The device must be "cpu", without a stream')
        return self

    def conj(self) -> Any:
        """The complex conjugate."""
        return np.conjugate(self)

    conjugate = conj

    device = "cpu"

    @property
    def itemsize(self) -> int:
        """The bytes of an element of the primal."""
        return self.dtype.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """The bytes of the primal."""
        return int(np.prod(self.shape, dtype=np.intp)) * self.itemsize

    @property
    def mT(self) -> Any:
        """The transpose of the last two axes."""
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return np.swapaxes(self, -1, -2)

    @property
    def T(self) -> Any:
        """The transpose."""
        return registry.FUNCTIONS[np.transpose](self)

    @property
    def real(self) -> Any:
        """The real part."""
        return registry.FUNCTIONS[np.real](self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return registry.FUNCTIONS[np.imag](self)

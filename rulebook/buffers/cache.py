"""Work arrays that are allocated once, and fit whatever the function is called with."""

from __future__ import annotations

import warnings
from collections import defaultdict
from sys import getrefcount
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.buffers.buffer import Buffer, WorkBuffer
from rulebook.buffers.cells import NUMPY_CELLS, Cells
from rulebook.buffers.pool import HELD, Pool
from rulebook.engines import CONTAINER, OPAQUE, any_is_recording, engine_of, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.tangents import ShapeDtype

__all__ = ["DiffCache", "freeze"]

_NONE = object()
_NUMPY = "numpy"  # a Buffer of NumPy's arrays, where all are checked
_ndarray = np.ndarray
_in_place: dict[type, Cells] = {}  # types of values whose engine writes in place: `get` and `freeze` are quick then


class DiffCache:
    """Work buffers that are allocated once, for a function that is called often and in any engine.

    `get` gives a buffer that fits the values that the function depends on: in NumPy an array, in dual numbers a dual array with
    as many tangents, in JAX, PyTorch and autograd a `Buffer`.  What it holds is undefined until it is written.  A buffer is
    used again when nobody refers to it, or to a view of it, any more: results stay what they are, and threads and recursive
    calls get buffers of their own.

    Args:
        prototype: an array, or an `rb.ShapeDtype`, of the shape that is needed.  The dtype of a buffer is that of
            `np.result_type(prototype, *actives)`; in PyTorch that of the actives.
        tangents: how many tangents a dual buffer is made for at first; unknown by default.
        warn: whether to warn, once, when dual buffers have to grow because more tangents come.
        check: whether to find reads of what was never written also in NumPy and dual numbers, where `get` then gives a
            `Buffer`: for tests, as it is slower.

    Raises:
        RuleSignatureError: the prototype has no shape, or is not of floating-point numbers.

    Example:
        >>> import rulebook as rb
        >>> cache = rb.DiffCache(np.zeros(3))
        >>> def f(x):
        ...     b = cache.get(x)
        ...     b[0] = x
        ...     b[1:] = x * b[0]
        ...     return rb.freeze(b)
        >>> f(2.0)
        array([2., 4., 4.])
        >>> rb.derivative(f, engine="dual")(2.0)
        array([1., 4., 4.])
    """

    __slots__ = ("_arrays", "_check", "_dtype", "_grown", "_known", "_number", "_pool", "_pools", "_prototype", "_tangents", "_warn")

    def __init__(self, prototype: Any, *, tangents: int | None = None, warn: bool = True, check: bool = False) -> None:
        self._prototype = _specified(prototype)
        self._tangents = tangents
        self._warn = warn
        self._check = check
        self._grown = False
        self._pools: defaultdict[Any, dict[Any, Any]] = defaultdict(dict)
        self._known: dict[tuple[Any, ...], Any] = {}  # what `_find` found for types, and dtypes of arrays, that came before
        # What `get` compares types and dtypes with before it does anything else; never found where all buffers are checked.
        self._number: Any = _NONE if check else float
        self._dtype: Any = _NONE if check else self._prototype.dtype
        self._pool = self._numpy(self._prototype.dtype)
        self._arrays = self._pool.arrays
        if not check:
            self._pool.take()

    def __reduce__(self) -> Any:
        return _made_again, (self._prototype, self._tangents, self._warn, self._check)

    def __deepcopy__(self, memo: Any) -> DiffCache:
        return _made_again(*self.__reduce__()[1])

    def get(self, active: Any = _NONE, second: Any = _NONE, *more: Any) -> Any:
        """A buffer that fits values of any engine.

        Args:
            active, second, more: everything that the function may be differentiated by and that goes into the buffer; numbers,
                arrays, or containers of them, as many as there are.

        Returns:
            An array, dual array or `Buffer`: to be written with `b[...] = v` and given back by `rb.freeze(b)`.

        Raises:
            MixedEnginesError: values of two engines.
            RuleSignatureError: no value.
        """
        # Written out: a loop over the arguments costs 0.1 us, a look into a dictionary of types 0.4 us.
        kind = type(active)
        if (kind is _ndarray and active.dtype is self._dtype) or kind is self._number:
            if second is not _NONE:
                kind = type(second)
                if not ((kind is _ndarray and second.dtype is self._dtype) or kind is self._number):
                    return self._fitting((active, second, *more))
                for x in more:
                    kind = type(x)
                    if not ((kind is _ndarray and x.dtype is self._dtype) or kind is self._number):
                        return self._fitting((active, second, *more))
            array = self._arrays[0]
            if getrefcount(array) == HELD:  # as in Pool.take, which costs 0.5 us more
                array.setflags(True)
                return array
            return self._pool.take()
        return self._fitting((active,) if second is _NONE else (active, second, *more))

    def _fitting(self, actives: tuple[Any, ...]) -> Any:
        kinds = tuple([x.dtype if type(x) is _ndarray else type(x) for x in actives])
        known = self._known.get(kinds)
        if known is None:
            actives, known = self._find(actives, kinds)
        if type(known) is Pool:
            if known.arrays:
                array = known.arrays[0]
                if getrefcount(array) == HELD:
                    array.setflags(True)
                    return array
            return known.take()
        cells = NUMPY_CELLS if known is _NUMPY else known.cells()
        if cells.in_place and not self._check:
            return cells.pooled(self._pools[cells], self._prototype, actives, self._grow)
        return WorkBuffer(cells.empty(self._prototype, actives), None if known is _NUMPY else known, cells)

    def _find(self, actives: tuple[Any, ...], kinds: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The numbers in the actives, and what makes a buffer for them: a pool of NumPy's arrays, or an engine."""
        if actives[0] is _NONE:
            raise RuleSignatureError(
                "rb.DiffCache.get.", "the values that the function may be differentiated by", "none", "pass them: cache.get(x)"
            )
        leaves = tuple([x for x in trees.leaves_of(actives) if _is_number(x)])
        engine = engine_of(leaves, "rb.DiffCache.get")
        if engine is None:
            known: Any = _NUMPY if self._check else self._numpy(np.result_type(self._prototype.dtype, *leaves))
        else:
            known = engine
            if engine.cells().in_place:
                _in_place.update({type(x): engine.cells() for x in leaves if kind_of(type(x)) == engine.name})
        if len(leaves) == len(actives) and all(map(_tells_all, actives)) and not any_is_recording():
            self._known[kinds] = known
        return leaves, known

    def _numpy(self, dtype: Any) -> Pool:
        """The pool of NumPy arrays of a dtype."""
        pools = self._pools[None]
        found: Pool | None = pools.get(dtype)
        if found is None:
            found = pools.setdefault(dtype, Pool(lambda: np.empty(self._prototype.shape, dtype), _unlock))
        return found

    def _grow(self, held: int, needed: int) -> None:
        held = self._tangents or held
        if not self._warn or self._grown or not held or needed <= held:
            return
        self._grown = True
        warnings.warn(
            f"rulebook: an rb.DiffCache of shape {self._prototype.shape} held {held} tangents and grows to {needed}.\n"
            f"Do: make it by rb.DiffCache(prototype, tangents={needed}), or pass warn=False; the results are right in any case.",
            UserWarning,
            stacklevel=6,
        )


def _made_again(prototype: ShapeDtype, tangents: int | None, warn: bool, check: bool) -> DiffCache:
    return DiffCache(prototype, tangents=tangents, warn=warn, check=check)


def _unlock(array: Any) -> bool:
    array.setflags(True)
    return True


def _tells_all(x: Any) -> bool:
    """Whether the engine and the dtype of a buffer for an active follow from its type, or from its dtype if it is an array."""
    return type(x) is _ndarray or not (isinstance(x, _ndarray) or kind_of(type(x)) in (CONTAINER, OPAQUE))


def _is_number(x: Any) -> bool:
    """Whether an active has a part in the choice of the engine and the dtype: text and flags of the user's do not."""
    return kind_of(type(x)) != OPAQUE and getattr(x, "dtype", None) != _OBJECTS


_OBJECTS = np.dtype(object)


def _specified(prototype: Any) -> ShapeDtype:
    """Shape and NumPy dtype of a prototype."""
    if isinstance(prototype, ShapeDtype):
        spec = prototype
    else:
        x = trees.opened(prototype)
        engine = engine_of((x,), "rb.DiffCache")
        spec = engine.spec(x) if engine is not None else ShapeDtype(np.shape(x), np.result_type(x)) if _is_array(x) else _refused(x)
    dtype = np.dtype(spec.dtype)
    if dtype.kind not in "fc":
        raise RuleSignatureError(
            "rb.DiffCache, prototype.", "floating-point numbers", str(dtype), "pass a prototype of floats; for integers use np.empty"
        )
    return ShapeDtype(tuple(spec.shape), dtype)


def _is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic, float, complex))


def _refused(x: Any) -> ShapeDtype:
    raise RuleSignatureError(
        "rb.DiffCache, prototype.",
        "an array or an rb.ShapeDtype",
        f"a {type(x).__name__}",
        "pass np.zeros(shape) or rb.ShapeDtype(shape, float)",
    )


def freeze(b: Any) -> Any:
    """End writing to a buffer and give its array.

    Args:
        b: what `DiffCache.get` gave, or a `Buffer`.

    Returns:
        An array of the engine, of the shape of the buffer.  A write to it, or to b, raises: FrozenBufferError for a `Buffer`, in
        NumPy and dual numbers the ValueError of NumPy's read-only arrays.  Nothing is copied, and the array stays as it is
        when the cache is used again.

    Raises:
        BufferReadError: parts were never written, where that is known.
        RuleSignatureError: b is no buffer.

    Example:
        >>> import rulebook as rb
        >>> b = rb.DiffCache(np.zeros(2)).get(1.0)
        >>> b[...] = 3.0
        >>> rb.freeze(b)
        array([3., 3.])
        >>> b[0] = 1.0
        Traceback (most recent call last):
        ValueError: assignment destination is read-only
    """
    if type(b) is np.ndarray:
        b.setflags(False)  # type: ignore[call-arg]  # by position, which takes half the time
        return b
    cells = _in_place.get(type(b))
    if cells is not None and hasattr(b, "writable"):
        return cells.seal(b)
    if isinstance(b, Buffer):
        return b.freeze()
    engine = None if kind_of(type(b)) == OPAQUE else engine_of((b,), "rb.freeze")
    if engine is None or not engine.cells().in_place or not hasattr(b, "writable"):
        raise RuleSignatureError(
            "rb.freeze.",
            "a buffer: of DiffCache.get, or an rb.Buffer",
            f"a {type(b).__name__}",
            "freeze the buffer itself, not a part of it",
        )
    return engine.cells().seal(b)

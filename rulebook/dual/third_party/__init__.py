"""Code of other libraries on dual numbers, unmodified: a mode in which what coerces its arguments lets duals through."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from rulebook.dual import live
from rulebook.dual.third_party import compiled, distributions, redirects
from rulebook.dual.third_party.buffers import buffers
from rulebook.dual.third_party.code import calls_float
from rulebook.dual.third_party.coercions import coercions
from rulebook.dual.third_party.lists import dispatching
from rulebook.dual.third_party.places import Places
from rulebook.dual.third_party.scalars import Float, functions_of_math, looks_up_types, type_of

__all__ = ["passing"]

_BUILTINS: dict[str, Any] = {"float": (Float, calls_float), "type": (type_of, looks_up_types)}


def _standing_module(original: types.ModuleType, table: dict[Any, Any]) -> types.ModuleType:
    """A module with other functions; by its namespace, so that it is as fast."""
    by_id = {id(old): new for old, new in table.items()}
    module = types.ModuleType(original.__name__, original.__doc__)
    vars(module).update({name: by_id.get(id(value), value) for name, value in vars(original).items()})
    module.__getattr__ = lambda name: getattr(original, name)  # type: ignore[method-assign]
    return module


class _Mode:
    """The mode as all threads share it: the places are replaced while one of them wants it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._places: Places | None = None
        self._loaded: frozenset[str] = frozenset()  # what of SciPy was there when the places were made

    def enter(self) -> None:
        """One more wants it."""
        with self._lock:
            if not self._users:
                places = self._made()
                try:
                    places.replace()
                except BaseException:
                    places.restore()
                    raise
            self._users += 1

    def leave(self) -> None:
        """One fewer wants it."""
        with self._lock:
            self._users -= 1
            if not self._users and self._places is not None:
                self._places.restore()

    def _made(self) -> Places:
        """The places; made again when more of SciPy has been loaded."""
        loaded = frozenset(name for name in (*compiled.HOMES, *redirects.PACKAGES) if name in sys.modules)
        if self._places is None or loaded != self._loaded:
            if "scipy.special" in loaded:
                distributions.register()
            of_numpy = {**dispatching(np), **coercions(), **buffers()}
            of_math = functions_of_math()
            of_scipy = {**compiled.functions(), **redirects.redirects()}
            modules = {np: of_numpy, math: of_math, **compiled.modules()}
            standing = [(module, _standing_module(module, table)) for module, table in modules.items()]
            self._places = Places([*of_numpy.items(), *of_math.items(), *of_scipy.items(), *standing], _BUILTINS)
            self._loaded = loaded
        return self._places


_mode = _Mode()


@contextlib.contextmanager
def passing() -> Iterator[None]:
    """Let code of other libraries run on dual numbers, where it is written in Python and NumPy.

    Inside the block, `np.asarray(x)` and its like give a dual back as it is, `np.empty` and its like make
    arrays that can take the tangents of the running derivative calls, `float(x)` and the functions of `math` take duals,
    and functions of SciPy that are compiled code call the rule library's.  Compiled code goes on refusing duals.
    Of this thread alone; everything is as before when the block ends.

    Example:
        >>> import numpy as np
        >>> import rulebook as rb
        >>> from numpy.polynomial.chebyshev import chebval  # it starts with np.array(c, ndmin=1, copy=None)
        >>> with passing():
        ...     rb.grad(lambda c: chebval(0.5, c), engine="dual")(np.ones(3))
        array([ 1. ,  0.5, -0.5])
    """
    _mode.enter()
    try:
        with live.turned_on():
            yield
    finally:
        _mode.leave()

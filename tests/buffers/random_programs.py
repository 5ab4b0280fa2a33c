"""Programs of random statements that write to an array; the same text runs on plain NumPy arrays, which complex steps differentiate."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import rulebook as rb

__all__ = ["CONSTANT", "POINT", "buffered", "exact", "jacobian", "statements"]

POINT = np.array([0.6, 1.3, -0.4])
Statements = tuple[str, ...]

# Keys of an array of shape (4, 3), and the shape of what they name.
_KEYS: dict[str, tuple[int, ...]] = {
    "...": (4, 3),
    ":": (4, 3),
    "2": (3,),
    "-1": (3,),
    "1, 2": (),
    "-2, 0": (),
    "1:3": (2, 3),
    "::2": (2, 3),
    "::-1": (4, 3),
    "3:0:-2, ::-1": (2, 3),
    "..., 1": (4,),
    ":, 0:2": (4, 2),
    "None, 1": (1, 3),
    "[2, 0]": (2, 3),
    "np.array([1, 3]), 1:": (2, 2),
    "[0, 3], [2, 1]": (2,),
    "np.array([True, False, False, True])": (2, 3),
    "MASK": (5,),
    "1:1": (0, 3),
}
# Index arrays that name an element twice are for reads alone.
_READS = {**_KEYS, "[1, 1, 0]": (3, 3), "[0, 0], [1, 1]": (2,)}
_NUMBERS = ("x[0]", "x[1] * x[2]", "0.5", "x[2] ** 2", "2.0 * b[3, 1]", "b[0, 0] * x[1]")
_UFUNCS = ("np.multiply({a}, {b}, out=b)", "np.add({a}, {b}, b)", "np.sin({a}, out=b)", "np.subtract({b}, {a}, out=b)")
CONSTANT = np.random.default_rng(5).normal(size=(4, 3))
_MASK = np.array([[True, False, True], [False] * 3, [True, True, False], [False, False, True]])


def _operand(rng: np.random.Generator, shape: tuple[int, ...]) -> str:
    """A value that broadcasts to a shape: a number, a constant, or a part of the buffer."""
    fitting = [key for key, found in _READS.items() if found == shape or (len(found) == len(shape) - 1 and found == shape[1:])]
    kinds = [str(rng.choice(_NUMBERS)), f"C.ravel()[: {int(np.prod(shape))}].reshape({shape})", "x" if shape[-1:] == (3,) else "x[1]"]
    kinds += [f"b[{rng.choice(fitting)}]{rng.choice(('', ' * 1.0', ' * x[0]'))}"] * 2 if fitting else []
    return str(rng.choice(kinds))


def statements(seed: int, n: int = 6) -> Statements:
    """A program of n statements after the first, which writes the whole."""
    rng = np.random.default_rng(seed)
    keys = list(_KEYS)
    found = ["b[...] = x * C"]
    for _ in range(n):
        key = keys[rng.integers(len(keys))]
        shape = _KEYS[key]
        kind = rng.integers(6)
        if kind < 3:
            found.append(f"b[{key}] = {_operand(rng, shape)}")
        elif kind == 3:
            found.append(f"b[{key}] {rng.choice(('+=', '*=', '-='))} {_operand(rng, shape)}")
        elif kind == 4:
            found.append(str(rng.choice(_UFUNCS)).format(a=_operand(rng, (4, 3)), b=_operand(rng, (4, 3))))
        else:
            found.append(f"b {rng.choice(('+=', '*=', '-='))} {_operand(rng, (4, 3))}")
    return tuple(found)


@functools.cache
def _function(program: Statements) -> Any:
    names: dict[str, Any] = {"np": np}
    body = "".join(f"    {statement}\n" for statement in (*program, "return b"))
    exec(f"def write(b, x, C, MASK):\n{body}", names)
    return names["write"]


def exact(program: Statements, x: Any) -> Any:
    """What plain NumPy gives."""
    return _function(program)(np.empty((4, 3), np.result_type(x)), x, CONSTANT, _MASK)


def jacobian(program: Statements) -> Any:
    """The Jacobian of the same, by complex steps."""
    steps = (exact(program, POINT + 1e-30j * e).imag / 1e-30 for e in np.eye(POINT.size))
    return np.stack(list(steps), axis=-1)


def buffered(program: Statements, cache: rb.DiffCache, constant: Any = CONSTANT) -> Any:
    """The same as a function with a buffer of a cache; the constant array may be one of the engine."""
    write = _function(program)
    return lambda x: rb.freeze(write(cache.get(x), x, constant, _MASK))

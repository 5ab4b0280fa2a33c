"""Elementwise functions.

Each has its partial derivatives beside it, as `partial(xp, y, *args)`; sources: NIST Digital Library of Mathematical Functions, 4.20, 4.34,
4.37 and 4.2 to 4.8.  At a point without derivative: 0 at the kink of an absolute value, half each where two maxima are equal, 0 for a
power with exponent 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.primitive import Primitive
from rulebook.rules._along import array, is_floating
from rulebook.rules.numpy._cases import complex_normal, normal, uniform
from rulebook.rules.numpy._support import is_complex, own, stands

__all__ = [
    "ALL",
    "Partial",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "clip",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "float_power",
    "fmax",
    "fmin",
    "fmod",
    "hypot",
    "ldexp",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "make",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "nan_to_num",
    "negative",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "reciprocal",
    "remainder",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
]

Partial = Callable[..., Any]


ALL = ("jax", "torch", "autograd")


_LN2, _LN10 = math.log(2.0), math.log(10.0)


_REAL = (uniform(0.2, 0.8, (3,)), uniform(0.2, 0.8, ()), lambda rng: rb.case(rng.uniform(0.2, 0.8, size=3).astype(np.float32)))


_BOTH = (*_REAL, complex_normal((2,)))


_ABOVE = (uniform(1.2, 3.0, (3,)), complex_normal((2,)))


_PAIR = (uniform(0.2, 3.0, (2, 3), (3,)), uniform(0.2, 3.0, (), (2,)))


_PAIRS = (*_PAIR, complex_normal((2,), (2,)))


def make(function: Any, doc: str, cases: Sequence[Any], engines: Sequence[str], names: str) -> Primitive:
    """The primitive of a ufunc; its name is that of the ufunc."""
    path = function.__name__
    other = _OTHER.get(path, path)
    if " " in names:
        fn: Callable[..., Any] = lambda a, b: _named(rb.xp(a, b), function, other)(a, b)
    else:
        fn = lambda x: _named(rb.xp(x), function, other)(x)
    fn.__name__ = fn.__qualname__ = path
    fn.__doc__, fn.__module__ = doc, "rulebook.rules.numpy"
    f = Primitive(fn, name=f"rulebook.rules.numpy.{path}", cases=cases, native=own(path, *engines))
    return stands(function)(f) if isinstance(function, np.ufunc) else f


_OTHER = {"radians": "deg2rad", "degrees": "rad2deg", "float_power": "power"}  # names that every engine has


def _named(xp: Any, function: Any, name: str) -> Any:
    """The function of an engine."""
    return function if xp.__name__ == "numpy" else getattr(xp, name)


def _one(function: Any, doc: str, partial: Partial, cases: Sequence[Any] = _BOTH, engines: Sequence[str] = ALL) -> Primitive:
    """A function of one argument, real or holomorphic."""
    f = make(function, doc, cases, engines, "x")
    rb.scalar_rule(f)(lambda y, x: (partial(rb.xp(y, x), y, x),))
    return f


def _two(function: Any, doc: str, first: Partial, second: Partial, cases: Sequence[Any] = _PAIR, engines: Sequence[str] = ALL) -> Primitive:
    """A function of two arguments, real or holomorphic."""
    f = make(function, doc, cases, engines, "a b")

    def rule(y: Any, a: Any, b: Any) -> Any:
        xp = rb.xp(y, a, b)
        return rb.thunk(lambda: first(xp, y, a, b)), rb.thunk(lambda: second(xp, y, a, b))

    rb.scalar_rule(f)(rule)
    return f


sin = _one(np.sin, "The sine.", lambda xp, y, x: xp.cos(x))


cos = _one(np.cos, "The cosine.", lambda xp, y, x: -xp.sin(x))


tan = _one(np.tan, "The tangent.", lambda xp, y, x: 1 + y * y)


arcsin = _one(np.arcsin, "The inverse sine.", lambda xp, y, x: 1 / xp.sqrt(1 - x * x))


arccos = _one(np.arccos, "The inverse cosine.", lambda xp, y, x: -1 / xp.sqrt(1 - x * x))


arctan = _one(np.arctan, "The inverse tangent.", lambda xp, y, x: 1 / (1 + x * x))


sinh = _one(np.sinh, "The hyperbolic sine.", lambda xp, y, x: xp.cosh(x))


cosh = _one(np.cosh, "The hyperbolic cosine.", lambda xp, y, x: xp.sinh(x))


tanh = _one(np.tanh, "The hyperbolic tangent.", lambda xp, y, x: 1 - y * y)


arcsinh = _one(np.arcsinh, "The inverse hyperbolic sine.", lambda xp, y, x: 1 / xp.sqrt(x * x + 1))


# JAX has the other sign left of the imaginary axis; autograd is real.
arccosh = _one(np.arccosh, "The inverse hyperbolic cosine.", lambda xp, y, x: 1 / (xp.sqrt(x - 1) * xp.sqrt(x + 1)), _ABOVE, ("torch",))


arctanh = _one(np.arctanh, "The inverse hyperbolic tangent.", lambda xp, y, x: 1 / (1 - x * x))


exp = _one(np.exp, "The exponential.", lambda xp, y, x: y)


exp2 = _one(np.exp2, "2 to the power x.", lambda xp, y, x: y * _LN2)


expm1 = _one(np.expm1, "exp(x) - 1.", lambda xp, y, x: y + 1)


log = _one(np.log, "The natural logarithm.", lambda xp, y, x: 1 / x)


log2 = _one(np.log2, "The logarithm to base 2.", lambda xp, y, x: 1 / (x * _LN2))


log10 = _one(np.log10, "The logarithm to base 10.", lambda xp, y, x: 1 / (x * _LN10))


log1p = _one(np.log1p, "log(1 + x).", lambda xp, y, x: 1 / (1 + x))


sqrt = _one(np.sqrt, "The square root.", lambda xp, y, x: 0.5 / y)


cbrt = _one(np.cbrt, "The real cube root.", lambda xp, y, x: 1 / (3 * y * y), _REAL, ("jax",))


square = _one(np.square, "x * x.", lambda xp, y, x: 2 * x)


reciprocal = _one(np.reciprocal, "1 / x.", lambda xp, y, x: -y * y)


negative = _one(np.negative, "-x.", lambda xp, y, x: -1.0)


positive = _one(np.positive, "x.", lambda xp, y, x: 1.0, engines=("jax", "torch"))


deg2rad = _one(np.deg2rad, "Degrees as radians.", lambda xp, y, x: math.pi / 180, _REAL)


rad2deg = _one(np.rad2deg, "Radians as degrees.", lambda xp, y, x: 180 / math.pi, _REAL)


radians = _one(np.radians, "Degrees as radians.", lambda xp, y, x: math.pi / 180, _REAL, ("jax", "autograd"))


degrees = _one(np.degrees, "Radians as degrees.", lambda xp, y, x: 180 / math.pi, _REAL, ("jax", "autograd"))


radians.native["torch"], degrees.native["torch"] = "deg2rad", "rad2deg"


# JAX's abs has slope 1 at 0; autograd has no JVP of cbrt, positive, fmod, hypot and copysign, and its sinc is NaN at 0.
fabs = _one(np.fabs, "The absolute value; its slope at 0 is 0.", lambda xp, y, x: xp.sign(x), (*_REAL, normal((3,))), ("torch", "autograd"))


add = _two(np.add, "a + b.", lambda xp, y, a, b: 1.0, lambda xp, y, a, b: 1.0, _PAIRS)


subtract = _two(np.subtract, "a - b.", lambda xp, y, a, b: 1.0, lambda xp, y, a, b: -1.0, _PAIRS)


multiply = _two(np.multiply, "a * b.", lambda xp, y, a, b: b, lambda xp, y, a, b: a, _PAIRS)


divide = true_divide = _two(np.divide, "a / b.", lambda xp, y, a, b: 1 / b, lambda xp, y, a, b: -y / b, _PAIRS)


def _base(xp: Any, y: Any, a: Any, b: Any) -> Any:
    """b a^(b - 1); 0 where b is."""
    zero = b == 0
    return xp.where(zero, 0.0, b * power(a, xp.where(zero, 1.0, b - 1)))


def _exponent(xp: Any, y: Any, a: Any, b: Any) -> Any:
    """a^b log a; 0 where a is."""
    zero = a == 0
    return xp.where(zero, 0.0, y * xp.log(xp.where(zero, 1.0, a)))


# JAX's power has NaN at 0**0, and at 0**1 to second order.
power = pow = _two(np.power, "a to the power b.", _base, _exponent, _PAIRS, ("torch", "autograd"))


float_power = _two(np.float_power, "a to the power b, in double precision.", _base, _exponent, _PAIR, ())


float_power.native["torch"] = "power"


def _hypot(xp: Any, y: Any, x: Any) -> Any:
    return x / xp.where(y == 0, 1.0, y)


hypot = _two(
    np.hypot,
    "sqrt(a^2 + b^2); at the origin its slope is 0.",
    lambda xp, y, a, b: _hypot(xp, y, a),
    lambda xp, y, a, b: _hypot(xp, y, b),
    engines=(),
)


arctan2 = _two(np.arctan2, "The angle of (b, a).", lambda xp, y, a, b: b / (a * a + b * b), lambda xp, y, a, b: -a / (a * a + b * b), _PAIR)


fmod = _two(
    np.fmod, "The remainder with the sign of a.", lambda xp, y, a, b: 1.0, lambda xp, y, a, b: -xp.trunc(a / b), _PAIR, ("jax", "torch")
)


remainder = mod = _two(np.remainder, "The remainder with the sign of b.", lambda xp, y, a, b: 1.0, lambda xp, y, a, b: -xp.floor(a / b))


def _wins(xp: Any, y: Any, a: Any, b: Any) -> Any:
    """How much of a maximum or minimum y the first is: half of a tie, all where the other is NaN."""
    return xp.where(a == b, 0.5, xp.where((a == y) | xp.isnan(b) | xp.isnan(a) & xp.isnan(y), 1.0, 0.0))


def _second(xp: Any, y: Any, a: Any, b: Any) -> Any:
    return _wins(xp, y, b, a)


maximum = _two(np.maximum, "The larger; a tie is shared.", _wins, _second)


minimum = _two(np.minimum, "The smaller; a tie is shared.", _wins, _second)


fmax = _two(np.fmax, "The larger; NaN counts only where both are.", _wins, _second, engines=())


fmin = _two(np.fmin, "The smaller; NaN counts only where both are.", _wins, _second, engines=())


copysign = _two(
    np.copysign, "|a| with the sign of b.", lambda xp, y, a, b: xp.sign(a) * xp.sign(y), lambda xp, y, a, b: 0.0 * y, engines=("jax",)
)


# Those of the engines are NaN where both arguments are infinite.
logaddexp = _two(
    np.logaddexp,
    "log(exp(a) + exp(b)).",
    lambda xp, y, a, b: _share(xp, y, a),
    lambda xp, y, a, b: _share(xp, y, b),
    engines=(),
)


logaddexp2 = _two(
    np.logaddexp2,
    "log2(2^a + 2^b).",
    lambda xp, y, a, b: _share(xp, y * _LN2, a * _LN2),
    lambda xp, y, a, b: _share(xp, y * _LN2, b * _LN2),
    engines=(),
)


def _share(xp: Any, y: Any, a: Any) -> Any:
    """exp(a - y), also where both are infinite."""
    return xp.exp(xp.where(a == y, 0.0, a - xp.where(a == y, 0.0, y)))


@stands(np.ldexp)
@rb.primitive(
    name="rulebook.rules.numpy.ldexp",
    cases=[lambda rng: rb.case(rng.normal(size=3), np.array([1, 2, -1]))],
    native={e: (lambda x1, x2: x1 * 2.0**x2) for e in ("jax", "torch", "dual")},
)
def ldexp(x1: Any, x2: Any) -> Any:
    """x1 * 2**x2, for whole x2."""
    return x1 * 2.0**x2


@rb.scalar_rule(ldexp)
def _(y: Any, x1: Any, x2: Any) -> Any:
    return 2.0**x2, None


def _sinc_slope(x: Any) -> Any:
    """The derivative of sin(t) / t, t = pi x: (cos t - sin t / t) / x, near 0 its power series, which has every order."""
    xp = rb.xp(x)
    t = math.pi * x
    near = xp.abs(t) < 0.5
    small, far = xp.where(near, t, 0.0), xp.where(near, 1.0, t)
    square_ = small * small
    terms = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(1, 12)]
    series = functools.reduce(lambda total, c: total * square_ + c, reversed(terms)) * small
    return math.pi * xp.where(near, series, (xp.cos(far) - xp.sin(far) / far) / far)


@stands(np.sinc)
@rb.primitive(
    name="rulebook.rules.numpy.sinc",
    cases=[normal((3,)), lambda rng: rb.case(np.array([0.0, 0.1, -1.0]))],
    native=own("sinc", "jax"),
)
def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x)."""
    return np.sinc(x) if type(x) in (np.ndarray, np.float64, np.float32, float) else _sinc(x)


def _sinc(x: Any) -> Any:
    xp = rb.xp(x)
    t = math.pi * xp.where(x == 0, 1.0, x)
    return xp.where(x == 0, 1.0, xp.sin(t) / t)


rb.scalar_rule(sinc)(lambda y, x: (_sinc_slope(x),))


def clip(a: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """Values limited to an interval; at its ends the slopes are shared.

    Example:
        >>> clip(np.array([1.0, 5.0]), 2.0, 4.0)
        array([2., 4.])
    """
    if a_min is not None:
        a = maximum(a, a_min)
    return a if a_max is None else minimum(a, a_max)


@stands(np.nan_to_num)
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Finite numbers in place of the others, whose derivative is 0.

    Example:
        >>> nan_to_num(np.array([1.0, np.nan]))
        array([1., 0.])
    """
    if type(x) is np.ndarray:
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    x = array(x)
    if not is_floating(x):
        return x
    xp = rb.xp(x)
    if is_complex(x):
        parts = (nan_to_num(part, nan, posinf, neginf) for part in (xp.real(x), xp.imag(x)))
        return next(parts) + 1j * next(parts)
    most = float(xp.finfo(x.dtype).max)
    for found, other in (
        (xp.isnan(x), nan),
        (x == np.inf, most if posinf is None else posinf),
        (x == -np.inf, -most if neginf is None else neginf),
    ):
        x = xp.where(found, other, x)
    return x

"""The array namespace for torch: NumPy's names and keywords, SciPy's where NumPy's users look there."""

from __future__ import annotations

import numpy as np
import torch

from rulebook.bridges._torch import (
    making as _torch_making,
    numpy as _torch_numpy,
    reductions as _torch_reductions,
    shapes as _torch_shapes,
    wrap as own,
)
from rulebook.namespace import Namespace

__all__ = ["NAMESPACE"]

_FLOAT = {
    "arccos": torch.acos,
    "arccosh": torch.acosh,
    "arcsin": torch.asin,
    "arcsinh": torch.asinh,
    "arctan": torch.atan,
    "arctanh": torch.atanh,
    "cos": torch.cos,
    "cosh": torch.cosh,
    "deg2rad": torch.deg2rad,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "rad2deg": torch.rad2deg,
    "sin": torch.sin,
    "sinc": torch.sinc,
    "sinh": torch.sinh,
    "sqrt": torch.sqrt,
    "tan": torch.tan,
    "tanh": torch.tanh,
}
_UNARY = {
    "abs": torch.abs,
    "absolute": torch.abs,
    "angle": torch.angle,
    "ceil": torch.ceil,
    "conj": torch.conj,
    "conjugate": torch.conj,
    "copy": torch.clone,
    "diagflat": torch.diagflat,
    "fabs": torch.abs,
    "fliplr": torch.fliplr,
    "flipud": torch.flipud,
    "floor": torch.floor,
    "isfinite": torch.isfinite,
    "isinf": torch.isinf,
    "isnan": torch.isnan,
    "logical_not": torch.logical_not,
    "negative": torch.negative,
    "positive": torch.positive,
    "ravel": torch.ravel,
    "reciprocal": torch.reciprocal,
    "rint": torch.round,
    "sign": torch.sgn,
    "signbit": torch.signbit,
    "square": torch.square,
    "trunc": torch.trunc,
}
_BINARY = {
    "add": torch.add,
    "arctan2": torch.arctan2,
    "copysign": torch.copysign,
    "divide": torch.true_divide,
    "equal": torch.eq,
    "floor_divide": torch.floor_divide,
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "fmod": torch.fmod,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "heaviside": torch.heaviside,
    "hypot": torch.hypot,
    "inner": torch.inner,
    "kron": torch.kron,
    "less": torch.lt,
    "less_equal": torch.le,
    "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
    "matmul": torch.matmul,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mod": torch.remainder,
    "multiply": torch.multiply,
    "not_equal": torch.ne,
    "power": torch.pow,
    "pow": torch.pow,
    "remainder": torch.remainder,
    "subtract": torch.subtract,
    "true_divide": torch.true_divide,
}
_CONSTANTS = {
    "bool_": torch.bool,
    "complex128": torch.complex128,
    "complex64": torch.complex64,
    "e": np.e,
    "euler_gamma": np.euler_gamma,
    "float32": torch.float32,
    "float64": torch.float64,
    "inf": np.inf,
    "int32": torch.int32,
    "int64": torch.int64,
    "nan": np.nan,
    "newaxis": None,
    "pi": np.pi,
}


def _linalg() -> Namespace:
    from rulebook.bridges._torch import linalg as _torch_linalg

    return Namespace("torch.linalg", None, own.public(_torch_linalg))


def _special() -> Namespace:
    from rulebook.bridges._torch import special as _torch_special

    return Namespace("torch.special", None, own.public(_torch_special))


def _fft() -> Namespace:
    from rulebook.bridges._torch import fft as _torch_fft

    return Namespace("torch.fft", None, own.public(_torch_fft))


NAMESPACE = Namespace(
    "torch",
    None,
    {
        **{name: own.floating(fn) for name, fn in _FLOAT.items()},
        **{name: own.unary(fn) for name, fn in _UNARY.items()},
        **{name: own.binary(fn) for name, fn in _BINARY.items()},
        **_CONSTANTS,
        **{
            name: fn
            for module in (_torch_making, _torch_numpy, _torch_reductions, _torch_shapes)
            for name, fn in own.public(module).items()
        },
    },
    {"linalg": _linalg, "special": _special, "fft": _fft},
)

"""Functions of the primals alone: comparisons, tests, and steps, whose derivative is zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.lifting import plain
from rulebook.dual.parts import is_dual
from rulebook.dual.registry import FUNCTIONS, METHODS, STEPS, UFUNCS

__all__: list[str] = []

_TESTS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isfinite, np.isinf, np.isnan, np.signbit)
_LOGICAL = (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
_STEPS = (np.floor, np.ceil, np.trunc, np.rint, np.floor_divide, np.spacing)
_FUNCTIONS: tuple[Any, ...] = (
    np.all,
    np.any,
    np.argmax,
    np.argmin,
    np.argsort,
    np.argpartition,
    np.nonzero,
    np.flatnonzero,
    np.argwhere,
    np.count_nonzero,
    np.searchsorted,
    np.digitize,
    np.isclose,
    np.allclose,
    np.array_equal,
    np.array_equiv,
    np.round,
    np.around,
    np.fix,
    np.iscomplex,
    np.isreal,
    np.isneginf,
    np.isposinf,
    np.nanargmax,
    np.nanargmin,
    np.lexsort,
    np.isin,
    np.linalg.matrix_rank,
    np.einsum_path,
)


def _register(function: Any, table: dict[Any, Any]) -> None:
    name = f"np.{function.__name__}"

    def apply(*args: Any, **kwargs: Any) -> Any:
        return function(*(plain(a, name) for a in args), **{k: plain(v, name) for k, v in kwargs.items()})

    table[function] = apply
    if isinstance(function, np.ufunc):
        STEPS.add(function)
        for method in ("reduce", "accumulate", "reduceat"):
            METHODS[function, method] = _method(function, method, name)


def _method(ufunc: Any, method: str, name: str) -> Any:
    return lambda *args, **kwargs: getattr(ufunc, method)(*(plain(a, name) for a in args), **kwargs)


for _ufunc in (*_TESTS, *_LOGICAL, *_STEPS):
    _register(_ufunc, UFUNCS)
for _function in _FUNCTIONS:
    _register(_function, FUNCTIONS)


def _about(function: Any) -> None:
    """Functions of the shape or dtype, which a tangent has too."""
    FUNCTIONS[function] = lambda x, *args, **kwargs: function(_bare(x), *args, **kwargs)


def _bare(x: Any) -> Any:
    if type(x) in (list, tuple):
        return np.stack(x) if any(is_dual(v) for v in x) else x
    while is_dual(x):
        x = x.p
    return x


_ABOUT: tuple[Any, ...] = (
    np.shape,
    np.ndim,
    np.size,
    np.iscomplexobj,
    np.isrealobj,
    np.diag_indices_from,
    np.tril_indices_from,
    np.triu_indices_from,
)
for _function in _ABOUT:
    _about(_function)


def _result_type(*args: Any) -> Any:
    return np.result_type(*(x.dtype if is_dual(x) else x for x in args))


FUNCTIONS[np.result_type] = _result_type
FUNCTIONS[np.can_cast] = lambda x, *args, **kwargs: np.can_cast(x.dtype if is_dual(x) else x, *args, **kwargs)
FUNCTIONS[np.min_scalar_type] = lambda x: x.dtype
FUNCTIONS[np.common_type] = lambda *args: np.common_type(*(_bare(x) for x in args))
FUNCTIONS[np.shares_memory] = lambda a, b, **options: np.shares_memory(_bare(a), _bare(b), **options)
FUNCTIONS[np.may_share_memory] = lambda a, b, **options: np.may_share_memory(_bare(a), _bare(b), **options)
FUNCTIONS[np.array_repr] = lambda x, *args, **kwargs: repr(x)
FUNCTIONS[np.array_str] = lambda x, *args, **kwargs: str(x)
FUNCTIONS[np.array2string] = lambda x, *args, **kwargs: str(x)

"""What functions give: numbers and trees of them, and what each operator can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import NUMPY, OPAQUE, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.operators.conversion import into
from rulebook.operators.options import Options

__all__ = ["a_kind", "as_number", "checked", "real_number"]


def checked(use: Engine, options: Options, y: Any) -> Any:
    """What fn gave, if there is something in it to differentiate.

    Raises:
        RuleSignatureError: it is None, or holds an object that is no number.
    """
    kind = kind_of(type(y))
    if kind == use.name or (kind == NUMPY and (type(y) is not np.ndarray or y.dtype != object)):
        return y
    leaves = trees.leaves_of(y)
    wrong = next((a_kind(leaf) for leaf in leaves if _is_object(use, leaf)), None if y is not None else "None")
    if wrong is not None:
        raise RuleSignatureError(
            f"{options.which} (engine {use.name}), its result.",
            f"numbers, arrays of {use.name} or NumPy, or containers of them",
            wrong,
            "return the numbers to differentiate; rb.register_dataclass makes a dataclass a container",
        )
    return y


def _is_object(use: Engine, leaf: Any) -> bool:
    kind = kind_of(type(leaf))
    if isinstance(leaf, np.ndarray) and leaf.dtype == object:
        return use.name != "dual"  # which gathers the duals in it
    return kind not in (NUMPY, use.name)


def a_kind(value: Any) -> str:
    """What a value is, for messages."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"shape {tuple(value.shape)}, {value.dtype}" + ("" if kind_of(type(value)) != OPAQUE else f", a {type(value).__name__}")
    return f"a {type(value).__name__}"


def real_number(use: Engine, options: Options, fn: Callable[..., Any]) -> Callable[..., Any]:
    """fn, whose result has to be one real number."""
    return lambda *xs: as_number(use, options, fn(*xs))


def as_number(use: Engine, options: Options, y: Any) -> Any:
    """What fn gave as the engine's value, if it is one real number.

    Raises:
        RuleSignatureError: it is not.
    """
    y = into(use, y) if kind_of(type(y)) != use.name else y
    if not hasattr(y, "dtype") or tuple(y.shape) != () or use.is_complex(y) or not use.has_tangent(y):
        raise RuleSignatureError(f"{options.which}.", "one real number, shape ()", a_kind(y), "use rb.jacobian or rb.vjp")
    return y

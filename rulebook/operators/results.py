"""What functions give: numbers and trees of them, and what each operator can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook import trees
from rulebook.engines import OPAQUE, Engine, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.operators.conversion import into
from rulebook.operators.options import Options

__all__ = ["checked", "number", "real_number"]


def checked(y: Any, options: Options) -> Any:
    """What fn gave, if there is something in it to differentiate.

    Raises:
        RuleSignatureError: it is None, or holds an object that is no number.
    """
    if y is None:
        raise RuleSignatureError(f"{options.which}, its result.", "numbers, arrays or containers of them", "None", "return the result")
    for leaf in trees.leaves_of(y):
        if kind_of(type(leaf)) == OPAQUE:
            raise RuleSignatureError(
                f"{options.which}, its result.",
                "numbers, arrays or containers of them",
                f"a {type(leaf).__name__}",
                "return numbers alone, and register dataclasses with rb.register_dataclass",
            )
    return y


def real_number(use: Engine, options: Options, fn: Callable[..., Any]) -> Callable[..., Any]:
    """fn, whose result has to be one real number."""
    return lambda *xs: number(use, options, fn(*xs))


def number(use: Engine, options: Options, y: Any) -> Any:
    """A result, if it is one real number.

    Raises:
        RuleSignatureError: it is not.
    """
    y = into(use, y)
    if not trees.is_leaf(y) or tuple(getattr(y, "shape", (1,))) != () or use.is_complex(y) or not use.has_tangent(y):
        got = f"shape {tuple(y.shape)}, {y.dtype}" if hasattr(y, "dtype") else f"a {type(y).__name__}"
        raise RuleSignatureError(f"{options.which}.", "one real number, shape ()", got, "use rb.jacobian or rb.vjp")
    return y

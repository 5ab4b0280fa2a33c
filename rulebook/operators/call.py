"""One call of an operator that is not prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rulebook.errors import RuleSignatureError
from rulebook.operators.conversion import find_engine, out
from rulebook.operators.kernels import Kernel, vjp
from rulebook.operators.options import Options

__all__ = ["evaluate", "evaluate_pulled", "one_engine"]


def evaluate(kernel: Kernel, options: Options, args: tuple[Any, ...]) -> Any:
    """The result of a kernel, NumPy's for NumPy arguments."""
    use, numpy = find_engine(one_engine(options), (args, _values(options.constants)), options.where)
    return out(use, kernel(use, options, args, None), numpy)


def evaluate_pulled(options: Options, primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
    """(y, pullback), NumPy's for NumPy arguments."""
    use, numpy = find_engine(one_engine(options), (primals, _values(options.constants)), options.where)
    y, pullback = vjp(use, options, primals)
    return out(use, y, numpy), lambda y_bar: out(use, pullback(y_bar), numpy)


def _values(constants: Any) -> Any:
    return dict(constants) if hasattr(constants, "keys") else constants


def one_engine(options: Options) -> str | None:
    """The name of the engine of an operator that takes one.

    Raises:
        RuleSignatureError: two are given.
    """
    if isinstance(options.engine, (tuple, list)):
        raise RuleSignatureError(
            f"{options.where}, engine={options.engine!r}.",
            "the name of one engine",
            f"{len(options.engine)} names",
            "pass one; rb.hessian, rb.hvp and rb.second_derivative take two",
        )
    return options.engine

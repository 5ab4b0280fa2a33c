"""What an operator was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Argnums", "Constants", "Derivative", "Name", "Options", "P"]

P = ParamSpec("P")
T = TypeVar("T", covariant=True)

Argnums = int | Sequence[int]
Constants = Sequence[Any] | Mapping[str, Any]
Name = str | tuple[str, str] | None


class Derivative(Protocol[P, T]):
    """A function of the arguments of another.  With constants or work arrays it has fewer, which types cannot say."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The derivative there."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator was asked for, with the function.

    Attributes:
        operator: its name, without `rb.`.
        fn: the function to differentiate.
        engine: the name of what differentiates; of what differentiates the gradient, and what gives the gradient; None by the values.
        argnums: the arguments to differentiate; None for all.
        batch: whether tangents or cotangents have one more leading axis.
        constants: passed to fn after the arguments, by position or by keyword.
        caches: likewise, after the constants: fn may write to them.
        sparsity: what is known of the pattern; None for a dense result.
        rows: whether a Jacobian is better taken by reverse mode, where it is known from an example; None where it is not.
    """

    operator: str
    fn: Callable[..., Any]
    engine: Name = None
    argnums: Argnums | None = 0
    batch: bool = False
    constants: Constants = ()
    caches: Sequence[Any] = ()
    sparsity: Any = None
    rows: bool | None = None

    def given(self, static: dict[str, Any]) -> Options:
        """The same of the function with these keywords."""
        fn = partial(self.fn, **static)
        fn.__name__ = getattr(self.fn, "__name__", type(self.fn).__name__)  # type: ignore[attr-defined] # a partial takes any
        return replace(self, fn=fn)

    @property
    def where(self) -> str:
        """The operator, for messages."""
        return f"rb.{self.operator}"

    @property
    def which(self) -> str:
        """The operator and the function, for messages."""
        return f"rb.{self.operator} of {getattr(self.fn, '__name__', type(self.fn).__name__)}"

"""What JAX and PyTorch offer publicly, in one spelling; cotangents in the pairing Re sum(conj(y_bar) * y_dot)."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Api", "api_of"]

Leaves = Sequence[Any]
Moving = Callable[..., list[Any]]


class Api(ABC):
    """The transformations of one engine, of functions of leaves that give a list of leaves."""

    @abstractmethod
    def array(self, value: Any) -> Any:
        """A NumPy array as the engine's."""

    @abstractmethod
    def vjp(self, fn: Moving, xs: Leaves, bars: Leaves) -> tuple[list[Any], list[Any]]:
        """The results and the cotangents."""

    @abstractmethod
    def jvp(self, fn: Moving, xs: Leaves, dots: Leaves) -> tuple[list[Any], list[Any]]:
        """The results and their tangents."""

    @abstractmethod
    def vmap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function over a leading axis of everything."""

    @abstractmethod
    def jit(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function compiled."""


class _Jax(Api):
    def __init__(self) -> None:
        self.jax = importlib.import_module("jax")

    def array(self, value: Any) -> Any:
        return self.jax.numpy.asarray(value)

    def vjp(self, fn: Moving, xs: Leaves, bars: Leaves) -> tuple[list[Any], list[Any]]:
        conj = self.jax.numpy.conj  # JAX pairs without conjugation
        y, pull = self.jax.vjp(fn, *xs)
        return y, [conj(x_bar) for x_bar in pull([conj(b) for b in bars])]

    def jvp(self, fn: Moving, xs: Leaves, dots: Leaves) -> tuple[list[Any], list[Any]]:
        y, y_dot = self.jax.jvp(fn, tuple(xs), tuple(dots))
        return y, y_dot

    def vmap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return self.jax.vmap(fn)  # type: ignore[no-any-return]

    def jit(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return self.jax.jit(fn)  # type: ignore[no-any-return]


class _Torch(Api):
    def __init__(self) -> None:
        self.torch = importlib.import_module("torch")
        self.func = importlib.import_module("torch.func")

    def array(self, value: Any) -> Any:
        return self.torch.from_numpy(np.array(value))

    def vjp(self, fn: Moving, xs: Leaves, bars: Leaves) -> tuple[list[Any], list[Any]]:
        y, pull = self.func.vjp(fn, *xs)
        return y, list(pull(list(bars)))

    def jvp(self, fn: Moving, xs: Leaves, dots: Leaves) -> tuple[list[Any], list[Any]]:
        y, y_dot = self.func.jvp(fn, tuple(xs), tuple(dots))
        return y, y_dot

    def vmap(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        return self.func.vmap(fn)  # type: ignore[no-any-return]

    def jit(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        raise NotImplementedError("torch.compile is not checked: it takes seconds")


_APIS: dict[str, Callable[[], Api]] = {"jax": _Jax, "torch": _Torch}


def api_of(engine: str) -> Api:
    """The transformations of an engine."""
    return _APIS[engine]()

"""What the functions of a module do with the name `float`."""

from __future__ import annotations

import dis
import itertools
import types
from collections.abc import Iterator
from typing import Any

__all__ = ["calls_float"]


def calls_float(namespace: dict[str, Any]) -> bool:
    """Whether the functions of a module call `float`, or map it, and none asks whether something `is float`."""
    uses = [use for code in _codes(namespace) if "float" in code.co_names for use in _uses(code)]
    return True in uses and None not in uses


def _uses(code: types.CodeType) -> Iterator[bool | None]:
    """For each place that loads the global `float`: whether it is called there; None where it is compared by identity."""
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
    for instruction, after in itertools.pairwise(instructions):
        if instruction.argval == "float" and instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            called = "NULL" in instruction.argrepr  # room is made for what a method is called on
            yield None if after.opname == "IS_OP" else called or "map" in code.co_names


def _codes(namespace: dict[str, Any]) -> Iterator[types.CodeType]:
    """The code of the functions that read this namespace."""
    seen: set[int] = set()
    todo = [v for v in namespace.values() if isinstance(v, (types.FunctionType, type)) or hasattr(type(v), "__wrapped__")]
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, types.FunctionType):
            if value.__globals__ is namespace:
                yield from _nested(value.__code__)
            todo += _held(value)
        elif isinstance(value, type) and value.__module__ == namespace.get("__name__"):
            todo += [_function(member) for member in vars(value).values()]


def _held(fn: types.FunctionType) -> list[Any]:
    """The functions that a decorated function runs."""
    found = [getattr(fn, "__wrapped__", None)]
    for cell in fn.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # it is still empty
            continue
    return [v for v in found if isinstance(v, types.FunctionType)]


def _function(member: Any) -> Any:
    """The function of a member of a class."""
    for name in ("__func__", "fget", "func"):
        member = getattr(member, name, None) or member
    return member


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)

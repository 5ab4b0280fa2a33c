"""What the bridge uses of autograd beyond its documented functions, and the few operations built on it.

autograd documents `primitive`, `defvjp` and `defjvp`.  A primitive made with them evaluates the
function before it asks for derivatives, so a rule that gives value and derivative together would
run the function twice.  The bridge therefore makes the nodes of the graph itself.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

import autograd
from autograd.extend import vspace

__all__ = [
    "ARRAY",
    "BOXES",
    "DICT",
    "SEQUENCE",
    "JVPNode",
    "VJPNode",
    "above",
    "backward",
    "constant_box",
    "depth",
    "gradient_node",
    "gradient_root",
    "new_box",
    "new_sequence",
    "open_container",
    "tangent_node",
    "tangent_root",
    "trace",
    "value_of",
]

_NEEDED = {
    "tracer": ("Box", "box_types", "new_box", "trace_stack"),
    "core": ("VJPNode", "JVPNode", "backward_pass"),
    "builtins": ("SequenceBox", "DictBox", "tuple"),
    "numpy.numpy_boxes": ("ArrayBox",),
}


def _import_names() -> dict[str, Any]:
    """Everything in `_NEEDED`, or an error that names what this autograd lacks."""
    found: dict[str, Any] = {}
    missing: list[str] = []
    for module, names in _NEEDED.items():
        loaded = importlib.import_module(f"autograd.{module}")
        for name in names:
            if hasattr(loaded, name):
                found[name] = getattr(loaded, name)
            else:
                missing.append(f"autograd.{module}.{name}")
    if missing:
        lacking = ", ".join(missing)
        raise ImportError(
            f"autograd {getattr(autograd, '__version__', '?')} lacks {lacking}, which rulebook needs; install autograd>=1.8,<2."
        )
    return found


_names = _import_names()

ARRAY: type = _names["ArrayBox"]
SEQUENCE: type = _names["SequenceBox"]
DICT: type = _names["DictBox"]
BOXES: set[type] = _names["box_types"]  # the set that autograd itself asks; boxes registered later are in it
new_box: Callable[[Any, int, Any], Any] = _names["new_box"]
VJPNode: Any = _names["VJPNode"]
JVPNode: Any = _names["JVPNode"]
_backward_pass: Callable[[Any, Any], Any] = _names["backward_pass"]
_tuple: Callable[[list[Any]], Any] = _names["tuple"]
_stack: Any = _names["trace_stack"]

_new_gradient_node = VJPNode.__new__
_new_tangent_node = JVPNode.__new__


def gradient_node(parents: tuple[Any, ...], vjp: Callable[[Any], Any]) -> Any:
    """A node of a reverse trace: `vjp(y_bar)` gives one cotangent per parent."""
    node = _new_gradient_node(VJPNode)
    node.parents = parents
    node.vjp = vjp
    return node


def tangent_node(y_dot: Any) -> Any:
    """A node of a forward trace."""
    node = _new_tangent_node(JVPNode)
    node.g = y_dot
    return node


def constant_box(value: Any, like: Any) -> Any:
    """A box of the trace of another, of an array that does not depend on anything.

    Its node hangs on the other's, whose cotangent it makes no larger: autograd takes the last root that it meets for the input.
    """
    node = like._node
    if type(node) is JVPNode:
        return new_box(value, like._trace, tangent_node(vspace(value).zeros()))
    if isinstance(node.vjp, _Nothing):  # a constant itself: nothing of it is kept
        return new_box(value, like._trace, gradient_node(node.parents, node.vjp))
    return new_box(value, like._trace, gradient_node((node,), _Nothing(like._value)))


class _Nothing:
    """The cotangent of what a constant hangs on."""

    def __init__(self, value: Any) -> None:
        self.space = vspace(value)

    def __call__(self, g: Any) -> tuple[Any]:
        return (self.space.zeros(),)


def depth(value: Any) -> int:
    """The number of the trace that a value belongs to; -1 for one of none."""
    return value._trace if type(value) in BOXES else -1


def value_of(value: Any) -> Any:
    """The concrete value below all boxes."""
    while type(value) in BOXES:
        value = value._value
    return value


def open_container(box: Any) -> Any:
    """A boxed tuple, list, dict or namedtuple as a plain one that holds boxes."""
    plain = value_of(box)
    if isinstance(plain, dict):
        return {k: box[k] for k in plain}
    items = [box[i] for i in range(len(plain))]
    if hasattr(plain, "_fields"):
        return type(plain)(*items)
    return items if isinstance(plain, list) else tuple(items)


def new_sequence(items: list[Any]) -> Any:
    """A tuple of values as one value, whose trace is theirs."""
    return _tuple(items)


class _Mine(threading.local):
    newest = -1  # no trace that this thread starts may have this number or a smaller one


_mine = _Mine()


def above(number: int, fn: Callable[..., Any], *args: Any) -> Any:
    """`fn(*args)`, in which new traces have larger numbers.

    autograd counts the traces of all threads together, so that its number alone falls when another thread ends one.
    """
    before = _mine.newest
    if number > before:
        _mine.newest = number
    try:
        return fn(*args)
    finally:
        _mine.newest = before


def trace(fn: Callable[[Any], Any], x: Any, node: Any) -> tuple[Any, Any]:
    """`fn(x)`, x being an array or a tuple of them, traced from a root node: the result below this trace, and its node.

    The node is None where the result does not depend on x.

    autograd's own `trace` leaves its stack one deeper when fn raises, and warns where the result is constant.
    """
    before, top = _mine.newest, _stack.top
    number = 1 + max([top, before, *map(depth, x if type(x) is tuple else (x,))])
    _mine.newest = number
    _stack.top += number - top
    try:
        end = fn(new_box(x, number, node))
    finally:
        _stack.top -= number - top
        _mine.newest = before
    if type(end) in BOXES and end._trace == number:
        return end._value, end._node
    return end, None


def gradient_root() -> Any:
    """The node of an input of a reverse trace."""
    return VJPNode.new_root()


def tangent_root(x_dot: Any) -> Any:
    """The node of an input of a forward trace."""
    return JVPNode.new_root(x_dot)


def backward(y_bar: Any, node: Any) -> Any:
    """The cotangent of the input of the trace that `node` ends."""
    return _backward_pass(y_bar, node)

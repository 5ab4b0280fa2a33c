"""The way of plain tensors in plain eager mode: one autograd.Function of fixed arity per form.

A call costs what a hand-written Function costs: no packing of arguments, no torch.func dispatch,
and where nothing is differentiated the function itself.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.bridges._torch import private, source as code
from rulebook.bridges._torch.node import Call, autocast_state, pull_node, restored
from rulebook.bridges._torch.ops import RuleOp, refuse_captured
from rulebook.bridges._torch.watch import may_alias, may_capture
from rulebook.errors import RulebookError
from rulebook.trees import LEAF, Structure

__all__ = ["Structured", "make", "uses_first"]


class Structured(Exception):
    """The result is no single tensor: the general way takes it (internal)."""


def _counts() -> tuple[int, int, int, int]:
    """How often a fresh result is referred to in the generated code: one that is returned, one of a pair, its memory, itself in C++."""

    def returned() -> int:
        y = torch.zeros(1)
        return sys.getrefcount(y)

    def of_pair(make: Callable[[], Any]) -> int:
        out = make()
        y, _ = out if type(out) is tuple and len(out) == 2 else (None, None)
        return sys.getrefcount(y)

    with private.outside():  # the bridge may be loaded inside a transformation
        y = torch.zeros(1)
        return returned(), of_pair(lambda: (torch.zeros(1), None)), private.storage_count(y.untyped_storage()._cdata), y._use_count()


_FREED = (None, None, 0, None)

_NAMES = {
    "COUNTS": _counts(),
    "FREED": _FREED,
    "Function": Function,
    "KINDS": frozenset((Tensor, torch.nn.Parameter)),
    "RulebookError": RulebookError,
    "Structured": Structured,
    "Tensor": Tensor,
    "any_autocast": private.any_autocast,
    "autocast_state": autocast_state,
    "forward_ad": torch.autograd.forward_ad,
    "is_grad_enabled": torch.is_grad_enabled,
    "getrefcount": sys.getrefcount,
    "keep_graph": private.keep_graph,
    "peek": private.peek,
    "raw_apply": private.raw_apply,
    "saved_hooks": private.saved_hooks,
    "set_grad_mode": private.set_grad_mode,
    "storage_count": private.storage_count,
}


@functools.lru_cache(maxsize=1024)
def _code(
    structure: Structure, kind: str, uses_y: bool, watched: bool, aliases: bool, statics: bool
) -> tuple[Callable[..., Any], list[Any]]:
    text, consts = code.source(structure, kind, uses_y, watched, aliases, statics)
    names = dict(_NAMES)
    exec(text, names)
    return names["make"], consts  # type: ignore[return-value]


class _State:
    """What is learnt about a form as it runs: whether its result is a single tensor; None before the first."""

    single: bool | None = None


class _Again:
    """What the generated code leaves to the general way."""

    def __init__(self, op: RuleOp, state: _State) -> None:
        self.op = op
        self.form = op.form
        self.rule: Any = op.form.reverse
        self.state = state

    def explain(self, error: Exception, what: str | None = None) -> Exception:
        """The error to raise for one of the author's code."""
        return self.form.explain(error, what or self.rule.kind)

    def refuse(self) -> NoReturn:
        """A captured tensor is being differentiated."""
        refuse_captured(self.form)

    def pair(self, out: Any) -> Any:
        """What an rrule returned that is no plain pair."""
        return self.form.pair(out, self.rule, "(y, pullback)")

    def learn(self, y: Any) -> Any:
        """The first result, which came the general way: the fast one would run a function that gives several once more."""
        self.state.single = isinstance(y, Tensor)
        return y

    def single(self, y: Any) -> Tensor:
        """A result that is no plain tensor as one, if it is one leaf."""
        ys, structure = self.form.flatten_result(y, "primal" if self.op.given_output else self.rule.kind)
        if structure is not LEAF:
            self.state.single = False
            raise Structured
        return ys[0]  # type: ignore[no-any-return]

    def finish_primal(self, y: Any) -> Any:
        """A result that is no plain tensor."""
        ys, structure = self.form.flatten_result(y, "primal")
        return structure.unflatten(iter(ys))

    def finish(self, saved: Sequence[Any], found: Any, wanted: Sequence[bool]) -> tuple[Any, ...]:
        """Cotangents checked, projected, and computed where they were put off."""
        return tuple(self.form.fit_cotangents(self.rule, saved[: self.form.n], found, wanted))

    def __call__(self, ctx: Any, saved: Sequence[Any], y_bar: Any) -> tuple[Any, ...]:
        """A backward pass that may be differentiated again, or with autocast, or where something was changed."""
        n = self.form.n
        call = Call(self.op, None, None)
        call.structure = LEAF
        xs = saved[:n]
        if self.op.given_output:
            autocast = ctx.kept
        else:
            pull, y, version, autocast = ctx.kept
            if pull is not None:
                call.pull = self._pull(pull, xs)
            if y is not None:
                call.ys, call.versions = (y,), (version,)
        with restored(autocast):
            # A rule that does not look at y is given y_bar in its place.
            found = pull_node(call, xs, saved[n:] or (y_bar,), (y_bar,), ctx.needs_input_grad)
        if not self.op.given_output and not private.keep_graph():
            ctx.kept = _FREED
        return tuple(found)

    def _pull(self, pull: Callable[[Any], Any], xs: Sequence[Any]) -> Callable[..., list[Any]]:
        def pull_leaves(bars: Sequence[Any], wanted: Sequence[bool] | None = None) -> list[Any]:
            y_bar = bars[0]
            if y_bar is None:
                return [None] * len(xs)
            return self.form.fit_cotangents(self.rule, xs, self.form.run(self.rule, pull, y_bar), wanted)

        return pull_leaves


def uses_first(fn: Any) -> bool:
    """Whether a rule reads its first parameter, as far as its code tells."""
    code = getattr(fn, "__code__", None)
    if code is None or not code.co_argcount:
        return True
    name = code.co_varnames[0]
    read = [i.argval for i in dis.get_instructions(code)]
    return name in code.co_cellvars or any(v == name or (isinstance(v, tuple) and name in v) for v in read)


def make(op: RuleOp, general: Callable[..., Any], host_primal: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function of the leaves of a form with a traceable reverse rule; `general` where the fast way has no code.

    Args:
        op: the form.
        general: the same function for any tensors.
        host_primal: the primal as a function of plain tensors, where it is host code.
    """
    form, rule = op.form, op.form.reverse
    if not form.n or form.opaque or rule is None or not code.is_simple(form.structure):
        return general
    kind = code.CLOSED if rule.kind == "rrule" else code.PULLBACK if rule.kind == "pullback" else code.GIVEN
    primal = form.primitive.fn
    watched = may_capture(primal) or may_capture(rule.fn)
    uses_y = uses_first(rule.fn) and rule.kind != "transpose"
    aliases = may_alias(rule.fn) if kind == code.CLOSED else host_primal is None and may_alias(primal)
    make_call, consts = _code(form.structure, kind, uses_y, watched, aliases, bool(form.statics))
    run = functools.partial(rule.pull, form) if kind == code.GIVEN else rule.fn
    state = _State()
    call: Callable[..., Any] = make_call(host_primal or primal, run, form.statics, _Again(op, state), general, state, consts)
    return call

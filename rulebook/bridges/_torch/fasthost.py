"""The way of plain tensors through host code in plain eager mode: one autograd.Function of fixed arity per form.

As in `_torch.fast`, a call costs what a hand-written Function with NumPy inside costs.  Everything
that is not plain goes the general way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.bridges._torch import private, source as code
from rulebook.bridges._torch.fast import Structured, uses_first
from rulebook.bridges._torch.hostsource import source
from rulebook.bridges._torch.node import Call, pull_node
from rulebook.bridges._torch.ops import RuleOp
from rulebook.bridges._torch.values import from_array, is_native, to_array, to_native
from rulebook.errors import RulebookError
from rulebook.hosted import Hosted
from rulebook.memory import note_change
from rulebook.normal import NormalForm
from rulebook.trees import LEAF, Structure

__all__ = ["make", "primal_of"]


def _to_array(x: Tensor) -> Any:
    """The numbers of a tensor that does not give them away at once; on other devices, and without a dtype of NumPy, the general way."""
    if x.is_meta or not x.is_cpu or x.dtype is torch.bfloat16:
        raise Structured
    return to_array(x)


_NAMES = {
    "Function": Function,
    "KINDS": frozenset((Tensor, torch.nn.Parameter)),
    "LEAF": LEAF,
    "RulebookError": RulebookError,
    "Structured": Structured,
    "Tensor": Tensor,
    "forward_ad": torch.autograd.forward_ad,
    "from_array": from_array,
    "from_numpy": torch.from_numpy,
    "getrefcount": getrefcount,
    "is_grad_enabled": torch.is_grad_enabled,
    "early": private.early,
    "keep_graph": private.keep_graph,
    "modes": private.modes,
    "ndarray": np.ndarray,
    "peek": private.peek,
    "raw_apply": private.raw_apply,
    "saved_hooks": private.saved_hooks,
    "scripted": private.scripted,
    "to_array": _to_array,
}


@functools.lru_cache(maxsize=1024)
def _code(structure: Structure, kind: str, uses_y: bool, statics: bool) -> tuple[Callable[..., Any], list[Any]]:
    text, consts = source(structure, kind, uses_y, statics)
    names = dict(_NAMES)
    exec(text, names)
    return names["make"], consts  # type: ignore[return-value]


def _look(arrays: Sequence[Any]) -> list[Any]:
    look: list[Any] = []
    for a in arrays:
        look += (a.shape, a.dtype)
    return look


def _checked(host: Hosted, y: Any, arrays: Sequence[Any], what: str) -> Any:
    ys, structure = host.numpy.flatten_result(y, what)
    if structure is not LEAF:
        raise Structured
    return host.check(arrays, ys, structure)[0]


class _Again:
    """What the generated code leaves to others.

    Attributes:
        seen: shapes and dtypes of the last arguments and result.
    """

    def __init__(self, op: RuleOp, host: Hosted) -> None:
        self.op = op
        self.host = host
        self.form: NormalForm = host.numpy
        self.rule: Any = op.form.reverse
        self.seen: tuple[Any, ...] = ()

    def explain(self, error: Exception, what: str | None = None) -> Exception:
        """The error to raise for one of the author's code."""
        note_change(error, what or self.rule.kind, self.form.name)
        return self.form.explain(error, what or self.rule.kind)

    def pair(self, out: Any) -> Any:
        """What an rrule returned that is no plain pair."""
        return self.form.pair(out, self.rule, "(y, pullback)")

    def check(self, y: Any, arrays: Sequence[Any]) -> Any:
        """A result as an array, compared with what was declared."""
        made = _checked(self.host, y, arrays, "primal" if self.op.given_output else self.rule.kind)
        if is_native(made.dtype):
            self.seen = (*_look(arrays), made.shape, made.dtype)
            return made
        return to_native(made)

    def finish(self, arrays: Sequence[Any], found: Any, wanted: Sequence[bool], device: torch.device) -> tuple[Any, ...]:
        """Cotangents checked, projected, and computed where they were put off."""
        fitted = self.form.fit_cotangents(self.rule, arrays, found, wanted)
        del found
        return tuple([c if c is None else from_array(c, device, alone=False) for c in fitted])

    def __call__(self, ctx: Any, saved: Sequence[Any], y_bar: Any) -> tuple[Any, ...]:
        """A backward pass that may be differentiated again, or is batched or traced."""
        n = self.form.n
        call = Call(self.op, None, None)
        call.structure = LEAF
        if not self.op.given_output and ctx.kept[0] is not None:
            pull, *arrays = ctx.kept
            call.pull = self.host.pullback(saved[:n], arrays, self._pull(pull, arrays))
        # A rule that does not look at y is given y_bar in its place.
        found = pull_node(call, saved[:n], saved[n:] or (y_bar,), (y_bar,), ctx.needs_input_grad)
        if not self.op.given_output and not private.keep_graph():
            ctx.kept = (None, *(None,) * n)
        return tuple(found)

    def _pull(self, pull: Callable[[Any], Any], arrays: Sequence[Any]) -> Callable[..., list[Any]]:
        form, rule = self.form, self.rule
        return lambda bars, wanted=None: form.fit_cotangents(rule, arrays, form.run(rule, pull, bars[0]), wanted)


def primal_of(form: NormalForm) -> Callable[..., Any]:
    """A host primal as a function of plain tensors, for rules that are traceable."""
    host = form.host
    assert host is not None
    fn, seen = form.primitive.fn, None

    def primal(*xs: Any, **statics: Any) -> Any:
        nonlocal seen
        if host.results.one is not LEAF or private.modes() or private.early() or private.scripted():
            return form.evaluate(xs)
        try:
            arrays = [x.numpy() for x in xs]
        except (RuntimeError, TypeError, AttributeError):  # containers, and what has no numbers at once
            return form.evaluate(xs)
        for a in arrays:
            a.setflags(False)
        try:
            y = fn(*arrays, **statics)
        except Exception as error:
            note_change(error, "primal", form.name)
            raise
        if type(y) is not np.ndarray or (_look(arrays), y.shape, y.dtype) != seen:
            try:
                y = _checked(host, y, arrays, "primal")
            except Structured:
                return form.evaluate(xs)
            seen = _look(arrays), y.shape, y.dtype
        own = getrefcount(y) == 2 and y.flags.num & 0x404 == 0x404
        return from_array(y, xs[0].device, own)

    return primal


def make(op: RuleOp, general: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the leaves of a form whose primal and reverse rule are host code; `general` where there is no code for it."""
    form = op.form
    host, rule = form.host, form.reverse
    if host is None or rule is None or not form.n or form.opaque or not code.is_simple(form.structure):
        return general
    kind = code.CLOSED if rule.kind == "rrule" else code.PULLBACK if rule.kind == "pullback" else code.GIVEN
    uses_y = uses_first(rule.fn) and rule.kind != "transpose"
    make_call, consts = _code(form.structure, kind, uses_y, bool(form.statics))
    run = functools.partial(rule.pull, host.numpy) if kind == code.GIVEN else rule.fn
    call: Callable[..., Any] = make_call(form.primitive.fn, run, form.statics, _Again(op, host), general, consts)
    return call

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
from rulebook.bridges._torch.node import Call, pull_node
from rulebook.bridges._torch.ops import RuleOp
from rulebook.bridges._torch.values import from_array, is_native, to_array, to_native
from rulebook.errors import RulebookError
from rulebook.hosted import Hosted
from rulebook.memory import note_change
from rulebook.normal import NormalForm
from rulebook.trees import LEAF, Structure

__all__ = ["make", "primal_of"]

_SOURCE = """
def make(fn, rule, statics, again, general, consts):
    {unpack}
    results = again.host.results

    class Rule(Function):
        @staticmethod
        def forward(ctx, {xs}):
            try:
                {arrays}
            except (RuntimeError, TypeError):
                {other_arrays}
            {lock}
            try:
                {start}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error, {what!r}) from error.__cause__
            if type(y) is not ndarray or ({look}, y.shape, y.dtype) != again.seen:
                y = again.check(y, ({arrays_tuple}))
            {keep}
            return {y}

        @staticmethod
        def backward(ctx, y_bar):
            saved = ctx.saved_tensors  # raises where an input was changed in place, or the graph was freed
            {kept} = ctx.kept
            if is_grad_enabled() or type(y_bar) is not Tensor or forward_ad._current_level >= 0 or modes() or early(){freed}:
                return again(ctx, saved, y_bar)
            try:
                b = y_bar.numpy()
            except (RuntimeError, TypeError):  # batched, a lazy conjugate, on another device
                return again(ctx, saved, y_bar)
            b.setflags(False)
            {reload}
            try:
                found = {pull}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error) from error.__cause__
            {free}
            if {shaped}:
                {cs} = {leaves}
                if {fits}:
                    x0 = saved[0]
                    del found
                    return {tensors}
                del {cs_names}
            return again.finish(({arrays_tuple}), found, ctx.needs_input_grad, saved[0].device)

    apply = raw_apply(Rule)

    def call({xs}):
        if {plain} and results.one is LEAF and {quiet}:
            try:
                if is_grad_enabled() and ({active}):
                    return apply({xs})
                try:
                    {arrays}
                except (RuntimeError, TypeError):
                    {other_arrays}
                {lock}
                try:
                    y = fn({args}{statics})
                except RulebookError:
                    raise
                except Exception as error:
                    raise again.explain(error, "primal") from error.__cause__
                if type(y) is not ndarray or ({look}, y.shape, y.dtype) != again.seen:
                    y = again.check(y, ({arrays_tuple}))
                return {fresh}
            except Structured:
                pass
        return general({xs})

    call._torchdynamo_inline = general  # what torch.compile records in place of the fast way
    return call
"""

_QUIET = "peek() is None and forward_ad._current_level < 0 and saved_hooks() is None and not (modes() or early() or scripted())"
_START = {
    True: "y = fn({call})",
    False: """out = rule({call})
                y, pull = out if type(out) is tuple and len(out) == 2 else again.pair(out)
                del out""",
}
_KEEP = {
    True: """ctx.kept = {as_}
            y = {y}
            ctx.save_for_backward({xs}, y)
            return y""",
    False: """ctx.kept = {pull}{as_}
            ctx.save_for_backward({xs})""",
}
# The memory of an array (flags: owned, writeable) becomes that of the tensor where nothing else refers to it.
_TENSOR = "from_numpy({0}) if getrefcount({0}) == 2 and {0}.flags.num & 0x404 == 0x404 and x0.is_cpu else from_array({0}, x0.device, False)"


def _to_array(x: Tensor) -> Any:
    """The numbers of a tensor that does not give them away at once."""
    if x.is_meta:
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
    text, consts = _source(structure, kind, uses_y, statics)
    names = dict(_NAMES)
    exec(text, names)
    return names["make"], consts  # type: ignore[return-value]


def _source(structure: Structure, kind: str, uses_y: bool, statics: bool) -> tuple[str, list[Any]]:
    """The source of `make` for arguments of a structure, and the constants that it names."""
    built = code.Code("a{}")
    below = built.build(structure, "found")
    n = len(built.leaves)
    each = lambda form, joint=", ": joint.join(form.format(i=i) for i in range(n))
    options = ", **statics" if statics else ""
    given = kind != code.CLOSED
    args = below[1:-1].rstrip(", ")
    text = _SOURCE.format(
        unpack="".join(f"k{i}, " for i in range(len(built.consts))) + "= consts" if built.consts else "",
        xs=each("x{i}"),
        arrays=each("a{i} = x{i}.numpy()", "; "),
        other_arrays=each("a{i} = to_array(x{i})", "; "),
        lock=each("a{i}.setflags(False)", "; "),
        arrays_tuple=each("a{i}, ", ""),
        look=each("a{i}.shape, a{i}.dtype"),
        start=_START[given].format(call=args + options),
        what="primal" if given else "rrule",
        keep=_KEEP[given and uses_y].format(pull="" if given else "pull, ", as_=each("a{i}, ", ""), xs=each("x{i}"), y=_TENSOR.format("y")),
        y="y" if given and uses_y else _TENSOR.format("y"),
        fresh=_TENSOR.format("y"),
        kept=("" if given else "pull, ") + each("a{i}, ", ""),
        freed="" if given else " or pull is None",
        reload="y = to_array(saved[-1])" if given and uses_y else "pass",
        pull=f"rule({'y' if uses_y else 'None'}, {below}, b{options if kind == code.PULLBACK else ''})" if given else "pull(b)",
        free="pass" if given else f"if not keep_graph(): ctx.kept = (None, *(None,) * {n})",
        shaped=" and ".join(built.shaped),
        cs=each("c{i}, ", ""),
        cs_names=each("c{i}"),
        leaves="".join(f"{leaf}, " for leaf in built.leaves),
        fits=each("type(c{i}) is ndarray and c{i}.dtype == a{i}.dtype and c{i}.shape == a{i}.shape", " and "),
        tensors="".join(f"{_TENSOR.format(f'c{i}')}, " for i in range(n)),
        plain=each("type(x{i}) in KINDS", " and "),
        quiet=_QUIET,
        active=each("x{i}.requires_grad", " or "),
        args=args,
        statics=options,
    )
    return text, built.consts


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

"""The way of plain tensors in plain eager mode: one autograd.Function of fixed arity per form.

The code is generated once per arity and made into a form's own by a closure.  A call costs what a
hand-written Function costs: no packing of arguments, no torch.func dispatch, and where nothing is
differentiated the function itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.bridges import _torch_private as private
from rulebook.bridges._torch_node import Call, autocast_state, pull_node, refuse_captured, restored
from rulebook.bridges._torch_ops import RuleOp
from rulebook.bridges._torch_values import has_tangent
from rulebook.errors import RulebookError
from rulebook.trees import LEAF

__all__ = ["make"]

_KINDS = frozenset((Tensor, torch.nn.Parameter))

_SOURCE = """
def build(start, finish, evaluate, again, general, state):
    class Rule(Function):
        @staticmethod
        def forward(ctx, {xs}):
            set_grad_mode(True)  # a Function switches it off, and restores it; what is captured shows in requires_grad
            y, pull = start(({detached}))
            if y.requires_grad:
                refuse(state)
            ctx.set_materialize_grads(False)
            ctx.autocast = autocast_state() if any_autocast() else None
            {keep}

        @staticmethod
        def backward(ctx, y_bar):
            saved = ctx.saved_tensors  # raises where an input was changed in place, or the graph was freed
            if is_grad_enabled() or ctx.autocast is not None or type(y_bar) is not Tensor {changed}:
                return again(ctx, saved, y_bar)
            {pull}
            if type(found) is tuple and len(found) == {n}:
                {xs}, = saved{some}
                {c}, = found
                if {fits}:
                    {free}
                    return found
            found = finish(saved, found, ctx.needs_input_grad)
            {free}
            return found

    apply = raw_apply(Rule)

    def call({xs}):
        if not is_compiling() and {plain} and state.leaf and peek() is None and forward_ad._current_level < 0:
            if is_grad_enabled() and ({active}):
                try:
                    return apply({xs})
                except Structured:
                    return general({xs})
            y = evaluate(({xs},))
            return y if type(y) is Tensor else finish_primal(state, y)
        return general({xs})

    return call
"""

# A rule that is given y finds all it needs among the saved tensors.
_GIVEN = {
    "keep": "out = y.detach()  # y itself may be held by the primal\n            ctx.save_for_backward({xs}, out)\n            return out",
    "changed": "",
    "pull": "found = again.first(saved, y_bar)",
    "some": "[:{n}]",
    "free": "pass",
}
# A pullback that closes over its residuals is kept, unless saved-tensor hooks want to manage memory; a result that
# it may hold and that was changed in place since shows in the version.
_CLOSED = {
    "keep": "ctx.pull = pull if saved_hooks() is None else None\n            ctx.y = y\n            ctx.version = y._version\n"
    "            ctx.save_for_backward({xs})\n            return y.detach()",
    "changed": "or ctx.pull is None or ctx.y._version != ctx.version",
    "pull": "found = again.run(ctx.pull, y_bar)",
    "some": "",
    "free": "if not keep_graph(): ctx.pull = ctx.y = None",
}


class Structured(Exception):
    """The result is no single tensor: the general way takes it (internal)."""


@functools.cache
def _code(n: int, given_output: bool) -> Callable[..., Any]:
    names = [f"x{i}" for i in range(n)]
    xs = ", ".join(names)
    parts = {
        "n": str(n),
        "xs": xs,
        "c": ", ".join(f"c{i}" for i in range(n)),
        "detached": "".join(f"{x}.detach(), " for x in names),
        "plain": " and ".join(f"type({x}) in KINDS" for x in names),
        "active": " or ".join(f"{x}.requires_grad" for x in names),
        "fits": " and ".join(f"type(c{i}) is Tensor and c{i}.dtype is x{i}.dtype and c{i}.shape == x{i}.shape" for i in range(n)),
    }
    form = {k: v.format(**parts) for k, v in (_GIVEN if given_output else _CLOSED).items()}
    names_of = {
        "Function": Function,
        "KINDS": _KINDS,
        "Structured": Structured,
        "Tensor": Tensor,
        "any_autocast": private.any_autocast,
        "autocast_state": autocast_state,
        "finish_primal": _finish_primal,
        "forward_ad": torch.autograd.forward_ad,
        "is_compiling": torch.compiler.is_compiling,
        "is_grad_enabled": torch.is_grad_enabled,
        "keep_graph": private.keep_graph,
        "peek": private.peek,
        "raw_apply": private.raw_apply,
        "refuse": _refuse,
        "saved_hooks": private.saved_hooks,
        "set_grad_mode": private.set_grad_mode,
    }
    exec(_SOURCE.format(**parts, **{k: v for k, v in form.items()}), names_of)  # noqa: S102
    return names_of["build"]  # type: ignore[return-value]


class _State:
    """What the code of one form shares: whether its result is a single tensor."""

    def __init__(self, op: RuleOp) -> None:
        self.op = op
        self.leaf = True


def _refuse(state: _State) -> None:
    refuse_captured(state.op.form)


def _finish_primal(state: _State, y: Any) -> Any:
    ys, structure = state.op.form.flatten_result(y, "primal")
    return structure.unflatten(iter(ys))


class _Again:
    """The backward pass of one form: of first order, and every other way."""

    def __init__(self, op: RuleOp) -> None:
        self.op = op
        self.form = op.form
        self.rule = op.form.reverse

    def run(self, pull: Callable[[Any], Any], y_bar: Any) -> Any:
        """The cotangents as the rule returns them."""
        try:
            return pull(y_bar)
        except RulebookError:
            raise
        except Exception as error:
            raise self.form.explain(error, self.rule.kind) from error.__cause__

    def first(self, saved: Sequence[Any], y_bar: Any) -> Any:
        """The cotangents as a rule returns them that is given y."""
        args = self.form.args(saved[:-1])
        return self.run(lambda y_bar: self.rule.pull(self.form, saved[-1], args, y_bar), y_bar)

    def finish(self, saved: Sequence[Any], found: Any, wanted: Sequence[bool]) -> tuple[Any, ...]:
        """Cotangents checked, projected and computed where they were put off."""
        return tuple(self.form.fit_cotangents(self.rule, saved[: self.form.n], found, wanted))

    def __call__(self, ctx: Any, saved: Sequence[Any], y_bar: Any) -> tuple[Any, ...]:
        """Where the cotangents may be differentiated again, or autocast ran, or something was changed."""
        n = self.form.n
        call = Call(self.op, None, None)
        call.structure = LEAF
        call.autocast = ctx.autocast
        xs = saved[:n]
        if not self.op.given_output and ctx.pull is not None:
            inner = [x.detach() for x in xs]
            pull = ctx.pull
            call.pull = lambda bars, wanted=None: self.form.fit_cotangents(self.rule, inner, self.run(pull, bars[0]), wanted)
            call.ys, call.versions = (ctx.y,), (ctx.version,)
        with restored(ctx.autocast):
            found = pull_node(call, xs, saved[n:], (y_bar,), ctx.needs_input_grad)
        if not self.op.given_output and not private.keep_graph():
            ctx.pull = ctx.y = None
        return tuple(found)


def make(op: RuleOp, general: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the leaves of a form with a traceable reverse rule."""
    form, rule = op.form, op.form.reverse
    if not form.n:
        return general
    state = _State(op)

    def start(args: tuple[Any, ...]) -> tuple[Any, Any]:
        try:
            y, pull = rule.start(form, form.evaluate, args if form.flat else form.args(args))
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, rule.kind) from error.__cause__
        if type(y) is not Tensor:
            ys, structure = form.flatten_result(y, rule.kind)
            if structure is not LEAF:
                state.leaf = False
                raise Structured
            y = ys[0]
        if not has_tangent(y):
            state.leaf = False
            raise Structured
        return y, pull

    def evaluate(leaves: tuple[Any, ...]) -> Any:
        return form.evaluate(leaves if form.flat else form.args(leaves))

    again = _Again(op)
    return _code(form.n, op.given_output)(start, again.finish, evaluate, again, general, state)

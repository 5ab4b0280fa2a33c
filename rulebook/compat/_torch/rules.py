"""The rules of a torch.autograd.Function: its forward, backward and jvp, run as plain code on plain tensors.

Where the arguments are being differentiated from outside as well (a second derivative), forward runs on tensors cut from that, and
what it kept of its arguments and results is put back linked: arguments as they are, results by the rules of this very Function.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, _SingleLevelFunction

from rulebook.bridges._torch import private
from rulebook.compat._imported import released
from rulebook.compat._torch.context import Context
from rulebook.compat._torch.cuts import is_once, mentions, reads_float, unknown
from rulebook.engines import load_engine
from rulebook.errors import HigherOrderError, RuleOutputError, RuleSignatureError
from rulebook.tangents import NotImplementedTangent

__all__ = ["Rules"]

_engine = load_engine("torch")


class Rules:
    """A Function as a primal and two rules.

    Args:
        function: the subclass of torch.autograd.Function.
        name: how messages call it.

    Attributes:
        names: those of the parameters of forward.
        linked: the primitive that carries the rules: how a result is had that is linked to its arguments.
        has_backward, has_jvp: which of the two there are.
    """

    linked: Callable[..., Any]

    def __init__(self, function: type[Function], name: str) -> None:
        self.function = function
        self.name = name
        self.new_style = function.setup_context is not _SingleLevelFunction.setup_context
        own_vjp = function.vjp is not _SingleLevelFunction.vjp
        self._backward: Callable[..., Any] = function.vjp if own_vjp else function.backward
        self.has_backward = own_vjp or function.backward is not _SingleLevelFunction.backward
        self.has_jvp = function.jvp is not _SingleLevelFunction.jvp
        self.signature = _without_ctx(inspect.signature(function.forward), 0 if self.new_style else 1)
        self._needs = _Needs()
        self._cuts = mentions(function.forward) | (mentions(function.setup_context) if self.new_style else set())

    # -- arguments -----------------------------------------------------------------------------

    def names(self, n: int) -> list[str]:
        """The names of n arguments."""
        named = [p.name for p in self.signature.parameters.values() if p.kind is not p.VAR_POSITIONAL]
        return [*named[:n], *(f"args{i}" for i in range(len(named), n))]

    def _every(self, arrays: Sequence[Any], statics: dict[str, Any]) -> tuple[list[Any], list[int]]:
        """The arguments of forward, and where the arrays are among them."""
        rest = iter(arrays)
        names = self.names(len(arrays) + len(statics))
        every = [released(statics[name]) if name in statics else next(rest) for name in names]
        return every, [i for i, name in enumerate(names) if name not in statics]

    # -- the parts -----------------------------------------------------------------------------

    def primal(self, *arrays: Any, **statics: Any) -> Any:
        """What forward gives."""
        return self._forward(self._every(arrays, statics)[0])[1]

    def wanting(self, arrays: Sequence[Any], call: Callable[[], Any]) -> Any:
        """Call the Function with needs_input_grad as torch has it, where plain reverse mode tells; else all floating tensors need one."""
        if not torch.is_grad_enabled() or private.peek() is not None or private.forward_mode():
            return call()
        self._needs.flags = [x.requires_grad for x in arrays]
        try:
            return call()
        finally:
            self._needs.flags = None

    def _forward(self, every: Sequence[Any]) -> tuple[Context, Any]:
        flags, self._needs.flags = self._needs.flags, None
        tensors = [isinstance(x, Tensor) and _engine.has_tangent(x) for x in every]
        if flags is not None and any(flags) and len(flags) == sum(isinstance(x, Tensor) for x in every):
            rest = iter(flags)
            tensors = [isinstance(x, Tensor) and next(rest) for x in every]
        ctx = Context(self.name, tuple(tensors))
        if not self.new_style:
            return ctx, self.function.forward(ctx, *every)
        y = self.function.forward(*every)
        self.function.setup_context(ctx, tuple(every), y)
        return ctx, y

    def _run(self, arrays: Sequence[Any], statics: dict[str, Any]) -> _Run:
        """Forward, once, with what it keeps linked to the arrays where they are being differentiated."""
        every, at = self._every(arrays, statics)
        active = any(map(_is_active, arrays))
        plain = [_cut(x) for x in every] if active else every
        ctx, y = self._forward(plain)
        found = _Run(ctx, y, at, len(every), active)
        found.fixed = {id(t) for t in ctx.non_differentiable}
        if active:
            # a result that is marked has no derivative to be linked by: kept, it is an intermediate value
            known = {id(x) for x in [*plain, *_results(y)] if isinstance(x, Tensor)} - found.fixed
            constants = [released(v) for v in statics.values()]
            found.lost = ctx.intermediate(known, constants, floats=bool(self._cuts or reads_float(self.function)))
            found.y = self.linked(*arrays, **statics)
            outs, links = _results(y), _results(found.y)
            found.fixed = {id(b) for a, b in zip(outs, links, strict=True) if id(a) in found.fixed}
            places = {id(a): b for a, b in [*zip(outs, links, strict=True), *zip(plain, every, strict=True)] if isinstance(a, Tensor)}
            ctx.relink(places)
        return found

    # -- the rules -----------------------------------------------------------------------------

    def rrule(self, *arrays: Any, **statics: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """y, and backward as a pullback."""
        run = self._run(arrays, statics)

        def pullback(y_bar: Any) -> tuple[Any, ...]:
            outs = _results(run.y)
            bars = [None if id(y) in run.fixed else b for y, b in zip(outs, _parts(y_bar, len(outs)), strict=True)]
            self._require(run, "backward", bars, self._backward)
            given = [b for b in bars if b is not None]
            if run.ctx.materialize_grads:
                bars = [_zeros(y) if b is None else b for y, b in zip(outs, bars, strict=True)]
            found = self._cotangents(run, self._backward(run.ctx, *bars))
            again = lambda: self._cotangents(run, self._backward(run.ctx, *map(_probe, bars)))
            self._check_linked(run, "backward", given, found, again)
            return tuple(_cotangent(x, found[i]) for x, i in zip(arrays, run.at, strict=True))

        return run.y, pullback

    def frule(self, arrays: tuple[Any, ...], tangents: tuple[Any, ...], **statics: Any) -> tuple[Any, Any]:
        """y, and jvp as its tangent."""
        run = self._run(arrays, statics)
        dots: list[Any] = [None] * run.n
        given = [t for t in tangents if isinstance(t, Tensor)]
        for i, x, t in zip(run.at, arrays, tangents, strict=True):
            dots[i] = _zeros(x) if t is None and run.ctx.materialize_grads else t
        self._require(run, "jvp", dots, self.function.jvp)
        run.ctx.forward_mode = True
        found = self.function.jvp(run.ctx, *dots)
        outs = _results(run.y)
        y_dots = _parts(found, len(outs))
        if len(y_dots) != len(outs):
            raise self._wrong_number("jvp", f"{len(outs)} tangents, one per result", len(y_dots))
        y_dots = [None if id(y) in run.fixed else t for y, t in zip(outs, y_dots, strict=True)]
        again = lambda: _parts(self.function.jvp(run.ctx, *map(_probe, dots)), len(outs))
        self._check_linked(run, "jvp", given, y_dots, again)
        return run.y, y_dots[0] if isinstance(run.y, Tensor) else type(run.y)(y_dots)

    def batch_rule(self, size: int, in_batched: tuple[Any, ...], *arrays: Any, **statics: Any) -> tuple[Any, Any]:
        """The staticmethod vmap, the batch axis first."""
        every, at = self._every(arrays, statics)
        dims: list[int | None] = [None] * len(every)
        for i, batched in zip(at, in_batched, strict=True):
            dims[i] = 0 if batched is True else None
        info = torch._functorch.autograd_function.VmapInfo(batch_size=size, randomness="error")
        y, out_dims = self.function.vmap(info, tuple(dims), *every)
        if isinstance(y, Tensor):
            return (y, False) if out_dims is None else (y.movedim(out_dims, 0), True)
        moved = [v if d is None else v.movedim(d, 0) for v, d in zip(y, out_dims, strict=True)]
        return type(y)(moved), type(y)(d is not None for d in out_dims)

    # -- checks --------------------------------------------------------------------------------

    def _cotangents(self, run: _Run, found: Any) -> list[Any]:
        """What backward returned, one for each argument of forward; more are allowed where they are None."""
        bars = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(bars) < run.n or any(b is not None for b in bars[run.n :]):
            raise self._wrong_number("backward", f"{run.n} gradients, one per argument of forward", len(bars))
        return bars[: run.n]

    def _wrong_number(self, what: str, expected: str, got: int) -> RuleOutputError:
        return RuleOutputError(f"{what} of {self.name}.", expected, f"{got}", f"let {what} return one for each, None where it is zero")

    def _require(self, run: _Run, what: str, moves: Sequence[Any], fn: Callable[..., Any]) -> None:
        """Refuse a derivative of backward or jvp that torch would lose."""
        if not (run.active or any(map(_is_active, moves))):
            return
        if is_once(fn):
            raise self._lost(what, f"{what} marked once_differentiable")
        cuts = mentions(fn)
        if cuts:
            raise self._lost(what, f"{what} with {', '.join(sorted(cuts))}, behind which torch sees constants")
        if run.lost is not None:
            raise self._lost(what, f"an intermediate value kept as {run.lost}, whose derivative is out of reach")

    def _check_linked(self, run: _Run, what: str, moves: Sequence[Any], found: Sequence[Any], again: Callable[[], Sequence[Any]]) -> None:
        """The same, told by the results: they are linear in what moves, so one that is not linked to it must always be zero.

        Where arguments are differentiated and what moves is not, a result may well not depend on them; that is believed of code all of
        which can be read.
        """
        linear = bool(moves) and all(map(_is_active, moves))
        if not linear and not (run.active and unknown(self._backward if what == "backward" else self.function.jvp)):
            return
        lost = [i for i, t in enumerate(found) if isinstance(t, Tensor) and _engine.has_tangent(t) and not _is_active(t)]
        if lost:
            probes = again()
            if not all(_is_zero(probes[i]) for i in lost):
                raise self._lost(what, f"a result of {what} that torch computed without recording")

    def _lost(self, what: str, got: str) -> HigherOrderError:
        return HigherOrderError(
            f"{what} of {self.name} (engine torch).",
            f"a derivative of the first order; one of {what} where it is made of torch operations on arguments and results alone",
            got,
            "write jvp for forward mode; for second derivatives compute intermediate values anew, or return them from forward, unmarked",
        )


class _Needs(threading.local):
    """What the call that runs in this thread told about its tensors: which of them require a gradient."""

    flags: list[bool] | None = None


class _Run:
    """One run of forward.

    Attributes:
        ctx: what it kept.
        y: its results, linked to the arguments where these are being differentiated.
        at: which of the n arguments are arrays.
        active: whether they are being differentiated.
        fixed: the ids of the results that were marked as not differentiable.
        lost: what ctx keeps beside arguments and results, or None.
    """

    def __init__(self, ctx: Context, y: Any, at: list[int], n: int, active: bool) -> None:
        self.ctx, self.y, self.at, self.n, self.active = ctx, y, at, n, active
        self.fixed: set[int] = set()
        self.lost: str | None = None


def _without_ctx(signature: inspect.Signature, skip: int) -> inspect.Signature:
    parameters = list(signature.parameters.values())
    if skip and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        parameters = parameters[1:]
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    named = [p.name for p in parameters if p.kind in kinds]
    if named:
        raise RuleSignatureError(
            "rulebook.compat.torch.function, forward.", "parameters by position", f"{named[0]!r} by keyword", "drop the *"
        )
    return inspect.Signature(parameters)


def _is_active(x: Any) -> bool:
    return isinstance(x, Tensor) and _engine.is_linked(x)


def _cut(x: Any) -> Any:
    return _engine.stop_gradient(x) if isinstance(x, Tensor) else x


def _zeros(x: Any) -> Any:
    return _engine.zeros_like(x) if isinstance(x, Tensor) and _engine.has_tangent(x) else None


def _results(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def _parts(value: Any, n: int) -> list[Any]:
    """The cotangents or tangents of n results; None for all is zero."""
    if value is None:
        return [None] * n
    return list(value) if isinstance(value, (tuple, list)) else [value]


def _cotangent(x: Any, x_bar: Any) -> Any:
    """A cotangent as a rule returns it."""
    if isinstance(x, Tensor):
        return x_bar
    return NotImplementedTangent("torch.autograd.Function does not differentiate tensors inside of a container; pass each by itself")


def _probe(t: Any) -> Any:
    """Numbers in the place of a cotangent or tangent, none of them zero."""
    if not isinstance(t, Tensor):
        return t
    return torch.linspace(0.5, 1.5, max(t.numel(), 1), device=t.device)[: t.numel()].reshape(t.shape).to(t.dtype)


def _is_zero(t: Any) -> bool:
    try:
        return t is None or not bool((t != 0).any())
    except RuntimeError:  # no numbers: under vmap, or while a program is traced
        return False

"""Host code as a JAX primitive: called at once on concrete values, as a callback in a compiled program.

`jax.pure_callback` would hand it JAX arrays, and run JAX code, in a thread that may have to wait for
itself; it also costs ten times as much.  Here the callback gets NumPy arrays and runs none of JAX.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from rulebook.bridges._jax import internals
from rulebook.errors import RuleMissingError, RuleSignatureError
from rulebook.host import HostCall
from rulebook.tangents import ShapeDtype

__all__ = ["host_call"]

Arrays = Sequence[Any]


def host_call(call: HostCall, operands: Arrays) -> list[Any]:
    """The results of host code on JAX values."""
    if not any(isinstance(x, jax.core.Tracer) for x in operands):
        return run_now(call, operands)
    internals.held_weakly(type(call))
    return list(host_p.bind(*internals.vary_alike([jnp.asarray(x) for x in operands]), call=call))


def run_now(call: HostCall, operands: Arrays) -> list[Any]:
    """The results on concrete values."""
    found = call.direct(operands)
    if found is not None:
        return found
    return [to_jax(y) for y in call.run([np.asarray(x) for x in operands])]


def to_jax(array: Any) -> Any:
    """What host code returned as a JAX array with memory of its own."""
    return internals.hand_over(np.array(array))


def _avals(operands: Arrays) -> list[ShapeDtype]:
    return [ShapeDtype(a.shape, a.dtype) for a in operands]


def _dtype(spec: ShapeDtype) -> Any:
    """The dtype as JAX has it: without x64, of 32 bits."""
    return jax.dtypes.canonicalize_dtype(spec.dtype)


host_p: Any = internals.Primitive("rulebook_host")
host_p.multiple_results = True
host_p.def_impl(lambda *operands, call: run_now(call, operands))


@host_p.def_abstract_eval
def _(*avals: Any, call: HostCall) -> list[Any]:
    return [internals.shaped(s.shape, _dtype(s), avals) for s in call.specs(_avals(avals))]


def _jvp(primals: Arrays, tangents: Arrays, *, call: HostCall) -> tuple[list[Any], list[Any]]:
    """By the form of the call that has rules."""
    moving = [i for i, t in enumerate(tangents) if not isinstance(t, internals.Zero)]

    def linked(*some: Any) -> list[Any]:
        every = list(primals)
        for i, x in zip(moving, some, strict=True):
            every[i] = x
        return call.linked(every)

    ys, dots = jax.jvp(linked, [primals[i] for i in moving], [tangents[i] for i in moving])
    return ys, [internals.zero_of(y) if t.dtype == jax.dtypes.float0 else t for y, t in zip(ys, dots, strict=True)]


internals.primitive_jvps[host_p] = _jvp


def _no_transpose(bars: Arrays, *operands: Any, call: HostCall) -> Any:
    raise call.no_derivative()


internals.primitive_transposes[host_p] = _no_transpose


def _batch(axis: Any, operands: Arrays, axes: Sequence[int | None], *, call: HostCall) -> tuple[list[Any], list[int | None]]:
    if all(d is None for d in axes):  # JAX asks even when no operand is batched
        out = host_call(call, operands)
        return out, [None] * len(out)
    batched = call.batched(axes, axis.size)
    out = host_call(batched, operands)
    return out, [0 if batched.maps(k) else None for k in range(len(out))]


internals.batchers[host_p] = _batch


def _drop_unused(used: Sequence[bool], *rest: Any) -> tuple[list[bool], Any]:
    """A rule of which only y is used is the primal: a gradient that nobody wants leaves no pullback behind."""
    eqn = rest[-1]
    if not any(used):
        return [False] * len(eqn.invars), None
    pruned = eqn.params["call"].pruned(max(k for k, u in enumerate(used) if u) + 1)
    if pruned is None:
        return [True] * len(eqn.invars), eqn
    call, n = pruned
    n_out = len(call.specs(_avals([v.aval for v in eqn.invars[:n]])))
    new = eqn.replace(params={"call": call}, invars=eqn.invars[:n], outvars=eqn.outvars[:n_out])
    return [True] * n + [False] * (len(eqn.invars) - n), new


internals.dce_rules[host_p] = _drop_unused


# -- compiled programs --------------------------------------------------------------------------------


class _Raised:
    """Exceptions of callbacks on their way to the caller, for whom JAX would leave only their text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, BaseException] = OrderedDict()
        self._count = 0

    def keep(self, error: BaseException) -> str:
        """A text by which the exception is found again."""
        with self._lock:
            self._count += 1
            mark = f"<rulebook {self._count}>"
            self._kept[mark] = error
            while len(self._kept) > 64:  # as many programs may fail before one of them is waited for
                self._kept.popitem(last=False)
        return mark

    def find(self, text: str) -> BaseException | None:
        """The exception whose mark is in a text."""
        if "<rulebook " not in text:
            return None
        with self._lock:
            return next((error for mark, error in self._kept.items() if mark in text), None)


_raised = _Raised()


class CallbackError(RuntimeError):
    """Host code raised; its own exception is what the caller gets."""


def _callback(call: HostCall, avals: Arrays) -> Callable[..., tuple[Any, ...]]:
    """A call as JAX calls back: results of just the shapes and dtypes that the program was compiled for."""
    dtypes = [a.dtype for a in avals]
    shapes = [tuple(a.shape) for a in avals]

    def _refuse_jax(name: str) -> None:
        raise RuleSignatureError(
            f"{call.what} of {call.name} (engine jax), host code in a compiled program.",
            "NumPy, SciPy or C code",
            f"an operation of JAX, {name}: it may wait for the very program that waits for it",
            "write it with NumPy, or without host=True",
        )

    guarded = internals.no_jax(_refuse_jax)

    def run(*arrays: Any) -> tuple[Any, ...]:
        try:
            with guarded():
                ys = call.run([np.asarray(a) for a in arrays])
            for k, (y, shape) in enumerate(zip(ys, shapes, strict=True)):
                if y.shape != shape:
                    raise call.wrong_result(k, ShapeDtype(shape, y.dtype), y, "as it was when the program was compiled")
        except BaseException as error:  # also Ctrl-C
            mark = _raised.keep(error)
            internals.raise_in_caller(error, mark)
            notes = " ".join(getattr(error, "__notes__", ()))
            raise CallbackError(f"{type(error).__name__}: {error} {notes} {mark}") from None  # the text, where JAX leaves no more
        return tuple([y if y.dtype == d else y.astype(d) for y, d in zip(ys, dtypes, strict=True)])

    return run


def _lower(context: Any, *operands: Any, call: HostCall) -> Any:
    if internals.is_export(context):
        raise RuleMissingError(
            f"{call.what} of {call.name} (engine jax), jax.export.",
            "code that an exported program can carry",
            "host code, which stays in this process",
            "export the parts around it, or write it with rb.xp and without host=True",
        )
    internals.raise_originals(_raised.find)
    return internals.emit_callback(context, _callback(call, context.avals_out), operands)


internals.register_lowering(host_p, _lower)

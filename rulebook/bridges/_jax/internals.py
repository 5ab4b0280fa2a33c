"""Every JAX name that is not documented as stable, in one place, tested when it is imported.

JAX exports these from `jax.interpreters` and `jax.extend` without a promise to keep them.  A name
that a release drops is listed in `MISSING`; the bridge then falls back on documented functions.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.custom_derivatives import SymbolicZero

MISSING: list[str] = []


def _name(module: str, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # some moved from jax.core to jax.extend.core in 0.9
            return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        MISSING.append(f"{module}.{name}")
        return None


Primitive = _name("jax.extend.core", "Primitive")
primitive_jvps = _name("jax.interpreters.ad", "primitive_jvps")
primitive_transposes = _name("jax.interpreters.ad", "primitive_transposes")
Zero = _name("jax.interpreters.ad", "Zero")
instantiate_zeros = _name("jax.interpreters.ad", "instantiate_zeros")
batchers = _name("jax.interpreters.batching", "fancy_primitive_batchers")
partial_eval_rules = _name("jax.interpreters.partial_eval", "custom_partial_eval_rules")
partial_eval_jaxpr_rules = _name("jax.interpreters.partial_eval", "partial_eval_jaxpr_custom_rules")
dce_rules = _name("jax.interpreters.partial_eval", "dce_rules")
StagingTracer = _name("jax.interpreters.partial_eval", "DynamicJaxprTracer")
register_lowering = _name("jax.interpreters.mlir", "register_lowering")
lower_fun = _name("jax.interpreters.mlir", "lower_fun")
emit_python_callback = _name("jax.interpreters.mlir", "emit_python_callback")

_core = "jax.extend.core" if hasattr(importlib.import_module("jax.extend.core"), "mapped_aval") else "jax.core"
mapped_aval = _name(_core, "mapped_aval")
unmapped_aval = _name(_core, "unmapped_aval")

typeof: Callable[[Any], Any] = getattr(jax, "typeof", None) or jax.core.get_aval  # jax.typeof came with 0.5.3


def _private(module: str, name: str) -> Any:
    """A name that JAX keeps to itself; None where a release has it no more, and the bridge does without."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return None


_weak_keys: set[type] = _private("jax._src.util", "weakref_cache_key_types") or set()  # since 0.7


def held_weakly(*kinds: type) -> None:
    """Let JAX's cache of abstract values hold parameters of these types weakly: else every closure of an un-jitted call stays there."""
    _weak_keys.update(kinds)


def tangent_aval(aval: Any) -> Any:
    """The abstract value of the tangents of an abstract value."""
    return aval.to_tangent_aval() if hasattr(aval, "to_tangent_aval") else aval.at_least_vspace()


def symbolic_zero(x: Any) -> Any:
    """A zero tangent of x that costs nothing; float0 where x is an integer."""
    return SymbolicZero(tangent_aval(typeof(x)))


def zero_of(x: Any) -> Any:
    """The zero tangent of x inside JAX's own rules."""
    return Zero(tangent_aval(typeof(x)))


def varying(x: Any) -> frozenset[Any]:
    """The manual mesh axes, of shard_map, over which a value varies."""
    return varying_aval(typeof(x))


def varying_aval(aval: Any) -> frozenset[Any]:
    """The same of an abstract value."""
    manual = getattr(aval, "mat", None)  # jax 0.10; `vma` before
    axes = getattr(manual, "varying", None) if manual is not None else getattr(aval, "vma", None)
    return frozenset(axes or ())


def vary_like(x: Any, like: Any) -> Any:
    """A cotangent that varies over the mesh axes that its primal varies over: summed over the others.

    What a replicated argument contributes on each device adds up; JAX checks the axes of a
    transposed value against those of its primal.
    """
    have, want = varying(x), varying(like)
    extra = tuple(have - want)
    if extra:
        x = jax.lax.psum(x, extra)
    lacking = tuple(want - have)
    if lacking:
        x = jax.lax.pcast(x, lacking, to="varying") if hasattr(jax.lax, "pcast") else jax.lax.pvary(x, lacking)
    return x


def vary_alike(values: list[Any]) -> list[Any]:
    """Values that all vary over the manual mesh axes that any of them varies over."""
    every = frozenset().union(*map(varying, values))
    return [_vary(x, tuple(every - varying(x))) for x in values] if every else values


def _vary(x: Any, axes: tuple[Any, ...]) -> Any:
    if not axes:
        return x
    return jax.lax.pcast(x, axes, to="varying") if hasattr(jax.lax, "pcast") else jax.lax.pvary(x, axes)


def shaped(shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
    """The abstract value of a result that varies over the mesh axes that its operands vary over."""
    if not like or not varying_aval(like[0]):
        return jax.core.ShapedArray(shape, dtype)
    where = like[0].sharding
    free = type(where)(where.mesh, jax.sharding.PartitionSpec(*[None] * len(shape)))
    return like[0].update(shape=shape, dtype=dtype, weak_type=False, sharding=free)


# -- host code in compiled programs --------------------------------------------------------------------


_op_sharding = _private("jax._src.callback", "_callback_op_sharding")
_set_trace = _private("jax._src.core", "set_current_trace")
_Trace = _private("jax._src.core", "Trace")
_NO_TOKEN = (
    {"returns_token": False} if "returns_token" in inspect.signature(emit_python_callback or _private).parameters else {}
)  # before 0.8


def is_export(context: Any) -> bool:
    """Whether a program is lowered for jax.export."""
    parameters = getattr(context.module_context, "lowering_parameters", None)
    return bool(getattr(parameters, "for_export", False)) or len(context.module_context.platforms) > 1


def emit_callback(context: Any, callback: Callable[..., tuple[Any, ...]], operands: Any) -> Any:
    """A callback in the program that is being lowered; on several devices it runs on one, inside shard_map on each."""
    where = context.module_context.axis_context
    if _op_sharding is None:
        single = getattr(where, "num_devices", 1) == 1
        if not single:
            avals = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in context.avals_out]
            fn = lambda *args: jax.pure_callback(lambda *a: list(callback(*map(np.asarray, a))), avals, *args)
            return lower_fun(fn, multiple_results=True)(context, *operands)
    sharding = None if _op_sharding is None else _op_sharding(where, None, context.avals_out)
    out, _, _ = emit_python_callback(
        context,
        callback,
        None,
        list(operands),
        context.avals_in,
        context.avals_out,
        has_side_effect=False,
        sharding=sharding,
        **_NO_TOKEN,
    )
    return out


_put = _private("jax._src.interpreters.pxla", "batched_device_put")


@functools.lru_cache(maxsize=8)
def _place(device: Any) -> Any:
    return jax.sharding.SingleDeviceSharding(device)


@functools.lru_cache(maxsize=256)
def _aval(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.core.ShapedArray(shape, dtype)


def hand_over(array: Any) -> Any:
    """A NumPy array that nobody else refers to as a JAX array, without a copy where its memory is aligned.

    `jax.device_put` takes ten times as long, `jax.numpy.array` five times.
    """
    global _put
    device = jax.config.jax_default_device
    plain = _put is not None and (device is None or hasattr(device, "platform"))
    if plain and array.dtype.kind in "fciub" and jax.dtypes.canonicalize_dtype(array.dtype) == array.dtype:
        device = jax.local_devices()[0] if device is None else device
        try:
            return _put(_aval(array.shape, array.dtype), _place(device), [array], [device], False)
        except TypeError:  # a release with other parameters
            _put = None
    return jnp.array(array)


def _make_guard() -> Any:
    """A trace that refuses every operation of JAX; None where it cannot be made."""
    if _set_trace is None or _Trace is None:
        return None

    def refuse(self: Any, first: Any = None, *rest: Any, **params: Any) -> Any:
        self.refuse(getattr(first, "name", "a conversion to a JAX array"))

    methods = {name for name in dir(_Trace) if not name.startswith("__") and callable(getattr(_Trace, name))}
    kept = {"is_valid": lambda self: True, "invalidate": lambda self: None}
    return type("Guard", (_Trace,), {**dict.fromkeys(methods, refuse), **kept})


_Guard = _make_guard()


def no_jax(refuse: Callable[[str], None]) -> Callable[[], Any]:
    """What makes a context manager in which JAX code calls `refuse`."""
    if _Guard is None:
        return contextlib.nullcontext
    guard = _Guard()
    guard.refuse = refuse
    return lambda: _set_trace(guard)


def raise_in_caller(original: BaseException, mark: str) -> None:
    """Let an exception of a callback that runs inside the call of a compiled program come out of that call as itself.

    The call raises a ValueError made in C++.  A trace function of the frame that made it, set here and gone at its first
    event, may raise another one in its place.  Called by the callback; where the callback has a thread of its own there is no such frame.
    """
    called = sys._getframe(2).f_back  # what JAX wraps around a callback
    if called is None:
        time.sleep(0.02)  # until the call has returned: what fails later comes as a JaxRuntimeError
        return
    if sys.gettrace() is not None:  # a debugger goes on with what it does
        return

    def local(frame: Any, event: str, argument: Any) -> Any:
        sys.settrace(None)
        frame.f_trace = None
        if event == "exception" and mark in str(argument[1]):
            raise original.with_traceback(None)
        return None

    called.f_trace = local
    sys.settrace(lambda *_: None)


def raise_originals(find: Callable[[str], BaseException | None]) -> None:
    """Let the exception of a callback reach the caller as itself.

    JAX turns it into text in C++, and makes a JaxRuntimeError of that.  Making one gives the original where the text is marked.
    """
    kind = jax.errors.JaxRuntimeError
    if getattr(kind, "_rulebook", False):
        return

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls is kind and args:
            if isinstance(args[0], BaseException) and not isinstance(args[0], kind):
                return args[0]  # Python asks a second time, as what it got is no JaxRuntimeError
            original = find(args[0]) if isinstance(args[0], str) else None
            if original is not None:
                return original
        return RuntimeError.__new__(cls, *args, **kwargs)

    with contextlib.suppress(TypeError, AttributeError):  # a release whose class cannot be changed: the text has it all
        kind.__new__ = new
        kind._rulebook = True


def _self_test() -> None:
    """Differentiate, stage and batch a primitive made of these names; what fails is missing."""
    if MISSING:
        return
    try:
        p = Primitive("rulebook_self_test")
        p.def_impl(lambda x: x)
        p.def_abstract_eval(lambda x: x)
        register_lowering(p, lower_fun(lambda x: x, multiple_results=False))
        primitive_jvps[p] = lambda primals, tangents: (p.bind(primals[0]), p.bind(tangents[0]))
        primitive_transposes[p] = lambda ct, x: [ct]
        batchers[p] = lambda axis, args, dims: (p.bind(args[0]), dims[0])
        closed = jax.make_jaxpr(jax.vmap(jax.grad(lambda x: p.bind(x) * 2.0)))(jax.ShapeDtypeStruct((2,), jnp.float32))
        if closed.out_avals[0].shape != (2,):
            raise TypeError(f"shape {closed.out_avals[0].shape}")
    except Exception as error:
        MISSING.append(f"a custom primitive that differentiates ({type(error).__name__}: {error})")


_self_test()

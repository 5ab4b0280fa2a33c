"""Every JAX name that is not documented as stable, in one place, tested when it is imported.

JAX exports these from `jax.interpreters` and `jax.extend` without a promise to keep them.  A name
that a release drops is listed in `MISSING`; the bridge then falls back on documented functions.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

import jax
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

_core = "jax.extend.core" if hasattr(importlib.import_module("jax.extend.core"), "mapped_aval") else "jax.core"
mapped_aval = _name(_core, "mapped_aval")
unmapped_aval = _name(_core, "unmapped_aval")

typeof: Callable[[Any], Any] = getattr(jax, "typeof", None) or jax.core.get_aval  # jax.typeof came with 0.5.3


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
    aval = typeof(x)
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

"""The bridge to JAX.

One function runs the forward rule in forward mode and the reverse rule in reverse mode: a
`jax.custom_jvp` whose rule binds a primitive that JAX splits when reverse mode begins
(see `_jax.primitives`).  With a forward rule alone, JAX transposes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.custom_derivatives import SymbolicZero

from rulebook import trees
from rulebook.bridges._jax import internals
from rulebook.bridges._jax.buffers import CELLS
from rulebook.bridges._jax.calls import Out, primal_of, result, runs_at_once
from rulebook.bridges._jax.flat import Flat
from rulebook.bridges._jax.inner import JaxInner, adopt
from rulebook.bridges._jax.programs import VjpPrograms
from rulebook.engine import Engine, TracedValueError
from rulebook.host import HostCall
from rulebook.normal import NormalForm

if internals.MISSING:  # pragma: no cover  (a release of JAX that dropped a name)
    from rulebook.bridges._jax.fallback import bind_public

    warnings.warn(
        f"rulebook: JAX {jax.__version__} lacks {', '.join(internals.MISSING)}. "
        "Primitives with a reverse rule are bound with jax.custom_vjp: forward mode through them raises.",
        stacklevel=2,
    )
else:
    from rulebook.bridges._jax.host import host_call, to_jax
    from rulebook.bridges._jax.primitives import aligned, jvp_p
    from rulebook.bridges._jax.rules import FormMap, Results

__all__ = ["engine"]


class JaxEngine(Engine):
    """JAX: arrays and tracers."""

    name = "jax"
    shows_links = False  # a tracer does not tell; JAX raises where one comes past the arguments of a rule
    compiles = True
    linearizes = True

    def owns(self, kind: type) -> bool:
        """Arrays and tracers."""
        return issubclass(kind, (jax.Array, jax.core.Tracer))

    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """The primal as a JAX function with the rules."""
        return bind_public(form) if internals.MISSING else _bind(form)

    def asarray(self, value: Any, like: Any = None) -> Any:
        """A jax.Array; tracers pass."""
        return value if isinstance(value, jax.Array) else jnp.asarray(value)  # jnp.asarray costs 5 us on what is an array already

    def zeros_like(self, value: Any) -> Any:
        """Zeros of the shape and dtype."""
        return jnp.zeros_like(value)

    def has_tangent(self, value: Any) -> bool:
        """Real or complex floating, bfloat16 included."""
        return value.dtype.kind in "fc" or jnp.issubdtype(value.dtype, jnp.inexact)

    def cast(self, value: Any, like: Any) -> Any:
        """The dtype of like; the real part where like is real."""
        if self.is_complex(value) and not self.is_complex(like):
            value = jnp.real(value)
        return value.astype(like.dtype)

    def is_complex(self, value: Any) -> bool:
        """Whether the dtype is complex."""
        return value.dtype.kind == "c"

    def conj(self, value: Any) -> Any:
        """The complex conjugate."""
        return jnp.conj(value)

    def broadcast(self, value: Any, like: Any) -> Any:
        """Repeated to the shape of like."""
        return jnp.broadcast_to(value, like.shape)

    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, kept with length one."""
        return value.sum(axis=axes, keepdims=True)

    def outside(self) -> AbstractContextManager[Any]:
        """Arrays that are made have numbers, and belong to no trace."""
        found: AbstractContextManager[Any] = jax.ensure_compile_time_eval()
        return found

    def runs_at_once(self) -> bool:
        """Whether a rule is being compiled for a call outside jit."""
        return runs_at_once()

    def settle(self, x_bar: Any, x: Any) -> Any:
        """Inside shard_map, over the mesh axes of the primal."""
        return internals.vary_like(x_bar, x)

    def to_numpy(self, value: Any) -> Any:
        """A read-only view of a concrete array."""
        if isinstance(value, jax.core.Tracer):
            raise TracedValueError(f"a traced value {value.aval}")
        return np.asarray(value)

    def from_numpy(self, array: Any, like: Any) -> Any:
        """An array with memory of its own."""
        return to_jax(array)

    def is_concrete(self, values: Sequence[Any]) -> bool:
        """No tracer among them."""
        return not any(isinstance(x, jax.core.Tracer) for x in values)

    def adopt(self, value: Any, fresh: bool) -> Any:
        """Without a copy where the memory is fresh, and large enough for that to be cheaper."""
        return adopt(value, fresh)

    def narrowed(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Without x64, of 32 bits."""
        return dtype if jax.config.jax_enable_x64 else np.dtype(jax.dtypes.canonicalize_dtype(dtype))

    def host_call(self, call: HostCall, operands: Sequence[Any], like: Any = None) -> list[Any]:
        """At once on concrete values; as a callback in a program that is traced."""
        return host_call(call, operands)

    def stop_gradient(self, value: Any) -> Any:
        """jax.lax.stop_gradient."""
        return jax.lax.stop_gradient(value)

    def is_active(self, value: Any) -> bool:
        """Every tracer may be differentiated."""
        return isinstance(value, jax.core.Tracer)

    def is_traced_error(self, error: Exception) -> bool:
        """NumPy asked a tracer for its numbers."""
        return isinstance(error, jax.errors.TracerArrayConversionError)

    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """jax.jvp; integer leaves have no tangent."""
        flat = Flat(fn, primals, self.has_tangent)
        ys, y_dots = jax.jvp(flat, flat.values, flat.dots(tangents))
        return flat.result(ys), flat.result(y_dots)

    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """jax.vjp, conjugated at the border: JAX pairs without conjugation."""
        flat = Flat(fn, primals, self.has_tangent)
        ys, pull = jax.vjp(flat, *flat.values)
        return flat.result(ys), lambda y_bar: flat.cotangents(map(_conj, pull([_conj(b) for b in flat.bars(ys, y_bar)])))

    def transpose(self, fn: Callable[..., tuple[Any, ...]], like: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """jax.linear_transpose, conjugated at the border."""
        linear = jax.linear_transpose(fn, *like)
        return lambda bars: jax.tree.map(_conj, linear(jax.tree.map(_conj, tuple(bars))))

    def linearize(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[tuple[Any, ...]], Any]]:
        """jax.linearize: fn runs once; integer leaves have no tangent."""
        flat = Flat(fn, primals, self.has_tangent)
        ys, push = jax.linearize(flat, *flat.values)
        return flat.result(ys), lambda tangents: flat.result(push(*flat.dots(tangents)))

    def each(self, fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
        """jax.vmap."""
        out = trees.LEAF

        def leaves(*xs: Any) -> list[Any]:
            nonlocal out
            ys, out = trees.flatten(fn(*xs))
            return ys

        ys = jax.vmap(leaves)(*xs)
        return out.unflatten(iter(ys))

    def eye(self, n: int, like: Any) -> Any:
        """The identity matrix, made where it is used."""
        return jnp.eye(n, dtype=like.dtype)

    def compiled(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """jax.jit."""
        return jax.jit(fn)

    def compiled_vjp(self, located: Callable[..., tuple[Callable[..., Any], tuple[Any, ...]]]) -> Callable[..., Any]:
        """Two programs; the first hands over what jax.vjp keeps."""
        return VjpPrograms(located, self.has_tangent)

    def knows(self, structure: trees.Structure) -> bool:
        """Tuples, lists and None: JAX sorts dicts, and knows no dataclass that is registered with rulebook."""
        plain = structure.kind in ("leaf", "none", tuple, list)
        return plain and all(map(self.knows, structure.children))

    def while_loop(self, go_on: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
        """jax.lax.while_loop; under vmap each example stops by itself."""
        return jax.lax.while_loop(go_on, body, state)

    def put(self, array: Any, k: Any, row: Any) -> Any:
        """A copy, which a compiled loop makes in place."""
        return array.at[k.astype(int)].set(row)

    def scan(self, step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
        """jax.lax.scan."""
        carry, ys = jax.lax.scan(step, carry, xs, reverse=reverse)
        return carry, ys

    def vmap(self, fn: Callable[..., tuple[Any, ...]], axes: Sequence[int | None]) -> Callable[..., tuple[Any, ...]]:
        """jax.vmap."""
        return jax.vmap(fn, tuple(axes))

    def sparse_matrix(self, data: Any, rows: Any, cols: Any, shape: tuple[int, int], like: Any) -> Any:
        """A jax.experimental.sparse.BCOO."""
        from jax.experimental import sparse

        where = jnp.asarray(np.stack([rows, cols], axis=1).astype(np.int32))
        return sparse.BCOO((jnp.asarray(data), where), shape=shape, indices_sorted=True, unique_indices=True)

    def inner(self) -> Any:
        """What runs a function of JAX arrays for another engine."""
        return JaxInner(self)

    def cells(self) -> Any:
        """How buffers hold arrays of this engine."""
        return CELLS

    def namespace(self) -> Any:
        """jax.numpy, with jax.scipy for what it lacks."""
        from rulebook.bridges._jax.namespace import namespace

        return namespace


def _conj(x: Any) -> Any:
    return jnp.conj(x) if jnp.issubdtype(x.dtype, jnp.complexfloating) else x


def _bind(form: NormalForm) -> Callable[..., Any]:
    """The primal as a function of leaves that carries the rules."""
    primal = primal_of(form)
    results = Results()
    maps: dict[tuple[int, ...], FormMap] = {}

    def evaluate(*leaves: Any) -> Out:
        out = primal(*leaves)
        return Out(aligned(out.leaves, leaves), out.structure)

    call = jax.custom_jvp(_named(form, evaluate))

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Out, Out]:
        _refuse_captured(form, engine.is_active)  # also a tracer of a program that is traced no longer
        moving = tuple(
            i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero) and getattr(t, "dtype", None) != jax.dtypes.float0
        )
        map_ = maps.get(moving) or maps.setdefault(moving, FormMap(form, call, moving, results))
        return _differentiate(form, map_, call, [engine.asarray(x) for x in primals], [engine.asarray(tangents[i]) for i in moving])

    call.defjvp(rule, symbolic_zeros=True)

    def run(*leaves: Any) -> Any:
        for x in leaves:
            if isinstance(x, jax.core.Tracer):
                _refuse_captured(form, _is_transformed)
                return result(call(*map(engine.asarray, leaves)))
        return result(primal(*map(engine.asarray, leaves)))

    return run


def _refuse_captured(form: NormalForm, is_active: Callable[[Any], bool]) -> None:
    error = form.captured(is_active)
    if error is not None:
        raise error


def _is_transformed(value: Any) -> bool:
    """A tracer of grad, jvp or vmap; one of jit may be captured as long as nothing is differentiated."""
    return isinstance(value, jax.core.Tracer) and not isinstance(value, internals.StagingTracer)


def _named(form: NormalForm, fn: Callable[..., Any]) -> Callable[..., Any]:
    fn.__name__ = fn.__qualname__ = form.name.rpartition(".")[2]
    return fn


def _differentiate(form: NormalForm, map_: FormMap, call: Callable[..., Out], primals: list[Any], tangents: list[Any]) -> tuple[Out, Out]:
    """y and its tangents, which are symbolic zeros where nothing moves."""
    if not tangents or form.all_zero_rules:
        out = call(*primals)
        return out, Out([internals.symbolic_zero(y) for y in out.leaves], out.structure)
    if form.reverse is None and not form.forward_is_host:
        out, dots = map_.forward_out(*primals, *tangents)
        out = Out(aligned(out.leaves, primals), out.structure)
        return out, Out([internals.symbolic_zero(y) if t is None else t for y, t in zip(out.leaves, dots, strict=True)], out.structure)
    return _bind_rule(map_, primals, tangents)


def _bind_rule(map_: FormMap, primals: list[Any], tangents: list[Any]) -> tuple[Out, Out]:
    found = jvp_p.bind(*primals, *tangents, of=map_)
    structure = map_.results.structure(primals)
    n = structure.n_leaves
    ys, dots = found[:n], iter(found[n:])
    return Out(ys, structure), Out([next(dots) if engine.has_tangent(y) else internals.symbolic_zero(y) for y in ys], structure)


engine = JaxEngine()

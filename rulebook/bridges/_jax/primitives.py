"""Two JAX primitives: the rule in forward mode, which reverse mode may still replace, and a linear map with its own transpose.

`jvp_p` takes primals and tangents to (y, y_dot).  It stays whole in a staged program, because only
when JAX splits that program into what is known and what is linear does it show which mode is running:

* evaluated or lowered, it is the forward rule;
* split with known primals (reverse mode, linearize, checkpoint, scan, jit), it is the reverse rule:
  y comes from it, and y_dot is left as one `lin_p` equation of the tangents;
* `lin_p` transposed is the pullback; evaluated (jax.linearize), it is the pushforward.

Parameters are objects with the methods of Map and Linear; they are compared by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax

from rulebook.bridges._jax import internals

__all__ = ["Linear", "Map", "aligned", "jvp_p", "lin_p"]

Arrays = Sequence[Any]


class Map(Protocol):
    """A rule at fixed positions of nonzero tangents."""

    n: int  # primals; the operands after them are the tangents at `moving`
    moving: tuple[int, ...]

    def call(self, *primals: Any) -> list[Any]:
        """The leaves of y."""

    def forward(self, *operands: Any) -> list[Any]:
        """The leaves of y, then those of y_dot of the differentiable ones."""

    def reverse(self, *primals: Any) -> tuple[list[Any], Linear, list[Any]]:
        """The leaves of y, the linear map, and its residuals."""

    def out_avals(self, avals: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """The abstract values of the leaves of y, and those of y_dot."""


class Linear:
    """A linear map of tangents, given residuals, with its transpose.

    Args:
        push: `(residuals, tangents) -> y_dots`.
        pull: `(residuals, y_bars) -> cotangents of the tangents`; zero y_bars are arrays, or None where `takes_none`.
        n_residuals: how many operands are residuals.
        out_avals: the abstract values of the y_dots.
        takes_none: whether pull takes None for a y_bar that is zero.
    """

    def __init__(
        self,
        push: Callable[[Arrays, Arrays], list[Any]],
        pull: Callable[[Arrays, Arrays], list[Any]],
        n_residuals: int,
        out_avals: list[Any],
        takes_none: bool = False,
    ) -> None:
        self.takes_none = takes_none
        self.push = push
        self.pull = pull
        self.n_residuals = n_residuals
        self.out_avals = out_avals

    def apply(self, *operands: Any) -> list[Any]:
        """The y_dots of residuals and tangents."""
        return self.push(operands[: self.n_residuals], operands[self.n_residuals :])


class _Axis:
    """A batch axis, as jax.vmap takes it."""

    def __init__(self, axis: Any) -> None:
        self.size: int = axis.size
        name = None if axis.name is None or "no_axis_name" in repr(axis.name) else axis.name
        self._options = {"axis_size": axis.size, "axis_name": name, "spmd_axis_name": axis.spmd_name}

    def wider(self, aval: Any) -> Any:
        """An abstract value with the axis in front."""
        return internals.unmapped_aval(self.size, 0, aval)

    def narrower(self, aval: Any, dim: int | None) -> Any:
        """An abstract value without the axis."""
        return aval if dim is None else internals.mapped_aval(self.size, dim, aval)

    def map(self, fn: Callable[..., Any], in_axes: Any, out_axes: Any = 0) -> Callable[..., Any]:
        """fn over the axis."""
        return jax.vmap(fn, in_axes=in_axes, out_axes=out_axes, **self._options)


class BatchedLinear(Linear):
    """A linear map over a batch axis."""

    def __init__(self, inner: Linear, axis: _Axis, residual_dims: tuple[Any, ...], tangent_dims: tuple[Any, ...]) -> None:
        self.n_residuals, self.takes_none = inner.n_residuals, inner.takes_none
        self.out_avals = [axis.wider(a) for a in inner.out_avals]
        self.push = lambda res, ts: axis.map(inner.push, (list(residual_dims), list(tangent_dims)))(list(res), list(ts))
        self._inner, self._axis, self._dims = inner, axis, (residual_dims, tangent_dims)
        self.pull = self._pull

    def _pull(self, residuals: Arrays, bars: Arrays) -> list[Any]:
        """The pullback of each example; what is shared by all examples gathers from all."""
        residual_dims, tangent_dims = self._dims
        found = self._axis.map(self._inner.pull, (list(residual_dims), 0))(list(residuals), list(bars))
        return [c.sum(0) if d is None else _move(c, d) for c, d in zip(found, tangent_dims, strict=True)]


def _move(x: Any, axis: int) -> Any:
    return x if axis == 0 else jax.numpy.moveaxis(x, 0, axis)


class BatchedMap:
    """A Map over a batch axis; where no primal is batched, neither is y."""

    def __init__(self, inner: Map, axis: Any, dims: tuple[Any, ...]) -> None:
        self.n, self.moving = inner.n, inner.moving
        self._inner, self._axis = inner, _Axis(axis)
        self._primal_dims, self._tangent_dims = dims[: self.n], dims[self.n :]
        self.y_dim = None if all(d is None for d in self._primal_dims) else 0

    def call(self, *primals: Any) -> list[Any]:
        """The leaves of y."""
        if self.y_dim is None:
            return self._inner.call(*primals)
        return self._axis.map(self._inner.call, self._primal_dims)(*primals)

    def forward(self, *operands: Any) -> list[Any]:
        """The leaves of y and of y_dot."""
        split = lambda *ops: self._split(ops)
        ys, dots = self._axis.map(split, self._primal_dims + self._tangent_dims, (self.y_dim, 0))(*operands)
        return [*ys, *dots]

    def _split(self, operands: Arrays) -> tuple[list[Any], list[Any]]:
        out = self._inner.forward(*operands)
        n_y = len(self._inner.out_avals(tuple(internals.typeof(x) for x in operands[: self.n]))[0])
        return out[:n_y], out[n_y:]

    def reverse(self, *primals: Any) -> tuple[list[Any], Linear, list[Any]]:
        """The leaves of y, the batched linear map, its residuals."""
        if self.y_dim is None:
            ys, linear, residuals = self._inner.reverse(*primals)
            return ys, BatchedLinear(linear, self._axis, (None,) * linear.n_residuals, self._tangent_dims), residuals
        linears: list[Linear] = []

        def one(*primals: Any) -> tuple[list[Any], list[Any]]:
            ys, linear, residuals = self._inner.reverse(*primals)
            linears.append(linear)
            return ys, residuals

        ys, residuals = self._axis.map(one, self._primal_dims)(*primals)
        return ys, BatchedLinear(linears[0], self._axis, (0,) * linears[0].n_residuals, self._tangent_dims), residuals

    def out_avals(self, avals: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """Those of the inner map with the batch axis in front."""
        inner = tuple(self._axis.narrower(a, d) for a, d in zip(avals, self._primal_dims, strict=True))
        ys, dots = self._inner.out_avals(inner)
        return ys if self.y_dim is None else [self._axis.wider(a) for a in ys], [self._axis.wider(a) for a in dots]


internals.held_weakly(Linear, BatchedLinear, BatchedMap)


def _make(name: str, method: str) -> Any:
    """A primitive that runs a method of its parameter `of`, which is an ordinary JAX function."""
    p = internals.Primitive(name)
    p.multiple_results = True

    def run(*operands: Any, of: Any) -> list[Any]:
        return getattr(of, method)(*operands)

    def differentiate(primals: Arrays, tangents: Arrays, *, of: Any) -> tuple[Any, Any]:
        moving = [i for i, t in enumerate(tangents) if type(t) is not internals.Zero]

        def moved(*some: Any) -> list[Any]:  # of what moves alone: host code has no derivative, not even a zero one
            operands = list(primals)
            for i, x in zip(moving, some, strict=True):
                operands[i] = x
            return run(*operands, of=of)

        ys, y_dots = jax.jvp(moved, tuple(primals[i] for i in moving), tuple(tangents[i] for i in moving))
        return ys, [internals.zero_of(y) if t.dtype == jax.dtypes.float0 else t for y, t in zip(ys, y_dots, strict=True)]

    p.def_impl(run)
    internals.register_lowering(p, internals.lower_fun(run, multiple_results=True))
    internals.primitive_jvps[p] = differentiate
    return p


call_p: Any = _make("rulebook_call", "call")
jvp_p: Any = _make("rulebook_jvp", "forward")
lin_p: Any = _make("rulebook_linear", "apply")


@call_p.def_abstract_eval
def _(*avals: Any, of: Map) -> list[Any]:
    return of.out_avals(avals)[0]


@jvp_p.def_abstract_eval
def _(*avals: Any, of: Map) -> list[Any]:
    ys, dots = of.out_avals(avals[: of.n])
    return [*ys, *dots]


@lin_p.def_abstract_eval
def _(*avals: Any, of: Linear) -> list[Any]:
    return of.out_avals


align_p: Any = internals.Primitive("rulebook_align")
align_p.def_impl(lambda y, *primals: y)
align_p.def_abstract_eval(lambda y, *primals: y)
internals.register_lowering(align_p, internals.lower_fun(lambda y, *primals: y, multiple_results=False))
internals.primitive_transposes[align_p] = lambda y_bar, y, *primals: [y_bar, *[None] * len(primals)]
internals.primitive_jvps[align_p] = lambda primals, tangents: (align_p.bind(*primals), tangents[0])


def aligned(ys: Arrays, primals: Arrays) -> list[Any]:
    """The leaves of y, under vmap with the batch axis in front wherever a primal is batched.

    A staged jax.custom_jvp takes the batch axes of its result from the function and does not ask the rule
    again: both have to say the same, or axes are mistaken for each other.
    """
    return [align_p.bind(y, *primals) for y in ys]


def _batch_align(axis: Any, args: Arrays, dims: tuple[Any, ...]) -> tuple[Any, Any]:
    y, dim = args[0], dims[0]
    if all(d is None for d in dims):
        return align_p.bind(*args), None
    y = jax.numpy.broadcast_to(y, (axis.size, *jax.numpy.shape(y))) if dim is None else _move_front(y, dim)  # y may be a Python number
    return align_p.bind(y, *args[1:]), 0


def _move_front(x: Any, axis: int) -> Any:
    return x if axis == 0 else jax.numpy.moveaxis(x, axis, 0)


internals.batchers[align_p] = _batch_align


def _batch_call(axis: Any, args: Arrays, dims: tuple[Any, ...], *, of: Map) -> tuple[list[Any], list[Any]]:
    batched = BatchedMap(of, axis, dims)
    ys = call_p.bind(*args, of=batched)
    return ys, [batched.y_dim] * len(ys)


def _batch_jvp(axis: Any, args: Arrays, dims: tuple[Any, ...], *, of: Map) -> tuple[list[Any], list[Any]]:
    if all(d is None for d in dims):  # JAX asks even when no operand is batched
        out = jvp_p.bind(*args, of=of)
        return out, [None] * len(out)
    batched = BatchedMap(of, axis, dims)
    out = jvp_p.bind(*args, of=batched)
    n_y = len(batched.out_avals(tuple(internals.typeof(x) for x in args[: of.n]))[0])
    return out, [batched.y_dim] * n_y + [0] * (len(out) - n_y)


def _batch_linear(axis: Any, args: Arrays, dims: tuple[Any, ...], *, of: Linear) -> tuple[list[Any], list[Any]]:
    if all(d is None for d in dims):
        out = lin_p.bind(*args, of=of)
        return out, [None] * len(out)
    n = of.n_residuals
    out = lin_p.bind(*args, of=BatchedLinear(of, _Axis(axis), dims[:n], dims[n:]))
    return out, [0] * len(out)


internals.batchers[call_p] = _batch_call
internals.batchers[jvp_p] = _batch_jvp
internals.batchers[lin_p] = _batch_linear


def _split_known(trace: Any, *tracers: Any, of: Map) -> list[Any]:
    """Reverse mode has begun: the primals are known, the tangents are what remains linear."""
    known = [t.is_known() for t in tracers]
    if all(known) or not all(known[: of.n]):
        return trace.default_process_primitive(jvp_p, tracers, {"of": of})
    ys, linear, residuals = of.reverse(*(t.pval.get_known() for t in tracers[: of.n]))
    operands = [trace.new_const(r) for r in residuals] + list(tracers[of.n :])
    return [*ys, *trace.default_process_primitive(lin_p, operands, {"of": linear})]


internals.partial_eval_rules[jvp_p] = _split_known


def _split_staged(
    saveable: Any, unknown: Sequence[bool], inst: Sequence[bool], eqn: Any
) -> tuple[Any, Any, list[bool], list[bool], list[Any]]:
    """jax.checkpoint: y is computed now if the primals are known; the whole equation again when the tangents come."""
    of: Map = eqn.params["of"]
    n_dots = len(eqn.outvars) - (n_y := len(of.out_avals(tuple(v.aval for v in eqn.invars[: of.n]))[0]))
    if not any(unknown):
        return eqn, None, [False] * len(eqn.outvars), [False] * len(eqn.outvars), []
    if any(unknown[: of.n]):
        lacking = [v for v, i in zip(eqn.invars, inst, strict=True) if not i and hasattr(v, "count")]
        return None, eqn, [True] * len(eqn.outvars), [True] * len(eqn.outvars), lacking
    known = eqn.replace(primitive=call_p, invars=eqn.invars[: of.n], outvars=eqn.outvars[:n_y])
    fresh = [type(v)(v.aval) for v in eqn.outvars[:n_y]]
    staged = eqn.replace(outvars=[*fresh, *eqn.outvars[n_y:]])
    residuals = [v for v, i in zip(eqn.invars[: of.n], inst, strict=False) if not i and not hasattr(v, "val")]
    return known, staged, [False] * n_y + [True] * n_dots, [False] * n_y + [True] * n_dots, residuals


internals.partial_eval_jaxpr_rules[jvp_p] = _split_staged


def _drop_unused(used: Sequence[bool], *rest: Any) -> tuple[list[bool], Any]:
    """Where no tangent is used, only the primal is left.  (JAX 0.12 passes which inputs live before the equation.)"""
    eqn = rest[-1]
    of: Map = eqn.params["of"]
    n_y = len(of.out_avals(tuple(v.aval for v in eqn.invars[: of.n]))[0])
    if not any(used):
        return [False] * len(eqn.invars), None
    if any(used[n_y:]):
        return [True] * len(eqn.invars), eqn
    new = eqn.replace(primitive=call_p, invars=eqn.invars[: of.n], outvars=eqn.outvars[:n_y])
    return [True] * of.n + [False] * (len(eqn.invars) - of.n), new


internals.dce_rules[jvp_p] = _drop_unused


def _transpose(bars: Arrays, *operands: Any, of: Linear) -> list[Any]:
    """The pullback; a y_bar that is zero is made an array where the pullback wants one."""
    if all(type(b) is internals.Zero for b in bars):
        return [None] * len(operands)
    made = [None if of.takes_none and type(b) is internals.Zero else internals.instantiate_zeros(b) for b in bars]
    cotangents = of.pull(operands[: of.n_residuals], made)
    return [None] * of.n_residuals + list(cotangents)


internals.primitive_transposes[lin_p] = _transpose

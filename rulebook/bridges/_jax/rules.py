"""The rules of a NormalForm as JAX functions: forward, and reverse with its residuals as arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import numpy as jnp

from rulebook.bridges._jax import internals
from rulebook.bridges._jax.calls import Compiled, Out, is_staging, parts_of
from rulebook.bridges._jax.primitives import Linear
from rulebook.normal import NormalForm
from rulebook.trees import Structure

__all__ = ["FormMap", "Results"]

Arrays = Sequence[Any]


@jax.tree_util.register_pytree_node_class
class _Residuals:
    """The residuals of a pullback with its linear map, so that they pass through jit."""

    def __init__(self, arrays: Sequence[Any], linear: Linear) -> None:
        self.arrays = list(arrays)
        self.linear = linear

    def tree_flatten(self) -> tuple[list[Any], Linear]:
        """The arrays, and what is static."""
        return self.arrays, self.linear

    @classmethod
    def tree_unflatten(cls, linear: Linear, arrays: Sequence[Any]) -> _Residuals:
        """The inverse of tree_flatten."""
        return cls(arrays, linear)


def _traced(arrays: Sequence[Any]) -> bool:
    return any(isinstance(x, jax.core.Tracer) for x in arrays)


class Results:
    """The abstract values and structure of y, by the abstract values of the primals."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[list[Any], Structure]] = {}
        self._one: Structure | None = None  # nearly always the same for all shapes: forming the key costs as much as the rest of a call

    def keep(self, key: Any, ys: list[Any], structure: Structure) -> None:
        """Remember what y is."""
        self._known[key] = ys, structure
        self._one = structure if all(kept[1] == structure for kept in list(self._known.values())) else None

    def get(self, key: Any) -> tuple[list[Any], Structure] | None:
        """What y is, if it is known."""
        return self._known.get(key)

    def structure(self, primals: Arrays) -> Structure:
        """The structure of y, which is known."""
        return self._one or self._known[_key(primals)][1]


class FormMap:
    """The rules of a NormalForm with some tangents nonzero: a Map for jvp_p.

    Args:
        form: what to translate.
        call: the primal as a JAX function with rules, `(*leaves) -> Out`.
        moving: the leaves whose tangents are not zero.
        results: what is known of y, shared by the maps of one form.
    """

    def __init__(self, form: NormalForm, call: Callable[..., Out], moving: tuple[int, ...], results: Results) -> None:
        self.n = form.n
        self.moving = moving
        self._form = form
        self._call = call
        self.results = results
        self._wanted = tuple(i in moving for i in range(form.n))
        rule = form.reverse or form.forward
        self._uses_zeros = rule is not None and rule.symbolic_zeros  # whether it saves work to know which cotangents are zero
        self._pushes = form.forward is not None or form.forward_is_host  # else jax.linearize transposes the pullback
        self.forward_out = Compiled(self._joint, *parts_of(form, form.forward or form.reverse))
        self._start = Compiled(self._start_arrays, *parts_of(form, form.reverse))

    def _primal(self, args: tuple[Any, ...]) -> Any:
        """How a rule evaluates its function: with the rules, so that y stays linked at higher orders."""
        return self._form.primitive.call_in(self._form.engine, args, self._form.statics)

    def call(self, *primals: Any) -> list[Any]:
        """The leaves of y."""
        return self._call(*primals).leaves

    def _full(self, tangents: Arrays) -> list[Any]:
        full: list[Any] = [None] * self.n
        for i, t in zip(self.moving, tangents, strict=True):
            full[i] = t
        return full

    def _joint(self, *operands: Any) -> tuple[Out, list[Any]]:
        """y and the tangents of its leaves, None where zero."""
        primals = operands[: self.n]
        ys, dots, structure = self._form.joint(primals, self._full(operands[self.n :]), self._primal)
        self._remember(primals, ys, structure)
        return Out(ys, structure), dots

    def forward(self, *operands: Any) -> list[Any]:
        """The leaves of y, then those of y_dot of the differentiable ones."""
        out, dots = self.forward_out(*operands)
        return [*out.leaves, *self._made(out.leaves, dots)]

    def _made(self, ys: Arrays, dots: Arrays) -> list[Any]:
        return [jnp.zeros_like(y) if t is None else t for y, t in zip(ys, dots, strict=True) if self._form.engine.has_tangent(y)]

    # -- shapes ------------------------------------------------------------------------------

    def _remember(self, primals: Arrays, ys: Arrays, structure: Structure) -> None:
        key = _key(primals)
        if self.results.get(key) is None:
            self.results.keep(key, [_aval(y) for y in ys], structure)

    def out_avals(self, avals: tuple[Any, ...]) -> tuple[list[Any], list[Any]]:
        """The abstract values of the leaves of y, and of y_dot where there is one; the primal is traced at most once per shapes."""
        key = tuple(a.strip_weak_type() for a in avals)
        known = self.results.get(key)
        if known is None:
            closed, out = jax.make_jaxpr(self._call, return_shape=True)(*avals)
            known = [a.strip_weak_type() for a in closed.out_avals], out.structure
            self.results.keep(key, *known)
        return known[0], [internals.tangent_aval(y) for y in known[0] if jnp.issubdtype(y.dtype, jnp.inexact)]

    # -- reverse -----------------------------------------------------------------------------

    def reverse(self, *primals: Any) -> tuple[list[Any], Linear, list[Any]]:
        """The leaves of y, the linear map of the moving tangents, and its residuals."""
        primals = tuple(map(self._form.engine.asarray, primals))  # JAX hands on plain floats as they are
        if _traced(primals):
            out, residuals = self._start(*primals)
        elif (found := self._start.attempt(*primals)) is NotImplemented:
            return self._start_concrete(primals)
        else:
            out, residuals = found
        kept = [*primals, *out.leaves] if self._pushes else []  # what the pushforward needs; not through jit, which would copy
        arrays = [*residuals.arrays, *kept]
        linear = residuals.linear
        if arrays and not _traced(arrays):  # nothing to trace: as operands, each would cost JAX a few microseconds
            return (
                out.leaves,
                Linear(
                    lambda _, ts: linear.push(arrays, ts), lambda _, bars: linear.pull(arrays, bars), 0, linear.out_avals, linear.takes_none
                ),
                [],
            )
        return out.leaves, linear, arrays

    def _start_concrete(self, primals: tuple[Any, ...]) -> tuple[list[Any], Linear, list[Any]]:
        """With concrete primals and a rule that may not be compiled, its closure is kept as it is."""
        ys, structure, pull = self._form.start(primals, self._primal)
        self._remember(primals, ys, structure)
        transposed = lambda res, bars: self._pull_moving(pull, primals, ys, bars)
        bars = [y for y in ys if self._form.engine.has_tangent(y)]
        push = lambda res, ts: self._push(primals, ys, structure, ts) or _transposed(transposed, bars, ts)
        return ys, Linear(push, transposed, 0, [internals.tangent_aval(_aval(y)) for y in bars], self._uses_zeros), []

    def _pull_moving(self, pull: Callable[..., list[Any]], primals: Arrays, ys: Arrays, bars: Arrays) -> list[Any]:
        """The cotangents of the moving leaves, arrays all of them, conjugated as JAX pairs without."""
        rest = iter(bars)
        full = [_conj_or_none(next(rest)) if self._form.engine.has_tangent(y) else None for y in ys]
        found = pull(full, self._wanted)
        return [jnp.zeros_like(primals[i]) if found[i] is None else _conj(found[i]) for i in self.moving]

    def _push(self, primals: Arrays, ys: Arrays, structure: Structure, tangents: Arrays) -> list[Any]:
        """The forward rule, by which jax.linearize evaluates its linear map; nothing where none is written."""
        if not self._pushes:
            return []
        return self._made(ys, self._form.push(ys, structure, primals, self._full(tangents), self._primal))

    def _start_arrays(self, *primals: Any) -> tuple[Out, _Residuals]:
        """The pullback as a program of its residuals: what its closure holds becomes arrays."""
        ys, structure, pull = self._form.start(primals, self._primal)
        self._remember(primals, ys, structure)
        like = [y for y in ys if self._form.engine.has_tangent(y)]
        programs = _Programs(lambda bars: self._pull_moving(pull, primals, ys, bars), like, self._uses_zeros)
        n_const, n = len(programs.consts), self.n
        n_kept = n + len(ys) if self._pushes else 0
        pull_res = lambda res, bars: programs(res[:n_const], bars)

        def push_res(res: Arrays, tangents: Arrays) -> list[Any]:
            rest = res[n_const:]
            return self._push(rest[:n], rest[n:], structure, tangents) or _transposed(lambda _, bars: pull_res(res, bars), avals, tangents)

        avals = [internals.tangent_aval(_aval(y)) for y in like]
        return Out(ys, structure), _Residuals(programs.consts, Linear(push_res, pull_res, n_const + n_kept, avals, self._uses_zeros))


class _Programs:
    """A pullback of arrays as a program; where the rule uses it, one for each set of cotangents that are not zero.

    Args:
        pull: of a list of cotangents, None where zero.
        like: arrays like the cotangents.
        uses_zeros: whether the rule saves work for those that are zero.

    Attributes:
        consts: what the programs need besides the cotangents.
    """

    def __init__(self, pull: Callable[[list[Any]], list[Any]], like: Arrays, uses_zeros: bool) -> None:
        self.consts: list[Any] = []
        self._programs: dict[tuple[bool, ...], tuple[_Program, list[int]]] = {}
        n = len(like)
        sets = itertools.product((True, False), repeat=n) if uses_zeros and n <= _MOST_SETS else [(True,) * n]
        for given in sets:
            if any(given) or not n:
                closed = jax.make_jaxpr(lambda *bars, given=given: pull(_spread(bars, given)))(*_chosen(like, given))
                self._programs[given] = _Program(closed.jaxpr), [self._place(c) for c in closed.consts]
        self._like = [internals.typeof(x) for x in like]

    def _place(self, const: Any) -> int:
        for i, known in enumerate(self.consts):
            if known is const:
                return i
        self.consts.append(const)
        return len(self.consts) - 1

    def __call__(self, consts: Arrays, bars: Arrays) -> list[Any]:
        """The cotangents."""
        given = tuple(b is not None for b in bars)
        if given not in self._programs:
            given = (True,) * len(given)
            bars = [jnp.zeros(a.shape, a.dtype) if b is None else b for a, b in zip(self._like, bars, strict=True)]
        program, places = self._programs[given]
        return program([consts[i] for i in places], _chosen(bars, given))


_MOST_SETS = 3  # results of which each set of zeros has a program of its own


def _chosen(values: Arrays, given: Sequence[bool]) -> list[Any]:
    return [v for v, g in zip(values, given, strict=True) if g]


def _spread(values: Arrays, given: Sequence[bool]) -> list[Any]:
    rest = iter(values)
    return [next(rest) if g else None for g in given]


class _Program:
    """A jaxpr as a function; compiled where it is called outside jit."""

    def __init__(self, jaxpr: Any) -> None:
        self._jaxpr = jaxpr
        self._jitted = jax.jit(self._run, inline=True)

    def _run(self, consts: Arrays, args: Arrays) -> list[Any]:
        return jax.core.eval_jaxpr(self._jaxpr, consts, *args)

    def __call__(self, consts: Arrays, args: Arrays) -> list[Any]:
        """The results of the program."""
        run = self._run if is_staging([*consts, *args]) else self._jitted
        return run(list(consts), list(args))


def _transposed(pull: Callable[[Arrays, Arrays], list[Any]], bars: Arrays, tangents: Arrays) -> list[Any]:
    """A pullback transposed: the tangents of what `bars` are shaped like."""
    return list(jax.linear_transpose(lambda *bars: pull((), bars), *bars)(list(tangents)))


def _conj_or_none(x: Any) -> Any:
    """A cotangent of y as the rule gets it: an array, also where jax.vjp was given a plain number."""
    return None if x is None else _conj(x if hasattr(x, "dtype") else jnp.asarray(x))


def _conj(x: Any) -> Any:
    return jnp.conj(x) if x.dtype.kind == "c" else x


def _key(primals: Arrays) -> Any:
    return tuple(_aval(x) for x in primals)


def _aval(x: Any) -> Any:
    """The abstract value of an array, the weakness of its dtype forgotten."""
    return internals.typeof(x).strip_weak_type()

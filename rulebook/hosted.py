"""The host parts of one primitive, as calls that an engine runs: its primal, its rules and what they keep."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook import trees
from rulebook.engines import is_floating
from rulebook.errors import ResultSpecError
from rulebook.host import Arrays, Axes, BatchedCall, HostCall, Specs, Vectorized, WideCall
from rulebook.memory import note_change, read_only
from rulebook.residuals import RESIDUALS, size_of
from rulebook.tangents import ShapeDtype
from rulebook.trees import LEAF, Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["Hosted"]

Leaves = Sequence[Any]
Flags = tuple[bool, ...]
Pull = Callable[..., list[Any]]

_TOKEN = ShapeDtype((), np.int32)
_SIZES = 64  # how many sizes of arguments are told apart


class Hosted:
    """What of a primitive is host code, for one engine.

    The methods are those of NormalForm, on values of the engine; the rules run on NumPy arrays, in `numpy`.

    Args:
        form: the primitive in the engine.
        numpy: the same primitive on NumPy arrays.
    """

    def __init__(self, form: NormalForm, numpy: NormalForm) -> None:
        self.form = form
        self.numpy = numpy
        self.results = _Results(form)
        self._primal = _Primal(self)
        self._calls: dict[Hashable, HostCall] = {}
        self._kept: dict[int, tuple[int, int]] = {}  # bytes of the arguments -> how many pullbacks, plus one, and what one keeps

    def _call(self, kind: Callable[..., HostCall], *parameters: Any) -> HostCall:
        """One call for the same parameters: an engine may compile it."""
        key = kind, parameters
        call = self._calls.get(key)
        if call is None:
            call = self._calls.setdefault(key, kind(self, *parameters))
        return call

    def _structure(self, leaves: Leaves) -> Structure:
        return self.results.one or self.results.find([self.form.engine.spec(x) for x in leaves])[1]

    def _moving(self, values: Leaves) -> Flags:
        return tuple([self.form.engine.has_tangent(v) for v in values])

    # -- what NormalForm asks for ---------------------------------------------------------------

    def primal(self, leaves: Leaves) -> tuple[list[Any], Structure]:
        """The leaves of y and its structure."""
        ys = self.form.engine.host_call(self._primal, leaves)
        return ys, self._structure(leaves)

    def joint(self, leaves: Leaves, tangents: Leaves) -> tuple[list[Any], list[Any], Structure]:
        """y and its tangents."""
        given = tuple([t is not None for t in tangents])
        out = self.form.engine.host_call(self._call(_Joint, given), [*leaves, *[t for t in tangents if t is not None]])
        structure = self._structure(leaves)
        ys, dots = out[: structure.n_leaves], iter(out[structure.n_leaves :])
        return ys, [next(dots) if m else None for m in self._moving(ys)], structure

    def push(self, ys: Leaves, structure: Structure, leaves: Leaves, tangents: Leaves) -> list[Any]:
        """The tangents of a y that is known."""
        given, moving = tuple([t is not None for t in tangents]), self._moving(ys)
        call = self._call(_Push, structure, given, moving)
        dots = iter(self.form.engine.host_call(call, [*ys, *leaves, *[t for t in tangents if t is not None]]))
        return [next(dots) if m else None for m in moving]

    def start(self, leaves: Leaves) -> tuple[list[Any], Structure, Pull]:
        """y and its pullback: the very closure where the values are concrete, else its token."""
        engine = self.form.engine
        arrays = engine.concrete(leaves)
        if arrays is not None:
            found, structure, pull = self.begin([read_only(a) for a in arrays])
            return engine.from_host(found, _like(leaves)), structure, self.pullback(leaves, arrays, pull)
        *ys, token = engine.host_call(self._call(_Start), leaves)
        make = lambda given, outs: self._call(_TokenPull, given, outs)
        return ys, self._structure(leaves), self._pull_leaves(make, [token, *leaves], leaves)

    def pullback(self, leaves: Leaves, arrays: Arrays, pull: Pull) -> Pull:
        """The author's pullback of arrays, which are the values of leaves, as one of the engine's values."""
        return self._pull_leaves(lambda given, outs: _Closure(self, pull, arrays, given, outs), [], leaves)

    def _pull_leaves(self, make: Callable[[Flags, Flags], HostCall], kept: Leaves, leaves: Leaves) -> Pull:
        moving = self._moving(leaves)

        def pull_leaves(cotangents: Leaves, wanted: Sequence[bool] | None = None) -> list[Any]:
            given = tuple([c is not None for c in cotangents])
            outs = moving if wanted is None else tuple([bool(w) and m for w, m in zip(wanted, moving, strict=True)])
            if not any(given) or not any(outs):
                return [None] * len(leaves)
            operands = [*kept, *[c for c in cotangents if c is not None]]
            x_bars = iter(self.form.engine.host_call(make(given, outs), operands, like=_like(leaves)))
            return [next(x_bars) if o else None for o in outs]

        return pull_leaves

    def begin(self, arrays: Arrays) -> tuple[list[Any], Structure, Pull]:
        """The leaves of y, its structure and the author's pullback, on NumPy arrays."""
        try:
            ys, structure, pull = self.numpy.start(arrays)
        except Exception as error:
            note_change(error, (self.form.reverse or self.form.forward).kind, self.form.name)  # type: ignore[union-attr]  # there is one
            raise
        return self.check(arrays, ys, structure), structure, pull

    def check(self, arrays: Arrays, ys: Arrays, structure: Structure) -> list[Any]:
        """The leaves of a result of the function, compared with what was declared."""
        return self.results.check(arrays, ys, structure, self._primal)

    def primal_for(self, n: int, operands: int) -> tuple[HostCall, int] | None:
        """The function as a call that gives the leaves of y alone, if it is host code and n are all that are used."""
        structure = self.results.one
        alone = self.form.primitive.host and structure is not None and n <= structure.n_leaves
        return (self._primal, operands) if alone else None

    def keep(self, arrays: Arrays, pull: Pull) -> int:
        """The token of a pullback.  Measuring what it keeps costs more than the rest: at the first, second, fourth, ... of a size."""
        bytes_in = sum([a.nbytes for a in arrays])
        count, size = self._kept.get(bytes_in, (1, 0))
        if count & (count - 1) == 0:
            size = max(size, size_of(pull))
        if len(self._kept) > _SIZES:
            self._kept.clear()
        self._kept[bytes_in] = count + 1, size
        return RESIDUALS.keep(self, pull, size)

    def pull(self, ys: Leaves, structure: Structure, leaves: Leaves, cotangents: Leaves, wanted: Sequence[bool] | None) -> list[Any]:
        """The cotangents of the leaves, given y."""
        given = tuple([c is not None for c in cotangents])
        moving = self._moving(leaves)
        outs = moving if wanted is None else tuple([bool(w) and m for w, m in zip(wanted, moving, strict=True)])
        if not any(given) or not any(outs):
            return [None] * len(leaves)
        call = self._call(_Pull, structure, given, outs)
        x_bars = iter(self.form.engine.host_call(call, [*ys, *leaves, *[c for c in cotangents if c is not None]]))
        return [next(x_bars) if o else None for o in outs]


def _like(leaves: Leaves) -> Any:
    return leaves[0] if leaves else None


# -- the results of the function -----------------------------------------------------------------------


class _Results:
    """What y looks like, by what the arguments look like: declared by `result=`, else learnt from results."""

    def __init__(self, form: NormalForm) -> None:
        self._form = form
        self._declared = form.primitive.result
        self._known: dict[Any, tuple[list[ShapeDtype], Structure]] = {}
        self._first: dict[None, Structure] = {}  # one entry at most; no two threads can both be the first
        self._several = False

    @property
    def one(self) -> Structure | None:
        """The structure of y, where it is the same for all arguments seen."""
        return None if self._several else self._first.get(None)

    def _keep(self, key: Any, ys: list[ShapeDtype], structure: Structure) -> None:
        self._known[key] = ys, structure
        if self._first.setdefault(None, structure) != structure:
            self._several = True

    def find(self, operands: Specs) -> tuple[list[ShapeDtype], Structure]:
        """The leaves of y and its structure.

        Raises:
            ResultSpecError: there is no `result=`, and no such call was seen yet.
        """
        key = tuple([(s.shape, s.dtype) for s in operands])
        if key not in self._known:
            if self._declared is None:
                raise self._missing(operands)
            self._keep(key, *self._ask(operands))
        return self._known[key]

    def _ask(self, operands: Specs) -> tuple[list[ShapeDtype], Structure]:
        form, declared = self._form, self._declared
        assert declared is not None
        try:
            found = declared(*form.args(operands), **_accepted(declared, form.statics))
        except Exception as error:
            error.add_note(f"Raised in result= of {form.name}, engine {form.engine.name}.")
            raise
        leaves, structure = trees.flatten(found)
        if not leaves or not all(hasattr(s, "shape") and hasattr(s, "dtype") for s in leaves):
            raise ResultSpecError(
                f"result= of {form.name} (engine {form.engine.name}).",
                "an rb.ShapeDtype, or a tuple, list or dict of them, like the result",
                ", ".join(sorted({type(s).__name__ for s in leaves})) or "nothing",
                "return rb.ShapeDtype(shape, dtype)",
            )
        return [ShapeDtype(s.shape, s.dtype) for s in leaves], structure

    def _missing(self, operands: Specs) -> ResultSpecError:
        form = self._form
        signature = form.primitive.signature
        names = ", ".join([*signature.positional, *["*args"] * signature.var_positional])
        looks = ", ".join(f"{path}: {s.shape} {s.dtype}" for path, s in zip(form.paths, operands, strict=True))
        of = f"{form.arg_names[0]}.shape, {form.arg_names[0]}.dtype" if form.flat and form.arg_names else "shape, dtype"
        return ResultSpecError(
            f"primal of {form.name} (engine {form.engine.name}), host code on values that are traced.",
            "result=, which tells the shape and dtype of its result",
            f"none, and no call with concrete values of this kind so far ({looks})",
            f"write rb.primitive(..., host=True, result=lambda {names}: rb.ShapeDtype({of}))",
        )

    def check(self, arrays: Arrays, ys: Arrays, structure: Structure, call: HostCall) -> list[Any]:
        """The leaves of a result as arrays, compared with what was declared; what was not is learnt."""
        made = [np.asarray(y) for y in ys]
        key = tuple([(a.shape, a.dtype) for a in arrays])
        known = self._known.get(key)
        if known is None and self._declared is not None:
            known = self.find([ShapeDtype(a.shape, a.dtype) for a in arrays])
        if known is not None and _agree(known[0], made) and known[1] == structure:
            return made
        if self._declared is None:
            self._keep(key, [ShapeDtype(y.shape, y.dtype) for y in made], structure)
            return made
        assert known is not None
        if known[1] != structure:
            raise ResultSpecError(
                f"primal of {call.name} (engine {call.engine}).",
                f"the structure {known[1]}, as result= says",
                f"{structure}",
                "let result= have the structure of the result",
            )
        k = next(k for k, (s, y) in enumerate(zip(known[0], made, strict=True)) if s.shape != y.shape or s.dtype != y.dtype)
        raise call.wrong_result(k, known[0][k], made[k], "as result= says")

    def learn(self, operands: Specs, ys: Specs, structure: Structure) -> None:
        """Remember a result that was seen as a part of a batch."""
        key = tuple([(s.shape, s.dtype) for s in operands])
        if self._declared is None and key not in self._known:
            self._keep(key, list(ys), structure)


def _agree(specs: Specs, ys: Arrays) -> bool:
    return len(specs) == len(ys) and all(s.shape == y.shape and s.dtype == y.dtype for s, y in zip(specs, ys, strict=True))


def _accepted(fn: Callable[..., Any], statics: dict[str, Any]) -> dict[str, Any]:
    """The statics that a function takes."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return statics
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return statics
    names = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    return {k: v for k, v in statics.items() if k in names}


# -- the calls -------------------------------------------------------------------------------------------


class _Call(HostCall):
    """A part of a primitive."""

    def __init__(self, host: Hosted, what: str) -> None:
        super().__init__(what, host.form.name, host.form.engine.name)
        self.host = host
        self.form = host.numpy
        self.n = host.form.n

    def run(self, arrays: Arrays) -> list[Any]:
        """The results of read-only arrays."""
        try:
            return self.evaluate([read_only(a) for a in arrays])
        except Exception as error:
            note_change(error, self.what, self.name)
            raise

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """The results of arrays."""
        raise NotImplementedError

    def _spread(self, values: Arrays, given: Flags) -> list[Any]:
        rest = iter(values)
        return [next(rest) if g else None for g in given]


class _Primal(_Call, Vectorized):
    """The function: leaves -> leaves of y."""

    def __init__(self, host: Hosted) -> None:
        super().__init__(host, "primal")
        self._structure: Structure = LEAF  # of the last result

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """The leaves of y."""
        ys, structure = self.form.primal(arrays)
        return self.host.results.check(arrays, ys, structure, self)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves of y."""
        return self.host.results.find(operands)[0]

    def batched(self, axes: Axes, size: int) -> BatchedCall:
        """By the batch rule, in one call if the function is vectorized, or one by one."""
        if self.form.primitive.batch is not None:
            return _ByBatchRule(self, axes, size)
        return WideCall(self, axes, size) if self.form.primitive.vectorized else super().batched(axes, size)

    def wide(self, arrays: Arrays, leads: int) -> list[Any]:
        """The function on extra leading axes."""
        ys, self._structure = self.form.primal([read_only(a) for a in arrays])
        return [np.asarray(y) for y in ys]

    def learn(self, operands: Specs, ys: Specs) -> None:
        """Remember what a result looks like."""
        self.host.results.learn(operands, ys, self._structure)


class _ByBatchRule(BatchedCall):
    """The author's batch rule."""

    inner: _Primal

    def run(self, arrays: Arrays) -> list[Any]:
        """All examples at once."""
        flags = [d is not None for d in self.axes]
        ys, mapped, structure = self.inner.form.batched(self.size, flags, [read_only(a) for a in self._front(arrays)])
        made = [np.asarray(y) for y in ys]
        wide = [y if m else np.broadcast_to(y, (self.size, *y.shape)) for y, m in zip(made, mapped, strict=True)]
        inside = self.inside([ShapeDtype(a.shape, a.dtype) for a in arrays])
        self.inner.host.results.learn(inside, [ShapeDtype(y.shape[1:], y.dtype) for y in wide], structure)
        return wide


class _Joint(_Call):
    """The forward rule: leaves and the given tangents -> leaves of y and the tangents of those that have one."""

    def __init__(self, host: Hosted, given: Flags) -> None:
        super().__init__(host, (host.form.forward or host.form.reverse).kind)  # type: ignore[union-attr]
        self._given = given

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y and y_dot."""
        leaves = arrays[: self.n]
        found, dots, structure = self.form.joint(leaves, self._spread(arrays[self.n :], self._given))
        ys = self.host.results.check(leaves, found, structure, self)
        return [*ys, *_made(ys, dots)]

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """The primal where no tangent is used."""
        return self.host.primal_for(n, self.n)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y, then of its tangents."""
        ys = self.host.results.find(operands[: self.n])[0]
        return [*ys, *[y for y in ys if is_floating(y.dtype)]]

    def reads(self, k: int) -> int | None:
        """y depends on the arguments alone."""
        structure = self.host.results.one
        return self.n if structure is not None and k < structure.n_leaves else None


def _made(ys: Arrays, dots: Leaves) -> list[Any]:
    """Tangents as arrays, for those of ys that have one."""
    return [np.zeros(y.shape, y.dtype) if t is None else np.asarray(t) for y, t in zip(ys, dots, strict=True) if is_floating(y.dtype)]


class _Push(_Call):
    """The pushforward: leaves of y, leaves, the given tangents -> tangents."""

    def __init__(self, host: Hosted, structure: Structure, given: Flags, moving: Flags) -> None:
        super().__init__(host, (host.form.forward or host.form.reverse).kind)  # type: ignore[union-attr]
        self._structure, self._given, self._moving = structure, given, moving

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y_dot."""
        n_y = self._structure.n_leaves
        ys, leaves = arrays[:n_y], arrays[n_y : n_y + self.n]
        return _made(ys, self.form.push(ys, self._structure, leaves, self._spread(arrays[n_y + self.n :], self._given)))

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y."""
        return [y for y, m in zip(operands[: self._structure.n_leaves], self._moving, strict=True) if m]


class _Start(_Call):
    """The reverse rule: leaves -> leaves of y and the token of the pullback."""

    keeps = True

    def __init__(self, host: Hosted) -> None:
        super().__init__(host, (host.form.reverse or host.form.forward).kind)  # type: ignore[union-attr]

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """y and a token."""
        ys, _, pull = self.host.begin(arrays)
        return [*ys, np.asarray(self.host.keep(arrays, pull), _TOKEN.dtype)]

    def pruned(self, n: int) -> tuple[HostCall, int] | None:
        """The primal where the pullback is not used: nothing is kept for it then."""
        return self.host.primal_for(n, self.n)

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of y, and a number."""
        return [*self.host.results.find(operands)[0], _TOKEN]


class _Cotangents(_Call):
    """What gives cotangents: of the leaves marked in `outs`, from the given cotangents of y."""

    def __init__(self, host: Hosted, given: Flags, outs: Flags) -> None:
        super().__init__(host, (host.form.reverse or host.form.forward).kind)  # type: ignore[union-attr]
        self._given, self._outs = given, outs

    def _arrays(self, leaves: Arrays, x_bars: Leaves) -> list[Any]:
        return [np.zeros(x.shape, x.dtype) if c is None else np.asarray(c) for x, c, o in zip(leaves, x_bars, self._outs, strict=True) if o]

    def _wanted(self, leaves: Specs) -> list[ShapeDtype]:
        return [s for s, o in zip(leaves, self._outs, strict=True) if o]


class _TokenPull(_Cotangents):
    """The pullback of a token: token, leaves, the given cotangents -> cotangents."""

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the pullback that was kept; by a new one where it is gone."""
        leaves = arrays[1 : 1 + self.n]
        pull = RESIDUALS.find(self.host, int(arrays[0]))
        if pull is None:
            pull = self.form.start(leaves)[2]
        return self._arrays(leaves, pull(self._spread(arrays[1 + self.n :], self._given), self._outs))

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        return self._wanted(operands[1 : 1 + self.n])


class _Closure(_Cotangents):
    """The author's pullback itself: the given cotangents -> cotangents."""

    def __init__(self, host: Hosted, pull: Pull, leaves: Arrays, given: Flags, outs: Flags) -> None:
        super().__init__(host, given, outs)
        self._pull, self._leaves = pull, leaves

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the pullback."""
        return self._arrays(self._leaves, self._pull(self._spread(arrays, self._given), self._outs))

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        return self._wanted([ShapeDtype(x.shape, x.dtype) for x in self._leaves])


class _Pull(_Cotangents):
    """The pullback given y: leaves of y, leaves, the given cotangents -> cotangents."""

    def __init__(self, host: Hosted, structure: Structure, given: Flags, outs: Flags) -> None:
        super().__init__(host, given, outs)
        self._structure = structure

    def evaluate(self, arrays: Arrays) -> list[Any]:
        """By the rule."""
        n_y = self._structure.n_leaves
        ys, leaves = arrays[:n_y], arrays[n_y : n_y + self.n]
        bars = self._spread(arrays[n_y + self.n :], self._given)
        return self._arrays(leaves, self.form.pull(ys, self._structure, leaves, bars, self._outs))

    def specs(self, operands: Specs) -> list[ShapeDtype]:
        """Those of the leaves."""
        n_y = self._structure.n_leaves
        return self._wanted(operands[n_y : n_y + self.n])

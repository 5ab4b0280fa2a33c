"""The host parts of one primitive, as calls that an engine runs: its primal, its rules and what they keep."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rulebook.host import Arrays, HostCall
from rulebook.hostcalls import Closure, Flags, Joint, Primal, Pull, PullGiven, Push, Start, TokenPull
from rulebook.hostresults import Results
from rulebook.memory import note_change, read_only
from rulebook.residuals import RESIDUALS, size_of
from rulebook.tangents import ShapeDtype
from rulebook.trees import Structure

if TYPE_CHECKING:
    from rulebook.normal import NormalForm

__all__ = ["Hosted"]

Leaves = Sequence[Any]

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
        self.results = Results(form)
        self._primal = Primal(self)
        self._calls: dict[Hashable, HostCall] = {}
        self._kept: dict[int, tuple[int, int]] = {}  # bytes of the arguments -> how many pullbacks, plus one, and what one keeps

    def _call(self, kind: Callable[..., HostCall], *parameters: Any) -> HostCall:
        """One call for the same parameters: an engine may compile it."""
        key = kind, parameters
        call = self._calls.get(key)
        if call is None:
            call = self._calls.setdefault(key, kind(self, *parameters))
        return call

    def structure_of(self, leaves: Leaves) -> Structure:
        """The structure of y, which was seen or can be found out."""
        return self.results.one or self.results.find([self.form.engine.spec(x) for x in leaves])[1]

    def _moving(self, values: Leaves) -> Flags:
        return tuple([self.form.engine.has_tangent(v) for v in values])

    # -- what NormalForm asks for ---------------------------------------------------------------

    def primal(self, leaves: Leaves) -> tuple[list[Any], Structure]:
        """The leaves of y and its structure."""
        ys = self.form.engine.host_call(self._primal, leaves)
        return ys, self.structure_of(leaves)

    def joint(self, leaves: Leaves, tangents: Leaves) -> tuple[list[Any], list[Any], Structure]:
        """y and its tangents."""
        given = tuple([t is not None for t in tangents])
        out = self.form.engine.host_call(self._call(Joint, given), [*leaves, *[t for t in tangents if t is not None]])
        structure = self.structure_of(leaves)
        ys, dots = out[: structure.n_leaves], iter(out[structure.n_leaves :])
        return ys, [next(dots) if m else None for m in self._moving(ys)], structure

    def push(self, ys: Leaves, structure: Structure, leaves: Leaves, tangents: Leaves) -> list[Any]:
        """The tangents of a y that is known."""
        given, moving = tuple([t is not None for t in tangents]), self._moving(ys)
        call = self._call(Push, structure, given, moving)
        dots = iter(self.form.engine.host_call(call, [*ys, *leaves, *[t for t in tangents if t is not None]]))
        return [next(dots) if m else None for m in moving]

    def start(self, leaves: Leaves) -> tuple[list[Any], Structure, Pull]:
        """y and its pullback: the very closure where the values are concrete, else its token."""
        engine = self.form.engine
        taken = self.direct(leaves)
        if taken is not None and engine.is_concrete(leaves):
            return self._start_direct(taken, leaves)
        arrays = engine.concrete(leaves)
        if arrays is not None:
            found, structure, pull = self.begin([read_only(a) for a in arrays])
            return engine.from_host(found, _like(leaves)), structure, self.pullback(leaves, arrays, pull)
        *ys, token = engine.host_call(self._call(Start), leaves)
        make = lambda given, outs: self._call(TokenPull, given, outs)
        return ys, self.structure_of(leaves), self._pull_leaves(make, [token, *leaves], leaves)

    def pullback(self, leaves: Leaves, arrays: Arrays, pull: Pull) -> Pull:
        """The author's pullback of arrays, which are the values of leaves, as one of the engine's values."""
        return self._pull_leaves(lambda given, outs: Closure(self, pull, arrays, arrays, given, outs), [], leaves)

    def direct(self, values: Leaves) -> NormalForm | None:
        """The primitive on values of the engine, where its host code takes values like these; else None."""
        takes = self.form.primitive.takes
        return self._direct if takes is not None and takes(self.form.engine, values) else None

    @functools.cached_property
    def _direct(self) -> NormalForm:
        form = self.form
        return type(form)(form.primitive, form.engine, form.structure, form.opaque, form.statics, takes_values=True)

    def learn(self, leaves: Leaves, ys: Leaves, structure: Structure) -> None:
        """Remember what a result looks like that came as values of the engine; at every call, that would cost half of one."""
        if self.results.one == structure:
            return
        spec = self.form.engine.spec
        self.results.learn([spec(x) for x in leaves], [spec(y) for y in ys], structure)

    def _start_direct(self, form: NormalForm, leaves: Leaves) -> tuple[list[Any], Structure, Pull]:
        """y and its pullback, on values of the engine; as a callback of a compiled program it gets NumPy arrays."""
        rule = self.form.reverse
        assert rule is not None
        y, pull = form.run(rule, lambda args: rule.start(form, form.evaluate, args), form.args(leaves))
        ys, structure = form.flatten_result(y, rule.kind)
        self.learn(leaves, ys, structure)
        look, like = [_look(form.engine.spec(x)) for x in leaves], [_look(form.engine.spec(y)) for y in ys]
        on_arrays = self.numpy.pull_of(rule, pull, like, structure, look)
        on_values = form.pull_of(rule, pull, tuple(ys), structure, leaves)
        make = lambda given, outs: Closure(self, on_arrays, leaves, look, given, outs, on_values)
        return ys, structure, self._pull_leaves(make, [], leaves)

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
        call = self._call(PullGiven, structure, given, outs)
        x_bars = iter(self.form.engine.host_call(call, [*ys, *leaves, *[c for c in cotangents if c is not None]]))
        return [next(x_bars) if o else None for o in outs]


def _look(spec: ShapeDtype) -> Any:
    """An array of a shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), spec.dtype), spec.shape)


def _like(leaves: Leaves) -> Any:
    return leaves[0] if leaves else None

"""A batch gives what a loop over its members gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from rulebook import trees
from rulebook.testing.law.base import Law, differ, report_at
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import Broken, LeftOut, short

_MEMBERS = 3
_STEPS = (0.1, 1e-2, 1e-4)


class Batch(Law):
    """The batch rule, or a host function that takes extra leading axes, agrees with a loop."""

    id = "batch"
    title = "a batch gives what a loop over its members gives"
    proves = "batching changes speed alone"
    mend = "keep the batch axis in front, and say in out_batched which results have one"
    often = "deep"
    order = 62

    def check(self, probe: Probe) -> None:
        """Stack some points and compare member by member; for a batch rule also with some arguments shared."""
        p = probe.subject.primitive
        if not probe.trial.inputs.n or not (p.batch is not None or (p.host and p.vectorized)):
            return
        members = self._members(probe)
        numeric = [i for i, leaf in enumerate(probe.trial.leaves) if isinstance(leaf, (np.ndarray, np.generic, int, float, complex))]
        if p.batch is None:
            self._vectorized(probe, members, numeric)
            return
        moving = probe.trial.inputs.at
        for batched in [moving, *([i] for i in moving if len(moving) > 1)]:
            self._rule(probe, members, batched, numeric)

    def _members(self, probe: Probe) -> list[Array]:
        """The vectors of points at which the function is defined and its results have one shape."""
        members = [probe.trial.x]
        for k in range(1, _MEMBERS):
            for size in _STEPS:
                x = probe.trial.x + k * size * probe.tangents[0]
                if probe.trial.f(x) is not None:
                    members.append(x)
                    break
        if len(members) < 2:
            raise LeftOut("the function is not defined next to the point")
        return members

    @staticmethod
    def _stacked(probe: Probe, members: list[Array], batched: Sequence[int]) -> list[Any]:
        """The leaves of the arguments; those that are batched with the members in front."""
        leaves = list(probe.trial.leaves)
        moved = dict(zip(probe.trial.inputs.at, zip(*map(probe.trial.inputs.unpack, members), strict=True), strict=True))
        for i in batched:
            leaves[i] = np.stack(moved[i] if i in moved else [np.asarray(leaves[i])] * len(members))
        return leaves

    def _vectorized(self, probe: Probe, members: list[Array], numeric: list[int]) -> None:
        trial = probe.trial

        def call(batched: Sequence[int]) -> Any:
            leaves = self._stacked(probe, members, batched)
            return trial.subject.fn(*trial.structure.unflatten(iter(leaves)), **trial.fresh_statics())

        try:
            y = call(numeric)
        except Exception as error:
            if numeric == trial.inputs.at:
                raise Broken(self.id, None, "a host function that takes a batch, as vectorized=True says", _raised(error)) from error
            try:
                y = call(trial.inputs.at)  # integers are perhaps no arrays but options
            except Exception as again:
                raise Broken(self.id, None, "a host function that takes a batch, as vectorized=True says", _raised(again)) from again
        leaves, structure = trees.flatten(y)
        if structure != trial.y_structure:
            raise Broken(self.id, None, f"structure {trial.y_structure!r}", f"structure {structure!r}", argument="y")
        self._compare(probe, None, members, leaves, [True] * len(leaves), trial.inputs.at)

    def _rule(self, probe: Probe, members: list[Array], batched: Sequence[int], numeric: list[int]) -> None:
        trial, rule = probe.trial, probe.subject.primitive.batch
        leaves = self._stacked(probe, members, batched)
        flags = [i in batched for i in numeric]
        try:
            ys, out, structure = trial.form().batched(len(members), flags, [leaves[i] for i in numeric])
        except Exception as error:
            which = self._names(probe, batched)
            raise Broken(self.id, rule, "(y, out_batched), as for every member alone", _raised(error), argument=which) from error
        if structure != trial.y_structure:
            raise Broken(self.id, rule, f"structure {trial.y_structure!r}", f"structure {structure!r}", argument="y")
        self._compare(probe, rule, members, ys, out, batched)

    @staticmethod
    def _names(probe: Probe, batched: Sequence[int]) -> str:
        return "batched " + ", ".join(probe.trial.paths[i] for i in batched)

    def _compare(self, probe: Probe, rule: Any, members: list[Array], ys: list[Any], out: list[bool], batched: Sequence[int]) -> None:
        trial = probe.trial
        moved = np.zeros(trial.inputs.n, bool)
        for i, part in zip(trial.inputs.at, trial.inputs.slices, strict=True):
            moved[part] = i in batched
        which = self._names(probe, batched)
        for k, member in enumerate(members):
            expected = trial.f(np.where(moved, member, trial.x))
            if expected is None:
                raise LeftOut("the function is not defined at a member of the batch")
            at = trial.outputs.at
            rows = [self._row(rule, ys[i], k if out[i] else None, len(members), trial.y_leaves[i], trial.y_paths[i]) for i in at]
            got = trial.outputs.pack(rows)
            same = (got == expected) | (np.isnan(got) & np.isnan(expected))
            got, expected = np.where(same, 0, got), np.where(same, 0, expected)
            bad = differ(probe, got, expected, np.abs(expected), lambda: 50 * probe.noise, trial.outputs.eps)
            if bad.any():
                name = lambda path, k=k: f"member {k} of {path}, {which}"
                raise report_at(self.id, rule, trial.outputs, got, expected, bad, name)

    def _row(self, rule: Any, y: Any, k: int | None, size: int, want: Any, path: str) -> Any:
        y, want = np.asarray(y), np.asarray(want)
        shape = want.shape if k is None else (size, *want.shape)
        if y.shape != shape or y.dtype != want.dtype:
            raise Broken(self.id, rule, f"shape {shape}, {want.dtype}", f"shape {y.shape}, {y.dtype}", argument=path)
        return cast(Any, y if k is None else y[k])


def _raised(error: Exception) -> str:
    return f"{type(error).__name__}: {short(str(error), 200)}"

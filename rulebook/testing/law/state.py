"""Rules are functions: nothing they are given changes, nothing they keep is changed by another call."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from rulebook import forms, trees
from rulebook.testing.law.base import Law, report_at
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array, rounding
from rulebook.testing.trial import fresh
from rulebook.testing.verdicts import Broken, LeftOut


def _changed(before: Any, after: Any, generators: bool = False) -> str | None:
    """The path of the first array (generator) of `before` that differs in `after`; None if all are as they were."""
    if type(before) is np.ndarray and type(after) is np.ndarray and _equal(before, after):
        return None
    leaves, structure = trees.flatten(before)
    now, structure_now = trees.flatten(after)
    if structure != structure_now:
        return ""
    for path, a, b in zip(trees.leaf_paths(structure), leaves, now, strict=True):
        if isinstance(a, (np.ndarray, np.generic)) and not _equal(a, np.asarray(b)):
            return path
        if generators and isinstance(a, np.random.Generator) and a.bit_generator.state != b.bit_generator.state:
            return path
    return None


def _equal(a: Any, b: Any) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes() or bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))


class Untouched(Law):
    """Arguments, statics, tangents and cotangents are as they were after a rule has run."""

    id = "untouched"
    title = "nothing that a rule is given is changed"
    proves = "the values that other parts of a program still use stay what they are"
    mend = "write into a copy"
    often = "some"
    order = 12

    def check(self, probe: Probe) -> None:
        """Run every rule on copies and compare them afterwards; a generator may be drawn from if the function does so."""
        still = self._function(probe)
        for forward in probe.subject.forward:
            self._forward(probe, forward, still)
        for reverse in probe.subject.reverse:
            self._reverse(probe, reverse, still)

    def _arguments(self, probe: Probe, rule: forms.Rule | None, args: tuple[Any, ...], generators: bool = False) -> None:
        names = probe.subject.signature.primal_names(len(args))
        for name, a, b in zip(names, probe.trial.args(), args, strict=True):
            self._compare(rule, name, a, b, generators)

    def _compare(self, rule: forms.Rule | None, name: str, before: Any, after: Any, generators: bool = False) -> None:
        path = _changed(before, after, generators)
        if path is not None:
            raise Broken(self.id, rule, "what was passed", "other values, written in place", argument=f"{name}{path}")

    def _statics(self, rule: forms.Rule | None, before: dict[str, Any], after: dict[str, Any]) -> None:
        for key, value in before.items():
            if isinstance(value, np.ndarray):
                self._compare(rule, f"static {key}", value, after[key])
            elif isinstance(value, (list, dict, set)) and repr(value) != repr(after[key]):
                raise Broken(self.id, rule, "the option that was passed", "another, changed in place", argument=f"static {key}")

    def _function(self, probe: Probe) -> bool:
        """Whether the function leaves all generators as they are."""
        trial = probe.trial
        args = trial.args()
        try:
            trial.subject.fn(*args, **trial.fresh_statics())
        except (Exception, SystemExit) as error:
            raise LeftOut("the function raises at its second call") from error
        if not trial.point.declared and _changed(trial.args(), args) is not None:
            raise LeftOut("the function changes its arguments")
        self._arguments(probe, None, args)
        return _changed(trial.args(), args, generators=True) is None

    def _forward(self, probe: Probe, rule: forms.Forward, still: bool) -> None:
        trial = probe.trial
        args, dots, y = trial.args(), trial.tangent_args(probe.tangents[0]), trial.y_tree()
        trial.joint(rule, dots, args, y)
        statics = trial.last_statics
        self._arguments(probe, rule, args, still)
        self._compare(rule, "the tangents", trial.tangent_args(probe.tangents[0]), dots)
        self._compare(rule, "y", trial.y_tree(), y)
        self._statics(rule, trial.fresh_statics(), statics)

    def _reverse(self, probe: Probe, rule: forms.Reverse, still: bool) -> None:
        trial = probe.trial
        started = trial.start(rule)
        statics = trial.last_statics
        y = fresh_tree(started.y)
        y_bar = trial.cotangent_tree(probe.cotangents[0])
        trial.pull_tree(rule, started, y_bar)
        self._arguments(probe, rule, started.args, still)
        self._compare(rule, "y_bar", trial.cotangent_tree(probe.cotangents[0]), y_bar)
        self._compare(rule, "y", y, started.y)
        self._statics(rule, trial.fresh_statics(), statics)


def fresh_tree(tree: Any) -> Any:
    """A container with copies of its arrays."""
    leaves, structure = trees.flatten(tree)
    return structure.unflatten(iter([fresh(leaf) for leaf in leaves]))


def _unlike(got: Array, expected: Array, eps: Array, accuracy: float) -> Array:
    """Where two results that should be the same differ by more than the order of additions explains."""
    size = np.abs(got) + np.abs(expected)
    top = size[np.isfinite(size)].max(initial=0.0)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    differs: Array = ~same & ~(np.abs(got - expected) <= (rounding(eps) + accuracy) * size + eps * top)
    return differs


class Again(Law):
    """The same call gives the same result, however often and whatever came between."""

    id = "again"
    title = "a second call gives what the first gave, also with another one between"
    proves = "engines may call a pullback or pushforward any number of times, in any order"
    mend = "keep nothing between calls; take randomness from a generator or seed that is passed in"
    often = "some"
    order = 14

    def check(self, probe: Probe) -> None:
        """Repeat the function, the pushforward and the pullback."""
        trial, accuracy = probe.trial, probe.subject.accuracy
        y = trial.f(trial.x)
        if y is None or _unlike(y, trial.y, trial.outputs.eps, accuracy).any():
            got = "nothing" if y is None else "other values"
            do = "make the function deterministic: pass a seed or a numpy.random.Generator"
            raise Broken(self.id, None, "the function's result once more", got, argument="y", do=do)
        for forward in probe.subject.forward:
            self._forward(probe, forward)
        for reverse in probe.subject.reverse:
            self._reverse(probe, reverse)

    def _forward(self, probe: Probe, rule: forms.Forward) -> None:
        trial = probe.trial
        v = probe.tangents[0]
        first = probe.pushed(rule)[0]
        trial.push(rule, -0.5 * v)
        second = trial.push(rule, v)
        bad = _unlike(second, first, trial.outputs.eps, probe.subject.accuracy)
        if bad.any():
            raise report_at(self.id, rule, trial.outputs, second, first, bad, lambda path: "y_dot" + path[1:])

    def _reverse(self, probe: Probe, rule: forms.Reverse) -> None:
        trial = probe.trial
        started = trial.start(rule)
        w = probe.cotangents[0]
        tree = trial.cotangent_tree(w)
        first = trial.pull_tree(rule, started, tree)
        for other in (w, -0.5 * w, w):
            again = trial.pull(rule, started, other)
        for got in (again, probe.pulled(rule)[0]):
            bad = _unlike(got, first, trial.inputs.eps, probe.subject.accuracy)
            if bad.any():
                raise report_at(self.id, rule, trial.inputs, got, first, bad, lambda path: "x_bar of " + path)


class Residuals(Law):
    """What one call keeps or returns is not changed by another call."""

    id = "residuals"
    title = "results and residuals of one call survive the next"
    proves = "several pullbacks may be alive at once, and arrays may be reused by their owner"
    mend = "allocate fresh arrays in each call; key what is cached by value, not by identity"
    often = "some"
    order = 16

    def check(self, probe: Probe) -> None:
        """Interleave calls at two points, and call with the same arrays after overwriting them."""
        other = self._elsewhere(probe)
        for forward in probe.subject.forward:
            self._forward(probe, forward, other)
        for reverse in probe.subject.reverse:
            self._reverse(probe, reverse, other)

    def _elsewhere(self, probe: Probe) -> Array:
        """Another point at which the function is defined."""
        trial = probe.trial
        for size in (0.1, 1e-2, 1e-4):
            x: Array = trial.x + size * probe.tangents[0]
            y = trial.f(x)
            if y is not None and np.isfinite(y[probe.finite]).all():
                return x
        raise LeftOut("the function is not defined next to the point")

    def _forward(self, probe: Probe, rule: forms.Forward, other: Array) -> None:
        trial, v = probe.trial, probe.tangents[0]
        y, y_dot = trial.joint(rule, trial.tangent_args(v))
        kept = fresh_tree((y, y_dot))
        trial.push(rule, -v, other)
        self._kept(rule, kept, (y, y_dot), "(y, y_dot)")
        args = trial.args()
        trial.joint(rule, trial.tangent_args(v), args)
        args = _overwrite(args, trial.args(other))
        got = trial.fit_tangent(rule, trial.joint(rule, trial.tangent_args(v), args, trial.y_at(other))[1])
        expected = trial.push(rule, v, other)
        bad = _unlike(got, expected, trial.outputs.eps, probe.subject.accuracy)
        if bad.any():
            raise report_at(self.id, rule, trial.outputs, got, expected, bad, lambda path: "y_dot" + path[1:])

    def _reverse(self, probe: Probe, rule: forms.Reverse, other: Array) -> None:
        trial, w = probe.trial, probe.cotangents[0]
        expected = probe.pulled(rule)[0]
        started = trial.start(rule)
        y = fresh_tree(started.y)
        raw = trial.raw_pull(rule, started, trial.cotangent_tree(w))
        kept = fresh_tree(raw)
        between = trial.start(rule, other)
        there = trial.pull(rule, between, w)
        trial.pull(rule, between, -w)
        self._kept(rule, kept, raw, "the cotangents")
        self._kept(rule, y, started.y, "y")
        got = trial.pull(rule, started, w)
        bad = _unlike(got, expected, trial.inputs.eps, probe.subject.accuracy)
        if bad.any():
            raise report_at(self.id, rule, trial.inputs, got, expected, bad, lambda path: "x_bar of " + path)
        self._reused(probe, rule, other, there)

    def _reused(self, probe: Probe, rule: forms.Reverse, other: Array, expected: Array) -> None:
        """A call with the same array objects, that hold other values now."""
        trial, w = probe.trial, probe.cotangents[0]
        args = trial.args()
        trial.pull(rule, trial.start(rule, args=args), w)
        args = _overwrite(args, trial.args(other))
        got = trial.pull(rule, trial.start(rule, args=args, y=trial.y_at(other)), w)
        bad = _unlike(got, expected, trial.inputs.eps, probe.subject.accuracy)
        if bad.any():
            raise report_at(self.id, rule, trial.inputs, got, expected, bad, lambda path: "x_bar of " + path)

    def _kept(self, rule: forms.Rule, before: Any, after: Any, what: str) -> None:
        if _changed(before, after) is not None:
            raise Broken(self.id, rule, f"{what} of a call as it was", "other values, after another call", argument=what)


def _overwrite(args: tuple[Any, ...], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The very arrays of some arguments with other values in them; what is no array is replaced."""
    leaves, structure = trees.flatten(args)
    for i, new in enumerate(trees.flatten(values)[0]):
        if isinstance(leaves[i], np.ndarray) and leaves[i].dtype != object:
            leaves[i][...] = new
        else:
            leaves[i] = new
    return cast(tuple[Any, ...], structure.unflatten(iter(leaves)))


class Thunks(Law):
    """A thunk gives the same whenever it is called."""

    id = "thunks"
    title = "a thunk called late gives what it gives at once"
    proves = "an engine may ask for each cotangent when it needs it"
    mend = "bind what the thunk uses as its own variables"
    often = "deep"
    order = 18

    def check(self, probe: Probe) -> None:
        """Call thunks in reverse order, after another pullback has run."""
        trial = probe.trial
        for rule in probe.subject.reverse:
            w = probe.cotangents[0]
            started = trial.start(rule)
            raw = trial.raw_pull(rule, started, trial.cotangent_tree(w))
            if not trial.has_thunks(raw):
                continue
            trial.pull(rule, started, -w)
            got = trial.fit_cotangents(rule, trial.force_backwards(rule, raw))
            expected = probe.pulled(rule)[0]
            bad = _unlike(got, expected, trial.inputs.eps, probe.subject.accuracy)
            if bad.any():
                raise report_at(self.id, rule, trial.inputs, got, expected, bad, lambda path: "x_bar of " + path)


class Space(Law):
    """Cotangents lie in the declared tangent space."""

    id = "tangent-space"
    title = "cotangents lie in the declared tangent space"
    proves = "the cotangent is the natural one: descent along it stays in the space"
    mend = "project it: return the symmetric part, the pattern, the tangential part"
    order = 35

    def check(self, probe: Probe) -> None:
        """Project every cotangent and compare."""
        trial = probe.trial
        if probe.subject.tangent_space is None:
            return
        for rule in probe.subject.reverse:
            known = probe.implemented(rule, trial.inputs.n)
            for w, x_bar in zip(probe.cotangents, probe.pulled(rule), strict=True):
                expected = trial.project(x_bar)
                top = np.zeros(len(x_bar))
                for part in trial.inputs.slices:
                    top[part] = np.abs(x_bar[part]).max(initial=0.0)
                gap = np.abs(x_bar - expected)
                bad = known & ~(gap <= (rounding(trial.inputs.eps) + probe.subject.accuracy) * top) & np.isfinite(x_bar)
                if bad.any():
                    bad &= ~(gap <= probe.pull_noise(rule, w) + rounding(trial.inputs.eps) * top)
                if bad.any():
                    raise report_at(self.id, rule, trial.inputs, x_bar, expected, bad, lambda path: "x_bar of " + path)

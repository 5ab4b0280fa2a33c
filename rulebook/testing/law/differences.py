"""Rules agree with finite differences of their function, as far as those can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from rulebook import forms
from rulebook.testing.comparison import DIGITS, Comparison, Verdict
from rulebook.testing.law.base import Law, report_at, settle
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Estimate, Ladder
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import Broken, short

_ROWS = 8  # directions along which differences are taken at one point


def _rows(probe: Probe, weight: Array) -> list[int]:
    """The dense directions, those of single leaves, and of the single elements those that matter least and most, and some others.

    Args:
        probe: with its directions.
        weight: how much each direction contributes; what contributes least is where errors hide.
    """
    n = len(probe.tangents)
    first = 2 + (len(probe.trial.inputs.at) if len(probe.trial.inputs.at) > 1 else 0)
    if n <= max(first, _ROWS):
        return [0, *range(first, n), *range(1, min(first, n))] if n else []
    order = first + np.argsort(weight[first:], kind="stable")
    some = probe.rng.choice(order[2:-1], max(1, _ROWS - first - 3), replace=False)
    single = [int(i) for i in dict.fromkeys([order[-1], *order[:2], *some])]
    return [0, *single, *range(1, first)]


class Forward(Law):
    """The forward rule is the derivative of the function."""

    id = "differences-forward"
    title = "y_dot is the derivative of the function along x_dot"
    proves = "the forward rule belongs to this function, at every point and for every option that was drawn"
    mend = "compare with the derivation; the element and the factor named here say where"
    order = 20
    quick = True

    def check(self, probe: Probe) -> None:
        """Compare J v with differences along v."""
        settle(check for rule in probe.subject.forward for check in self._checks(probe, rule))

    def _checks(self, probe: Probe, rule: forms.Forward) -> Iterator[Callable[[], None]]:
        pushed = probe.pushed(rule)
        known = probe.told(rule) & probe.finite
        for row in _rows(probe, np.abs(pushed).sum(axis=1)):
            if known[row].any():
                yield partial(self._compare, probe, rule, row, pushed[row], known[row])

    def _compare(self, probe: Probe, rule: forms.Forward, row: int, got: Array, known: Array) -> None:
        case = Comparison(
            probe,
            row,
            lambda estimate: (estimate.value, np.where(known, estimate.error, np.inf)),
            got,
            lambda expected: np.abs(got) + np.abs(expected),
            lambda _: probe.push_noise(rule, probe.tangents[row]) + DIGITS * probe.terms(rule, row),
            probe.trial.outputs.eps,
            lambda outputs: outputs,
            np.abs(probe.trial.y),
            np.array([1.0]),
        )
        found = case.verdict()
        if found is not None:
            expected = found.expected
            broken = report_at(self.id, rule, probe.trial.outputs, got, expected, found.bad, lambda path: "y_dot" + path[1:])
            k = int(np.argmax(found.bad))
            broken.estimate, broken.plain = float(found.error[k]), found.plain
            broken.ladder = _curve(found.ladder, lambda d: abs(complex(d[k] - expected[k])))
            raise broken


class Reverse(Law):
    """The reverse rule is the transposed derivative of the function."""

    id = "differences-reverse"
    title = "<x_bar, x_dot> is the derivative of <y_bar, function> along x_dot"
    proves = "the reverse rule belongs to this function, at every point and for every option that was drawn"
    mend = "compare with the derivation; the element and the factor named here say where"
    order = 25
    quick = True

    def check(self, probe: Probe) -> None:
        """Compare <J* w, v> with the differences along v, paired with w."""
        if probe.trial.outputs.n:
            settle(check for rule in probe.subject.reverse for check in self._checks(probe, rule))

    def _checks(self, probe: Probe, rule: forms.Reverse) -> Iterator[Callable[[], None]]:
        pulled = probe.pulled(rule)
        missing = ~probe.implemented(rule, probe.trial.inputs.n)
        for row in _rows(probe, np.abs(pulled[0]) @ np.abs(probe.tangents).T):
            if not probe.tangents[row][missing].any():
                yield partial(self._compare, probe, rule, row, pulled)

    def _compare(self, probe: Probe, rule: forms.Reverse, row: int, pulled: Array) -> None:
        w, v = probe.cotangents, probe.tangents[row]
        weights, all_finite = np.abs(w), probe.finite.all()
        got = np.real(np.conj(pulled) @ v)
        size = np.abs(pulled) @ np.abs(v)

        def paired(estimate: Estimate) -> tuple[Array, Array]:
            if np.isfinite(estimate.error).all() and np.isfinite(estimate.value).all() and all_finite:  # the usual case
                return np.real(np.conj(w) @ estimate.value), weights @ estimate.error
            value = np.where(np.isfinite(estimate.value), estimate.value, 0)
            error = np.where(probe.finite, np.where(np.isfinite(estimate.value), estimate.error, np.inf), 0)
            return np.real(np.conj(w) @ value), np.where(weights > 0, weights * np.where(weights > 0, error, 0), 0).sum(axis=1)

        def noise(bad: Array) -> Array:
            return np.array([probe.pull_noise(rule, u) @ np.abs(v) if odd else 0.0 for u, odd in zip(w, bad, strict=True)])

        value = probe.differences(row).value
        terms = weights @ np.abs(np.where(np.isfinite(value), value, 0))
        eps = max(probe.trial.inputs.eps.max(initial=0.0), probe.trial.outputs.eps.max(initial=0.0))
        values = np.abs(np.where(probe.finite, probe.trial.y, 0))
        touched = lambda outputs: ((w != 0) & outputs).any(axis=1)
        scale = lambda _: size + terms
        found = Comparison(
            probe, row, paired, got, scale, noise, np.full(len(w), eps), touched, weights @ values, 1 + weights.sum(axis=1)
        ).verdict()
        if found is not None:
            raise self._broken(probe, rule, row, got, found)

    def _broken(self, probe: Probe, rule: forms.Reverse, row: int, got: Array, found: Verdict) -> Broken:
        expected, bad = found.expected, found.bad
        v = probe.tangents[row]
        moved = np.flatnonzero(v)
        single = int(moved[0]) if len(moved) == 1 else None
        path, element = probe.trial.inputs.name(single) if single is not None else ("", None)
        alone = [j for j in np.flatnonzero(bad) if np.count_nonzero(probe.cotangents[j]) == 1]
        j = int(alone[0] if alone else np.flatnonzero(bad)[0])
        scale = abs(v[single]) if single is not None else 1.0
        w = probe.cotangents[j]
        return Broken(
            self.id,
            rule,
            short(float(expected[j] / scale)),
            short(float(got[j] / scale)),
            argument=f"x_bar of {path}" if path else "<x_bar, x_dot>",
            element=element,
            estimate=float(found.error[j] / scale),
            values=(expected, got),
            ladder=_curve(found.ladder, lambda d: abs(float(np.real(np.conj(w) @ np.where(w == 0, 0, d)) - expected[j]))),
            plain=found.plain,
        )


def _curve(ladder: Ladder, gap: Callable[[Array], float]) -> tuple[tuple[float, float], ...]:
    return tuple((h, g) for h, d in ladder.differences() if np.isfinite(g := gap(d)))

"""A forward and a reverse rule of one function are transposes of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from rulebook import forms
from rulebook.testing.law.base import Law, differ, settle, underflow
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array, rounding
from rulebook.testing.verdicts import Broken, LeftOut, short

# A solve and a transposed solve agree to the condition number of what is inside the function, which nobody can see.
_TIGHT = 1e-11
# The derivative answers to rounding alike in both rules; what one of them answers more is its own.  Times a sample's slack.
_SHARED = 4.0


class Duality(Law):
    """`<y_bar, J x_dot> = <J* y_bar, x_dot>` for every pair of directions, so also per leaf and per element.

    No differences are taken, so the law is as tight as rounding: the error of each pairing is measured against the sum of
    the moduli of its products, and there is no absolute tolerance that small entries could hide below.
    """

    id = "duality"
    title = "<y_bar, J x_dot> = <J* y_bar, x_dot>"
    proves = "forward and reverse mode compute the same derivative"
    mend = "derive both maps from one formula; the reverse one is the conjugate transpose of the forward one"
    order = 30
    quick = True

    def check(self, probe: Probe) -> None:
        """Compare all pairs of directions for all pairs of rules."""
        settle(
            check
            for forward in probe.subject.forward
            for reverse in probe.subject.reverse
            for check in self._checks(probe, forward, reverse)
        )

    def _checks(self, probe: Probe, forward: forms.Forward, reverse: forms.Reverse) -> Iterator[Callable[[], None]]:
        """What is left to look at closely: pairs that differ by more than rounding usually does."""
        pushed, pulled = probe.pushed(forward), probe.pulled(reverse)
        v, w = probe.tangents, probe.cotangents
        a = np.real(np.conj(w) @ pushed.T)  # of every w with J v
        b = np.real(np.conj(pulled) @ v.T)
        scale = np.abs(w) @ np.abs(pushed).T + np.abs(pulled) @ np.abs(v).T
        eps = max(probe.trial.inputs.eps.max(initial=0.0), probe.trial.outputs.eps.max(initial=0.0))
        left_out = self._left_out(probe, forward, reverse)
        suspects = np.argwhere(~(np.abs(a - b) <= np.maximum(rounding(eps), _TIGHT) * scale) & np.isfinite(scale) & ~left_out)
        if not len(suspects):
            yield lambda: None
        for j, i in suspects[:4]:
            yield partial(
                self._settle,
                probe,
                forward,
                reverse,
                int(j),
                int(i),
                (v[i], w[j]),
                (a[j, i], b[j, i], scale[j, i], _largest(scale, int(j), int(i))),
                eps,
            )

    @staticmethod
    def _left_out(probe: Probe, forward: forms.Forward, reverse: forms.Reverse) -> Array:
        """The pairs of directions, w by v, that meet an element that a rule says it does not implement."""
        ins = ~probe.implemented(reverse, probe.trial.inputs.n)
        if not ins.any() and probe.told(forward).all():
            return np.zeros((len(probe.cotangents), len(probe.tangents)), bool)
        outs = (probe.cotangents != 0).astype(int) @ ~probe.told(forward).T > 0
        left_out: Array = outs | ((probe.tangents != 0) @ ins)
        return left_out

    def _settle(
        self,
        probe: Probe,
        forward: forms.Forward,
        reverse: forms.Reverse,
        j: int,
        i: int,
        directions: tuple[Array, Array],
        values: tuple[float, float, float, float],
        eps: float,
    ) -> None:
        v, w = directions
        a, b, scale = (np.array([value]) for value in values[:3])
        top = values[3]

        def noise() -> Array:
            ahead = np.abs(w) @ probe.push_noise(forward, probe.tangents[i])
            back = probe.pull_noise(reverse, probe.cotangents[j]) @ np.abs(v)
            least = underflow(eps) * (1 + np.abs(w).sum()) * (1 + np.abs(v).sum())
            shared = _SHARED * min(ahead, back) + min(ahead + back, float(rounding(eps)) * top)
            allowed: Array = np.maximum(shared + least, _TIGHT * scale)
            return allowed

        if not differ(probe, b, a, scale, noise, eps).any():
            return
        if ((probe.kinks(i) | ~probe.additive(i)) & (w != 0)).any():
            raise LeftOut("the function has no derivative there")
        raise Broken(
            "duality",
            reverse,
            f"<y_bar, J x_dot> = {short(float(a[0]))}, by the {forward.kind}",
            f"<J* y_bar, x_dot> = {short(float(b[0]))}",
            argument=_named(probe, i, j),
            values=(a, b),
        )


def _largest(scale: Array, j: int, i: int) -> float:
    """The largest sum of moduli among the pairs that share a direction with one: the terms may be rounded as that is."""
    found = np.concatenate([scale[j], scale[:, i]])
    return float(found[np.isfinite(found)].max(initial=0.0))


def _named(probe: Probe, i: int, j: int) -> str:
    """The argument and result that a pair of directions is about, where it is about one."""
    parts = []
    for space, row, what in ((probe.trial.inputs, probe.tangents[i], "x_dot"), (probe.trial.outputs, probe.cotangents[j], "y_bar")):
        moved = np.flatnonzero(row)
        if len(moved) == 1:
            path, element = space.name(int(moved[0]))
            parts.append(f"{what} at {path}{list(element) if element else ''}")
        else:
            names = {space.name(int(k))[0] for k in moved[[0, -1]]} if len(moved) else set()
            parts += [f"{what} in {names.pop()}"] if len(names) == 1 else []
    return ", ".join(parts)

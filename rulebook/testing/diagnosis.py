"""What a wrong derivative looks like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook import forms
from rulebook.testing.elsewhere import as_with, constant
from rulebook.testing.likeness import like, of_vectors
from rulebook.testing.matrices import Matrices, matrices
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import Broken

__all__ = ["describe"]

_CLOSE = 1e-6


def describe(broken: Broken, probe: Probe) -> str:
    """What the difference between expected and got resembles, in a few words; nothing where nothing fits."""
    look = _LOOKS.get(broken.law)
    if look is None or (broken.rule is None and broken.law != "again"):
        return ""
    try:
        return look(broken, probe)
    except Exception:  # whatever an odd rule does at one more call, the finding itself stands
        return ""


def _same(a: Array, b: Array, relative: float = _CLOSE) -> bool:
    """Whether two vectors are the same and not zero."""
    return bool(np.isfinite(a).all() and np.isfinite(b).all() and b.any() and (np.abs(a - b) <= relative * (np.abs(a) + np.abs(b))).all())


# -- against the function -----------------------------------------------------------------------------------


def _differences(broken: Broken, probe: Probe) -> str:
    rule = broken.rule
    bent = _bent(probe, rule)
    if bent:
        return bent
    found = _wrong(probe, rule)
    if found or broken.values is None:
        return found or ""
    both = matrices(probe, rule)
    if both is None:
        text = _large(broken, probe)
        if text:
            return text
    return as_with(probe, rule) or _agreeing(probe, rule, both)


def _large(broken: Broken, probe: Probe) -> str:
    """What the vectors tell where the matrices are too large."""
    assert broken.values is not None
    space = probe.trial.outputs
    placed = broken.law == "differences-forward" and len(space.at) == 1 and space.shapes[0] != ()
    expected, got = (v.reshape(space.shapes[0]) if placed else v for v in broken.values)
    return of_vectors(expected, got, broken.estimate or 0.0, "y" if placed else "")


def _wrong(probe: Probe, rule: forms.Rule) -> str | None:
    """How a rule differs from the function; None where it does not, or no matrices tell."""
    both = matrices(probe, rule)
    if both is None or not both.bad.any():
        return None
    values = probe.trial.y, probe.trial.x
    return like(both, isinstance(rule, forms.Forward), values, lambda c, leaf: constant(probe, rule, c, both.inputs.space.slices[leaf]))


def _agreeing(probe: Probe, rule: forms.Rule, both: Matrices | None) -> str:
    """Whether a rule of the other direction, written separately, makes the same mistake."""
    if both is None or not both.bad.any():
        return ""
    others = probe.subject.reverse if isinstance(rule, forms.Forward) else probe.subject.forward
    for other in others:
        theirs = matrices(probe, other)
        if other.fn is not rule.fn and theirs is not None and both.near(both.got, theirs.got, np.zeros_like(both.error)).all():
            return f"agrees with the {other.kind}, but not with the function"
    return ""


def _duality(broken: Broken, probe: Probe) -> str:
    reverse = broken.rule
    for rule in (reverse, *probe.subject.forward):
        bent = _bent(probe, rule)
        if bent:
            return f"the {rule.kind} is no linear map: {bent}"
    seen = [(rule, matrices(probe, rule)) for rule in (*probe.subject.forward, reverse)]
    known = [(rule, both) for rule, both in seen if both is not None]
    wrong = [rule for rule, both in known if both.bad.any()]
    if len(known) < 2 or not wrong:
        return ""
    right = [rule for rule, _ in known if rule not in wrong]
    if not right:
        return "neither rule is the derivative of the function"
    text = _wrong(probe, wrong[0])
    return f"the {right[0].kind} is right, the {wrong[0].kind} is not" + (f": {text}" if text else "")


# -- linearity ------------------------------------------------------------------------------------------------


def _map(probe: Probe, rule: forms.Rule) -> tuple[Callable[[Array], Array], Array]:
    """A rule as a map of vectors, and a vector to map."""
    if isinstance(rule, forms.Forward):
        return (lambda v: probe.trial.push(rule, v)), probe.tangents[0]
    assert isinstance(rule, forms.Reverse)
    started = probe.trial.start(rule)
    return (lambda w: probe.trial.pull(rule, started, w)), probe.cotangents[0]


def _bent(probe: Probe, rule: forms.Rule) -> str:
    """How a rule fails to be linear, where it evidently does."""
    linear, u = _map(probe, rule)
    what = "tangent" if isinstance(rule, forms.Forward) else "cotangent"
    once = linear(u)
    again = linear(u)
    if not once.size or not np.isfinite(once).all():
        return ""
    top = np.abs(once).max()
    if (np.abs(again - once) > _CLOSE * top).any():
        return _repeated(linear, u, once, again)
    if linear(np.zeros_like(u)).any():
        return f"an offset: not zero for a zero {what}"
    return _homogeneous(linear, u, once, what)


def _homogeneous(linear: Callable[[Array], Array], u: Array, once: Array, what: str) -> str:
    if _same(linear(-u), once):
        return f"the same for a {what} and its negative, as of a modulus"
    if _same(linear(2 * u), 4 * once):
        return f"grows with the square of the {what}"
    if once.any() and not linear(1e-9 * u).any():
        return f"zero for a small {what}, as of a threshold"
    large = linear(1e9 * u)
    if once.any() and np.abs(large).max() < 1e6 * np.abs(once).max():
        return f"bounded for a large {what}, as of a clip"
    return ""


def _linearity(broken: Broken, probe: Probe) -> str:
    return _bent(probe, broken.rule)


# -- repetition -----------------------------------------------------------------------------------------------


def _repeated(linear: Callable[[Array], Array], u: Array, once: Array, again: Array) -> str:
    third = linear(u)
    if _same(again, 2 * once) and _same(third, 3 * once):
        return "accumulates: the second call gives twice the first"
    if _same(again - once, third - again):
        return "accumulates: every call adds to the one before"
    if not again.any():
        return "zero at the second call"
    if np.allclose(again, third, rtol=_CLOSE, atol=0):
        return "another value from the second call on"
    return "another value at each call"


def _again(broken: Broken, probe: Probe) -> str:
    if broken.rule is None:
        return ""
    linear, u = _map(probe, broken.rule)
    once = linear(u)
    again = linear(u)
    if not np.allclose(again, once, rtol=_CLOSE, atol=0):
        return _repeated(linear, u, once, again)
    between = linear(-0.5 * u)
    after = linear(u)
    if _same(after, between) and not _same(after, once):
        return "gives the result of the call before"
    if not np.allclose(after, once, rtol=_CLOSE, atol=0):
        return "depends on the call before"
    return ""


def _residuals(broken: Broken, probe: Probe) -> str:
    if broken.values is None:
        return ""
    expected, got = broken.values
    rule, trial = broken.rule, probe.trial
    other = trial.x + 0.1 * probe.tangents[0]
    if isinstance(rule, forms.Forward):
        here, there = (trial.push(rule, probe.tangents[0], x) for x in (trial.x, other))
    else:
        here, there = (trial.pull(rule, trial.start(rule, x), probe.cotangents[0]) for x in (trial.x, other))
    if _same(here, there):
        return ""
    if _same(got, there) and _same(expected, here):
        return "what the latest call would give: the residuals are shared among calls"
    if _same(got, here) and _same(expected, there):
        return "what an earlier call gave: the values that the arrays held before are used"
    return ""


# -- the rest -------------------------------------------------------------------------------------------------


def _primal(broken: Broken, probe: Probe) -> str:
    if broken.values is None:
        return ""
    expected, got = broken.values
    same = (expected == 0) & (got == 0)  # what is as it should be
    text = of_vectors(np.where(same, probe.trial.y, expected), np.where(same, probe.trial.y, got), 0.0, "y")
    return text.replace("the derivative times", "the value times")


def _space(broken: Broken, probe: Probe) -> str:
    """One triangle, or a matrix that is not symmetric where it should be."""
    if broken.values is None:
        return ""
    space = probe.trial.inputs
    expected, got = broken.values
    wrong = [i for i, part in enumerate(space.slices) if not _equal(expected[part], got[part])]
    texts = {_off(expected[space.slices[i]].reshape(space.shapes[i]), got[space.slices[i]].reshape(space.shapes[i])) for i in wrong}
    return texts.pop() if len(texts) == 1 else ""


def _equal(a: Array, b: Array) -> bool:
    return bool((np.abs(a - b) <= 1e-9 * np.abs(b).max(initial=0.0)).all())


def _off(expected: Array, got: Array) -> str:
    if got.ndim < 2 or got.shape[-1] != got.shape[-2]:
        return ""
    turned = np.swapaxes(got, -1, -2)
    if _equal((got + turned) / 2, expected):
        if not np.triu(got, 1).any() or not np.tril(got, -1).any():
            return "one triangle only, where the matrix should be symmetric"
        return "not symmetric"
    if _equal((got + turned.conj()) / 2, expected):
        return "not Hermitian"
    if _equal((got - turned) / 2, expected):
        return "not antisymmetric"
    return ""


_LOOKS: dict[str, Callable[[Broken, Probe], str]] = {
    "differences-forward": _differences,
    "differences-reverse": _differences,
    "duality": _duality,
    "linearity": _linearity,
    "zero": _linearity,
    "again": _again,
    "residuals": _residuals,
    "primal": _primal,
    "tangent-space": _space,
}

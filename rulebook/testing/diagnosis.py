"""What a wrong derivative looks like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rulebook import forms
from rulebook.testing.behaviour import again, as_map, bent, linearity, residuals
from rulebook.testing.elsewhere import as_with, constant
from rulebook.testing.likeness import like, of_vectors
from rulebook.testing.matrices import Matrices, matrices
from rulebook.testing.probe import Probe
from rulebook.testing.spaces import Array
from rulebook.testing.verdicts import Broken
from rulebook.testing.whereabouts import said, which

__all__ = ["describe"]

_SINGLE = 1e-9  # no number of single precision is this close
_CAUSES = ("single precision, a rounded number or a small term", "a rounded number or a small term")


def describe(broken: Broken, probe: Probe) -> str:
    """What the difference between expected and got resembles, in a few words; nothing where nothing fits."""
    look = _LOOKS.get(broken.law)
    if look is None or (broken.rule is None and broken.law != "again"):
        return ""
    try:
        return look(broken, probe)
    except Exception:  # whatever an odd rule does at one more call, the finding itself stands
        return ""


def _differences(broken: Broken, probe: Probe) -> str:
    rule = broken.rule
    crooked = bent(probe, rule)
    if crooked:
        return crooked
    return (as_with(probe, rule) if probe.trial.statics else "") or _against(broken, probe)


def _against(broken: Broken, probe: Probe) -> str:
    """How a rule differs from the function, by all entries where that can be had, else by what the law has compared."""
    both = matrices(probe, broken.rule)
    if both is not None and both.bad.any():
        return _wrong(probe, broken.rule) or _agreeing(probe, broken.rule, both)
    if broken.values is None:
        return ""
    return _undefined(broken, probe) or (_large(broken, probe) if both is None else "") or _nearly(broken, probe)


def _undefined(broken: Broken, probe: Probe) -> str:
    """Where a rule is not finite."""
    assert broken.values is not None
    if np.isfinite(broken.values[1]).all():
        return ""
    linear, u = as_map(probe, broken.rule)
    missing = ~np.isfinite(linear(u))
    forward = isinstance(broken.rule, forms.Forward)
    space = probe.trial.outputs if forward else probe.trial.inputs
    leaves = [i for i, part in enumerate(space.slices) if missing[part].any()]
    if len(leaves) != 1:
        return "NaN or infinite"
    values = probe.trial.y if forward else probe.trial.x
    part, shape, name = space.slices[leaves[0]], space.shapes[leaves[0]], space.paths[space.at[leaves[0]]]
    if missing[part].all():
        return f"NaN or infinite{f', for {name}' if len(space.at) > 1 else ''}"
    there = missing[part].reshape(shape)
    return said("NaN or infinite", int(there.sum()), there.size, name, which(there, values[part].reshape(shape), name))


def _nearly(broken: Broken, probe: Probe) -> str:
    """To how many digits what is nearly right is right."""
    digits = _digits(broken)
    return "as precise as float32" if digits and _single(probe, broken.rule) else digits


def _digits(broken: Broken) -> str:
    assert broken.values is not None
    expected, got = broken.values
    with np.errstate(all="ignore"):
        off = np.abs(got - expected) / np.maximum(np.abs(got), np.abs(expected))
    worst = float(np.nanmax(off, initial=0.0))
    if not 1e-13 < worst < 1e-4 or (broken.estimate or 0.0) > 0.1 * np.abs(got - expected).max():
        return ""
    return f"right to {int(-np.log10(worst))} digits only, as of {_CAUSES[worst < _SINGLE]}"


def _single(probe: Probe, rule: forms.Rule) -> bool:
    """Whether a rule in double precision returns numbers of single precision."""
    if max(probe.trial.inputs.eps.max(), probe.trial.outputs.eps.max()) > 1e-10:
        return False
    linear, u = as_map(probe, rule)
    return _short(np.concatenate([linear(np.eye(1, len(u), k, dtype=u.dtype)[0]) for k in range(min(4, len(u)))]))


def _short(vector: Array) -> bool:
    """Whether numbers fit into single precision, other than by being small integers and the like."""
    parts = np.concatenate([np.real(vector), np.imag(vector)])
    return bool((parts.astype(np.float16) != parts).any() and (parts.astype(np.float32) == parts).all())


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

    def steady(factor: float, out: int, into: int) -> bool:
        return constant(probe, rule, factor, both.inputs.space.slices[into], both.outputs.space.slices[out])

    return like(both, isinstance(rule, forms.Forward), values, steady)


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
        crooked = bent(probe, rule)
        if crooked:
            return f"the {rule.kind} is no linear map: {crooked}"
    seen = [(rule, matrices(probe, rule)) for rule in (*probe.subject.forward, reverse)]
    known = [(rule, both) for rule, both in seen if both is not None]
    wrong = [rule for rule, both in known if both.bad.any()]
    if len(known) < 2 or not wrong:
        return _nearly(broken, probe)
    right = [rule for rule, _ in known if rule not in wrong]
    if not right:
        return "neither rule is the derivative of the function"
    text = _wrong(probe, wrong[0])
    return f"the {right[0].kind} is right, the {wrong[0].kind} is not" + (f": {text}" if text else "")


def _primal(broken: Broken, probe: Probe) -> str:
    if broken.values is None:
        return ""
    expected, got = broken.values
    same = (expected == 0) & (got == 0)  # what is as it should be
    digits = _digits(broken)
    if digits:
        return "as precise as float32" if _short(got) and not _short(expected) else digits
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
    "linearity": linearity,
    "zero": linearity,
    "again": again,
    "residuals": residuals,
    "primal": _primal,
    "tangent-space": _space,
}

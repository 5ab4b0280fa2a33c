"""Rules run, return what the contract asks for, and their primal is the function's."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook import forms
from rulebook.errors import RuleSignatureError
from rulebook.testing.law.base import Law, differ, report_at
from rulebook.testing.probe import Probe
from rulebook.testing.subject import Subject
from rulebook.testing.verdicts import Broken, short
from rulebook.validate import check_rule_signature

_ANOTHER_WAY = 500.0  # the rule may compute the same by other steps, which round more than a sample of three shows


def _run_all(probe: Probe) -> None:
    for forward in probe.subject.forward:
        probe.pushed(forward)
    for reverse in probe.subject.reverse:
        probe.pulled(reverse)


def signature_problem(subject: Subject, rule: forms.Rule) -> Broken | None:
    """The verdict on a rule that could not be called with the primals and statics of its function."""
    if subject.signature.var_keyword and not subject.signature.positional:  # C code that does not tell its parameters
        return None
    try:
        check_rule_signature(rule.kind, rule.fn, subject.name, subject.signature)
    except KeyError:  # rules of the library itself, as that of rb.non_differentiable
        return None
    except RuleSignatureError as error:
        parts = dict(line.split(": ", 1) for line in str(error).split("\n")[1:])
        return Broken("form", rule, parts["Expected"], parts["Got"], argument="its parameters", do=parts["Do"])
    return None


class Runs(Law):
    """A rule gives a result wherever its function does."""

    id = "runs"
    title = "the rule runs where the function does"
    proves = "no engine meets an exception that the function itself does not raise"
    mend = "let the rule accept every argument that the function accepts"
    order = 0
    quick = True

    def check(self, probe: Probe) -> None:
        """Run every rule along every direction; what is wrong in form is found on the way."""
        _run_all(probe)


class Form(Law):
    """Structure, arity, shapes and dtypes of what rules return."""

    id = "form"
    title = "tangents and cotangents have the structure, shape and dtype of their primals"
    proves = "every engine can take what the rule returns as it is"
    mend = "return y_dot like y, and a tuple with one cotangent per argument, each like its argument"
    order = 1
    quick = True

    def check(self, probe: Probe) -> None:
        """Run every rule along every direction; the trial checks what comes."""
        _run_all(probe)


class NoTangent(Law):
    """Integers, strings and other objects have no tangent."""

    id = "no-tangent"
    title = "what has no tangent gets none"
    proves = "an integer, a flag or an object is never given a derivative that would be added to it"
    mend = "return None for it"
    order = 2
    quick = True

    def check(self, probe: Probe) -> None:
        """Run every rule along every direction; the trial checks what comes."""
        _run_all(probe)


class Primal(Law):
    """The primal that an frule or rrule computes is the function's."""

    id = "primal"
    title = "the rule's own y is the function's"
    proves = "turning on differentiation does not change the result: value, structure, shape and dtype"
    mend = "compute y as the function does, or call the function"
    order = 10
    quick = True

    def check(self, probe: Probe) -> None:
        """Compare y of every rule that computes it."""
        trial = probe.trial
        for forward in probe.subject.forward:
            if not forward.given_output:
                self._compare(probe, forward, trial.joint(forward, trial.tangent_args(probe.tangents[0]))[0])
        for reverse in probe.subject.reverse:
            if not reverse.given_output:
                self._compare(probe, reverse, probe.started(reverse).y)

    def _compare(self, probe: Probe, rule: forms.Rule, y: Any) -> None:
        trial = probe.trial
        if rule in trial.missing and trial.missing[rule].all():
            return
        leaves, got = trial.fit_y(rule, y)
        for i, (a, b) in enumerate(zip(leaves, trial.y_leaves, strict=True)):
            if i not in trial.outputs.at and not _same(a, b):
                raise Broken("primal", rule, short(b), short(a), argument=trial.y_paths[i])
        same = (got == trial.y) | (np.isnan(got) & np.isnan(trial.y))
        if same.all():
            return
        got, expected = np.where(same, 0, got), np.where(same, 0, trial.y)
        top = np.abs(expected).max(initial=0.0)
        noise = lambda: _ANOTHER_WAY * probe.noise + 64 * trial.outputs.eps * top  # sums that cancel are rounded as their terms are
        bad = differ(probe, got, expected, np.abs(expected), noise, trial.outputs.eps)
        if bad.any():
            raise report_at("primal", rule, trial.outputs, got, expected, bad, lambda path: path)


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(np.array_equal(a, b)) if isinstance(b, (np.ndarray, np.generic, int)) else bool(a is b or a == b or repr(a) == repr(b))
    except Exception:  # objects that refuse to be compared
        return type(a) is type(b)

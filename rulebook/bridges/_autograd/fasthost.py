"""The same with host code: read-only arguments, results that nobody else can change, compared with `result=`.

The first call of a form goes the general way, which learns what the result looks like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook.bridges._autograd import values
from rulebook.bridges._autograd.code import plain_primal
from rulebook.bridges._autograd.fast import FastForward, FastReverse, bind_start
from rulebook.bridges._autograd.general import Run
from rulebook.errors import RulebookError
from rulebook.forms import Forward, Reverse
from rulebook.hosted import Hosted
from rulebook.memory import note_change, owned, read_only
from rulebook.namespace import run_inside
from rulebook.normal import NormalForm
from rulebook.trees import LEAF

__all__ = ["HostForward", "HostReverse"]


class NotPlainError(Exception):
    """The result is no single real array."""


def _locked(x: Any) -> Any:
    return None if x is None else read_only(np.asarray(x))


def _result(host: Hosted, arrays: tuple[Any, ...], held: list[Any]) -> Any:
    """A result of the function, the only entry of a list: compared with what was declared, in memory of its own."""
    if type(held[0]) not in values.NUMBERS or held[0].dtype.kind != "f":
        raise NotPlainError
    made = host.check(arrays, [np.asarray(held[0])], LEAF)
    held.clear()
    return owned(made)[0]


def _running(host: Hosted, what: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Host code with NumPy's namespace, and with its name in what it raises."""

    def run(*args: Any, **statics: Any) -> Any:
        try:
            return run_inside(None, lambda: fn(*args, **statics))
        except (RulebookError, NotPlainError):
            raise
        except Exception as error:
            note_change(error, what, host.numpy.name)
            raise host.numpy.explain(error, what) from error.__cause__

    return run


def _host_primal(form: NormalForm, host: Hosted) -> Callable[[tuple[Any, ...]], Any]:
    """The primal on concrete values."""
    if not form.primitive.host:
        return plain_primal(form)
    run, statics = _running(host, "primal", form.primitive.fn), form.statics

    def primal(args: tuple[Any, ...]) -> Any:
        arrays = tuple([_locked(x) for x in args])
        return _result(host, arrays, [run(*arrays, **statics)])

    return primal


def _bind_reverse(form: NormalForm, rule: Reverse, host: Hosted) -> Callable[[tuple[Any, ...]], tuple[Any, Callable[[Any], Any]]]:
    """(y, pull) of concrete arguments."""
    primal = _host_primal(form, host)
    if not rule.host:
        return bind_start(form, rule, primal)
    run_start = _running(host, rule.kind, lambda arrays: rule.start(host.numpy, primal, arrays))
    run_pull = _running(host, rule.kind, lambda pull, bar: pull(bar))
    run_given = _running(host, rule.kind, lambda y, arrays, bar: rule.pull(host.numpy, y, arrays, bar))

    def start(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
        arrays = tuple([_locked(x) for x in args])
        y, pull = run_start(arrays)
        held = [y]
        del y
        return _result(host, arrays, held), lambda bar: run_pull(pull, _locked(bar))

    def given_output(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
        y, arrays = primal(args), tuple([_locked(x) for x in args])
        return y, lambda bar: run_given(_locked(y), arrays, _locked(bar))

    return given_output if rule.given_output else start


class HostReverse(FastReverse):
    """The reverse rule of a form with host code, run directly."""

    def __init__(self, form: NormalForm, rule: Reverse, general: Run, host: Hosted) -> None:
        super().__init__(form, rule, general)
        self.host = host
        self.start = _bind_reverse(form, rule, host)
        self.plain = True  # as far as is known
        self.traceable = not (form.primitive.host or (rule.host and not rule.given_output))  # whether y comes from traceable code

    def __call__(self, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        """The result in a box of the trace."""
        if self.plain and self.host.results.real and (self.traceable or self.host.results.one is LEAF):
            try:
                return super().__call__(leaves, at, nodes, top)
            except NotPlainError:
                self.plain = False
        return self.general(leaves, at, nodes, top)

    def pull(self, y: Any, pull: Callable[[Any], Any], leaves: list[Any], at: list[int], top: int, y_bar: Any) -> list[Any]:
        """The cotangents of the arguments `at`."""
        try:
            found = super().pull(y, pull, leaves, at, top, y_bar)
        except Exception as error:  # of a thunk, too
            note_change(error, self.rule.kind, self.form.name)
            raise
        return owned(found) if self.rule.host else found

    def _checked(self, c: Any, i: int, leaves: list[Any], top: int) -> Any:
        if not self.rule.host:
            return super()._checked(c, i, leaves, top)
        alone: list[Any] = [None] * len(leaves)
        alone[i] = c
        c = self.host.numpy.fit_cotangents(self.rule, [np.asarray(x) for x in leaves], tuple(alone))[i]
        return values.zeros_like(leaves[i]) if c is None else c

    def _leaf_pull(self, ys: list[Any], structure: Any, pull: Any, leaves: list[Any]) -> Callable[..., list[Any]]:
        if self.rule.host:  # y_bar is a box: this is a second order, which the general way refuses
            return lambda y_bars, wanted: self.host.pull(ys, structure, leaves, y_bars, wanted)
        return super()._leaf_pull(ys, structure, pull, leaves)


class HostForward(FastForward):
    """The forward rule of a form with host code, run directly."""

    def __init__(self, form: NormalForm, rule: Forward, general: Run, host: Hosted) -> None:
        super().__init__(form, rule, general)
        self.host = host
        self.primal = _host_primal(form, host)
        self.plain = True
        self.traceable = not (form.primitive.host or (rule.host and not rule.given_output))
        self._run_joint = _running(host, rule.kind, lambda arrays, dots: rule.joint(host.numpy, self.primal, arrays, dots))
        self._run_push = _running(host, rule.kind, lambda y, arrays, dots: rule.push(host.numpy, self.primal, y, arrays, dots))

    def __call__(self, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        """The result in a box of the trace."""
        if self.plain and self.host.results.real and (self.traceable or self.host.results.one is LEAF):
            try:
                return super().__call__(leaves, at, nodes, top)
            except NotPlainError:
                self.plain = False
        return self.general(leaves, at, nodes, top)

    def _joint(self, args: tuple[Any, ...], dots: tuple[Any, ...]) -> Any:
        if not self.rule.host:
            return super()._joint(args, dots)
        arrays, locked = tuple([_locked(x) for x in args]), tuple([_locked(t) for t in dots])
        if self.rule.given_output:
            y = self.primal(args)
            if type(y) not in values.NUMBERS:
                raise NotPlainError
            return y, self._tangent(y, [self._run_push(_locked(y), arrays, locked)])
        y, y_dot = self._run_joint(arrays, locked)
        held, held_dot = [y], [y_dot]
        del y, y_dot
        y = _result(self.host, arrays, held)
        return y, self._tangent(y, held_dot)

    def _tangent(self, y: Any, held: list[Any]) -> Any:
        """What the rule gave, the only entry of a list: a new array as it is, other arrays copied, what is no array checked."""
        if type(held[0]) is np.ndarray:
            return owned(held)[0]
        return self.host.numpy.fit_tangents(self.rule, [np.asarray(y)], LEAF, held[0])[0]

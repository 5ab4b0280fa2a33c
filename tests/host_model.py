"""A function whose primal and rules are host code or traceable, each on its own, with marks on its derivatives and counters of what ran.

f(x, w) = sin(x) w + x w / 2, elementwise.  The forward rule gives 100 times the derivative and the reverse rule 1000 times, so that a
result shows which of them it came from.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

import rulebook as rb
from rulebook import trees

FORWARD, REVERSE = 100.0, 1000.0
X = np.array([0.3, 0.5, 1.2])
W = np.array([2.0, 0.5, 1.5])


def native(x, w):
    """The function in the operations of any engine."""
    return rb.xp(x, w).sin(x) * w + 0.5 * x * w


@dataclass(frozen=True)
class Spec:
    """Which rules there are and what is host code.

    Args:
        primal: "host" or "traceable".
        forward: the kind of forward rule, or None.
        reverse: the kind of reverse rule, or None.
        host_forward, host_reverse: whether that rule is host code.
    """

    primal: str = "host"
    forward: str | None = "pushforward"
    reverse: str | None = "pullback"
    host_forward: bool = True
    host_reverse: bool = True

    def __str__(self):
        rules = [(self.forward, self.host_forward), (self.reverse, self.host_reverse)]
        return " ".join([self.primal, *(f"{'host ' if host else ''}{kind}" for kind, host in rules if kind)]).replace(" ", "-")

    def mark(self, direction):
        """The factor on a derivative in a direction, from its own rule or from the other one."""
        own, other = (self.forward, REVERSE) if direction == "forward" else (self.reverse, FORWARD)
        return (FORWARD if direction == "forward" else REVERSE) if own else other

    def is_host(self, direction):
        """Whether the rule that gives a direction is host code."""
        use_forward = self.forward if direction == "forward" else not self.reverse
        return self.host_forward if use_forward else self.host_reverse


def specs():
    """Every combination with at least one rule and something that is host code."""
    forwards = [(None, False), *itertools.product(["frule", "pushforward"], [False, True])]
    reverses = [(None, False), *itertools.product(["rrule", "pullback"], [False, True])]
    for primal, (forward, host_forward), (reverse, host_reverse) in itertools.product(["host", "traceable"], forwards, reverses):
        if (forward or reverse) and (primal == "host" or host_forward or host_reverse):
            yield Spec(primal, forward, reverse, host_forward, host_reverse)


class Made:
    """The primitive of a spec.

    Attributes:
        f: the primitive.
        ran: how often the function was evaluated ("primal"), a forward map ("push") and a reverse map ("pull") applied.
    """

    def __init__(self, spec):
        self.ran = Counter()
        primal_is_host = spec.primal == "host"

        def evaluate(x, w, host):
            self.ran["primal"] += 1
            check_host(host, x, w)
            return native(x, w)

        self.f = f = rb.primitive(lambda x, w: evaluate(x, w, primal_is_host), host=primal_is_host, name="f", result=lambda x, w: x)

        def value(x, w, host):
            return evaluate(x, w, True) if host else f(x, w)

        def push(primals, dots, host):
            self.ran["push"] += 1
            check_host(host, primals, dots)
            (x, w), (x_dot, w_dot) = primals, dots
            xp = rb.xp(x, w, x_dot, w_dot)
            return FORWARD * ((xp.cos(x) + 0.5) * w * x_dot + (xp.sin(x) + 0.5 * x) * w_dot)

        def pull(primals, bar, host):
            self.ran["pull"] += 1
            check_host(host, primals, bar)
            x, w = primals
            xp = rb.xp(x, w, bar)
            return REVERSE * (xp.cos(x) + 0.5) * w * bar, rb.thunk(lambda: REVERSE * (xp.sin(x) + 0.5 * x) * bar)

        hf, hr = spec.host_forward, spec.host_reverse
        rules = {
            "frule": lambda primals, dots: (value(*primals, hf), push(primals, dots, hf)),
            "pushforward": lambda y, primals, dots: push(primals, dots, hf),
            "rrule": lambda x, w: (value(x, w, hr), lambda bar: pull((x, w), bar, hr)),
            "pullback": lambda y, primals, bar: pull(primals, bar, hr),
        }
        for kind, host in ((spec.forward, hf), (spec.reverse, hr)):
            if kind:
                getattr(rb, kind)(f, host=host)(rules[kind])


def check_host(host, *values):
    """Host code gets NumPy arrays that it cannot change; a rule that calls it with a NumPy scalar passes just that."""
    for value in trees.leaves_of(values) if host else ():
        assert type(value) is np.float64 or (type(value) is np.ndarray and not value.flags.writeable)


def linear_map():
    """A host function linear in x, (x, w) -> w A x, known by itself and its transpose alone; the same, traceable; a counter."""
    a = np.random.default_rng(4).normal(size=(3, 3))
    ran = Counter()

    def fn(x, w):
        ran["map"] += 1
        check_host(True, x, w)
        return w * (a @ x)

    def transposed(y_bar, x, w):
        ran["transpose"] += 1
        check_host(True, y_bar, x, w)
        return a.T @ (w * y_bar)

    f = rb.primitive(fn, host=True, name="f", result=lambda x, w: x)
    rb.transpose(f, host=True)(transposed)
    return f, (lambda x, w: w * rb.xp(x, w).matmul(a, x)), ran

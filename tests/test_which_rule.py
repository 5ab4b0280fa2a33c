"""Forward mode runs the forward rule and reverse mode the reverse rule: they are marked by different factors."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import engine_names

ENGINES = [e for e in engine_names() if importlib.util.find_spec(e if importlib.util.find_spec(e) else f"rulebook.{e}")]
FORWARD, REVERSE = 100.0, 1000.0
X = np.array([0.5, 1.0, 1.5])
FORMS = ["joint", "given output"]


def marked(rules: str, form: str) -> Any:
    """sin, whose forward rule gives 100 times the derivative and whose reverse rule 1000 times."""

    @rb.primitive
    def sine(x):
        return rb.xp(x).sin(x)

    if "f" in rules and form == "joint":
        rb.frule(sine)(lambda p, t: (rb.xp(*p).sin(p[0]), FORWARD * rb.xp(*p).cos(p[0]) * t[0]))
    elif "f" in rules:
        rb.pushforward(sine)(lambda y, p, t: FORWARD * rb.xp(*p).cos(p[0]) * t[0])
    if "r" in rules and form == "joint":
        rb.rrule(sine)(lambda x: (rb.xp(x).sin(x), lambda y_bar: (REVERSE * rb.xp(x).cos(x) * y_bar,)))
    elif "r" in rules:
        rb.pullback(sine)(lambda y, p, y_bar: (REVERSE * rb.xp(*p).cos(p[0]) * y_bar,))
    return sine


def factor(direction: str, rules: str) -> float:
    """That of the direction's own rule where it is written, else of the other."""
    ran = direction if direction in rules else rules
    return {"f": FORWARD, "r": REVERSE}[ran]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rules", ["f", "r", "fr"])
@pytest.mark.parametrize("engine", ENGINES)
def test_operators(engine: str, rules: str, form: str) -> None:
    f = marked(rules, form)
    backward = "f" if engine == "dual" else "r"  # dual numbers have forward mode only
    y_dot = rb.jvp(f, (X,), (np.ones(3),), engine=engine)[1]
    np.testing.assert_allclose(y_dot, factor("f", rules) * np.cos(X))
    x_bar = rb.grad(lambda x: f(x).sum(), engine=engine)(X)
    np.testing.assert_allclose(x_bar, factor(backward, rules) * np.cos(X))


TORCH: dict[str, tuple[str, Callable[[Any, Any, Any], Any]]] = {
    "backward": ("r", lambda t, f, x: t.autograd.grad(f(z := x.clone().requires_grad_()).sum(), z)[0]),
    "func.grad": ("r", lambda t, f, x: t.func.grad(lambda x: f(x).sum())(x)),
    "func.vjp": ("r", lambda t, f, x: t.func.vjp(f, x)[1](t.ones_like(x))[0]),
    "jacrev": ("r", lambda t, f, x: t.func.jacrev(f)(x).diag()),
    "vmap of grad": ("r", lambda t, f, x: t.func.vmap(t.func.grad(f))(x)),
    "grad of vmap": ("r", lambda t, f, x: t.func.grad(lambda x: t.func.vmap(f)(x).sum())(x)),
    "func.jvp": ("f", lambda t, f, x: t.func.jvp(f, (x,), (t.ones_like(x),))[1]),
    "jacfwd": ("f", lambda t, f, x: t.func.jacfwd(f)(x).diag()),
    "jvp of vmap": ("f", lambda t, f, x: t.func.jvp(t.func.vmap(f), (x,), (t.ones_like(x),))[1]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rules", ["f", "r", "fr"])
@pytest.mark.parametrize("mode", TORCH)
def test_torch(mode: str, rules: str, form: str) -> None:
    torch = pytest.importorskip("torch")
    direction, run = TORCH[mode]
    found = run(torch, marked(rules, form), torch.tensor(X))
    np.testing.assert_allclose(found.detach().numpy(), factor(direction, rules) * np.cos(X))


def test_torch_dual_level() -> None:
    torch = pytest.importorskip("torch")
    forward_ad = torch.autograd.forward_ad
    for rules in ("f", "r", "fr"):
        with forward_ad.dual_level():
            y = marked(rules, "joint")(forward_ad.make_dual(torch.tensor(X), torch.ones(3, dtype=torch.float64)))
            y_dot = forward_ad.unpack_dual(y).tangent
        np.testing.assert_allclose(y_dot.numpy(), factor("f", rules) * np.cos(X))

"""rb.implicit.odeint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engines import NUMPY, Engine, kind_of
from rulebook.errors import RuleSignatureError
from rulebook.implicit.ode import fixed
from rulebook.implicit.ode.choice import Choice, choose
from rulebook.implicit.ode.field import NAME, Field, Parameters
from rulebook.implicit.ode.flow import flow
from rulebook.implicit.ode.methods import FIXED
from rulebook.implicit.ode.rates import FieldRate
from rulebook.namespace import engine_for

__all__ = ["odeint"]


def odeint(
    field: Callable[..., Any],
    y0: Any,
    t: Any,
    *theta: Any,
    method: str = "RK45",
    steps: int = 1,
    rtol: float = 1e-8,
    atol: float = 1e-8,
    max_step: float = np.inf,
    sensitivity: str = "auto",
    events: None = None,
) -> Any:
    """..."""
    choice = choose(method, steps, rtol, atol, max_step, sensitivity, events)
    engine = engine_for((y0, t, theta), NAME)
    return _solve(engine, field, y0, t, theta, choice)


def _solve(engine: Engine, field: Callable[..., Any], y0: Any, t: Any, theta: tuple[Any, ...], choice: Choice) -> Any:
    x0, structure = _state(engine, y0)
    times = _times(engine, t, x0)
    params = Parameters(engine, theta)
    made = Field(field, structure, params)
    if choice.method in FIXED:
        ys = fixed.solve(engine, made, x0, times, params.moving, params.fixed, choice.method, choice.steps)
    else:
        ys = flow(x0, times, params.moving, params.fixed, rate=FieldRate(made), options=choice.options)
    return structure.unflatten(iter(ys))


def _state(engine: Engine, y0: Any) -> tuple[tuple[Any, ...], trees.Structure]:
    leaves, structure = trees.flatten(y0)
    found = []
    for path, x in zip(trees.leaf_paths(structure, "y0"), leaves, strict=True):
        x = engine.asarray(x)
        found.append(x)
    return tuple(found), structure


def _times(engine: Engine, t: Any, x0: Any) -> Any:
    return engine.asarray(t)

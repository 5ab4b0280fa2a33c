"""The options of the decorators: one list, shown by each and checked by each."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.implicit import SingularError

DECORATORS = [rb.implicit.root, rb.implicit.fixed_point, rb.implicit.minimizer]
every_decorator = pytest.mark.parametrize("decorator", DECORATORS, ids=lambda d: d.__name__)


@every_decorator
def test_signatures_show_every_option_with_its_default(decorator: Any) -> None:
    equation, *options = inspect.signature(decorator).parameters.values()
    assert equation.name in ("residual", "step", "objective")
    assert all(p.kind is p.KEYWORD_ONLY for p in options)
    assert {p.name: p.default for p in options} == {
        "host": False,
        "result": None,
        "vectorized": False,
        "linear_solver": "auto",
        "tol": None,
        "has_aux": False,
        "on_failure": "warn",
        "name": None,
        "cases": (),
        "tangent_space": None,
        "accuracy": None,
    }
    assert str(options[3]) == "linear_solver: str | collections.abc.Callable[..., typing.Any] = 'auto'"


@every_decorator
def test_an_unknown_option(decorator: Any) -> None:
    with pytest.raises(rb.RuleSignatureError, match=rf"(?s)rb\.implicit\.{decorator.__name__}, option 'hots'\..*did you mean host="):
        decorator(lambda x, a: x - a, hots=True)
    with pytest.raises(rb.RuleSignatureError, match=r"(?s)option 'listed'.*leave it out"):
        decorator(lambda x, a: x - a, listed=False)


@every_decorator
def test_options_go_by_name(decorator: Any) -> None:
    with pytest.raises(TypeError, match="positional"):
        decorator(lambda x, a: x - a, True)


def test_the_filters_of_warnings_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads share them: SciPy's warning of a singular matrix is not caught, but never given."""
    changed: list[Any] = []
    monkeypatch.setattr(warnings, "simplefilter", lambda *args, **options: changed.append(args))
    solve = rb.implicit.root(lambda x, a: 0.0 * x + 0.0 * a, host=True, name="flat")(lambda x0, a: x0)
    with pytest.raises(SingularError, match="flat"):
        rb.derivative(lambda a: solve(np.zeros(2), a), engine="dual")(1.0)
    assert not changed

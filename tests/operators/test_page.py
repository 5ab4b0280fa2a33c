"""docs/manual/operators.md has every operator in its table."""

import inspect
from pathlib import Path

import rulebook as rb
from rulebook import operators

PAGE = Path(__file__).parents[2] / "docs/manual/operators.md"


def test_every_operator_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for name, value in vars(operators).items():
        if inspect.isfunction(value):
            assert f"rb.{name}(" in text
            assert getattr(rb, name) is value

"""The mutation operators; importing the package registers them."""

from __future__ import annotations

from benchmarks.mutation.operators import arithmetic, calls, memory, names, statements
from benchmarks.mutation.operators.base import EXPRESSIONS, STATEMENTS, Scope

__all__ = ["EXPRESSIONS", "STATEMENTS", "Scope", "arithmetic", "calls", "memory", "names", "statements"]

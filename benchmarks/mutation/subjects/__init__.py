"""The right rules of the benchmark: every module of this folder has a tuple SUBJECTS."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.mutation.subject import Subject

__all__ = ["own"]


def own() -> list[Subject]:
    """All right rules written for the benchmark."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return [s for name in names for s in importlib.import_module(f"{__name__}.{name}").SUBJECTS]

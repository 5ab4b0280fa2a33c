"""The function that people call to check an engine."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.engine import Engine
from rulebook.engines import load_engine
from rulebook.testing.report import Note, Report
from rulebook.testing.scenario.collection import scenarios as every_scenario
from rulebook.testing.scenario.counts import CALLS, Calls
from rulebook.testing.scenario.model import SECOND_ORDER, Scenario
from rulebook.testing.scenario.refusals import REFUSALS, Refusal
from rulebook.testing.scenario.trial import Setting, Trial, ways_of
from rulebook.testing.scenario.ways import EngineName, shown

__all__ = ["check_engine"]


def check_engine(
    engine: EngineName,
    scenarios: Iterable[Scenario] | None = None,
    *,
    prepared: Sequence[bool] = (False, True),
    raise_: bool = True,
    operators: Any = None,
    refusals: Sequence[Refusal] = REFUSALS,
    calls: Sequence[Calls] = CALLS,
) -> Report:
    """Check that an engine gives the exact derivatives of scenarios, plainly and prepared.

    Each is called at both of its points, and at the first again.  Besides the numbers: structure, shapes and dtypes of the results,
    that nothing that was passed has changed, that results lie in memory of their own, how often the function was called, that what
    does not fit a preparation raises, and that what is refused is what is declared.

    Args:
        engine: its name, or a pair (outer, inner), for which scenarios of the first order are left out.
        scenarios: all that come with rulebook by default.
        prepared: which ways: plain, prepared.
        raise_: raise what is found, instead of only returning it.
        operators: has the operators as attributes; the module `rulebook` by default, something else to check operators of your own.
        refusals: what the engine is known to refuse; those that come with rulebook by default.
        calls: how often the function may be called; what comes with rulebook by default, () for not to count.

    Returns:
        A Report: `ok`, `findings`, `notes`; `points` counts scenarios in each way, `held` how often each law held.

    Raises:
        RuleCheckError: a law does not hold (unless `raise_=False`).
        EngineMissingError: the engine is not installed.

    Example:
        >>> from rulebook.testing import check_engine, scenarios
        >>> check_engine("dual", scenarios({"grad", "number-in"})).ok
        True
    """
    began = time.perf_counter()
    report = Report(shown(engine))
    loaded = [load_engine(name) for name in ((engine,) if isinstance(engine, str) else engine)]
    where = importlib.import_module("rulebook") if operators is None else operators
    setting = Setting(engine, where, ways_of(prepared), refusals, calls)
    for scenario in every_scenario() if scenarios is None else scenarios:
        why = _left_out(scenario, engine, loaded)
        if why:
            report.left_out += 1
            report.note(Note("left out", why))
            continue
        Trial(scenario, setting, report).run()
    report.seconds = time.perf_counter() - began
    if raise_:
        report.raise_if_wrong()
    return report


def _left_out(scenario: Scenario, engine: EngineName, loaded: Sequence[Engine]) -> str:
    """Why a scenario is not for an engine; "" where it is."""
    if not isinstance(engine, str) and scenario.operator not in SECOND_ORDER:
        return "two engines have no part in a derivative of the first order"
    for package in scenario.needs:
        if find_spec(package) is None:
            return f"{package} is not installed (pip install {package})"
    for each in loaded:
        if _is_double(scenario) and each.asarray(np.zeros(1)).dtype.itemsize < 8:
            return f"{each.name} holds no numbers of 64 bits as it is set (JAX_ENABLE_X64=1 changes that)"
    return ""


def _is_double(scenario: Scenario) -> bool:
    return any(np.asarray(leaf).dtype.name in ("float64", "complex128") for leaf in trees.leaves_of(scenario.args))

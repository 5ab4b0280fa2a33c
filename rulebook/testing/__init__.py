"""The rule checker: laws that every right rule keeps, checked at many points, with finite differences as a referee.

Needs NumPy alone; `check_engines` adds the engines that are installed.
"""

from rulebook.testing.api import check_frule as check_frule, check_rrule as check_rrule, check_rules as check_rules
from rulebook.testing.engine_law import EngineLaw as EngineLaw, engine_laws as engine_laws
from rulebook.testing.engines import check_engines as check_engines
from rulebook.testing.law import Law as Law, laws as laws
from rulebook.testing.report import Finding as Finding, Note as Note, Report as Report
from rulebook.testing.scenario import (
    Point as Point,
    Scenario as Scenario,
    check_engine as check_engine,
    computed as computed,
    scenarios as scenarios,
)
from rulebook.testing.subject import Rule as Rule
from rulebook.testing.timing import Table as Table, benchmark as benchmark

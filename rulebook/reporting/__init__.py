"""How the outcome of a check is told: as text, JSON, JUnit XML, GitHub annotations, or a page of HTML.

Each format is a function of one `Run`; none of them needs more than the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rulebook.reporting.annotations import github
from rulebook.reporting.document import as_json
from rulebook.reporting.junit import junit
from rulebook.reporting.outcome import Outcome, Run, merged
from rulebook.reporting.page import html
from rulebook.reporting.text import text

__all__ = ["FORMATS", "Outcome", "Run", "as_json", "github", "html", "junit", "merged", "text"]

FORMATS: Mapping[str, Callable[[Run], str]] = {"text": text, "json": as_json, "junit": junit, "github": github}

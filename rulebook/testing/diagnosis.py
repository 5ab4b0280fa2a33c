"""What a wrong derivative looks like."""

from __future__ import annotations

from rulebook.testing.probe import Probe
from rulebook.testing.verdicts import Broken

__all__ = ["describe"]


def describe(broken: Broken, probe: Probe) -> str:
    """What the difference between expected and got resembles."""
    return ""

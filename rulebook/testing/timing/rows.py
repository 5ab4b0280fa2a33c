"""One row of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """What one engine takes for one scenario, in one way.

    Attributes:
        engine: its name; of two engines "outer over inner".
        scenario: the name of the scenario.
        operator: that is measured.
        prepared: whether it was prepared before.
        calls: how often a call runs the Python code of the function; None where that failed.
        time: seconds of a call, the median of many.
        spread: between the quartiles of these.
        samples: how many calls were timed.
        preparation: seconds of `rb.prepare`, measured once; None where nothing was prepared.
        memory: the most bytes that a call holds, of Python's objects and NumPy's arrays; None for engines whose arrays are no NumPy arrays.
        ratio: the time in times of the function's own on NumPy arrays; None where it does not run on these.
        error: why there is no time, in one line, or "".
    """

    engine: str
    scenario: str
    operator: str
    prepared: bool
    calls: int | None = None
    time: float | None = None
    spread: float | None = None
    samples: int = 0
    preparation: float | None = None
    memory: int | None = None
    ratio: float | None = None
    error: str = ""

"""Settings of the process: `rb.config`."""

from __future__ import annotations

import operator
from types import TracebackType
from typing import Any

from rulebook.errors import RuleSignatureError

__all__ = ["SETTINGS", "Settings", "config"]


class Settings:
    """What `rb.config` sets.

    Attributes:
        host_threads: how many threads run the examples of a batch through host code.
        host_memory: how many bytes the residuals of host rules may take while a compiled program holds only their tokens.
    """

    __slots__ = ("host_memory", "host_threads")

    def __init__(self) -> None:
        self.host_threads = 1
        self.host_memory = 256 * 2**20


SETTINGS = Settings()


class _Undo:
    """Puts back what was set before, as a context manager."""

    def __init__(self, before: dict[str, int]) -> None:
        self._before = before

    def __enter__(self) -> None:
        """The settings hold already."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name, value in self._before.items():
            setattr(SETTINGS, name, value)


def config(**settings: int) -> _Undo:
    """Set how rulebook runs host code; for the whole process, or inside a `with` statement.

    Args:
        host_threads: how many threads run the examples of a batch through host code that is not `vectorized`; 1 by default.
            It pays for code that releases the GIL.  Results and errors are those of the serial loop.
        host_memory: how many bytes the residuals of host rules may take while a compiled program (`jax.jit`, `torch.compile`)
            holds only their tokens; 256 MiB by default.  What does not fit is computed again when it is needed.

    Returns:
        A context manager that puts the former settings back.

    Raises:
        RuleSignatureError: there is no such setting, or its value is not a positive integer.

    Example:
        >>> with config(host_threads=4):
        ...     SETTINGS.host_threads
        4
        >>> SETTINGS.host_threads
        1
    """
    checked = {name: _positive(name, value) for name, value in settings.items()}
    before = {name: getattr(SETTINGS, name) for name in settings}
    for name, value in checked.items():
        setattr(SETTINGS, name, value)
    return _Undo(before)


def _positive(name: str, value: Any) -> int:
    if name not in Settings.__slots__:
        known = " or ".join(sorted(Settings.__slots__))
        raise RuleSignatureError(f"rb.config, setting {name!r}.", known, repr(name), "check the spelling")
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if isinstance(value, bool) or number < 1:
        got = repr(value) if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"
        raise RuleSignatureError(f"rb.config, setting {name!r}.", "a positive integer", got, "pass 1 for the least")
    return number

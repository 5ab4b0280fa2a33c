"""What buffers refuse."""

from __future__ import annotations

from rulebook.errors import RulebookError

__all__ = ["BufferReadError", "BufferValueError", "BufferWriteError", "EscapedBufferError", "UnrolledWritesWarning"]


class BufferReadError(RulebookError, ValueError):
    """A part of a buffer was read that was never written."""


class BufferValueError(RulebookError, TypeError):
    """NumPy asked a buffer for its numbers where they are traced."""


class BufferWriteError(RulebookError, ValueError):
    """A value does not fit the part of a buffer that it was written to."""


class EscapedBufferError(RulebookError, RuntimeError):
    """A buffer was used after the transformation had ended that its values belong to."""


class UnrolledWritesWarning(UserWarning):
    """A traced program has many writes to a buffer, each of which is compiled on its own."""

"""Work buffers for code that every engine can differentiate: `rb.DiffCache`, `rb.Buffer`, `rb.freeze`."""

from rulebook.buffers.buffer import Buffer
from rulebook.buffers.cache import DiffCache, freeze

__all__ = ["Buffer", "DiffCache", "freeze"]

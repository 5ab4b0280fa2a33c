"""Tags: which derivative call a tangent belongs to.

Every derivative call takes a new tag, so that a tangent of an outer call is a constant for an
inner one ("perturbation confusion", Siskind and Pearlmutter 2005).  A later tag is an inner call.
"""

from __future__ import annotations

import itertools
import os

__all__ = ["directional", "from_pickle", "is_directional", "new_tag", "to_pickle"]

_next = itertools.count(2, 2).__next__  # atomic, so that threads share it


def new_tag() -> int:
    """The tag of a new derivative call: even, larger than all before."""
    return _next()


def directional() -> int:
    """The tag of tangents that are pushed through a linear map: odd, larger than all before.

    Such tangents have no primal (it is NaN), so that code that looks at it is refused.
    """
    return _next() + 1


def is_directional(tag: int) -> bool:
    """Whether a tag was made by `directional`."""
    return bool(tag & 1)


_token = os.urandom(8).hex()
_foreign: dict[tuple[str, int], int] = {}


def to_pickle(tag: int) -> tuple[int, str]:
    """A tag, and what tells the process it belongs to."""
    return tag, f"{os.getpid()}-{_token}"


def from_pickle(tag: int, token: str) -> int:
    """The same tag in the same process; a tag of its own for one that comes from elsewhere."""
    if token == to_pickle(tag)[1]:
        return tag
    return _foreign.setdefault((token, tag), new_tag())

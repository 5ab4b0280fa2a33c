"""The rule library: importing a module of it registers its rules.

The package is also the function `rb.rules`: Python binds a subpackage to its name in the parent
when it is imported, and `rb.rules(f)` has to go on telling what is registered for f.
"""

from __future__ import annotations

import sys
import types

from rulebook.primitive import Primitive
from rulebook.registration import RuleInfo, rules


class _Rules(types.ModuleType):
    """A module that can be called like `rb.rules`."""

    def __call__(self, f: Primitive) -> RuleInfo:
        """What is registered for a primitive."""
        return rules(f)


sys.modules[__name__].__class__ = _Rules

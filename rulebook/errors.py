"""The errors of rulebook: each names which, what was expected, what came, and what to do.

Every error derives from RulebookError and from the builtin that a user would catch.
"""

from __future__ import annotations

__all__ = [
    "DuplicateRuleError",
    "EngineMissingError",
    "FrozenBufferError",
    "HigherOrderError",
    "MixedEnginesError",
    "PreparationError",
    "ResultSpecError",
    "RuleCheckError",
    "RuleMissingError",
    "RuleOutputError",
    "RuleSignatureError",
    "RulebookError",
    "SparsityError",
]


class RulebookError(Exception):
    """The base of every error that rulebook raises.

    Args:
        which: the rule, function, engine and argument concerned.
        expected: what the contract asks for.
        got: what came instead (shape, dtype or type; never whole arrays).
        do: one imperative line that mends it.
    """

    def __init__(self, which: str, expected: str = "", got: str = "", do: str = "") -> None:
        parts = [which]
        parts += [f"{label}: {text}" for label, text in (("Expected", expected), ("Got", got), ("Do", do)) if text]
        super().__init__("\n".join(parts))


class RuleSignatureError(RulebookError, TypeError):
    """A function, rule or call whose parameters do not fit the contract."""


class RuleOutputError(RulebookError, ValueError):
    """A rule returned another arity, structure, shape or dtype than its function needs."""


class RuleMissingError(RulebookError, NotImplementedError):
    """A derivative was asked for that no rule gives and none can be derived."""


class DuplicateRuleError(RulebookError, ValueError):
    """A second rule for the same direction of one function."""


class MixedEnginesError(RulebookError, TypeError):
    """Values of two engines in one call."""


class EngineMissingError(RulebookError, ImportError):
    """The package of an engine is not installed."""


class ResultSpecError(RulebookError, TypeError):
    """A host function met traced values and the shape of its result is not known."""


class HigherOrderError(RulebookError, NotImplementedError):
    """A higher derivative that the rules at hand cannot give."""


class FrozenBufferError(RulebookError, RuntimeError):
    """A write to a buffer after it was frozen."""


class PreparationError(RulebookError, ValueError):
    """A prepared operator was called with another structure, shape or dtype."""


class SparsityError(RulebookError, ValueError):
    """A derivative is other than zero outside of the pattern that was detected or given."""


class RuleCheckError(RulebookError, AssertionError):
    """A rule breaks one of the laws that the checker proves."""

"""rulebook: the derivative of a function written once, as a rule, for every differentiation engine.

Customarily `import rulebook as rb`.  Importing rulebook imports no engine.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING, Any as _Any

from rulebook.buffers import Buffer as Buffer, DiffCache as DiffCache, freeze as freeze
from rulebook.config import config as config
from rulebook.crossing import differentiate_with as differentiate_with
from rulebook.errors import (
    DuplicateRuleError as DuplicateRuleError,
    EngineMissingError as EngineMissingError,
    FrozenBufferError as FrozenBufferError,
    HigherOrderError as HigherOrderError,
    MixedEnginesError as MixedEnginesError,
    PreparationError as PreparationError,
    ResultSpecError as ResultSpecError,
    RulebookError as RulebookError,
    RuleCheckError as RuleCheckError,
    RuleMissingError as RuleMissingError,
    RuleOutputError as RuleOutputError,
    RuleSignatureError as RuleSignatureError,
    SparsityError as SparsityError,
)
from rulebook.namespace import project as project, stop_gradient as stop_gradient, xp as xp
from rulebook.operators import (
    derivative as derivative,
    grad as grad,
    hessian as hessian,
    hvp as hvp,
    jacobian as jacobian,
    jvp as jvp,
    prepare as prepare,
    second_derivative as second_derivative,
    value_and_grad as value_and_grad,
    vjp as vjp,
)
from rulebook.primitive import case as case
from rulebook.registration import (
    batch_rule as batch_rule,
    bind as bind,
    frule as frule,
    non_differentiable as non_differentiable,
    primitive as primitive,
    primitives as primitives,
    pullback as pullback,
    pushforward as pushforward,
    rrule as rrule,
    rules as rules,
    scalar_rule as scalar_rule,
    transpose as transpose,
)
from rulebook.tangents import (
    NotImplementedTangent as NotImplementedTangent,
    NoTangent as NoTangent,
    ShapeDtype as ShapeDtype,
    ZeroTangent as ZeroTangent,
    thunk as thunk,
)
from rulebook.trees import register_dataclass as register_dataclass

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from rulebook import implicit as implicit
    from rulebook.operators.sparse import Sparsity as Sparsity


def __getattr__(name: str) -> _Any:
    """`rb.implicit` and `rb.Sparsity`, imported when first used: the first would be half of the time that importing rulebook takes."""
    if name == "implicit":
        return _import_module("rulebook.implicit")
    if name == "Sparsity":
        return _import_module("rulebook.operators.sparse").Sparsity
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

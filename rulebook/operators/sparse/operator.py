"""`rb.jacobian` and `rb.hessian` with `sparsity=`, and prepared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rulebook.engine import Engine
from rulebook.operators import kernels
from rulebook.operators.call import NONE, locate, use_of
from rulebook.operators.crossed import crossed
from rulebook.operators.options import Options
from rulebook.operators.plan import Plan
from rulebook.operators.programs import prepared
from rulebook.operators.sparse.compressed import Work, function, products
from rulebook.operators.sparse.evaluation import entries
from rulebook.operators.sparse.matrices import csr_array, matrix
from rulebook.operators.sparse.pattern import read
from rulebook.operators.sparse.points import concrete, detected
from rulebook.operators.sparse.products import Function
from rulebook.operators.sparse.scheme import scheme_of
from rulebook.operators.sparse.sparsity import Sparsity

__all__ = ["PreparedSparse", "SparseOperator"]

Args = tuple[Any, ...]


class SparseOperator:
    """A function of the arguments of fn that gives its Jacobian or Hessian as a sparse matrix, right or raised.

    Args:
        options: what the operator was asked for, with `sparsity`: "detect", a pattern or a `Sparsity`.

    Attributes:
        sparsity: what is known of the pattern; None where each call detects it.
    """

    def __init__(self, options: Options) -> None:
        kernel: kernels.Kernel = kernels.jacobian
        if options.operator == "hessian":
            kernel, options = crossed(kernels.hessian, options)
        self._options = options
        self._kind = "gradient" if kernel is kernels.jacobian and options.operator == "hessian" else options.operator
        given = options.sparsity
        detects = isinstance(given, str) and given == "detect"
        self.sparsity: Sparsity | None = None if detects else _known(given, f"{options.which}, sparsity")

    def __call__(self, *args: Any) -> Any:
        """The derivative, of shape (y.size, x.size)."""
        use, is_numpy = self._use_of(args)
        options = self.options(use, self.sparsity or self.detect(use, args))
        point, _ = locate(use, options, args, NONE)
        runs = products(use, options, point, point.xs, ())
        return result(use, options, runs, *function(use, options, point, point.xs), is_numpy)

    def _use_of(self, args: Args) -> tuple[Engine, bool]:
        use, is_numpy = use_of(self._options, args, NONE)
        if is_numpy:
            csr_array()  # if it is not installed, that is said before the work
        return use, is_numpy

    def options(self, use: Engine, sparsity: Sparsity) -> Options:
        """The options with what `products` needs."""
        symmetric = self._kind != "jacobian"
        scheme = scheme_of(sparsity.symmetric if symmetric else sparsity, use.pulls, use.reverses, symmetric)
        return replace(self._options, sparsity=Work(self._kind, scheme))

    def detect(self, use: Engine, args: Args) -> Sparsity:
        """The pattern at the arguments and beside them."""
        options = replace(self._options, sparsity=Work(self._kind))
        point, _ = locate(use, options, args, NONE)
        return Sparsity(detected(*function(use, options, point, point.xs), self._kind != "jacobian"))

    def prepare(self, example: Args, compile: Any) -> PreparedSparse:
        """The operator for arguments like the example's, with what depends on the pattern done."""
        use, _ = self._use_of(example)
        sparsity = self.sparsity or self.detect(use, example)
        made = PreparedSparse(Plan(products, self.options(use, sparsity), example, NONE, compile), sparsity)
        made(*example)
        return made


def _known(given: Any, where: str) -> Sparsity:
    return given if isinstance(given, Sparsity) else Sparsity(read(given, where))


class PreparedSparse:
    """A sparse derivative of a function at arguments like an example's: `rb.prepare(rb.jacobian, f, x, sparsity=...)`.

    Threads may call it at the same time, as far as they may call the function.

    Args:
        plan: gives the products.
        sparsity: the pattern.

    Attributes:
        sparsity: the pattern and its colourings, for other functions with the same.
    """

    def __init__(self, plan: Plan, sparsity: Sparsity) -> None:
        self.sparsity = sparsity
        self._plan = plan
        self._products = prepared(plan)

    def __call__(self, *args: Any, constants: Any = None) -> Any:
        """The derivative, of shape (y.size, x.size)."""
        plan = self._plan
        runs = self._products(*args) if constants is None else self._products(*args, constants=constants)
        contexts = plan.contexts if constants is None else plan.with_constants(constants)
        return result(plan.use, plan.options, runs, *function(plan.use, plan.options, *plan.located(args, contexts)), plan.is_numpy)


def result(use: Engine, options: Options, runs: list[list[Any]], of: Function, x: Any, is_numpy: bool) -> Any:
    """The sparse matrix, from the products; checked."""
    found = [[concrete(use, some, of.which) for some in part] for part in runs]
    data = entries(use, options, found, of, x)
    return matrix(use, options.sparsity.scheme.pattern, data, None if is_numpy else x)

"""The products that give the entries of a sparse derivative: what an engine may compile."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rulebook import trees
from rulebook.engine import Engine
from rulebook.errors import RuleSignatureError
from rulebook.operators.arguments import Point
from rulebook.operators.kernels import Arrays, Tangents
from rulebook.operators.options import Options
from rulebook.operators.results import real_number
from rulebook.operators.sparse.products import Function, pull, push, wrong_shape
from rulebook.operators.sparse.scheme import Scheme

__all__ = ["Work", "function", "products"]


@dataclass(frozen=True)
class Work:
    """What `products` needs, as the `sparsity` of the options.

    Attributes:
        kind: "jacobian"; "hessian"; or "gradient", where fn is the gradient of another function already.
        scheme: which products; None before it is known.
    """

    kind: str
    scheme: Scheme | None = None


def products(use: Engine, options: Options, point: Point, xs: Arrays, tangents: Tangents) -> list[list[Any]]:
    """For each part of the scheme and each run, products of shape (k, y.size) or (k, x.size)."""
    of, x = function(use, options, point, xs)
    scheme: Scheme = options.sparsity.scheme
    seeds = scheme.seeds(use.spec(x).dtype)
    return [
        [(push if part.forward else pull)(of, x, use.asarray(some, x)) for some in runs]
        for part, runs in zip(scheme.parts, seeds, strict=True)
    ]


def function(use: Engine, options: Options, point: Point, xs: Arrays) -> tuple[Function, Any]:
    """The function whose derivative is sparse, of one array, and the array.

    Raises:
        RuleSignatureError: a container or several arguments are to be differentiated by, or the pattern does not fit x.
    """
    x = _one_array(use, options, point, xs)
    work: Work = options.sparsity
    shape = work.scheme.pattern.shape if work.scheme else None
    if shape is not None and shape[1] != math.prod(x.shape):
        raise wrong_shape(options.which, shape, f"{math.prod(x.shape)} columns: x has shape {tuple(x.shape)}")
    fn: Callable[[Any], Any] = point
    if work.kind == "hessian":
        number = real_number(use, options, point)
        fn = lambda x: use.value_and_grad(number, (x,))[1][0]
    return Function(use, fn, options.which, shape), x


def _one_array(use: Engine, options: Options, point: Point, xs: Arrays) -> Any:
    """What is differentiated by, if it is one array of numbers that a sparse matrix can hold."""
    if not point.single or point.of is not trees.LEAF:
        got = f"structure {point.of!r}" if point.single else f"argnums={options.argnums!r}"
        raise _refused(options, "one array to differentiate by", got, "put the numbers into one array, or leave sparsity out")
    (x,) = xs
    if use.spec(x).dtype.char not in "fdgFDG":
        raise _refused(options, "numbers of 32 bits or more", str(x.dtype), "convert the argument to float32 or float64")
    if use.is_complex(x) and options.operator == "hessian":
        raise _refused(options, "real numbers", str(x.dtype), "differentiate with respect to the real and imaginary parts")
    return x


def _refused(options: Options, expected: str, got: str, do: str) -> RuleSignatureError:
    return RuleSignatureError(f"{options.which}, sparsity.", expected, got, do)

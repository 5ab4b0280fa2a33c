"""Orthogonal polynomials and functions: derivatives with respect to the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from rulebook.primitive import Primitive
from rulebook.rules._elementwise import elementwise

__all__ = [
    "eval_chebyc",
    "eval_chebys",
    "eval_chebyt",
    "eval_chebyu",
    "eval_gegenbauer",
    "eval_genlaguerre",
    "eval_hermite",
    "eval_hermitenorm",
    "eval_jacobi",
    "eval_laguerre",
    "eval_legendre",
    "eval_sh_chebyt",
    "eval_sh_chebyu",
    "eval_sh_jacobi",
    "eval_sh_legendre",
]

_DEGREE = "the derivative with respect to the degree"
_PARAMETER = "the derivative with respect to a parameter"


def _polynomial(name: str, names: str, slope: Any, text: str, *parameters: int, integer: bool = False) -> Primitive:
    """A polynomial of degree n; the slope is that of degree n - 1, which there is for n other than 0."""

    def partial(xp: Any, y: Any, n: Any, *rest: Any) -> Any:
        constant = xp.equal(n, 0)
        return xp.where(constant, 0.0, slope(n, n - xp.where(constant, 0, 1), *rest))

    cases = [
        lambda rng: (np.array([0, 1, 4]), *parameters, rng.uniform(-0.9, 0.9, 3)),
        lambda rng: (3, *parameters, rng.uniform(-0.9, 0.9, 2).astype(np.float32)),
    ]
    if not integer:
        cases.append(lambda rng: (2, *parameters, rng.uniform(-0.5, 0.5, 2) + 0.3j))
    return elementwise(
        getattr(sp, name),
        _DEGREE,
        *[_PARAMETER] * len(parameters),
        partial,
        names=names,
        doc=f"As scipy.special.{name}.  Derivation: dx = {text}.",
        cases=cases,
    )


eval_jacobi: Primitive = _polynomial(
    "eval_jacobi",
    "n alpha beta x",
    lambda n, k, a, b, x: (n + a + b + 1) * eval_jacobi(k, a + 1, b + 1, x) / 2,
    "(n + alpha + beta + 1) / 2 P_(n-1)^(alpha+1, beta+1) (DLMF 18.9.15)",
    1,
    2,
)
eval_sh_jacobi: Primitive = _polynomial(
    "eval_sh_jacobi",
    "n p q x",
    lambda n, k, p, q, x: n * eval_sh_jacobi(k, p + 2, q + 1, x),
    "n G_(n-1)^(p+2, q+1)",
    3,
    2,
)
eval_gegenbauer: Primitive = _polynomial(
    "eval_gegenbauer",
    "n alpha x",
    lambda n, k, a, x: 2 * a * eval_gegenbauer(k, a + 1, x),
    "2 alpha C_(n-1)^(alpha+1) (DLMF 18.9.19)",
    2,
)
eval_chebyt: Primitive = _polynomial("eval_chebyt", "n x", lambda n, k, x: n * eval_chebyu(k, x), "n U_(n-1) (DLMF 18.9.21)")
eval_chebyu: Primitive = _polynomial(
    "eval_chebyu", "n x", lambda n, k, x: 2 * eval_gegenbauer(k, 2, x), "2 C_(n-1)^(2) (DLMF 18.7.4, 18.9.19)"
)
eval_chebyc: Primitive = _polynomial("eval_chebyc", "n x", lambda n, k, x: n * eval_chebys(k, x), "n S_(n-1)")
eval_chebys: Primitive = _polynomial("eval_chebys", "n x", lambda n, k, x: eval_gegenbauer(k, 2, x / 2), "C_(n-1)^(2)(x / 2)")
eval_sh_chebyt: Primitive = _polynomial("eval_sh_chebyt", "n x", lambda n, k, x: 2 * n * eval_chebyu(k, 2 * x - 1), "2 n U_(n-1)(2 x - 1)")
eval_sh_chebyu: Primitive = _polynomial(
    "eval_sh_chebyu", "n x", lambda n, k, x: 4 * eval_gegenbauer(k, 2, 2 * x - 1), "4 C_(n-1)^(2)(2 x - 1)"
)
eval_legendre: Primitive = _polynomial(
    "eval_legendre", "n x", lambda n, k, x: (n + 1) * eval_jacobi(k, 1, 1, x) / 2, "(n + 1) / 2 P_(n-1)^(1, 1) (DLMF 18.9.15)"
)
eval_sh_legendre: Primitive = _polynomial(
    "eval_sh_legendre", "n x", lambda n, k, x: (n + 1) * eval_jacobi(k, 1, 1, 2 * x - 1), "(n + 1) P_(n-1)^(1, 1)(2 x - 1)"
)
eval_genlaguerre: Primitive = _polynomial(
    "eval_genlaguerre", "n alpha x", lambda n, k, a, x: -eval_genlaguerre(k, a + 1, x), "-L_(n-1)^(alpha+1) (DLMF 18.9.23)", 1
)
eval_laguerre: Primitive = _polynomial("eval_laguerre", "n x", lambda n, k, x: -eval_genlaguerre(k, 1, x), "-L_(n-1)^(1) (DLMF 18.9.23)")
eval_hermite: Primitive = _polynomial(
    "eval_hermite", "n x", lambda n, k, x: 2 * n * eval_hermite(k, x), "2 n H_(n-1) (DLMF 18.9.25)", integer=True
)
eval_hermitenorm: Primitive = _polynomial(
    "eval_hermitenorm", "n x", lambda n, k, x: n * eval_hermitenorm(k, x), "n He_(n-1) (DLMF 18.9.27)", integer=True
)

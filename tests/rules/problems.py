"""The matrix equations with their residuals: what every test here runs through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import rulebook as rb
from rulebook.primitive import Case
from rulebook.rules import linalg
from tests.rules import taylor

RESIDUALS = {
    linalg.solve_sylvester: taylor.sylvester,
    linalg.solve_continuous_lyapunov: taylor.continuous_lyapunov,
    linalg.solve_discrete_lyapunov: taylor.discrete_lyapunov,
    linalg.solve_continuous_are: taylor.continuous_are,
    linalg.solve_discrete_are: taylor.discrete_are,
}
SOLVERS = list(RESIDUALS)


@dataclass(frozen=True)
class Problem:
    """One call of a solver, and directions to differentiate it along; those of q and r are not Hermitian."""

    name: str
    f: Any
    args: tuple[Any, ...]
    static: dict[str, Any]
    tangents: tuple[Any, ...]
    weight: Any

    @classmethod
    def drawn(cls, f: Any, number: int, seed: int = 0) -> Problem:
        rng = np.random.default_rng([seed, number])
        found = f.cases[number](rng)
        args, static = (found.args, found.static) if isinstance(found, Case) else (found, {})
        tangents = tuple(None if x is None else _like(rng, x) for x in args)
        return cls(f"{f.__name__}-{number}", f, args, static, tangents, _like(rng, f(*args, **static)))

    def solve(self) -> Any:
        return self.f(*self.args, **self.static)

    def along(self, t: Any) -> Any:
        """Re <weight, solution> at the arguments moved by t."""
        xp = rb.xp(t)
        args = [None if x is None else xp.asarray(x) + t * xp.asarray(d) for x, d in zip(self.args, self.tangents, strict=True)]
        return xp.sum(xp.real(xp.conj(xp.asarray(self.weight)) * self.f(*args, **self.static)))

    def derivatives(self) -> list[float]:
        """The derivatives of `along` at zero, from the zeroth to the third."""
        found = taylor.coefficients(RESIDUALS[self.f], self.solve(), self.args, self.tangents)
        return [math.factorial(k) * float(np.sum(self.weight.conj() * c).real) for k, c in enumerate(found)]


def _like(rng: np.random.Generator, x: Any) -> Any:
    shape = np.shape(x)
    return rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.iscomplexobj(x) else 0.0)


def is_plain(args: tuple[Any, ...]) -> bool:
    """Double precision, floating, and no stacks: what the Taylor series take."""
    there = [np.asarray(x) for x in args if x is not None]
    return all(x.ndim <= 2 and x.dtype in (np.float64, np.complex128) for x in there)


def every_problem() -> list[Problem]:
    """One draw of every case that the series take."""
    drawn = (Problem.drawn(f, i) for f in SOLVERS for i in range(len(f.cases)))
    return [p for p in drawn if is_plain(p.args)]

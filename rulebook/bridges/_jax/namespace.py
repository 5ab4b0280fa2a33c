"""The array namespace for JAX values: jax.numpy, with jax.scipy where NumPy's users look in SciPy."""

from __future__ import annotations

from typing import Any

from jax import numpy as jnp

from rulebook.namespace import Namespace

__all__ = ["namespace"]


def _linalg() -> Any:
    from jax.scipy import linalg

    own = {n: getattr(linalg, n) for n in ("solve_triangular", "lu_factor", "lu_solve", "cho_solve", "expm")}
    return Namespace("jax.linalg", jnp.linalg, own)


def _special() -> Any:
    from jax.scipy import special

    return Namespace("jax.special", special, {})


namespace = Namespace("jax", jnp, {}, {"linalg": _linalg, "special": _special})

"""Functions that are linear over the reals only: conjugate, parts, modulus."""

from __future__ import annotations

from typing import Any

import numpy as np

from rulebook.dual.array import DualArray, aliases
from rulebook.dual.elementwise import combine
from rulebook.dual.errors import DroppedTangentError
from rulebook.dual.parts import join, tangent
from rulebook.dual.registry import rule, ufunc_rule
from rulebook.dual.tags import is_directional

__all__: list[str] = []


def _complex(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


@ufunc_rule(np.conjugate)
def _conjugate(x: Any) -> Any:
    if not _complex(x):
        return combine(x.tag, np.positive(x.p), [(None, x)])
    return join(np.conjugate(x.p), np.conjugate(tangent(x, x.tag)), x.tag)


def _part(part: Any, x: Any) -> Any:
    """The real or imaginary part, a view as NumPy's is."""
    q, t = part(x.p), part(tangent(x, x.tag))
    return x.seen_by(q, None, part) if type(x) is DualArray and aliases(q, x.p) else join(q, t, x.tag)


@rule(np.real)
def _real(x: Any) -> Any:
    if not _complex(x):
        return x
    return _part(np.real, x)


@rule(np.imag)
def _imag(x: Any) -> Any:
    if not _complex(x):
        return np.zeros(x.shape, x.dtype)
    return _part(np.imag, x)


def _along(direction: Any, x: Any) -> Any:
    """Re(conj(direction) * t)."""
    return np.real(np.conjugate(direction) * tangent(x, x.tag))


@ufunc_rule(np.absolute, np.fabs)
def _absolute(x: Any) -> Any:
    y = np.absolute(x.p)
    if not _complex(x):
        return combine(x.tag, y, [(np.sign(x.p), x)])
    return join(y, _along(_unit(x.p, y), x), x.tag)


def _unit(p: Any, modulus: Any) -> Any:
    """p / |p|, zero at zero."""
    return p / np.where(np.equal(modulus, 0), 1.0, modulus)


@ufunc_rule(np.sign)
def _sign(x: Any) -> Any:
    if is_directional(x.tag):
        raise DroppedTangentError(
            "np.sign on a tangent (engine dual).", "a rule that is linear in its tangents", "np.sign", "write the rule without it"
        )
    if not _complex(x):
        return np.sign(x.p)
    y, modulus = np.sign(x.p), np.absolute(x.p)
    safe = np.where(np.equal(modulus, 0), 1.0, modulus)
    t = tangent(x, x.tag)
    return join(y, (t - y * np.real(np.conjugate(y) * t)) / safe, x.tag)


@rule(np.angle)
def _angle(x: Any, deg: bool = False) -> Any:
    scale = 180 / np.pi if deg else 1.0
    return np.arctan2(np.imag(x), np.real(x)) * scale

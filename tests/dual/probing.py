"""What becomes of a tangent: a call on duals gives a dual with the right tangent, something that has none by nature, or an error."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import seed
from rulebook.dual.parts import peel, tangent
from rulebook.dual.tags import new_tag

_rng = np.random.default_rng(11)
POINT = (0.4, _rng.uniform(0.2, 0.8, size=3), _rng.uniform(0.2, 0.8, size=(3, 3)) + 2 * np.eye(3))
DOTS = tuple(_rng.normal(size=(3, *np.shape(v))) for v in POINT)
Probe = Callable[..., Any]


def outcome(probe: Probe) -> str:
    """What becomes of it: "dual", "plain" or "error: <type>" of probe(number, vector, matrix).

    Raises:
        AssertionError: a tangent is wrong, or a number that comes out plain moves with the duals that went in.
    """
    tag = new_tag()
    try:
        result = probe(*(seed(v, t, tag) for v, t in zip(POINT, DOTS, strict=True)))
    except Exception as error:
        return f"error: {type(error).__name__}"
    leaves = _leaves(result)
    duals = [x for x in leaves if isinstance(x, (Dual, DualArray))]
    for i, x in enumerate(leaves):
        if isinstance(x, (Dual, DualArray)):
            t = tangent(x, tag)
            assert t is not None and t.shape == (3, *np.shape(x)), x
            np.testing.assert_allclose(np.asarray(peel(x)), _leaves(probe(*POINT))[i], rtol=1e-10)
            np.testing.assert_allclose(t, _differences(probe, i), rtol=1e-5, atol=1e-6)
        elif not isinstance(x, (str, bool, type(None), type)):
            moved = np.asarray(_differences(probe, i))
            assert not np.any(moved), f"{x!r} is plain, and moves by {moved!r}"
    return "dual" if duals else "plain"


def _differences(probe: Probe, i: int, step: float = 1e-6) -> Any:
    slopes = []
    for j in range(3):
        ends = [probe(*(v + sign * step * t[j] for v, t in zip(POINT, DOTS, strict=True))) for sign in (1, -1)]
        above, below = (np.asarray(_leaves(end)[i], dtype=float) for end in ends)
        slopes.append((above - below) / (2 * step))
    return np.stack(slopes)


def _leaves(result: Any) -> list[Any]:
    """The numbers in a result, also those in buffers and in text."""
    found = []
    for leaf in trees.flatten(result)[0]:
        if isinstance(leaf, (bytes, bytearray, memoryview)):
            found.append(np.frombuffer(leaf, np.uint8).astype(float))
        elif isinstance(leaf, array.array):
            found.append(np.array(leaf))
        elif isinstance(leaf, np.ndarray) and leaf.dtype == object:
            items = leaf.ravel().tolist()
            found.append(np.stack(items) if all(np.ndim(v) == 0 and not isinstance(v, str) for v in items) else items)
        else:
            found.append(leaf)
    return found

"""`rb.differentiate_with`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, cast

from rulebook.crossing.differences import Differences
from rulebook.crossing.guest import Guest, primitive_of
from rulebook.crossing.inner import Inner
from rulebook.engines import engine_names, load_engine
from rulebook.errors import EngineMissingError, RuleSignatureError
from rulebook.primitive import P, Primitive, R

__all__ = ["differentiate_with", "inner_of"]

_DIFFERENCES = "differences"


def inner_of(engine: str) -> Inner:
    """The engine of that name, or differences, as what runs a function.

    Raises:
        EngineMissingError: there is no such engine, or its package is not installed.
    """
    if engine == _DIFFERENCES:
        return Differences()
    names = (*engine_names(), _DIFFERENCES)
    if engine not in names:
        near = difflib.get_close_matches(str(engine), names, n=1)
        raise EngineMissingError(
            f"rb.differentiate_with, engine {engine!r}.",
            f"one of {names}",
            repr(engine),
            f"write {near[0]!r}, if that is meant" if near else "name the engine that the function is written for",
        )
    loaded = load_engine(engine)
    return loaded.inner() or Inner(loaded)


def differentiate_with(
    f: Callable[P, R],
    engine: str,
    *,
    result: Callable[..., Any] | None = None,
    name: str | None = None,
    cases: Sequence[Any] = (),
    vectorized: bool = False,
) -> Primitive[P, R]:
    """Make a function that is written for one engine callable from every engine; its derivatives come from its own.

    Args:
        f: a function of the engine's values; its positional parameters are primals, its keyword-only ones static.
        engine: "jax", "torch", "autograd", "dual" (plain NumPy code), or "differences" (plain NumPy code that none of them can
            differentiate: central differences, whose error is estimated and refused where it is too large).
        result: maps the arguments' `rb.ShapeDtype`s to the result's, for programs that are traced; by default f is asked,
            by evaluating it on abstract values or, where the engine has none, on numbers made up.
        name: how messages call it; module and name by default.
        cases: example calls, as in `rb.primitive`.
        vectorized: f accepts extra leading axes, so a batch is one call.

    Returns:
        A primitive.  Called with values of the same engine it is f itself; with NumPy values it gives NumPy values.

    Raises:
        RuleSignatureError: f is no function.
        EngineMissingError: there is no such engine, or its package is not installed.

    Example:
        >>> import rulebook as rb
        >>> def energy(x, *, scale=1.0):
        ...     return scale * np.sum(np.sin(x) ** 2)
        >>> f = differentiate_with(energy, "dual")
        >>> f(np.zeros(3), scale=2.0)
        np.float64(0.0)
    """
    if not callable(f):
        raise RuleSignatureError("rb.differentiate_with.", "a function", f"a {type(f).__name__}", "pass the function, then its engine")
    made: Any = primitive_of(Guest(f, inner_of(engine), name), result=result, cases=cases, vectorized=vectorized)
    return cast("Primitive[P, R]", made)

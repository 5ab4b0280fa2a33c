"""autograd.extend's names: a function with rules in autograd's spelling is a primitive of every engine.

`from autograd.extend import primitive, defvjp` becomes `from rulebook.compat.autograd import primitive, defvjp`.  The function itself
gets NumPy arrays; rules may be written in autograd.numpy, which has every order, or in NumPy, which has the first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from rulebook import forms, trees
from rulebook.compat._imported import Imported, is_array, statics_of
from rulebook.engines import NUMPY, OPAQUE, kind_of, load_engine
from rulebook.errors import RuleMissingError, RuleSignatureError
from rulebook.primitive import Primitive, full_name

_engine = load_engine("autograd")  # says how to install it, before an import below fails

from autograd import tracer  # noqa: E402
from autograd.core import JVPNode, VJPNode, primitive_jvps, primitive_vjps, sum_outgrads  # noqa: E402
from autograd.extend import (  # noqa: E402
    SparseObject as SparseObject,
    VSpace as VSpace,
    vspace as vspace,
)

from rulebook.compat._autograd.rules import (  # noqa: E402
    ARRAYS,
    JvpArgnums,
    Makers,
    VjpArgnums,
    jvp_table,
    pushforward,
    values_of,
    vjp_table,
)

__all__ = [
    "SparseObject",
    "VSpace",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "imported",
    "notrace_primitive",
    "primitive",
    "vspace",
]


class AutogradPrimitive(Imported):
    """A function whose rules are in autograd's spelling.  Made by `primitive`; called like the function.

    Attributes:
        fun: the function itself.
    """

    def __init__(self, fun: Callable[..., Any], name: str | None, **options: Any) -> None:
        def primal(*arrays: Any, **statics: Any) -> Any:
            args, kwargs, _ = values_of(arrays, statics)
            return fun(*args, **kwargs)

        functools.update_wrapper(primal, fun, updated=())
        del primal.__wrapped__  # type: ignore[attr-defined]  # the parameters are those of this function
        inner = Primitive(primal, name=name or full_name(fun), host=True, listed=False)
        super().__init__(inner, _engine, **options)
        self.fun = fun
        self._foreign = tracer.primitive(functools.wraps(primal)(lambda *args, **kwargs: self(*args, **kwargs)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; the engine follows from the values."""
        if all([kind_of(type(x)) in (NUMPY, OPAQUE) for x in (*args, *kwargs.values())]):
            return self.fun(*args, **kwargs)
        boxes = [x for x in args if tracer.isbox(x)]
        if boxes and type(max(boxes, key=lambda x: x._trace)._node) not in (VJPNode, JVPNode):
            return self._foreign(*args, **kwargs)  # autograd traces for something else than derivatives
        return super().__call__(*args, **kwargs)

    def arrange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arrays by position, what else there is by name: numbers of Python are what they are in a rule."""
        arrays = [x for x in args if is_array(x)]
        constants = [i for i, x in enumerate(args) if not is_array(x)]
        statics = statics_of([str(i) for i in constants], [args[i] for i in constants])
        if not kwargs:
            return arrays, statics
        moving = {k: v for k, v in kwargs.items() if is_array(v)}
        fixed = [k for k in kwargs if k not in moving]
        statics |= statics_of(fixed, [kwargs[k] for k in fixed])
        if moving:
            self._refuse_by_keyword(moving)
            statics[ARRAYS] = tuple(moving)
        return [*arrays, *moving.values()], statics

    def _refuse_by_keyword(self, moving: dict[str, Any]) -> None:
        """Refuse arrays by keyword that may be differentiated: to autograd they are constants."""
        for name, value in moving.items():
            for leaf in trees.leaves_of(value):
                kind = kind_of(type(leaf))
                if kind not in (NUMPY, OPAQUE) and load_engine(kind).is_active(leaf):
                    raise RuleMissingError(
                        f"{self.name}, argument {name!r}.",
                        "a constant, as autograd does not differentiate arguments by keyword",
                        f"a value of {kind} that may be differentiated",
                        f"pass {name} by position",
                    )


def primitive(fun: Callable[..., Any], *, name: str | None = None, result: Callable[..., Any] | None = None) -> AutogradPrimitive:
    """Let rules be given to a function, in autograd's spelling.

    Args:
        fun: a function of NumPy arrays.  Arguments by position may be differentiated; those by keyword, and numbers of Python, are
            constants, which function and rules get as they are.
        name: how messages call it; module and name by default.
        result: see `rb.differentiate_with`.

    Returns:
        The function, which also takes any engine's values.

    Example:
        >>> import numpy as np
        >>> import rulebook as rb
        >>> @primitive
        ... def cube(x):
        ...     return x ** 3
        >>> defvjp(cube, lambda ans, x: lambda g: 3 * x ** 2 * g)
        >>> rb.grad(cube, engine="dual")(np.array(2.0))
        array(12.)
    """
    return AutogradPrimitive(fun, name, result=result)


def imported(fun: Callable[..., Any], *, name: str | None = None, result: Callable[..., Any] | None = None) -> AutogradPrimitive:
    """An existing primitive of autograd, with its rules, as one of every engine.

    Args:
        fun: made by `autograd.extend.primitive`, as are the functions of autograd.numpy; it keeps its own rules.
        name: how messages call it; module and name by default.
        result: see `rb.differentiate_with`.

    Raises:
        RuleSignatureError: it is no primitive of autograd, or has no rules.

    Example:
        >>> import autograd.numpy as anp
        >>> import numpy as np
        >>> import rulebook as rb
        >>> rb.derivative(imported(anp.sinc), engine="dual")(np.array(1.0)).round(12)
        np.float64(-1.0)
    """
    raw = getattr(fun, "fun", None)
    if raw is None or not (fun in primitive_vjps or fun in primitive_jvps):
        what = getattr(fun, "__name__", type(fun).__name__)
        raise RuleSignatureError(
            "rulebook.compat.autograd.imported.",
            "a primitive of autograd that has rules",
            f"{what}, which {'has none' if raw is not None else 'is none'}",
            "pass a primitive, or rb.differentiate_with(f, 'autograd') a function of several",
        )
    made = AutogradPrimitive(raw, name or full_name(fun), result=result)
    if fun in primitive_vjps:
        defvjp_argnums(made, primitive_vjps[fun])
    if fun in primitive_jvps:
        defjvp_argnums(made, primitive_jvps[fun])
    return made


def notrace_primitive(fun: Callable[..., Any]) -> AutogradPrimitive:
    """A function all of whose derivatives are zero.

    Args:
        fun: a function of NumPy arrays.
    """
    made = AutogradPrimitive(fun, None)
    zero = lambda *_: None
    made.inner.set_rule(forms.ZeroForward("notrace_primitive", zero), forms.ZeroReverse("notrace_primitive", zero), replace=False)
    return made


def _need(fun: Any, what: str) -> AutogradPrimitive:
    if not isinstance(fun, AutogradPrimitive):
        name = getattr(fun, "__name__", type(fun).__name__)
        raise RuleSignatureError(
            f"{what} of {name}.",
            "a function made by rulebook.compat.autograd.primitive",
            f"a {type(fun).__name__}",
            "decorate it with that primitive, or import one of autograd by rulebook.compat.autograd.imported",
        )
    return fun


# -- reverse mode ---------------------------------------------------------------------------------------


def defvjp(fun: Any, *vjpmakers: Any, argnums: Iterable[int] | None = None) -> None:
    """Define vector-Jacobian products, one maker `(ans, *args, **kwargs) -> (g -> cotangent)` per argument.

    Args:
        fun: made by `primitive`; rules that it has are replaced.
        vjpmakers: for the arguments in order; None where the derivative is zero.
        argnums: other numbers of the arguments that they are for.

    Raises:
        RuleSignatureError: fun is no such primitive, or a maker is no function.
    """
    target = _need(fun, "defvjp")
    defvjp_argnums(target, vjp_table(target.name, vjpmakers, argnums))


def defvjp_argnum(fun: Any, vjpmaker: Callable[..., Any]) -> None:
    """Define the vector-Jacobian products of all arguments by one maker `(argnum, ans, args, kwargs) -> (g -> cotangent)`."""

    def vjp_argnums(argnums: Any, *args: Any) -> Any:
        vjps = [vjpmaker(argnum, *args) for argnum in argnums]
        return lambda g: (vjp(g) for vjp in vjps)

    defvjp_argnums(fun, vjp_argnums)


def defvjp_argnums(fun: Any, vjpmaker: VjpArgnums) -> None:
    """Define them by one maker `(argnums, ans, args, kwargs) -> (g -> one cotangent per number)`."""
    _need(fun, "defvjp_argnums").inner.set_rule(None, Makers(vjpmaker), replace=True)


# -- forward mode ---------------------------------------------------------------------------------------


def defjvp(fun: Any, *jvpfuns: Any, argnums: Iterable[int] | None = None) -> None:
    """Define Jacobian-vector products, one function `(g, ans, *args, **kwargs) -> tangent` per argument.

    Args:
        fun: made by `primitive`; rules that it has are replaced.
        jvpfuns: for the arguments in order; None where the derivative is zero, "same" where the function is linear.
        argnums: other numbers of the arguments that they are for.

    Raises:
        RuleSignatureError: fun is no such primitive, or one of jvpfuns is none of these.
    """
    target = _need(fun, "defjvp")
    defjvp_argnums(target, jvp_table(target.name, target, jvpfuns, argnums))


def defjvp_argnum(fun: Any, jvpmaker: Callable[..., Any]) -> None:
    """Define the Jacobian-vector products of all arguments by one function `(argnum, g, ans, args, kwargs) -> tangent`."""

    def jvp_argnums(argnums: Any, gs: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        return sum_outgrads(jvpmaker(argnum, g, ans, args, kwargs) for argnum, g in zip(argnums, gs, strict=True))

    defjvp_argnums(fun, jvp_argnums)


def defjvp_argnums(fun: Any, jvpmaker: JvpArgnums) -> None:
    """Define them by one function `(argnums, gs, ans, args, kwargs) -> tangent`."""
    target = _need(fun, "defjvp_argnums")
    target.inner.set_rule(pushforward(target.name, jvpmaker), None, replace=True)


def def_linear(fun: Any) -> None:
    """Declare that a function is linear in each of its arguments, which gives its Jacobian-vector products."""
    target = _need(fun, "def_linear")
    defjvp_argnum(target, lambda argnum, g, ans, args, kwargs: target(*args[:argnum], g, *args[argnum + 1 :], **kwargs))

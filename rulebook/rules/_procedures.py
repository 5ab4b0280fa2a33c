"""What the solvers of `rulebook.rules.optimize` and `integrate` share: SciPy's calling convention on top of implicit rules.

SciPy's solvers take a function f(x, *args), which is no value that a derivative could have, a start, and args.  Here a primitive of
(start, *args) is made for each function and set of options, and kept: for functions that are equal where that can be known, and for
the last few others.
"""

from __future__ import annotations

import importlib
import inspect
import threading
import types
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from rulebook import captures, trees
from rulebook.engine import Engine, TracedValueError
from rulebook.engines import CONTAINER, NUMPY, OPAQUE, engine_of, kind_of, load_engine
from rulebook.errors import RuleSignatureError
from rulebook.implicit.api import Implicit
from rulebook.implicit.captured import Captured, Remade
from rulebook.implicit.equation import Equation, check_parameters
from rulebook.implicit.failures import NotConvergedError, report
from rulebook.namespace import run_inside
from rulebook.primitive import Primitive
from rulebook.signature import static_key

__all__ = [
    "arguments",
    "as_array",
    "dtype_of",
    "implicit",
    "kept",
    "key_of",
    "name_of",
    "parameter_names",
    "scipy",
    "start",
    "stopped",
]


def scipy(module: str) -> Any:
    """A module of SciPy, imported when it is first used."""
    return importlib.import_module(f"scipy.{module}")


def arguments(args: Any) -> tuple[Any, ...]:
    """SciPy's args=, where one argument need not be in a tuple."""
    return args if type(args) is tuple else (args,)


def name_of(solver: str, fn: Any) -> str:
    """What messages call a solver with its function."""
    return f"{solver} of {getattr(fn, '__name__', type(fn).__name__)}"


def as_array(value: Any) -> Any:
    """The result of a function that may give a list of numbers, as SciPy allows."""
    if not isinstance(value, (list, tuple)) or not value:
        return value
    engine = engine_of(trees.leaves_of(value), "a list of numbers")
    if engine is None:
        return np.asarray(value)
    return engine.namespace().stack([engine.asarray(v) for v in value])


# -- the point to start from -----------------------------------------------------------------------


def start(x0: Any, args: tuple[Any, ...], where: str, what: str = "x0", *, complex_too: bool = False) -> Any:
    """The point to start from as a floating array: its dtype is that of x0, or that of args for numbers, lists and integers.

    Args:
        x0: an array, a number or a list of them.
        args: the arguments of the function.
        where: the function, for messages.
        what: the argument.
        complex_too: whether it may be complex, and is where args are.

    Raises:
        RuleSignatureError: x0 is no array of numbers, or a complex one.
    """
    engine = engine_of(trees.leaves_of(x0), where)
    array = np.asarray(x0) if engine is None else x0
    if engine is not None and kind_of(type(x0)) == CONTAINER:
        array = engine.namespace().stack([engine.asarray(x) for x in x0])
    kind = (array if engine is None else engine.spec(array)).dtype.kind
    if kind not in "fciub":
        raise RuleSignatureError(
            f"{where}, {what}.", "an array of numbers", f"a {type(x0).__name__} of dtype {array.dtype}", "pass numbers"
        )
    if kind == "c" and not complex_too:
        raise RuleSignatureError(f"{where}, {what}.", "real numbers", f"dtype {array.dtype}", "let x hold the real and imaginary parts")
    if kind in "fc" and hasattr(x0, "dtype"):
        return array
    dtype = dtype_of(args, where, complex_too)
    if kind == "c":
        dtype = np.result_type(dtype, np.complex64)
    return array.astype(dtype) if engine is None else engine.cast(array, engine.asarray(np.zeros((), dtype), array))


def dtype_of(args: tuple[Any, ...], where: str, complex_too: bool) -> np.dtype[Any]:
    """What the floating arrays among some arguments promote to; float64 where there is none."""
    leaves = [x for x in trees.leaves_of(args) if kind_of(type(x)) != OPAQUE and hasattr(x, "dtype")]
    engine = engine_of(leaves, where)
    dtypes = [np.dtype(_spec(engine, x).dtype) for x in leaves]
    found = np.result_type(*[d for d in dtypes if d.kind in "fc"] or [np.dtype(float)])
    return found if complex_too else np.zeros((), found).real.dtype


def _spec(engine: Engine | None, x: Any) -> Any:
    return x if engine is None or kind_of(type(x)) == NUMPY else engine.spec(x)


# -- one primitive per function --------------------------------------------------------------------

_MOST = 32
_kept: dict[Hashable, Any] = {}
_lock = threading.Lock()


def kept(key: Hashable, fns: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """What make() gives, once for equal keys.

    A primitive holds its functions, and they what they captured.  Functions that hold values of an engine, such as the graph of a
    training step, are therefore not kept.

    Args:
        key: of the functions and options; None where there is none.
        fns: the functions.
        make: makes the primitive.
    """
    if key is None:
        return make()
    found = _kept.get(key)
    if found is None:
        found = make()
        if all(captures.find_captured(fn, _is_engines) is None for fn in fns):
            with _lock:
                while len(_kept) >= _MOST:
                    del _kept[next(iter(_kept))]
                _kept[key] = found
    return found


def _is_engines(value: Any) -> bool:
    return kind_of(type(value)) not in (NUMPY, CONTAINER, OPAQUE)


def key_of(*values: Any) -> Hashable:
    """A key of functions and options; None where they have none.

    Functions without a closure are the same where their code is, as a lambda that is written in a call is at each call.  What is
    told apart by its identity is held by the primitive that is kept under the key.
    """
    try:
        return tuple(map(_key, values))
    except TypeError:
        return None


def _key(value: Any) -> Hashable:
    if isinstance(value, types.FunctionType) and not value.__closure__ and not value.__kwdefaults__:
        return types.FunctionType, value.__code__, id(value.__globals__), tuple(map(id, value.__defaults__ or ()))
    if isinstance(value, types.MethodType):
        return types.MethodType, id(value.__self__), id(value.__func__)
    if callable(value):
        return Callable, id(value)
    if isinstance(value, dict):
        return dict, tuple(sorted((str(k), _key(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_key, value))
    return static_key(value)


class Procedure(Remade):
    """A function that is made of functions; in those, and nowhere else, captured values are looked for.

    Args:
        make: makes the function of the parts.
        parts: the functions; some may be None.
    """

    def __init__(self, make: Callable[..., Callable[..., Any]], parts: tuple[Any, ...]) -> None:
        self._make = make
        self._parts = parts
        self._fn = make(*parts)
        self.__name__ = self.__qualname__ = getattr(parts[0], "__name__", type(parts[0]).__name__)

    def parts(self) -> tuple[Any, ...]:
        """See Remade."""
        return self._parts

    def remade(self, parts: tuple[Any, ...]) -> Procedure:
        """See Remade."""
        return type(self)(self._make, parts)

    def __call__(self, *args: Any) -> Any:
        return self._fn(*args)


class Host(Procedure):
    """A host solver: whatever runs around it, its functions get NumPy arrays, also those that they captured, and NumPy's namespace."""

    def __call__(self, *args: Any) -> Any:
        made = self.on_numpy() if any(map(captures.may_capture, self._parts)) else self
        return run_inside(None, made._fn, *args)

    def on_numpy(self) -> Host:
        """The same with NumPy arrays in place of concrete arrays and tensors that its functions captured, such as data."""
        try:
            held = Captured((self,), self.__name__, _is_engines)
            if not held.values:
                return self
            arrays = tuple([load_engine(kind_of(type(v))).to_numpy(v) for v in held.values])
            return held.rebuild(arrays)[0]  # type: ignore[no-any-return]
        except (TracedValueError, RuleSignatureError):  # not concrete, or reached in a way that cannot be copied
            return self


def implicit(
    kind: type[Equation],
    solver: Callable[..., Callable[..., Any]],
    equation: Callable[[Any], Callable[..., Any]],
    parts: tuple[Any, ...],
    n: int,
    first: tuple[str, ...] = ("x0",),
    **options: Any,
) -> Primitive:
    """A host solver as a primitive of (start, *args) with implicit rules.

    Args:
        kind: what the solution satisfies.
        solver: makes the solver, a function of the start and the arguments, of parts.
        equation: makes the equation, a function of x and the arguments, of the first of parts.
        parts: the user's functions; the parameters of the first are compared.
        n: the number of arguments.
        first: how what comes before the arguments is called.
        options: those of `rb.implicit.root`.

    Raises:
        RuleSignatureError: the first function takes another number of arguments, or never reads one.
    """
    names = parameter_names(parts[0], n, first, options["name"])
    host = Host(solver, parts)
    host.__signature__ = inspect.Signature([inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names])  # type: ignore[attr-defined]
    _check(kind, parts[0], options["name"])
    given = {
        "host": True,
        "result": None,
        "vectorized": False,
        "linear_solver": "auto",
        "tol": None,
        "has_aux": False,
        "on_failure": "warn",
        "cases": (),
        "tangent_space": None,
        "accuracy": None,
        "listed": False,
    }
    return Implicit(host, Procedure(equation, parts[:1]), kind, **{**given, **options})


def parameter_names(fn: Any, n: int, first: tuple[str, ...], where: str) -> tuple[str, ...]:
    """The names of the parameters of a solver: what it starts from, and n arguments as the function calls them.

    Raises:
        RuleSignatureError: the function does not take that many.
    """
    positional = _positional(fn)
    if positional is None:
        names = [f"args_{i}" for i in range(n)]
    else:
        required, every = positional
        if not required <= n + 1 <= len(every):
            raise RuleSignatureError(
                f"{where}, args.",
                f"{required - 1} arguments for the parameters {tuple(every[1:required])}" if every else "a function of x and the arguments",
                f"{n}",
                "pass in args= what the function takes after x",
            )
        names = every[1 : n + 1]
    return *first, *[f"{name}_" if name in first else name for name in names]


def _positional(fn: Any) -> tuple[int, list[str]] | None:
    """How many positional parameters a function needs, and the names of all; None where that is not known."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return sum(p.default is p.empty for p in positional), [p.name for p in positional]


def _check(kind: type[Equation], fn: Any, name: str) -> None:
    """That the function reads what it is given."""
    positional = _positional(fn)
    if positional is None or not isinstance(fn, types.FunctionType):
        return
    every = positional[1]
    asked = lambda: None
    asked.__signature__ = inspect.Signature([inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in every])  # type: ignore[attr-defined]
    check_parameters(kind(fn, name), asked)


def stopped(name: str, on_failure: str, message: str, norm: float, rounds: Any) -> None:
    """Report a solver that stopped before it converged."""
    report(
        on_failure,
        NotConvergedError(
            f"{name}.",
            "a solver that converges",
            f"{' '.join(str(message).split()).rstrip('.')}; residual norm {norm:.1e} after {rounds} iterations",
            "start closer to the solution, allow more iterations, or ask for less accuracy",
        ),
    )

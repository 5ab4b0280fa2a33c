"""Writes docs/coverage.md: what becomes of each function of NumPy and SciPy on dual numbers, and what the rule library has for it.

Nothing in the table is stated by hand: each function is looked up in the registries and called on dual numbers, and each tangent is
compared with differences.  Run `python docs/coverage.py`; a test compares the file with what this makes.
"""

# ruff: noqa: E501  # lines of the page and of calls

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parent))

from coverage_calls import CALLS, TITLES

import rulebook as rb
from rulebook import native, trees
from rulebook.dual import Dual, DualArray
from rulebook.dual.drivers import seed
from rulebook.dual.parts import peel, tangent
from rulebook.dual.registry import CREATORS, FUNCTIONS, UFUNCS
from rulebook.dual.tags import new_tag
from rulebook.errors import RulebookError
from rulebook.primitive import Primitive

FILE = Path(__file__).with_name("coverage.md")
HOMES = {"numpy": "rulebook.rules.numpy", "numpy.linalg": "rulebook.rules.numpy.linalg", "numpy.fft": "rulebook.rules.numpy.fft"}
HOMES |= {f"scipy.{n}": f"rulebook.rules.{n}" for n in ("special", "linalg", "fft", "signal", "sparse")}
HOMES["scipy.sparse.linalg"] = "rulebook.rules.sparse"


def _variables() -> dict[str, Any]:
    """What the calls are made of: name -> value."""
    rng = np.random.default_rng(7)
    x, y = rng.uniform(0.2, 0.8, size=(2, 4))
    a = rng.uniform(0.1, 0.5, size=(3, 3)) + np.diag([1.0, 2.0, 3.0])
    q = rng.uniform(0.2, 0.8, size=(3, 3))
    return {
        "x": x,
        "y": y,
        "p": x + np.arange(1.0, 5.0),
        "a": a,
        "b": rng.uniform(0.2, 0.8, size=(3, 4)),
        "s": q @ q.T + np.diag([1.0, 2.0, 3.0]),
        "c": rng.uniform(0.2, 0.8, size=(2, 3, 4)),
        "z": x + 1j * y,
        "bands": np.array([[0.0, 0.3, 0.4], [2.0, 2.1, 2.2]]),
    }


VALUES = _variables()
_RNG = np.random.default_rng(8)
DOTS = {n: _RNG.normal(size=v.shape) * (1 + 0.5j if np.iscomplexobj(v) else 1) for n, v in VALUES.items()}
DOTS["s"] = DOTS["s"] + DOTS["s"].T  # symmetric matrices stay symmetric
CONSTANT = {"k": np.array([1, 0, 3, 2]), "m": np.array([True, False, True, True])}


def _copies() -> dict[str, Any]:
    """The variables for one call, which may write into them."""
    return {n: v.copy() for n, v in VALUES.items()}


def _into(fn: Callable[..., Any], out: Any, *args: Any) -> Any:
    fn(out, *args)
    return out


def _dense(value: Any) -> Any:
    return value.toarray() if hasattr(value, "toarray") else value


def _library(name: str) -> Any:
    """The module of the rule library, as the calls name its functions."""
    return importlib.import_module(HOMES[name])


def _names(library: bool) -> dict[str, Any]:
    """The modules that the calls name."""
    found: dict[str, Any] = {"np": np, "into": _into, "dense": _dense}
    for name in ("special", "linalg", "fft", "sparse"):
        found[name] = _library(f"scipy.{name}") if library else importlib.import_module(f"scipy.{name}")
    if library:
        found["sparse"] = _Sparse()
    else:
        importlib.import_module("scipy.sparse.linalg")
    return found


class _Sparse:
    """scipy.sparse and scipy.sparse.linalg, which the library has in one module."""

    def __getattr__(self, name: str) -> Any:
        return self if name == "linalg" else getattr(_library("scipy.sparse"), name)


# What becomes of a call.


@dataclass(frozen=True)
class Outcome:
    """What a call on dual numbers does: "derivative", "zero", "error", "lost" or "wrong", and the text of an error."""

    kind: str
    text: str = ""
    clear: bool = True


def outcome(call: Callable[[dict[str, Any]], Any], rtol: float = 1e-5, undefined: bool = False) -> Outcome:
    """Of a function of the variables; its tangent agrees with differences within rtol, and may be NaN only with `undefined`."""
    tag = new_tag()
    duals = {n: seed(v.copy(), DOTS[n][None], tag) for n, v in VALUES.items()}
    try:
        leaves = _leaves(call(duals))
    except Exception as error:
        return Outcome("error", _quoted(error), isinstance(error, RulebookError))
    plain = _leaves(call(_copies()))
    numbers = [i for i, v in enumerate(plain) if _is_number(v)]
    for h in (1e-3, 1e-5):  # a smaller step where the first meets a jump beside the point
        moved = [_slope(call, i, h) if i in numbers else None for i in range(len(plain))]
        found = _judged(leaves, plain, moved, tag, rtol, undefined)
        if found.kind not in ("wrong", "lost"):
            break
    return found


def _quoted(error: Exception) -> str:
    """An error in short: what it says to use from the rule library, else how it begins."""
    text = str(error)
    found = re.search(r"rulebook\.rules\.[\w.]*\w", text)
    said = f"use `{found[0]}`" if found else text.split("\n")[0].split("(array(")[0]
    return f"{type(error).__name__}: {said}"


def _judged(leaves: list[Any], plain: list[Any], moved: list[Any], tag: int, rtol: float, undefined: bool) -> Outcome:
    """Compare values and tangents."""
    kinds = set()
    for x, value, slope in zip(leaves, plain, moved, strict=True):
        if not isinstance(x, (Dual, DualArray)):
            kinds.add("lost" if slope is not None and not _close(slope, np.zeros(np.shape(slope))) else "zero")
        elif slope is None or not _close(peel(x), value) or not _agree(tangent(x, tag)[0], slope, rtol, undefined):
            kinds.add("wrong")
        else:
            kinds.add("derivative" if np.any(np.abs(slope) > 1e-9) else "zero")
    return Outcome(next((k for k in ("wrong", "lost", "derivative") if k in kinds), "zero"))


def _agree(t: Any, slope: Any, rtol: float, undefined: bool) -> bool:
    """Whether a tangent is right; NaN is no wrong number."""
    return _close(np.where(np.isnan(t) & undefined, slope, t), slope, rtol)


def _close(found: Any, expected: Any, rtol: float = 1e-7) -> bool:
    found, expected = np.asarray(found), np.asarray(expected)
    size = 1 + np.abs(expected[np.isfinite(expected)]).max(initial=0)
    return found.shape == expected.shape and bool(np.allclose(found, expected, rtol=rtol, atol=rtol * size, equal_nan=True))


def _slope(call: Callable[[dict[str, Any]], Any], i: int, h: float) -> Any:
    """The derivative of leaf i along the tangents, by differences of sixth order."""
    at = lambda t: np.asarray(_leaves(call({n: v + t * DOTS[n] for n, v in VALUES.items()}))[i]) * 1.0
    return sum(w * (at(k * h) - at(-k * h)) for k, w in ((1, 45), (2, -9), (3, 1))) / (60 * h)


def _leaves(result: Any) -> list[Any]:
    """The arrays and numbers of a result."""
    if hasattr(result, "toarray") and not isinstance(result, (Dual, DualArray)):
        return _leaves(result.toarray())
    if isinstance(result, (list, tuple)):
        return [leaf for r in result for leaf in _leaves(r)]
    return trees.flatten(result)[0] if isinstance(result, dict) else [result]


def _is_number(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic, float, complex)) and np.asarray(value).dtype.kind in "fc"


# Where a function is.


def _found(home: str, name: str) -> Any:
    """The function of NumPy or SciPy."""
    found: Any = importlib.import_module(home)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _in_library(home: str, name: str) -> Any:
    """What the rule library has of that name, or None."""
    module = importlib.import_module(HOMES[home]) if home in HOMES else None
    name = {"polynomial.polynomial.polyval": "polynomial_polyval"}.get(name, name)
    return getattr(module, name, None) if module is not None and name in getattr(module, "__all__", ()) else None


def _how(function: Any) -> str:
    """Where the rule on dual numbers comes from."""
    try:
        own = function in FUNCTIONS or function in UFUNCS or function in CREATORS
    except TypeError:
        own = False
    if own:
        return "rule"
    return "rule of the library" if native.standing_for(function) is not None else "works by composition"


def _described(entry: Any) -> str:
    """What the library has: directions, and the engines whose own function is called."""
    if entry is None:
        return ""
    if not isinstance(entry, Primitive):
        return "made of primitives"
    info = rb.rules(entry)
    directions = "zero" if info.forward == "non_differentiable" else ", ".join(dict.fromkeys(k for k in (info.forward, info.reverse) if k))
    own = [e for e in ("jax", "torch", "autograd") if e in info.native]
    return directions + (f"; native in {', '.join(own)}" if own else "")


@dataclass(frozen=True)
class Row:
    """A function in the table."""

    name: str
    call: str
    on_duals: Outcome
    how: str
    in_library: Outcome | None
    library: str

    @property
    def kind(self) -> str:
        """The better of the two: a derivative, zero, or an error."""
        kinds = [o.kind for o in (self.on_duals, self.in_library) if o is not None]
        return next((k for k in ("wrong", "lost", "derivative", "zero") if k in kinds), "error")

    def cells(self) -> tuple[str, str, str, str]:
        """As they are printed."""
        said = {"derivative": self.how, "zero": "zero derivative"}.get(self.on_duals.kind, self.on_duals.text or self.on_duals.kind)
        checked = "checked: " if self.in_library is not None and self.in_library.kind in ("derivative", "zero") else ""
        return f"`{self.name}`", f"`{self.call}`", said.replace("|", "\\|"), checked + self.library


def _home(call: str) -> tuple[str, str]:
    """The module of the function that a call is for, and the name by which it starts."""
    inner = call.removeprefix("into(").removeprefix("dense(").replace("np.abs(linalg", "linalg")
    path = inner.split("(")[0].split(",")[0]
    for prefix, home in (
        ("np.linalg.", "numpy.linalg"),
        ("np.fft.", "numpy.fft"),
        ("np.", "numpy"),
        ("special.", "scipy.special"),
        ("linalg.", "scipy.linalg"),
        ("fft.", "scipy.fft"),
        ("sparse.linalg.", "scipy.sparse.linalg"),
        ("sparse.", "scipy.sparse"),
        ("signal.", "scipy.signal"),
    ):
        if path.startswith(prefix):
            return home, path.removeprefix(prefix)
    raise AssertionError(call)


def _evaluated(call: str, library: bool) -> Callable[[dict[str, Any]], Any]:
    code, names = compile(call, "<call>", "eval"), _names(library)
    return lambda values: eval(code, {**names, **CONSTANT, **values})


def row(call: str) -> Row:
    """The row of one function of the groups."""
    home, name = _home(call)
    entry = _in_library(home, name)
    other = outcome(_evaluated(call, True)) if home.startswith("scipy") and entry is not None else None
    label = f"{home}.{name}"
    return Row(label, call, outcome(_evaluated(call, False)), _how(_found(home, name)), other, _described(entry))


def groups() -> dict[str, list[Row]]:
    """The rows of the groups."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {group: [row(call) for _, call in calls] for group, calls in CALLS.items()}


# The other functions of the same modules, tried with arguments of a few kinds.

_TRIED = (
    *("x", "a", "x, y", "a, s", "x, y, p", "s, x[:3]", "a, x[:3]", "k, x", "2, x", "x, 2", "b, 1", "x, y, p, y", "1, x, y", "2, 1, x"),
    *("x[:2], p[:2], x", "x, 3, 2", "x, 3, 1", "x, y, p, x", "2, 3, 1, x", "1, x, 2, y", "0.3, 0.4, x"),
    *("[x, y]", "x[0]", "2, 1, x, y", "y, 1 + x, p, x / 2", "m, x", "x, k", "x, m, y", "(x, y)", "k, k"),
)
_NOT_CALLED = (
    "test",
    "info",
    "show",
    "save",
    "load",
    "from",
    "get",
    "set",
    "print",
    "bench",
    "lapack",
    "empty",
    "may_share",
    "shares",
    "bmat",
)


def _others(home: str, done: set[str]) -> Iterator[tuple[str, Any]]:
    """The public functions of a module that are in no group."""
    module = importlib.import_module(home)
    for name in sorted(getattr(module, "__all__", None) or dir(module)):
        function = getattr(module, name, None)
        if not callable(function) or isinstance(function, type) or inspect.ismodule(function) or name.startswith(("_", *_NOT_CALLED)):
            continue
        if f"{home}.{name}" not in done:
            yield name, function


def _tried(function: Any) -> tuple[str, Callable[[dict[str, Any]], Any]] | None:
    """The first arguments that the function takes."""
    for arguments in _TRIED:
        call = eval(f"lambda f, values: (lambda {', '.join(VALUES)}, k, m: f({arguments}))(**values)")
        run = lambda values, call=call: call(function, {**values, **CONSTANT})
        try:
            leaves = _leaves(run(_copies()))
        except Exception:
            continue
        if any(_is_number(v) and np.all(np.isfinite(v)) for v in leaves) or not any(_is_number(v) for v in leaves):
            return arguments, run
    return None


def other_rows(home: str, done: set[str]) -> tuple[list[Row], list[str]]:
    """The rows of a module, and the names that none of the arguments fit."""
    rows, left = [], []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, function in _others(home, done):
            found = _tried(function)
            if found is None:
                left.append(name)
                continue
            entry = _in_library(home, name)
            rows.append(Row(name, f"{name}({found[0]})", outcome(found[1], 1e-4, undefined=True), _how(function), None, _described(entry)))
    return rows, left


# The page.

_HEAD = """# Coverage

What becomes of the functions of NumPy and SciPy on dual numbers, and what the rule library, `rulebook.rules`, has for every engine. `python docs/coverage.py`
writes this page: each call below is made on dual numbers, and each tangent compared with differences.

*On dual numbers*: "rule" stands for a rule of the dual engine, "rule of the library" for a primitive that stands for the function, "works by composition" for code of NumPy's or SciPy's that runs as it is, "zero derivative" for a
result that does not depend on small changes. Otherwise the error is quoted; nothing loses a tangent silently. *Rule library*: the kinds of the rules (`docs/design/library.md`), and the engines whose own function is called instead.
The engines of the library are jax, torch, autograd and dual. "checked": the same call of the library's function was compared with differences as well.
"""


def versions() -> str:
    """Those that the page is about: others have other functions."""
    return f"Made with NumPy {np.__version__} and SciPy {scipy.__version__}.\n"


def _table(rows: list[Row]) -> str:
    lines = ["| function | call | on dual numbers | rule library |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(r.cells())} |" for r in rows)]) + "\n"


def page() -> str:
    """The whole page."""
    found = groups()
    every = {r.name: r for rows in found.values() for r in rows}
    counts = Counter(r.kind for r in every.values())
    parts = [
        _HEAD,
        versions(),
        f"Of the {len(every)} functions in the groups, {counts['derivative']} have a derivative here, {counts['zero']} have none by nature, and"
        f" {counts['error']} raise an error that says so.\n",
    ]
    for group, rows in found.items():
        parts.append(f"## {group}. {TITLES[group]}\n\n{_table(rows)}")
    parts.append(
        "# The other public functions\n\nCalled with the first that fit of a list of arguments: one to four vectors, matrices and numbers.\n"
    )
    for home in (*HOMES,):
        rows, left = other_rows(home, set(every))
        parts.append(f"## {home}\n\n{_table(rows)}")
        if left:
            parts.append(f"Not called, as none of these arguments fits: {', '.join(left)}.\n")
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(page())

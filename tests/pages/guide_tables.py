"""The tables of the guide as data: what becomes of a line of code in an engine, and which pattern serves a set of engines."""

from __future__ import annotations

import ast
import importlib
import math
import re
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb

X = np.array([0.3, 0.7, 1.1, 1.9])  # where all code of the tables is differentiated
_STEP = 1e-5
_TOLERANCE = 1e-3  # JAX has 32 bits by default

Function = Callable[[Any], Any]


class Row(NamedTuple):
    """One row of a table: its cells by the words above them."""

    page: str
    cells: dict[str, str]

    @property
    def first(self) -> str:
        """What the row is about."""
        return next(iter(self.cells.values()))


def tables(page: str, text: str, first: str) -> Iterator[Row]:
    """The rows of all tables of a page of which the first column has this title."""
    for table in re.findall(r"(?:^ *\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
        if lines[0][0] == first:
            for line in lines[2:]:
                yield Row(page, dict(zip(map(plain, lines[0]), line, strict=True)))


def plain(cell: str) -> str:
    """A cell without links and marks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell).replace("`", "").replace("*", "").strip()


def code_of(cell: str) -> str:
    """The lines of code of a cell: each in backticks of its own."""
    return "\n".join(line.replace("\\|", "|") for line in re.findall(r"`([^`]+)`", cell))


def function_of(code: str) -> Function:
    """Code as a function of x: the sum of its last expression, or of y."""
    tree = ast.parse(code)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("y", ast.Store())], last.value), last)
    compiled = compile(ast.fix_missing_locations(tree), code, "exec")
    kept: dict[str, Any] = {"np": np, "rb": rb, "c": np.arange(4.0), "cache": rb.DiffCache(np.empty(4), warn=False), "kept": np.empty(4)}
    kept |= {"math": math, "special": importlib.import_module("scipy.special")}

    def f(x: Any) -> Any:
        names = {**kept, "x": x, "xp": rb.xp(x)}
        exec(compiled, names)
        y = names["y"]
        return rb.xp(y).sum(y) if getattr(y, "shape", ()) else y

    return f


def block(page: str, title: str) -> types.ModuleType:
    """A file that a page shows, as a module."""
    found = re.search(rf'```python title="{re.escape(title)}"\n(.*?)```', page, re.DOTALL)
    assert found, f"no file {title}"
    module = types.ModuleType(title.removesuffix(".py"))
    exec(compile(found[1], title, "exec"), module.__dict__)
    return module


def _dual(f: Function) -> Any:
    return rb.grad(f, engine="dual")(X)


def _autograd(f: Function) -> Any:
    import autograd

    return autograd.grad(f)(X)


def _torch(f: Function) -> Any:
    import torch

    x = torch.tensor(X, requires_grad=True)
    f(x).backward()
    return x.grad


def _torch_vmap(f: Function) -> Any:
    import torch

    return torch.func.vmap(torch.func.grad(f))(torch.tensor(np.stack([X, X])))[1]


def _jax(f: Function) -> Any:
    import jax

    return jax.grad(f)(jax.numpy.asarray(X))


def _jax_jit(f: Function) -> Any:
    import jax

    return jax.jit(jax.grad(f))(jax.numpy.asarray(X))


def _jax_vmap(f: Function) -> Any:
    import jax

    return jax.vmap(jax.grad(f))(jax.numpy.stack([X, X]))[1]


WAYS = {
    "dual": _dual,
    "autograd": _autograd,
    "torch": _torch,
    "torch, vmap": _torch_vmap,
    "JAX": _jax,
    "JAX, jit": _jax_jit,
    "JAX, vmap": _jax_vmap,
}


def expected(f: Function) -> Any:
    """The gradient by central differences, with NumPy."""
    steps = np.eye(4) * _STEP
    return np.array([(f(X + step) - f(X - step)) / (2 * _STEP) for step in steps])


def outcome(way: str, f: Function, exact: Any) -> str:
    """What differentiating gives: "yes", "wrong" (a gradient that is not right, and no error) or the name of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            got = WAYS[way](f)
        except Exception as error:
            return type(error).__name__
    try:
        return "yes" if np.allclose(np.asarray(got, dtype=float), exact, rtol=_TOLERANCE, atol=_TOLERANCE) else "wrong"
    except (TypeError, ValueError):  # an array of objects
        return "wrong"

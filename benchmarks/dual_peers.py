"""Forward mode in other packages: for each, how it pushes the tangents of a workload.

A peer is `peer(workload) -> thunk`; the thunk gives the tangents, k in front.  It raises Unfit where the package has no way to run
the workload as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.dual_workloads import Workload
from rulebook.dual.drivers import seed, split
from rulebook.dual.tags import new_tag

__all__ = ["PEERS", "Unfit"]

Thunk = Callable[[], Any]


class Unfit(Exception):
    """The package cannot run such a workload."""


def _only(w: Workload, *kinds: str) -> None:
    if w.kind not in kinds:
        raise Unfit(f"takes {' and '.join(kinds)} only")


def rulebook(w: Workload) -> Thunk:
    """This project."""

    def run() -> Any:
        tag = new_tag()
        if w.kind == "number":
            return split(w.fn(np, seed(w.args[0], np.ones(1), tag)), tag, 1)[1]
        if w.kind == "list":
            xs = [seed(v, t, tag) for v, t in zip(w.args[0], np.eye(w.k), strict=True)]
            return split(w.fn(np, xs), tag, w.k)[1]
        return split(w.fn(np, *[seed(x, t, tag) for x, t in zip(w.args, w.tangents, strict=True)]), tag, w.k)[1]

    return run


def _directions(w: Workload) -> list[tuple[Any, ...]]:
    """The tangents one by one, with a list of numbers as an array."""
    if w.kind == "number":
        return [(1.0,)]
    if w.kind == "list":
        return [(row,) for row in np.eye(w.k)]
    return [tuple(t[i] for t in w.tangents) for i in range(w.k)]


def _point(w: Workload) -> tuple[Any, ...]:
    return (np.array(w.args[0]),) if w.kind == "list" else w.args


def differences(w: Workload) -> Thunk:
    """Central differences."""
    h, point, directions = 6e-6, _point(w), _directions(w)
    fn = (lambda x: w.fn(np, x.tolist())) if w.kind == "list" else (lambda *x: w.fn(np, *x))
    moved = lambda t, s: [x + s * d for x, d in zip(point, t, strict=True)]
    return lambda: np.stack([(fn(*moved(t, h)) - fn(*moved(t, -h))) / (2 * h) for t in directions])


def autograd(w: Workload) -> Thunk:
    """autograd's make_jvp, once for each tangent."""
    import autograd.numpy as anp
    from autograd import make_jvp

    fn, directions = (lambda args: w.fn(anp, *args)), _directions(w)
    push = make_jvp(fn)(_point(w))
    return lambda: np.stack([push(t)[1] for t in directions])


def jax_compiled(w: Workload) -> Thunk:
    """jax.jvp under vmap, compiled."""
    return _jax(w, compiled=True)


def jax_plain(w: Workload) -> Thunk:
    """The same, not compiled."""
    return _jax(w, compiled=False)


def _jax(w: Workload, compiled: bool) -> Thunk:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    point, many = tuple(map(jnp.asarray, _point(w))), tuple(jnp.asarray(np.stack(t)) for t in zip(*_directions(w), strict=True))
    fn = lambda *args: w.fn(jnp, *args)
    if w.k == 1:
        push = lambda point, many: jax.jvp(fn, point, tuple(t[0] for t in many))[1][None]
    else:
        push = lambda point, many: jax.vmap(lambda *t: jax.jvp(fn, point, t)[1])(*many)
    run = jax.jit(push) if compiled else push
    return lambda: jax.block_until_ready(run(point, many))


def torch(w: Workload) -> Thunk:
    """torch.func.jvp, under vmap for several tangents."""
    import torch as t_

    module = SimpleNamespace(
        sin=t_.sin, cos=t_.cos, exp=t_.exp, tanh=t_.tanh, linalg=t_.linalg, dot=lambda a, b: t_.as_tensor(a) @ t_.as_tensor(b)
    )
    point = tuple(t_.tensor(x, dtype=t_.float64) for x in _point(w))
    many = tuple(t_.tensor(np.stack(t)) for t in zip(*_directions(w), strict=True))

    def fn(*args: Any) -> Any:
        if w.name.startswith("Jacobian"):  # torch has no negative steps
            (x,) = args
            return t_.tanh(weights @ x) * x + x.flip(0) ** 2
        return w.fn(module, *args)

    weights = t_.tensor(w.fn.__closure__[0].cell_contents) if w.name.startswith("Jacobian") else None
    if w.k == 1:
        return lambda: t_.func.jvp(fn, point, tuple(t[0] for t in many))[1][None].numpy()
    return lambda: t_.vmap(lambda *t: t_.func.jvp(fn, point, t)[1])(*many).numpy()


def dualpy(w: Workload) -> Thunk:
    """dualpy's jvp, once for each tangent."""
    from dualpy import jvp

    directions = _directions(w)
    point = tuple(np.asarray(x) for x in _point(w))
    if len(point) == 1:
        fn = lambda x: w.fn(np, x)
        return lambda: np.stack([np.asarray(jvp(fn, point[0], np.asarray(t[0]))[1]) for t in directions])
    many = lambda *x: w.fn(np, *x)
    return lambda: np.stack([np.asarray(jvp(many, point, t)[1]) for t in directions])


def algopy(w: Workload) -> Thunk:
    """algopy's Taylor arithmetic, of first order in k directions."""
    import algopy as al

    module = SimpleNamespace(
        sin=al.sin,
        cos=al.cos,
        exp=al.exp,
        tanh=al.tanh,
        dot=al.dot,
        linalg=SimpleNamespace(solve=al.solve, cholesky=al.cholesky),
    )
    point, many = _point(w), tuple(np.stack(t) for t in zip(*_directions(w), strict=True))

    def run() -> Any:
        args = []
        for x, t in zip(point, many, strict=True):
            data = np.empty((2, w.k, *np.shape(x)))
            data[0], data[1] = x, t
            args.append(al.UTPM(data))
        return w.fn(module, *args).data[1]

    return run


def num_dual(w: Workload) -> Thunk:
    """num-dual, in Rust."""
    import num_dual as nd

    _only(w, "number", "list")
    if w.kind == "list":
        return lambda: nd.gradient(lambda x: w.fn(np, x), w.args[0])[1]
    return lambda: nd.first_derivative(lambda x: w.fn(_METHODS, x), w.args[0])[1]


_METHODS = SimpleNamespace(sin=lambda x: x.sin(), cos=lambda x: x.cos())


def fastdual(w: Workload) -> Thunk:
    """fastdual, in C."""
    import fastdual as fd

    if w.kind == "arrays" and (len(w.args) > 1 or w.args[0].ndim > 1 or w.k != w.args[0].size):
        raise Unfit("gives Jacobians of one vector only")

    def run() -> Any:
        fd.reset()
        if w.kind == "number":
            x = fd.Dual(w.args[0], True)
            return fd.der(w.fn(np, x), x)
        seeds = fd.DualArray(list(w.args[0]))
        return np.asarray(fd.jac(np.atleast_1d(w.fn(np, seeds)), seeds)).T

    return run


def hyperjet(w: Workload) -> Thunk:
    """hyperjet, in C++."""
    import hyperjet as hj

    _only(w, "number", "list")
    values = [w.args[0]] if w.kind == "number" else w.args[0]
    single = w.kind == "number"
    variables = getattr(hj, f"D{len(values)}Scalar", hj.DScalar).variables

    def run() -> Any:
        xs = variables(values)
        return w.fn(_METHODS, xs[0] if single else list(xs)).g

    return run


def ad(w: Workload) -> Thunk:
    """ad, in Python."""
    from ad import admath, adnumber

    _only(w, "number", "list")
    module = SimpleNamespace(sin=admath.sin, cos=admath.cos)

    def run() -> Any:
        x = adnumber(w.args[0])
        y = w.fn(module, x)
        return y.d(x) if w.kind == "number" else [y.d(v) for v in x]

    return run


def tangentmode(w: Workload) -> Thunk:
    """tangentmode, in Python."""
    import tangentmode as tm

    _only(w, "number")
    derivative = tm.derivative
    module = SimpleNamespace(sin=tm.sin, cos=tm.cos)
    return lambda: derivative(lambda x: w.fn(module, x), w.args[0])


def advect(w: Workload) -> Thunk:
    """advect, which needs Python 3.12: linearized once, then all tangents."""
    import advect as av

    point, directions = _point(w), _directions(w)
    chosen = tuple(range(len(point)))
    fn = lambda *args: w.fn(np, *args)

    def run() -> Any:
        _, linear = av.linearize(fn, *point, argnums=chosen)
        with linear:
            return np.stack([np.asarray(linear(t)) for t in directions])

    return run


def complex_step(w: Workload) -> Thunk:
    """Complex steps; exact for analytic programs, silently wrong for others."""
    if "cholesky" in w.name:
        raise Unfit("silently wrong: conjugates")
    h, point, directions = 1e-100, _point(w), _directions(w)
    moved = lambda t: [x + 1j * h * d for x, d in zip(point, t, strict=True)]
    return lambda: np.stack([np.imag(w.fn(np, *moved(t))) / h for t in directions])


PEERS: dict[str, Callable[[Workload], Thunk]] = {
    "rulebook": rulebook,
    "jax jit": jax_compiled,
    "jax": jax_plain,
    "torch": torch,
    "autograd": autograd,
    "advect": advect,
    "dualpy": dualpy,
    "algopy": algopy,
    "num-dual": num_dual,
    "fastdual": fastdual,
    "hyperjet": hyperjet,
    "ad": ad,
    "tangentmode": tangentmode,
    "complex step": complex_step,
    "differences": differences,
}

"""Lay handwritten digits on top of each other by optimal transport, with every engine that is installed.

    python examples/transport_digits.py [--engines jax torch] [--plot digits.svg]

The distance of two pictures is the least work that carries the ink of one to where the ink of the other is: a linear program,
which POT solves by the network simplex method.  `ot.emd2` cannot be traced: it raises under `jax.grad` and under `torch.func.grad`.
`work` is `ot.emd` as a primitive, written once; its derivative is the solution of the dual program, which POT hands out as well.

A digit is moved, turned, stretched and sheared by an affine map until its distance to a digit of the same kind is least: six
unknowns, a gradient through the matrix of costs.  The derivative with respect to the ink says how much closer the digit would
be with more ink at a place.

Data: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository (1998), as
`sklearn.datasets.load_digits` ships it: 8 x 8 pixels of 0 to 16.
Method: N. Bonneel, M. van de Panne, S. Paris and W. Heidrich, Displacement interpolation using Lagrangian mass transport, ACM
Transactions on Graphics 30 (2011), for the solver; G. Peyre and M. Cuturi, Computational Optimal Transport (2019), sections 2.5
and 9.1, for the derivative.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from typing import Any, NamedTuple

import numpy as np
import ot
from scipy.optimize import minimize
from sklearn.datasets import load_digits

import rulebook as rb

PIXELS = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=-1).reshape(64, 2) - 3.5  # x to the right, y down
START = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0])  # the matrix of the affine map row by row, and the shift


def solved(ink: Any, target: Any, cost: Any) -> tuple[float, Any]:
    """The least work, and its partial derivatives: by the dual solution (u, v) and the plan.

    The work is that of the shares a = ink / sum(ink) and b = target / sum(target).  It is max <u, a> + <v, b> over u + v <= cost,
    so that its derivative is u with respect to a, v with respect to b, and the optimal plan with respect to the cost.  A constant
    added to u and taken from v makes no difference to that; <u, a> and <v, b> are taken out, as the shares do not change when
    there is more ink everywhere.  Where there is no ink POT only bounds u and v; what the first ink there would cost is the
    minimum below, which gives u and v back where there is ink.
    """
    a, b = ink / ink.sum(), target / target.sum()
    plan, log = ot.emd(a, b, cost, log=True)
    if log["warning"]:
        raise RuntimeError(log["warning"])
    u = (cost - log["v"])[:, b > 0].min(axis=1)
    v = (cost - log["u"][:, None])[a > 0].min(axis=0)
    return log["cost"], ((u - u @ a) / ink.sum(), (v - v @ b) / target.sum(), plan)


@rb.primitive(host=True, result=lambda ink, target, cost: rb.ShapeDtype((), cost.dtype))
def work(ink: Any, target: Any, cost: Any) -> Any:
    """The least work that carries the ink, an array (n,), to the target, an array (m,), where a unit from i to j costs cost[i, j]."""
    return np.asarray(solved(ink, target, cost)[0], cost.dtype)


@rb.rrule(work, host=True)
def _(ink: Any, target: Any, cost: Any) -> Any:
    y, partials = solved(ink, target, cost)
    return np.asarray(y, cost.dtype), lambda y_bar: tuple(y_bar * p for p in partials)


@rb.frule(work, host=True)
def _(primals: Any, tangents: Any) -> Any:
    y, partials = solved(*primals)
    y_dot = sum(np.sum(p * t) for p, t in zip(partials, tangents, strict=True))
    return np.asarray(y, primals[2].dtype), np.asarray(y_dot, primals[2].dtype)


def squares(places: Any) -> Any:
    """The matrix of costs: squared distances from places, an array (n, 2), to the pixels."""
    xp = rb.xp(places)
    return xp.sum((places[:, None, :] - xp.asarray(PIXELS)) ** 2, axis=-1)


def moved(affine: Any) -> Any:
    """Where an affine map takes the pixels."""
    return rb.xp(affine).asarray(PIXELS) @ affine[:4].reshape(2, 2).T + affine[4:]


def distance(affine: Any, ink: Any, target: Any) -> Any:
    """The work from a picture that an affine map has moved to another picture: in pixels squared."""
    return work(ink, target, squares(moved(affine)))


class Fitted(NamedTuple):
    """What one engine found for one digit."""

    before: float
    gradient: Any  # with respect to the affine map, at the start
    affine: Any
    after: float
    evaluations: int
    wanted: Any  # how much a unit of ink more at each pixel would change the distance, after the fit


def fit(engine: str, ink: Any, target: Any) -> Fitted:
    """The affine map that brings the ink closest to the target."""
    if engine == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    value_and_gradient = rb.value_and_grad(distance, engine=engine)
    before, gradient = value_and_gradient(START, ink, target)
    found = minimize(value_and_gradient, START, args=(ink, target), jac=True, method="BFGS", options={"gtol": 1e-6})
    wanted = rb.grad(distance, argnums=1, engine=engine)(found.x, ink, target)
    return Fitted(float(before), gradient, found.x, found.fun, found.nfev, wanted)


def digits(kind: int, count: int) -> Any:
    """The first pictures of a digit: an array (count, 64)."""
    data = load_digits()
    return data.data[data.target == kind][:count]


def table(fitted: dict[str, list[Fitted]]) -> str:
    """One line for each engine, and one for each digit."""
    first = next(iter(fitted.values()))
    lines = [f"{'engine':9} {'before':>9} {'after':>9} {'evaluations':>11} {'gradient off by':>15} {'map off by':>10} {'ink off by':>10}"]
    for engine, found in fitted.items():
        mean = [np.mean([getattr(f, name) for f in found]) for name in ("before", "after")]
        off = [
            max(np.abs(getattr(f, n) - getattr(g, n)).max() for f, g in zip(found, first, strict=True))
            for n in ("gradient", "affine", "wanted")
        ]
        lines.append(
            f"{engine:9} {mean[0]:9.6f} {mean[1]:9.6f} {sum(f.evaluations for f in found):11} {off[0]:15.1e} {off[1]:10.1e} {off[2]:10.1e}"
        )
    lines += ["", f"{'digit':5} {'before':>9} {'after':>9}  affine map: matrix by rows, shift"]
    for i, f in enumerate(first, 1):
        lines.append(f"{i:5} {f.before:9.6f} {f.after:9.6f}  " + " ".join(f"{x:8.5f}" for x in f.affine))
    return "\n".join(lines)


def plot(fitted: list[Fitted], inks: Any, target: Any, path: str) -> None:
    """The digits on the target, before and after, and where ink is wanted."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where a plot is asked for)

    figure = Figure(figsize=(1.5 * len(inks), 4.5), layout="constrained")
    for column, (found, ink) in enumerate(zip(fitted, inks, strict=True)):
        for row, (title, places) in enumerate((("before", PIXELS), ("after", moved(found.affine)))):
            axes = figure.add_subplot(3, len(inks), row * len(inks) + column + 1, title=title, xticks=[], yticks=[], aspect="equal")
            axes.scatter(*PIXELS.T, s=3 * target, color="C0", alpha=0.5)
            axes.scatter(*places.T, s=3 * ink, color="C1", alpha=0.5)
            axes.invert_yaxis()
        axes = figure.add_subplot(3, len(inks), 2 * len(inks) + column + 1, title="ink wanted", xticks=[], yticks=[])
        limit = np.abs(found.wanted).max()
        axes.imshow(-found.wanted.reshape(8, 8), cmap="coolwarm", vmin=-limit, vmax=limit)
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    """Fit with each engine and print the table."""
    parser = argparse.ArgumentParser(description="Lay digits on top of each other by optimal transport.")
    every = [e for e in ("dual", "jax", "torch", "autograd") if e == "dual" or importlib.util.find_spec(e)]
    parser.add_argument("--engines", nargs="+", default=every, metavar="ENGINE", help="dual, jax, torch, autograd; by default all")
    parser.add_argument("--digit", type=int, default=3, help="which digit; by default 3")
    parser.add_argument("--count", type=int, default=6, help="how many pictures are laid on the first one; by default 6")
    parser.add_argument("--plot", metavar="FILE", help="save the digits as an image; needs matplotlib")
    options = parser.parse_args(arguments)
    target, *inks = digits(options.digit, options.count + 1)
    fitted = {engine: [fit(engine, ink, target) for ink in inks] for engine in options.engines}
    print(table(fitted))
    if options.plot:
        plot(fitted[options.engines[-1]], inks, target, options.plot)


if __name__ == "__main__":
    main()

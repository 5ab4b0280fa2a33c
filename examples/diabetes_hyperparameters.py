"""Choose the penalties of ridge regression and of the elastic net by their gradient, with every engine that is installed.

    python examples/diabetes_hyperparameters.py [--engines jax torch] [--plot penalties.svg]

How far diabetes has gone after one year is predicted from ten measurements, their squares and their products: 64 variables, as
in the paper below.  A quarter of the 442 patients is fitted, the others tell how good that is; each quarter has its turn.

    ridge:        sum of (y - X w)^2 / 2  +  sum of p_g w^2 / 2               three penalties p: measurements, products, squares
    elastic net:  sum of (y - X w)^2 / 2n  +  sum of (l |w| + r w^2 / 2)      two penalties: l and r

`sklearn.linear_model` does the fits, in every engine.  The derivative of the weights with respect to the logarithms of the
penalties follows from what the fit satisfies: the gradient of the ridge objective is zero, and the elastic net is a fixed point
of the proximal gradient step.  A value and its gradient take as many fits as the value alone.

Data: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least angle regression, Annals of Statistics 32 (2004), 407-499, as
`sklearn.datasets.load_diabetes` ships it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Ridge

import rulebook as rb

FITS: Counter[str] = Counter()  # how often sklearn has fitted
KINDS = ("measurements", "products", "squares")


class Split(NamedTuple):
    """Variables and outcomes to fit, and to tell how good the fit is; in units of the spread of those to fit."""

    x: Any
    y: Any
    other_x: Any
    other_y: Any


def splits() -> tuple[Any, list[Split]]:
    """Which kind each variable is, as an array (64, 3) of ones and zeros, and the four splits."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    z = (x - x.mean(0)) / x.std(0)
    first, second = (i[np.arange(55) != 10] for i in np.triu_indices(10))  # not the square of the sex, which has two values
    variables = np.hstack([z, z[:, first] * z[:, second]])
    kind = np.concatenate([np.zeros(10, int), 1 + (first == second)])
    found = []
    for quarter in range(4):
        fitted = np.arange(len(y)) % 4 == quarter
        centre, spread, level = variables[fitted].mean(0), variables[fitted].std(0), y[fitted].mean()
        scaled = (variables - centre) / spread
        found.append(Split(scaled[fitted], y[fitted] - level, scaled[~fitted], y[~fitted] - level))
    return np.eye(3)[kind], found


KIND, SPLITS = splits()


def ridge_objective(w: Any, logs: Any, x: Any, y: Any) -> Any:
    """What ridge regression minimises, with one penalty for each kind of variables."""
    xp = rb.xp(w, logs, x, y)
    return (xp.sum((y - x @ w) ** 2) + xp.sum(xp.asarray(KIND) @ xp.exp(logs) * w**2)) / 2


@rb.implicit.minimizer(ridge_objective, host=True)
def ridge(start: Any, logs: Any, x: Any, y: Any) -> Any:
    """sklearn's fit, of variables in units in which all penalties are one."""
    FITS["ridge"] += 1
    units = np.exp(-KIND @ logs / 2)
    return Ridge(alpha=1.0, fit_intercept=False).fit(x * units, y).coef_ * units


def proximal_gradient_step(w: Any, logs: Any, x: Any, y: Any) -> Any:
    """Which leaves the weights of the elastic net as they are; its length is safe for variables with a spread of one."""
    xp = rb.xp(w, logs, x, y)
    n, length = x.shape[0], 1 / x.shape[1]
    absolute, square = xp.exp(logs[0]), xp.exp(logs[1])
    v = w + length * (x.T @ (y - x @ w)) / n
    return xp.sign(v) * xp.maximum(xp.abs(v) - length * absolute, 0 * v) / (1 + length * square)


@rb.implicit.fixed_point(proximal_gradient_step, host=True)
def elastic_net(start: Any, logs: Any, x: Any, y: Any) -> Any:
    """sklearn's fit."""
    FITS["elastic net"] += 1
    absolute, square = np.exp(logs)
    both = absolute + square
    return ElasticNet(alpha=both, l1_ratio=absolute / both, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(x, y).coef_


MODELS = {"ridge": (ridge, np.array([4.0, 6.0, 6.0])), "elastic net": (elastic_net, np.array([1.0, -2.0]))}  # and where to start


def error(logs: Any, fit: Callable[..., Any]) -> Any:
    """The mean squared error for patients that were not fitted, over the four splits."""
    xp = rb.xp(logs)
    left = [xp.asarray(s.other_y) - xp.asarray(s.other_x) @ fit(np.zeros(64), logs, s.x, s.y) for s in SPLITS]
    return sum(xp.mean(r**2) for r in left) / len(left)


class Tuned(NamedTuple):
    """What one engine found."""

    before: float
    gradient: Any  # at the start
    logs: Any
    after: float
    evaluations: int
    fits: int


def tune(engine: str, model: str) -> Tuned:
    """The penalties with the least error."""
    if engine == "jax":
        importlib.import_module("jax").config.update("jax_enable_x64", True)
    fit, start = MODELS[model]
    value_and_gradient = rb.value_and_grad(error, engine=engine)
    before, gradient = value_and_gradient(start, fit)
    FITS.clear()
    found = minimize(value_and_gradient, start, args=(fit,), jac=True, method="BFGS", options={"gtol": 1e-5})
    return Tuned(float(before), gradient, found.x, found.fun, found.nfev, FITS[model])


def numbers(values: Any, form: str) -> str:
    """Numbers side by side."""
    return " ".join(f"{value:{form}}" for value in values)


def report(tuned: dict[str, dict[str, Tuned]]) -> str:
    """A table of the engines for each model."""
    row = "{:12} {:>11} {:36} {:>11} {:>4} {:>11}  {:25} {:>7}"
    lines: list[str] = []
    for model, by_engine in tuned.items():
        first = next(iter(by_engine.values()))
        lines += ["", row.format(model, "error", "gradient at the start", "evaluations", "fits", "error", "penalties", "off by")]
        for engine, t in by_engine.items():
            before, after, off = f"{t.before:.6f}", f"{t.after:.6f}", f"{np.abs(t.logs - first.logs).max():.1e}"
            gradient, penalties = numbers(t.gradient, "11.6f"), numbers(np.exp(t.logs), "8.4f")
            lines.append(row.format(engine, before, gradient, t.evaluations, t.fits, after, penalties, off))
    return "\n".join(lines[1:])


def plot(tuned: dict[str, Tuned], path: str) -> None:
    """The error over each penalty, with the others at their best."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (only where a plot is asked for)

    names = {"ridge": KINDS, "elastic net": ("absolute", "square")}
    figure = Figure(figsize=(8, 4), layout="constrained")
    for axes, (model, t) in zip(figure.subplots(1, 2), tuned.items(), strict=True):
        away = np.linspace(-1.0, 1.0, 15)
        for i, name in enumerate(names[model]):
            axes.plot(away, [error(t.logs + d * np.eye(len(t.logs))[i], MODELS[model][0]) for d in away], label=name)
        axes.set(title=model, xlabel="logarithm of a penalty by its best value", ylabel="mean squared error")
        axes.legend()
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> None:
    """Tune with each engine and print the tables."""
    parser = argparse.ArgumentParser(description="Choose the penalties of ridge regression and of the elastic net.")
    every = [e for e in ("dual", "jax", "torch", "autograd") if e == "dual" or importlib.util.find_spec(e)]
    parser.add_argument("--engines", nargs="+", default=every, metavar="ENGINE", help="dual, jax, torch, autograd; by default all")
    parser.add_argument("--plot", metavar="FILE", help="save the errors as an image; needs matplotlib")
    options = parser.parse_args(arguments)
    tuned = {model: {engine: tune(engine, model) for engine in options.engines} for model in MODELS}
    print(report(tuned))
    if options.plot:
        plot({model: by_engine[options.engines[-1]] for model, by_engine in tuned.items()}, options.plot)


if __name__ == "__main__":
    main()

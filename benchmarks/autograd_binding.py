"""autograd: a primitive with its rules against the hand-written `primitive`, `defvjp` and `defjvp` for the same math.

`python -m benchmarks.autograd_binding` prints a table of ratios; below one is faster than by hand.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_jvp, make_vjp
from autograd.extend import defjvp, defvjp, primitive

import rulebook as rb

_ROUNDS = 301


def _wave(x: Any, w: Any) -> Any:
    return np.sin(x) * w


def _by_rules() -> Any:
    wave = rb.primitive(_wave, name="benchmark.wave")

    @rb.pushforward(wave, symbolic_zeros=True)
    def _(y: Any, primals: Any, tangents: Any) -> Any:
        (x, w), (x_dot, w_dot) = primals, tangents
        xp = rb.xp(x, w)
        from_x = None if x_dot is None else xp.cos(x) * w * x_dot
        if w_dot is None:
            return from_x
        from_w = xp.sin(x) * w_dot
        return from_w if from_x is None else from_x + from_w

    @rb.pullback(wave)
    def _(y: Any, primals: Any, y_bar: Any) -> Any:
        x, w = primals
        xp = rb.xp(x, w)
        return rb.thunk(lambda: y_bar * w * xp.cos(x)), rb.thunk(lambda: y_bar * xp.sin(x))

    return wave


def _by_hand() -> Any:
    wave = primitive(_wave)
    defvjp(wave, lambda y, x, w: lambda y_bar: y_bar * w * anp.cos(x), lambda y, x, w: lambda y_bar: y_bar * anp.sin(x))
    defjvp(wave, lambda x_dot, y, x, w: anp.cos(x) * w * x_dot, lambda w_dot, y, x, w: anp.sin(x) * w_dot)
    return wave


def _forward_and_reverse(f: Any, x: Any, w: Any, both: bool) -> Callable[[], Any]:
    y_bar = np.ones(np.shape(x)) if np.ndim(x) else 1.0
    traced = make_vjp(lambda xw: f(xw[0], xw[1])) if both else make_vjp(f)

    def run() -> Any:
        pull, _ = traced((x, w)) if both else traced(x, w)
        return pull(y_bar)

    return run


def _forward(f: Any, x: Any, w: Any) -> Callable[[], Any]:
    x_dot = np.ones(np.shape(x)) if np.ndim(x) else 1.0
    return lambda: make_jvp(f)(x, w)(x_dot)


def _interleaved(first: Callable[[], Any], second: Callable[[], Any], inner: int) -> tuple[float, float]:
    """Medians of seconds per call, taken in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for fn, found in zip((first, second), times, strict=True):
            start = time.perf_counter()
            for _ in range(inner):
                fn()
            found.append((time.perf_counter() - start) / inner)
    return statistics.median(times[0]), statistics.median(times[1])


def rows() -> list[dict[str, Any]]:
    """One row per case: engine, case, ratio, ours_us, hand_us, target."""
    ours, hand = _by_rules(), _by_hand()
    found = []
    for n in (0, 10, 10_000, 100_000):
        x = np.linspace(0.1, 1.0, n) if n else 0.3
        w = np.full(n, 2.0) if n else 2.0
        size = f"{n} elements" if n else "one number"
        cases = [
            (f"forward+reverse, {size}", 1.05, lambda f, x=x, w=w: _forward_and_reverse(f, x, w, False)),
            (f"forward+reverse of both arguments, {size}", 1.05, lambda f, x=x, w=w: _forward_and_reverse(f, x, w, True)),
            (f"jvp, {size}", 1.0, lambda f, x=x, w=w: _forward(f, x, w)),
        ]
        for case, target, make in cases:
            a, b = _interleaved(make(ours), make(hand), 50 if n < 10_000 else 3)
            found.append({"engine": "autograd", "case": case, "ratio": a / b, "ours_us": a * 1e6, "hand_us": b * 1e6, "target": target})
    return found


def main() -> None:
    """Print the table."""
    print(f"{'case':50} {'ours us':>9} {'hand us':>9} {'ratio':>6} {'target':>6}")
    for row in rows():
        print(f"{row['case']:50} {row['ours_us']:9.1f} {row['hand_us']:9.1f} {row['ratio']:6.2f} {row['target']:6.2f}")


if __name__ == "__main__":
    main()

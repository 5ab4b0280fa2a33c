"""The cases: one entry each.  Every rule carries MARKER unless it calls its own function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import rulebook as rb
from tests.conformance.model import MARKER as M, Case, one_direction

Directions = frozenset[str]


def _elementwise(directions: Directions) -> Any:
    """frule and rrule of sin(x) w, with a thunk."""

    @rb.primitive
    def sine(x, w):
        return rb.xp(x, w).sin(x) * w

    if "forward" in directions:

        @rb.frule(sine)
        def _(primals, tangents):
            (x, w), (x_dot, w_dot) = primals, tangents
            xp = rb.xp(x, w)
            return xp.sin(x) * w, M * (xp.cos(x) * w * x_dot + xp.sin(x) * w_dot)

    if "reverse" in directions:

        @rb.rrule(sine)
        def _(x, w):
            xp = rb.xp(x, w)
            s = xp.sin(x)
            return s * w, lambda y_bar: (M * xp.cos(x) * w * y_bar, rb.thunk(lambda: M * s * y_bar))

    return sine


def _given_output(directions: Directions) -> Any:
    """pushforward and pullback of exp(x) w, from y."""

    @rb.primitive
    def growth(x, w):
        return rb.xp(x, w).exp(x) * w

    if "forward" in directions:

        @rb.pushforward(growth)
        def _(y, primals, tangents):
            return M * (y * tangents[0] + y / primals[1] * tangents[1])

    if "reverse" in directions:

        @rb.pullback(growth)
        def _(y, primals, y_bar):
            return M * y * y_bar, M * y / primals[1] * y_bar

    return growth


def _scalar(directions: Directions) -> Any:
    """scalar_rule of x w + tanh(x), with broadcasting."""

    @rb.primitive
    def mix(x, w):
        return x * w + rb.xp(x, w).tanh(x)

    @rb.scalar_rule(mix)
    def _(y, x, w):
        t = rb.xp(x, w).tanh(x)
        return M * (w + 1 - t * t), rb.thunk(lambda: M * x)

    return one_direction(mix, directions)


def _linear(directions: Directions) -> Any:
    """transpose of a function linear in two arguments together."""

    @rb.primitive
    def blend(a, b):
        return 2.0 * a - 3.0 * b

    @rb.transpose(blend, wrt=(0, 1))
    def _(y_bar, a, b):
        return 2.0 * y_bar, -3.0 * y_bar

    return one_direction(blend, directions)


def _containers(directions: Directions) -> Any:
    """Dicts, tuples, lists and None in; a dict out."""

    @rb.primitive
    def affine(params, x, extra):
        (shift,) = params["shift"]
        return {"out": params["w"] * x[0] * x[1] + shift, "scale": params["w"] * extra[1]}

    if "forward" in directions:

        @rb.frule(affine)
        def _(primals, tangents):
            params, x, extra = primals
            d, x_dot, e_dot = tangents
            w, w_dot = params["w"], d["w"]
            out = w_dot * x[0] * x[1] + w * (x_dot[0] * x[1] + x[0] * x_dot[1]) + d["shift"][0]
            y = {"out": w * x[0] * x[1] + params["shift"][0], "scale": w * extra[1]}
            return y, {"scale": M * (w_dot * extra[1] + w * e_dot[1]), "out": M * out}

    if "reverse" in directions:

        @rb.rrule(affine)
        def _(params, x, extra):
            w = params["w"]

            def pullback(y_bar):
                o, s = y_bar["out"], y_bar["scale"]
                return (
                    {"w": M * (o * x[0] * x[1] + s * extra[1]), "shift": [M * o]},
                    (M * o * w * x[1], M * o * w * x[0]),
                    [None, M * s * w],
                )

            return {"out": w * x[0] * x[1] + params["shift"][0], "scale": w * extra[1]}, pullback

    return affine


class Point(NamedTuple):
    """A namedtuple of values."""

    x: Any
    y: Any


@rb.register_dataclass
@dataclass
class Body:
    """A registered dataclass of values."""

    mass: Any
    at: Point


def _records(directions: Directions) -> Any:
    """A dataclass holding a namedtuple, and a namedtuple out."""

    @rb.primitive
    def moment(body):
        return Point(body.mass * body.at.x * body.at.x, body.mass * body.at.y)

    if "forward" in directions:

        @rb.pushforward(moment)
        def _(y, primals, tangents):
            (b,), (d,) = primals, tangents
            x_dot = d.mass * b.at.x * b.at.x + 2 * b.mass * b.at.x * d.at.x
            return Point(M * x_dot, M * (d.mass * b.at.y + b.mass * d.at.y))

    if "reverse" in directions:

        @rb.pullback(moment)
        def _(y, primals, y_bar):
            (b,) = primals
            mass = y_bar.x * b.at.x * b.at.x + y_bar.y * b.at.y
            return (Body(M * mass, Point(M * 2 * b.mass * b.at.x * y_bar.x, M * b.mass * y_bar.y)),)

    return moment


def _integers(directions: Directions) -> Any:
    """An integer argument, an integer result, and a flag."""

    @rb.primitive
    def power(x, n, flag):
        return x**n + 2 * flag, n + 1

    if "forward" in directions:

        @rb.frule(power)
        def _(primals, tangents):
            (x, n, flag), (x_dot, n_dot, flag_dot) = primals, tangents
            assert n_dot is None and flag_dot is None
            return (x**n + 2 * flag, n + 1), (M * n * x ** (n - 1) * x_dot, None)

    if "reverse" in directions:

        @rb.rrule(power)
        def _(x, n, flag):
            def pullback(y_bar):
                assert y_bar[1] is None
                return M * n * x ** (n - 1) * y_bar[0], None, rb.NoTangent()

            return (x**n + 2 * flag, n + 1), pullback

    return power


def _static(directions: Directions) -> Any:
    """Statics with defaults, one given; a default primal; a string among the primals."""

    @rb.primitive
    def wave(x, kind="sin", phase=0.25, *, n=1, scale=2.0):
        xp = rb.xp(x, phase)
        return scale * (xp.sin if kind == "sin" else xp.cos)(n * x + phase)

    if "forward" in directions:

        @rb.pushforward(wave)
        def _(y, primals, tangents, *, n, scale):
            x, kind, phase = primals
            assert kind == "sin" and tangents[1] is None
            return M * scale * rb.xp(x, phase).cos(n * x + phase) * (n * tangents[0] + tangents[2])

    if "reverse" in directions:

        @rb.pullback(wave)
        def _(y, primals, y_bar, *, n, scale):
            x, _, phase = primals
            c = M * scale * rb.xp(x, phase).cos(n * x + phase) * y_bar
            return n * c, None, rb.project(phase, c)

    return wave


def _holomorphic(directions: Directions) -> Any:
    """Complex numbers: z z w, by partials."""

    @rb.primitive
    def square(z, w):
        return z * z * w

    @rb.scalar_rule(square)
    def _(y, z, w):
        return M * 2 * z * w, M * z * z

    return one_direction(square, directions)


def _modulus(directions: Directions) -> Any:
    """Complex in, real out: not holomorphic."""

    @rb.primitive
    def energy(z):
        xp = rb.xp(z)
        return xp.real(z) ** 2 + 3 * xp.imag(z) ** 2

    if "forward" in directions:

        @rb.pushforward(energy)
        def _(y, primals, tangents):
            xp = rb.xp(*primals)
            (z,), (t,) = primals, tangents
            return M * (2 * xp.real(z) * xp.real(t) + 6 * xp.imag(z) * xp.imag(t))

    if "reverse" in directions:

        @rb.pullback(energy)
        def _(y, primals, y_bar):
            xp = rb.xp(*primals)
            (z,) = primals
            return (M * (2 * xp.real(z) + 6j * xp.imag(z)) * y_bar,)

    return energy


def _several(directions: Directions) -> Any:
    """Several results, one with a zero tangent by name, and *args."""

    @rb.primitive
    def parts(*args):
        return sum(args[1:], args[0]), args[0] * args[1], rb.xp(*args).ones_like(args[0])

    if "forward" in directions:

        @rb.frule(parts)
        def _(primals, tangents):
            xp = rb.xp(*primals)
            a, b, c = primals
            t, u, v = tangents
            return (a + b + c, a * b, xp.ones_like(a)), (M * (t + u + v), M * (t * b + a * u), rb.ZeroTangent())

    if "reverse" in directions:

        @rb.rrule(parts)
        def _(*args):
            a, b, c = args

            def pullback(y_bar):
                s, p, _ = y_bar
                return M * (s + p * b), M * (s + p * a), M * s

            return (a + b + c, a * b, rb.xp(*args).ones_like(a)), pullback

    return parts


def _symbolic(directions: Directions) -> Any:
    """Rules that take None for a zero."""

    @rb.primitive
    def pair(x, w):
        return x * x * w, x + w

    if "forward" in directions:

        @rb.pushforward(pair, symbolic_zeros=True)
        def _(y, primals, tangents):
            (x, w), (x_dot, w_dot) = primals, tangents
            first = second = rb.ZeroTangent()
            if x_dot is not None:
                first, second = M * 2 * x * w * x_dot, M * x_dot
            if w_dot is not None:
                term = M * x * x * w_dot
                first = term if x_dot is None else first + term
                second = M * w_dot if x_dot is None else second + M * w_dot
            return first, second

    if "reverse" in directions:

        @rb.pullback(pair, symbolic_zeros=True)
        def _(y, primals, y_bar):
            x, w = primals
            p, s = y_bar
            zero = rb.xp(x).zeros_like(x)
            a = zero if p is None else p
            b = zero if s is None else s
            return M * (2 * x * w * a + b), M * (x * x * a + b)

    return pair


def _solve(directions: Directions) -> Any:
    """A linear solve whose rules call it again (no marker: the second derivative meets the rules themselves)."""

    @rb.primitive
    def solve(a, b):
        return rb.xp(a, b).linalg.solve(a, b)

    if "forward" in directions:

        @rb.pushforward(solve)
        def _(x, primals, tangents):
            return solve(primals[0], tangents[1] - tangents[0] @ x)

    if "reverse" in directions:

        @rb.pullback(solve)
        def _(x, primals, x_bar):
            b_bar = solve(primals[0].T, x_bar)
            return -b_bar[:, None] * x[None, :], b_bar

    return solve


def _fixed_point(directions: Directions) -> Any:
    """An iterative solver, x = tanh(x) / 4 + b, with the implicit function theorem for a rule."""

    @rb.primitive
    def solver(b):
        x = b
        for _ in range(25):
            x = 0.25 * rb.xp(b).tanh(x) + b
        return x

    def slope(x):
        t = rb.xp(x).tanh(x)
        return 1 / (1 - 0.25 * (1 - t * t))

    if "forward" in directions:

        @rb.frule(solver)
        def _(primals, tangents):
            x = solver(*primals)
            return x, slope(x) * tangents[0]

    if "reverse" in directions:

        @rb.rrule(solver)
        def _(b):
            x = solver(b)
            return x, lambda x_bar: (slope(x) * x_bar,)

    return solver


def _constant(directions: Directions) -> Any:
    """A function whose derivatives are all zero."""

    @rb.primitive
    def cells(x):
        return rb.xp(x).floor(x)

    return one_direction(rb.non_differentiable(cells), directions)


def _normal(*shapes: tuple[int, ...], dtype: Any = float, shift: float = 0.0) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        return tuple(
            np.asarray(rng.normal(size=s) + (1j * rng.normal(size=s) if dtype in (complex, np.complex64) else 0) + shift).astype(dtype)
            for s in shapes
        )

    return draw


def _positive(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=3), rng.uniform(0.5, 2.0, size=3)


def _container_args(rng: np.random.Generator) -> tuple[Any, ...]:
    return {"w": rng.normal(size=2), "shift": [rng.normal(size=2)]}, (rng.normal(size=2), rng.normal(size=2)), [None, rng.normal(size=2)]


def _record_args(rng: np.random.Generator) -> tuple[Any, ...]:
    return (Body(rng.normal(size=2), Point(rng.normal(size=2), rng.normal(size=2))),)


def _solve_args(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(size=3)


CASES = [
    Case("elementwise", _elementwise, _normal((3,), (3,))),
    Case("given output", _given_output, _positive),
    Case("partials, broadcasting", _scalar, _normal((3, 1), (2,))),
    Case("partials, numbers", _scalar, lambda rng: (float(rng.normal()), np.float64(rng.normal()))),
    Case("0-d", _elementwise, _normal((), ())),
    Case("zero-size", _elementwise, _normal((0,), (0,))),
    Case("float32", _elementwise, _normal((3,), (3,), dtype=np.float32)),
    Case("transpose", _linear, _normal((3,), (3,)), any_order=True),
    Case("containers", _containers, _container_args),
    Case("records", _records, _record_args),
    Case("integers", _integers, lambda rng: (rng.uniform(0.5, 2.0, size=3), np.arange(2, 5), True)),
    Case("statics and defaults", _static, lambda rng: (rng.normal(size=3), "sin", float(rng.normal())), static={"n": 3}),
    Case("complex", _holomorphic, _normal((2,), (2,), dtype=complex)),
    Case("complex to real", _modulus, _normal((2,), dtype=complex)),
    Case("several results, *args", _several, _normal((2,), (2,), (2,))),
    Case("symbolic zeros", _symbolic, _normal((2,), (2,))),
    Case("solve", _solve, _solve_args),
    Case("iterative solver", _fixed_point, _normal((3,))),
    Case("not differentiable", _constant, _normal((3,), shift=0.1), any_order=True),
]

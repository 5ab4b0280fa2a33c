"""Containers, integers, strings, None and callables among arguments and results."""

from typing import NamedTuple

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


class Point(NamedTuple):
    x: object
    y: object


class Fit(NamedTuple):
    value: object
    slope: object


# a dict of parameters, applied in an order that is not the alphabet's


def affine(params, x):
    return params["w"] @ x + params["b"]


def affine_cases(rng):
    n = int(rng.integers(1, 4))
    return {"w": rng.standard_normal((n, n)), "b": rng.standard_normal(n)}, rng.standard_normal(n)


def affine_push(y, primals, tangents):
    return tangents[0]["w"] @ primals[1] + primals[0]["w"] @ tangents[1] + tangents[0]["b"]


def affine_pull(y, primals, y_bar):
    params, x = primals
    return {"b": y_bar, "w": np.outer(y_bar, x)}, params["w"].T @ y_bar


affines = Family(
    "affine", "a dict whose keys come back in another order", f=affine, cases=affine_cases, pushforward=affine_push, pullback=affine_pull
)
affines.wrong("w_transposed", "transpose", pullback=lambda y, p, c: ({"w": np.outer(p[1], c), "b": c}, p[0]["w"].T @ c))
affines.wrong("missing_key", "structure", pullback=lambda y, p, c: ({"w": np.outer(c, p[1])}, p[0]["w"].T @ c))
affines.wrong("tuple", "structure", "a tuple for a dict", pullback=lambda y, p, c: ((np.outer(c, p[1]), c), p[0]["w"].T @ c))
affines.wrong("unknown_key", "structure", pullback=lambda y, p, c: ({"w": np.outer(c, p[1]), "bias": c}, p[0]["w"].T @ c))
affines.wrong("none_for_b", "missing cotangent", pullback=lambda y, p, c: ({"w": np.outer(c, p[1]), "b": None}, p[0]["w"].T @ c))
affines.wrong("bias_held", "dropped term", pushforward=lambda y, p, t: t[0]["w"] @ p[1] + p[0]["w"] @ t[1])

# two weights of one shape, by position


def two_gains(gains, x):
    return gains["high"] * x**2 + gains["low"] * x


gains = Family(
    "two_gains",
    "a dict of two arrays of one shape",
    f=two_gains,
    cases=[rb.case({"low": np.array([1.0, 2.0]), "high": np.array([-1.0, 0.5])}, np.array([0.3, -2.0]))],
    rrule=lambda gains, x: (
        two_gains(gains, x),
        lambda y_bar: ({"high": y_bar * x**2, "low": y_bar * x}, y_bar * (2 * gains["high"] * x + gains["low"])),
    ),
)
gains.wrong(
    "by_position",
    "structure",
    "pairs sorted values with unsorted keys",
    rrule=lambda g, x: (two_gains(g, x), lambda c: (dict(zip(g, (c * x**2, c * x), strict=True)), c * (2 * g["high"] * x + g["low"]))),
)
gains.wrong(
    "power",
    "power",
    rrule=lambda g, x: (two_gains(g, x), lambda c: ({"high": c * x**2, "low": c * x}, c * (2 * g["high"] * x**2 + g["low"]))),
)
gains.wrong(
    "list_of_cotangents",
    "structure",
    rrule=lambda g, x: (two_gains(g, x), lambda c: ([c * x**2, c * x], c * (2 * g["high"] * x + g["low"]))),
)

# namedtuples in and out


def rotate(p, angle):
    c, s = np.cos(angle), np.sin(angle)
    return Point(c * p.x - s * p.y, s * p.x + c * p.y)


def rotate_push(y, primals, tangents):
    turned = rotate(tangents[0], primals[1])
    return Point(turned.x - y.y * tangents[1], turned.y + y.x * tangents[1])


def rotate_pull(y, primals, y_bar):
    back = rotate(y_bar, -primals[1])
    return Point(back.x, back.y), np.sum(-y_bar.x * y.y + y_bar.y * y.x)


def rotate_cases(rng):
    shape = [(), (3,)][rng.integers(2)]
    draw = lambda: np.asarray(rng.standard_normal(shape))[()]
    return Point(draw(), draw()), rng.uniform(-4, 4)


turns = Family(
    "rotate", "namedtuples; a number as an argument", f=rotate, cases=rotate_cases, pushforward=rotate_push, pullback=rotate_pull
)
turns.wrong("forth", "transpose", "turns on instead of back", pullback=lambda y, p, c: (rotate(c, p[1]), rotate_pull(y, p, c)[1]))
turns.wrong("bare_tuple", "structure", pullback=lambda y, p, c: (tuple(rotate_pull(y, p, c)[0]), rotate_pull(y, p, c)[1]))
turns.wrong("bare_tuple_forward", "structure", pushforward=lambda y, p, t: tuple(rotate_push(y, p, t)))
turns.wrong("fields_swapped", "swapped", pullback=lambda y, p, c: (Point(*rotate_pull(y, p, c)[0][::-1]), rotate_pull(y, p, c)[1]))
turns.wrong("angle_sign", "sign", pushforward=lambda y, p, t: (lambda q: Point(q.x + y.y * t[1], q.y - y.x * t[1]))(rotate(t[0], p[1])))
turns.wrong(
    "angle_shape", "shape", "(1,) for ()", pullback=lambda y, p, c: (rotate_pull(y, p, c)[0], np.reshape(rotate_pull(y, p, c)[1], (1,)))
)
turns.wrong("angle_unsummed", "broadcast sum", pullback=lambda y, p, c: (rotate_pull(y, p, c)[0], np.ravel(-c.x * y.y + c.y * y.x)[0]))

# nested lists with None, an integer and a string


def evaluate(tree, x):
    coefficients, (power, label), _ = tree
    total = coefficients[0] + coefficients[1] * x**power
    return total if label == "plain" else -total


def tree_cases(rng):
    a, b = np.asarray(rng.standard_normal(3)), np.asarray(rng.standard_normal(3))
    return ([a, b], (int(rng.integers(1, 4)), ["plain", "minus"][rng.integers(2)]), None), rng.standard_normal(3)


def tree_parts(tree, x):
    (_, b), (power, label), _ = tree
    sign = 1.0 if label == "plain" else -1.0
    return sign, x**power, b * power * x ** (power - 1)


def tree_push(y, primals, tangents):
    sign, by_b, by_x = tree_parts(*primals)
    (a_dot, b_dot), _, _ = tangents[0]
    return sign * (a_dot + by_b * b_dot + by_x * tangents[1])


def tree_pull(y, primals, y_bar):
    sign, by_b, by_x = tree_parts(*primals)
    return ([sign * y_bar, sign * by_b * y_bar], (None, rb.NoTangent()), None), sign * by_x * y_bar


trees = Family(
    "tree", "lists, None, an integer and a string in one argument", f=evaluate, cases=tree_cases, pushforward=tree_push, pullback=tree_pull
)
trees.right(
    "none_for_part", "None for a whole container", pullback=lambda y, p, c: ((tree_pull(y, p, c)[0][0], None, None), tree_pull(y, p, c)[1])
)
trees.wrong("ignores_label", "wrong branch", pullback=lambda y, p, c: (([c, tree_parts(*p)[1] * c], None, None), tree_parts(*p)[2] * c))
trees.wrong("tuple_for_list", "structure", pullback=lambda y, p, c: ((tuple(tree_pull(y, p, c)[0][0]), None, None), tree_pull(y, p, c)[1]))
trees.wrong(
    "integer",
    "integer cotangent",
    "a cotangent for the integer power",
    pullback=lambda y, p, c: ((tree_pull(y, p, c)[0][0], (np.sum(c * y), None), None), tree_pull(y, p, c)[1]),
)
trees.wrong("flat", "structure", "flattened", pullback=lambda y, p, c: ((*tree_pull(y, p, c)[0][0], None, None), tree_pull(y, p, c)[1]))
trees.wrong(
    "power_off",
    "power",
    "x^power instead of power x^(power-1)",
    pushforward=lambda y, p, t: (lambda s: s[0] * (t[0][0][0] + s[1] * t[0][0][1] + p[0][0][1] * s[1] * t[1]))(tree_parts(*p)),
)

# take with integer indices: repeated ones, as an argument


def take(x, index):
    return x[index]


def take_cases(rng):
    n = int(rng.integers(2, 7))
    return rng.standard_normal(n), rng.integers(0, n, size=int(rng.integers(1, 8)))


def scatter(x, index, y_bar):
    out = np.zeros_like(x)
    np.add.at(out, index, y_bar)
    return out


def scatter_once(x, index, y_bar):
    out = np.zeros_like(x)
    out[index] += y_bar
    return out


takes = Family(
    "take",
    "repeated integer indices",
    f=take,
    cases=take_cases,
    frule=lambda primals, tangents: (primals[0][primals[1]], tangents[0][primals[1]]),
    rrule=lambda x, index: (x[index], lambda y_bar: (scatter(x, index, y_bar), rb.NoTangent())),
)
takes.wrong(
    "repeated", "accumulates", "repeated indices count once", rrule=lambda x, index: (x[index], lambda c: (scatter_once(x, index, c), None))
)
takes.wrong(
    "index_cotangent",
    "integer cotangent",
    rrule=lambda x, index: (x[index], lambda c: (scatter(x, index, c), np.full(index.shape, np.sum(c)))),
)
takes.wrong(
    "gathers",
    "transpose",
    "gathers in the reverse direction",
    rrule=lambda x, index: (x[index], lambda c: (np.bincount(index, minlength=x.size) * np.resize(c, x.shape), None)),
)
takes.wrong("bare", "structure", "the array without a tuple", rrule=lambda x, index: (x[index], lambda c: scatter(x, index, c)))
takes.wrong("sorted", "swapped", "indices sorted first", frule=lambda p, t: (p[0][p[1]], t[0][np.sort(p[1])]))

# a result with an integer: argmax


def best(x):
    i = np.argmax(x)
    return x[i] ** 2, i


def best_pull(y, primals, y_bar):
    out = np.zeros_like(primals[0])
    out[y[1]] = 2 * primals[0][y[1]] * y_bar[0]
    return (out,)


bests = Family(
    "best",
    "a number and an integer as results",
    f=best,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 6))),),
    pushforward=lambda y, primals, tangents: (2 * primals[0][y[1]] * tangents[0][y[1]], None),
    pullback=best_pull,
)
bests.right("no_tangent", "NoTangent for the integer", pushforward=lambda y, p, t: (2 * p[0][y[1]] * t[0][y[1]], rb.NoTangent()))
bests.wrong("bare", "structure", "one tangent for the pair", pushforward=lambda y, p, t: 2 * p[0][y[1]] * t[0][y[1]])
bests.wrong("everywhere", "one element", "the cotangent goes to every entry", pullback=lambda y, p, c: (2 * p[0] * c[0],))
bests.wrong("no_chain", "power", pullback=lambda y, p, c: (best_pull(y, p, c)[0] / np.where(p[0] == 0, 1, 2 * p[0]),))
bests.wrong(
    "abs", "wrong branch", "the entry of largest size", pullback=lambda y, p, c: (best_pull((0, np.argmax(np.abs(p[0]))), p, c)[0],)
)

# options as positional arguments: string, bool, None, callable


def apply(x, how, flag, offset, function):
    y = {"double": 2 * x, "square": x**2}[how]
    y = -y if flag else y
    return function(y) + (0.0 if offset is None else offset)


def apply_cases(rng):
    function = [np.sin, np.tanh][rng.integers(2)]
    return (
        rng.standard_normal(3),
        ["double", "square"][rng.integers(2)],
        bool(rng.integers(2)),
        None if rng.random() < 0.5 else rng.standard_normal(3),
        function,
    )


def apply_slope(x, how, flag, offset, function):
    inner = {"double": 2 + 0 * x, "square": 2 * x}[how] * (-1 if flag else 1)
    at = {"double": 2 * x, "square": x**2}[how] * (-1 if flag else 1)
    return inner * (np.cos(at) if function is np.sin else 1 - np.tanh(at) ** 2)


applied = Family(
    "apply",
    "strings, flags, None and callables among the primals",
    f=apply,
    cases=apply_cases,
    pushforward=lambda y, p, t: apply_slope(*p) * t[0] + (0.0 if p[3] is None else t[3]),
    pullback=lambda y, p, c: (apply_slope(*p) * c, None, None, None if p[3] is None else c, None),
)
applied.wrong(
    "flag_ignored",
    "wrong branch",
    pullback=lambda y, p, c: (apply_slope(p[0], p[1], False, *p[3:]) * c, None, None, None if p[3] is None else c, None),
)
applied.wrong("offset_missing", "missing cotangent", pullback=lambda y, p, c: (apply_slope(*p) * c, None, None, None, None))
applied.wrong(
    "always_sine", "wrong branch", pushforward=lambda y, p, t: apply_slope(*p[:4], np.sin) * t[0] + (0.0 if p[3] is None else t[3])
)
applied.wrong(
    "too_few",
    "structure",
    "four cotangents for five arguments",
    pullback=lambda y, p, c: (apply_slope(*p) * c, None, None, None if p[3] is None else c),
)

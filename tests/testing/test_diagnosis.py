"""Findings say what the error looks like, and say nothing that does not fit."""

import numpy as np
import pytest

import rulebook as rb
from rulebook.testing import Rule, check_rules
from rulebook.testing.diagnosis import describe

M = np.random.default_rng(3).normal(size=(3, 3))
WEIGHTS = np.arange(1.0, 5)
N = lambda *shape: lambda rng: rng.normal(size=shape)


def cases(*draws, **static):
    return [lambda rng: tuple(draw(rng) for draw in draws)]


def square(push=None, pull=None, draw=None):
    """y = x**2 with some partials."""
    rules = {}
    if push is not None:
        rules["pushforward"] = lambda y, p, t: push(p[0]) * t[0]
    if pull is not None:
        rules["pullback"] = lambda y, p, c: (pull(p[0]) * c,)
    return Rule(lambda x: x**2, cases=cases(draw or N(4)), **rules)


def matmul(a_bar=None, b_bar=None, shapes=((3, 3), (3, 3))):
    a_bar = a_bar or (lambda a, b, c: c @ b.T)
    b_bar = b_bar or (lambda a, b, c: a.T @ c)
    return Rule(lambda a, b: a @ b, pullback=lambda y, p, c: (a_bar(*p, c), b_bar(*p, c)), cases=cases(*(N(*s) for s in shapes)))


def one_bad(k, factor):
    """2x with one element multiplied."""

    def partial(x):
        made = 2 * x
        made[k] *= factor
        return made

    return partial


def add(row_bar):
    """A row added to a matrix, with the cotangent of the row."""
    return Rule(lambda a, b: a + b, pullback=lambda y, p, c: (c, row_bar(c)), cases=cases(N(4, 3), N(3)))


def complex_draw(rng):
    return rng.normal(size=3) + 1j * rng.normal(size=3)


def cplx(pull):
    return Rule(np.exp, pullback=lambda y, p, c: (pull(y, c),), cases=cases(complex_draw))


def polar_bars(a, b, c):
    r = a**2 + b**2
    return b / r * c, -a / r * c


def accumulating():
    """The rrule keeps adding to one buffer."""

    def rrule(x):
        total = np.zeros_like(x)

        def pull(c):
            nonlocal total
            total = total + np.cos(x) * c
            return (total,)

        return np.sin(x), pull

    return Rule(np.sin, rrule=rrule, cases=cases(N(3)))


def shared():
    """All calls keep their residual in the same place."""
    kept = {}

    def rrule(x):
        kept["cos"] = np.cos(x)
        return np.sin(x), lambda c: (kept["cos"] * c,)

    return Rule(np.sin, rrule=rrule, cases=cases(N(3)))


def by_identity():
    """The slope is kept for the array object that was seen last."""
    kept = [None, None]

    def rrule(x):
        if kept[0] is not x:
            kept[:] = [x, np.cos(x)]
        slope = kept[1]
        return np.sin(x), lambda c: (slope * c,)

    return Rule(np.sin, rrule=rrule, cases=cases(N(3)))


def workspace():
    """Cotangents are returned in an array that the next call uses."""
    work = np.empty(3)

    def pull(y, p, c):
        if work.shape != c.shape:
            return (np.cos(p[0]) * c,)
        return (np.multiply(np.cos(p[0]), c, out=work),)

    return Rule(np.sin, pullback=pull, cases=cases(N(3)))


def ignoring_option():
    def scaled(x, *, power=2):
        return x**power

    return Rule(
        scaled,
        pullback=lambda y, p, c, *, power: (2 * p[0] * c,),
        cases=[lambda rng: rb.case(rng.uniform(1, 2, 3), power=3)],
    )


def lower(rng):
    a = rng.normal(size=(3, 3))
    return a + a.T


def symmetric(pull):
    return Rule(
        lambda a: float(np.sum(a @ a @ a)),
        pullback=lambda y, p, c: (pull(_cubed(p[0])) * c,),
        cases=cases(lower),
        tangent_space=lambda i, t: (t + t.T) / 2,
    )


def _cubed(a):
    one = np.ones_like(a)
    g = one @ a @ a + a @ one @ a + a @ a @ one
    return (g + g.T) / 2


def two(**rules):
    return Rule(lambda a, b: np.sin(a) * np.exp(b), cases=cases(N(3), N(3)), **rules)


WRONG = {
    "sign": (square(pull=lambda x: -2 * x), "the sign is wrong"),
    "sign, one element": (square(pull=lambda x: -2 * x, draw=N()), "the sign is wrong"),
    "half": (square(push=lambda x: x, pull=lambda x: x), "the derivative times 0.5"),
    "twice": (square(push=lambda x: 4 * x), "the derivative times 2"),
    "minus two": (square(pull=lambda x: -4 * x), "the derivative times -2"),
    "a third": (square(pull=lambda x: 2 * x / 3), "the derivative times 0.3333"),
    "power": (square(pull=lambda x: 2 * x**2), "the derivative times x"),
    "zero": (square(pull=lambda x: 0 * x), "zero where it should not be"),
    "zero for one argument": (
        two(pullback=lambda y, p, c: (np.cos(p[0]) * np.exp(p[1]) * c, None)),
        "zero where it should not be, for b",
    ),
    "sign for one argument": (
        two(pushforward=lambda y, p, t: -np.cos(p[0]) * np.exp(p[1]) * t[0] + y * t[1]),
        "the sign is wrong, for a",
    ),
    "swapped": (two(pullback=lambda y, p, c: (y * c, np.cos(p[0]) * np.exp(p[1]) * c)), "the derivatives of a and b are swapped"),
    "swapped, with the other sign": (
        Rule(lambda a, b: np.arctan2(a, b), pullback=lambda y, p, c: polar_bars(p[1], p[0], c), cases=cases(N(3), N(3))),
        "the derivatives of a and b are swapped, and the sign is wrong",
    ),
    "results swapped": (
        Rule(lambda x: (np.sin(x), np.exp(x)), pushforward=lambda y, p, t: (y[1] * t[0], np.cos(p[0]) * t[0]), cases=cases(N(3))),
        "the derivatives of y[0] and y[1] are swapped",
    ),
    "one result": (
        Rule(lambda x: (np.sin(x), np.exp(x)), pushforward=lambda y, p, t: (np.cos(p[0]) * t[0], -y[1] * t[0]), cases=cases(N(3))),
        "the sign is wrong, in y[1]",
    ),
    "steps of a solver": (
        Rule(
            lambda x: np.stack([M @ x, M @ M @ x, M @ M @ M @ x]),
            pullback=lambda y, p, c: ((M @ M @ M).T @ c[-1],),
            cases=cases(N(3)),
        ),
        "a sum over axis 0 of y is missing",
    ),
    "another order": (
        Rule(
            lambda *args: sum((k + 1) * a**2 for k, a in enumerate(args)),
            pullback=lambda y, p, c: tuple(2 * (k + 1) * a * c for k, a in enumerate(p))[::-1],
            cases=cases(N(2), N(2), N(2), N(2)),
        ),
        "the derivatives of args[0], args[1], args[2] and args[3] are in another order",
    ),
    "unlike for one argument": (two(pullback=lambda y, p, c: (np.cos(p[0]) * c, y * c)), "right for b, not for a"),
    "conjugate": (cplx(lambda y, c: y * c), "the complex conjugate of the derivative"),
    "cotangent conjugated": (cplx(lambda y, c: np.conj(y * c)), "y_bar is conjugated"),
    "real part": (cplx(lambda y, c: (np.conj(y) * c).real + 0j), "the imaginary part is missing"),
    "transpose": (matmul(a_bar=lambda a, b, c: c @ b), "the transpose of the derivative, for a"),
    "transposed result": (matmul(b_bar=lambda a, b, c: (a.T @ c).T.copy()), "x_bar is transposed, for b"),
    "wrong side": (
        Rule(lambda x: M @ x, pullback=lambda y, p, c: (c @ M,), cases=cases(N(3, 3))),
        "a matrix acts from the wrong side",
    ),
    "not reversed": (
        Rule(lambda x: np.cumsum(x), pullback=lambda y, p, c: (np.cumsum(c),), cases=cases(N(4))),
        "the transpose of the derivative",
    ),
    "reversed": (
        Rule(lambda x: x * np.arange(1.0, 5), pullback=lambda y, p, c: ((c * np.arange(1.0, 5))[::-1].copy(),), cases=cases(N(4))),
        "x_bar is reversed",
    ),
    "entries": (
        Rule(lambda x: x[:, None] * x, pullback=lambda y, p, c: (c @ p[0],), cases=cases(N(3))),
        "right except at 9 of 15 entries of the Jacobian",
    ),
    "shifted": (
        Rule(lambda x: 3 * np.sin(x), pullback=lambda y, p, c: (np.roll(3 * np.cos(p[0]) * c, 1),), cases=cases(N(4))),
        "x_bar is shifted by one element",
    ),
    "missing sum": (add(lambda c: c[0].copy()), "a sum over the broadcast axes is missing, for b"),
    "mean": (add(lambda c: c.mean(0)), "the derivative times 0.25, as of a mean instead of a sum, for b"),
    "mean forward": (
        Rule(lambda x: np.sum(x**2), pushforward=lambda y, p, t: np.mean(2 * p[0] * t[0]), cases=cases(N(5))),
        "the derivative times 0.2, as of a mean instead of a sum",
    ),
    "last element": (
        square(pull=one_bad(-1, 0.0)),
        "zero where it should not be: at 1 of 4 elements of x (the last)",
    ),
    "first element": (square(push=one_bad(0, 7.7)), "right except at 1 of 4 elements of y (the first)"),
    "one element": (square(pull=one_bad(1, -1.0)), "right except at 1 of 4 elements of x: the sign is wrong there"),
    "negative": (
        square(pull=lambda x: 2 * np.abs(x), draw=lambda rng: np.array([-1.0, 2.0, -3.0, 0.5]) * rng.uniform(0.9, 1.1, 4)),
        "right except at 2 of 4 elements of x (where x < 0): the sign is wrong there",
    ),
    "large": (
        square(
            pull=lambda x: np.where(np.abs(x) > 10, 20.0, 2 * x),
            draw=lambda rng: np.array([1.0, -12.0, 3.0, 15.0]) * rng.uniform(0.9, 1.1, 4),
        ),
        "right except at 2 of 4 elements of x (where |x| > ",
    ),
    "off the diagonal": (
        Rule(lambda x: x**2, pullback=lambda y, p, c: (2 * p[0] * c * np.eye(3),), cases=cases(N(3, 3))),
        "zero where it should not be: at 6 of 9 elements of x (all but the diagonal)",
    ),
    "both alike": (
        two(
            pushforward=lambda y, p, t: (np.cos(p[0]) * t[0] + y * t[1]) * np.exp(p[0]),
            pullback=lambda y, p, c: (np.cos(p[0]) * np.exp(p[0]) * c, y * np.exp(p[0]) * c),
        ),
        "agrees with the pullback, but not with the function",
    ),
    "offset": (
        square(pull=None, push=lambda x: 2 * x)
        if False
        else Rule(lambda x: x**2, pushforward=lambda y, p, t: 2 * p[0] * t[0] + 1e-3, cases=cases(N(3))),
        "an offset: not zero for a zero tangent",
    ),
    "modulus": (
        Rule(lambda x: x**2, pullback=lambda y, p, c: (2 * p[0] * np.abs(c),), cases=cases(N(3))),
        "the same for a cotangent and its negative, as of a modulus",
    ),
    "squared": (
        Rule(lambda x: x**2, pushforward=lambda y, p, t: 2 * p[0] * t[0] * np.sum(t[0]), cases=cases(N(3))),
        "grows with the square of the tangent",
    ),
    "threshold": (
        Rule(lambda x: x**2, pullback=lambda y, p, c: (np.where(np.abs(c) < 1e-5, 0.0, 2 * p[0] * c),), cases=cases(N(3))),
        "zero for a small cotangent, as of a threshold",
    ),
    "accumulates": (accumulating(), "accumulates: the second call gives twice the first"),
    "shared residuals": (shared(), "what the latest call would give: the residuals are shared among calls"),
    "cached by identity": (by_identity(), "what an earlier call gave: the same arrays held its values"),
    "one workspace": (workspace(), "an array that was returned is overwritten by the next call"),
    "option": (ignoring_option(), "the derivative for power=2, where power=3 is asked for"),
    "float32": (
        Rule(np.exp, pullback=lambda y, p, c: (y.astype(np.float32).astype(float) * c,), cases=cases(N(3))),
        "as precise as float32",
    ),
    "rounded": (square(pull=lambda x: 2.0000001 * x, push=lambda x: 2 * x), "right to 7 digits only"),
    "nan": (square(pull=lambda x: x * np.array([2.0, 2.0, np.nan, 2.0])), "NaN or infinite: at 1 of 4 elements of x"),
    "primal sign": (Rule(np.sin, rrule=lambda x: (-np.sin(x), lambda c: (np.cos(x) * c,)), cases=cases(N(3))), "the sign is wrong"),
    "primal factor": (
        Rule(np.sin, rrule=lambda x: (2 * np.sin(x), lambda c: (np.cos(x) * c,)), cases=cases(N(3))),
        "the value times 2",
    ),
    "not symmetric": (symmetric(lambda g: g + np.triu(g, 1) - np.tril(g, -1)), "one triangle only, where the matrix should be symmetric"),
    "thousand": (
        Rule(lambda x: x**2, pushforward=lambda y, p, t: one_bad(77, -1.0)(p[0]) * t[0], cases=cases(N(1000))),
        "right except at 1 of 1000 elements of y: the sign is wrong there",
    ),
    "thousand, half": (square(pull=lambda x: x, draw=N(1000)), "the derivative times 0.5"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_told(name):
    rule, text = WRONG[name]
    report = check_rules(rule, raise_=False)
    assert report.findings
    looks = report.findings[0].looks_like
    assert looks.startswith(text)


UNLIKE = {
    "another function of a scalar": Rule(np.exp, pullback=lambda y, p, c: (np.cos(p[0]) * c,), cases=cases(N())),
    "another function, one element": Rule(lambda x: np.exp(x), pushforward=lambda y, p, t: np.cos(p[0]) * t[0], cases=cases(N(1))),
    "another power of a fixed point": Rule(lambda x: x**3, pullback=lambda y, p, c: (3 * p[0] * c,), cases=[(2.0,)]),
    "a half at this point only": Rule(lambda x: x**3, pullback=lambda y, p, c: (0.25 * p[0] ** 3 * 3 * c,), cases=[(2.0,)]),
    "another function": Rule(lambda x: np.exp(x), pullback=lambda y, p, c: (np.cos(p[0]) * c,), cases=cases(N(4))),
    "a random matrix": Rule(lambda x: M @ x, pullback=lambda y, p, c: (M @ M @ c,), cases=cases(N(3))),
    "a norm without its root": Rule(lambda x: np.sqrt(x @ x), pullback=lambda y, p, c: (p[0] * np.exp(y) * c,), cases=cases(N(3))),
    "a term of two": Rule(lambda x: np.sum(x) * np.exp(x), pullback=lambda y, p, c: (np.sum(p[0]) * y * c,), cases=cases(N(3))),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_nothing_is_said_that_does_not_fit(name):
    looks = check_rules(UNLIKE[name], raise_=False).findings[0].looks_like
    assert looks in ("", "right except at 6 of 9 entries of the Jacobian"), looks


def test_a_duality_finding_tells_which_rule_is_wrong():
    rule = two(
        pushforward=lambda y, p, t: np.cos(p[0]) * np.exp(p[1]) * t[0] + y * t[1],
        pullback=lambda y, p, c: (np.cos(p[0]) * np.exp(p[1]) * c, -y * c),
    )
    finding = check_rules(rule, raise_=False, only=["duality"]).findings[0]
    assert finding.looks_like == "the pushforward is right, the pullback is not: the sign is wrong, for b"
    rule = two(pushforward=lambda y, p, t: t[0] + y * t[1], pullback=lambda y, p, c: (2 * c, y * c))
    finding = check_rules(rule, raise_=False, only=["duality"]).findings[0]
    assert finding.looks_like == "neither rule is the derivative of the function"


def test_one_scalar_rule_does_not_agree_with_itself():
    @rb.primitive(cases=cases(N(3)))
    def cosine(x):
        return np.cos(x)

    @rb.scalar_rule(cosine)
    def _(y, x):
        return np.exp(x)

    assert "agrees" not in check_rules(cosine, raise_=False).findings[0].looks_like


def test_what_a_rule_raises_later_is_no_crash():
    calls = []

    def pull(y, p, c):
        calls.append(1)
        if len(calls) > 12:
            raise RuntimeError("enough")
        return (p[0] * c,)

    for allowed in range(13):
        calls[:] = [1] * allowed
        report = check_rules(Rule(lambda x: x**2, pullback=pull, cases=cases(N(3))), raise_=False)
        assert report.findings


def test_an_odd_finding_is_not_explained():
    class Odd:
        law = "differences-forward"
        rule = object()

    assert describe(Odd(), None) == ""

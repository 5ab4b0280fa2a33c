"""Ways to call: ufuncs, partials, methods, defaults, *args and **options; kinds of results and pullbacks."""

import functools
import math
from dataclasses import dataclass

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family

# a ufunc


def circle(y, p, t):
    a, b = p
    return (b * t[0] - a * t[1]) / (a**2 + b**2)


def circle_pull(y, p, c):
    a, b = p
    return b * c / (a**2 + b**2), -a * c / (a**2 + b**2)


angles = Family(
    "arctan2",
    "a ufunc as the function; four quadrants",
    f=np.arctan2,
    cases=lambda rng: (rng.standard_normal(3), rng.standard_normal(3)),
    pushforward=circle,
    pullback=circle_pull,
)
angles.wrong("swapped", "swapped", "the order of arguments", pullback=lambda y, p, c: circle_pull(y, p[::-1], c))
angles.wrong(
    "arctan", "wrong branch", "wrong where b is negative", pullback=lambda y, p, c: tuple(np.sign(p[1]) * v for v in circle_pull(y, p, c))
)
angles.wrong("no_square", "power", pushforward=lambda y, p, t: circle(y, p, t) * np.hypot(*p))
angles.wrong(
    "second_sign",
    "sign",
    "in both",
    pushforward=lambda y, p, t: (p[1] * t[0] + p[0] * t[1]) / (p[0] ** 2 + p[1] ** 2),
    pullback=lambda y, p, c: (circle_pull(y, p, c)[0], -circle_pull(y, p, c)[1]),
)

# Python numbers in and out


def fall(height, gravity=9.81):
    return math.sqrt(2 * height / gravity)


falls = Family(
    "fall",
    "numbers in and out, a default for a primal",
    f=fall,
    cases=lambda rng: (rng.uniform(0.1, 10),) if rng.random() < 0.5 else (rng.uniform(0.1, 10), rng.uniform(1, 20)),
    rrule=lambda height, gravity=9.81: (
        fall(height, gravity),
        lambda c: (c / (gravity * fall(height, gravity)), -c * fall(height, gravity) / (2 * gravity)),
    ),
    frule=None,
    pushforward=None,
)
falls.wrong(
    "default_gravity",
    "constant",
    "the default in place of the argument",
    rrule=lambda height, gravity=9.81: (
        fall(height, gravity),
        lambda c: (c / (9.81 * fall(height, gravity)), -c * fall(height, gravity) / (2 * gravity)),
    ),
)
falls.wrong(
    "rounded",
    "constant",
    "9.81 for an argument that is 9.81",
    rrule=lambda height, gravity=9.81: (
        fall(height, gravity),
        lambda c: (c / (gravity * fall(height, gravity)), -c * fall(height, gravity) / (2.0000002 * gravity)),
    ),
)
falls.wrong(
    "one",
    "structure",
    "a number, not a tuple",
    rrule=lambda height, gravity=9.81: (fall(height, gravity), lambda c: c / (gravity * fall(height, gravity))),
)
falls.wrong(
    "zero",
    "missing cotangent",
    "no cotangent for the primal with a default",
    rrule=lambda height, gravity=9.81: (fall(height, gravity), lambda c: (c / (gravity * fall(height, gravity)), rb.NoTangent())),
)

# *args


def total_square(*xs):
    return sum(x**2 for x in xs)


many = Family(
    "variadic",
    "any number of primals",
    f=total_square,
    cases=lambda rng: tuple(rng.standard_normal(2) for _ in range(rng.integers(1, 5))),
    pushforward=lambda y, p, t: sum(2 * x * d for x, d in zip(p, t, strict=True)),
    pullback=lambda y, p, c: tuple(2 * x * c for x in p),
)
many.wrong(
    "two_only",
    "missing cotangent",
    "more than two are zero",
    pullback=lambda y, p, c: tuple(2 * x * c if i < 2 else None for i, x in enumerate(p)),
)
many.wrong("first_two_forward", "dropped term", pushforward=lambda y, p, t: sum(2 * x * d for x, d in zip(p[:2], t[:2], strict=True)))
many.wrong("reversed", "swapped", pullback=lambda y, p, c: tuple(2 * x * c for x in p[::-1]))
many.wrong("list", "structure", pullback=lambda y, p, c: [2 * x * c for x in p])
many.wrong("tuple_of_tuple", "structure", pullback=lambda y, p, c: (tuple(2 * x * c for x in p),))

# **options


def shaped(x, **options):
    return options.get("gain", 1.0) * np.tanh(options.get("steepness", 1.0) * x)


def shaped_slope(x, gain=1.0, steepness=1.0):
    return gain * steepness / np.cosh(steepness * x) ** 2


options = Family(
    "options",
    "**options; often left out",
    f=shaped,
    cases=lambda rng: rb.case(
        rng.standard_normal(3),
        **({} if rng.random() < 0.3 else {"gain": rng.uniform(0.5, 2)}),
        **({} if rng.random() < 0.5 else {"steepness": rng.uniform(0.5, 2)}),
    ),
    frule=lambda p, t, **o: (shaped(p[0], **o), shaped_slope(p[0], **o) * t[0]),
    rrule=lambda x, **o: (shaped(x, **o), lambda c: (shaped_slope(x, **o) * c,)),
)
options.wrong("ignored", "static", rrule=lambda x, **o: (shaped(x, **o), lambda c: (shaped_slope(x) * c,)))
options.wrong(
    "gain_only",
    "static",
    rrule=lambda x, **o: (shaped(x, **o), lambda c: (o.get("gain", 1.0) * shaped_slope(x) * c,)),
    frule=lambda p, t, **o: (shaped(p[0], **o), o.get("gain", 1.0) * shaped_slope(p[0]) * t[0]),
)
options.wrong(
    "primal_default",
    "static",
    "the rule's primal forgets the options",
    frule=lambda p, t, **o: (shaped(p[0]), shaped_slope(p[0], **o) * t[0]),
)
options.wrong(
    "required",
    "raises",
    "asks for an option that has a default",
    rrule=lambda x, **o: (shaped(x, **o), lambda c: (shaped_slope(x, o["gain"], o.get("steepness", 1.0)) * c,)),
)

# a bound method and a partial


@dataclass(frozen=True)
class Oscillator:
    stiffness: float

    def energy(self, x, v):
        return self.stiffness * np.sum(x**2) / 2 + np.sum(v**2) / 2


spring = Oscillator(2.5)
methods = Family(
    "method",
    "a bound method as the function",
    f=spring.energy,
    cases=lambda rng: (rng.standard_normal(2), rng.standard_normal(2)),
    pushforward=lambda y, p, t: spring.stiffness * np.sum(p[0] * t[0]) + np.sum(p[1] * t[1]),
    pullback=lambda y, p, c: (spring.stiffness * p[0] * c, p[1] * c),
)
methods.wrong("unit_stiffness", "dropped term", pullback=lambda y, p, c: (p[0] * c, p[1] * c))
methods.wrong("other_object", "constant", "2.5 becomes 2.500001", pullback=lambda y, p, c: (2.500001 * p[0] * c, p[1] * c))
methods.wrong("swapped", "swapped", pullback=lambda y, p, c: (p[1] * c, spring.stiffness * p[0] * c))


def power_law(exponent, x, scale):
    return scale * np.abs(x) ** exponent


cubic = functools.partial(power_law, 3)
partials = Family(
    "partial",
    "functools.partial as the function",
    f=cubic,
    cases=lambda rng: (rng.standard_normal(3), rng.uniform(0.5, 2)),
    pushforward=lambda y, p, t: 3 * p[1] * p[0] * np.abs(p[0]) * t[0] + np.abs(p[0]) ** 3 * t[1],
    pullback=lambda y, p, c: (3 * p[1] * p[0] * np.abs(p[0]) * c, np.sum(np.abs(p[0]) ** 3 * c)),
)
partials.wrong("positive", "wrong branch", pullback=lambda y, p, c: (3 * p[1] * p[0] ** 2 * c, np.sum(np.abs(p[0]) ** 3 * c)))
partials.wrong("scale_in_scale", "power", pullback=lambda y, p, c: (3 * p[1] * p[0] * np.abs(p[0]) * c, np.sum(y * c)))
partials.wrong("scale_forward", "power", pushforward=lambda y, p, t: 3 * p[1] * p[0] * np.abs(p[0]) * t[0] + y * t[1])

# a registered dataclass


@rb.register_dataclass
@dataclass
class Lens:
    focus: object
    offset: object


def image(lens, x):
    return x * lens.focus / (x - lens.focus) + lens.offset


def image_parts(lens, x):
    d = (x - lens.focus) ** 2
    return x**2 / d, -(lens.focus**2) / d


lenses = Family(
    "dataclass",
    "a registered dataclass as argument",
    f=image,
    cases=lambda rng: (Lens(rng.uniform(0.5, 1.5, 2), rng.standard_normal(2)), rng.uniform(2, 5, 2)),
    pushforward=lambda y, p, t: image_parts(*p)[0] * t[0].focus + t[0].offset + image_parts(*p)[1] * t[1],
    pullback=lambda y, p, c: (Lens(image_parts(*p)[0] * c, c), image_parts(*p)[1] * c),
)
lenses.wrong("fields_swapped", "swapped", pullback=lambda y, p, c: (Lens(c, image_parts(*p)[0] * c), image_parts(*p)[1] * c))
lenses.wrong("dict", "structure", pullback=lambda y, p, c: ({"focus": image_parts(*p)[0] * c, "offset": c}, image_parts(*p)[1] * c))
lenses.wrong(
    "sign",
    "sign",
    "in both",
    pullback=lambda y, p, c: (Lens(image_parts(*p)[0] * c, c), -image_parts(*p)[1] * c),
    pushforward=lambda y, p, t: image_parts(*p)[0] * t[0].focus + t[0].offset - image_parts(*p)[1] * t[1],
)
lenses.wrong("offset_none", "missing cotangent", pullback=lambda y, p, c: (Lens(image_parts(*p)[0] * c, None), image_parts(*p)[1] * c))

# a pullback that is an object, results nested with integers and None


class Chain:
    def __init__(self, x, wrong=False):
        self.x, self.wrong = x, wrong

    def __call__(self, c):
        first, (second, _), _ = c["out"], c["more"], None
        return (2 * self.x * first + (np.sum(second) if not self.wrong else second[0]) * np.ones_like(self.x),)


def nested(x):
    return {"out": x**2, "more": [np.full(2, np.sum(x)), np.array([x.size, 1])], "empty": None}


nests = Family(
    "nested_result",
    "dict, list, integers and None as results; a callable object as pullback",
    f=nested,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 4))),),
    rrule=lambda x: (nested(x), Chain(x)),
    pushforward=lambda y, p, t: {"out": 2 * p[0] * t[0], "more": [np.full(2, np.sum(t[0])), None], "empty": None},
)
nests.wrong("first_only", "broadcast sum", rrule=lambda x: (nested(x), Chain(x, wrong=True)))
nests.wrong(
    "tuple",
    "structure",
    "a tuple for a list",
    pushforward=lambda y, p, t: {"out": 2 * p[0] * t[0], "more": (np.full(2, np.sum(t[0])), None), "empty": None},
)
nests.wrong(
    "scalar",
    "shape",
    "a number for an array",
    pushforward=lambda y, p, t: {"out": 2 * p[0] * t[0], "more": [np.sum(t[0]), None], "empty": None},
)
nests.wrong(
    "zero",
    "dropped term",
    "the second result counts as constant",
    pushforward=lambda y, p, t: {"out": 2 * p[0] * t[0], "more": None, "empty": None},
)
nests.wrong(
    "primal_tuple",
    "structure",
    "the rule's primal has a tuple",
    rrule=lambda x: ({**nested(x), "more": tuple(nested(x)["more"])}, Chain(x)),
)
nests.wrong(
    "primal_integers",
    "primal",
    "the rule's primal has floats for integers",
    rrule=lambda x: ({**nested(x), "more": [nested(x)["more"][0], np.array([x.size, 1.0])]}, Chain(x)),
)

# integers only


def rank(x):
    return np.argsort(np.argsort(x))


ranks = Family(
    "ranks",
    "integers as result: nothing to differentiate",
    f=rank,
    cases=lambda rng: (rng.standard_normal(4),),
    pushforward=lambda y, p, t: None,
    pullback=lambda y, p, c: (None,),
)
ranks.right("zeros", "zeros for the argument", pullback=lambda y, p, c: (np.zeros_like(p[0]),))
ranks.wrong("cotangent", "affine", "a cotangent out of nothing", pullback=lambda y, p, c: (np.ones_like(p[0]),))
ranks.wrong(
    "primal_float", "primal", "the rule's primal is float", pullback=None, rrule=lambda x: (rank(x).astype(float), lambda c: (None,))
)
ranks.wrong("off_by_one", "primal", "the rule's primal counts from one", pushforward=None, frule=lambda p, t: (rank(p[0]) + 1, None))

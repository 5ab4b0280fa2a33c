"""Differences with an estimated error: exact where they can be, and honest about what they do not know."""

import numpy as np
import pytest

from rulebook.testing import Rule, check_rules
from rulebook.testing.jumps import largest_jump
from rulebook.testing.points import Point
from rulebook.testing.probe import Probe
from rulebook.testing.referee import Estimate, Ladder, refine
from rulebook.testing.subject import Subject
from rulebook.testing.trial import Trial

EPS = float(np.finfo(float).eps)


def ladder(g, noise=0.0, relative=EPS, start=2.0**-7, ratio=4.0, levels=3):
    """The ladder of a function of t with values of any number of elements."""

    def vector(t):
        with np.errstate(all="ignore"):
            value = g(t)
        return None if value is None else np.atleast_1d(np.asarray(value, np.result_type(float, np.asarray(value).dtype)))

    y = vector(0.0)
    size = np.abs(y)
    return Ladder(vector, y, np.maximum(noise, EPS * size), np.full(y.shape, relative), np.zeros(y.shape), start, ratio, levels)


def refined(g, **options):
    return refine(ladder(g, **options))


def probe(f, *args, accuracy=None, **static):
    """A probe of a function at a point."""
    subject = Subject(Rule(f, pushforward=lambda y, primals, tangents: y, accuracy=accuracy))
    bound, statics = subject.signature.bind(args, static)
    point = Point(bound, dict(statics), "case 0", np.random.default_rng(0))
    return Probe(Trial(subject, point), np.random.default_rng(1), True)


# -- known derivatives


@pytest.mark.parametrize("degree", range(8))
def test_polynomials_are_exact(degree):
    """Extrapolation over central differences leaves no truncation for a polynomial of low degree."""
    coefficients = np.arange(1.0, degree + 2)
    found = ladder(lambda t: np.polyval(coefficients[::-1], t)).estimate()
    expected = coefficients[1] if degree else 0.0
    assert abs(found.value[0] - expected) <= found.error[0]
    assert found.error[0] <= 1e-10 * coefficients.sum()


@pytest.mark.parametrize(
    ("g", "slope"),
    [
        (lambda t: np.exp(3 * t), 3.0),
        (lambda t: np.sin(20 * t) + 5.0, 20.0),
        (lambda t: 1 / (1 - t), 1.0),
        (lambda t: np.sqrt(1e-2 + t), 5.0),
        (lambda t: np.log(1e-3 + t), 1e3),
        (lambda t: np.tanh(1e3 * t), 1e3),
        (lambda t: np.arctan(1e5 * t), 1e5),
        (lambda t: t**2, 0.0),
        (lambda t: 7.0, 0.0),
        (lambda t: np.exp(1j * t), 1j),
    ],
)
def test_smooth_functions(g, slope):
    found = refined(g)
    assert abs(found.value[0] - slope) <= 10 * found.error[0] + 1e-300
    assert found.error[0] <= 1e-7 * max(abs(slope), 1e-3)


@pytest.mark.parametrize("scale", 10.0 ** np.arange(-300, 301, 60))
def test_scales(scale):
    found = refined(lambda t: scale * np.sin(1 + t))
    assert found.value[0] == pytest.approx(scale * np.cos(1), rel=1e-9)
    assert found.error[0] <= 1e-9 * scale


def test_elements_of_very_different_size_and_steepness():
    rates = 10.0 ** np.arange(-6, 5)
    found = refined(lambda t: np.sin(rates * t) * 1e-12 / rates + 0.0)
    assert found.value == pytest.approx(np.full(11, 1e-12), rel=1e-6)


def test_small_steps_are_taken_only_where_they_are_needed():
    asked = []

    def g(t):
        asked.append(t)
        return np.exp(t)

    refined(g)
    assert min(abs(t) for t in asked if t) > 1e-5
    asked.clear()
    refined(lambda t: np.tanh(1e6 * t) + 0 * g(t))
    assert min(abs(t) for t in asked if t) < 1e-8


# -- one side


def test_edge_of_a_domain_on_either_side():
    for side in (1, -1):
        with np.errstate(all="ignore"):
            found = refined(lambda t, side=side: np.exp(2 * t) + np.sqrt(side * t) * 0)
        assert abs(found.value[0] - 2) <= 10 * found.error[0]
        assert found.error[0] < 1e-6


def test_function_that_raises_on_one_side():
    found = refined(lambda t: None if t < 0 else np.cos(1 + t))
    assert abs(found.value[0] + np.sin(1)) <= 10 * found.error[0]
    assert found.error[0] < 1e-6


def test_edge_of_one_element_does_not_spoil_the_others():
    with np.errstate(all="ignore"):
        found = refined(lambda t: np.array([np.exp(t), np.exp(t) + 0 * np.sqrt(t)]))
    assert abs(found.value - 1) == pytest.approx([0, 0], abs=1e-7)
    assert found.error[0] <= found.error[1] < 1e-6


def test_nothing_is_known_of_an_isolated_point():
    for g in (lambda t: None if t else 1.0, lambda t: 1.0 if not t else np.nan):
        found = refined(g)
        assert np.isinf(found.error[0])


def test_sides_of_a_kink_differ():
    above, below = ladder(lambda t: np.abs(t) + 2 * t).sides()
    assert (above.value[0], below.value[0]) == pytest.approx((3, 1), abs=1e-9)


# -- noise


def noisy(g, level, seed):
    """The function with an error that depends on every digit of its argument."""

    def f(t):
        value = np.atleast_1d(g(t))
        seeds = np.frombuffer(np.float64(t).tobytes(), np.uint32).tolist()
        return value + level * np.random.default_rng([seed, *seeds]).uniform(-1, 1, value.shape)

    return f


def test_estimated_error_covers_the_true_one():
    """For random functions with rounding and declared noise alike, rarely off by more than a few times the estimate."""
    rng = np.random.default_rng(0)
    ratios = []
    for k in range(300):
        a, b, c = rng.normal(size=3), 10.0 ** rng.uniform(-1, 2, 3), rng.uniform(0, 6, 3)
        level = 0.0 if k % 2 else 10.0 ** rng.uniform(-14, -4)
        g = lambda t, a=a, b=b, c=c: np.sum(a * np.sin(b * t + c))
        found = refined(noisy(g, level, k), noise=level)
        ratios.append(abs(found.value[0] - np.sum(a * b * np.cos(c))) / found.error[0])
    ratios = np.sort(ratios)
    assert ratios[-1] <= 10.0
    assert (ratios <= 1).mean() > 0.97


def test_estimated_error_is_not_far_too_large():
    rng = np.random.default_rng(1)
    for k in range(50):
        level = 10.0 ** rng.uniform(-14, -6)
        found = refined(noisy(lambda t: np.sin(1 + t), level, k), noise=level)
        # the best that central differences of the largest step can do is level / step
        assert found.error[0] <= 1e3 * level + 1e-9


def test_noise_limits_the_error():
    for level in (1e-10, 1e-6, 1e-2):
        found = refined(noisy(np.exp, level, 7), noise=level)
        assert found.error[0] >= 0.1 * level
        assert found.rounding[0] <= found.error[0]
        assert abs(found.value[0] - 1) <= 10 * found.error[0]


def test_noise_that_hides_everything_is_told():
    found = refined(noisy(lambda t: 1e-8 * t, 1.0, 3), noise=1.0)
    assert found.error[0] > 1e-8


def test_noise_of_a_function_is_seen():
    wobble = lambda x: x + 1e-9 * np.sin(1e18 * x)
    assert (probe(wobble, np.array([0.3, 0.7])).noise >= 1e-10).all()
    assert (probe(np.sin, np.array([0.3, 0.7])).noise <= 1e-14).all()


def test_declared_accuracy_is_noise():
    assert (probe(np.sin, np.array([0.3, 0.7]), accuracy=1e-6).noise >= 1e-6 * np.sin([0.3, 0.7])).all()


@pytest.mark.parametrize("seed", range(2))
def test_cancellation_refuses_no_right_rule(seed):
    """The values of the function lie on stairs, that differences of small steps stay on."""
    f = lambda x: (1e10 + x) - 1e10
    rule = Rule(f, pushforward=lambda y, p, t: t[0], cases=[lambda rng: (rng.uniform(0.1, 1, 2),)])
    report = check_rules(rule, seed=seed, budget=2.0)
    assert report.ok
    assert "inconclusive" in {note.kind for note in report.notes}


# -- probes


def test_probe_takes_differences_along_its_directions():
    seen = probe(lambda a, b: {"y": a * b}, np.array([0.3, 0.7]), np.array([1.5, -2.0]))
    for row, v in enumerate(seen.tangents):
        estimate, _ = seen.refined(row)
        expected = v[:2] * [1.5, -2.0] + v[2:] * [0.3, 0.7]
        assert (np.abs(estimate.value - expected) <= 10 * estimate.error + 1e-300).all()
        again, _ = seen.second_opinion(row)
        assert (np.abs(again.value - expected) <= 10 * again.error + 1e-300).all()


def test_single_precision_is_lifted():
    x = np.array([0.3, 0.7], np.float32)
    seen = probe(np.sin, x)
    assert seen.lifts
    estimate, _ = seen.refined(0)
    expected = np.cos(x.astype(float)) * seen.tangents[0]
    assert np.abs(estimate.value - expected).max() < 1e-8


def test_single_precision_that_does_not_lift():
    refuses = probe(lambda x: np.sin(x) if x.dtype == np.float32 else np.ones(5), np.array([0.3, 0.7], np.float32))
    assert not refuses.lifts
    differs = probe(lambda x: np.sin(x) + (x.dtype == np.float32) * np.float32(1e-2), np.array([0.3, 0.7], np.float32))
    assert not differs.lifts


def test_function_that_works_in_single_precision_whatever_it_gets():
    single = lambda g: lambda x: g(x.astype(np.float32)).astype(x.dtype)
    for dtype in (np.float32, np.float64):
        draw = lambda rng, dtype=dtype: (rng.uniform(0.2, 1, 2).astype(dtype),)
        right = Rule(single(np.sin), pushforward=lambda y, p, t: single(np.cos)(p[0]) * t[0], cases=[draw])
        assert check_rules(right, budget=1.0).ok
        wrong = Rule(single(np.sin), pushforward=lambda y, p, t: 1.1 * single(np.cos)(p[0]) * t[0], cases=[draw])
        assert not check_rules(wrong, budget=1.0, raise_=False).ok


def test_double_precision_is_not_lifted():
    assert not probe(np.sin, np.array([0.3])).lifts


def test_kinks_are_seen_where_they_are():
    seen = probe(lambda x: np.abs(x - [0.0, 0.5]), np.array([0.0, 0.7]))
    row = 0
    assert seen.kinks(row).tolist() == [True, False]
    assert not probe(np.sin, np.array([0.0, 0.7])).kinks(0).any()
    assert not probe(lambda x: x * np.abs(x), np.array([0.0, 0.7])).kinks(0).any()


def test_ties_are_no_sums_of_their_parts():
    seen = probe(lambda x: np.max(x), np.array([0.5, 0.5]))
    assert seen.kinks(0).any() or not seen.additive(0).all()
    assert probe(lambda x: np.max(x), np.array([0.5, 0.7])).additive(0).all()
    assert probe(lambda x: np.prod(x), np.array([0.5, 0.7])).additive(0).all()


def test_slope_that_holds_from_afar_only():
    """A plateau that differences of usual steps leave."""
    f = lambda x: np.where(np.abs(x - 1.0) < 1e-4, 2.0, 2.0 * x)
    seen = probe(f, np.array([1.0]))
    v = seen.tangents[0]
    assert not seen.holds_below(0, 2 * v, np.full(1, 1e-9)).all()
    assert seen.holds_below(0, 0 * v, np.full(1, 1e-9)).all()


# -- jumps


def newton(t):
    """The square root of 2 + 2 t to 1e-8."""
    c, y = 2.0 + 2 * t, np.array([1.0])
    for _ in range(60):
        if abs(y[0] ** 2 - c) <= 1e-8:
            return y
        y = (y + c / y) / 2
    return None


def picard(t):
    y, found = np.zeros(1), np.ones(1)
    while abs(found - y) > 1e-8:  # of a contraction for all t from -1 to 1
        y, found = found, np.cos(found * (1 + 0.4 * t))
    return y


ONE = np.ones(1, bool)


@pytest.mark.parametrize("g", [newton, picard])
def test_jumps_of_iterations_are_found(g):
    found = largest_jump(g, ONE, np.full(1, EPS))
    assert 1e-13 < found < 1e-5


@pytest.mark.parametrize(
    "g",
    [
        lambda t: np.array([np.exp(t)]),
        lambda t: np.array([np.sin(40 * t)]),
        lambda t: np.array([1.0]),
        lambda t: np.array([0.0]),
        lambda t: np.array([np.sqrt(4 + t) * 1e-200]),
        lambda t: np.array([np.abs(t - 0.01)]),
        lambda t: np.array([np.floor(3 * t)]),
        lambda t: np.array([np.tanh(200 * t)]),
        lambda t: np.array([1.0 / (1.001 - t)]),
        lambda t: None,
        lambda t: np.array([np.nan]),
    ],
)
def test_no_jumps_of_a_tolerance_in_exact_functions(g):
    assert largest_jump(g, ONE, np.full(1, EPS)) == 0.0


def test_jumps_are_found_once_and_noted():
    seen = probe(lambda c: newton(float(c) / 2 - 1)[0], 2.3)
    assert seen.iterates()
    assert 1e-12 < seen.subject.accuracy < 1e-5
    assert not seen.iterates()
    assert not probe(np.cbrt, 2.3).iterates()
    assert not probe(lambda c: newton(float(c) / 2 - 1)[0], 2.3, accuracy=1e-8).iterates()


def test_estimate_holds_what_it_is_given():
    estimate = Estimate(np.ones(2), np.zeros(2), np.zeros(2))
    assert estimate.value.tolist() == [1.0, 1.0]

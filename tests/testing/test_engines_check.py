"""check_engines: right rules hold in every engine, and every law of engines is broken by something."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rulebook as rb
from rulebook.engines import engine_names, load_engine
from rulebook.errors import EngineMissingError, RuleSignatureError
from rulebook.primitive import Primitive
from rulebook.testing import Rule, check_engines, check_rules, engine_laws, laws
from rulebook.testing.engine_law import clones
from rulebook.testing.engine_law.setting import Setting


def _installed(name: str) -> bool:
    try:
        load_engine(name)
    except EngineMissingError:
        return False
    return True


ENGINES = [name for name in engine_names() if _installed(name)]
TRACING = [name for name in ENGINES if name in ("jax", "torch")]
X = np.array([0.5, 1.25, -2.0])


def growth(forward: Any = None, reverse: Any = None, fn: Any = None, **options: Any) -> Primitive:
    """exp(x) w with an frule and an rrule, of which parts may be replaced."""

    def exponential(x, w):
        return rb.xp(x, w).exp(x) * w

    p = rb.primitive(fn or exponential, cases=[rb.case(X, 1.5), lambda rng: (rng.normal(size=3), rng.normal())], **options)

    def frule(primals, tangents):
        (x, w), (x_dot, w_dot) = primals, tangents
        e = rb.xp(x, w).exp(x)
        return e * w, e * w * x_dot + e * w_dot

    def rrule(x, w):
        e = rb.xp(x, w).exp(x)
        return e * w, lambda y_bar: (e * w * y_bar, rb.xp(x, w).sum(e * y_bar))

    rb.frule(p)(forward or frule)
    rb.rrule(p)(reverse or rrule)
    return p


def only(p: Any, law: str, engine: str, *args: Any) -> Any:
    """The one finding of a law in an engine."""
    report = check_engines(p, *args, engines=[engine], only=[law], raise_=False)
    assert [f.law for f in report.findings] == [law], report
    return report.findings[0]


def test_right_rules_hold_in_every_engine():
    report = check_engines(growth(), engines=ENGINES)
    assert report.ok and not [n for n in report.notes if n.kind != "unavailable"]
    reached = {law.id for law in engine_laws() if not law.engines or set(law.engines) & set(ENGINES)}
    assert set(report.held) == reached


@pytest.mark.parametrize("engine", ENGINES)
def test_complex_numbers_pair_by_the_conjugate_in_every_engine(engine):
    @rb.primitive
    def product(a, b):
        return a * b

    @rb.scalar_rule(product)
    def _(y, a, b):
        return b, a

    report = check_engines(product, np.array([1 + 2j, -0.5j]), np.array([0.5 - 1j, 3.0 + 1j]), engines=[engine])
    assert {"engine-forward", "engine-reverse"} <= set(report.held)


@pytest.mark.parametrize("engine", ENGINES)
def test_containers_statics_integers_and_single_precision(engine):
    @rb.primitive(host=True, result=lambda tree, n, *, scale: {"out": tree["w"]})
    def power(tree, n, *, scale=2.0):
        return {"out": (scale * tree["w"] ** n).astype(tree["w"].dtype)}

    @rb.pullback(power, host=True)
    def _(y, primals, y_bar, *, scale):
        tree, n = primals
        return {"w": (scale * n * tree["w"] ** (n - 1) * y_bar["out"]).astype(tree["w"].dtype), "name": None}, None

    tree = {"w": X.astype(np.float32), "name": "weights"}
    report = check_engines(power, tree, 3, scale=0.5, engines=[engine])
    assert {"engine-primal", "engine-forward", "engine-reverse", "engine-bridge"} <= set(report.held), report


@pytest.fixture
def inside(monkeypatch):
    """Holds True while an engine runs."""
    flag: list[bool] = []
    attempt = Setting.attempt

    def marked_attempt(self, *args):
        flag.append(True)
        try:
            return attempt(self, *args)
        finally:
            flag.clear()

    monkeypatch.setattr(Setting, "attempt", marked_attempt)
    return flag


@pytest.mark.parametrize("engine", ENGINES)
def test_a_function_that_gives_something_else_in_an_engine(engine, inside):
    def shifted(x, w):
        return rb.xp(x, w).exp(x) * w + (1.0 if inside else 0.0)

    found = only(growth(fn=shifted), "engine-primal", engine)
    assert found.rule.endswith(f"shifted in {engine}") and found.case == f"case 0, engine {engine}"
    assert float(found.got) == pytest.approx(float(found.expected) + 1.0)


@pytest.mark.parametrize("engine", TRACING)
def test_a_result_of_another_dtype(engine):
    def rounded(x, w):
        y = rb.xp(x, w).exp(x) * w
        return y if isinstance(x, np.ndarray) else rb.xp(x).astype(y, "float32")

    assert only(growth(fn=rounded), "engine-primal", engine).got == "shape (3,), float32"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_forward_rule_that_gives_something_else_in_an_engine(engine, inside):
    def frule(primals, tangents):
        (x, w), (x_dot, w_dot) = primals, tangents
        e = rb.xp(x, w).exp(x)
        return e * w, (3.0 if inside else 1.0) * e * w * x_dot + e * w_dot

    found = only(growth(forward=frule), "engine-forward", engine)
    assert found.argument == "y_dot" and found.rule.startswith("frule of ") and found.rule.endswith(f" in {engine}")


@pytest.mark.parametrize("engine", sorted({*ENGINES} - {"dual"}))
def test_a_reverse_rule_that_gives_something_else_in_an_engine(engine, inside):
    def rrule(x, w):
        e = rb.xp(x, w).exp(x)
        return e * w, lambda y_bar: ((3.0 if inside else 1.0) * e * w * y_bar, rb.xp(x, w).sum(e * y_bar))

    found = only(growth(reverse=rrule), "engine-reverse", engine)
    assert found.argument == "x_bar of x" and found.rule.startswith("rrule of ")
    assert float(found.got) == pytest.approx(3 * float(found.expected))


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_does_not_use_a_rule_does_not_see_the_mark(engine, monkeypatch):
    monkeypatch.setattr("rulebook.testing.engine_law.bridge.marked", lambda rule: rule)
    found = only(growth(), "engine-bridge", engine)
    assert "uses the rule" in found.title and float(found.expected) == pytest.approx(100 * float(found.got))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mark_on_one_rule_leaves_the_other_mode_alone(engine):
    p = growth()
    larger = clones.clone(p, clones.marked(p.forward), p.reverse)
    y, y_dot = rb.jvp(larger, (X, 1.5), (np.ones(3), 0.0), engine=engine)
    assert np.allclose(y_dot, 100 * y)
    back = rb.vjp(larger, X, 1.5, engine=engine)[1](np.ones(3))[0]
    assert np.allclose(back, 100 * y if engine == "dual" else y)  # dual numbers know forward mode alone


@pytest.mark.parametrize("kind", ["pushforward", "pullback", "scalar_rule", "transpose"])
def test_every_kind_of_rule_can_be_marked(kind):
    @rb.primitive
    def double(x):
        return 2.0 * x

    rules = {
        "pushforward": lambda y, primals, tangents: 2.0 * tangents[0],
        "pullback": lambda y, primals, y_bar: (rb.thunk(lambda: 2.0 * y_bar),),
        "scalar_rule": lambda y, x: 2.0,
        "transpose": lambda y_bar, x: 2.0 * y_bar,
    }
    (rb.transpose(double) if kind == "transpose" else getattr(rb, kind)(double))(rules[kind])
    report = check_engines(double, X, engines=["dual"], only=["engine-bridge"])
    assert report.held["engine-bridge"] == 1
    rule = double.forward if kind == "pushforward" else double.reverse
    larger = clones.clone(double, None, clones.marked(rule)) if rule is double.reverse else clones.clone(double, clones.marked(rule), None)
    assert np.allclose(rb.jvp(larger, (X,), (np.ones(3),), engine="dual")[1], 200.0)


@pytest.mark.parametrize("engine", sorted({*ENGINES} - {"jax"}))
def test_a_function_that_runs_twice(engine, monkeypatch):
    class Twice(Primitive):
        def __call__(self, *args, **kwargs):
            super().__call__(*args, **kwargs)
            return super().__call__(*args, **kwargs)

    @rb.primitive(cases=[rb.case(X)])
    def cube(x):
        return x**3

    rb.pushforward(cube)(lambda y, primals, tangents: 3 * primals[0] ** 2 * tangents[0])
    assert check_engines(cube, engines=[engine], only=["engine-once"]).held["engine-once"]
    monkeypatch.setattr(clones, "Primitive", Twice)
    assert only(cube, "engine-once", engine).got == "2 runs"


@pytest.mark.parametrize("engine", TRACING)
def test_what_is_kept_of_the_first_input(engine):
    def rrule(x, w):
        e = rb.xp(x, w).exp(x)
        first = e if isinstance(x, np.ndarray) else rb.xp(x).asarray(np.exp(X))
        return e * w, lambda y_bar: (first * w * y_bar, rb.xp(x, w).sum(e * y_bar))

    assert check_engines(growth(reverse=rrule), X, 1.5, engines=[engine], only=["engine-reverse"]).ok
    found = only(growth(reverse=rrule), "engine-second-input", engine, X, 1.5)
    assert found.argument == "x_bar of x" and "keep nothing in closures" in found.do


@pytest.mark.parametrize("engine", TRACING)
def test_a_function_that_counts_axes_gives_something_else_under_vmap(engine):
    def centred(x, w):
        xp = rb.xp(x, w)
        return (x - xp.mean(x)) * w

    p = rb.primitive(centred, cases=[rb.case(X, 1.5)])
    rb.pullback(p)(lambda y, primals, y_bar: ((y_bar - rb.xp(y_bar).mean(y_bar)) * primals[1], rb.xp(y_bar).sum(y_bar * y) / primals[1]))
    assert check_engines(p, engines=[engine], only=["engine-vmap"]).held["engine-vmap"]

    @rb.batch_rule(p)
    def _(axis_size, in_batched, x, w):
        return (x - rb.xp(x).mean(x)) * w[:, None], True  # the mean over the batch as well

    if engine == "jax":
        assert only(p, "engine-vmap", engine).argument == "y"
    else:
        assert check_engines(p, engines=[engine], only=["engine-vmap"], raise_=False).points == 1


def _first_order(y, primals, tangents):
    x, w = primals
    return rb.stop_gradient(rb.xp(x, w).exp(x)) * w * tangents[0] + rb.xp(x, w).exp(x) * tangents[1]


@pytest.mark.parametrize("engine", [name for name in ENGINES if name in ("dual", "jax")])
def test_a_rule_that_is_right_at_first_order_only(engine):
    p = growth()
    p.forward = p.reverse = None
    rb.pushforward(p)(_first_order)
    assert check_engines(p, engines=[engine], only=["engine-forward", "engine-reverse"]).ok
    found = only(p, "engine-second-order", engine)
    assert "right at first order only" in found.do and found.argument.startswith("the derivative of ")


@pytest.mark.parametrize("engine", sorted({*ENGINES} - {"autograd"}))
def test_code_that_cannot_be_traced_is_a_note(engine):
    def numbers(x):
        return np.array([float(v) ** 2 for v in x])

    p = rb.primitive(numbers, cases=[rb.case(X)])
    rb.pullback(p)(lambda y, primals, y_bar: (np.array([2 * float(v) for v in primals[0]]) * y_bar,))
    report = check_engines(p, engines=[engine], raise_=False)
    refused = [n for n in report.notes if n.kind == "refused"]
    assert refused and all(n.text.startswith(f"{engine}: ") for n in refused), report
    assert any("mark it host=True" in n.text for n in refused), report


@pytest.mark.parametrize("engine", TRACING)
def test_the_code_of_a_rule_is_taken_for_host_code_where_it_must_be(engine):
    def numbers(x):
        return np.array([float(v) ** 2 for v in x])

    pullback = lambda y, primals, y_bar: (np.array([2 * float(v) for v in primals[0]]) * y_bar,)
    report = check_engines(Rule(numbers, pullback=pullback, cases=[(X,)]), engines=[engine])
    assert {"engine-primal", "engine-forward", "engine-reverse", "engine-bridge"} <= set(report.held)
    assert any("taken for host code" in n.text for n in report.notes)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exception_that_is_not_ours_is_found(engine, inside):
    def fails(x, w):
        if inside:
            raise ZeroDivisionError("only here")
        return rb.xp(x, w).exp(x) * w

    assert only(growth(fn=fails), "engine-primal", engine).got == "ZeroDivisionError: 'only here'"


def test_a_missing_engine(monkeypatch):
    def missing(name):
        raise EngineMissingError(f"engine {name!r}.", "its package", "nothing", "install it")

    monkeypatch.setattr("rulebook.testing.engines.load_engine", missing)
    with pytest.raises(EngineMissingError, match="engine 'torch'"):
        check_engines(growth(), engines=["torch"])
    report = check_engines(growth())
    assert report.ok and len([n for n in report.notes if n.kind == "unavailable"]) == len(engine_names())


def test_the_laws_that_are_asked_for():
    names = {law.id for law in laws()} | {law.id for law in engine_laws()}
    assert all(law.id.startswith("engine-") and law.proves and law.mend and law.title for law in engine_laws())
    assert len(names) == len(laws()) + len(engine_laws())
    report = check_engines(growth(), engines=["dual"], only=["engine-primal", "duality"], without={"duality": "another check"})
    assert set(report.held) == {"engine-primal"} and not report.notes
    report = check_engines(growth(), engines=["dual"], without={"engine-once": "slow"})
    assert "engine-once" not in report.held and [str(n) for n in report.notes] == ["switched off: law 'engine-once': slow"]
    with pytest.raises(RuleSignatureError, match="a law among engine-primal"):
        check_engines(growth(), only=["engine-prime"])
    assert [n.kind for n in check_engines(growth(), engines=["dual"], budget=0.0, raise_=False).notes] == ["unchecked"]


def test_rules_that_fail_on_numpy_are_for_check_rules():
    def raises(primals, tangents):
        raise ValueError("nowhere")

    report = check_engines(growth(forward=raises), engines=["dual"], raise_=False)
    assert report.ok and not report.held and "see check_rules" in str(report)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_second_order_needs_no_engine(direction):
    right = growth()
    assert check_rules(right, only=["second-order"]).ok
    p = growth()
    p.forward = p.reverse = None
    if direction == "forward":
        rb.pushforward(p)(_first_order)
    else:

        @rb.pullback(p)
        def _(y, primals, y_bar):
            x, w = primals
            return rb.stop_gradient(y) * y_bar, rb.xp(x, w).sum(rb.xp(x, w).exp(x) * y_bar)

    report = check_rules(p, raise_=False)
    assert {f.law for f in report.findings} == {"second-order"}
    assert report.findings[0].do.startswith("mend other findings first; else the rule is right at first order only")


def _batched(rule: Any) -> Primitive:
    @rb.primitive(cases=[lambda rng: (rng.normal(size=4), rng.normal(size=4))])
    def dot(a, b):
        return rb.xp(a, b).sum(a * b)

    rb.pullback(dot)(lambda y, primals, y_bar: (primals[1] * y_bar, primals[0] * y_bar))
    rb.batch_rule(dot)(rule)
    return dot


def test_a_batch_rule_gives_what_a_loop_gives():
    assert check_rules(_batched(lambda n, flags, a, b: (rb.xp(a, b).sum(a * b, axis=-1), True)), only=["batch"]).held["batch"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda n, flags, a, b: (rb.xp(a, b).sum(a * b, axis=0), True), "Expected shape (3,), float64"),
        (lambda n, flags, a, b: (rb.xp(a, b).sum(a * b, axis=-1)[::-1], True), "batched "),
        (lambda n, flags, a, b: (rb.xp(a, b).sum(a * b, axis=-1), all(flags)), "Expected shape (), float64"),
        (lambda n, flags, a, b: (rb.xp(a, b).sum(a * b), False), "member "),
        (lambda n, flags, a, b: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_batch_rule_that_gives_something_else(rule, message):
    found = check_rules(_batched(rule), only=["batch"], raise_=False).findings
    assert [f.law for f in found] == ["batch"] and message in str(found[0]), found


@pytest.mark.parametrize(("axis", "held"), [(-1, True), (None, False), (0, False)])
def test_a_host_function_that_takes_leading_axes(axis, held):
    @rb.primitive(host=True, vectorized=True, cases=[lambda rng: (rng.normal(size=3),)])
    def total(x):
        return x.sum(axis=axis)

    rb.pullback(total, host=True)(lambda y, primals, y_bar: (np.ones_like(primals[0]) * y_bar,))
    report = check_rules(total, only=["batch"], raise_=False)
    assert report.ok is held and (held or report.findings[0].law == "batch")


def test_a_rule_that_is_not_registered_claims_nothing_of_the_second_order():
    cut = Rule(lambda x: x**3, pushforward=lambda y, primals, tangents: 3 * rb.stop_gradient(primals[0]) ** 2 * tangents[0], cases=[(X,)])
    assert check_rules(cut).ok
    assert "engine-second-order" not in check_engines(cut, engines=["dual"]).held


@pytest.mark.parametrize("engine", ENGINES)
def test_every_rule_of_one_direction_is_checked(engine, inside):
    cube = Rule(
        lambda x: x**3,
        frule=lambda primals, tangents: (primals[0] ** 3, 3 * primals[0] ** 2 * tangents[0]),
        pushforward=lambda y, primals, tangents: (4.0 if inside else 3.0) * primals[0] ** 2 * tangents[0],
        cases=[(X,)],
    )
    assert only(cube, "engine-forward", engine).rule.startswith("pushforward of ")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_keys_of_a_result_may_come_in_any_order(engine):
    @rb.primitive
    def sums(x):
        return {"squares": rb.xp(x).sum(x * x), "plain": 2.0 * x}

    rb.pullback(sums)(lambda y, primals, y_bar: (2 * primals[0] * y_bar["squares"] + 2.0 * y_bar["plain"],))
    report = check_engines(sums, X, engines=[engine])
    assert report.held["engine-reverse"] == 1 and not report.notes


@pytest.mark.parametrize("engine", TRACING)
def test_branches_on_values_are_refused_under_vmap(engine):
    @rb.primitive(jit=False)
    def branch(x):
        return 2.0 * x if x[0] > 0 else 3.0 * x

    rb.pushforward(branch)(lambda y, primals, tangents: (2.0 if primals[0][0] > 0 else 3.0) * tangents[0])
    report = check_engines(branch, X, engines=[engine])
    assert report.held["engine-forward"] == 1 and "engine-vmap" not in report.held
    assert any(n.kind == "refused" and "code that cannot be traced" in n.text for n in report.notes)


def test_without_cases_nothing_is_said_to_hold():
    p = growth()
    p.cases.clear()
    found = check_engines(p, engines=["dual"], raise_=False).findings
    assert [f.law for f in found] == ["points"] and found[0].rule == f"the function {p.name}"

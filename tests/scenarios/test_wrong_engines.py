"""What `check_engine` finds: operators that are wrong in one way each, on closed forms, without any engine."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import rulebook as rb
from rulebook import trees
from rulebook.testing import Point, Scenario, check_engine, computed, scenarios
from rulebook.testing.scenario.counts import Calls
from rulebook.testing.scenario.refusals import Refusal

X, U = np.array([0.5, 1.5, -2.0]), np.array([1.0, -0.5, 0.25])
M = np.array([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0], [2.0, 1.0, 1.5]])
ONCE = (Calls("dual", ("grad", "jacobian", "jvp", "vjp", "value_and_grad"), 1, 0, 1),)


def cubes(x):
    return (x**3).sum()


def rows(x):
    return M @ x**2


def slope(x):
    return 3 * x**2


def first(x):
    return M * (2 * x)


GRAD = Scenario("cubes", "grad", cubes, (X,), slope(X), again=Point((U,), slope(U)))
BOTH = Scenario("cubes-both", "value_and_grad", cubes, (X,), slope(X), again=Point((U,), slope(U)))
JACOBIAN = Scenario("rows", "jacobian", rows, (X,), first(X), again=Point((U,), first(U)))
JVP = Scenario("rows-jvp", "jvp", rows, (X,), first(X) @ U, tangents=(U,), again=Point((U,), first(U) @ X, (X,)))
VJP = Scenario("rows-vjp", "vjp", rows, (X,), (U @ first(X),), tangents=U, again=Point((U,), (X @ first(U),), X))
EVERY = [GRAD, BOTH, JACOBIAN, JVP, VJP]


class Right:
    """Operators that know the derivatives of the two functions; the wrong ones change one method."""

    def grad(self, f, engine):
        return lambda x: self.value_and_grad(f, engine)(x)[1]

    def value_and_grad(self, f, engine):
        return lambda x: (np.array(f(x)), slope(x))

    def jacobian(self, f, engine):
        return lambda x: (f(x), first(x))[1]

    def jvp(self, f, primals, tangents, engine):
        return f(*primals), first(*primals) @ tangents[0]

    def vjp(self, f, x, engine):
        return f(x), lambda y_bar: (y_bar @ first(x),)

    def prepare(self, operator, f, *example, engine):
        seen = form(example)

        def ready(*given):
            if form(given) != seen:
                raise rb.PreparationError("prepared.", "the form of the example", "another", "prepare again")
            return operator(f, *given, engine=engine) if operator.__name__ in ("jvp", "vjp") else operator(f, engine=engine)(*given)

        return ready


def form(tree):
    leaves, structure = trees.flatten(tree)
    return structure, [(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]


def findings(operators, given=EVERY, **options):
    return check_engine("dual", given, operators=operators, raise_=False, **{"calls": ONCE, **options}).findings


def laws(operators, given=EVERY, **options):
    return {finding.law for finding in findings(operators, given, **options)}


def test_right_operators_pass_and_every_law_was_asked():
    report = check_engine("dual", EVERY, operators=Right(), calls=ONCE)
    assert report.ok and report.points == 10 and not report.notes
    assert set(report.held) == {"value", "derivative", "form", "intact", "memory", "calls", "mismatch"}
    assert report.held["mismatch"] == 3 * len(EVERY) and report.held["derivative"] == 2 * 3 * len(EVERY)


class ScaledGradient(Right):
    def value_and_grad(self, f, engine):
        return lambda x: (np.array(f(x)), 1.001 * slope(x))


class Transposed(Right):
    def jacobian(self, f, engine):
        return lambda x: (f(x), first(x).T)[1]


class WrongPullback(Right):
    def vjp(self, f, x, engine):
        return f(x), lambda y_bar: (first(x) @ y_bar,)


class WrongSign(Right):
    def jvp(self, f, primals, tangents, engine):
        return f(*primals), -first(*primals) @ tangents[0]


class OneElement(Right):
    def value_and_grad(self, f, engine):
        return lambda x: (np.array(f(x)), slope(x) + np.array([0.0, 1e-9, 0.0]))


class NotANumber(Right):
    def value_and_grad(self, f, engine):
        return lambda x: (np.array(f(x)), np.full(3, np.nan))


@pytest.mark.parametrize("wrong", [ScaledGradient, Transposed, WrongPullback, WrongSign, OneElement, NotANumber], ids=lambda c: c.__name__)
def test_wrong_numbers(wrong):
    found = findings(wrong())
    assert found and {f.law for f in found} == {"derivative"}
    assert all("at the first point" in f.argument for f in found)


def test_a_finding_tells_where_what_and_how_to_find_it_again():
    (plain, prepared) = findings(OneElement(), [GRAD])
    assert plain.rule == "rb.grad of scenario 'cubes', engine dual, plain" and prepared.rule.endswith(", prepared")
    assert (plain.element, float(plain.expected)) == ((1,), 6.75) and float(plain.got) == pytest.approx(6.75 + 1e-9, abs=1e-12)
    assert plain.reproduce == "rulebook.testing.check_engine('dual', [s for s in rulebook.testing.scenarios() if s.name == 'cubes'])"
    with pytest.raises(rb.RuleCheckError, match=r"rb.grad of scenario 'cubes', engine dual, plain, law 'derivative'"):
        check_engine("dual", [GRAD], operators=OneElement(), calls=ONCE)


def test_a_wrong_value():
    class Wrong(Right):
        def value_and_grad(self, f, engine):
            return lambda x: (np.array(f(x) + 1e-6), slope(x))

    assert [f.law for f in findings(Wrong(), [BOTH], prepared=(False,))] == ["value"]


def test_a_value_that_is_kept_shows_at_the_second_point_of_what_was_prepared():
    class Stale(Right):
        def prepare(self, operator, f, *example, engine):
            ready, kept = super().prepare(operator, f, *example, engine=engine), []

            def stale(*given):
                kept.append(ready(*given))
                return copy.deepcopy(kept[0])

            return stale

    found = findings(Stale(), [GRAD, JACOBIAN])
    assert {f.law for f in found} == {"derivative"} and len(found) == 2
    assert all("at the second point" in f.argument and f.rule.endswith("prepared") for f in found)


def test_a_result_that_adds_up_shows_at_the_next_call():
    class Adding(Right):
        total = 0.0

        def value_and_grad(self, f, engine):
            def both(x):
                self.total = self.total + slope(x)
                return np.array(f(x)), self.total.copy()

            return both

    assert "at the second point" in findings(Adding(), [GRAD], prepared=(False,))[0].argument


def test_arguments_that_are_written_to():
    class Writes(Right):
        def jacobian(self, f, engine):
            def of(x):
                y = (f(x), first(x))[1]
                x += 1
                return y

            return of

    assert laws(Writes(), [JACOBIAN], prepared=(False,)) == {"intact"}
    assert findings(Writes(), [JACOBIAN], prepared=(False,))[0].argument == "args[0] at the first point"


def test_tangents_and_constants_that_are_written_to():
    class Writes(Right):
        def jvp(self, f, primals, tangents, engine, constants=(0.0,)):
            y = f(*primals, *constants), first(*primals) @ tangents[0]
            (constants[0] if isinstance(constants[0], np.ndarray) else tangents[0])[...] = 0.0
            return y

    assert findings(Writes(), [JVP], prepared=(False,), calls=())[0].law == "runs"  # rows takes no constant
    given = replace(JVP, f=lambda x, c=0.0: rows(x))
    assert findings(Writes(), [given], prepared=(False,))[0].argument == "tangents[0] at the first point"
    given = replace(given, constants=(np.ones(2),))
    assert findings(Writes(), [given], prepared=(False,))[0].argument == "constants[0] at the first point"


def test_a_view_of_what_was_passed():
    class Views(Right):
        def jvp(self, f, primals, tangents, engine):
            return f(*primals), tangents[0][:]

    given = Scenario("identity", "jvp", lambda x: x + 0.0, (X,), U, tangents=(U,))
    assert laws(Views(), [given], prepared=(False,)) == {"memory"}


@pytest.mark.parametrize("calls", [0, 2, 3])
def test_another_number_of_calls(calls):
    class Repeats(Right):
        def jacobian(self, f, engine):
            return lambda x: ([f(x) for _ in range(calls)], first(x))[1]

    (plain, prepared) = findings(Repeats(), [JACOBIAN])
    assert (plain.law, plain.argument, plain.expected, plain.got) == ("calls", "calls of the function in a call", "1", str(calls))
    assert prepared.argument == "calls of the function in a call of what was prepared"
    assert findings(Repeats(), [JACOBIAN], calls=()) == []


def test_calls_in_a_preparation():
    class Calls(Right):
        def prepare(self, operator, f, *example, engine):
            f(*example)
            return super().prepare(operator, f, *example, engine=engine)

    (found,) = findings(Calls(), [JACOBIAN])
    assert (found.law, found.argument, found.got) == ("calls", "calls of the function in the preparation", "1")


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda y: y.astype(np.float32), "dtype float32"),
        (lambda y: y[None], r"shape (1, 3)"),
        (lambda y: y.tolist(), "structure [*, *, *]"),
        (lambda y: (y,), "structure (*,)"),
        (lambda y: None, "structure None"),
        (lambda y: np.ma.masked, "a numpy.ma.MaskedConstant"),
        (lambda y: object(), "a builtins.object"),
    ],
)
def test_another_form(change, got):
    class Formed(Right):
        def value_and_grad(self, f, engine):
            return lambda x: (np.array(f(x)), change(slope(x)))

    found = findings(Formed(), [GRAD])[0]
    if got.endswith("MaskedConstant"):
        assert found.law == "form"
        return
    assert (found.law, found.got) == ("form", got)


@pytest.mark.parametrize("part", ["shape", "dtype", "structure"])
def test_a_preparation_that_takes_anything(part):
    class Lax(Right):
        def prepare(self, operator, f, *example, engine):
            ready = super().prepare(operator, f, *example, engine=engine)

            def lax(x):
                y = np.asarray(x[0] if isinstance(x, tuple) else x)
                misfit = "structure" if isinstance(x, tuple) else "dtype" if y.dtype != X.dtype else "shape" if y.shape != X.shape else ""
                return slope(X) if misfit == part else ready(x)

            return lax

    (found,) = findings(Lax(), [GRAD])
    assert (found.law, found.argument, found.got) == ("mismatch", f"another {part} than prepared", "a result")


def test_a_preparation_that_raises_something_else():
    class Odd(Right):
        def prepare(self, operator, f, *example, engine):
            ready = super().prepare(operator, f, *example, engine=engine)

            def odd(*given):
                try:
                    return ready(*given)
                except rb.PreparationError as error:
                    raise ValueError("odd") from error

            return odd

    assert findings(Odd(), [GRAD])[0].got == "ValueError: odd"


# -- refusals --------------------------------------------------------------------------------------------


class Refuses(Right):
    def jacobian(self, f, engine):
        raise NotImplementedError("no Jacobian\nat all")


def test_an_error_that_nobody_declared():
    plain, _ = findings(Refuses(), [JACOBIAN])
    assert (plain.law, plain.expected, plain.got) == ("runs", "a derivative", "NotImplementedError: no Jacobian")


def test_a_declared_refusal_is_tested():
    declared = Refusal("dual", NotImplementedError, "no Jacobian", "none is written", frozenset({"jacobian"}))
    report = check_engine("dual", EVERY, operators=Refuses(), refusals=[declared], calls=ONCE)
    assert report.held["refusal"] == 2
    for odd in (replace(declared, error=KeyError), replace(declared, message="something else")):
        found = findings(Refuses(), [JACOBIAN], refusals=[odd])
        assert {f.law for f in found} == {"refusal"} and found[0].got == "NotImplementedError: no Jacobian"
    for other in (replace(declared, engine="jax"), replace(declared, names="column*"), replace(declared, tags=frozenset({"hvp"}))):
        assert laws(Refuses(), [JACOBIAN], refusals=[other]) == {"runs"}


def test_a_refusal_of_one_way_and_of_the_second_point():
    class Once(Right):
        def prepare(self, operator, f, *example, engine):
            ready, calls = super().prepare(operator, f, *example, engine=engine), []

            def once(*given):
                calls.append(given)
                if len(calls) > 1:
                    raise rb.PreparationError("once.", "one call", "two", "prepare again")
                return ready(*given)

            return once

    declared = Refusal("dual", rb.PreparationError, "one call", "it is used up", ways=("prepared",), later=True)
    report = check_engine("dual", EVERY, operators=Once(), refusals=[declared], calls=ONCE)
    assert report.held["refusal"] == len(EVERY) and report.held["derivative"] == 3 * len(EVERY)
    assert laws(Right(), refusals=[declared]) == {"gap"}
    assert laws(Once(), refusals=[replace(declared, ways=("plain",))]) == {"gap", "runs"}


def test_a_declared_gap_that_works():
    declared = Refusal("dual", NotImplementedError, "", "none is written", names="row?")
    found = findings(Right(), EVERY, refusals=[declared])
    assert [f.law for f in found] == ["gap", "gap"] and "none is written" in found[0].argument


# -- the scenarios catch it, not these closed forms alone -------------------------------------------------


class Twisted:
    """The operators of rulebook with a factor at every derivative."""

    def __init__(self, factor):
        self.factor = factor

    def __getattr__(self, name):
        return lambda *args, **options: self.twisted(name, getattr(rb, name)(*args, **options))

    def scaled(self, tree):
        leaves, structure = trees.flatten(tree)
        return structure.unflatten(iter([np.asarray(self.factor * leaf, np.asarray(leaf).dtype) for leaf in leaves]))

    def twisted(self, name, given):
        if name in ("jvp", "vjp"):
            return given[0], self.scaled(given[1]) if name == "jvp" else lambda y_bar: self.scaled(given[1](y_bar))
        if name == "hvp":
            return self.scaled(given)
        both = name == "value_and_grad"
        return lambda *args: (lambda y: (y[0], self.scaled(y[1])) if both else self.scaled(y))(given(*args))


def zero(scenario):
    return all(not np.any(np.asarray(leaf)) for leaf in trees.leaves_of(scenario.expected))


def test_every_scenario_tells_a_thousandth_in_its_derivative():
    pytest.importorskip("scipy")
    every = [s for s in scenarios(without={"sparse"} & {t for s in scenarios() for t in s.tags}) if not zero(s)]
    found = check_engine("dual", every, operators=Twisted(1.001), prepared=(False,), raise_=False).findings
    assert [f.law for f in found] == ["derivative"] * len(every) and len(every) > 150
    assert check_engine("dual", every, operators=Twisted(1.0), prepared=(False,), raise_=False).findings == []


# -- what is left out -----------------------------------------------------------------------------------


def test_pairs_take_no_part_in_first_derivatives():
    report = check_engine(("dual", "dual"), EVERY)
    assert report.points == 0 and report.left_out == 5 and "first order" in str(report.notes[0])


def test_an_engine_without_64_bits(monkeypatch):
    from rulebook.engines import load_engine

    dual = load_engine("dual")
    monkeypatch.setattr(type(dual), "asarray", lambda self, value, like=None: np.asarray(value, np.float32))
    report = check_engine("dual", EVERY, operators=Right())
    assert report.left_out == 5 and report.points == 0 and "no numbers of 64 bits" in report.notes[0].text


def test_a_package_that_a_scenario_needs():
    one = Scenario("needy", "grad", cubes, (X,), 3 * X**2, needs=("numpy", "no_such_package"))
    report = check_engine("dual", [one])
    assert report.left_out == 1 and report.points == 0
    assert report.notes[0].text == "no_such_package is not installed (pip install no_such_package)"


def test_an_engine_that_there_is_not():
    with pytest.raises(rb.EngineMissingError, match=r"engine 'julia'.\nExpected: one of"):
        check_engine("julia")


# -- scenarios of one's own ------------------------------------------------------------------------------


def test_wrong_scenarios():
    with pytest.raises(rb.RuleSignatureError, match=r"scenario 'a', operator.\nExpected: one of jvp.*\nGot: 'gradient'\nDo: write 'grad'"):
        Scenario("a", "gradient", cubes, (X,), X)
    with pytest.raises(rb.RuleSignatureError, match=r"args.\nExpected: a tuple of the arguments\nGot: a ndarray\nDo: write \(x,\)"):
        Scenario("a", "grad", cubes, X, X)
    with pytest.raises(rb.RuleSignatureError, match=r"scenario 'a', tangents.\nExpected: the cotangent of the result, for vjp\nGot: none"):
        Scenario("a", "vjp", cubes, (X,), X)
    with pytest.raises(rb.RuleSignatureError, match=r"scenarios, tags.\nExpected: among .*vector-in.*\nGot: nonsense"):
        scenarios({"nonsense"})


def test_scenarios_by_tags():
    chosen = scenarios({"complex", "vjp"})
    assert chosen and all({"complex", "vjp"} <= s.tags for s in chosen)
    assert not [s for s in scenarios("grad", without="cache") if "cache" in s.tags or s.operator != "grad"]
    assert [s.name for s in scenarios()] == [s.name for s in scenarios()]


def test_a_reference_from_an_engine_that_is_trusted():
    unknown = [replace(s, expected=None, again=s.again and replace(s.again, expected=None)) for s in scenarios("solver")[:2] + EVERY[:1]]
    known = [computed(replace(s, f=s.f), "dual") for s in unknown]
    assert check_engine("dual", known).ok
    exact = {s.name: s for s in [*scenarios(), *EVERY]}
    for s in known:
        np.testing.assert_allclose(trees.leaves_of(s.expected)[0], trees.leaves_of(exact[s.name].expected)[0], rtol=1e-12)
        np.testing.assert_allclose(trees.leaves_of(s.again.expected)[0], trees.leaves_of(exact[s.name].again.expected)[0], rtol=1e-12)
    assert not check_engine("dual", [replace(known[-1], expected=1.1 * known[-1].expected)], raise_=False).ok


def test_a_sparse_result_has_the_entries_and_no_other():
    sparse = pytest.importorskip("scipy.sparse")
    exact = np.diag([1.0, 2.0, 3.0])
    given = Scenario("d", "jacobian", lambda x: x * np.array([1.0, 2.0, 3.0]), (X,), exact, sparsity="detect")

    def found(result):
        operators = SimpleNamespace(jacobian=lambda f, engine, sparsity: lambda x: result)
        return [(f.law, f.got) for f in findings(operators, [given], prepared=(False,), calls=())]

    assert found(sparse.csr_array(exact)) == []
    assert found(exact) == [("form", "a numpy.ndarray")]
    assert found(sparse.csr_array(np.diag([1.0, 2.0, 4.0]))) == [("derivative", "4.0")]
    full = sparse.csr_array(np.ones((3, 3)))
    full.data[:] = exact.ravel()
    assert found(full) == [("form", "9 entries")]
    assert found(sparse.csr_array(exact.astype(np.float32))) == [("form", "dtype float32")]

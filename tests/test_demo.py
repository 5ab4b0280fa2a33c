"""The lynx and hare fit: the two rules of the ODE solver, and what every engine makes of them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

import rulebook as rb
from rulebook import demo
from rulebook.demo import fits, model, report
from rulebook.demo.solver import populations, solves

TIMES = (0.0, 0.5, 2.0, 7.0)
RATES = np.array([0.55, 0.028, 0.80, 0.024])
START = np.array([34.0, 5.9])
# The posterior means of Carpenter's Stan case study; the maximum likelihood lies near them, its sigma a little lower.
STAN = {"alpha": 0.55, "beta": 0.028, "gamma": 0.80, "delta": 0.024, "sigma": 0.25, "hare0": 34.0, "lynx0": 5.9}

INSTALLED = [e for e in fits.ENGINES if fits.is_installed(e)]


def directions(seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=4) * RATES, rng.normal(size=2) * START), rng.normal(size=(4, 2))


def forward(tangents):
    y = populations(RATES, START, times=TIMES)
    return populations.forward.fn(y, (RATES, START), tangents, times=TIMES)


def adjoint(y_bar):
    y = populations(RATES, START, times=TIMES)
    return populations.reverse.fn(y, (RATES, START), y_bar, times=TIMES)


# -- the rules -----------------------------------------------------------------------------------------


def test_the_solution_keeps_the_conserved_quantity():
    alpha, beta, gamma, delta = RATES
    u, v = populations(RATES, START, times=TIMES).T
    energy = delta * u - gamma * np.log(u) + beta * v - alpha * np.log(v)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-9)


def test_the_forward_rule_agrees_with_the_complex_step():
    tangents, _ = directions()
    h = 1e-30
    moved = populations(RATES + 1j * h * tangents[0], START + 1j * h * tangents[1], times=TIMES)
    y_dot = forward(tangents)
    np.testing.assert_allclose(y_dot, moved.imag / h, rtol=1e-9, atol=1e-9 * np.abs(y_dot).max())


def test_the_forward_rule_agrees_with_central_differences():
    tangents, _ = directions(1)
    h = 1e-4
    ends = [populations(RATES + s * h * tangents[0], START + s * h * tangents[1], times=TIMES) for s in (-2, -1, 1, 2)]
    fourth_order = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * h)
    y_dot = forward(tangents)
    np.testing.assert_allclose(y_dot, fourth_order, atol=1e-6 * np.abs(y_dot).max())


@pytest.mark.parametrize("seed", range(3))
def test_forward_and_adjoint_rules_are_transposes(seed):
    (rates_dot, start_dot), y_bar = directions(seed)
    rates_bar, start_bar = adjoint(y_bar)
    pushed, pulled = np.sum(y_bar * forward((rates_dot, start_dot))), rates_bar @ rates_dot + start_bar @ start_dot
    scale = np.abs(y_bar * forward((rates_dot, start_dot))).sum()
    assert abs(pushed - pulled) <= 1e-9 * scale


def test_a_single_time_gives_the_start():
    y = populations(RATES, START, times=(0.0, 1e-3))
    np.testing.assert_array_equal(y[0], START)
    rates_bar, start_bar = populations.reverse.fn(y, (RATES, START), np.array([[1.0, 2.0], [0.0, 0.0]]), times=(0.0, 1e-3))
    np.testing.assert_array_equal(start_bar, [1.0, 2.0])
    np.testing.assert_array_equal(rates_bar, np.zeros(4))


def test_equations_that_cannot_be_solved_raise():
    with np.errstate(all="ignore"), pytest.raises(ArithmeticError, match="could not be solved"):
        populations(np.array([5.0, -50.0, -5.0, 50.0]), START, times=TIMES)


# -- the model -------------------------------------------------------------------------------------------


def test_data():
    times, pelts = model.data()
    assert times == tuple(map(float, range(21)))
    assert pelts.shape == (21, 2)
    assert pelts[3].tolist() == [77.4, 35.2]
    assert not pelts.flags.writeable


def test_the_loss_is_the_likelihood_of_log_normal_noise():
    scipy_stats = pytest.importorskip("scipy.stats")
    pelts = model.data()[1]

    def by_scipy(logs):
        values = np.exp(logs)
        solution = populations(values[:4], values[4:6], times=model.data()[0])
        return -scipy_stats.lognorm.logpdf(pelts, s=values[6], scale=solution).sum()

    a, b = model.unknowns(), model.unknowns(list(STAN[name] for name in model.NAMES))
    difference = model.negative_log_likelihood(a) - model.negative_log_likelihood(b)
    assert difference == pytest.approx(by_scipy(a) - by_scipy(b), rel=1e-12)


def test_the_best_sigma_is_the_minimum_over_sigma():
    logs = model.unknowns()[:6]
    best = model.with_best_sigma(logs, model.residuals(logs))
    losses = [model.negative_log_likelihood(best + np.eye(7)[6] * step) for step in (-1e-3, 0.0, 1e-3)]
    assert losses[1] == min(losses)


# -- the engines -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference():
    return fits.reference_gradient(model.unknowns())


@pytest.mark.parametrize("engine", INSTALLED)
def test_every_engine_finds_the_same_fit(engine, reference):
    evaluations = []
    fit = fits.fit(engine, lambda: evaluations.append(1))
    assert report.disagreement(fit.gradient, reference) <= 1e-8
    found = model.parameters(fit.logs)
    for name, value in STAN.items():
        assert found[name] == pytest.approx(value, rel=0.13 if name == "sigma" else 0.05)
    np.testing.assert_allclose(list(found.values()), [0.540159, 0.02716536, 0.796386, 0.02369464, 34.60242, 5.844506, 0.2192336], rtol=1e-5)
    assert len(evaluations) < 60
    if engine == "dual":
        assert fit.solves["forward"] % 6 == 0
        assert set(fit.solves) == {"primal", "forward"}
    else:
        assert fit.solves == {"primal": len(evaluations), "adjoint": len(evaluations)}


def test_finite_differences_have_no_rules(reference):
    with fits._differences() as (gradient, _):
        off = report.disagreement(gradient(model.unknowns()), reference)
    assert 1e-9 < off < 1e-3


def test_jax_precision_is_left_as_it_was():
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    with fits._jax() as (gradient, _):
        gradient(model.unknowns())
    assert jax.config.jax_enable_x64 == before


@pytest.mark.parametrize("engine", INSTALLED)
def test_value_and_grad_solves_once_in_each_direction(engine):
    solves.clear()
    rb.value_and_grad(model.negative_log_likelihood, engine=engine)(model.unknowns())
    if engine != "jax":  # without 64-bit numbers the fit sets them itself
        assert solves == ({"primal": 1, "forward": 7} if engine == "dual" else {"primal": 1, "adjoint": 1})


def test_example(capsys):
    example = Path(__file__).parent.parent / "examples" / "lynx_hare.py"
    runpy.run_path(str(example))["main"]("autograd" if "autograd" in INSTALLED else "dual")
    assert "alpha    0.5402\n" in capsys.readouterr().out


# -- the report ------------------------------------------------------------------------------------------


class FakeFits:
    """Fits at once, with a gradient that is off by a factor."""

    def __init__(self, off=0.0):
        self.off = off

    def __call__(self, engine, step):
        step()
        gradient = np.ones(7) * (1 + self.off * (engine == "autograd"))
        return fits.Fit(engine, "BFGS", np.log(np.arange(1.0, 8.0)), gradient, {"primal": 3, "forward": 12}, 0.25)


@pytest.fixture
def quick(monkeypatch):
    """The demonstration without its work."""

    def use(off=0.0, installed=("dual", "autograd")):
        monkeypatch.setattr(demo, "fit", FakeFits(off))
        monkeypatch.setattr(demo, "reference_gradient", lambda logs: np.ones(7))
        monkeypatch.setattr(demo, "is_installed", lambda engine: engine in installed)

    return use


def test_table(quick, capsys):
    quick()
    assert demo.run() == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[1].split() == ["dual", "autograd", "differences"]
    rows = {line[:15].strip(): line[15:].split() for line in lines[3:16]}
    assert rows["alpha"] == ["1.00"] * 3
    assert rows["primal solves"] == ["3"] * 3
    assert rows["forward solves"] == ["12"] * 3
    assert rows["adjoint solves"] == ["0"] * 3
    assert "torch: not installed; pip install 'rulebook-ad[torch]'" in out
    assert "jax: not installed; pip install 'rulebook-ad[jax]'" in out
    assert err.splitlines() == [f"{e}: 1 evaluations" for e in ("dual", "autograd", "finite differences")]


def test_a_gradient_that_is_off_is_a_failure(quick, capsys):
    quick(off=2e-8)
    assert demo.run(["dual", "autograd"]) == 1
    assert "The gradients of autograd differ from the reference by more than 1e-08." in capsys.readouterr().out
    quick(off=float("nan"))
    assert demo.run(["dual", "autograd"]) == 1


def test_table_and_bar_of_rich(quick, capsys, monkeypatch):
    pytest.importorskip("rich")
    quick()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(report, "_on_terminal", lambda stream: True)
    assert demo.run() == 0
    out = capsys.readouterr().out
    assert "┃ autograd ┃ differences ┃" in out
    assert max(map(len, out.splitlines())) <= 100


def test_without_rich(quick, capsys, monkeypatch):
    quick()
    monkeypatch.setattr(report, "_has_rich", False)
    monkeypatch.setattr(report, "_on_terminal", lambda stream: True)
    assert demo.run() == 0
    out, err = capsys.readouterr()
    assert "┃" not in out
    assert "gradient off by" in out
    assert "dual: 1 evaluations" in err


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    fit = fits.Fit("dual", "least_squares", model.unknowns(), np.ones(7), {}, 0.0)
    report.plot(fit, tmp_path / "fit.svg")
    text = (tmp_path / "fit.svg").read_text()
    assert text.startswith("<?xml")

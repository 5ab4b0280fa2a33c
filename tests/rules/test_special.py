"""Special functions: derivatives against 30 digits, boundaries, what raises, and the engines."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import rulebook as rb
from tests.rules.special_references import FILE, OSCILLATING, TABLE

sp = pytest.importorskip("scipy.special")
special = pytest.importorskip("rulebook.rules.special")

ROWS: dict[str, list[tuple[int, list[float], complex, float]]] = {}
for _name, _argument, _point, (_re, _im), _scale in json.loads(FILE.read_text()):
    ROWS.setdefault(_name, []).append((_argument, _point, complex(_re, _im), _scale))

GROUP = {
    "Bessel": "airy airye iv ive jv jve kv kve yv yve i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e y0 y1 hankel1 hankel1e hankel2 hankel2e",
    "others": "beta betaln sici dawsn digamma psi ellipe ellipk ellipkm1 erf erfc erfcinv erfcx erfi erfinv exp1 expi expn gamma gammainc",
    "more": "gammaincc gammaln loggamma polygamma zeta log_ndtr ndtr ndtri rgamma shichi entr rel_entr kl_div spherical_jn lambertw",
    "elementary": "exp10 sindg cosdg tandg cotdg cosm1 expit logit xlogy xlog1py logsumexp softmax log_softmax",
}


def partial(name, argument, point, dtype=float):
    """The derivative of a function of the library with respect to one of its arguments; `airy2` is the third result of airy."""
    base = name if hasattr(special, name) else name[:-1]
    f = getattr(special, base)
    point = [v if isinstance(v, int) else dtype(v) for v in point]

    def along(t):
        y = f(*point[:argument], t, *point[argument + 1 :])
        return y if base == name else y[int(name[-1])]

    return rb.derivative(along, engine="dual")(point[argument])


def test_the_names_are_there():
    names = " ".join(GROUP.values()).split()
    assert len(names) == 74
    assert [n for n in names if n not in special.__all__] == []
    assert all(hasattr(sp, n) for n in special.__all__)


@pytest.mark.parametrize("name", TABLE)
def test_partials_agree_with_thirty_digits(name):
    tolerance = TABLE[name][2]
    assert name in ROWS
    for argument, point, exact, scale in ROWS[name]:
        size = max(abs(exact), scale) if name.startswith(OSCILLATING) else abs(exact)
        assert abs(complex(partial(name, argument, point)) - exact) <= tolerance * size, (argument, point)


@pytest.mark.parametrize("name", TABLE)
def test_single_precision_stays(name):
    """At arguments that single precision has: the result too, and it agrees with that in double precision."""
    for argument, point, _, scale in ROWS[name][::7]:
        if isinstance(point[argument], int):
            continue
        rounded = [v if isinstance(v, int) else float(np.float32(v)) for v in point]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got, exact = partial(name, argument, point, np.float32), partial(name, argument, rounded)
        assert np.asarray(got).dtype in (np.float32, np.complex64), (argument, point)
        if np.isfinite(got) and abs(exact) > 1e-30:
            size = abs(exact) + (scale if name.startswith(OSCILLATING) else 0.01 * scale)  # what the value is rounded to remains
            assert abs(got - exact) <= 2e-4 * size, (argument, point)


def second(f, x):
    return rb.derivative(rb.derivative(f, engine="dual"), engine="dual")(x)


def mixed(f, x, y):
    """The derivative with respect to both arguments."""
    return rb.derivative(lambda b: rb.derivative(lambda a: f(a, b), engine="dual")(x), engine="dual")(y)


SECOND = {  # what is differentiated, and mpmath's derivative at 40 digits
    "mp.diff(lambda v: mp.besselj(v, 5), 1, 2)": (lambda: second(lambda v: special.jv(v, 5.0), 1.0), 0.58965933048361512444),
    "mp.diff(lambda v, x: mp.besselk(v, x), (0.5, 2), (1, 1))": (lambda: mixed(special.kv, 0.5, 2.0), -0.041407407855705016931),
    "mp.diff(lambda a: mp.gammainc(a, 0, 2, regularized=True), 1.5, 2)": (
        lambda: second(lambda a: special.gammainc(a, 2.0), 1.5),
        -0.07409338751048228479,
    ),
    "mp.diff(lambda a, x: mp.betainc(a, 2, 0, x, regularized=True), (1.5, mp.mpf(0.3)), (1, 1))": (
        lambda: mixed(lambda a, x: special.betainc(a, 2.0, x), 1.5, 0.3),
        -0.19741488080971497212,
    ),
    "mp.diff(lambda s: mp.zeta(s, mp.mpf(0.7)), 2.5, 2)": (lambda: second(lambda x: special.zeta(x, 0.7), 2.5), 0.90833125900802796275),
    "mp.diff(mp.ellipk, 0, 2)": (lambda: second(special.ellipk, 0.0), 0.44178646691106467416),
    "mp.diff(lambda z: mp.polylog(2, 1 - z), mp.mpf(1), 2)": (lambda: second(special.spence, 1.0), 0.5),
    "1 / 3": (lambda: second(special.exprel, 0.0), 1 / 3),
    "mp.diff(lambda x: mp.exp(x * x) * mp.erfc(x), 30, 2)": (lambda: second(special.erfcx, 30.0), 0.000041653092384458875901),
    "mp.diff(lambda x: mp.besselj(1, x), 0, 3)": (
        lambda: rb.derivative(lambda t: second(special.j1, t), engine="dual")(0.0),
        -0.375,
    ),
}


@pytest.mark.parametrize("definition", SECOND)
def test_higher_orders_agree_with_mpmath(definition):
    got, exact = SECOND[definition]
    assert got() == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize(
    ("name", "point", "exact"),
    [
        ("psi", -1.5 + 0.5j, 1.103802495540993774 - 0.1118921986034846138j),  # by reflection
        ("loggamma", 0.3 + 4.0j, special.psi(0.3 + 4.0j)),
        ("erf", 0.3 + 1.0j, 2 / np.sqrt(np.pi) * np.exp(-((0.3 + 1.0j) ** 2))),
        ("wofz", 3.0 - 1.0j, -2 * (3.0 - 1.0j) * special.wofz(3.0 - 1.0j) + 2j / np.sqrt(np.pi)),
        ("wofz", 20.0 + 5.0j, -2 * (20.0 + 5.0j) * special.wofz(20.0 + 5.0j) + 2j / np.sqrt(np.pi)),
        ("lambertw", 0.3 + 1.0j, special.lambertw(0.3 + 1.0j) / (0.3 + 1.0j) / (1 + special.lambertw(0.3 + 1.0j))),
        ("spherical_jn", None, None),
    ],
)
def test_complex_arguments(name, point, exact):
    if point is None:
        got, exact = rb.jvp(lambda z: special.spherical_jn(2, z), (1.0 + 0.5j,), (1j,), engine="dual")[1], None
        assert got == pytest.approx(1j * sp.spherical_jn(2, 1.0 + 0.5j, derivative=True), rel=1e-12)
        return
    got = rb.jvp(getattr(special, name), (point,), (1j,), engine="dual")[1]
    assert got == pytest.approx(1j * exact, rel=1e-9)


def test_the_branch_of_lambertw_is_an_option():
    w = special.lambertw(-0.2, k=-1)
    assert rb.derivative(lambda z: special.lambertw(z, k=-1), engine="dual")(-0.2) == pytest.approx(w / -0.2 / (1 + w), rel=1e-12)
    assert rb.derivative(lambda z: sp.lambertw(z, -1), engine="dual")(-0.2) == pytest.approx(w / -0.2 / (1 + w), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "argument", "point", "exact"),
    [
        ("xlogy", 1, (0.0, 0.0), 0.0),
        ("xlogy", 1, (0.0, 3.0), 0.0),
        ("xlog1py", 1, (0.0, -1.0), 0.0),
        ("rel_entr", 1, (0.0, 2.0), 0.0),
        ("rel_entr", 1, (0.0, 0.0), 0.0),
        ("kl_div", 1, (0.0, 2.0), 1.0),
        ("kl_div", 1, (0.0, 0.0), 1.0),
        ("huber", 1, (1.0, 0.0), 0.0),
        ("boxcox", 1, (2.0, 0.0), np.log(2.0) ** 2 / 2),
        ("inv_boxcox", 1, (0.5, 0.0), -np.exp(0.5) * 0.125),
        ("gammainc", 0, (2.0, 0.0), 0.0),
        ("gammainc", 1, (2.0, 0.0), 0.0),
        ("gammainc", 1, (1.0, 0.0), 1.0),
        ("betainc", 0, (2.0, 3.0, 0.0), 0.0),
        ("betainc", 1, (2.0, 3.0, 1.0), 0.0),
        ("betainc", 2, (2.0, 1.0, 1.0), 2.0),
        ("betainc", 2, (1.0, 3.0, 0.0), 3.0),
        ("jv", 0, (1.5, 0.0), 0.0),
        ("jv", 1, (1.0, 0.0), 0.5),
        ("ellipkinc", 1, (0.4, 1.0), 0.0119785625014572392982),
        ("rgamma", 0, (0.0,), 1.0),
        ("rgamma", 0, (-2.0,), 2.0),
        ("expit", 0, (40.0,), np.exp(-40.0)),
        ("i0e", 0, (0.0,), 0.0),
        ("i1e", 0, (0.0,), 0.5),
        ("sici0", 0, (0.0,), 1.0),
        ("stdtr", 0, (3.0, 0.0), 0.0),
    ],
)
def test_boundaries(name, argument, point, exact):
    with np.errstate(all="ignore"):
        assert partial(name, argument, point) == pytest.approx(exact, rel=1e-7, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "argument", "point"),
    [
        ("entr", 0, (0.0,)),
        ("rel_entr", 0, (0.0, 2.0)),
        ("kl_div", 0, (0.0, 2.0)),
        ("gammainc", 1, (0.5, 0.0)),
        ("betainc", 2, (0.5, 0.5, 0.0)),
        ("ellipk", 0, (1.0,)),
        ("erfinv", 0, (1.0,)),
        ("jv", 1, (0.5, 0.0)),
    ],
)
def test_infinite_slopes_are_not_finite_numbers(name, argument, point):
    with np.errstate(all="ignore"):
        assert abs(partial(name, argument, point)) > 1e7


@pytest.mark.parametrize(
    ("name", "argument", "point"),
    [
        ("jv", 0, (1.0, -2.0)),
        ("jv", 0, (3000.0, 3000.0)),
        ("kv", 0, (1.0, -1.0)),
        ("yv", 0, (1.0, 0.0)),
        ("gammainc", 0, (-1.0, 2.0)),
        ("betainc", 0, (1.0, 2.0, 1.5)),
        ("elliprj", 0, (1.0, 2.0, 3.0, -1.0)),
        ("zeta", 0, (1.0, 1.0)),
    ],
)
def test_nan_where_a_derivative_is_not_reached(name, argument, point):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(partial(name, argument, point))


@pytest.mark.parametrize(
    ("f", "x", "why"),
    [
        (lambda a: special.hyp2f1(a, 1.0, 2.0, 0.3), 0.5, "with respect to a parameter has no closed form"),
        (lambda v: special.struve(v, 1.0), 0.5, "order has no closed form"),
        (lambda n: special.eval_legendre(n, 0.3), 1.5, "with respect to the degree"),
        (lambda n: special.expn(n, 0.3), 1.5, "the order is an integer"),
        (lambda n: special.polygamma(n, 0.3), 1.0, "the order is an integer"),
        (lambda v: special.jv(v, 1.0 + 1.0j), 0.5, "order at complex arguments"),
        (lambda z: special.jve(1.0, z + 1.0j), 0.5, "not holomorphic"),
        (lambda z: special.airye(z + 1.0j)[2], 0.5, "not holomorphic"),
        (lambda n: special.bdtr(2, n, 0.3), 5.5, "trials is an integer"),
    ],
)
def test_what_is_not_written_raises(f, x, why):
    with pytest.raises(rb.RuleMissingError, match=why):
        rb.derivative(f, engine="dual")(x)


def test_what_is_not_written_raises_only_when_it_is_used():
    assert rb.derivative(lambda x: special.struve(0.5, x), engine="dual")(1.0) > 0
    torch = pytest.importorskip("torch")
    v, x = torch.tensor(0.5, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    special.struve(v, x).backward()
    with pytest.raises(rb.RuleMissingError, match="order has no closed form"):
        special.struve(v.clone().requires_grad_(), x.detach()).backward()


def test_functions_of_scipy_meet_duals():
    assert rb.derivative(lambda v: sp.jv(v, 2.0), engine="dual")(0.5) == partial("jv", 0, (0.5, 2.0))
    assert rb.derivative(lambda x: sp.zeta(x, 2.0), engine="dual")(3.0) == partial("zeta", 0, (3.0, 2.0))
    assert rb.derivative(sp.zeta, engine="dual")(3.0) == partial("zeta", 0, (3.0, 1.0))
    assert np.all(rb.jvp(sp.airy, (np.ones(2),), (np.ones(2),), engine="dual")[1][0] == sp.airy(1.0)[1])


def test_the_namespace_of_duals_has_all_of_scipy():
    def f(x):
        names = rb.xp(x).special
        assert [n for n in sp.__all__ if not hasattr(names, n)] == []
        return names.spherical_jn(1, x) + names.lambertw(x, 0).real + names.logsumexp(x, axis=0, keepdims=True) + names.zeta(2.0, x)

    x = np.array([0.5, 1.5])
    got = rb.jvp(f, (x,), (np.ones(2),), engine="dual")[1]
    w = sp.lambertw(x).real
    assert got == pytest.approx(sp.spherical_jn(1, x, derivative=True) + w / x / (1 + w) + 1 - 2 * sp.zeta(3.0, x), rel=1e-12)


def test_torch_differentiates_orders_and_parameters():
    torch = pytest.importorskip("torch")
    v = torch.tensor([[0.5], [2.0]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([1.0, 3.0, 9.0], dtype=torch.float64)
    special.jv(v, x).sum().backward()
    assert v.grad.numpy().ravel() == pytest.approx([sum(partial("jv", 0, (a, b)) for b in (1.0, 3.0, 9.0)) for a in (0.5, 2.0)], rel=1e-13)
    a = torch.tensor(1.5, dtype=torch.float64)
    hessian = torch.func.hessian(lambda a: special.gammainc(a, 2.0 * torch.ones_like(a)))(a)
    assert float(hessian) == pytest.approx(-0.07409338751048228479, rel=1e-11)


def test_jax_batches_arguments_of_different_ranks():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        f = jax.jit(jax.vmap(jax.grad(lambda a, x: special.gammainc(a, x).sum()), in_axes=(0, None)))
        got = f(np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 5.0]))
    assert got == pytest.approx([sum(partial("gammainc", 0, (a, x)) for x in (1.0, 2.0, 5.0)) for a in (0.5, 1.0, 2.0)], rel=1e-13)


def test_autograd_takes_complex_results_of_real_arguments():
    pytest.importorskip("autograd")
    y, pullback = rb.vjp(lambda v: special.hankel1(v, 2.0), 0.5, engine="autograd")
    assert y == sp.hankel1(0.5, 2.0)
    exact = partial("hankel1", 0, (0.5, 2.0))
    assert pullback(1.0 + 0j)[0] == pytest.approx(exact.real, rel=1e-13)
    assert pullback(1j)[0] == pytest.approx(exact.imag, rel=1e-13)

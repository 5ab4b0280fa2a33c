"""Functions of other libraries, unmodified, that run on dual numbers: the table behind `test_third_party.py` and the page on them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

V = np.array([0.35, 0.82, 0.47, 0.66, 0.53])
W = np.array([1.3, 0.7])
T = np.array([0.9, -0.4])
K = np.arange(4)
LABELS = np.array([0, 1, 1, 0, 1])
TRUTH = np.array([0.5, 1.5, 0.4, 2.5, 1.1])
SIGNAL = np.array([0.3, -0.8, 1.2, 0.4, -0.5, 0.9, 1.1, -0.2, 0.6, -1.3, 0.2, 0.7])
POINTS = np.array([[0.2, 1.1], [0.7, 0.3], [1.4, 0.8], [0.5, 1.9]])
STIFF = np.array([[2.0, 0.3], [0.3, 1.0]])

MODE = "`passing()`"
NOTHING = "nothing"


@dataclass(frozen=True)
class Case:
    """A function of a library at a point, and what it needs to run on duals."""

    name: str
    library: str
    make: Callable[[Any], Callable[[Any], Any]]  # module -> function of one number or array
    at: Any
    needs: str = MODE

    def function(self) -> Callable[[Any], Any]:
        """The function; the library is imported."""
        return self.make(importlib.import_module(self.library))


CASES: list[Case] = []


def _case(library: str, name: str, make: Callable[[Any], Callable[[Any], Any]], at: Any, needs: str = MODE) -> None:
    CASES.append(Case(name, library, make, at, needs))


# scipy.stats: the densities and distribution functions in their parameters
for _name, _call in {
    "norm": lambda method: lambda x: method(V, x[0], x[1]),
    "gamma": lambda method: lambda x: method(V, x[0], scale=x[1]),
    "beta": lambda method: lambda x: method(V, x[0], x[1]),
    "t": lambda method: lambda x: method(V, 3.0 + x[0], x[1], 0.8),
    "weibull_min": lambda method: lambda x: method(V, x[0], 0, x[1]),
    "lognorm": lambda method: lambda x: method(V, x[0], 0, x[1]),
    "logistic": lambda method: lambda x: method(V, x[0], x[1]),
    "gumbel_r": lambda method: lambda x: method(V, x[0], x[1]),
}.items():
    for _method in ("logpdf", "pdf", "cdf", "logcdf"):
        _case("scipy.stats", f"{_name}.{_method}", lambda st, n=_name, m=_method, c=_call: c(getattr(getattr(st, n), m)), W)
for _method in ("pmf", "logpmf", "cdf"):
    _case("scipy.stats", f"binom.{_method}", lambda st, m=_method: lambda x: getattr(st.binom, m)(K, 5, x), 0.3)
    _case("scipy.stats", f"nbinom.{_method}", lambda st, m=_method: lambda x: getattr(st.nbinom, m)(K, 5, x), 0.3)
_case("scipy.stats", "poisson.logpmf", lambda st: lambda x: st.poisson.logpmf(K, x), 1.7)
_case("scipy.stats", "poisson.cdf", lambda st: lambda x: st.poisson.cdf(K, x), 1.7)
_case("scipy.stats", "norm.ppf", lambda st: lambda x: st.norm.ppf(V, x[0], x[1]), W)
_case("scipy.stats", "norm.logpdf of a number", lambda st: lambda x: st.norm.logpdf(x), 0.3)
_case("scipy.stats", "norm.nnlf", lambda st: lambda x: st.norm.nnlf((x[0], x[1]), V), W, NOTHING)
_case("scipy.stats", "dirichlet.logpdf", lambda st: lambda x: st.dirichlet.logpdf(np.array([0.3, 0.7]), x), W)
_case("scipy.stats", "multivariate_normal.logpdf", lambda st: lambda x: st.multivariate_normal.logpdf(T, x, STIFF), W)
_case(
    "scipy.stats",
    "multivariate_normal.logpdf, covariance",
    lambda st: lambda x: st.multivariate_normal.logpdf(T, W, STIFF * x[0] + x[1]),
    W,
)
_case("scipy.stats", "Normal.logpdf", lambda st: lambda x: st.Normal(mu=x[0], sigma=x[1]).logpdf(V), W)
_case("scipy.stats", "boxcox_llf", lambda st: lambda x: st.boxcox_llf(x, V), 0.4)
for _name in ("gmean", "hmean", "skew", "kurtosis", "zscore", "sem", "entropy"):
    _case("scipy.stats", _name, lambda st, n=_name: lambda x: getattr(st, n)(x), V)

# scipy.optimize: test functions
for _name in ("rosen", "rosen_der", "rosen_hess"):
    _case("scipy.optimize", _name, lambda so, n=_name: lambda x: getattr(so, n)(x), V)

# scipy.signal
_case("scipy.signal", "lfilter", lambda ss: lambda x: ss.lfilter([0.2, 0.3], [1.0, -0.4], x), SIGNAL)
_SOS = np.array([[0.2, 0.1, 0.3, 1.0, -0.4, 0.1], [0.5, 0.2, 0.1, 1.0, 0.3, 0.2]])
_case("scipy.signal", "sosfilt", lambda ss: lambda x: ss.sosfilt(_SOS, x), SIGNAL)
_case("scipy.signal", "filtfilt", lambda ss: lambda x: ss.filtfilt([0.2, 0.3], [1.0, -0.4], x), SIGNAL)
_case("scipy.signal", "savgol_filter", lambda ss: lambda x: ss.savgol_filter(x, 5, 2), SIGNAL)
_case("scipy.signal", "butter, to sections", lambda ss: lambda x: ss.butter(4, x, output="sos"), 0.3)
_case("scipy.signal", "convolve", lambda ss: lambda x: ss.convolve(x, x[:3]), SIGNAL)
_case("scipy.signal", "butter and freqz", lambda ss: lambda x: np.abs(ss.freqz(*ss.butter(3, x), worN=[0.2, 0.9])[1]), 0.3)
_case("scipy.signal", "welch", lambda ss: lambda x: ss.welch(x, nperseg=8)[1], SIGNAL)
_case("scipy.signal", "stft", lambda ss: lambda x: np.abs(ss.stft(x, nperseg=8)[2]), SIGNAL)
_case("scipy.signal", "detrend", lambda ss: lambda x: ss.detrend(x), SIGNAL)
_case("scipy.signal", "windows.gaussian", lambda ss: lambda x: ss.windows.gaussian(8, x), 2.0, NOTHING)

# scipy.fft
_case("scipy.fft", "rfft", lambda sf: lambda x: np.abs(sf.rfft(x, n=8)), SIGNAL)
_case("scipy.fft", "dct", lambda sf: lambda x: sf.dct(x) ** 2, SIGNAL)

# scipy.special: helpers in Python
for _name in ("logsumexp", "softmax", "log_softmax"):
    _case("scipy.special", _name, lambda sp, n=_name: lambda x: getattr(sp, n)(x), V)

# scipy.integrate
_case("scipy.integrate", "trapezoid", lambda si: lambda x: si.trapezoid(x**2, x), np.cumsum(V))
_case("scipy.integrate", "simpson", lambda si: lambda x: si.simpson(V, x=x), np.cumsum(V))
_case("scipy.integrate", "cumulative_simpson", lambda si: lambda x: si.cumulative_simpson(x, dx=0.1), V)
_case("scipy.integrate", "fixed_quad", lambda si: lambda x: si.fixed_quad(lambda t: np.exp(-t * x), 0.0, x)[0], 0.4, NOTHING)


def _logistic(si: Any, method: str) -> Callable[[Any], Any]:
    """The solution in a parameter, with steps that do not depend on it."""
    steps = {"rtol": 1e-10, "atol": 1e-12, "first_step": 0.05, "max_step": 0.05}
    return lambda x: si.solve_ivp(lambda t, y: -x * y**2, (0.0, 1.0), [1.0], method=method, **steps).y[0, -1]


for _name in ("RK45", "DOP853"):
    _case("scipy.integrate", f"solve_ivp, {_name}", lambda si, m=_name: _logistic(si, m), 0.9)

_case("scipy.integrate", "quad", lambda si: lambda x: si.quad(lambda t: np.exp(-t * x), 0.0, x)[0], 0.4)
_case("scipy.optimize", "brentq", lambda so: lambda x: so.brentq(lambda t: t**3 - x, 0.0, 2.0, xtol=1e-15), 1.3)

# scipy.interpolate
_X = np.arange(5.0)
_case("scipy.interpolate", "CubicSpline", lambda si: lambda x: si.CubicSpline(_X, x)(1.3), V)
_case("scipy.interpolate", "PchipInterpolator", lambda si: lambda x: si.PchipInterpolator(_X, x)(1.3), V)
_case("scipy.interpolate", "KroghInterpolator", lambda si: lambda x: si.KroghInterpolator(_X, x)(1.3), V)
_case("scipy.interpolate", "lagrange", lambda si: lambda x: si.lagrange(_X, x)(1.3), V, NOTHING)

# scipy.spatial
for _name in ("euclidean", "cosine", "correlation", "minkowski", "canberra", "jensenshannon"):
    _case("scipy.spatial.distance", _name, lambda sd, n=_name: lambda x: getattr(sd, n)(x, TRUTH), V)

# scikit-learn
for _name in (
    "mean_squared_error",
    "mean_absolute_error",
    "r2_score",
    "mean_squared_log_error",
    "mean_poisson_deviance",
    "mean_gamma_deviance",
    "explained_variance_score",
    "root_mean_squared_error",
):
    _case("sklearn.metrics", _name, lambda sk, n=_name: lambda x: getattr(sk, n)(TRUTH, x), V)
_case("sklearn.metrics", "log_loss", lambda sk: lambda x: sk.log_loss(LABELS, x), V)
_case("sklearn.metrics", "brier_score_loss", lambda sk: lambda x: sk.brier_score_loss(LABELS, x), V)
for _name in ("rbf_kernel", "polynomial_kernel", "sigmoid_kernel", "cosine_similarity"):
    _case("sklearn.metrics.pairwise", _name, lambda sk, n=_name: lambda x: getattr(sk, n)(POINTS * x, POINTS[::-1]), W)
_case("sklearn.gaussian_process.kernels", "RBF", lambda gk: lambda x: gk.RBF(0.7)(POINTS * x, POINTS), W)


def _likelihood(gp: Any) -> Callable[[Any], Any]:
    model = gp.GaussianProcessRegressor(gp.kernels.RBF(), alpha=0.1, optimizer=None)
    return model.fit(POINTS, POINTS[:, 0] ** 2).log_marginal_likelihood


_case("sklearn.gaussian_process", "GaussianProcessRegressor.log_marginal_likelihood", _likelihood, np.array([0.1]))
_case("sklearn.preprocessing", "StandardScaler.fit_transform", lambda sk: lambda x: sk.StandardScaler().fit_transform(POINTS * x), W)


# networkx
def _graph(nx: Any, x: Any) -> Any:
    g = nx.Graph()
    for i in range(5):
        g.add_edge(i, (i + 1) % 5, weight=x[i])
    g.add_edge(0, 2, weight=x[0] * x[1])
    return g


def _values(found: dict[Any, Any]) -> Any:
    return np.stack(list(found.values()))


_case("networkx", "dijkstra_path_length", lambda nx: lambda x: nx.dijkstra_path_length(_graph(nx, x), 0, 3), V, NOTHING)
_case("networkx", "bellman_ford_path_length", lambda nx: lambda x: nx.bellman_ford_path_length(_graph(nx, x), 0, 3), V, NOTHING)
_case("networkx", "closeness_centrality", lambda nx: lambda x: _values(nx.closeness_centrality(_graph(nx, x), None, "weight")), V, NOTHING)
_case("networkx", "maximum_flow_value", lambda nx: lambda x: nx.maximum_flow_value(_graph(nx, x), 0, 3, capacity="weight"), V, NOTHING)
_case(
    "networkx",
    "pagerank, pure Python",
    lambda nx: lambda x: _values(nx.algorithms.link_analysis.pagerank_alg._pagerank_python(_graph(nx, x), tol=1e-14, max_iter=1000)),
    V,
    NOTHING,
)
_case(
    "networkx",
    "katz_centrality",
    lambda nx: lambda x: _values(nx.katz_centrality(_graph(nx, x), tol=1e-14, weight="weight")),
    V,
)
_case("networkx", "minimum_spanning_tree", lambda nx: lambda x: nx.minimum_spanning_tree(_graph(nx, x)).size(weight="weight"), V)
_case("networkx", "floyd_warshall_numpy", lambda nx: lambda x: nx.floyd_warshall_numpy(_graph(nx, x)), V)

# statsmodels
_DESIGN = np.column_stack([np.ones(12), SIGNAL])
_COUNTS = np.array([0, 2, 1, 3, 0, 1, 4, 2, 1, 0, 2, 3.0])
_FLAGS = (SIGNAL > 0.25).astype(float)
_FLAGS[1] = 1.0


def _model(name: str, response: Any, **options: Any) -> Callable[[Any], Any]:
    return lambda sm: lambda x: getattr(sm, name)(response, _DESIGN, **options).loglike(x)


_case("statsmodels.api", "OLS.loglike", _model("OLS", SIGNAL**2), T, NOTHING)
_case("statsmodels.api", "Logit.loglike", _model("Logit", _FLAGS), T)
_case("statsmodels.api", "Probit.loglike", _model("Probit", _FLAGS), T, NOTHING)
_case("statsmodels.api", "Poisson.loglike", _model("Poisson", _COUNTS), T, NOTHING)
_case("statsmodels.api", "NegativeBinomial.loglike", _model("NegativeBinomial", _COUNTS), np.array([0.2, -0.3, 0.4]), NOTHING)
_case(
    "statsmodels.api",
    "GLM(Poisson).loglike",
    lambda sm: lambda x: sm.GLM(_COUNTS, _DESIGN, family=sm.families.Poisson()).loglike(x),
    T,
    NOTHING,
)
_case("statsmodels.api", "GLM(Binomial).loglike", lambda sm: sm.GLM(_FLAGS, _DESIGN, family=sm.families.Binomial()).loglike, T)
_case("statsmodels.api", "OLS(y).fit().params", lambda sm: lambda x: sm.OLS(x, _DESIGN).fit().params, SIGNAL**2)
_WEIGHTS = SIGNAL**2 + 1
_case("statsmodels.api", "WLS(weights).fit().params", lambda sm: lambda x: sm.WLS(SIGNAL**2, _DESIGN, weights=x).fit().params, _WEIGHTS)

"""SciPy's functions on duals: the right tangent, or an error; never a number without it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dual.probing import outcome

pytest.importorskip("scipy")

import scipy.cluster.vq
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse.linalg
import scipy.spatial
import scipy.special
import scipy.stats

PROBES = {
    "linalg.solve": lambda s, x, m: scipy.linalg.solve(m, x),
    "linalg.inv": lambda s, x, m: scipy.linalg.inv(m),
    "linalg.det": lambda s, x, m: scipy.linalg.det(m),
    "linalg.lu_factor": lambda s, x, m: scipy.linalg.lu_factor(m),
    "linalg.expm": lambda s, x, m: scipy.linalg.expm(m),
    "linalg.eigh": lambda s, x, m: scipy.linalg.eigh(m),
    "linalg.norm": lambda s, x, m: scipy.linalg.norm(x),
    "linalg.solve_triangular": lambda s, x, m: scipy.linalg.solve_triangular(m, x),
    "linalg.toeplitz": lambda s, x, m: scipy.linalg.toeplitz(x),
    "linalg.block_diag": lambda s, x, m: scipy.linalg.block_diag(m, m),
    "blas.ddot": lambda s, x, m: scipy.linalg.blas.ddot(x, x),
    "lapack.dgesv": lambda s, x, m: scipy.linalg.lapack.dgesv(m, x),
    "optimize.minimize": lambda s, x, m: scipy.optimize.minimize(lambda v: ((v - x) ** 2).sum(), np.zeros(3)).x,
    "optimize.minimize x0": lambda s, x, m: scipy.optimize.minimize(lambda v: v @ v, x).x,
    "optimize.root": lambda s, x, m: scipy.optimize.root(lambda v: v - x, np.zeros(3)).x,
    "optimize.fsolve": lambda s, x, m: scipy.optimize.fsolve(lambda v: v - x, np.zeros(3)),
    "optimize.brentq": lambda s, x, m: scipy.optimize.brentq(lambda v: v - s, 0.0, 1.0),
    "optimize.brentq bracket": lambda s, x, m: scipy.optimize.brentq(lambda v: v - 0.3, 0.0, s),
    "optimize.newton": lambda s, x, m: scipy.optimize.newton(lambda v: v * v - s, 0.5),
    "optimize.least_squares": lambda s, x, m: scipy.optimize.least_squares(lambda v: v - x, np.zeros(3)).x,
    "optimize.curve_fit": lambda s, x, m: scipy.optimize.curve_fit(lambda t, a: a * t, x, x)[0],
    "optimize.linprog": lambda s, x, m: scipy.optimize.linprog(x).x,
    "optimize.rosen": lambda s, x, m: scipy.optimize.rosen(x),
    "optimize.approx_fprime": lambda s, x, m: scipy.optimize.approx_fprime(x, lambda v: v @ v),
    "optimize.minimize_scalar": lambda s, x, m: scipy.optimize.minimize_scalar(lambda v: (v - s) ** 2).x,
    "optimize.nnls": lambda s, x, m: scipy.optimize.nnls(m, x),
    "optimize.fixed_point": lambda s, x, m: scipy.optimize.fixed_point(lambda v: np.cos(v) * s, 0.5),
    "integrate.quad": lambda s, x, m: scipy.integrate.quad(lambda t: s * t, 0.0, 1.0)[0],
    "integrate.quad limits": lambda s, x, m: scipy.integrate.quad(lambda t: t, 0.0, s)[0],
    "integrate.quad_vec": lambda s, x, m: scipy.integrate.quad_vec(lambda t: x * t, 0.0, 1.0)[0],
    "integrate.solve_ivp": lambda s, x, m: scipy.integrate.solve_ivp(lambda t, y: -s * y, (0.0, 1.0), [1.0]).y,
    "integrate.solve_ivp y0": lambda s, x, m: scipy.integrate.solve_ivp(lambda t, y: -y, (0.0, 1.0), x).y,
    "integrate.odeint": lambda s, x, m: scipy.integrate.odeint(lambda y, t: -s * y, 1.0, [0.0, 1.0]),
    "integrate.trapezoid": lambda s, x, m: scipy.integrate.trapezoid(x),
    "integrate.simpson": lambda s, x, m: scipy.integrate.simpson(x),
    "integrate.cumulative_trapezoid": lambda s, x, m: scipy.integrate.cumulative_trapezoid(x),
    "integrate.romb": lambda s, x, m: scipy.integrate.romb(x),
    "integrate.fixed_quad": lambda s, x, m: scipy.integrate.fixed_quad(lambda t: s * t, 0.0, 1.0)[0],
    "interpolate.CubicSpline": lambda s, x, m: scipy.interpolate.CubicSpline([0.0, 1.0, 2.0], x)(0.5),
    "interpolate.CubicSpline x": lambda s, x, m: scipy.interpolate.CubicSpline([0.0, 1.0, 2.0], [1.0, 2.0, 0.0])(x),
    "interpolate.interp1d": lambda s, x, m: scipy.interpolate.interp1d([0.0, 1.0, 2.0], x)(0.5),
    "interpolate.interp1d x": lambda s, x, m: scipy.interpolate.interp1d([0.0, 1.0, 2.0], [1.0, 2.0, 0.0])(x),
    "interpolate.RegularGridInterpolator": lambda s, x, m: scipy.interpolate.RegularGridInterpolator(([0.0, 1.0, 2.0],), x)([0.5]),
    "interpolate.griddata": lambda s, x, m: scipy.interpolate.griddata([[0.0], [1.0], [2.0]], x, [[0.5]]),
    "interpolate.BSpline": lambda s, x, m: scipy.interpolate.BSpline([0.0, 0, 1, 2, 3, 3], x, 2)(0.5),
    "interpolate.RBFInterpolator": lambda s, x, m: scipy.interpolate.RBFInterpolator([[0.0], [1.0], [2.0]], x)([[0.5]]),
    "interpolate.splrep": lambda s, x, m: scipy.interpolate.splrep([0.0, 1.0, 2.0], x, k=1),
    "interpolate.lagrange": lambda s, x, m: scipy.interpolate.lagrange([0.0, 1.0, 2.0], x).coeffs,
    "signal.convolve": lambda s, x, m: scipy.signal.convolve(x, x),
    "signal.lfilter": lambda s, x, m: scipy.signal.lfilter([1.0], [1.0, 0.5], x),
    "signal.lfilter b": lambda s, x, m: scipy.signal.lfilter(x, [1.0], [1.0, 2.0]),
    "signal.fftconvolve": lambda s, x, m: scipy.signal.fftconvolve(x, x),
    "signal.detrend": lambda s, x, m: scipy.signal.detrend(x),
    "signal.find_peaks": lambda s, x, m: scipy.signal.find_peaks(x),
    "signal.welch": lambda s, x, m: scipy.signal.welch(x),
    "signal.resample": lambda s, x, m: scipy.signal.resample(x, 5),
    "signal.medfilt": lambda s, x, m: scipy.signal.medfilt(x),
    "signal.savgol": lambda s, x, m: scipy.signal.savgol_filter(x, 3, 1),
    "signal.hilbert": lambda s, x, m: scipy.signal.hilbert(x),
    "signal.sosfilt": lambda s, x, m: scipy.signal.sosfilt([[1.0, 0, 0, 1.0, 0.5, 0]], x),
    "signal.butter": lambda s, x, m: scipy.signal.butter(2, s),
    "ndimage.gaussian": lambda s, x, m: scipy.ndimage.gaussian_filter(m, 1.0),
    "ndimage.gaussian sigma": lambda s, x, m: scipy.ndimage.gaussian_filter(np.eye(3), s),
    "ndimage.convolve": lambda s, x, m: scipy.ndimage.convolve(x, [1.0, 2.0]),
    "ndimage.map_coordinates": lambda s, x, m: scipy.ndimage.map_coordinates(m, [[0.5], [0.5]]),
    "ndimage.zoom": lambda s, x, m: scipy.ndimage.zoom(x, 2),
    "ndimage.sum": lambda s, x, m: scipy.ndimage.sum_labels(x),
    "ndimage.output": lambda s, x, m: scipy.ndimage.uniform_filter(x, output=np.zeros(3)),
    "sparse.csr_array": lambda s, x, m: scipy.sparse.csr_array(m),
    "sparse @": lambda s, x, m: scipy.sparse.eye_array(3, format="csr") @ x,
    "sparse *": lambda s, x, m: scipy.sparse.eye_array(3, format="csr") * s,
    "sparse * r": lambda s, x, m: s * scipy.sparse.eye_array(3, format="csr"),
    "sparse /": lambda s, x, m: scipy.sparse.eye_array(3, format="csr") / s,
    "@ sparse": lambda s, x, m: x @ scipy.sparse.eye_array(3, format="csr"),
    "sparse + dense": lambda s, x, m: scipy.sparse.eye_array(3, format="csr") + m,
    "sparse.diags": lambda s, x, m: scipy.sparse.diags_array([x]),
    "sparse.coo": lambda s, x, m: scipy.sparse.coo_array((x, ([0, 1, 2], [0, 1, 2])), shape=(3, 3)),
    "sparse data": lambda s, x, m: (lambda a: (a.data.__setitem__(slice(None), x), a)[1])(scipy.sparse.eye_array(3, format="csr")),
    "sparse set": lambda s, x, m: (lambda a: (a.__setitem__((0, 0), s), a.toarray())[1])(scipy.sparse.lil_array((3, 3))),
    "sparse.spsolve": lambda s, x, m: scipy.sparse.linalg.spsolve(scipy.sparse.eye_array(3, format="csc"), x),
    "sparse.splu": lambda s, x, m: scipy.sparse.linalg.splu(scipy.sparse.eye_array(3, format="csc")).solve(x),
    "sparse.cg": lambda s, x, m: scipy.sparse.linalg.cg(scipy.sparse.eye_array(3, format="csc"), x)[0],
    "sparse.eigsh": lambda s, x, m: scipy.sparse.linalg.eigsh(m, 1),
    "sparse.LinearOperator": lambda s, x, m: scipy.sparse.linalg.aslinearoperator(np.eye(3)).matvec(x),
    "sparse.gmres": lambda s, x, m: scipy.sparse.linalg.gmres(np.eye(3), x)[0],
    "sparse.expm_multiply": lambda s, x, m: scipy.sparse.linalg.expm_multiply(np.eye(3), x),
    "stats.norm.pdf": lambda s, x, m: scipy.stats.norm.pdf(x),
    "stats.norm.logpdf loc": lambda s, x, m: scipy.stats.norm.logpdf(0.3, s, 1.0),
    "stats.norm.cdf": lambda s, x, m: scipy.stats.norm.cdf(s),
    "stats.norm.rvs": lambda s, x, m: scipy.stats.norm.rvs(s, random_state=0),
    "stats.norm.fit": lambda s, x, m: scipy.stats.norm.fit(x),
    "stats.frozen": lambda s, x, m: scipy.stats.norm(s, 1.0).pdf(0.2),
    "stats.zscore": lambda s, x, m: scipy.stats.zscore(x),
    "stats.gmean": lambda s, x, m: scipy.stats.gmean(x),
    "stats.skew": lambda s, x, m: scipy.stats.skew(x),
    "stats.pearsonr": lambda s, x, m: scipy.stats.pearsonr(x, [1.0, 2.0, 4.0])[0],
    "stats.ttest": lambda s, x, m: scipy.stats.ttest_1samp(x, 0.0).statistic,
    "stats.kde": lambda s, x, m: scipy.stats.gaussian_kde(x)(0.5),
    "stats.multivariate_normal": lambda s, x, m: scipy.stats.multivariate_normal.pdf(x, np.zeros(3)),
    "stats.rankdata": lambda s, x, m: scipy.stats.rankdata(x),
    "stats.entropy": lambda s, x, m: scipy.stats.entropy(x),
    "stats.iqr": lambda s, x, m: scipy.stats.iqr(x),
    "stats.linregress": lambda s, x, m: scipy.stats.linregress([1.0, 2.0, 3.0], x).slope,
    "stats.describe": lambda s, x, m: scipy.stats.describe(x).mean,
    "stats.poisson": lambda s, x, m: scipy.stats.poisson.pmf(2, s),
    "spatial.distance.cdist": lambda s, x, m: scipy.spatial.distance.cdist(m, m),
    "spatial.distance.euclidean": lambda s, x, m: scipy.spatial.distance.euclidean(x, [1.0, 2.0, 3.0]),
    "spatial.distance.pdist": lambda s, x, m: scipy.spatial.distance.pdist(m),
    "spatial.distance.cosine": lambda s, x, m: scipy.spatial.distance.cosine(x, [1.0, 2.0, 3.0]),
    "spatial.KDTree": lambda s, x, m: scipy.spatial.KDTree(m).query([0.0, 0.0, 0.0])[0],
    "spatial.KDTree query": lambda s, x, m: scipy.spatial.KDTree(np.eye(3)).query(x)[0],
    "spatial.ConvexHull": lambda s, x, m: scipy.spatial.ConvexHull(m).volume,
    "spatial.Rotation": lambda s, x, m: scipy.spatial.transform.Rotation.from_rotvec(x).as_matrix(),
    "spatial.Rotation apply": lambda s, x, m: scipy.spatial.transform.Rotation.from_rotvec([0.0, 0.0, 1.0]).apply(x),
    "spatial.procrustes": lambda s, x, m: scipy.spatial.procrustes(m, np.eye(3)),
    "special.logsumexp": lambda s, x, m: scipy.special.logsumexp(x),
    "special.comb": lambda s, x, m: scipy.special.comb(s, 1),
    "special.factorial": lambda s, x, m: scipy.special.factorial(s),
    "special.roots_legendre": lambda s, x, m: scipy.special.roots_legendre(s),
    "special.eval_legendre n": lambda s, x, m: scipy.special.eval_legendre(s, 0.3),
    "special out": lambda s, x, m: scipy.special.erf(x, out=np.zeros(3)),
    "fft.fft": lambda s, x, m: scipy.fft.fft(x),
    "fft.dct": lambda s, x, m: scipy.fft.dct(x),
    "cluster.vq": lambda s, x, m: scipy.cluster.vq.kmeans(m, 2),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROBES)
def test_nothing_is_lost(name):
    assert outcome(PROBES[name]) == "dual" or outcome(PROBES[name]).startswith("error: ")

"""Solves, inverses, determinants, products of matrices: transposes, structure of arguments, conditioning."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def solve(a, b):
    return np.linalg.solve(a, b)


def solve_cases(rng):
    n = rng.integers(1, 5)
    b = rng.standard_normal((n, int(rng.integers(1, 3))) if rng.random() < 0.5 else n)
    return rng.standard_normal((n, n)) + 2 * np.eye(n), b * 10.0 ** rng.integers(-3, 3)


def solve_push(y, primals, tangents):
    return np.linalg.solve(primals[0], tangents[1] - tangents[0] @ y)


def cotangent_of_matrix(b_bar, y):
    return -np.outer(b_bar, y) if y.ndim == 1 else -b_bar @ y.T


def solve_pull(y, primals, y_bar):
    b_bar = np.linalg.solve(primals[0].T, y_bar)
    return cotangent_of_matrix(b_bar, y), b_bar


def solve_pull_untransposed(y, primals, y_bar):
    b_bar = np.linalg.solve(primals[0], y_bar)
    return cotangent_of_matrix(b_bar, y), b_bar


solves = Family("solve", "vector or matrix at the right", f=solve, cases=solve_cases, pushforward=solve_push, pullback=solve_pull)
solves.right("reverse_only", pushforward=None).right("forward_only", pullback=None)
solves.wrong("untransposed", "transpose", pullback=solve_pull_untransposed)
solves.wrong("a_bar_transposed", "transpose", pullback=lambda y, p, c: (solve_pull(y, p, c)[0].T, solve_pull(y, p, c)[1]))
solves.wrong("a_bar_sign", "sign", pullback=lambda y, p, c: (-solve_pull(y, p, c)[0], solve_pull(y, p, c)[1]))
solves.wrong("sign_in_push", "sign", pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1] + t[0] @ y))
solves.wrong("a_held", "dropped term", "the matrix counts as constant", pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1]))
solves.wrong(
    "a_held_both",
    "dropped term",
    pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1]),
    pullback=lambda y, p, c: (None, solve_pull(y, p, c)[1]),
)
solves.wrong(
    "single",
    "precision",
    "solved in float32",
    pullback=lambda y, p, c: (solve_pull(y, p, c)[0], np.linalg.solve(p[0].T.astype("f4"), c.astype("f4")).astype("f8")),
)

# ill-conditioned solves


def hilbert_solve(b, *, n=5):
    i = np.arange(n)
    return np.linalg.solve(1.0 / (i[:, None] + i + 1), b)


hilberts = Family(
    "hilbert_solve",
    "condition number up to 1e7; linear",
    f=hilbert_solve,
    cases=lambda rng: (lambda n: rb.case(rng.standard_normal(n), n=n))(int(rng.integers(3, 7))),
    pushforward=lambda y, primals, tangents, *, n: hilbert_solve(tangents[0], n=n),
    pullback=lambda y, primals, y_bar, *, n: (hilbert_solve(y_bar, n=n),),
)
hilberts.wrong(
    "regularised",
    "constant",
    "a ridge of 1e-10",
    pullback=lambda y, p, c, *, n: (np.linalg.solve(1.0 / (np.arange(n)[:, None] + np.arange(n) + 1) + 1e-10 * np.eye(n), c),),
)
hilberts.wrong(
    "off_by_one", "one element", "the last entry is left out", pullback=lambda y, p, c, *, n: (np.append(hilbert_solve(c, n=n)[:-1], 0.0),)
)

# inverse


inverse = Family(
    "inv",
    "explicit cases",
    f=lambda a: np.linalg.inv(a),
    cases=[rb.case(np.array([[2.0, 1.0], [-0.5, 3.0]])), rb.case(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0], [4.0, 0.0, 1.0]]))],
    pushforward=lambda y, primals, tangents: -y @ tangents[0] @ y,
    pullback=lambda y, primals, y_bar: (-y.T @ y_bar @ y.T,),
)
inverse.wrong("no_transposes", "transpose", pullback=lambda y, p, c: (-y @ c @ y,))
inverse.wrong("plus", "sign", pushforward=lambda y, p, t: y @ t[0] @ y)
inverse.wrong(
    "elementwise", "swapped", "elementwise product", pushforward=lambda y, p, t: -y * t[0] * y, pullback=lambda y, p, c: (-y * c * y,)
)
inverse.wrong("one_transpose", "transpose", pullback=lambda y, p, c: (-y.T @ c @ y,))
inverse.wrong("cotangent_transposed", "transpose", pullback=lambda y, p, c: (-y.T @ c.T @ y.T,))

# logarithm of the determinant, with its sign


def slogdet(a):
    sign, log = np.linalg.slogdet(a)
    return sign, log


dets = Family(
    "slogdet",
    "two results, the first piecewise constant",
    f=slogdet,
    cases=lambda rng: (rng.standard_normal((3, 3)),),
    pushforward=lambda y, primals, tangents: (np.zeros_like(y[0]), np.trace(np.linalg.solve(primals[0], tangents[0]))),
    pullback=lambda y, primals, y_bar: (y_bar[1] * np.linalg.inv(primals[0]).T,),
)
dets.wrong("untransposed", "transpose", pullback=lambda y, p, c: (c[1] * np.linalg.inv(p[0]),))
dets.wrong("det", "wrong branch", "times the sign", pullback=lambda y, p, c: (y[0] * c[1] * np.linalg.inv(p[0]).T,))
dets.wrong("first_cotangent", "swapped", "takes the other result's cotangent", pullback=lambda y, p, c: (c[0] * np.linalg.inv(p[0]).T,))
dets.wrong("both_cotangents", "swapped", "adds the sign's cotangent", pullback=lambda y, p, c: ((c[0] + c[1]) * np.linalg.inv(p[0]).T,))
dets.wrong("one_tangent", "structure", "one tangent for two results", pushforward=lambda y, p, t: np.trace(np.linalg.solve(p[0], t[0])))
dets.wrong(
    "list", "structure", "a list of tangents", pushforward=lambda y, p, t: [np.zeros_like(y[0]), np.trace(np.linalg.solve(p[0], t[0]))]
)

# matrix product chain


def sandwich(a, x):
    return a @ x @ a.T


sandwiches = Family(
    "sandwich",
    "one argument twice",
    f=sandwich,
    cases=lambda rng: (lambda n, m: (rng.standard_normal((n, m)), rng.standard_normal((m, m))))(rng.integers(1, 4), rng.integers(1, 4)),
    frule=lambda primals, tangents: (
        sandwich(*primals),
        tangents[0] @ primals[1] @ primals[0].T + primals[0] @ primals[1] @ tangents[0].T + primals[0] @ tangents[1] @ primals[0].T,
    ),
    rrule=lambda a, x: (a @ x @ a.T, lambda y_bar: (y_bar @ a @ x.T + y_bar.T @ a @ x, a.T @ y_bar @ a)),
)
sandwiches.wrong(
    "symmetric",
    "factor",
    "right for symmetric x and y_bar only",
    rrule=lambda a, x: (a @ x @ a.T, lambda y_bar: (2 * y_bar @ a @ x, a.T @ y_bar @ a)),
)
sandwiches.wrong("half", "dropped term", rrule=lambda a, x: (a @ x @ a.T, lambda y_bar: (y_bar @ a @ x.T, a.T @ y_bar @ a)))
sandwiches.wrong("half_forward", "dropped term", frule=lambda p, t: (sandwich(*p), t[0] @ p[1] @ p[0].T + p[0] @ t[1] @ p[0].T))
sandwiches.wrong(
    "doubled_forward",
    "factor",
    "right for symmetric x only",
    frule=lambda p, t: (sandwich(*p), (lambda s: s + s.T)(t[0] @ p[1] @ p[0].T) + p[0] @ t[1] @ p[0].T),
)
sandwiches.wrong(
    "x_bar_transposed", "transpose", rrule=lambda a, x: (a @ x @ a.T, lambda y_bar: (y_bar @ a @ x.T + y_bar.T @ a @ x, a.T @ y_bar.T @ a))
)


# cholesky of a symmetric matrix


def symmetric(i, t):
    return (t + t.T) / 2


def cholesky(a):
    return np.linalg.cholesky(a)


def phi(m):
    return np.tril(m) - np.diag(np.diag(m)) / 2


def cholesky_push(y, primals, tangents):
    inv = np.linalg.inv(y)
    return y @ phi(inv @ tangents[0] @ inv.T)


def cholesky_pull(y, primals, y_bar):
    inv = np.linalg.inv(y)
    s = inv.T @ phi(y.T @ y_bar) @ inv
    return ((s + s.T) / 2,)


def positive(rng):
    n = int(rng.integers(1, 5))
    a = rng.standard_normal((n, n))
    return (a @ a.T + 0.5 * np.eye(n),)


chol = Family(
    "cholesky", "symmetric matrices", f=cholesky, cases=positive, tangent_space=symmetric, pushforward=cholesky_push, pullback=cholesky_pull
)
chol.wrong(
    "lower",
    "off space",
    "the lower triangle, twice",
    pullback=lambda y, p, c: ((lambda m: np.tril(2 * m) - np.diag(np.diag(m)))(cholesky_pull(y, p, c)[0]),),
)
chol.wrong("unsymmetrised", "off space", pullback=lambda y, p, c: ((lambda inv: inv.T @ phi(y.T @ c) @ inv)(np.linalg.inv(y)),))
chol.wrong(
    "full_diagonal",
    "factor",
    "the diagonal is not halved",
    pushforward=lambda y, p, t: (lambda inv: y @ np.tril(inv @ t[0] @ inv.T))(np.linalg.inv(y)),
)
chol.wrong(
    "no_tril",
    "dropped term",
    pullback=lambda y, p, c: ((lambda inv: (lambda s: (s + s.T) / 4)(inv.T @ (y.T @ c) @ inv))(np.linalg.inv(y)),),
)
chol.wrong("strict_upper", "transpose", pushforward=lambda y, p, t: (lambda inv: y @ phi(inv @ t[0] @ inv.T).T)(np.linalg.inv(y)))

# eigenvalues, and a gauge-free function of eigenvectors


def eigvals(a):
    return np.linalg.eigvalsh(a)


def symmetric_cases(rng):
    n = int(rng.integers(1, 5))
    a = rng.standard_normal((n, n))
    return (a + a.T,)


def eig_pull(y, primals, y_bar):
    v = np.linalg.eigh(primals[0])[1]
    return ((v * y_bar) @ v.T,)


def eig_push(y, primals, tangents):
    v = np.linalg.eigh(primals[0])[1]
    return np.einsum("ji,jk,ki->i", v, tangents[0], v)


eigs = Family(
    "eigvalsh", "symmetric matrices", f=eigvals, cases=symmetric_cases, tangent_space=symmetric, pushforward=eig_push, pullback=eig_pull
)
eigs.wrong("rows", "transpose", "rows of V for its columns", pullback=lambda y, p, c: ((lambda v: (v.T * c) @ v)(np.linalg.eigh(p[0])[1]),))
eigs.wrong("descending", "swapped", "eigenvectors in the other order", pushforward=lambda y, p, t: eig_push(y, p, t)[::-1])
eigs.wrong(
    "descending_both",
    "swapped",
    pushforward=lambda y, p, t: eig_push(y, p, t)[::-1].copy(),
    pullback=lambda y, p, c: eig_pull(y, p, c[::-1]),
)
eigs.wrong("lower_triangle", "off space", pullback=lambda y, p, c: ((lambda m: np.tril(m) + np.tril(m, -1))(eig_pull(y, p, c)[0]),))
eigs.wrong("diagonal", "dropped term", "for diagonal matrices only", pushforward=lambda y, p, t: np.diagonal(t[0]).copy())


def sqrtm(a):
    w, v = np.linalg.eigh(a)
    return (v * np.sqrt(w)) @ v.T


def sqrtm_map(a, t):
    w, v = np.linalg.eigh(a)
    r = np.sqrt(w)
    return v @ ((v.T @ t @ v) / (r[:, None] + r)) @ v.T


roots = Family(
    "sqrtm",
    "gauge free, by eigh; self-adjoint on symmetric matrices",
    f=sqrtm,
    cases=positive,
    tangent_space=symmetric,
    pushforward=lambda y, primals, tangents: sqrtm_map(primals[0], tangents[0]),
    pullback=lambda y, primals, y_bar: (sqrtm_map(primals[0], (y_bar + y_bar.T) / 2),),
)
roots.wrong("unsymmetrised", "off space", "does not symmetrise y_bar", pullback=lambda y, p, c: (sqrtm_map(p[0], c),))
roots.wrong("commuting", "dropped term", "right where x and x_dot commute", pushforward=lambda y, p, t: np.linalg.solve(2 * y, t[0]))
roots.wrong(
    "eigenvalue_sum", "power", "sums of eigenvalues, not of their roots", pullback=lambda y, p, c: (np.linalg.solve(y, (c + c.T) / 4),)
)

# a banded matrix


def banded(i, t):
    if i != 0:
        return t
    n = t.shape[0]
    return np.where(np.abs(np.arange(n)[:, None] - np.arange(n)) <= 1, t, 0.0)


def band_solve(a, b):
    return np.linalg.solve(banded(0, a), b)


def band_pull(y, primals, y_bar):
    b_bar = np.linalg.solve(banded(0, primals[0]).T, y_bar)
    return banded(0, -np.outer(b_bar, y)), b_bar


bands = Family(
    "band_solve",
    "a matrix with three diagonals",
    f=band_solve,
    cases=lambda rng: (lambda n: (banded(0, rng.standard_normal((n, n))) + 4 * np.eye(n), rng.standard_normal(n)))(int(rng.integers(3, 6))),
    tangent_space=banded,
    pushforward=lambda y, primals, tangents: np.linalg.solve(primals[0], tangents[1] - banded(0, tangents[0]) @ y),
    pullback=band_pull,
)
bands.wrong(
    "full",
    "off space",
    "cotangents outside the band",
    pullback=lambda y, p, c: (-np.outer(band_pull(y, p, c)[1], y), band_pull(y, p, c)[1]),
)
bands.wrong(
    "upper_off_by_one",
    "one element",
    "the last entry of the upper diagonal is lost",
    pullback=lambda y, p, c: (
        (lambda m: m * (1 - np.eye(len(m))[:, -1:] * 0 - (np.indices(m.shape)[0] == len(m) - 2) * (np.indices(m.shape)[1] == len(m) - 1)))(
            band_pull(y, p, c)[0]
        ),
        band_pull(y, p, c)[1],
    ),
)
bands.wrong("transposed", "transpose", pullback=lambda y, p, c: (band_pull(y, p, c)[0].T, band_pull(y, p, c)[1]))
bands.wrong(
    "diagonal",
    "dropped term",
    "the diagonal only, in both",
    pushforward=lambda y, p, t: np.linalg.solve(p[0], t[1] - np.diag(t[0]) * y),
    pullback=lambda y, p, c: (np.diag(np.diag(band_pull(y, p, c)[0])), band_pull(y, p, c)[1]),
)

# rotations from skew matrices (Cayley)


def skew(i, t):
    return (t - t.T) / 2


def cayley(a):
    eye = np.eye(a.shape[0])
    return np.linalg.solve(eye - a / 2, eye + a / 2)


def cayley_push(y, primals, tangents):
    eye = np.eye(y.shape[0])
    return np.linalg.solve(eye - primals[0] / 2, tangents[0] @ (eye + y)) / 2


def cayley_pull(y, primals, y_bar):
    eye = np.eye(y.shape[0])
    return (skew(0, np.linalg.solve(eye - primals[0].T / 2, y_bar) @ (eye + y).T / 2),)


cayleys = Family(
    "cayley",
    "skew matrices",
    f=cayley,
    cases=lambda rng: (skew(0, rng.standard_normal((3, 3))),),
    tangent_space=skew,
    pushforward=cayley_push,
    pullback=cayley_pull,
)
cayleys.wrong("not_skew", "off space", pullback=lambda y, p, c: (np.linalg.solve(np.eye(3) - p[0].T / 2, c) @ (np.eye(3) + y).T / 2,))
cayleys.wrong("sign_of_skew", "sign", pullback=lambda y, p, c: (cayley_pull(y, p, c)[0].T,))
cayleys.wrong("no_half", "factor", pushforward=lambda y, p, t: 2 * cayley_push(y, p, t))
cayleys.wrong("no_y", "dropped term", pushforward=lambda y, p, t: np.linalg.solve(np.eye(3) - p[0] / 2, t[0]))

"""Host code: matrix functions and matrix equations of SciPy."""

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

import rulebook as rb
from tests.checker_corpus.model import Family


def square(rng, n=None):
    n = int(rng.integers(1, 5)) if n is None else n
    return rng.standard_normal((n, n))


# the exponential of a matrix


def expm(a):
    return scipy.linalg.expm(a)


def expm_map(a, t):
    n = a.shape[0]
    block = np.block([[a, t], [np.zeros_like(a), a]])
    return scipy.linalg.expm(block)[:n, n:]


expms = Family(
    "expm",
    "Frechet derivative by a block matrix",
    f=expm,
    cases=lambda rng: (square(rng),),
    pushforward=lambda y, p, t: expm_map(p[0], t[0]),
    pullback=lambda y, p, c: (expm_map(p[0].T, c),),
)
expms.right(
    "frechet", "by SciPy's own Frechet derivative", pushforward=lambda y, p, t: scipy.linalg.expm_frechet(p[0], t[0], compute_expm=False)
)
expms.wrong("commuting", "dropped term", "right where a and x_dot commute", pushforward=lambda y, p, t: y @ t[0])
expms.wrong("commuting_both", "both alike", pushforward=lambda y, p, t: y @ t[0], pullback=lambda y, p, c: (y.T @ c,))
expms.wrong(
    "symmetrised",
    "constant",
    "the mean of both orders",
    pushforward=lambda y, p, t: (y @ t[0] + t[0] @ y) / 2,
    pullback=lambda y, p, c: ((y.T @ c + c @ y.T) / 2,),
)
expms.wrong("untransposed", "transpose", pullback=lambda y, p, c: (expm_map(p[0], c),))
expms.wrong("all_transposed", "transpose", pullback=lambda y, p, c: (expm_map(p[0], c).T,))
expms.wrong("elementwise", "swapped", "the elementwise exponential", pullback=lambda y, p, c: (np.exp(p[0]) * c,))

# Sylvester's equation a x + x b = q


def sylvester(a, b, q):
    return scipy.linalg.solve_sylvester(a, b, q)


def sylvester_cases(rng):
    n, m = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return square(rng, n) + 3 * np.eye(n), square(rng, m) + 3 * np.eye(m), rng.standard_normal((n, m))


def sylvester_push(y, p, t):
    return scipy.linalg.solve_sylvester(p[0], p[1], t[2] - t[0] @ y - y @ t[1])


def sylvester_pull(y, p, c):
    s = scipy.linalg.solve_sylvester(p[0].T, p[1].T, c)
    return -s @ y.T, -y.T @ s, s


sylvesters = Family(
    "sylvester", "three matrices of two sizes", f=sylvester, cases=sylvester_cases, pushforward=sylvester_push, pullback=sylvester_pull
)
sylvesters.right("reverse_only", pushforward=None)
sylvesters.wrong(
    "untransposed", "transpose", pullback=lambda y, p, c: (lambda s: (-s @ y.T, -y.T @ s, s))(scipy.linalg.solve_sylvester(p[0], p[1], c))
)
sylvesters.wrong(
    "b_sign", "sign", "as for a x - x b", pushforward=lambda y, p, t: scipy.linalg.solve_sylvester(p[0], p[1], t[2] - t[0] @ y + y @ t[1])
)
sylvesters.wrong(
    "b_sign_both",
    "sign",
    pushforward=lambda y, p, t: scipy.linalg.solve_sylvester(p[0], p[1], t[2] - t[0] @ y + y @ t[1]),
    pullback=lambda y, p, c: (lambda s: (s[0], -s[1], s[2]))(sylvester_pull(y, p, c)),
)
sylvesters.wrong(
    "b_order",
    "transpose",
    "right where sizes agree and things commute",
    pullback=lambda y, p, c: (lambda s: (-s @ y.T, -(s.T @ y), s))(sylvester_pull(y, p, c)[2]),
)
sylvesters.wrong("b_held", "missing cotangent", pullback=lambda y, p, c: (sylvester_pull(y, p, c)[0], None, sylvester_pull(y, p, c)[2]))

# Lyapunov's equation with a symmetric right-hand side


def lyapunov(a, q):
    return scipy.linalg.solve_continuous_lyapunov(a, q)


def symmetric_q(i, t):
    return (t + t.T) / 2 if i == 1 else t


def lyapunov_cases(rng):
    n = int(rng.integers(1, 4))
    q = square(rng, n)
    return square(rng, n) - 4 * np.eye(n), q + q.T


def lyapunov_push(y, p, t):
    return lyapunov(p[0], t[1] - t[0] @ y - y @ t[0].T)


def lyapunov_pull(y, p, c):
    s = lyapunov(p[0].T, c)
    return -s @ y.T - s.T @ y, (s + s.T) / 2


lyapunovs = Family(
    "lyapunov",
    "a general and a symmetric matrix",
    f=lyapunov,
    cases=lyapunov_cases,
    tangent_space=symmetric_q,
    pushforward=lyapunov_push,
    pullback=lyapunov_pull,
)
lyapunovs.wrong(
    "q_general",
    "off space",
    "the cotangent of q is not symmetric",
    pullback=lambda y, p, c: (lyapunov_pull(y, p, c)[0], lyapunov(p[0].T, c)),
)
lyapunovs.wrong("one_term", "dropped term", pullback=lambda y, p, c: (-lyapunov(p[0].T, c) @ y.T, lyapunov_pull(y, p, c)[1]))
lyapunovs.wrong(
    "doubled",
    "factor",
    "right for symmetric cotangents",
    pullback=lambda y, p, c: (-2 * lyapunov(p[0].T, c) @ y, lyapunov_pull(y, p, c)[1]),
)
lyapunovs.wrong("untransposed", "transpose", pushforward=lambda y, p, t: lyapunov(p[0], t[1] - t[0] @ y - y @ t[0]))
lyapunovs.wrong(
    "adjoint_equation", "transpose", pullback=lambda y, p, c: (lambda s: (-s @ y.T - s.T @ y, (s + s.T) / 2))(lyapunov(p[0], c))
)

# nuclear norm and polar factor: gauge free functions of an svd


def nuclear(a):
    return np.sum(scipy.linalg.svdvals(a))


def polar_factor(a):
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    return u @ vt


def tall(rng):
    m = int(rng.integers(1, 4))
    return (rng.standard_normal((m + int(rng.integers(3)), m)),)


nuclears = Family(
    "nuclear_norm",
    "the polar factor is its gradient",
    f=nuclear,
    cases=tall,
    pushforward=lambda y, p, t: np.sum(polar_factor(p[0]) * t[0]),
    pullback=lambda y, p, c: (polar_factor(p[0]) * c,),
)
nuclears.wrong("frobenius", "swapped", "the Frobenius norm's gradient", pullback=lambda y, p, c: (p[0] / np.sqrt(np.sum(p[0] ** 2)) * c,))
nuclears.wrong(
    "u_only", "dropped term", "V is forgotten", pushforward=lambda y, p, t: np.sum(np.linalg.svd(p[0], full_matrices=False)[0] * t[0])
)
nuclears.wrong(
    "v_not_transposed", "transpose", pullback=lambda y, p, c: ((lambda u, s, vt: u @ vt.T)(*np.linalg.svd(p[0], full_matrices=False)) * c,)
)


def polar_solve(a, t):
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    k = u.T @ t @ vt.T
    inner = u @ ((k - k.T) / (s[:, None] + s)) @ vt
    rest = t - u @ (u.T @ t)
    return inner + rest @ vt.T @ np.diag(1 / s) @ vt


factors = Family(
    "polar_factor",
    "gauge free; self-adjoint",
    f=polar_factor,
    cases=tall,
    pushforward=lambda y, p, t: polar_solve(p[0], t[0]),
    pullback=lambda y, p, c: (polar_solve(p[0], c),),
)
factors.wrong(
    "square_only",
    "dropped term",
    "right for square matrices",
    pullback=lambda y, p, c: (
        (lambda u, s, vt: (lambda k: u @ ((k - k.T) / (s[:, None] + s)) @ vt)(u.T @ c @ vt.T))(*np.linalg.svd(p[0], full_matrices=False)),
    ),
)
factors.wrong(
    "plus",
    "sign",
    pushforward=lambda y, p, t: (
        (lambda u, s, vt: (lambda k: u @ ((k + k.T) / (s[:, None] + s)) @ vt)(u.T @ t[0] @ vt.T))(*np.linalg.svd(p[0], full_matrices=False))
        + polar_solve(p[0], t[0]) * 0
    ),
)
factors.wrong(
    "differences",
    "swapped",
    "differences of singular values",
    pullback=lambda y, p, c: (
        (lambda u, s, vt: (lambda k: u @ ((k - k.T) / (s[:, None] - s + np.eye(s.size))) @ vt)(u.T @ c @ vt.T))(
            *np.linalg.svd(p[0], full_matrices=False)
        ),
    ),
)

# a sparse matrix as an opaque argument


def sparse_solve(a, b):
    return scipy.sparse.linalg.spsolve(a, b)


def sparse_cases(rng):
    n = int(rng.integers(2, 7))
    a = scipy.sparse.random(n, n, 0.4, random_state=rng, format="csc") + scipy.sparse.diags([4.0 + rng.random(n)], [0], format="csc")
    return a.tocsc(), rng.standard_normal(n)


sparse = Family(
    "sparse_solve",
    "a sparse matrix among the primals",
    f=sparse_solve,
    cases=sparse_cases,
    frule=lambda p, t: (sparse_solve(*p), sparse_solve(p[0], t[1])),
    rrule=lambda a, b: (sparse_solve(a, b), lambda c: (None, sparse_solve(a.T.tocsc(), c))),
)
sparse.wrong("untransposed", "transpose", rrule=lambda a, b: (sparse_solve(a, b), lambda c: (None, sparse_solve(a, c))))
sparse.wrong("diagonal", "dropped term", "the diagonal only", frule=lambda p, t: (sparse_solve(*p), t[1] / p[0].diagonal()))
sparse.wrong("product", "power", "multiplies instead of solving", rrule=lambda a, b: (sparse_solve(a, b), lambda c: (None, a.T @ c)))
sparse.wrong(
    "ridge",
    "constant",
    "1e-7 on the diagonal",
    rrule=lambda a, b: (sparse_solve(a, b), lambda c: (None, sparse_solve((a.T + 1e-7 * scipy.sparse.eye(b.size)).tocsc(), c))),
)

# a factorisation kept as residual


def lu_rules(kind=""):
    last = {}

    def rrule(a, b):
        factors = scipy.linalg.lu_factor(a)
        last["factors"] = factors
        x = scipy.linalg.lu_solve(factors, b)

        def pull(c):
            used = last["factors"] if kind == "stale" and last["factors"][0].shape == a.shape else factors
            if kind == "overwrite":
                used[0][...] += 0.01 * np.eye(b.size)
            b_bar = scipy.linalg.lu_solve(used, c, trans=0 if kind == "trans" else 1)
            return -np.outer(b_bar, x), b_bar

        return x, pull

    return {"rrule": rrule}


lus = Family(
    "lu",
    "a factorisation in the closure",
    build=lu_rules,
    f=lambda a, b: scipy.linalg.solve(a, b),
    accuracy=1e-12,
    cases=lambda rng: (square(rng, 3) + 3 * np.eye(3), rng.standard_normal(3)),
)
lus.wrong("trans", "transpose", "lu_solve without trans=1", kind="trans")
lus.wrong("stale", "stale", "the latest call's factors", kind="stale")
lus.wrong("overwrite", "accumulates", "the factors are changed by each pullback", kind="overwrite")
lus.wrong(
    "bare",
    "structure",
    rrule=lambda a, b: (
        scipy.linalg.solve(a, b),
        lambda c: [-np.outer(np.linalg.solve(a.T, c), np.linalg.solve(a, b)), np.linalg.solve(a.T, c)],
    ),
)
lus.wrong(
    "project",
    "broadcast sum",
    "the matrix' cotangent summed to a row and spread",
    rrule=lambda a, b: (
        scipy.linalg.solve(a, b),
        lambda c: (
            np.zeros((3, 3)) + rb.project(np.zeros((1, 3)), -np.outer(np.linalg.solve(a.T, c), np.linalg.solve(a, b))),
            np.linalg.solve(a.T, c),
        ),
    ),
)

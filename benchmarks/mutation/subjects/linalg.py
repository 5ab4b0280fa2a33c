"""Dense linear algebra: solves, factorizations, matrix functions."""

import numpy as np
import scipy.linalg

from benchmarks.mutation.subject import normal, option, subject


def symmetric(index, tangent):
    """The tangents of symmetric matrices."""
    return (tangent + tangent.swapaxes(-1, -2)) / 2


def well(rng, n):
    """A well-conditioned matrix without symmetry."""
    return rng.standard_normal((n, n)) + 3 * np.eye(n)


def positive(rng, n):
    """A symmetric positive definite matrix."""
    a = rng.standard_normal((n, n + 2))
    return a @ a.T + 0.5 * np.eye(n)


def solve(a, b):
    return np.linalg.solve(a, b)


def solve_frule(primals, tangents):
    a, b = primals
    a_dot, b_dot = tangents
    x = np.linalg.solve(a, b)
    return x, np.linalg.solve(a, b_dot - a_dot @ x)


def solve_rrule(a, b):
    x = np.linalg.solve(a, b)

    def pullback(x_bar):
        b_bar = np.linalg.solve(a.T, x_bar)
        a_bar = -np.outer(b_bar, x) if b.ndim == 1 else -b_bar @ x.T
        return a_bar, b_bar

    return x, pullback


def inv(a):
    return np.linalg.inv(a)


def inv_pushforward(y, primals, tangents):
    (a_dot,) = tangents
    return -y @ a_dot @ y


def inv_pullback(y, primals, y_bar):
    yt = np.swapaxes(y, -1, -2)
    return (-yt @ y_bar @ yt,)


def det(a):
    return np.linalg.det(a)


def det_pushforward(y, primals, tangents):
    (a,), (a_dot,) = primals, tangents
    return y * np.trace(np.linalg.solve(a, a_dot))


def det_pullback(y, primals, y_bar):
    (a,) = primals
    return (y_bar * y * np.linalg.inv(a).T,)


def logdet(a):
    """The logarithm of |det a|."""
    return np.linalg.slogdet(a)[1]


def logdet_frule(primals, tangents):
    (a,), (a_dot,) = primals, tangents
    y = np.linalg.slogdet(a)[1]
    return y, np.sum(np.linalg.inv(a).T * a_dot)


def logdet_rrule(a):
    _sign, y = np.linalg.slogdet(a)
    inverse = np.linalg.inv(a)

    def pullback(y_bar):
        return (y_bar * inverse.T,)

    return y, pullback


def cholesky(a):
    return np.linalg.cholesky(a)


def cholesky_frule(primals, tangents):
    (a,), (a_dot,) = primals, tangents
    factor = np.linalg.cholesky(a)
    left = scipy.linalg.solve_triangular(factor, a_dot, lower=True)
    middle = scipy.linalg.solve_triangular(factor, left.T, lower=True).T
    phi = np.tril(middle, -1) + np.diag(np.diag(middle)) / 2
    return factor, factor @ phi


def cholesky_rrule(a):
    factor = np.linalg.cholesky(a)

    def pullback(factor_bar):
        p = np.tril(factor.T @ factor_bar)
        p = p - np.diag(np.diag(p)) / 2
        p = scipy.linalg.solve_triangular(factor, p, lower=True, trans="T")
        p = scipy.linalg.solve_triangular(factor, p.T, lower=True, trans="T").T
        return ((p + p.T) / 2,)

    return factor, pullback


def eigvalsh(a):
    return np.linalg.eigvalsh(a)


def eigvalsh_frule(primals, tangents):
    values, vectors = np.linalg.eigh(primals[0])
    return values, np.einsum("ki,kl,li->i", vectors, tangents[0], vectors)


def eigvalsh_rrule(a):
    values, vectors = np.linalg.eigh(a)

    def pullback(values_bar):
        return ((vectors * values_bar) @ vectors.T,)

    return values, pullback


def sqrtm(a):
    """The square root of a symmetric positive definite matrix."""
    values, vectors = np.linalg.eigh(a)
    return (vectors * np.sqrt(values)) @ vectors.T


def sqrtm_pushforward(y, primals, tangents):
    values, vectors = np.linalg.eigh(y)
    rotated = vectors.T @ tangents[0] @ vectors
    return vectors @ (rotated / (values[:, None] + values[None, :])) @ vectors.T


def sqrtm_pullback(y, primals, y_bar):
    values, vectors = np.linalg.eigh(y)
    rotated = vectors.T @ ((y_bar + y_bar.T) / 2) @ vectors
    return (vectors @ (rotated / np.add.outer(values, values)) @ vectors.T,)


def expm(a):
    return scipy.linalg.expm(a)


def expm_frule(primals, tangents):
    (a,), (a_dot,) = primals, tangents
    n = a.shape[0]
    block = np.block([[a, a_dot], [np.zeros_like(a), a]])
    big = scipy.linalg.expm(block)
    return scipy.linalg.expm(a), big[:n, n:]


def expm_rrule(a):
    y = scipy.linalg.expm(a)

    def pullback(y_bar):
        return (scipy.linalg.expm_frechet(a.T, y_bar, compute_expm=False),)

    return y, pullback


def lyapunov(a, q):
    """X with a X + X a' = q."""
    return scipy.linalg.solve_continuous_lyapunov(a, q)


def lyapunov_pushforward(x, primals, tangents):
    a, _q = primals
    a_dot, q_dot = tangents
    return scipy.linalg.solve_continuous_lyapunov(a, q_dot - a_dot @ x - x @ a_dot.T)


def lyapunov_pullback(x, primals, x_bar):
    a, _q = primals
    q_bar = scipy.linalg.solve_continuous_lyapunov(a.T, x_bar)
    a_bar = -(q_bar @ x.T + q_bar.T @ x)
    return a_bar, q_bar


def triangular(a, b, *, lower=True):
    """The solve with one triangle of a."""
    return scipy.linalg.solve_triangular(a, b, lower=lower)


def triangular_frule(primals, tangents, *, lower):
    a, b = primals
    a_dot, b_dot = tangents
    part = np.tril if lower else np.triu
    x = triangular(a, b, lower=lower)
    return x, triangular(a, b_dot - part(a_dot) @ x, lower=lower)


def triangular_rrule(a, b, *, lower):
    x = scipy.linalg.solve_triangular(a, b, lower=lower)

    def pullback(x_bar):
        b_bar = scipy.linalg.solve_triangular(a, x_bar, lower=lower, trans="T")
        full = -np.outer(b_bar, x)
        return (np.tril if lower else np.triu)(full), b_bar

    return x, pullback


def triangular_case(rng):
    return well(rng, 4), rng.standard_normal(4)


def lstsq(a, b):
    """The least-squares solution for a of full column rank."""
    return np.linalg.lstsq(a, b, rcond=None)[0]


def lstsq_frule(primals, tangents):
    a, b = primals
    a_dot, b_dot = tangents
    x = np.linalg.lstsq(a, b, rcond=None)[0]
    residual = b - a @ x
    return x, np.linalg.solve(a.T @ a, a.T @ (b_dot - a_dot @ x) + a_dot.T @ residual)


def lstsq_rrule(a, b):
    x = np.linalg.lstsq(a, b, rcond=None)[0]

    def pullback(x_bar):
        z = np.linalg.solve(a.T @ a, x_bar)
        b_bar = a @ z
        a_bar = np.outer(b - a @ x, z) - np.outer(b_bar, x)
        return a_bar, b_bar

    return x, pullback


def quadratic(a, x):
    """x' a x."""
    return x @ a @ x


def quadratic_pushforward(y, primals, tangents):
    a, x = primals
    a_dot, x_dot = tangents
    return x @ a_dot @ x + x_dot @ a @ x + x @ a @ x_dot


def quadratic_pullback(y, primals, y_bar):
    a, x = primals
    return y_bar * np.outer(x, x), y_bar * (a @ x + a.T @ x)


def bmm(a, b):
    """A batch of products."""
    return a @ b


def bmm_frule(primals, tangents):
    a, b = primals
    return a @ b, tangents[0] @ b + a @ tangents[1]


def bmm_rrule(a, b):
    def pullback(y_bar):
        a_bar = y_bar @ b.swapaxes(-1, -2)
        b_bar = np.einsum("nij,nik->njk", a, y_bar)
        return a_bar, b_bar

    return a @ b, pullback


def reflect(v, x):
    """x mirrored at the plane that v is normal to."""
    return x - 2 * v * (v @ x) / (v @ v)


def reflect_pushforward(y, primals, tangents):
    v, x = primals
    v_dot, x_dot = tangents
    s, q = v @ x, v @ v
    s_dot = v_dot @ x + v @ x_dot
    q_dot = 2 * (v @ v_dot)
    return x_dot - 2 * v_dot * s / q - 2 * v * s_dot / q + 2 * v * s * q_dot / q**2


def reflect_pullback(y, primals, y_bar):
    v, x = primals
    s, q = v @ x, v @ v
    vy = v @ y_bar
    v_bar = -2 * s / q * y_bar - 2 * vy / q * x + 4 * s * vy / q**2 * v
    x_bar = y_bar - 2 * vy / q * v
    return v_bar, x_bar


SUBJECTS = (
    subject(
        solve,
        frule=solve_frule,
        rrule=solve_rrule,
        cases=(lambda rng: (well(rng, 4), rng.standard_normal(4)), lambda rng: (well(rng, 3), rng.standard_normal((3, 2)))),
    ),
    subject(inv, pushforward=inv_pushforward, pullback=inv_pullback, cases=(lambda rng: (well(rng, 3),), lambda rng: (well(rng, 5),))),
    subject(det, pushforward=det_pushforward, pullback=det_pullback, cases=(lambda rng: (well(rng, 3),), lambda rng: (well(rng, 2),))),
    subject(logdet, frule=logdet_frule, rrule=logdet_rrule, cases=(lambda rng: (well(rng, 4),), lambda rng: (-well(rng, 3),))),
    subject(
        cholesky,
        frule=cholesky_frule,
        rrule=cholesky_rrule,
        cases=(lambda rng: (positive(rng, 4),), lambda rng: (positive(rng, 2),)),
        tangent_space=symmetric,
    ),
    subject(eigvalsh, frule=eigvalsh_frule, rrule=eigvalsh_rrule, cases=(lambda rng: (positive(rng, 4),),), tangent_space=symmetric),
    subject(
        sqrtm, pushforward=sqrtm_pushforward, pullback=sqrtm_pullback, cases=(lambda rng: (positive(rng, 3),),), tangent_space=symmetric
    ),
    subject(expm, frule=expm_frule, rrule=expm_rrule, cases=(normal((3, 3)), normal((4, 4), scale=0.3))),
    subject(
        lyapunov,
        pushforward=lyapunov_pushforward,
        pullback=lyapunov_pullback,
        cases=(lambda rng: (well(rng, 3), rng.standard_normal((3, 3))),),
    ),
    subject(
        triangular, frule=triangular_frule, rrule=triangular_rrule, cases=(triangular_case, option(triangular_case, lower=(True, False)))
    ),
    subject(lstsq, frule=lstsq_frule, rrule=lstsq_rrule, cases=(normal((6, 3), (6,)),)),
    subject(quadratic, pushforward=quadratic_pushforward, pullback=quadratic_pullback, cases=(normal((4, 4), (4,)),)),
    subject(bmm, frule=bmm_frule, rrule=bmm_rrule, cases=(normal((2, 3, 4), (2, 4, 5)),)),
    subject(reflect, pushforward=reflect_pushforward, pullback=reflect_pullback, cases=(normal((4,), (4,)),)),
)

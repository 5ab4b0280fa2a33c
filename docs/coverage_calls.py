"""The functions of the coverage table, in groups, each with the call that is tried on dual numbers.

In a call x, y and p are vectors (between 0.2 and 0.8; p above 1), a and b matrices (a square and regular), s a symmetric positive definite one,
c an array with three axes, z a complex vector, k indices and m a mask.  A group's template serves the names without a call of their own.
`into(f, out, ...)` gives what f writes into out; `dense(...)` the elements of a sparse array.
"""

# ruff: noqa: E501  # lines of the page and of calls

from __future__ import annotations

__all__ = ["CALLS", "TITLES"]

TITLES = {
    "A": "Elementwise, one argument",
    "B": "Elementwise, several arguments",
    "C": "Piecewise constant, comparisons and indices",
    "D": "Construction and shape",
    "E": "Indexing",
    "F": "Reductions and statistics",
    "G": "Sorting and order",
    "H": "Products",
    "I": "numpy.linalg",
    "I'": "scipy.linalg",
    "J": "Structured matrices",
    "K": "BLAS and LAPACK",
    "L": "Sparse",
    "M": "Fourier transforms",
    "N": "Special functions",
    "O": "Polynomials and interpolation",
}

_NP = "np.{}(x)"
_TWO = "np.{}(x, y)"
_FFT1 = "np.fft.{}(x)"

_TABLE = {
    "A": [
        (
            _NP,
            "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh:np.arccosh(p) arctanh exp exp2 expm1 log log2 log10 log1p sqrt"
            " cbrt square reciprocal negative positive absolute fabs deg2rad rad2deg degrees radians sinc conjugate:np.conjugate(z)"
            " real:np.real(z) imag:np.imag(z) angle:np.angle(z)",
        ),
        ("special.{}(x)", "exp10 sindg cosdg tandg cotdg cosm1 expit logit"),
    ],
    "B": [
        (
            _TWO,
            "add subtract multiply divide power float_power hypot arctan2 fmod remainder maximum minimum fmax fmin copysign"
            " ldexp:np.ldexp(x, k) logaddexp logaddexp2 clip:np.clip(x, 0.3, y) where:np.where(m, x, y)",
        ),
        ("special.{}(x, y)", "xlogy xlog1py"),
    ],
    "C": [
        (
            _NP,
            "floor ceil rint round trunc fix sign signbit heaviside:np.heaviside(x, 0.5) floor_divide:np.floor_divide(x, y) isnan isfinite"
            " isinf equal:np.equal(x, y) not_equal:np.not_equal(x, y) less:np.less(x, y) less_equal:np.less_equal(x, y)"
            " greater:np.greater(x, y) greater_equal:np.greater_equal(x, y) logical_and:np.logical_and(x, y) logical_or:np.logical_or(x, y)"
            " logical_not argmax argmin argsort searchsorted:np.searchsorted(np.sort(x), y) nonzero count_nonzero shape size ndim zeros_like"
            " ones_like isclose:np.isclose(x, y) allclose:np.allclose(x, y) all any",
        ),
    ],
    "D": [
        (
            _NP,
            "reshape:np.reshape(b, (4, 3)) ravel:np.ravel(b) transpose:np.transpose(b) permute_dims:np.permute_dims(c, (2, 0, 1))"
            " matrix_transpose:np.matrix_transpose(c) swapaxes:np.swapaxes(c, 0, 2) moveaxis:np.moveaxis(c, 0, -1)"
            " rollaxis:np.rollaxis(c, 2) squeeze:np.squeeze(b[:, None]) expand_dims:np.expand_dims(b, 1)"
            " concatenate:np.concatenate([x, y]) stack:np.stack([x, y]) vstack:np.vstack([x, b]) hstack:np.hstack([a, b])"
            " dstack:np.dstack([b, b]) column_stack:np.column_stack([x, y]) block:np.block([[x, y]]) append:np.append(x, y)"
            " split:np.split(x, 2) array_split:np.array_split(b, 2, 1) hsplit:np.hsplit(b, 2) vsplit:np.vsplit(b, 3) tile:np.tile(x, 2)"
            " repeat:np.repeat(b, 2, 1) flip:np.flip(b) fliplr:np.fliplr(b) flipud:np.flipud(b) rot90:np.rot90(b) roll:np.roll(b, 1, 0)"
            " pad:np.pad(x, 2) full:np.full((2, 2), x[0], like=x) full_like:np.full_like(b, x[0]) broadcast_to:np.broadcast_to(x, (3, 4))"
            " broadcast_arrays:np.broadcast_arrays(b, x) copy copyto:into(np.copyto, 0 * x, y) atleast_1d atleast_2d atleast_3d"
            " asarray:np.asarray([x, y], like=x) array:np.array([x, y], like=x)",
        ),
    ],
    "E": [
        (
            _NP,
            "take:np.take(x, k) take_along_axis:np.take_along_axis(x, k, 0) put_along_axis:into(np.put_along_axis, x * 1, k[:2], y[:2], 0)"
            " compress:np.compress(m, x) extract:np.extract(m, x) diagonal:np.diagonal(a) choose:np.choose(k % 2, [x, y])"
            " select:np.select([m, ~m], [x, y]) delete:np.delete(x, 1) insert:np.insert(x, 1, y[0])",
        ),
    ],
    "F": [
        (
            "np.{}(b)",
            "sum nansum mean average:np.average(x, weights=y) prod cumsum cumprod cumulative_sum:np.cumulative_sum(x)"
            " cumulative_prod:np.cumulative_prod(x) max min amax amin ptp var std trace diff gradient:np.gradient(x) ediff1d"
            " trapezoid:np.trapezoid(x, p) median",
        ),
        ("special.{}(x)", "logsumexp softmax log_softmax"),
    ],
    "G": [(_NP, "sort partition:np.partition(x, 1) unique percentile:np.percentile(b, 30) quantile:np.quantile(b, 0.3, axis=0)")],
    "H": [
        (
            "np.{}(x, y)",
            "dot vdot inner outer matmul:np.matmul(a, b) vecdot matvec:np.matvec(b, x) vecmat:np.vecmat(x[:3], b)"
            " tensordot:np.tensordot(a, b, 1) einsum:np.einsum('ij,j', b, x) kron cross:np.cross(x[:3], y[:3]) convolve correlate",
        ),
        ("np.linalg.{}(a)", "multi_dot:np.linalg.multi_dot([a, a, b]) matrix_power:np.linalg.matrix_power(a, 3)"),
    ],
    "I": [
        (
            "np.linalg.{}(a)",
            "inv pinv:np.linalg.pinv(b) det slogdet solve:np.linalg.solve(a, b) lstsq:np.linalg.lstsq(b.T, x)[0] norm:np.linalg.norm(b)"
            " vector_norm:np.linalg.vector_norm(b) matrix_norm:np.linalg.matrix_norm(b, ord='nuc') cond eig eigvals eigh:"
            "np.linalg.eigh(s) eigvalsh:np.linalg.eigvalsh(s) svd:np.linalg.svd(b, full_matrices=False) svdvals:np.linalg.svdvals(b) qr"
            " cholesky:np.linalg.cholesky(s) tensorinv:np.linalg.tensorinv(a[:, :, None], ind=1)"
            " tensorsolve:np.linalg.tensorsolve(a[:, :, None], x[:3])",
        ),
    ],
    "I'": [
        (
            "linalg.{}(a)",
            "inv det solve:linalg.solve(a, b) solve_triangular:linalg.solve_triangular(a, b, lower=True)"
            " solve_banded:linalg.solve_banded((1, 1), a + 2 * np.eye(3), x[:3]) solveh_banded:linalg.solveh_banded(bands, x[:3]) lu lu_factor"
            " lu_solve:linalg.lu_solve(linalg.lu_factor(a), x[:3]) cholesky:linalg.cholesky(s) cho_factor:linalg.cho_factor(s)[0]"
            " cho_solve:linalg.cho_solve(linalg.cho_factor(s), x[:3]) ldl:linalg.ldl(s)[:2] qr schur"
            " hessenberg:linalg.hessenberg(a) polar svd:linalg.svd(b, full_matrices=False) svdvals:linalg.svdvals(b) eig:linalg.eig(a)[0]"
            " eigvals eigh:np.abs(linalg.eigh(s)[1]) eigvalsh:linalg.eigvalsh(s) pinv:linalg.pinv(b) lstsq:linalg.lstsq(b.T, x)[0] expm"
            " expm_frechet:linalg.expm_frechet(a, s) logm sqrtm sinm cosm tanm sinhm coshm tanhm signm funm:linalg.funm(a, np.exp)"
            " fractional_matrix_power:linalg.fractional_matrix_power(a, 0.3) solve_sylvester:linalg.solve_sylvester(a, s, s)"
            " solve_continuous_lyapunov:linalg.solve_continuous_lyapunov(a, s)"
            " solve_discrete_lyapunov:linalg.solve_discrete_lyapunov(a / 4, s)"
            " solve_continuous_are:linalg.solve_continuous_are(a, s, s, s) solve_discrete_are:linalg.solve_discrete_are(a, s, s, s)",
        ),
    ],
    "J": [
        (
            "np.{}(a)",
            "diag diagflat:np.diagflat(x) diagonal:np.diagonal(c, 0, 1, 2) tril triu fill_diagonal:into(np.fill_diagonal, a * 1, x[0])"
            " eye:np.eye(3)",
        ),
        (
            "linalg.{}(x)",
            "block_diag:linalg.block_diag(a, b) toeplitz circulant hankel solve_toeplitz:linalg.solve_toeplitz(x[:3] + np.eye(3)[0] * 4, y[:3])",
        ),
    ],
    "K": [
        (
            "linalg.blas.{}(x, y)",
            "ddot dnrm2:linalg.blas.dnrm2(x) dasum:linalg.blas.dasum(x) dgemv:linalg.blas.dgemv(1.0, b, x) dgemm:linalg.blas.dgemm(1.0, a, b)"
            " dsymm:linalg.blas.dsymm(1.0, s, b) dsyrk:linalg.blas.dsyrk(1.0, b) dtrsm:linalg.blas.dtrsm(1.0, a, b)"
            " zdotc:linalg.blas.zdotc(z, z) dznrm2:linalg.blas.dznrm2(z)",
        ),
        (
            "linalg.lapack.{}(a)",
            "dtrsyl:linalg.lapack.dtrsyl(np.triu(a), np.triu(s), a)[0] dgetrf:linalg.lapack.dgetrf(a)[0] dpotrf:linalg.lapack.dpotrf(s)[0]",
        ),
    ],
    "L": [
        (
            "dense(sparse.{}(a))",
            "csr_array csc_array coo_array bsr_array dia_array diags_array:dense(sparse.diags_array(x)) find:sparse.find(sparse.csr_array(a))[2]"
            " block_array:dense(sparse.block_array([[sparse.csr_array(a), None], [None, sparse.csr_array(s)]]))"
            " hstack:dense(sparse.hstack([sparse.csr_array(a), sparse.csr_array(s)]))"
            " vstack:dense(sparse.vstack([sparse.csr_array(a), sparse.csr_array(s)]))"
            " kron:dense(sparse.kron(sparse.csr_array(a), sparse.csr_array(s)))",
        ),
        (
            "sparse.linalg.{}(sparse.csc_array(a), x[:3])",
            "spsolve splu:sparse.linalg.splu(sparse.csc_array(a)).solve(x[:3]) factorized:sparse.linalg.factorized(sparse.csc_array(a))(x[:3])"
            " cg:sparse.linalg.cg(sparse.csc_array(s), x[:3], rtol=1e-14)[0] gmres:sparse.linalg.gmres(sparse.csc_array(a), x[:3], rtol=1e-14)[0]"
            " bicgstab:sparse.linalg.bicgstab(sparse.csc_array(a), x[:3], rtol=1e-14)[0]"
            " lsqr:sparse.linalg.lsqr(sparse.csc_array(a), x[:3], atol=1e-14, btol=1e-14)[0]"
            " lsmr:sparse.linalg.lsmr(sparse.csc_array(a), x[:3], atol=1e-14, btol=1e-14)[0]"
            " eigsh:sparse.linalg.eigsh(sparse.csc_array(s), 1)[0] svds:sparse.linalg.svds(sparse.csc_array(a), 1)[1]"
            " expm_multiply:sparse.linalg.expm_multiply(sparse.csc_array(a), x[:3])",
        ),
    ],
    "M": [
        (
            _FFT1,
            "fft ifft rfft irfft hfft ihfft fft2:np.fft.fft2(b) ifft2:np.fft.ifft2(b) rfft2:np.fft.rfft2(b) irfft2:np.fft.irfft2(b)"
            " fftn:np.fft.fftn(b) ifftn:np.fft.ifftn(b) rfftn:np.fft.rfftn(b) irfftn:np.fft.irfftn(b) fftshift ifftshift",
        ),
        ("fft.{}(x)", "dct idct dst idst dctn:fft.dctn(b) idctn:fft.idctn(b) dstn:fft.dstn(b) idstn:fft.idstn(b)"),
    ],
    "N": [
        (
            "special.{}(x)",
            "airy airye iv:special.iv(y, x) ive:special.ive(1, x) jv:special.jv(y, x) jve:special.jve(1, x) kv:special.kv(y, x)"
            " kve:special.kve(1, x) yv:special.yv(y, x) yve:special.yve(1, x) i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e y0 y1"
            " hankel1:special.hankel1(1, x) hankel1e:special.hankel1e(1, x) hankel2:special.hankel2(1, x) hankel2e:special.hankel2e(1, x)"
            " beta:special.beta(x, y) betaln:special.betaln(x, y) sici dawsn:special.dawsn(x) digamma psi ellipe ellipk ellipkm1 erf erfc"
            " erfcinv erfcx erfi erfinv exp1 expi expn:special.expn(2, x) gamma gammainc:special.gammainc(y, x)"
            " gammaincc:special.gammaincc(y, x) gammaln loggamma polygamma:special.polygamma(1, x) zeta:special.zeta(2.5, x) log_ndtr ndtr"
            " ndtri rgamma shichi entr rel_entr:special.rel_entr(x, y) kl_div:special.kl_div(x, y) spherical_jn:special.spherical_jn(1, x)"
            " lambertw",
        ),
    ],
    "O": [
        (
            "np.{}(x)",
            "polyval:np.polyval(x, y) vander interp:np.interp(x, np.linspace(0, 1, 3), y[:3])"
            " polynomial.polynomial.polyval:np.polynomial.polynomial.polyval(x, y)",
        ),
    ],
}


def _entries(template: str, names: str) -> list[tuple[str, str]]:
    """(name, call) of a line of the table: a name is a word, its call follows a colon up to the bracket that closes it."""
    found: list[tuple[str, str]] = []
    rest = names
    while rest:
        word, _, rest = rest.partition(" ")
        name, colon, call = word.partition(":")
        while colon and (not call or _open(call)):
            more, _, rest = rest.partition(" ")
            call += (" " if call else "") + more
        found.append((name, call if colon else template.format(name)))
    return found


def _open(call: str) -> bool:
    return any(call.count(left) != call.count(right) for left, right in ("()", "[]"))


CALLS = {group: [entry for template, names in lines for entry in _entries(template, names)] for group, lines in _TABLE.items()}

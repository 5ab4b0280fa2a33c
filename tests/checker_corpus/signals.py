"""Fourier transforms, convolutions, interpolation: linear maps with adjoints that are easy to get almost right."""

import numpy as np

import rulebook as rb
from tests.checker_corpus.model import Family


def draw(rng, n):
    return rng.standard_normal(n) + 1j * rng.standard_normal(n)


# complex transform with its norms


def fft(z, *, norm="backward"):
    return np.fft.fft(z, norm=norm)


ADJOINT = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def fft_pull(y, p, c, *, norm):
    return (np.fft.ifft(c, norm=ADJOINT[norm]),)


def fft_cases(rng):
    return rb.case(draw(rng, int(rng.integers(1, 9))), norm=["backward", "ortho", "forward"][rng.integers(3)])


ffts = Family(
    "fft", "three norms", f=fft, cases=fft_cases, pushforward=lambda y, p, t, *, norm: np.fft.fft(t[0], norm=norm), pullback=fft_pull
)
ffts.wrong("forth", "conj", "fft again: no conjugate", pullback=lambda y, p, c, *, norm: (np.fft.fft(c, norm=norm),))
ffts.wrong("norm", "static", "as if the norm were the default", pullback=lambda y, p, c, *, norm: (np.fft.ifft(c, norm="forward"),))
ffts.wrong("inverse", "factor", "the inverse is not the adjoint", pullback=lambda y, p, c, *, norm: (np.fft.ifft(c, norm=norm),))
ffts.wrong("real_tangent", "dropped term", pushforward=lambda y, p, t, *, norm: np.fft.fft(t[0].real, norm=norm))

# real transform: odd and even lengths


def rfft(x):
    return np.fft.rfft(x)


def rfft_pull(y, p, c):
    n = p[0].size
    full = np.zeros(n, complex)
    full[: c.size] = c
    return (np.real(np.fft.fft(np.conj(full))),)


def rfft_pull_by_irfft(y, p, c):
    n = p[0].size
    half = c.copy()
    half[1 : (n + 1) // 2] /= 2
    return (np.fft.irfft(half, n=n) * n,)


rffts = Family(
    "rfft",
    "real in, half a spectrum out, odd and even lengths",
    f=rfft,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 10))),),
    pushforward=lambda y, p, t: np.fft.rfft(t[0]),
    pullback=rfft_pull,
)
rffts.right("by_irfft", "the inverse, with halved inner frequencies", pullback=rfft_pull_by_irfft)
rffts.wrong("irfft", "factor", "inner frequencies not halved", pullback=lambda y, p, c: (np.fft.irfft(c, n=p[0].size) * p[0].size,))
rffts.wrong(
    "even_only",
    "wrong branch",
    "wrong for even lengths",
    pullback=lambda y, p, c: ((lambda h: np.fft.irfft(h, n=p[0].size) * p[0].size)(np.append(c[:1], c[1:] / 2)),),
)
rffts.wrong(
    "length",
    "shape",
    "even length always",
    pullback=lambda y, p, c: ((lambda h: np.fft.irfft(h, n=max(2 * (c.size - 1), 1)) * p[0].size)(np.append(c[:1], c[1:] / 2)),),
)
rffts.wrong("not_conj", "conj", pullback=lambda y, p, c: (np.real(np.fft.fft(np.append(c, np.zeros(p[0].size - c.size)))),))


def irfft(z, *, n=6):
    return np.fft.irfft(z, n=n)


def irfft_pull(y, p, c, *, n):
    z_bar = np.fft.rfft(c) / n
    z_bar[1 : (n + 1) // 2] *= 2
    return (z_bar,)


irffts = Family(
    "irfft",
    "the imaginary parts at the ends do not count",
    f=irfft,
    cases=lambda rng: (lambda n: rb.case(draw(rng, n // 2 + 1), n=n))(int(rng.integers(2, 9))),
    pushforward=lambda y, p, t, *, n: np.fft.irfft(t[0], n=n),
    pullback=irfft_pull,
)
irffts.wrong("not_doubled", "factor", pullback=lambda y, p, c, *, n: (np.fft.rfft(c) / n,))
irffts.wrong("all_doubled", "one element", "the ends doubled too", pullback=lambda y, p, c, *, n: (2 * np.fft.rfft(c) / n,))
irffts.wrong(
    "default_n",
    "static",
    "n is taken to be even",
    pullback=lambda y, p, c, *, n: ((lambda z: np.concatenate((z[:1], 2 * z[1:-1], z[-1:])) / n)(np.fft.rfft(c)),),
)
irffts.wrong("conj", "conj", pullback=lambda y, p, c, *, n: (np.conj(irfft_pull(y, p, c, n=n)[0]),))

# convolution with its modes


def convolve(a, k, *, mode="full"):
    return np.convolve(a, k, mode)


def widen(c, a, k, mode):
    full = np.zeros(a.size + k.size - 1)
    start = {"full": 0, "same": (min(a.size, k.size) - 1) // 2, "valid": min(a.size, k.size) - 1}[mode]
    full[start : start + c.size] = c
    return full


def convolve_pull(y, p, c, *, mode):
    full = widen(c, *p, mode)
    return np.correlate(full, p[1], "valid"), np.correlate(full, p[0], "valid")


def convolve_cases(rng):
    return rb.case(
        rng.standard_normal(int(rng.integers(3, 7))),
        rng.standard_normal(int(rng.integers(1, 4))),
        mode=["full", "same", "valid"][rng.integers(3)],
    )


convs = Family(
    "convolve",
    "three modes; lengths odd and even",
    f=convolve,
    cases=convolve_cases,
    pushforward=lambda y, p, t, *, mode: np.convolve(t[0], p[1], mode) + np.convolve(p[0], t[1], mode),
    pullback=convolve_pull,
)
convs.wrong(
    "not_flipped",
    "transpose",
    pullback=lambda y, p, c, *, mode: (np.convolve(widen(c, *p, mode), p[1], "valid"), convolve_pull(y, p, c, mode=mode)[1]),
)
convs.wrong(
    "same_off",
    "one element",
    "mode 'same' starts one too late for even kernels",
    pullback=lambda y, p, c, *, mode: (lambda full: (np.correlate(full, p[1], "valid"), np.correlate(full, p[0], "valid")))(
        np.roll(widen(c, *p, mode), mode == "same" and p[1].size % 2 == 0)
    ),
)
convs.wrong("kernel_held", "missing cotangent", pullback=lambda y, p, c, *, mode: (convolve_pull(y, p, c, mode=mode)[0], rb.ZeroTangent()))
convs.wrong(
    "full_only", "shape", "the mode is ignored", pushforward=lambda y, p, t, *, mode: np.convolve(t[0], p[1]) + np.convolve(p[0], t[1])
)
convs.wrong("kernel_forward", "dropped term", pushforward=lambda y, p, t, *, mode: np.convolve(t[0], p[1], mode))

# linear interpolation in a table


def interpolate(x, grid, values):
    return np.interp(x, grid, values)


def cells(x, grid):
    i = np.clip(np.searchsorted(grid, x) - 1, 0, grid.size - 2)
    w = (x - grid[i]) / (grid[i + 1] - grid[i])
    return i, np.clip(w, 0, 1), (w > 0) & (w < 1)


def interp_push(y, p, t):
    x, grid, values = p
    i, w, inside = cells(x, grid)
    slope = np.where(inside, (values[i + 1] - values[i]) / (grid[i + 1] - grid[i]), 0.0)
    return slope * (t[0] - (1 - w) * t[1][i] - w * t[1][i + 1]) + (1 - w) * t[2][i] + w * t[2][i + 1]


def interp_pull(y, p, c, add=np.add.at):
    x, grid, values = p
    i, w, inside = cells(x, grid)
    slope = np.where(inside, (values[i + 1] - values[i]) / (grid[i + 1] - grid[i]), 0.0)
    grid_bar, values_bar = np.zeros_like(grid), np.zeros_like(values)
    for k, weight in ((i, 1 - w), (i + 1, w)):
        add(grid_bar, k, -slope * weight * c)
        add(values_bar, k, weight * c)
    return slope * c, grid_bar, values_bar


def table_cases(rng):
    grid = np.cumsum(rng.uniform(0.2, 1.0, 5))
    return rng.uniform(grid[0] - 0.5, grid[-1] + 0.5, 6), grid, rng.standard_normal(5)


def add_once(out, k, v):
    out[k] += v


tables = Family(
    "interp", "nodes, values and points; constant outside", f=interpolate, cases=table_cases, pushforward=interp_push, pullback=interp_pull
)
tables.wrong("once", "accumulates", "points in one cell count once", pullback=lambda y, p, c: interp_pull(y, p, c, add_once))
tables.wrong(
    "extrapolates",
    "wrong branch",
    "slopes outside the table",
    pullback=lambda y, p, c: (
        (lambda i: (p[2][i + 1] - p[2][i]) / (p[1][i + 1] - p[1][i]) * c)(cells(p[0], p[1])[0]),
        *interp_pull(y, p, c)[1:],
    ),
)
tables.wrong("nodes_held", "missing cotangent", pullback=lambda y, p, c: (interp_pull(y, p, c)[0], None, interp_pull(y, p, c)[2]))
tables.wrong(
    "weights_swapped",
    "swapped",
    pushforward=lambda y, p, t: (lambda i, w, inside: interp_push(y, p, (t[0], t[1], 0 * t[2])) + w * t[2][i] + (1 - w) * t[2][i + 1])(
        *cells(p[0], p[1])
    ),
)
tables.wrong("sign_of_nodes", "sign", pullback=lambda y, p, c: (interp_pull(y, p, c)[0], -interp_pull(y, p, c)[1], interp_pull(y, p, c)[2]))

# power spectrum of a real signal


def spectrum(x):
    return np.abs(np.fft.rfft(x)) ** 2


powers = Family(
    "spectrum",
    "real to real through complex numbers",
    f=spectrum,
    cases=lambda rng: (rng.standard_normal(int(rng.integers(1, 8))),),
    frule=lambda p, t: (spectrum(p[0]), 2 * np.real(np.conj(np.fft.rfft(p[0])) * np.fft.rfft(t[0]))),
    rrule=lambda x: (spectrum(x), lambda c: rfft_pull(None, (x,), 2 * np.fft.rfft(x) * c)),
)
powers.wrong("conj", "conj", rrule=lambda x: (spectrum(x), lambda c: rfft_pull(None, (x,), 2 * np.conj(np.fft.rfft(x)) * c)))
powers.wrong("no_two", "factor", rrule=lambda x: (spectrum(x), lambda c: rfft_pull(None, (x,), np.fft.rfft(x) * c)))
powers.wrong("complex_result", "dtype", frule=lambda p, t: (spectrum(p[0]), 2 * np.conj(np.fft.rfft(p[0])) * np.fft.rfft(t[0])))
powers.wrong(
    "modulus",
    "power",
    "the slope of the modulus",
    frule=lambda p, t: (spectrum(p[0]), np.real(np.conj(np.fft.rfft(p[0])) * np.fft.rfft(t[0])) / np.abs(np.fft.rfft(p[0]))),
)

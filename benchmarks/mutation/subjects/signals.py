"""Fourier transforms and functions of complex numbers."""

import numpy as np

import rulebook as rb
from benchmarks.mutation.subject import normal, option, subject


def complex_normal(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def fft(x, *, inverse=False):
    return np.fft.ifft(x) if inverse else np.fft.fft(x)


def fft_frule(primals, tangents, *, inverse):
    return fft(primals[0], inverse=inverse), fft(tangents[0], inverse=inverse)


def fft_rrule(x, *, inverse):
    n = x.shape[-1]

    def pullback(y_bar):
        if inverse:
            return (np.fft.fft(y_bar) / n,)
        return (np.fft.ifft(y_bar) * n,)

    return fft(x, inverse=inverse), pullback


def fft_case(rng):
    return (complex_normal(rng, 5),)


def power_spectrum(x):
    return np.abs(np.fft.rfft(x)) ** 2


def power_spectrum_pushforward(y, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return 2 * np.real(np.conj(np.fft.rfft(x)) * np.fft.rfft(x_dot))


def power_spectrum_pullback(y, primals, y_bar):
    (x,) = primals
    full = np.zeros(x.shape, complex)
    full[: len(y)] = 2 * y_bar * np.fft.rfft(x)
    return (np.real(np.fft.ifft(full)) * len(x),)


def circular(x, kernel):
    """The circular convolution of real arrays."""
    return np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(kernel), n=x.shape[-1])


def circular_frule(primals, tangents):
    x, kernel = primals
    x_dot, kernel_dot = tangents
    return circular(x, kernel), circular(x_dot, kernel) + circular(x, kernel_dot)


def circular_rrule(x, kernel):
    x_hat, kernel_hat = np.fft.rfft(x), np.fft.rfft(kernel)
    n = x.shape[-1]

    def pullback(y_bar):
        y_hat = np.fft.rfft(y_bar)
        x_bar = np.fft.irfft(y_hat * np.conj(kernel_hat), n=n)
        kernel_bar = np.fft.irfft(y_hat * x_hat.conj(), n=n)
        return x_bar, kernel_bar

    return np.fft.irfft(x_hat * kernel_hat, n=n), pullback


def modulus(z):
    return np.abs(z)


def modulus_pushforward(y, primals, tangents):
    return np.real(np.conj(primals[0]) * tangents[0]) / y


def modulus_pullback(y, primals, y_bar):
    (z,) = primals
    return (y_bar * z / y,)


def phase(z):
    return np.angle(z)


def phase_frule(primals, tangents):
    (z,), (z_dot,) = primals, tangents
    return np.angle(z), np.imag(np.conj(z) * z_dot) / np.abs(z) ** 2


def phase_rrule(z):
    def pullback(y_bar):
        return (1j * z * y_bar / (z.real**2 + z.imag**2),)

    return np.angle(z), pullback


def polar(r, angle):
    """r exp(i angle)."""
    return r * np.exp(1j * angle)


def polar_frule(primals, tangents):
    r, angle = primals
    turn = np.exp(1j * angle)
    return r * turn, turn * tangents[0] + 1j * r * turn * tangents[1]


def polar_rrule(r, angle):
    turn = np.exp(1j * angle)
    y = r * turn

    def pullback(y_bar):
        r_bar = np.real(np.conj(turn) * y_bar)
        angle_bar = np.real(np.conj(1j * y) * y_bar)
        return rb.project(r, r_bar), rb.project(angle, angle_bar)

    return y, pullback


def moebius(a, z):
    """(z - a) / (1 - conj(a) z)."""
    return (z - a) / (1 - np.conj(a) * z)


def moebius_pushforward(y, primals, tangents):
    a, z = primals
    a_dot, z_dot = tangents
    below = 1 - np.conj(a) * z
    below_dot = -np.conj(a_dot) * z - np.conj(a) * z_dot
    return (z_dot - a_dot - y * below_dot) / below


def moebius_pullback(y, primals, y_bar):
    a, z = primals
    below = 1 - np.conj(a) * z
    top_bar = y_bar / np.conj(below)
    below_bar = -np.conj(y) * top_bar
    z_bar = top_bar - a * below_bar
    a_bar = -top_bar - z * np.conj(below_bar)
    return a_bar, z_bar


def moebius_case(rng):
    return 0.3 * complex_normal(rng, 4), 0.3 * complex_normal(rng, 4)


def complex_solve(a, b):
    return np.linalg.solve(a, b)


def complex_solve_frule(primals, tangents):
    a, b = primals
    x = np.linalg.solve(a, b)
    return x, np.linalg.solve(a, tangents[1] - tangents[0] @ x)


def complex_solve_rrule(a, b):
    x = np.linalg.solve(a, b)

    def pullback(x_bar):
        b_bar = np.linalg.solve(a.conj().T, x_bar)
        return -np.outer(b_bar, x.conj()), b_bar

    return x, pullback


def complex_solve_case(rng):
    return complex_normal(rng, 3, 3) + 3 * np.eye(3), complex_normal(rng, 3)


def energy(h, psi):
    """The expectation value of a Hermitian matrix."""
    return np.real(np.vdot(psi, h @ psi)) / np.real(np.vdot(psi, psi))


def energy_pushforward(y, primals, tangents):
    h, psi = primals
    h_dot, psi_dot = tangents
    norm = np.real(np.vdot(psi, psi))
    top = np.real(np.vdot(psi, h_dot @ psi)) + 2 * np.real(np.vdot(h @ psi, psi_dot))
    return (top - 2 * y * np.real(np.vdot(psi, psi_dot))) / norm


def energy_pullback(y, primals, y_bar):
    h, psi = primals
    norm = np.real(np.vdot(psi, psi))
    h_bar = y_bar / norm * np.outer(psi, psi.conj())
    psi_bar = 2 * y_bar / norm * (h @ psi - y * psi)
    return h_bar, psi_bar


def hermitian(index, tangent):
    return (tangent + tangent.conj().T) / 2 if index == 0 else tangent


def energy_case(rng):
    h = complex_normal(rng, 3, 3)
    return h + h.conj().T, complex_normal(rng, 3)


def low_pass(image, *, cut=1):
    """Without the frequencies above a cut along each axis."""
    hat = np.fft.fft2(image)
    keep = [np.abs(np.fft.fftfreq(n) * n) <= cut for n in image.shape]
    return np.real(np.fft.ifft2(hat * np.outer(*keep)))


def low_pass_pushforward(y, primals, tangents, *, cut):
    return low_pass(tangents[0], cut=cut)


def low_pass_pullback(y, primals, y_bar, *, cut):
    hat = np.fft.ifft2(y_bar)
    keep = [np.abs(np.fft.fftfreq(n) * n) <= cut for n in y_bar.shape]
    return (np.real(np.fft.fft2(hat * np.outer(*keep))),)


SUBJECTS = (
    subject(fft, frule=fft_frule, rrule=fft_rrule, cases=(fft_case, option(fft_case, inverse=(True, False)))),
    subject(
        power_spectrum,
        pushforward=power_spectrum_pushforward,
        pullback=power_spectrum_pullback,
        cases=(normal((6,)), normal((5,))),
    ),
    subject(circular, frule=circular_frule, rrule=circular_rrule, cases=(normal((5,), (5,)), normal((6,), (6,)))),
    subject(
        modulus, pushforward=modulus_pushforward, pullback=modulus_pullback, cases=(fft_case, lambda rng: (complex_normal(rng, 2, 2),))
    ),
    subject(phase, frule=phase_frule, rrule=phase_rrule, cases=(fft_case,)),
    subject(polar, frule=polar_frule, rrule=polar_rrule, cases=(normal((4,), (4,)), normal((), (3,)))),
    subject(moebius, pushforward=moebius_pushforward, pullback=moebius_pullback, cases=(moebius_case,)),
    subject(complex_solve, frule=complex_solve_frule, rrule=complex_solve_rrule, cases=(complex_solve_case,)),
    subject(energy, pushforward=energy_pushforward, pullback=energy_pullback, cases=(energy_case,), tangent_space=hermitian),
    subject(
        low_pass,
        pushforward=low_pass_pushforward,
        pullback=low_pass_pullback,
        cases=(normal((4, 5)), option(normal((5, 6)), cut=(0, 1, 2))),
    ),
)

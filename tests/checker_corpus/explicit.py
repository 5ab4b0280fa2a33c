"""Families at explicit cases, one to four each; some bugs show only where signs, sizes, magnitudes or options are varied."""

import numpy as np

import rulebook as rb
from tests.checker_corpus import (
    arrays,
    batches,
    broadcasting,
    calls,
    complex_numbers,
    edges,
    elementwise,
    honesty,
    iterative,
    layers,
    linear_algebra,
    memory,
    numerics,
    precision,
    scales,
    signals,
    structures,
)

V = np.array([0.5, -1.25, 2.0])
POSITIVE = np.array([0.75, 1.5, 3.0])
M = np.array([[1.0, -0.5], [2.0, 3.0]])
S = np.array([[2.0, 0.5], [0.5, 1.0]])
Z = np.array([1.0 + 2.0j, -0.5 + 0.25j])


def at(*points):
    return {"cases": list(points)}


signed = elementwise.signed.twin(
    "signed_square_explicit", **at(rb.case(POSITIVE)), without="forward_only reverse_only", unseen="no_abs_forward no_abs_reverse"
)

soft = elementwise.soft.twin(
    "softplus_explicit", **at(rb.case(V), rb.case(np.array([0.1, 30.0]), beta=2.0)), unseen="overflow", vary=elementwise.soft.parts["cases"]
)
logs = elementwise.logs.twin(
    "log_abs_explicit",
    **at(rb.case(POSITIVE), rb.case(0.125)),
    unseen="abs_in_slope guarded_forward clipped",
    vary=elementwise.logs.parts["cases"],
)
arcs = elementwise.arcs.twin("arcsin_explicit", **at(rb.case(np.array([0.25, -0.5, 0.9]))))
leak = elementwise.leak.twin("leaky_relu_explicit", **at(rb.case(V), rb.case(V, slope=0.3)))
clips = elementwise.clips.twin("clip_explicit", **at(rb.case(V, np.float64(-1.0), np.float64(1.0))))
sincs = elementwise.sincs.twin("sinc_explicit", **at(rb.case(np.array([0.0, 0.05, 1.0]))))
steps = elementwise.steps.twin("stairs_explicit", **at(rb.case(V)))
product = broadcasting.product.twin(
    "times_explicit", **at(rb.case(M, V[:2]), rb.case(V, V[::-1].copy())), unseen="size_one_axes", vary=broadcasting.product.parts["cases"]
)
rows = broadcasting.rows.twin("add_row_explicit", **at(rb.case(M, V[:2])))
lse = broadcasting.lse.twin(
    "logsumexp_explicit",
    **at(rb.case(M), rb.case(M, axis=0, keepdims=True)),
    without="forward_only hard",
    unseen="naive_exp",
    vary=broadcasting.lse.parts["cases"],
)
probs = broadcasting.probs.twin("softmax_explicit", **at(rb.case(M), rb.case(M, axis=0)))
solves = linear_algebra.solves.twin("solve_explicit", **at(rb.case(M, V[:2]), rb.case(M, S)), without="reverse_only forward_only")
hilberts = linear_algebra.hilberts.twin("hilbert_solve_explicit", **at(rb.case(np.array([1.0, -2.0, 0.5, 3.0]), n=4)))
dets = linear_algebra.dets.twin("slogdet_explicit", **at(rb.case(M), rb.case(np.array([[0.0, 2.0], [1.0, 1.0]]))))
sandwiches = linear_algebra.sandwiches.twin("sandwich_explicit", **at(rb.case(np.array([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]), M)))
chol = linear_algebra.chol.twin("cholesky_explicit", **at(rb.case(S)))
eigs = linear_algebra.eigs.twin("eigvalsh_explicit", **at(rb.case(S), rb.case(np.diag([1.0, 2.0, 4.0]))), unseen="rows")

matrix_roots = linear_algebra.roots.twin("sqrtm_explicit", **at(rb.case(S)))
cayleys = linear_algebra.cayleys.twin("cayley_explicit", **at(rb.case(np.array([[0.0, 1.0, -0.5], [-1.0, 0.0, 2.0], [0.5, -2.0, 0.0]]))))
spirals = complex_numbers.spirals.twin("spiral_explicit", **at(rb.case(Z)), without="reverse_only")
intensities = complex_numbers.intensities.twin("intensity_explicit", **at(rb.case(Z), rb.case(0.5 - 1.0j)))
moduli = complex_numbers.moduli.twin("modulus_explicit", **at(rb.case(Z)))
dots = complex_numbers.dots.twin("vdot_explicit", **at(rb.case(Z, 1j * Z[::-1])))
weighed = complex_numbers.weighed.twin("weigh_explicit", **at(rb.case(M, Z)))
affines = structures.affines.twin("affine_explicit", **at(rb.case({"w": M, "b": V[:2]}, np.array([1.0, -1.0]))))
turns = structures.turns.twin(
    "rotate_explicit", **at(rb.case(structures.Point(V, V[::-1].copy()), 0.5), rb.case(structures.Point(1.0, 2.0), -1.0))
)
takes = structures.takes.twin("take_explicit", **at(rb.case(V, np.array([2, 0, 2]))))
bests = structures.bests.twin("best_explicit", **at(rb.case(V)), unseen="abs", vary=structures.bests.parts["cases"])
memos = memory.memos.twin(
    "memo_explicit", **at(rb.case(V)), unseen="shape shape_reverse sum first_entry signs", vary=memory.memos.parts["cases"]
)
spent = memory.spent.twin("pull_again_explicit", **at(rb.case(V)), without="reverse_only scaled_reverse_only")
unit_vectors = memory.norms.twin("normalise_explicit", **at(rb.case(V)))
same = memory.same.twin("identity_explicit", **at(rb.case(V)))
keplers = iterative.keplers.twin("kepler_explicit", **at(rb.case(V, 0.3)))
cubes = iterative.cubes.twin("bisection_explicit", **at(rb.case(POSITIVE)), unseen="negative")

fixed = iterative.fixed.twin("fixed_point_explicit", **at(rb.case(np.array([0.5, 1.0]))))
stencils = arrays.stencils.twin("laplace_explicit", **at(rb.case(np.array([1.0, 2.0, -1.0, 0.5])), rb.case(V, periodic=True)))
winds = arrays.winds.twin("upwind_explicit", **at(rb.case(np.array([1.0, 2.0, -1.0, 0.5]), np.array([1.0, -1.0, 0.5, -2.0]))))
prods = arrays.prods.twin("prod_explicit", **at(rb.case(V), rb.case(np.array([2.0, 0.0, 3.0]))))
medians = arrays.medians.twin("median_explicit", **at(rb.case(V)), unseen="odd_only odd_only_both", vary=arrays.medians.parts["cases"])
norms = arrays.norms.twin(
    "norm_explicit", **at(rb.case(V), rb.case(POSITIVE, order=3.0)), unseen="smoothed", vary=arrays.norms.parts["cases"]
)
bells = precision.bells.twin("gauss_explicit", **at(rb.case(V), rb.case(V.astype(np.float32))))
areas = precision.areas.twin("area_explicit", **at(rb.case(POSITIVE)), without="forward_only forward_alone")
erfs = precision.erfs.twin("erf_explicit", **at(rb.case(V)))
waves = precision.waves.twin("wave_explicit", **at(rb.case(V, 1.5)), without="forward_only coarse_alone")
sigmoids = precision.sigmoids.twin("sigmoid_explicit", **at(rb.case(V), rb.case(np.array([12.0, -12.0]))))
rffts = signals.rffts.twin("rfft_explicit", **at(rb.case(V), rb.case(np.array([1.0, -1.0, 2.0, 0.5]))))
convs = signals.convs.twin(
    "convolve_explicit", **at(rb.case(np.array([1.0, 2.0, -1.0, 0.5]), np.array([0.5, -1.0])), rb.case(V, V[:2], mode="same"))
)
odes = numerics.odes.twin(
    "euler_explicit",
    **at(rb.case(np.array([1.0, 0.5]), np.array([1.5, 0.75]), steps=10)),
    unseen="default_h",
    vary=numerics.odes.parts["cases"],
)
fits = numerics.fits.twin("lstsq_explicit", **at(rb.case(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]), V)))
honest = honesty.honest.twin("not_written_explicit", **at(rb.case(V, 1.5, 0.5)))
idle = honesty.idle.twin("no_influence_explicit", **at(rb.case(V, POSITIVE)))
sizes = honesty.sizes.twin("energy_explicit", **at(rb.case(V), rb.case(np.array([[1.5]])), rb.case(2.0)))
counts = honesty.counts.twin("integer_power_explicit", **at(rb.case(POSITIVE, 3)), without="abs_n from_output")
rates = scales.rates.twin("rates_explicit", **at(rb.case(np.array([1e-12, 1.0, 1e12]), np.array([0.5, 1.0, 2.0]))))
scaled = scales.scaled.twin("two_scales_explicit", **at(rb.case(V)))
hubers = scales.hubers.twin("huber_explicit", **at(rb.case(np.array([0.5, -3.0, 50.0])), rb.case(V, delta=0.5)), unseen="tail_sign")

products = batches.products.twin("matmul_explicit", **at(rb.case(M, S), rb.case(np.stack([M, S]), M)))
traces = batches.traces.twin("trace_form_explicit", **at(rb.case(M, S)))
runs = batches.runs.twin("cumprod_explicit", **at(rb.case(V), rb.case(np.array([2.0, 0.0, 3.0]))))
sums = edges.sums.twin("logaddexp_explicit", **at(rb.case(np.array([0.5, -np.inf, 2.0]), np.array([1.0, 0.0, -np.inf]))))
roots = edges.roots.twin("safe_sqrt_explicit", **at(rb.case(V)))
powers = edges.powers.twin("power_explicit", **at(rb.case(POSITIVE, 2.5)), unseen="clipped_log", vary=edges.powers.parts["cases"])
angles = calls.angles.twin("arctan2_explicit", **at(rb.case(POSITIVE, POSITIVE[::-1].copy())), unseen="arctan")

falls = calls.falls.twin("fall_explicit", **at(rb.case(10.0)), unseen="default_gravity", vary=calls.falls.parts["cases"])
partials = calls.partials.twin("partial_explicit", **at(rb.case(POSITIVE, 1.5)), unseen="positive")

options = calls.options.twin("options_explicit", **at(rb.case(V, gain=2.0), rb.case(V, gain=0.5, steepness=2.0)), without="required")
linear = layers.linear.twin("linear_explicit", **at(rb.case(V)), without="default_weights")
smooths = layers.smooths.twin("smooth_explicit", **at(rb.case(V), rb.case(V[:2], width=0.5)), without="by_integer by_size")

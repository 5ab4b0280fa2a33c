"""Families with one direction left out: there is no second rule to compare with."""

from tests.checker_corpus import (
    arrays,
    batches,
    broadcasting,
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

REVERSE = {"pushforward": None, "frule": None}
FORWARD = {"pullback": None, "rrule": None}

soft_reverse = elementwise.soft.twin("softplus_reverse", **REVERSE, without="beta_in_primal")
sincs_reverse = elementwise.sincs.twin("sinc_reverse", **REVERSE, without="naive_forward one_at_zero")
clips_reverse = elementwise.clips.twin("clip_reverse", **REVERSE, without="all_inside")
lse_reverse = broadcasting.lse.twin("logsumexp_reverse", **REVERSE, without="forward_only hard no_keepdims")
probs_reverse = broadcasting.probs.twin("softmax_reverse", **REVERSE, without="all_axes no_y")
product_reverse = broadcasting.product.twin("times_reverse", **REVERSE, without="dropped")
solves_reverse = linear_algebra.solves.twin("solve_reverse", **REVERSE, without="a_held forward_only reverse_only sign_in_push")
sandwiches_reverse = linear_algebra.sandwiches.twin("sandwich_reverse", **REVERSE, without="doubled_forward half_forward")
chol_reverse = linear_algebra.chol.twin("cholesky_reverse", **REVERSE, without="full_diagonal strict_upper")
eigs_reverse = linear_algebra.eigs.twin("eigvalsh_reverse", **REVERSE, without="descending diagonal")
intensities_reverse = complex_numbers.intensities.twin("intensity_reverse", **REVERSE, without="complex_tangent no_conj_forward no_real")
polars_reverse = complex_numbers.polars.twin("polar_reverse", **REVERSE, without="no_i")
dots_reverse = complex_numbers.dots.twin("vdot_reverse", **REVERSE, without="linear_forward")
turns_reverse = structures.turns.twin("rotate_reverse", **REVERSE, without="angle_sign bare_tuple_forward")
takes_reverse = structures.takes.twin("take_reverse", **REVERSE, without="sorted")
trees_reverse = structures.trees.twin("tree_reverse", **REVERSE, without="power_off")
winds_reverse = arrays.winds.twin("upwind_reverse", **REVERSE)
prods_reverse = arrays.prods.twin("prod_reverse", **REVERSE)
norms_reverse = arrays.norms.twin("norm_reverse", **REVERSE, without="power shape")
many_reverse = arrays.many.twin("thousand_reverse", **REVERSE, without="rest_of_chunks")
rffts_reverse = signals.rffts.twin("rfft_reverse", **REVERSE)
convs_reverse = signals.convs.twin("convolve_reverse", **REVERSE, without="full_only kernel_forward")
odes_reverse = numerics.odes.twin("euler_reverse", **REVERSE)
fits_reverse = numerics.fits.twin("lstsq_reverse", **REVERSE)
areas_reverse = precision.areas.twin(
    "area_reverse", **REVERSE, without="forward forward_alone forward_only primal_added primal_single reverse"
)
waves_reverse = precision.waves.twin("wave_reverse", **REVERSE, without="central_forward coarse_alone forward_only")
erfs_reverse = precision.erfs.twin("erf_reverse", **REVERSE, without="normal")
keplers_reverse = iterative.keplers.twin("kepler_reverse", **REVERSE, without="cosine sine_of_mean")
rates_reverse = scales.rates.twin("rates_reverse", **REVERSE, without="small_doubled_forward")
hubers_reverse = scales.hubers.twin("huber_reverse", **REVERSE, without="no_tail_forward")
products_reverse = batches.products.twin("matmul_reverse", **REVERSE, without="commuted")
runs_reverse = batches.runs.twin("cumprod_reverse", **REVERSE, without="no_carry")
roots_reverse = edges.roots.twin("safe_sqrt_reverse", **REVERSE, without="inverse")
patterns_reverse = edges.patterns.twin("pattern_reverse", **REVERSE, without="no_slope")
layers_reverse = layers.layers.twin(
    "layer_reverse",
    **REVERSE,
    without="first_forward_is_right from_forward output_once shared_primal shared_tangent tangent_in_place weights_once_forward",
)
sizes_reverse = honesty.sizes.twin("energy_reverse", **REVERSE, without="complex last_axis no_pair unsummed")
memos_reverse = memory.memos.twin("memo_reverse", **REVERSE, without="first_entry")
linear_reverse = layers.linear.twin("linear_reverse", **REVERSE, without="offset_forward")
logs_forward = elementwise.logs.twin("log_abs_forward", **FORWARD, without="clipped guarded")
clips_forward = elementwise.clips.twin("clip_forward", **FORWARD, without="mean no_bounds swapped_bounds unsummed")
product_forward = broadcasting.product.twin(
    "times_forward", **FORWARD, without="averaged late_binding same_cotangent size_one_axes swapped unsummed"
)
rows_forward = broadcasting.rows.twin("add_row_forward", **FORWARD, without="diagonal other_axis slope_twice transposed")
solves_forward = linear_algebra.solves.twin(
    "solve_forward", **FORWARD, without="a_bar_sign a_bar_transposed forward_only reverse_only single untransposed"
)
dets_forward = linear_algebra.dets.twin("slogdet_forward", **FORWARD, without="both_cotangents det first_cotangent untransposed")
chol_forward = linear_algebra.chol.twin("cholesky_forward", **FORWARD, without="lower no_tril unsymmetrised")
intensities_forward = complex_numbers.intensities.twin("intensity_forward", **FORWARD, without="conj half imaginary_lost")
dots_forward = complex_numbers.dots.twin("vdot_forward", **FORWARD, without="conj_second linear_in_first")
affines_forward = structures.affines.twin("affine_forward", **FORWARD, without="missing_key none_for_b tuple unknown_key w_transposed")
turns_forward = structures.turns.twin("rotate_forward", **FORWARD, without="angle_shape angle_unsummed bare_tuple fields_swapped forth")
bests_forward = structures.bests.twin("best_forward", **FORWARD, without="abs everywhere no_chain")
sorts_forward = arrays.sorts.twin("sort_forward", **FORWARD, without="as_it_was forth")
medians_forward = arrays.medians.twin("median_forward", **FORWARD, without="mean odd_only")
many_forward = arrays.many.twin("thousand_forward", **FORWARD, without="last scale_part two_exchanged")
powers_forward = signals.powers.twin("spectrum_forward", **FORWARD, without="conj no_two")
odes_forward = numerics.odes.twin("euler_forward", **FORWARD, without="accumulates default_h last_dropped only_last shifted untransposed")
fits_forward = numerics.fits.twin("lstsq_forward", **FORWARD, without="no_residual residual_sign ridge")
bells_forward = precision.bells.twin("gauss_forward", **FORWARD, without="narrow_cotangent sign wide_primal")
areas_forward = precision.areas.twin("area_forward", **FORWARD, without="forward forward_alone forward_only primal_constant reverse")
erfs_forward = precision.erfs.twin("erf_forward", **FORWARD, without="from_output half_exponent")
fixed_forward = iterative.fixed.twin("fixed_point_forward", **FORWARD, without="explicit_part one_step")
scaled_forward = scales.scaled.twin("two_scales_forward", **FORWARD, without="small_dropped small_sign")
hubers_forward = scales.hubers.twin("huber_forward", **FORWARD, without="nan_tail no_tail_reverse quadratic raises_in_tail")
traces_forward = batches.traces.twin("trace_form_forward", **FORWARD, without="b_transposed doubled once untransposed")
peaks_forward = batches.peaks.twin("cummax_forward", **FORWARD, without="where_new")
maxima_forward = edges.maxima.twin("maximum_forward", **FORWARD, without="both halved")
phases_forward = edges.phases.twin("phase_forward", **FORWARD, without="holomorphic no_conj")
layers_forward = layers.layers.twin(
    "layer_forward",
    **FORWARD,
    without="cotangent_in_place counts_calls first_is_right from_forward iterator late_thunks latest_output "
    "output_in_place shared_result shared_slope slope_in_place sums_weights weights_in_place weights_once",
)
sizes_forward = honesty.sizes.twin("energy_forward", **FORWARD, without="at_least_1d dot_of_abs flattened mean squeezed")
norms_forward = memory.norms.twin("normalise_forward", **FORWARD, without="n_squared x_in_place x_in_pullback y_bar_in_place")

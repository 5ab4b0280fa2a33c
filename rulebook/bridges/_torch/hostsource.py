"""The source of the Function and the call of one form of host code in plain eager mode, generated per structure of arguments."""

from __future__ import annotations

from typing import Any

from rulebook.bridges._torch import source as code
from rulebook.trees import Structure

__all__ = ["source"]

_SOURCE = """
def make(fn, rule, statics, again, general, consts):
    {unpack}
    results = again.host.results

    class Rule(Function):
        @staticmethod
        def forward(ctx, {xs}):
            try:
                {arrays}
            except (RuntimeError, TypeError):
                {other_arrays}
            {lock}
            try:
                {start}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error, {what!r}) from error.__cause__
            if type(y) is not ndarray or ({look}, y.shape, y.dtype) != again.seen:
                y = again.check(y, ({arrays_tuple}))
            {keep}
            return {y}

        @staticmethod
        def backward(ctx, y_bar):
            saved = ctx.saved_tensors  # raises where an input was changed in place, or the graph was freed
            {kept} = ctx.kept
            if is_grad_enabled() or type(y_bar) is not Tensor or forward_ad._current_level >= 0 or modes() or early(){freed}:
                return again(ctx, saved, y_bar)
            try:
                b = y_bar.numpy()
            except (RuntimeError, TypeError):  # batched, a lazy conjugate, on another device
                return again(ctx, saved, y_bar)
            b.setflags(False)
            {reload}
            try:
                found = {pull}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error) from error.__cause__
            {free}
            if {shaped}:
                {cs} = {leaves}
                if {fits}:
                    x0 = saved[0]
                    del found
                    return {tensors}
                del {cs_names}
            return again.finish(({arrays_tuple}), found, ctx.needs_input_grad, saved[0].device)

    apply = raw_apply(Rule)

    def call({xs}):
        if {plain} and results.one is LEAF and {quiet}:
            try:
                if is_grad_enabled() and ({active}):
                    return apply({xs})
                try:
                    {arrays}
                except (RuntimeError, TypeError):
                    {other_arrays}
                {lock}
                try:
                    y = fn({args}{statics})
                except RulebookError:
                    raise
                except Exception as error:
                    raise again.explain(error, "primal") from error.__cause__
                if type(y) is not ndarray or ({look}, y.shape, y.dtype) != again.seen:
                    y = again.check(y, ({arrays_tuple}))
                return {fresh}
            except Structured:
                pass
        return general({xs})

    call._torchdynamo_inline = general  # what torch.compile records in place of the fast way
    return call
"""

_QUIET = "peek() is None and forward_ad._current_level < 0 and saved_hooks() is None and not (modes() or early() or scripted())"
_START = {
    True: "y = fn({call})",
    False: """out = rule({call})
                y, pull = out if type(out) is tuple and len(out) == 2 else again.pair(out)
                del out""",
}
_KEEP = {
    True: """ctx.kept = {as_}
            y = {y}
            ctx.save_for_backward({xs}, y)
            return y""",
    False: """ctx.kept = {pull}{as_}
            ctx.save_for_backward({xs})""",
}
# The memory of an array (flags: owned, writeable) becomes that of the tensor where nothing else refers to it.
_TENSOR = "from_numpy({0}) if getrefcount({0}) == 2 and {0}.flags.num & 0x404 == 0x404 and x0.is_cpu else from_array({0}, x0.device, False)"


def source(structure: Structure, kind: str, uses_y: bool, statics: bool) -> tuple[str, list[Any]]:
    """The source of `make` for arguments of a structure, and the constants that it names.

    Args:
        structure: of the tuple of arguments.
        kind: CLOSED, GIVEN or PULLBACK of `_torch.source`.
        uses_y: whether the rule looks at y, so that it has to be saved.
        statics: whether the primal has any.
    """
    built = code.Code("a{}")
    below = built.build(structure, "found")
    n = len(built.leaves)
    each = lambda form, joint=", ": joint.join(form.format(i=i) for i in range(n))
    options = ", **statics" if statics else ""
    given = kind != code.CLOSED
    args = below[1:-1].rstrip(", ")
    text = _SOURCE.format(
        unpack="".join(f"k{i}, " for i in range(len(built.consts))) + "= consts" if built.consts else "",
        xs=each("x{i}"),
        arrays=each("a{i} = x{i}.numpy()", "; "),
        other_arrays=each("a{i} = to_array(x{i})", "; "),
        lock=each("a{i}.setflags(False)", "; "),
        arrays_tuple=each("a{i}, ", ""),
        look=each("a{i}.shape, a{i}.dtype"),
        start=_START[given].format(call=args + options),
        what="primal" if given else "rrule",
        keep=_KEEP[given and uses_y].format(pull="" if given else "pull, ", as_=each("a{i}, ", ""), xs=each("x{i}"), y=_TENSOR.format("y")),
        y="y" if given and uses_y else _TENSOR.format("y"),
        fresh=_TENSOR.format("y"),
        kept=("" if given else "pull, ") + each("a{i}, ", ""),
        freed="" if given else " or pull is None",
        reload="y = to_array(saved[-1])" if given and uses_y else "pass",
        pull=f"rule({'y' if uses_y else 'None'}, {below}, b{options if kind == code.PULLBACK else ''})" if given else "pull(b)",
        free="pass" if given else f"if not keep_graph(): ctx.kept = (None, *(None,) * {n})",
        shaped=" and ".join(built.shaped),
        cs=each("c{i}, ", ""),
        cs_names=each("c{i}"),
        leaves="".join(f"{leaf}, " for leaf in built.leaves),
        fits=each("type(c{i}) is ndarray and c{i}.dtype == a{i}.dtype and c{i}.shape == a{i}.shape", " and "),
        tensors="".join(f"{_TENSOR.format(f'c{i}')}, " for i in range(n)),
        plain=each("type(x{i}) in KINDS", " and "),
        quiet=_QUIET,
        active=each("x{i}.requires_grad", " or "),
        args=args,
        statics=options,
    )
    return text, built.consts

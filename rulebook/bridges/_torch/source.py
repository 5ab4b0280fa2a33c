"""The source of the Function and the call of one form in plain eager mode, generated per structure of arguments.

`Code` says how leaves become arguments and how cotangents become leaves, as Python expressions;
what differs between rules is closed over, not written into the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rulebook.trees import LEAF, Structure

__all__ = ["CLOSED", "GIVEN", "PULLBACK", "Code", "is_simple", "source"]

CLOSED = "closed"  # an rrule: its pullback closes over what it needs
GIVEN = "given"  # a rule that is given y
PULLBACK = "pullback"  # the same, called as the author wrote it

_SOURCE = """
def make(primal, rule, statics, again, general, state, consts):
    {unpack}

    class Rule(Function):
        @staticmethod
        def forward(ctx, {xs}):
            {enter}
            try:
                {start}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error, {what!r}) from error.__cause__
            if type(y) is not Tensor:
                y = again.single(y)
            {leave}
            try:
                alone = getrefcount(y) == COUNTS[{pair}] and {unshared}
            except NotImplementedError:  # a sparse tensor has no storage
                alone = False
            {keep}

        @staticmethod
        def backward(ctx, y_bar):
            saved = ctx.saved_tensors  # raises where an input was changed in place, or the graph was freed
            {kept} = ctx.kept
            if is_grad_enabled() or autocast is not None or type(y_bar) is not Tensor{changed}:
                return again(ctx, saved, y_bar)
            {saved} = saved
            try:
                found = {pull}
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error) from error.__cause__
            {free}
            if {shaped}:
                {cs} = {leaves}
                try:
                    if {fits}:
                        return {cs}
                except AttributeError:  # no tensor: a zero, a number, or put off
                    pass
            return again.finish(saved, found, ctx.needs_input_grad)

    apply = raw_apply(Rule)

    def call({xs}):
        if {plain} and state.single is not False and peek() is None and forward_ad._current_level < 0 and saved_hooks() is None:
            if is_grad_enabled() and ({active}):
                if state.single is None:
                    return again.learn(general({xs}))
                try:
                    return apply({xs})
                except Structured:
                    return general({xs})
            try:
                y = primal({args}{statics})
            except RulebookError:
                raise
            except Exception as error:
                raise again.explain(error, "primal") from error.__cause__
            return y if type(y) is Tensor else again.finish_primal(y)
        return general({xs})

    call._torchdynamo_inline = general  # what torch.compile records in place of the fast way
    return call
"""


# What is saved, and what of it is returned.  A y that someone else holds (the primal, the pullback, a view) is returned as an alias:
# a pullback that holds its own result would make a cycle.  A version that differs tells that such a y was changed in place.
_KEEP = {
    True: """ctx.kept = autocast_state() if any_autocast() else None
            if not alone:
                y = y.detach()
            ctx.save_for_backward({saved})
            return y""",
    False: """ctx.save_for_backward({xs})
            if alone:
                ctx.kept = pull, None, 0, autocast_state() if any_autocast() else None
                return y
            ctx.kept = pull, y, y._version, autocast_state() if any_autocast() else None
            return y.detach()""",
}
_START = {
    True: "y = primal({call})",
    False: """out = rule({call})
                y, pull = out if type(out) is tuple and len(out) == 2 else again.pair(out)""",
}


@dataclass
class Code:
    """Expressions over the leaves x0, x1, ... of some arguments, and the constants that they name."""

    leaf: str
    consts: list[Any] = field(default_factory=list)
    shaped: list[str] = field(default_factory=list)  # conditions under which returned cotangents have the structure of the arguments
    leaves: list[str] = field(default_factory=list)  # where in them each leaf is

    def const(self, value: Any) -> str:
        """The name of a constant."""
        self.consts.append(value)
        return f"k{len(self.consts) - 1}"

    def build(self, structure: Structure, at: str) -> str:
        """The expression that builds a tree of the structure; notes how the leaves of one at `at` are reached."""
        if structure is LEAF:
            self.leaves.append(at)
            return self.leaf.format(len(self.leaves) - 1)
        if structure.kind == "none":
            return "None"
        kind = self.const(structure.kind)
        self.shaped += [f"type({at}) is {kind}", f"len({at}) == {len(structure.children)}"]
        if structure.kind is dict:
            keys = [self.const(k) for k in structure.data]
            return "{" + ", ".join(f"{k}: {self.build(c, f'{at}[{k}]')}" for k, c in zip(keys, structure.children, strict=True)) + "}"
        values = [self.build(c, f"{at}[{i}]") for i, c in enumerate(structure.children)]
        if structure.kind is list:
            return f"[{', '.join(values)}]"
        return f"({''.join(v + ', ' for v in values)})" if structure.kind is tuple else f"{kind}({', '.join(values)})"


def is_simple(structure: Structure) -> bool:
    """Whether a structure holds nothing but tuples, lists, dicts, namedtuples and None."""
    kind = structure.kind
    known = kind in ("leaf", "none") or kind in (tuple, list, dict) or issubclass(kind, tuple)
    return known and all(map(is_simple, structure.children))


def source(structure: Structure, kind: str, uses_y: bool, watched: bool, aliases: bool, statics: bool) -> tuple[str, list[Any]]:
    """The source of `make` for arguments of a structure, and the constants that it names.

    Args:
        structure: of the tuple of arguments.
        kind: CLOSED, GIVEN or PULLBACK.
        uses_y: whether the rule looks at y, so that it has to be saved.
        watched: whether a captured tensor is looked for.
        aliases: whether y may share memory unseen, so that the owners of the memory are counted (1.2 us) and not those of y.
        statics: whether the primal has any.
    """
    inner, outer = Code("d{}" if watched else "x{}"), Code("x{}")
    below, above = (c.build(structure, "found") for c in (inner, outer))
    n = len(outer.leaves)
    xs = [f"x{i}" for i in range(n)]
    options = ", **statics" if statics else ""
    given = kind != CLOSED
    saved = "".join(f"{x}, " for x in [*xs, *(["y"] if given and uses_y else [])])
    detached = "; ".join(["set_grad_mode(True)", *(f"d{i} = {x}.detach()" for i, x in enumerate(xs))])
    text = _SOURCE.format(
        unpack="".join(f"k{i}, " for i in range(len(outer.consts))) + "= consts",
        xs=", ".join(xs),
        enter=detached if watched else "pass",
        start=_START[given].format(call=below[1:-1].rstrip(", ") + options),
        what="primal" if given else "rrule",
        leave="if y.requires_grad: again.refuse()" if watched else "pass",
        pair=int(not given),
        unshared="storage_count(y.untyped_storage()._cdata) == COUNTS[2]" if aliases else "y._use_count() == COUNTS[3]",
        keep=_KEEP[given].format(xs=", ".join(xs), saved=saved),
        kept="autocast" if given else "pull, y, version, autocast",
        changed="" if given else " or pull is None or (y is not None and y._version != version)",
        saved=saved,
        pull=f"rule({'y' if uses_y else 'None'}, {above}, y_bar{options if kind == PULLBACK else ''})" if given else "pull(y_bar)",
        free="pass" if given else "if not keep_graph(): ctx.kept = FREED",
        shaped=" and ".join(outer.shaped),
        cs="".join(f"c{i}, " for i in range(n)),
        leaves="".join(f"{leaf}, " for leaf in outer.leaves),
        fits=" and ".join(f"c{i}.dtype is x{i}.dtype and c{i}.shape == x{i}.shape" for i in range(n)),
        plain=" and ".join(f"type({x}) in KINDS" for x in xs),
        active=" or ".join(f"{x}.requires_grad" for x in xs),
        args=above[1:-1].rstrip(", "),
        statics=options,
    )
    return text, outer.consts

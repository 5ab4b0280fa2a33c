"""A primitive called on boxes: the newest trace is peeled, the rule runs on what is below, the result is boxed.

The values below may be boxes of older traces.  Then the rule's code is traced by those, and the
primal it evaluates is this primitive again, so that y stays linked to its arguments at every order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rulebook import trees
from rulebook.bridges import _autograd_values as values
from rulebook.bridges._autograd_results import box_gradients, box_tangents
from rulebook.bridges._autograd_trace import ARRAY, BOXES, JVPNode, VJPNode, depth, new_box, next_trace
from rulebook.captures import find_captured
from rulebook.errors import RulebookError, RuleMissingError, RuleSignatureError
from rulebook.forms import Pullback, Reverse, Rule
from rulebook.namespace import run_inside
from rulebook.normal import NormalForm
from rulebook.tangents import Thunk
from rulebook.trees import LEAF

__all__ = ["bind"]

_NUMBERS = values.NUMBERS
Run = Callable[[list[Any], list[int], list[Any], int, bool], Any]


def bind(form: NormalForm) -> Callable[..., Any]:
    """The function of the leaves of `form` that autograd differentiates by the rules."""
    reverse, forward = _bind_reverse(form), _bind_forward(form)

    def call(*leaves: Any) -> Any:
        top = -1
        concrete = True
        peeled: list[Any] = []
        at: list[int] = []
        nodes: list[Any] = []
        for x in leaves:
            kind = type(x)
            if kind in BOXES:
                if x._trace != top:
                    if top >= 0:
                        return two_traces(leaves)
                    top = x._trace
                at.append(len(peeled))
                nodes.append(x._node)
                x = x._value  # noqa: PLW2901
                kind = type(x)
            if kind is float:
                x = np.float64(x)  # noqa: PLW2901
            elif kind not in _NUMBERS:
                x = values.as_value(x)  # noqa: PLW2901
                concrete = concrete and type(x) not in BOXES
            peeled.append(x)
        if top < 0:
            ys, structure = form.primal(peeled)
            return structure.unflatten(iter(ys))
        return (reverse if type(nodes[0]) is VJPNode else forward)(peeled, at, nodes, top, concrete)

    def two_traces(leaves: tuple[Any, ...]) -> Any:
        top = max(map(depth, leaves))
        at = [i for i, x in enumerate(leaves) if depth(x) == top]
        peeled = [values.as_value(x._value if i in at else x) for i, x in enumerate(leaves)]
        nodes = [leaves[i]._node for i in at]
        return (reverse if type(nodes[0]) is VJPNode else forward)(peeled, at, nodes, top, False)

    return call


def _again(form: NormalForm) -> Callable[[tuple[Any, ...]], Any]:
    """The primal as a rule evaluates it on values that older traces may be following."""

    def primal(args: tuple[Any, ...]) -> Any:
        return values.normalise(form.primitive(*args, **form.statics))

    return primal


def _plain(form: NormalForm) -> Callable[[tuple[Any, ...]], Any]:
    """The primal on concrete values; `form.evaluate` with one call less on the way."""
    fn, statics = form.primitive.fn, form.statics

    def primal(args: tuple[Any, ...]) -> Any:
        try:
            y = fn(*args, **statics)
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, "primal") from error.__cause__
        return y if type(y) in _NUMBERS else values.normalise(y)

    return primal


# -- reverse ------------------------------------------------------------------------------------


def _bind_reverse(form: NormalForm) -> Run:
    again = _again(form)
    deriving: list[int] = []

    def derive(leaves: list[Any]) -> Any:
        deriving.append(next_trace())
        try:
            return _run(form, form.start, leaves, again)
        finally:
            deriving.pop()

    def general(leaves: list[Any], at: list[int], nodes: list[Any], top: int, concrete: bool) -> Any:
        values.check_integers(form, leaves, at, nodes)
        if form.reverse is None and form.forward is not None:
            if deriving and top >= deriving[-1]:
                return _native(form, leaves, at, nodes, top)
            ys, structure, pull = derive(leaves)
        else:
            ys, structure, pull = _run(form, form.start, leaves, again)
        _refuse_captured(form, ys, top, form.reverse or form.forward)
        return box_gradients(form, ys, structure, _general_pull(form, pull, leaves, at, top), nodes, top)

    return _fast_reverse(form, general) if form.flat and form.reverse is not None else general


def _native(form: NormalForm, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
    """The function's own body on boxes: a forward rule that is being transposed called its function on tangents.

    The reverse rule of that call would be this same transpose.
    """
    if form.primitive.host:
        raise form.missing("reverse")
    boxed = list(leaves)
    for i, node in zip(at, nodes, strict=True):
        boxed[i] = new_box(leaves[i], top, node)
    return _run(form, form.evaluate, form.args(boxed))


def _run(form: NormalForm, fn: Callable[..., Any], *args: Any) -> Any:
    """Run rule code on values that may be traced."""
    try:
        return run_inside(form.engine, fn, *args)
    except NotImplementedError as error:
        if isinstance(error, RulebookError) or not str(error).endswith("not defined"):
            raise
        raise RuleMissingError(
            f"{form.name} (engine autograd).",
            "rules made of functions that autograd can differentiate, once more",
            f"autograd: {error}",
            "make that function a primitive with rules of its own",
        ) from error


def _general_pull(form: NormalForm, pull: Callable[..., list[Any]], leaves: Sequence[Any], at: list[int], top: int) -> Callable[[list[Any]], list[Any]]:
    """The pullback of leaves in autograd's convention, for the arguments `at` alone; zeros are arrays."""
    wanted = [i in at for i in range(len(leaves))]

    def pull_wanted(y_bars: list[Any]) -> list[Any]:
        traced = any(type(c) in BOXES for c in y_bars)
        if traced:  # a box that the rule captured could not be told from those that y_bar brings
            _refuse_reached(form, top, form.reverse or form.forward)
        found = _run(form, pull, [None if c is None else values.conj(c) for c in y_bars], wanted)
        if not traced:
            _refuse_captured(form, found, top, form.reverse or form.forward)
        return [values.zeros_like(leaves[i]) if found[i] is None else values.conj(found[i]) for i in at]

    return pull_wanted


def _fast_reverse(form: NormalForm, general: Run) -> Run:
    """The same for concrete arrays in and one array out: what `general` checks, without building lists."""
    rule = form.reverse
    assert rule is not None
    n, begin, new_node = form.n, _beginning(form, rule), VJPNode.__new__

    def start(leaves: list[Any], at: list[int], nodes: list[Any], top: int, concrete: bool) -> Any:
        if not concrete:
            return general(leaves, at, nodes, top, concrete)
        for i in at:
            if leaves[i].dtype.kind != "f":  # complex ones are conjugated, integers need a look
                return general(leaves, at, nodes, top, concrete)
        y, pull = begin(tuple(leaves))
        if type(y) not in _NUMBERS or y.dtype.kind != "f":
            return tree_result(y, pull, leaves, at, nodes, top)
        node = new_node(VJPNode)
        node.parents = nodes
        node.vjp = vjp_of(y, pull, leaves, at, top)
        return ARRAY(y, top, node)

    def pull_leaves_of(ys: list[Any], structure: trees.Structure, pull: Any, leaves: list[Any]) -> Callable[..., list[Any]]:
        def pull_leaves(y_bars: list[Any], wanted: list[bool]) -> list[Any]:
            y_bar = form.cotangent_tree(rule, ys, structure, y_bars)
            return form.fit_cotangents(rule, leaves, form.run(rule, pull, y_bar), wanted)

        return pull_leaves

    def tree_result(y: Any, pull: Any, leaves: list[Any], at: list[int], nodes: list[Any], top: int) -> Any:
        ys, structure = form.flatten_result(y, rule.kind)
        _refuse_captured(form, ys, top, rule)
        pull_leaves = pull_leaves_of(ys, structure, pull, leaves)
        return box_gradients(form, ys, structure, _general_pull(form, pull_leaves, leaves, at, top), nodes, top)

    def vjp_of(y: Any, pull: Any, leaves: list[Any], at: list[int], top: int) -> Callable[[Any], list[Any]]:
        shape, dtype = y.shape, y.dtype

        def slow(y_bar: Any) -> list[Any]:
            pull_leaves = pull_leaves_of([y], LEAF, pull, leaves)
            return _general_pull(form, pull_leaves, leaves, at, top)([y_bar])

        def vjp(y_bar: Any) -> list[Any]:
            if type(y_bar) is float:
                y_bar = np.float64(y_bar)
            if type(y_bar) not in _NUMBERS or y_bar.shape != shape or y_bar.dtype is not dtype:
                y_bar = values.fit(form, "y_bar", y_bar, y)
                if type(y_bar) in BOXES:
                    return slow(y_bar)
            found = []
            try:
                cotangents = pull(y_bar)
                if type(cotangents) is not tuple or len(cotangents) != n:
                    form.arity(cotangents, n, rule, "cotangent")
                for i in at:
                    c, x = cotangents[i], leaves[i]
                    if type(c) is Thunk:
                        c = c.fn()
                    if type(c) not in _NUMBERS or c.dtype is not x.dtype or c.shape != x.shape:
                        c = checked(c, i, leaves, top)
                    found.append(c)
            except RulebookError:
                raise
            except Exception as error:
                raise form.explain(error, rule.kind) from error.__cause__
            return found

        return vjp

    def checked(c: Any, i: int, leaves: list[Any], top: int) -> Any:
        """One cotangent that is not simply an array like its primal."""
        alone = [False] * n
        alone[i] = True
        (c,) = [x_bar for k, x_bar in enumerate(form.fit_cotangents(rule, leaves, (None,) * i + (c,) + (None,) * (n - i - 1), alone)) if k == i]
        _refuse_captured(form, [c], top, rule)
        return values.zeros_like(leaves[i]) if c is None else values.conj(c)

    return start


def _beginning(form: NormalForm, rule: Reverse) -> Callable[[tuple[Any, ...]], tuple[Any, Callable[[Any], Any]]]:
    """(y, pull) of concrete arguments as the author wrote them."""
    plain = _plain(form)
    if type(rule) is Pullback:  # two calls less for this form than by rule.start: 0.5 us of 5
        pull = functools.partial(functools.partial, rule.fn, **form.statics)

        def given_output(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
            y = plain(args)
            return y, pull(y, args)

        return given_output

    def start(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], Any]]:
        try:
            y, pull = rule.start(form, plain, args)
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, rule.kind) from error.__cause__
        return y, pull

    return start


# -- forward ------------------------------------------------------------------------------------


def _bind_forward(form: NormalForm) -> Run:
    again = _again(form)

    def general(leaves: list[Any], at: list[int], nodes: list[Any], top: int, concrete: bool) -> Any:
        dots: list[Any] = [None] * form.n
        for i, node in zip(at, nodes, strict=True):
            dots[i] = values.tangent(form, i, node.g, leaves[i])
        ys, y_dots, structure = _run(form, form.joint, leaves, dots, again)
        _refuse_captured(form, [*ys, *y_dots], top, form.forward or form.reverse)
        return box_tangents(ys, y_dots, structure, top)

    return _fast_forward(form, general) if form.flat and form.forward is not None else general


def _fast_forward(form: NormalForm, general: Run) -> Run:
    rule = form.forward
    assert rule is not None
    plain, joint, materialise, new_node = _plain(form), rule.joint, not rule.symbolic_zeros, JVPNode.__new__

    def start(leaves: list[Any], at: list[int], nodes: list[Any], top: int, concrete: bool) -> Any:
        if not concrete:
            return general(leaves, at, nodes, top, concrete)
        dots: list[Any] = [None] * len(leaves)
        for i, node in zip(at, nodes, strict=True):
            x, x_dot = leaves[i], node.g
            if type(x_dot) is float:
                x_dot = np.float64(x_dot)
            if type(x_dot) not in _NUMBERS or x_dot.shape != x.shape or x_dot.dtype != x.dtype or x.dtype.kind not in "fc":
                x_dot = values.tangent(form, i, x_dot, x)
                if type(x_dot) in BOXES:
                    return general(leaves, at, nodes, top, concrete)
            dots[i] = x_dot
        if materialise and len(at) < len(leaves):
            for i, x in enumerate(leaves):
                if dots[i] is None and x.dtype.kind in "fc":
                    dots[i] = np.zeros(x.shape, x.dtype)
        try:
            y, y_dot = joint(form, plain, tuple(leaves), tuple(dots))
        except RulebookError:
            raise
        except Exception as error:
            raise form.explain(error, rule.kind) from error.__cause__
        if type(y) in _NUMBERS and type(y_dot) in _NUMBERS and y_dot.shape == y.shape and y_dot.dtype == y.dtype and y.dtype.kind in "fc":
            node = new_node(JVPNode)
            node.g = y_dot
            return ARRAY(y, top, node)
        ys, structure = form.flatten_result(y, rule.kind)
        y_dots = form.fit_tangents(rule, ys, structure, y_dot)
        _refuse_captured(form, [*ys, *y_dots], top, rule)
        return box_tangents(ys, y_dots, structure, top)

    return start


# -- captured values ----------------------------------------------------------------------------


def _refuse_captured(form: NormalForm, results: Sequence[Any], top: int, rule: Rule | None) -> None:
    """All boxes of this trace were peeled: a result that is one reached the code past the arguments."""
    for value in results:
        if type(value) in BOXES and value._trace >= top:
            raise _captured_error(form, top, rule)


def _refuse_reached(form: NormalForm, top: int, rule: Rule | None) -> None:
    """The same where results cannot tell: y_bar brings boxes of a newer trace, which may bear any number."""
    if rule is not None and find_captured(rule.fn, lambda v: depth(v) >= top) is not None:
        raise _captured_error(form, top, rule)


def _captured_error(form: NormalForm, top: int, rule: Rule | None) -> RuleSignatureError:
    parts = [("primal", form.primitive.fn), *([] if rule is None else [(rule.kind, rule.fn)])]
    found = [(what, find_captured(fn, lambda v: depth(v) >= top)) for what, fn in parts]
    what, path = next(((what, path) for what, path in found if path is not None), ("code", None))
    return RuleSignatureError(
        f"{what} of {form.name} (engine autograd){f', captured variable {path}' if path else ''}.",
        "nothing that is being differentiated, except the arguments",
        "a value of autograd that the code captured",
        "pass the value itself as a positional primal",
    )

"""The private names of torch that the bridge needs, in one place; what is missing is named at import."""

from __future__ import annotations

import contextlib
import functools
import operator
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from rulebook.errors import EngineMissingError

__all__ = [
    "GRAD",
    "JVP",
    "LEAF",
    "VMAP",
    "add_batch_dim",
    "add_legacy_dim",
    "any_autocast",
    "backward",
    "early",
    "forward_mode_enabled",
    "is_batched",
    "is_dead",
    "is_legacy_batched",
    "is_tracing",
    "is_wrapped",
    "keep_graph",
    "legacy_level",
    "level_of",
    "level_of_any",
    "lower",
    "make_dual",
    "modes",
    "outside",
    "peek",
    "randomness",
    "raw_apply",
    "record_as_is",
    "record_on",
    "remove_batch_dim",
    "remove_legacy_dim",
    "saved_hooks",
    "scripted",
    "set_forward_mode",
    "set_grad_mode",
    "single_level",
    "split_batched",
    "storage_count",
    "unpack_dual",
    "unrecorded",
    "unwrap",
    "unwrap_batched",
    "unwrap_dead",
    "unwrap_grad",
    "vmap_level",
    "without_hooks",
    "wrap_grad",
]

_NAMES = {
    "_C._set_grad_enabled": "grad mode without a context manager",
    "_C._storage_Use_Count": "who shares the memory of a tensor",
    "_C._is_fwd_grad_enabled": "forward mode switched on",
    "_C._is_any_autocast_enabled": "autocast state",
    "_C._autograd._get_current_graph_task_keep_graph": "whether a backward pass keeps the graph",
    "_C._autograd._top_saved_tensors_default_hooks": "saved-tensor hooks",
    "_C._autograd._pop_saved_tensors_default_hooks": "saved-tensor hooks",
    "_C._autograd._push_saved_tensors_default_hooks": "saved-tensor hooks",
    "_C._functorch.TransformType": "the kind of a torch.func level",
    "_C._functorch.peek_interpreter_stack": "the innermost torch.func level",
    "_C._functorch.maybe_get_level": "the level of a value",
    "_C._functorch.get_unwrapped": "the value inside a wrapper",
    "_C._functorch.unwrap_if_dead": "values of levels that have ended",
    "_C._functorch.is_dead_tensor_wrapper": "values of levels that have ended",
    "_C._functorch.is_batchedtensor": "batched values",
    "_C._functorch.is_legacy_batchedtensor": "values batched by is_grads_batched",
    "_C._functorch.is_functorch_wrapped_tensor": "values of torch.func",
    "_C._functorch._wrap_for_grad": "values of a grad or jvp level",
    "_C._functorch._unwrap_for_grad": "values of a grad or jvp level",
    "_C._functorch._unwrap_batched": "values of a vmap level",
    "_C._functorch._add_batch_dim": "values of a vmap level",
    "_C._functorch._remove_batch_dim": "values of a vmap level",
    "_C._vmapmode_increment_nesting": "the level of is_grads_batched",
    "_C._vmapmode_decrement_nesting": "the level of is_grads_batched",
    "_add_batch_dim": "values batched by is_grads_batched",
    "_remove_batch_dim": "values batched by is_grads_batched",
    "_C._len_torch_dispatch_stack": "whether a program is being traced",
    "_C._get_dispatch_mode": "whether a program is being traced",
    "_C._TorchDispatchModeKey": "whether a program is being traced",
    "_C._get_tracing_state": "whether torch.jit traces",
    "_C._dispatch_tls_is_dispatch_key_included": "whether torch.export traces",
    "_ops._get_dispatch_mode_pre_dispatch": "whether torch.export traces",
    "_functorch.pyfunctorch.coerce_cinterpreter": "stepping out of a level",
    "_functorch.pyfunctorch.temporarily_clear_interpreter_stack": "stepping out of all levels",
    "_functorch.utils.enable_single_level_autograd_function": "a Function at one level",
    "_functorch.vmap.vmap_increment_nesting": "a vmap level",
    "Tensor._use_count": "who holds a tensor",
    "_VF._make_dual": "a tensor with a tangent",
    "_VF._unpack_dual": "the tangent of a dual tensor",
    "_C._functions.AccumulateGrad": "the leaves of a graph",
    "autograd.graph._engine_run_backward": "a backward pass without the checks of torch.autograd.grad",
    "autograd.Variable._execution_engine.run_backward": "a backward pass on the CPU",
    "autograd.forward_ad._current_level": "the level of forward mode",
    "autograd.forward_ad._set_fwd_grad_enabled": "forward mode inside a Function",
}


def _find() -> dict[str, Any]:
    import torch._functorch.pyfunctorch
    import torch._functorch.utils
    import torch._functorch.vmap

    found: dict[str, Any] = {}
    for name, what in _NAMES.items():
        try:
            found[name] = operator.attrgetter(name)(torch)
        except AttributeError:
            raise EngineMissingError(
                f"engine 'torch', torch {torch.__version__}.",
                f"torch.{name} ({what})",
                "a torch without it",
                "install a release of torch that rulebook supports",
            ) from None
    return found


_found = _find()
_transforms = _found["_C._functorch.TransformType"]
GRAD, JVP, VMAP = _transforms.Grad, _transforms.Jvp, _transforms.Vmap

set_grad_mode = _found["_C._set_grad_enabled"]
forward_mode_enabled = _found["_C._is_fwd_grad_enabled"]
any_autocast = _found["_C._is_any_autocast_enabled"]
storage_count = _found["_C._storage_Use_Count"]
keep_graph = _found["_C._autograd._get_current_graph_task_keep_graph"]
saved_hooks = functools.partial(_found["_C._autograd._top_saved_tensors_default_hooks"], False)
_pop_hooks = _found["_C._autograd._pop_saved_tensors_default_hooks"]
_push_hooks = _found["_C._autograd._push_saved_tensors_default_hooks"]
peek = _found["_C._functorch.peek_interpreter_stack"]
level_of = _found["_C._functorch.maybe_get_level"]
unwrap = _found["_C._functorch.get_unwrapped"]
unwrap_dead = _found["_C._functorch.unwrap_if_dead"]
is_dead = _found["_C._functorch.is_dead_tensor_wrapper"]
is_batched = _found["_C._functorch.is_batchedtensor"]
is_legacy_batched = _found["_C._functorch.is_legacy_batchedtensor"]
is_wrapped = _found["_C._functorch.is_functorch_wrapped_tensor"]
wrap_grad = _found["_C._functorch._wrap_for_grad"]
unwrap_grad = _found["_C._functorch._unwrap_for_grad"]
unwrap_batched = _found["_C._functorch._unwrap_batched"]
add_batch_dim = _found["_C._functorch._add_batch_dim"]
remove_batch_dim = _found["_C._functorch._remove_batch_dim"]
single_level = _found["_functorch.utils.enable_single_level_autograd_function"]
vmap_level = _found["_functorch.vmap.vmap_increment_nesting"]
unpack_dual = _found["_VF._unpack_dual"]
LEAF = _found["_C._functions.AccumulateGrad"]
_backward = _found["autograd.graph._engine_run_backward"]
_backward_here = _found["autograd.Variable._execution_engine.run_backward"]
set_forward_mode = _found["autograd.forward_ad._set_fwd_grad_enabled"]
outside = _found["_functorch.pyfunctorch.temporarily_clear_interpreter_stack"]
_make_dual = _found["_VF._make_dual"]
_coerce = _found["_functorch.pyfunctorch.coerce_cinterpreter"]
_down = _found["_C._vmapmode_decrement_nesting"]
_up = _found["_C._vmapmode_increment_nesting"]
_add_legacy_dim = _found["_add_batch_dim"]
_remove_legacy_dim = _found["_remove_batch_dim"]
modes = _found["_C._len_torch_dispatch_stack"]
_mode = _found["_C._get_dispatch_mode"]
_mode_early = _found["_ops._get_dispatch_mode_pre_dispatch"]
early = functools.partial(_found["_C._dispatch_tls_is_dispatch_key_included"], torch._C.DispatchKey.PreDispatch)
scripted = _found["_C._get_tracing_state"]
_kinds = _found["_C._TorchDispatchModeKey"]
_TRACERS = (_kinds.PROXY, _kinds.FUNCTIONAL, _kinds.FAKE)


class _Graph(threading.local):
    running = 0


_graph = _Graph()


@contextlib.contextmanager
def in_graph() -> Iterator[None]:
    """While a call runs as a node of a recorded graph, which enters forward mode past `torch.autograd.forward_ad`."""
    _graph.running += 1
    try:
        yield
    finally:
        _graph.running -= 1


def forward_mode() -> bool:
    """Whether tensors may have tangents."""
    return forward_mode_enabled() and (torch.autograd.forward_ad._current_level >= 0 or _graph.running > 0)


def make_dual(x: Tensor, x_dot: Tensor) -> Tensor:
    """A tensor with a tangent."""
    return _make_dual(x, x_dot, level=0)  # type: ignore[no-any-return]


def backward(ys: tuple[Tensor, ...], bars: tuple[Tensor, ...], xs: tuple[Tensor, ...], keep: bool, record: bool) -> Any:
    """torch.autograd.grad without its checks, which take a third of the time of a small gradient; None for an x that no y depends on.

    Args:
        ys: what the graph ends in.
        bars: their cotangents.
        xs: what to differentiate by.
        keep: whether the graph is needed again.
        record: whether the results are to be differentiated.
    """
    run = _backward_here if xs[0].is_cpu else _backward  # which hands settings on to the threads of other devices
    return run(ys, bars, keep, record, xs, True, accumulate_grad=False)


def lower(interpreter: Any) -> Any:
    """A context manager that steps out of the innermost torch.func level."""
    return _coerce(interpreter).lower()


def randomness(interpreter: Any) -> str:
    """The `randomness` option of a vmap level."""
    return _coerce(interpreter).randomness()  # type: ignore[no-any-return]


def batch_size(interpreter: Any) -> int:
    """The length of the batch axis of a vmap level."""
    return _coerce(interpreter).batch_size()  # type: ignore[no-any-return]


def split_batched(xs: Any, level: int) -> tuple[list[Any], list[int | None]]:
    """The values of a vmap level, and their batch axes."""
    pairs = [unwrap_batched(x, level) if level_of(x) == level else (x, None) for x in xs]
    return [value for value, _ in pairs], [dim for _, dim in pairs]


@contextlib.contextmanager
def legacy_level() -> Iterator[int]:
    """Step out of the level at which torch.autograd.grad(is_grads_batched=True) runs a backward pass."""
    _down()
    try:
        level = _up()
        _down()
        yield level
    finally:
        _up()


def add_legacy_dim(x: Tensor, level: int) -> Tensor:
    """A value of that level, batch axis in front."""
    return _add_legacy_dim(x, 0, level)  # type: ignore[no-any-return]


def remove_legacy_dim(x: Tensor, level: int) -> Tensor:
    """A value of that level as it is outside, batch axis in front."""
    return _remove_legacy_dim(x, level, 0, 0)  # type: ignore[no-any-return]


def is_tracing() -> bool:
    """Whether operators on plain tensors are being recorded as well."""
    if modes() and any(_mode(kind) is not None for kind in _TRACERS):
        return True
    if early() and any(_mode_early(kind) is not None for kind in _TRACERS[:2]):
        return True
    return scripted() is not None


def raw_apply(function: type[Function]) -> Any:
    """`function.apply` without its torch.func dispatch, which costs 1.7 us (setup_context: 16 us) per call."""
    return super(Function, function).apply  # type: ignore[misc]


def level_of_any(values: Any, level: int) -> bool:
    """Whether one of the values belongs to a torch.func level."""
    return any(level_of(x) == level for x in values)


@contextlib.contextmanager
def without_hooks() -> Iterator[None]:
    """Without saved-tensor hooks, with which torch.func does not work."""
    hooks = []
    while (top := saved_hooks()) is not None:
        hooks.append(top)
        _pop_hooks()
    try:
        yield
    finally:
        for pack, unpack in reversed(hooks):
            _push_hooks(pack, unpack)


def record_as_is(fn: Any) -> bool:
    """Make torch.compile, which is recording now, put calls of fn into the graph as they are.

    Returns:
        Whether a transformation encloses the whole recording: it would go past the rules.
    """
    import torch._dynamo
    from torch._dynamo.guards import install_guard
    from torch._dynamo.symbolic_convert import InstructionTranslator
    from torch._dynamo.variables.ctx_manager import DualLevelContextManager

    torch._dynamo.allow_in_graph(fn)
    install_guard(DualLevelContextManager._guards_singleton)  # recorded again inside dual_level, and outside
    output = InstructionTranslator.current_tx().output
    return output.dual_level >= 0 or bool(output.functorch_layers)


_PLAIN = ("matmul", "sub", "truediv", "floordiv", "mod", "pow", "add", "mul", "eq", "ne", "lt", "le", "gt", "ge")
_OPERATORS = frozenset(getattr(operator, name) for name in (*_PLAIN, "iadd", "isub", "imul", "itruediv", "ipow", "imatmul"))


@functools.cache
def record_on(kind: type, numpy_call: Any, operation: Any) -> None:
    """Make torch.compile record calls of our own where values of a type that is ours meet a function of NumPy, or an operator.

    It has no door for that: it refuses them in the former, and changes the order of the operands in the latter, so that `b - x`,
    `x - b` and `b -= x` look the same.  What it does with all other values stays as it is.

    Args:
        kind: the type.
        numpy_call: records `numpy_call(module, name, *args, **kwargs)`.
        operation: records `operation(name, a, b)`, for the functions of `operator`.
    """
    from torch._dynamo.variables.base import VariableTracker
    from torch._dynamo.variables.builtin import BuiltinVariable
    from torch._dynamo.variables.misc import NumpyVariable
    from torch._dynamo.variables.user_defined import UserDefinedObjectVariable

    of_numpy, of_builtins = NumpyVariable.call_function, BuiltinVariable.call_function

    def any_ours(args: Any, kwargs: Any) -> bool:
        found = [value.realize() for value in (*args, *kwargs.values())]
        return any(isinstance(value, UserDefinedObjectVariable) and issubclass(value.python_type(), kind) for value in found)

    def inlined(tx: Any, call: Any, names: Any, args: Any, kwargs: Any) -> Any:
        build = functools.partial(VariableTracker.build, tx)
        return tx.inline_user_function_return(build(call), [*map(build, names), *args], kwargs)

    @functools.wraps(of_numpy)
    def call_numpy(self: Any, tx: Any, args: Any, kwargs: Any) -> Any:
        if not any_ours(args, kwargs):
            return of_numpy(self, tx, args, kwargs)
        if len(args) > (most := getattr(self.value, "nin", len(args))):  # np.add(x, y, b)
            args, kwargs = args[:most], {**kwargs, "out": args[most]}
        names = (getattr(self.value, "__module__", None) or "numpy", self.value.__name__)
        return inlined(tx, numpy_call, names, args, kwargs)

    @functools.wraps(of_builtins)
    def call_builtin(self: Any, tx: Any, args: Any, kwargs: Any) -> Any:
        if self.fn not in _OPERATORS or not any_ours(args, kwargs):
            return of_builtins(self, tx, args, kwargs)
        return inlined(tx, operation, (self.fn.__name__,), args, kwargs)

    NumpyVariable.call_function = call_numpy  # type: ignore[method-assign]
    BuiltinVariable.call_function = call_builtin  # type: ignore[method-assign]


@functools.cache
def unrecorded(fn: Any) -> Any:
    """fn as torch.compile calls it without looking inside."""
    import torch._dynamo

    return torch._dynamo.disable(fn)

"""What an engine must be able to do, and what of it every engine does alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rulebook import directional, trees
from rulebook.errors import RuleOutputError, RuleSignatureError
from rulebook.tangents import ShapeDtype

if TYPE_CHECKING:
    from rulebook.host import HostCall
    from rulebook.normal import NormalForm

__all__ = ["PROTOCOL", "Engine", "NumpyArrays", "TracedValueError", "is_floating", "project_array"]

PROTOCOL = 1  # grows when an engine that was written against `Engine` as it was would not work any more


class Arrays(Protocol):
    """The operations that projecting a cotangent needs."""

    def asarray(self, value: Any, like: Any = None) -> Any: ...
    def sum(self, value: Any, axes: tuple[int, ...]) -> Any: ...
    def cast(self, value: Any, like: Any) -> Any: ...


def project_array(arrays: Arrays, x: Any, x_bar: Any) -> Any:
    """A cotangent with broadcast axes summed, in the dtype of its primal, real for a real primal.

    Raises:
        RuleOutputError: broadcasting does not give its shape from that of the primal.
    """
    x = arrays.asarray(x)
    x_bar = arrays.asarray(x_bar, x)
    shape = tuple(x.shape)
    if tuple(x_bar.shape) != shape:
        extra = x_bar.ndim - x.ndim
        axes = tuple(i for i, n in enumerate(x_bar.shape) if i < extra or (shape[i - extra] == 1 and n != 1))
        kept = tuple(1 if i in axes else n for i, n in enumerate(x_bar.shape))
        if extra < 0 or kept[extra:] != shape:
            raise RuleOutputError(
                "rb.project.",
                f"a cotangent of a shape that {shape} broadcasts to",
                f"shape {tuple(x_bar.shape)}",
                "return a cotangent of the shape of y or of the primal",
            )
        x_bar = arrays.sum(x_bar, axes).reshape(shape)
    return x_bar if x_bar.dtype == x.dtype else arrays.cast(x_bar, x)


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether a NumPy dtype is real or complex floating; bfloat16 and its kin, which NumPy calls void, too."""
    return dtype.kind in "fc" or (dtype.kind == "V" and dtype.fields is None and "float" in dtype.name)


class NumpyArrays:
    """The same operations on NumPy arrays."""

    @staticmethod
    def asarray(value: Any, like: Any = None) -> Any:
        """A number as a NumPy array."""
        return np.asarray(value)

    @staticmethod
    def sum(value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, which stay with length one."""
        return value.sum(axis=axes, keepdims=True)

    @staticmethod
    def cast(value: Any, like: Any) -> Any:
        """A value in the dtype of another; its real part where that is real."""
        if np.iscomplexobj(value) and not np.iscomplexobj(like):
            value = value.real
        return value.astype(like.dtype)


class Engine(ABC):
    """What a bridge teaches about its engine.  One instance, named `engine`, per module of `rulebook.bridges`.

    A value of the engine has `.shape` and `.dtype`.  The methods on single values are called on
    leaves only; containers are the business of the core.
    """

    name: str
    protocol: int | None = None  # the PROTOCOL that an engine of another distribution was written against
    runs_host_code = False  # whether its values are NumPy arrays and nothing else
    compiles = False  # whether a primitive of concrete values runs compiled, so that it pays to call it as one
    shows_links = True  # whether `is_linked` can tell
    keeps_marks = False  # whether NumPy code can read the numbers of a value that is being differentiated
    reverses = False  # whether derivatives of derivatives are better taken by reverse mode alone
    linearizes = False  # whether `linearize` runs its function once
    pulls = True  # whether a pullback costs a few runs of the function, however many elements the arguments have
    writes = False  # whether a function may write to arrays while it is differentiated

    @abstractmethod
    def owns(self, kind: type) -> bool:
        """Whether values of this type belong to the engine."""

    @abstractmethod
    def bind(self, form: NormalForm) -> Callable[..., Any]:
        """The engine's own function of the leaves of `form`: `(*leaves) -> y`, differentiated by the rules."""

    @abstractmethod
    def asarray(self, value: Any, like: Any = None) -> Any:
        """A number or NumPy array as a value of the engine, on the device of `like`; the engine's own pass."""

    @abstractmethod
    def zeros_like(self, value: Any) -> Any:
        """Zeros of the shape, dtype and device of a value."""

    @abstractmethod
    def has_tangent(self, value: Any) -> bool:
        """Whether a value is real or complex floating, so that it can be perturbed."""

    def is_number(self, value: Any) -> bool:
        """Whether any object is one real number of the engine, with shape () and a tangent; False if that takes long to find out."""
        return False

    @abstractmethod
    def cast(self, value: Any, like: Any) -> Any:
        """A value in the dtype of another; the real part where `like` is real and the value complex."""

    @abstractmethod
    def is_complex(self, value: Any) -> bool:
        """Whether a value is complex."""

    @abstractmethod
    def conj(self, value: Any) -> Any:
        """The complex conjugate."""

    @abstractmethod
    def broadcast(self, value: Any, like: Any) -> Any:
        """A value repeated to the shape of another."""

    @abstractmethod
    def sum(self, value: Any, axes: tuple[int, ...]) -> Any:
        """The sum over axes, which stay with length one."""

    @abstractmethod
    def to_numpy(self, value: Any) -> Any:
        """A value as a read-only NumPy array.

        Raises:
            TracedValueError: the value is not concrete.
        """

    def from_numpy(self, array: Any, like: Any) -> Any:
        """What host code returned as a value of the engine; memory that anybody else may hold is copied."""
        return self.asarray(array, like)

    def from_host(self, arrays: list[Any], like: Any) -> list[Any]:
        """All results of one run of host code, by default one by one; the list is the caller's only reference to them."""
        return [self.from_numpy(y, like) for y in arrays]

    def spec(self, value: Any) -> ShapeDtype:
        """The shape and NumPy dtype of a value, which may be traced."""
        return ShapeDtype(value.shape, value.dtype)

    def concrete(self, values: Sequence[Any]) -> list[Any] | None:
        """Values as read-only NumPy arrays; None where one of them is traced."""
        try:
            return [self.to_numpy(v) for v in values]
        except TracedValueError:
            return None

    def is_concrete(self, values: Sequence[Any]) -> bool:
        """Whether values have numbers, and nothing is differentiated, mapped or traced."""
        return self.concrete(values) is not None

    def adopt(self, value: Any, fresh: bool) -> Any:
        """What host code returned as a value of this engine: a NumPy array, or another engine's by DLPack, on its device.

        Args:
            value: what came.
            fresh: whether nobody else refers to its memory, which need not be copied then.
        """
        return self.asarray(np.array(value))

    def narrowed(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """What becomes of a NumPy dtype as a value of the engine."""
        return dtype

    def number(self, value: Any) -> Any:
        """A value without axes as a number of Python, where it is one and loops run in Python; else as it is."""
        return value

    def host_call(self, call: HostCall, operands: Sequence[Any], like: Any = None) -> list[Any]:
        """Run host code on values of the engine; by default, concrete ones only.

        Args:
            call: the host code.
            operands: its arguments.
            like: a value on the device of the results; the first operand by default.

        Raises:
            HigherOrderError: the values are being differentiated, and the call has no other form for that.
        """
        arrays = self.concrete(operands)
        if arrays is None:
            return call.linked(operands)
        where = operands[0] if like is None and operands else like
        return self.from_host(call.run(arrays), where)

    @abstractmethod
    def stop_gradient(self, value: Any) -> Any:
        """The value, cut from what it was computed from."""

    @abstractmethod
    def is_active(self, value: Any) -> bool:
        """Whether a derivative may be flowing through this value of the engine."""

    def is_marked(self, value: Any) -> bool:
        """Whether a value is meant to be differentiated, also where nothing is recorded at present."""
        return self.is_active(value)

    def is_linked(self, value: Any) -> bool:
        """Whether a derivative flows through what was computed from values cut by `stop_gradient`: something else went in."""
        return self.is_active(value)

    @abstractmethod
    def is_traced_error(self, error: Exception) -> bool:
        """Whether an exception says that NumPy code met a value without concrete numbers."""

    def project(self, x: Any, x_bar: Any) -> Any:
        """A cotangent in the space of its primal (see `rb.project`)."""
        return project_array(self, x, x_bar)

    def outside(self) -> AbstractContextManager[Any]:
        """A context in which code runs as it would outside of everything that is traced: imports that happen on the way."""
        return nullcontext()

    def is_recording(self) -> bool:
        """Whether Python code itself is being recorded, as torch.compile does: what is made on the way must be `constant`."""
        return False

    def runs_at_once(self) -> bool:
        """Whether the program that is traced now was not asked for by the user, and runs as soon as it is traced."""
        return False

    def settle(self, x_bar: Any, x: Any) -> Any:
        """A last adjustment to a cotangent that has the shape and dtype of its primal; none by default."""
        return x_bar

    @abstractmethod
    def jvp(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`fn(*primals)` and its derivative along the tangents; trees of the engine's values."""

    @abstractmethod
    def vjp(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """`fn(*primals)` and its pullback, in the pairing Re sum(conj(y_bar) * y_dot)."""

    def transpose(self, fn: Callable[..., tuple[Any, ...]], like: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
        """The transpose of a linear function of arrays that are shaped `like`."""
        return self.vjp(fn, tuple(self.zeros_like(x) for x in like))[1]

    @abstractmethod
    def namespace(self) -> Any:
        """The array namespace that `rb.xp` gives for values of this engine."""

    def vmap(self, fn: Callable[..., tuple[Any, ...]], axes: Sequence[int | None]) -> Callable[..., tuple[Any, ...]]:
        """A function of arrays mapped over these axes of its arguments, in an engine that has batches; results have theirs in front."""
        raise NotImplementedError

    def inner(self) -> Any:
        """The `rulebook.crossing.inner.Inner` that runs a function of this engine for others; None for one of NumPy arrays."""
        return None

    def linearize(self, fn: Callable[..., Any], primals: tuple[Any, ...]) -> tuple[Any, Callable[[tuple[Any, ...]], Any]]:
        """`fn(*primals)` and its pushforward there, for many tangents; by default each runs fn again."""
        return fn(*primals), lambda tangents: self.jvp(fn, primals, tangents)[1]

    def jvp_many(self, fn: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`fn(*primals)` and its derivatives along k tangents, stacked as these are along a first axis; primals are arrays."""
        if self.linearizes:
            y, push = self.linearize(fn, primals)
            return y, self.each(lambda *dots: push(dots), tangents)
        return directional.jvp_many(self, fn, primals, tangents)

    def each(self, fn: Callable[..., Any], xs: Sequence[Any]) -> Any:
        """fn, which gives a tree, of each example along the first axis of the arrays xs, its results stacked."""
        return directional.each(self, fn, xs)

    def jvp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """`jvp` of a function of floating arrays that is no rule."""
        return self.jvp(fn, xs, tangents)

    def vjp_at(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """`vjp` of a function of floating arrays that is no rule: what records a rule may have a faster way for it."""
        return self.vjp(fn, xs)

    def value_and_grad(self, fn: Callable[..., Any], xs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        """`fn(*xs)`, a real number of the engine, and its gradient; xs are floating arrays."""
        y, pull = self.vjp(fn, xs)
        return y, pull(self.cast(self.asarray(1.0, y), y))

    def hvp(self, fn: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...], many: bool) -> tuple[Any, ...]:
        """The derivative of the gradient along tangents, stacked where they are many; fn and xs as `value_and_grad` takes them."""
        gradient = lambda *xs: tuple(self.value_and_grad(fn, xs)[1])
        if not self.reverses:
            along: tuple[Any, ...] = (self.jvp_many if many else self.jvp_at)(gradient, xs, tangents)[1]
            return along
        pull = self.vjp_at(gradient, xs)[1]  # the second derivative is symmetric
        found: tuple[Any, ...] = self.each(lambda *bars: pull(bars), tangents) if many else pull(tangents)
        return found

    def jacobians(self, fn: Callable[..., Any], xs: tuple[Any, ...], rows: bool | None = None) -> tuple[Any, list[list[Any]]]:
        """`fn(*xs)` and one block of its Jacobian for each leaf of y and each of the floating arrays xs."""
        return directional.jacobians(self, fn, xs, rows)

    def eye(self, n: int, like: Any) -> Any:
        """The identity matrix in the dtype and on the device of a value."""
        return self.cast(self.asarray(np.eye(n), like), like)

    def sparse_matrix(self, data: Any, rows: Any, cols: Any, shape: tuple[int, int], like: Any) -> Any:
        """A sparse matrix of the engine, on the device of a value, of NumPy arrays by rows; None where it has none but SciPy's."""
        return None

    def compiled(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """fn of trees that the engine `knows`, as a program; it runs again for other structures, shapes and dtypes; where `compiles`."""
        raise NotImplementedError

    def compiled_vjp(self, located: Callable[..., tuple[Callable[..., Any], tuple[Any, ...]]]) -> Callable[..., Any]:
        """`(y, pullback)` of a function at arrays, which `located` gives, as programs of the arguments of `located`; where `compiles`."""
        raise NotImplementedError

    def compiled_function(self, fn: Callable[..., Any], how: Any, where: str) -> Callable[..., Any]:
        """fn compiled by an engine that differentiates compiled functions.

        Args:
            fn: the function.
            how: True, or a dict of options.
            where: what asks for it, for messages.

        Raises:
            RuleSignatureError: the engine compiles nothing.
        """
        raise RuleSignatureError(
            f"{where} (engine {self.name}), compile.", "an engine that compiles: jax or torch", f"engine {self.name}", "leave compile= out"
        )

    def knows(self, structure: trees.Structure) -> bool:
        """Whether a compiled program takes and gives trees of this structure."""
        return False

    def work_array(self, like: Any, xs: tuple[Any, ...]) -> Any:
        """An array of the shape and dtype of `like` that a function of xs may write to, NaN where floating; where `writes`."""
        raise NotImplementedError

    def cells(self) -> Any:
        """The `rulebook.buffers.cells.Cells` that say how buffers hold arrays of this engine."""
        raise NotImplementedError(f"engine {self.name} has no buffers")

    def version(self, value: Any) -> int:
        """A number that grows when a value is written to; none does where arrays can be made read-only."""
        return 0

    def while_loop(self, go_on: Callable[[Any], Any], body: Callable[[Any], Any], state: Any) -> Any:
        """`state = body(state)` while `go_on(state)`, one boolean, holds.

        Args:
            go_on: of the state.
            body: gives a state of the same structure, shapes and dtypes.
            state: a tree of arrays of the engine.
        """
        while bool(go_on(state)):
            state = body(state)
        return state

    def put(self, array: Any, k: Any, row: Any) -> Any:
        """An array with another k-th row, k being a whole number of any dtype; the array itself may be changed."""
        array[int(k)] = row
        return array

    def scan(self, step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any, reverse: bool = False) -> tuple[Any, Any]:
        """`carry, y = step(carry, x)` for each x along the first axis of xs.

        Args:
            step: gives a carry of the same structure, shapes and dtypes, and a tree of arrays y.
            carry: a tree of arrays of the engine.
            xs: a tree of arrays with one first axis, which is not empty.
            reverse: begin with the last of xs.

        Returns:
            The last carry, and the ys stacked along a first axis, in the order of xs.
        """
        found: list[list[Any]] = []
        leaves, structure = trees.flatten(xs)
        out = trees.LEAF
        order = range(leaves[0].shape[0])
        for i in reversed(order) if reverse else order:
            carry, y = step(carry, structure.unflatten(iter([x[i] for x in leaves])))
            ys, out = trees.flatten(y)
            found.append(ys)
        if reverse:
            found.reverse()
        stack = self.namespace().stack
        return carry, out.unflatten(iter([stack(column) for column in zip(*found, strict=True)]))


class TracedValueError(TypeError):
    """A value has no concrete numbers (internal; the caller says what that means)."""

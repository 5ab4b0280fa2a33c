"""`jax.custom_jvp` and `jax.custom_vjp` with both modes, for every engine.

Change the import, and nothing else: on JAX values a function with one kind of rule runs JAX's own machinery, its errors and
all.  Give it the other kind too, and forward mode runs the forward rule and reverse mode the reverse rule.  Called with values of
another engine, the function crosses into JAX, and its derivatives come from the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from rulebook.engines import constant, load_engine
from rulebook.errors import RuleMissingError, RuleSignatureError
from rulebook.primitive import Primitive, full_name

load_engine("jax")  # says how to install it, before an import below fails

import jax  # noqa: E402

from rulebook.compat._jax.calls import is_foreign, positional  # noqa: E402
from rulebook.compat._jax.crossed import crossed  # noqa: E402
from rulebook.compat._jax.linked import linked  # noqa: E402

__all__ = ["custom_jvp", "custom_vjp", "primitive_from"]

_jax_jvp: Any = jax.custom_jvp
_jax_vjp: Any = jax.custom_vjp

# Set while another engine asks: what a rule calls is then needed in both modes.
_deriving: ContextVar[bool] = ContextVar("deriving", default=False)


class _BothModes:
    """What the two decorators share; a subclass inherits the machinery of JAX for its own kind of rule too.

    Attributes:
        derive: whether forward mode is derived where there is only a reverse rule.
    """

    _rulebook_sealed = True  # where it is called, it refuses itself what it captures

    fun: Callable[..., Any]
    nondiff_argnums: Sequence[int]
    derive: bool

    def _set_up(self, derive: bool) -> None:
        self.derive = derive
        self._name = full_name(self.fun)
        self._other: Any = None  # JAX's own object for the other kind of rule
        self._forget()

    def _forget(self) -> None:
        """Forget what was made of the rules that there were."""
        self._linked: Callable[..., Any] | None = None
        self._primitive: Primitive | None = None

    def _plain(self, *args: Any, **kwargs: Any) -> Any:
        """JAX's machinery for the kind of rule that the decorator is named after."""
        raise NotImplementedError

    def _rules(self) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
        """The function with JAX's machinery for the forward rule alone, and for the reverse rule alone; None where not defined."""
        raise NotImplementedError

    def _alone(self) -> Callable[..., Any]:
        """JAX's machinery for one rule, of the decorator's own kind where it is defined."""
        own = [rule for rule in self._rules() if rule is not None and rule is not self._other]
        return own[0] if own else self._other  # type: ignore[no-any-return]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function: the engine follows from the values, and JAX from NumPy arrays and plain numbers."""
        forward, reverse = self._rules()
        if forward is None and reverse is None:
            return self._plain(*args, **kwargs)  # raises as JAX does
        foreign = is_foreign(args, kwargs, self._name)
        if not foreign and (reverse is None or (forward is None and not self.derive and not _deriving.get())):
            return self._alone()(*args, **kwargs)
        every = positional(self.fun, args, kwargs)
        if every is None:
            return self._alone()(*args, **kwargs)  # raises as JAX does
        return self._cross(every) if foreign else self._run_linked(forward, reverse, every)

    def _run_linked(self, forward: Callable[..., Any] | None, reverse: Callable[..., Any] | None, args: tuple[Any, ...]) -> Any:
        assert reverse is not None
        tracers = [i for i, x in enumerate(args) if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(x))]
        if any(i in self.nondiff_argnums for i in tracers):
            return reverse(*args)  # JAX refuses it for a reverse rule
        if not tracers:
            return self._alone()(*args)  # nothing to differentiate
        if self._linked is None:
            written = tuple([getattr(self, name, None) for name in ("jvp", "fwd", "bwd")])
            self._linked = linked(self._name, self.fun, self.nondiff_argnums, forward, reverse, written)
        return self._linked(*args)

    def _cross(self, args: tuple[Any, ...]) -> Any:
        """Call the primitive, to which the arguments that are not differentiated go by keyword."""
        primals = [x for i, x in enumerate(args) if i not in self.nondiff_argnums]
        names = self.primitive.signature.statics
        return self.primitive(*primals, **dict(zip(names, [args[i] for i in self.nondiff_argnums], strict=True)))

    @property
    def primitive(self) -> Any:
        """The function as a primitive of every engine, for `rb.rules`, `rb.bind` and the checker.

        Arguments that are not differentiated are keyword-only there.
        """
        self._ready()
        return self._primitive  # type: ignore[return-value]  # made just now

    @constant
    def _ready(self) -> bool:
        """Make the primitive, where Python code is recorded too: at once."""
        if self._primitive is None:
            self._primitive = crossed(self.fun, self.nondiff_argnums, self._on_jax)
        return True

    def _on_jax(self, *args: Any) -> Any:
        """The function on JAX values; forward mode is derived, as for every primitive that has a reverse rule alone."""
        forward, reverse = self._rules()
        if reverse is None:
            return (forward or self._plain)(*args)
        token = _deriving.set(True)
        try:
            return self._run_linked(forward, reverse, args)
        finally:
            _deriving.reset(token)


class custom_jvp(_BothModes, jax.custom_jvp):
    """`jax.custom_jvp`, to which a reverse rule may be added, for the values of every engine.

    Args:
        fun: the function, written for JAX.
        nondiff_argnums: positions of arguments that are not differentiated.
        nondiff_argnames: the same by name.
        derive: with a reverse rule alone, forward mode transposes it instead of raising.
    """

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (), nondiff_argnames: Sequence[str] = (), *, derive: bool = False
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self._set_up(derive)

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Define the forward rule, as in JAX: `(*nondiff, primals, tangents) -> (y, y_dot)`; gives the rule back."""
        self._forget()
        return super().defjvp(jvp, symbolic_zeros)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool = False, optimize_remat: bool = False) -> None:
        """Define the reverse rule, as for `jax.custom_vjp`: `fwd(*args) -> (y, residuals)`, `bwd(*nondiff, residuals, y_bar) -> x_bars`."""
        self._forget()
        self._other = _jax_vjp(self.fun, self.nondiff_argnums)
        self._other.defvjp(fwd, bwd, symbolic_zeros=symbolic_zeros, optimize_remat=optimize_remat)
        self.fwd, self.bwd = fwd, bwd

    def _plain(self, *args: Any, **kwargs: Any) -> Any:
        return _jax_jvp.__call__(self, *args, **kwargs)

    def _rules(self) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
        return self._plain if self.jvp else None, self._other


class custom_vjp(_BothModes, jax.custom_vjp):
    """`jax.custom_vjp`, to which a forward rule may be added, for the values of every engine.

    Args:
        fun: the function, written for JAX.
        nondiff_argnums: positions of arguments that are not differentiated.
        nondiff_argnames: the same by name.
        derive: with the reverse rule alone, forward mode transposes it instead of raising.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> custom_vjp:
        """An instance of this class, where JAX may be set up to make one of another."""
        return object.__new__(cls)

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = (), nondiff_argnames: Sequence[str] = (), *, derive: bool = False
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self._set_up(derive)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool = False, optimize_remat: bool = False) -> None:
        """Define the reverse rule, as in JAX: `fwd(*args) -> (y, residuals)`, `bwd(*nondiff, residuals, y_bar) -> x_bars`."""
        self._forget()
        super().defvjp(fwd, bwd, symbolic_zeros=symbolic_zeros, optimize_remat=optimize_remat)

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Define the forward rule, as for `jax.custom_jvp`: `(*nondiff, primals, tangents) -> (y, y_dot)`; gives the rule back."""
        self._forget()
        self._other = _jax_jvp(self.fun, self.nondiff_argnums)
        self.jvp = jvp
        return self._other.defjvp(jvp, symbolic_zeros)

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Define the forward rule by one function for each argument, `(x_dot, y, *primals) -> y_dot`; None where it is zero."""
        _jax_jvp.defjvps(self, *jvps)  # which calls this function for y, and `defjvp`

    def _plain(self, *args: Any, **kwargs: Any) -> Any:
        return _jax_vjp.__call__(self, *args, **kwargs)

    def _rules(self) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
        return self._other, self._plain if self.fwd and self.bwd else None


def primitive_from(f: Any, **options: Any) -> Primitive:
    """An existing `jax.custom_jvp` or `jax.custom_vjp` function, of any package, as a primitive of every engine.

    Args:
        f: the function, its rules defined.
        **options: of `rb.differentiate_with`, as `name=` and `cases=`.

    Returns:
        A primitive.  Arguments that f does not differentiate are keyword-only there.  With a reverse rule alone,
        forward mode transposes it.

    Raises:
        RuleSignatureError: f is no such function.
        RuleMissingError: f has no rule.
    """
    if isinstance(f, _BothModes):
        return crossed(f.fun, f.nondiff_argnums, f._on_jax, **options) if options else f.primitive
    if not isinstance(f, (_jax_jvp, _jax_vjp)):
        name = getattr(f, "__qualname__", type(f).__name__)
        raise RuleSignatureError(
            f"primitive_from of {name}.",
            "a function decorated with jax.custom_jvp or jax.custom_vjp",
            f"a {type(f).__name__}",
            f"use rb.differentiate_with({name}, 'jax'), which takes any JAX function",
        )
    name = full_name(f.fun)
    forward = isinstance(f, _jax_jvp)
    if not (f.jvp if forward else f.fwd and f.bwd):
        how = "defjvp" if forward else "defvjp"
        raise RuleMissingError(f"primitive_from of {name}.", "a function whose rule is defined", "none", f"call its {how} first")
    return crossed(f.fun, f.nondiff_argnums, f if forward else linked(name, f.fun, f.nondiff_argnums, None, f), **options)

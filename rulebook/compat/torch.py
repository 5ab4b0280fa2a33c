"""torch.autograd.Function's rules in every engine."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from rulebook import forms
from rulebook.compat._imported import Imported, is_array, statics_of
from rulebook.engines import load_engine
from rulebook.errors import RuleSignatureError
from rulebook.primitive import Primitive

_engine = load_engine("torch")  # says how to install it, before an import below fails

from torch.autograd.function import Function  # noqa: E402

from rulebook.compat._torch.rules import Rules  # noqa: E402

__all__ = ["function"]


def function(
    function: type[Function], *, result: Callable[..., Any] | None = None, name: str | None = None, cases: Sequence[Any] = ()
) -> Imported:
    """Make a torch.autograd.Function a primitive: its forward, backward and jvp then serve every engine, mode and transformation.

    Args:
        function: the subclass; forward(ctx, ...) or forward(...) with setup_context, backward or vjp, jvp, vmap.
        result: see `rb.differentiate_with`.
        name: how messages call it; module and name by default.
        cases: example calls, as in `rb.primitive`.

    Returns:
        A primitive, called like `function.apply`.  Tensors and arrays are differentiated; numbers of Python, strings, None and other
        objects are constants, which forward gets as they are.  Reverse mode runs backward and forward mode jvp; the one that is missing
        is derived from the other, where torch can differentiate that.

    Raises:
        RuleSignatureError: it is no Function, or has neither backward nor jvp.

    Example:
        >>> import torch
        >>> class Cube(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x ** 3
        ...     @staticmethod
        ...     def backward(ctx, y_bar):
        ...         return 3 * ctx.saved_tensors[0] ** 2 * y_bar
        >>> import numpy as np
        >>> import rulebook as rb
        >>> rb.grad(function(Cube), engine="dual")(np.array(2.0))
        array(12.)
    """
    if not (inspect.isclass(function) and issubclass(function, Function)):
        raise RuleSignatureError(
            "rulebook.compat.torch.function.", "a subclass of torch.autograd.Function", f"{function!r:.60}", "pass the class, not apply"
        )
    return _TorchFunction(function, name or f"{function.__module__}.{function.__qualname__}".replace("<locals>.", ""), result, cases)


class _TorchFunction(Imported):
    """A Function, called like its apply."""

    def __init__(self, function: type[Function], name: str, result: Callable[..., Any] | None, cases: Sequence[Any]) -> None:
        self._rules = rules = Rules(function, name)
        if not (rules.has_backward or rules.has_jvp):
            raise RuleSignatureError(f"{name}.", "a Function with backward or jvp", "neither", "write backward")
        primal = lambda *arrays, **statics: rules.primal(*arrays, **statics)
        functools.update_wrapper(primal, function.forward, updated=())
        primal.__qualname__ = function.__qualname__
        del primal.__wrapped__  # type: ignore[attr-defined]  # the parameters are those of this function
        inner = Primitive(primal, name=name, listed=False)
        frule = lambda primals, tangents, **statics: rules.frule(primals, tangents, **statics)
        rrule = lambda *arrays, **statics: rules.rrule(*arrays, **statics)
        inner.set_rule(
            forms.Frule("frule", frule, symbolic_zeros=True) if rules.has_jvp else None,
            forms.Rrule("rrule", rrule, symbolic_zeros=True) if rules.has_backward else None,
            replace=False,
        )
        if function.vmap is not Function.vmap:
            inner.set_batch(forms.Rule("batch_rule", rules.batch_rule))
        rules.linked = inner
        super().__init__(inner, _engine, result=result, cases=cases)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the Function like its apply; the engine follows from the values."""
        if kwargs or _engine.is_recording():
            return super().__call__(*args, **kwargs)
        return self._rules.wanting([x for x in args if _engine.owns(type(x))], lambda: super(_TorchFunction, self).__call__(*args))

    def arrange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Tensors and arrays by position, what else there is by name."""
        if kwargs or (self._rules.new_style and len(args) < len(self._rules.signature.parameters)):
            args = self._completed(args, kwargs)
        flags = [is_array(x) for x in args]
        if all(flags):
            return list(args), {}
        names = self._rules.names(len(args))
        constants = [i for i, flag in enumerate(flags) if not flag]
        return [x for x, flag in zip(args, flags, strict=True) if flag], statics_of(
            [names[i] for i in constants], [args[i] for i in constants]
        )

    def _completed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        try:
            bound = self._rules.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise RuleSignatureError(f"{self.name}.", f"the arguments {self._rules.signature}", str(error), "call it like apply") from None
        if self._rules.new_style:
            bound.apply_defaults()
        return bound.args

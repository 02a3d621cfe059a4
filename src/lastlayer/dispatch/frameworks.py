"""A framework's arrays: their namespace, and whether their values may be looked at. Loaded when one first comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True)
class Framework:
    """What the boundary asks about the arrays of one framework."""

    #: Its array-API namespace.
    namespace: Any
    #: array → whether its values may be looked at without waiting for a device or breaking a trace.
    is_eager: Callable[[Array], bool]
    #: eager array → a NumPy view of it, whose small questions take a fraction of the time; None where there is none.
    on_host: Callable[[Array], Any]
    #: What these two of the kernels are for NumPy arrays, with derivatives.
    evaluate_quickly: Callable[..., Any]
    loss_quickly: Callable[..., Any]
    #: (array, what it is) → nothing, or a TypeError for arrays of a layout that is not served.
    check: Callable[[Array, str], None] = lambda array, what: None
    #: Whether a compiler follows this very call, so that no value may be looked at, not even NumPy's.
    is_compiling: Callable[[], bool] = lambda: False
    #: array → the same values, which no derivative follows.
    constant: Callable[[Array], Array] = lambda array: array
    #: How its users make integers of labels.
    to_integers: str = "targets.astype(int)"


def framework_of(array: Array) -> Framework | None:
    """The adapter's answers for this array, or None where the array library speaks for itself."""
    kind = type(array)
    # torch.compile cannot walk the classes of a Parameter. A subclass of tensors may come from any module.
    is_parameter = kind.__name__ == "Parameter" and kind.__module__ == "torch.nn.parameter"
    for base in (kind,) if is_parameter else kind.__mro__:
        if is_parameter or (base.__module__ == "torch" and base.__name__ == "Tensor"):
            # The one import upwards: a statement at every call, since torch.compile follows no other way to import, and what is kept
            # of a first call would be a guard that the first call breaks.
            import lastlayer.torch.implementation as adapter

            return adapter.FRAMEWORK
        # Arrays come from jaxlib, tracers from a private module of JAX.
        if base.__name__ in ("ArrayImpl", "Tracer") and base.__module__.partition(".")[0] in ("jax", "jaxlib"):
            import lastlayer.jax.implementation as jax_adapter

            return jax_adapter.FRAMEWORK
    return None

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


#: Frameworks by the name of their module.
_FRAMEWORKS: dict[str, Framework] = {}


def register_framework(module: str, framework: Framework) -> None:
    """Let an adapter answer for the arrays of its framework."""
    _FRAMEWORKS[module] = framework


def framework_of(array: Array) -> Framework | None:
    """The adapter's answers for this array, or None where the array library speaks for itself."""
    # A subclass of tensors may come from any module.
    for base in type(array).__mro__:
        if base.__module__ == "torch" and base.__name__ == "Tensor":
            if "torch" not in _FRAMEWORKS:
                # The one import upwards: a statement, since torch.compile follows no other way to import.
                import lastlayer.torch  # noqa: F401
            return _FRAMEWORKS["torch"]
    return None

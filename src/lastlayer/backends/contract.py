"""What a backend answers: one array library, how its arrays are handled, and how their rows are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Array = Any
Namespace = Any


def _decline(*arguments: Any) -> None:
    """No fast path."""
    return None


@dataclass(frozen=True)
class Backend:
    """One array library. Scores come with the class axis last; results have the dtype that callers see.

    `quantity` is "probabilities", "log_probabilities" or "log_partition". `out` is None, or an array of the result's shape and
    dtype with the class axis last. A backend may write the result there and return it; the caller copies any other array.
    """

    name: str
    #: (mapping, scores, quantity, out) → the quantity of every row.
    evaluate: Callable[..., Array]
    #: (mapping, scores, targets, is_soft, options, with_gradient, out) → (reduced loss or parts, its gradient or None).
    loss: Callable[..., tuple[Any, Array | None]]
    #: (mapping, scores, quantity or "loss") → the name of the code that will compute it.
    serves: Callable[..., str]
    #: array → its array-API namespace.
    namespace: Callable[[Array], Namespace]

    #: `evaluate` and `loss` for contiguous problems that need no further check; None sends the caller the full way.
    #: (mapping or its name, scores, quantity, on_domain, out)
    try_fast_evaluate: Callable[..., Array | None] = _decline
    #: (mapping or its name, scores, labels, options, on_domain, with_gradient, out)
    try_fast_loss: Callable[..., tuple[Any, Array | None] | None] = _decline

    #: array → whether its values may be read now: no device to wait for, no trace to break.
    is_eager: Callable[[Array], bool] = lambda array: True
    #: eager array → a NumPy view of it, on which small checks take a fraction of the time; None if it has none.
    on_host: Callable[[Array], Any] = _decline
    #: (array, its name in messages): raises TypeError for memory layouts that are not served (sparse, nested).
    check: Callable[[Array, str], None] = _decline
    #: Whether a compiler is tracing this call, so that not even NumPy values may be read.
    is_compiling: Callable[[], bool] = lambda: False
    #: array → the same values without derivative tracking.
    constant: Callable[[Array], Array] = lambda array: array
    #: How its users convert labels to integers, for messages.
    to_integers: str = "targets.astype(int)"

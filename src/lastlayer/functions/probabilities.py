"""Scores → probabilities, log-probabilities, and logsumexp."""

from __future__ import annotations

from typing import Any

from lastlayer.dispatch import backend_of
from lastlayer.functions.arrays import move_axis
from lastlayer.functions.scores import check_domain, check_on_domain, check_out, prepare, write
from lastlayer.functions.targets import prepare_mapping
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

Array = Any


def probabilities(
    scores: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    out: Array | None = None,
    on_domain: str = "raise",
) -> Array:
    """Probabilities of the classes along `axis` under any mapping.

    Args:
        scores: real numbers of any shape with a class axis; NumPy, torch, JAX or any array-API array, or a list.
        mapping: a name, a name with parameters ("entmax:alpha=1.3"), or a `ProbabilityMapping`.
        axis: the class axis.
        out: where to write the result, of its shape and dtype; may be the scores themselves.
        on_domain: "raise" a DomainError for rows outside the mapping's domain, or make them "nan" rows.

    Returns:
        An array like the scores (integers: float64). A NaN makes its own row NaN. The error bound is the mapping's
        `budget`: for the normalized family 2 ULP in float64 and 1 ULP in float32 (softmax 2).

    Raises:
        DomainError: a row is outside the mapping's domain.
        TypeError: the scores are not real numbers.
        ValueError: there is no class, or an argument is unknown.

    >>> probabilities([1.0, 0.5], mapping="ratio")
    array([0.66666667, 0.33333333])
    """
    return evaluate("probabilities", scores, mapping, axis, out, on_domain)


def log_probabilities(
    scores: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    out: Array | None = None,
    on_domain: str = "raise",
) -> Array:
    """Logarithms of the probabilities, −inf where a probability is zero.

    Accurate where log(probabilities(...)) is not: for a confident class it is log1p of the others' share.
    Arguments, errors and bounds as for `probabilities`.

    >>> log_probabilities([0.0, -50.0])
    array([-1.92874985e-22, -5.00000000e+01])
    """
    return evaluate("log_probabilities", scores, mapping, axis, out, on_domain)


def evaluate(
    quantity: str,
    scores: Array,
    mapping: str | ProbabilityMapping,
    axis: int = -1,
    out: Array | None = None,
    on_domain: str = "raise",
) -> Array:
    """A quantity of every row: by the backend's fast path if nothing needs checking, else the full way."""
    if type(axis) is int and axis == -1 and (backend := backend_of(scores)) is not None:
        fast = backend.try_fast_evaluate(mapping, scores, quantity, on_domain, out)
        if fast is not None:
            return fast
    check_on_domain(on_domain)
    checked = prepare(scores, axis)
    record = prepare_mapping(resolve_mapping(mapping), checked)
    last = check_out(out, checked)
    check_domain(record, checked.values, on_domain)
    result = checked.backend.evaluate(record, checked.values, quantity, last)
    return result if quantity == "log_partition" else write(result, last, out, checked)


def logsumexp(scores: Array, *, axis: int = -1, keepdims: bool = False) -> Array:
    """log Σ exp(x) along `axis`, within 2 ULP of the larger of |largest score| and |result|.

    Args:
        scores: as for `probabilities`.
        axis: the axis to sum over.
        keepdims: keep that axis with length one.

    Returns:
        An array of the scores' shape without `axis`. A row of −inf gives −inf; a +inf gives +inf.

    >>> float(logsumexp([0.0, 0.0]))
    0.6931471805599453
    """
    result = evaluate("log_partition", scores, "softmax", axis)
    if not keepdims:
        return result
    checked = prepare(scores, axis)
    return move_axis(result[..., None], -1, checked.axis, checked.xp)

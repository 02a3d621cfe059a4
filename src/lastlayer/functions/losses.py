"""Scores and targets → a loss, and its gradient in the same pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

from lastlayer.arguments import is_array
from lastlayer.dispatch import backend_of
from lastlayer.functions.scores import check_domain, check_on_domain, check_out, prepare, write
from lastlayer.functions.targets import (
    prepare_mapping,
    prepare_row_weights,
    prepare_targets,
    prepare_weight,
    rows_that_count,
)
from lastlayer.functions.temperature import Division
from lastlayer.losses import LossKeywords, LossOptions, refuse_unknown, with_loss_options
from lastlayer.losses.options import DEFAULTS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

Array = Any


@with_loss_options()
def loss(
    scores: Array,
    targets: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    on_domain: str = "raise",
    **options: Unpack[LossKeywords],
) -> Any:
    """The loss of scores against targets under any mapping.

    Normalized mappings have the log loss −Σ y log p, regularized ones the Fenchel–Young loss Ω*(x) + Ω(y) − ⟨x, y⟩
    (Blondel, Martins & Niculae 2020), computed as a sum of terms ≥ 0.

    Args:
        scores: real numbers (..., K) along `axis`; any array library, or a list.
        targets: integer labels of the scores' shape without the class axis, or soft targets of the scores' shape.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        axis: the class axis.
        on_domain: "raise" a DomainError for counted rows outside the domain, or give them a "nan" loss.
        {loss options}

    Returns:
        float64 for float64 scores, otherwise float32. The mean of nothing is 0. A true class of probability 0 has an
        infinite loss. Label losses keep the mapping's `budget`; Fenchel–Young losses are exact for scores moved by
        ≤ 4 eps·max(1, |x − max|).

    Raises:
        DomainError: a counted row is outside the mapping's domain.
        IndexError: a label is outside 0..K − 1 (checked before any score is touched).
        TypeError: labels are not integers, or scores not real numbers.
        ValueError: shapes do not fit, soft targets are no distributions, or an option is outside its range.

    >>> float(loss([0.0, -17.0], 0)) > 0
    True
    """
    refuse_unknown("loss", options, DEFAULTS)
    return _loss(scores, targets, mapping, axis, LossOptions(**options), on_domain)[0]


def loss_of_any_total(
    scores: Array,
    targets: Array,
    *,
    mapping: str | ProbabilityMapping,
    axis: int,
    on_domain: str,
    **options: Unpack[LossKeywords],
) -> Any:
    """`loss`, whose soft targets may have any sum per row: −Σ y log p with the gradient (Σy)·p − y, as torch has it."""
    return _loss(scores, targets, mapping, axis, LossOptions(**options), on_domain, is_strict=False)[0]


@with_loss_options()
def loss_and_grad(
    scores: Array,
    targets: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    on_domain: str = "raise",
    out: Array | None = None,
    **options: Unpack[LossKeywords],
) -> tuple[Any, Array]:
    """The loss and its gradient in the scores, in one pass, for users without automatic differentiation.

    Arguments, errors and bounds as for `loss`. With reduction "none" each row's gradient is that of its own loss, with
    "parts" that of the total. The gradient has the scores' shape and dtype; `out` may be the scores themselves.

    Returns:
        (loss, grad_scores). The target's entry is −Σ of the other probabilities, which does not vanish for a confident row.

    >>> value, gradient = loss_and_grad([0.0, -50.0], 0)
    >>> float(gradient[0])
    -1.9287498479639178e-22
    """
    refuse_unknown("loss_and_grad", options, DEFAULTS)
    return _loss(scores, targets, mapping, axis, LossOptions(**options), on_domain, with_gradient=True, out=out)


class _CallKeywords(LossKeywords, total=False):
    axis: int
    on_domain: str


@with_loss_options()
def cross_entropy(scores: Array, targets: Array, **options: Unpack[_CallKeywords]) -> Any:
    """`loss` under softmax: −Σ y log softmax(x), with all options of `loss` but the mapping.

    Raises:
        TypeError: an option that `loss` does not have.

    >>> round(float(cross_entropy([1.0, 0.5], 0)), 4)
    0.4741
    """
    refuse_unknown("cross_entropy", options, {"axis": -1, "on_domain": "raise"} | DEFAULTS)
    return loss(scores, targets, mapping="softmax", **options)


def _loss(
    scores: Array,
    targets: Array,
    mapping: str | ProbabilityMapping,
    axis: int,
    options: LossOptions,
    on_domain: str,
    *,
    with_gradient: bool = False,
    out: Array | None = None,
    is_strict: bool = True,
) -> tuple[Any, Any]:
    """The loss and its gradient if asked for: by the backend's fast path if nothing needs checking, else the full way."""
    is_divided = type(options.temperature) is not float and is_array(options.temperature)
    if not is_divided and type(axis) is int and axis in (-1, 1) and (backend := backend_of(scores)) is not None:
        fast = backend.try_fast_loss(mapping, scores, targets, options, on_domain, with_gradient, out)
        if fast is not None:
            return fast
    check_on_domain(on_domain)
    checked = prepare(scores, axis)
    values = checked.values
    record = prepare_mapping(resolve_mapping(mapping), checked)
    last = check_out(out, checked)
    options = prepare_row_weights(prepare_weight(options, checked), checked)
    checked_targets, is_soft = prepare_targets(targets, checked, options, is_strict)
    division = None
    if is_divided:
        division = Division(record, checked, checked_targets, is_soft, options)
        values, options = division.values, replace(options, temperature=1.0, softcap=None)
    if record.domain.is_valid is not None:
        counted = rows_that_count(None if is_soft else checked_targets, options, values)
        if counted is not None:
            check_domain(record, values, on_domain, counted, options.activation)
    place = last if division is None else None
    loss, gradient = checked.backend.loss(record, values, checked_targets, is_soft, options, with_gradient, place)
    if division is not None:
        loss, gradient = division.loss(loss), division.gradient(gradient) if with_gradient else None
    return loss, write(gradient, last, out, checked) if with_gradient else None

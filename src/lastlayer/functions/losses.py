"""Scores and targets → a loss, and its gradient in the same pass."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import replace
from typing import Any

from lastlayer.activation import Activation
from lastlayer.arguments import is_array
from lastlayer.dispatch import Request, framework_of, implementation_for, loss_quickly
from lastlayer.functions.scores import check_domain, check_on_domain, check_out, prepare, write
from lastlayer.functions.targets import (
    prepare_mapping,
    prepare_row_weights,
    prepare_targets,
    prepare_weight,
    rows_that_count,
)
from lastlayer.functions.temperature import Division
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

Array = Any


def loss(
    scores: Array,
    targets: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    weight: Array | None = None,
    sample_weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    temperature: Any = 1.0,
    softcap: float | None = None,
    on_domain: str = "raise",
    reduction: str = "mean",
) -> Any:
    """The loss of scores against targets under any mapping.

    Normalized mappings have the log loss −Σ y log p, regularized ones the Fenchel–Young loss Ω*(x) + Ω(y) − ⟨x, y⟩
    (Blondel, Martins & Niculae 2020), computed as a sum of terms ≥ 0.

    Args:
        scores: real numbers (..., K) along `axis`; any array library, or a list.
        targets: integer labels of the scores' shape without the class axis, or soft targets of the scores' shape.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        axis: the class axis.
        weight: one weight a class, (K,): in the sum of the log loss as in torch; Fenchel–Young rows are weighed by Σ w y.
        sample_weight: one weight a row.
        ignore_index: the label of rows that do not count.
        label_smoothing: the share of the target that is spread evenly over all classes, in [0, 1].
        z_loss: λ of the added λ·Z², Z = log Σ g or Ω*(x). A row's Z² has the weight that the row has in the mean: its sample
            weight times its label's class weight. So the mean of Z² does not depend on the scale of the class weights, and
            `parts` of micro-batches add up. (Liger and cut-cross-entropy divide it by the rows, whatever their weights.)
        temperature: scores are divided by it, after the softcap; a number, or an array: one number or one per row. A torch
            tensor gets its gradient.
        softcap: scores become softcap·tanh(score / softcap) first.
        on_domain: "raise" a DomainError for counted rows outside the domain, or give them a "nan" loss.
        reduction: "mean" over the weight of the counted rows, "sum", "none", or "parts" → (total, denominator).

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
    options = _options(weight, sample_weight, ignore_index, label_smoothing, z_loss, temperature, softcap, reduction)
    return _loss(scores, targets, mapping, axis, options, on_domain, False, None)[0]


def loss_of_any_total(
    scores: Array, targets: Array, *, mapping: str | ProbabilityMapping, axis: int, on_domain: str, **options: Any
) -> Any:
    """`loss`, whose soft targets may have any sum per row: −Σ y log p with the gradient (Σy)·p − y, as torch has it."""
    given = _options(**{"sample_weight": None, **options})
    return _loss(scores, targets, mapping, axis, given, on_domain, False, None, is_strict=False)[0]


def loss_and_grad(
    scores: Array,
    targets: Array,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    axis: int = -1,
    weight: Array | None = None,
    sample_weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    temperature: Any = 1.0,
    softcap: float | None = None,
    on_domain: str = "raise",
    reduction: str = "mean",
    out: Array | None = None,
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
    options = _options(weight, sample_weight, ignore_index, label_smoothing, z_loss, temperature, softcap, reduction)
    return _loss(scores, targets, mapping, axis, options, on_domain, True, out)


def cross_entropy(scores: Array, targets: Array, **options: Any) -> Any:
    """Softmax's log loss: `loss` with mapping="softmax"; the same options.

    Raises:
        TypeError: an option that `loss` has not.

    >>> round(float(cross_entropy([1.0, 0.5], 0)), 4)
    0.4741
    """
    unknown = next((name for name in options if name not in _OPTIONS), None)
    if unknown is not None:
        near = difflib.get_close_matches(unknown, _OPTIONS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_OPTIONS)}."
        raise TypeError(f"cross_entropy has no option {unknown!r}; {hint}")
    return loss(scores, targets, mapping="softmax", **options)


_OPTIONS = tuple(name for name in inspect.signature(loss).parameters if name not in ("scores", "targets", "mapping"))


def _options(
    weight: Any, sample_weight: Any, ignore_index: int, label_smoothing: float, z_loss: float, temperature: Any,
    softcap: float | None, reduction: str,
) -> LossOptions:  # fmt: skip
    return LossOptions(
        weight=weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        z_loss=z_loss,
        activation=Activation(temperature=temperature, softcap=softcap),
        reduction=reduction,
    )


def _loss(
    scores: Array,
    targets: Array,
    mapping: str | ProbabilityMapping,
    axis: int,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
    out: Array | None,
    is_strict: bool = True,
) -> tuple[Any, Any]:
    temperature = options.activation.temperature
    is_divided = type(temperature) is not float and is_array(temperature)
    if not is_divided and type(axis) is int and axis in (-1, 1):
        quick = loss_quickly(mapping, scores, targets, options, on_domain, with_gradient, out)
        if quick is None and out is None and (framework := framework_of(scores)) is not None:
            quick = framework.loss_quickly(mapping, scores, targets, options, on_domain, with_gradient)
        if quick is not None:
            return quick
    check_on_domain(on_domain)
    checked = prepare(scores, axis)
    values = checked.values
    record = prepare_mapping(resolve_mapping(mapping), checked)
    last = check_out(out, checked)
    options = prepare_row_weights(prepare_weight(options, checked), checked)
    checked_targets, is_soft = prepare_targets(targets, checked, options, is_strict)
    division = None
    if is_divided:
        division = Division(checked, checked_targets, is_soft, options)
        values, options = division.values, replace(options, activation=Activation())
    if record.domain.is_valid is not None:
        counted = rows_that_count(None if is_soft else checked_targets, options, values)
        if counted is not None:
            check_domain(record, values, on_domain, counted, options.activation)
    chosen = implementation_for(values, Request(record, "loss", is_soft, options))
    place = last if division is None else None
    loss, gradient = chosen.loss(record, values, checked_targets, is_soft, options, with_gradient, place)
    if division is not None:
        loss, gradient = division.loss(loss), division.gradient(gradient) if with_gradient else None
    return loss, write(gradient, last, out, checked) if with_gradient else None

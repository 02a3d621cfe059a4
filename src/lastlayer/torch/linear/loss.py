"""`linear_loss`: the loss of scores = input · weightᵀ + bias without ever storing them all."""

from __future__ import annotations

from typing import Any, Unpack

import torch

from lastlayer.backends.torch.operators import flatten
from lastlayer.losses import HeadKeywords, with_loss_options
from lastlayer.losses.options import NUMBERS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import (
    divide_by_temperature,
    options_of_head,
    prepare_head,
    prepare_mapping,
    prepare_targets,
    prepare_weights,
    refuse_gradients,
)
from lastlayer.torch.linear.distillation import DistillationTargets, distillation_loss
from lastlayer.torch.linear.eager import head_loss
from lastlayer.torch.linear.margins.scoring import divisor_of, read_scoring, with_prior
from lastlayer.torch.linear.mesh import is_on_mesh, loss_on_mesh
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores, plan
from lastlayer.torch.linear.request import HeadRequest
from lastlayer.torch.linear.shapes import as_rows
from lastlayer.torch.linear.sharded import classes_that_exist, plan_in_slices, sliced_loss

Tensor = torch.Tensor


@with_loss_options(weight="class_weight")
def linear_loss(
    input: Tensor,
    weight: Tensor,
    targets: Tensor | DistillationTargets,
    *,
    bias: Tensor | None = None,
    mapping: str | ProbabilityMapping = "softmax",
    max_memory: int | None = None,
    scores_dtype: torch.dtype | None = None,
    group: Any = None,
    n_classes: int | None = None,
    normalize: bool = False,
    scale: float | Tensor | None = None,
    margin: tuple[str, float] | None = None,
    class_prior: Tensor | None = None,
    **options: Unpack[HeadKeywords],
) -> Any:
    """The loss of a linear head, as `ll.loss(input @ weight.T + bias, targets)` gives it, in blocks of rows.

    Where the loss is reduced its gradients are computed in the same pass: three matrix products, each score computed once.
    With reduction="none" backward computes the scores again. Rows whose label is `ignore_index` cost nothing on the CPU.

    Args:
        input: (..., D), float32, bfloat16, float16 or float64; cast like F.linear under autocast.
        weight: (K, D), of the same dtype.
        targets: labels (...) of any integer dtype, soft targets (..., K), or those of a teacher: `SparseTargets`, `TeacherTargets`.
        bias: (K,) or None.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        max_memory: bytes above inputs and gradients; by default the larger of 64 MiB and a third of the weight's size, on CUDA of
            512 MiB and eight fifths of it.
        scores_dtype: torch.float32 keeps the scores of bfloat16 and float16 inputs in float32: the sums of the product are not
            rounded to the half type before the loss. A block takes three times the memory. Weights stay as they are.
            Give the temperature as a number then: a tensor per row, or one that is learned, divides the inputs, which are rounded to
            the half type again, as the unit rows of `normalize` are.
        group: a process group of torch.distributed whose processes hold the classes in slices: `weight` and all else that has an
            entry per class (bias, class_weight, class_prior, soft targets) are this process's slice, in the order of the ranks; slices may be
            uneven or empty. Input, labels and options are the same on all. The loss is that of the whole head, on every process.
            Instead of group=, weight (and bias, class_weight, class_prior) may be DTensors: Shard(0) over one dimension of a mesh says who holds
            which classes, Replicate() over the others. If input is a DTensor too, it says which rows are where, and so does the loss.
        n_classes: the classes that exist, if `weight` is padded with more rows (of all slices together).
        normalize: scores are cosines: scale · cos(h, w) + bias, by unit rows of input and weight. A row of zeros has scores 0.
        scale: a positive number, or a tensor of one, which may be learned; 1 by default.
        margin: ("additive", m): the label's score is scale · (cos θ − m) (CosFace), m ≥ 0. ("angular", m): it is
            scale · cos(θ + m) (ArcFace), m in [0, π/2] radians, and scale · (cos θ − m sin m) where θ > π − m. Needs labels and
            normalize.
        class_prior: (K,) positive numbers π, such as class counts: log(π / Σ π) is added to the scores after the temperature (logit
            adjustment: Menon et al., "Long-tail learning via logit adjustment", 2021). Not with a softcap.
        {loss options}

    A tensor as temperature may be learned, but not together with a softcap.

    Returns:
        The loss, float32 (float64 for float64 inputs). Gradients flow to input, weight, bias, temperature and scale; what needs
        none is not computed. A margin's gradient is finite at every angle; at angle 0, where the angular one has a tip, that of the
        tip is 0. The gradient of the weight is summed over blocks in float32 at least; float16 gradients are sums in
        float32, rounded once. A row that does not count has gradient 0, even where infinity or NaN arrives from upstream.

    Raises:
        IndexError: a label out of range (on the CPU; elsewhere and under tracing it makes its loss NaN).
        TypeError: dtypes that do not fit, or a gradient required of any other argument.
        ValueError: shapes that do not fit, soft targets that are no distributions, an option outside its range or without another that
            it needs, or another scores_dtype.

    The row losses have the mapping's error bound at the scores that the matrix product gives.

    >>> import torch
    >>> input, weight = torch.eye(2), torch.tensor([[1.0, 0.0], [0.5, 0.0]])
    >>> round(float(linear_loss(input, weight, torch.tensor([0, 1]))), 6)
    0.583612
    """
    scoring = {"normalize": normalize, "scale": scale, "margin": margin, "class_prior": class_prior}
    if is_on_mesh(input, weight, bias, targets):
        given: dict[str, Any] = {
            "bias": bias,
            "mapping": mapping,
            "max_memory": max_memory,
            "scores_dtype": scores_dtype,
        }
        given |= {**scoring, "n_classes": n_classes, **options}
        return loss_on_mesh(linear_loss, input, weight, targets, group, given)
    if isinstance(targets, DistillationTargets) or group is not None:
        request = HeadRequest(
            input, weight, targets, bias, mapping, max_memory, scores_dtype, group, n_classes, dict(options), scoring
        )
        return distillation_loss(request) if isinstance(targets, DistillationTargets) else sliced_loss(request)
    if n_classes is not None:
        weight, bias, targets, options, class_prior = classes_that_exist(
            n_classes, weight, bias, targets, options, class_prior
        )
    # A tensor as temperature is divided by here; the numbers that the kernels take have no gradient.
    temperature, softcap = options.get("temperature", 1.0), options.get("softcap")
    refuse_gradients(**{name: options.get(name) for name in NUMBERS if name != "temperature"})
    check_max_memory(max_memory)
    side = read_scoring(normalize, scale, margin, class_prior, softcap)
    rows, classes = side.rows(input, weight, bias)
    undivided = prepare_head(rows, classes, bias)
    head, number = divide_by_temperature(undivided, temperature, softcap)
    divisor = divisor_of(head, undivided, temperature)
    is_wide = has_wide_scores(scores_dtype, head.input.dtype)
    log_prior = side.log_prior(head.weight.shape[0])
    log_prior = None if log_prior is None else number * log_prior
    head = with_prior(head, log_prior, is_wide)
    record = prepare_mapping(resolve_mapping(mapping), head)
    checked = prepare_weights(options_of_head("linear_loss", {**options, "temperature": number}), head)
    goal = prepare_targets(targets, head, checked)
    side.check_targets(goal.is_floating_point())
    label_scores = side.at_labels(input, weight, bias, goal, divisor, log_prior)
    is_tracking = torch.is_grad_enabled()
    wanted = [t is not None and t.requires_grad and is_tracking for t in (head.input, head.weight, head.bias)]
    value, denominator = head_loss(
        head.input, head.weight, head.bias, label_scores, *flatten(record, goal, checked), max_memory, is_wide, *wanted
    )
    if checked.reduction == "parts":
        return value, denominator.detach()
    return as_rows(value, head.shape) if checked.reduction == "none" else value


linear_loss.plan = plan  # type: ignore[attr-defined]
linear_loss.plan_in_slices = plan_in_slices  # type: ignore[attr-defined]

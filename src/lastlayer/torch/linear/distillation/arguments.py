"""The arguments of a distillation loss: what is refused, and flat targets whose shapes and dtypes fit the head."""

from __future__ import annotations

from typing import Any

import torch

from lastlayer.activation import Activation
from lastlayer.backends.torch.tensor_state import is_untransformed
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.arguments import Head, divide_by_temperature, prepare_head, refuse_gradients
from lastlayer.torch.linear.distillation.goals import SparseGoal, TeacherGoal
from lastlayer.torch.linear.distillation.targets import DistillationTargets, SparseTargets, TeacherTargets
from lastlayer.torch.linear.margins.scoring import Scoring
from lastlayer.torch.linear.plan import has_wide_scores

Tensor = torch.Tensor


def refuse_transforms(*tensors: Any) -> None:
    given = [x for x in tensors if isinstance(x, torch.Tensor) and not hasattr(x, "device_mesh")]
    if all(is_untransformed(x) and not x.is_meta for x in given):
        return
    raise TypeError(
        "SparseTargets and TeacherTargets work on plain tensors in eager calls: not inside of torch.func, meta and fake tensors, "
        "export or a dispatch mode. torch.compile leaves its graph for this call."
    )


def refuse_combinations(targets: DistillationTargets, mapping: ProbabilityMapping, options: LossOptions) -> None:
    if options.label_smoothing:
        raise ValueError(
            f"label_smoothing is {options.label_smoothing}; targets of a teacher are smooth already. Leave it out, or raise the "
            "teacher's temperature."
        )
    if options.weight is not None:
        raise ValueError(
            "class_weight with targets of a teacher: the weighted sum is no divergence, and may be negative. Leave it out, or weigh "
            "rows by sample_weight."
        )
    has_tail = isinstance(targets, SparseTargets) and targets.rest == "tail"
    if has_tail and targets.divergence == "forward" and mapping.family == "regularized":
        raise ValueError(
            f"{mapping.label} with a tail: its Fenchel–Young loss needs a score for every target, and a class made of others has "
            'none. Use rest="nothing", divergence="reverse", or TeacherTargets.'
        )
    is_teacher, is_sparse_support = isinstance(targets, TeacherTargets), mapping.family == "regularized"
    if is_teacher and targets.divergence == "reverse" and is_sparse_support and "full_support" not in mapping.laws:
        raise ValueError(
            f"{mapping.label} gives many classes probability 0, so the reverse KL is infinite wherever the teacher does and the "
            'student does not. Use divergence="js" or "forward".'
        )


def refuse_label_options(scoring: Scoring) -> None:
    """Raise TypeError for what corrects the scores of a loss with labels."""
    if scoring.margin is not None:
        raise TypeError(
            "margin needs labels, since it lowers the score of one class per row; targets are those of a teacher: leave out the margin."
        )
    if scoring.class_prior is not None:
        raise TypeError(
            "class_prior corrects for how often each label occurs; a teacher's probabilities know that already: leave out class_prior."
        )


def goal_of(
    targets: DistillationTargets, head: Head, classes: int, options: LossOptions, scores_dtype: torch.dtype | None
) -> SparseGoal | TeacherGoal:
    """Flat targets, checked as far as shapes and dtypes say."""
    if isinstance(targets, SparseTargets):
        return _sparse_goal(targets, head, options.ignore_index)
    if isinstance(targets, TeacherTargets):
        return _teacher_goal(targets, head, classes, scores_dtype)
    raise TypeError(f"targets are {type(targets).__name__}; give SparseTargets or TeacherTargets.")


def _sparse_goal(targets: SparseTargets, head: Head, ignore_index: int) -> SparseGoal:
    indices, probabilities = targets.indices, targets.probabilities
    for name, value, kind in (("indices", indices, "integers"), ("probabilities", probabilities, "floats")):
        if _kind_of(value) != kind:
            what = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise TypeError(f"{name} are {what}; give a torch tensor of {kind}.")
    _refuse_elsewhere(head, indices=indices, probabilities=probabilities)
    refuse_gradients(**{"targets.probabilities": probabilities})
    k = indices.shape[-1] if indices.ndim else 0
    if indices.shape not in ((*head.shape, k), (head.input.shape[0], k)) or k < 1:
        raise ValueError(
            f"indices have shape {tuple(indices.shape)} for rows of shape {tuple(head.shape)}; give "
            f"({', '.join(map(str, (*head.shape, 'k')))}) with k ≥ 1."
        )
    if probabilities.shape != indices.shape:
        raise ValueError(
            f"probabilities have shape {tuple(probabilities.shape)} and indices {tuple(indices.shape)}; give one per index."
        )
    return SparseGoal(indices.reshape(-1, k), probabilities.reshape(-1, k), targets.rest == "tail", ignore_index)


def _teacher_goal(targets: TeacherTargets, head: Head, classes: int, scores_dtype: torch.dtype | None) -> TeacherGoal:
    given = {"input": targets.input, "weight": targets.weight, "bias": targets.bias}
    refuse_gradients(
        **{f"the teacher's {name}": value for name, value in given.items()},
        **{"the teacher's temperature": targets.temperature, "the teacher's softcap": targets.softcap},
    )
    try:
        whole = prepare_head(targets.input, targets.weight, targets.bias, may_be_empty=True)
        teacher, temperature = divide_by_temperature(whole, targets.temperature, targets.softcap)
        activation = Activation(temperature, targets.softcap)
    except (TypeError, ValueError) as error:
        raise type(error)(f"the teacher's {error}") from error
    _refuse_elsewhere(head, **{f"the teacher's {name}": value for name, value in given.items()})
    if teacher.input.shape[0] != head.input.shape[0] or teacher.shape not in (head.shape, head.input.shape[:1]):
        raise ValueError(
            f"the teacher's input has rows of shape {tuple(teacher.shape)} and the student's {tuple(head.shape)}; give one row each."
        )
    if teacher.weight.shape[0] != classes:
        raise ValueError(
            f"the teacher's weight has {teacher.weight.shape[0]} rows and the student's {classes}; give the same classes in the "
            "same order."
        )
    is_half = teacher.input.dtype.itemsize <= 2
    is_wide = has_wide_scores(scores_dtype if is_half else None, teacher.input.dtype)
    return TeacherGoal(teacher.input, teacher.weight, teacher.bias, activation, is_wide)


def _refuse_elsewhere(head: Head, **tensors: Any) -> None:
    """Raise ValueError for a tensor on another device than the student's."""
    device = head.input.device
    for name, tensor in tensors.items():
        if tensor is not None and tensor.device != device:
            raise ValueError(
                f"{name}: on {tensor.device}, but the student's input is on {device}; move it with .to(input.device)."
            )


def _kind_of(value: Any) -> str:
    if not isinstance(value, torch.Tensor) or value.dtype.is_complex or value.dtype == torch.bool:
        return "other"
    return "floats" if value.dtype.is_floating_point else "integers"

"""From the arguments of `linear_loss` with distillation targets to a `Problem`: checked, and agreed on by the processes of a group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lastlayer.arguments import as_integer
from lastlayer.losses import LossOptions
from lastlayer.losses.options import NUMBERS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import (
    Head,
    options_of_head,
    prepare_mapping,
    prepare_weights,
    refuse_gradients,
)
from lastlayer.torch.linear.distillation.arguments import (
    goal_of,
    refuse_combinations,
    refuse_label_options,
    refuse_transforms,
)
from lastlayer.torch.linear.distillation.goals import SparseGoal, TeacherGoal
from lastlayer.torch.linear.distillation.problem import IGNORED, Alone, Problem
from lastlayer.torch.linear.distillation.rows import buffers
from lastlayer.torch.linear.distillation.targets import DistillationTargets
from lastlayer.torch.linear.margins.scoring import read_scoring
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores
from lastlayer.torch.linear.request import HeadRequest
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.handshake import Agreement
from lastlayer.torch.linear.sharded.preparation import (
    Sliced,
    agree_on,
    fact_of_temperature,
    facts_of,
    height_of,
    or_tell,
    prepare_slices,
)
from lastlayer.torch.linear.sharded.prints import print_of_rows
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor

#: Numbers of a fingerprint at one time, each with a few integers.
_PRINTED = 2**20


def prepare_problem(given: HeadRequest) -> tuple[Problem, Head]:
    """The problem, and the student's head of this process's classes."""

    def prepare() -> tuple[Sliced, SparseGoal | TeacherGoal]:
        refuse_gradients(**{name: given.options.get(name) for name in NUMBERS if name != "temperature"})
        check_max_memory(given.max_memory)
        refuse_transforms(given.input, given.weight)
        side = read_scoring(**given.scoring, softcap=given.options.get("softcap"))
        refuse_label_options(side)
        rows = side.rows(given.input, given.weight, given.bias)
        head, number = prepare_slices(
            *rows, given.bias, given.options.get("temperature", 1.0), given.options.get("softcap")
        )
        record = prepare_mapping(resolve_mapping(given.mapping), head)
        checked = prepare_weights(options_of_head("linear_loss", {**given.options, "temperature": number}), head)
        refuse_combinations(given.targets, record, checked)
        is_wide = has_wide_scores(given.scores_dtype, head.input.dtype)
        goal = goal_of(given.targets, head, given.weight.shape[0], checked, given.scores_dtype)
        labels = _stand_in(goal, head)
        height = height_of(head, given.max_memory, is_wide, buffers(record, goal, head, given.group is None))
        facts = (
            {}
            if given.group is None
            else _facts(head, record, checked, labels, given.targets, goal, given.scores_dtype) | side.facts()
        )
        facts |= fact_of_temperature(given.options.get("temperature"))
        checked = replace(checked, ignore_index=IGNORED)
        return Sliced(head, record, checked, labels, False, is_wide, height, facts), goal

    if given.group is None:
        sliced, goal = prepare()
        call, head = _alone(sliced, given.n_classes)
    else:
        wire = Wire(given.group, "linear_loss")
        sliced, goal = or_tell(wire, given.weight, prepare)
        call, head = agree_on(wire, sliced, given.n_classes)
    if isinstance(goal, TeacherGoal):
        goal = replace(
            goal, weight=goal.weight[: call.size], bias=None if goal.bias is None else goal.bias[: call.size]
        )
    else:
        is_counted = call.targets != IGNORED
        weights = call.options.sample_weight
        goal.check(
            is_counted if weights is None else is_counted & (weights != 0), call.classes, given.targets.divergence
        )
    return Problem(call, goal, given.targets.divergence), head


def _alone(sliced: Sliced, n_classes: int | None) -> tuple[Call, Head]:
    head = sliced.head
    classes = head.weight.shape[0]
    if not classes:
        raise ValueError(f"weight has shape {tuple(head.weight.shape)}: no class; give at least one row.")
    if n_classes is not None:
        if not 1 <= as_integer("n_classes", n_classes, "the number of classes that exist") <= classes:
            raise ValueError(f"n_classes is {n_classes}; weight has {classes} rows: give 1..{classes}.")
        classes = int(n_classes)
        head = head._replace(weight=head.weight[:classes], bias=None if head.bias is None else head.bias[:classes])
    wire: Any = Alone()
    agreement = Agreement(sliced.height, (classes,))
    return Call(wire, agreement, sliced.mapping, sliced.targets, sliced.options, sliced.is_wide, {}), head


def _stand_in(goal: SparseGoal | TeacherGoal, head: Head) -> Tensor:
    """Labels (N,) that say which rows may count: 0, and `IGNORED` for rows of padding."""
    labels = torch.zeros(head.input.shape[0], dtype=torch.int64, device=head.input.device)
    return torch.where(goal.is_padding(), IGNORED, labels) if isinstance(goal, SparseGoal) else labels


def _facts(
    head: Head,
    mapping: ProbabilityMapping,
    options: LossOptions,
    labels: Tensor,
    targets: DistillationTargets,
    goal: SparseGoal | TeacherGoal,
    scores_dtype: torch.dtype | None,
) -> dict[str, object]:
    """What must be the same on every process, in words."""
    facts = {**facts_of(head, mapping, options, labels, False), "scores_dtype": scores_dtype}
    facts["targets"] = type(targets).__name__
    facts["divergence"] = getattr(targets, "divergence", None)
    if isinstance(goal, SparseGoal):
        facts["rest"] = "tail" if goal.has_tail else "nothing"
        facts["targets per row"] = goal.indices.shape[1]
        facts["indices, as a fingerprint"] = print_of_rows(goal.indices)
        facts["probabilities, as a fingerprint"] = _print_of_floats(goal.probabilities)
    else:
        facts["the teacher's features"] = goal.input.shape[1]
        facts["the teacher's dtype"] = goal.input.dtype
        facts["the teacher's bias"] = goal.bias is not None
        facts["the teacher's temperature"] = goal.activation.temperature
        facts["the teacher's softcap"] = goal.activation.softcap
        facts["the teacher's input, as a fingerprint"] = _print_of_floats(goal.input)
    return facts


def _print_of_floats(values: Tensor) -> str:
    """A fingerprint of the bits of every number at its place."""
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[values.dtype.itemsize]
    height = max(1, _PRINTED // max(1, values.shape[1]))
    parts = (values[start : start + height] for start in range(0, values.shape[0], height))
    prints = [print_of_rows(part.contiguous().view(bits)) for part in parts]
    return print_of_rows(torch.tensor([int(x, 16) - 2**63 for x in prints]))

"""`linear_loss` with distillation targets, as autograd sees it: forward computes the gradients, except where losses are not reduced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lastlayer.torch.linear.blocks import Wanted
from lastlayer.torch.linear.distillation.blocks import loss_of_problem
from lastlayer.torch.linear.distillation.preparation import prepare_problem
from lastlayer.torch.linear.distillation.problem import Problem
from lastlayer.torch.linear.request import HeadRequest
from lastlayer.torch.linear.scaling import weighted_rows
from lastlayer.torch.linear.shapes import as_rows
from lastlayer.torch.linear.sharded.autograd import agree_on_backward, scale_gradients

Tensor = torch.Tensor


@torch.compiler.disable  # type: ignore[untyped-decorator]
def distillation_loss(given: HeadRequest) -> Any:
    """The loss of the whole head; with a group, on every process."""
    problem, head = prepare_problem(given)
    is_tracking = torch.is_grad_enabled()
    wanted = Wanted(*(x is not None and x.requires_grad and is_tracking for x in head[:3]))
    value, denominator = DistillationLoss.apply(problem, wanted, *head[:3])  # type: ignore[no-untyped-call]
    reduction = problem.call.options.reduction
    if reduction == "parts":
        return value, denominator.detach()
    return as_rows(value, head.shape) if reduction == "none" else value


class DistillationLoss(torch.autograd.Function):
    """Loss and denominator."""

    @staticmethod
    def forward(
        ctx: Any, problem: Problem, wanted: Wanted, input: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        options = problem.call.options
        is_later = options.reduction == "none"
        now = Wanted(False, False, False) if is_later else wanted
        found = loss_of_problem(problem, input, weight, bias, options, now)
        ctx.problem, ctx.wanted, ctx.kept = problem, wanted, None if is_later else found
        # The targets too, so that autograd notices if one has changed in place before backward computes with it.
        ctx.save_for_backward(input, weight, bias, *problem.goal.tensors)
        total, denominator = found.value if isinstance(found.value, tuple) else (found.value, found.value.new_empty(0))
        ctx.mark_non_differentiable(denominator)
        return total, denominator

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Any) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "linear_loss with SparseTargets or TeacherTargets has no second derivatives (create_graph=True): its backward pass "
                "works in place on blocks of scores. Leave out create_graph, or give dense soft targets."
            )
        problem, (input, weight, bias, *_) = ctx.problem, ctx.saved_tensors
        options = problem.call.options
        is_later = options.reduction == "none"
        if is_later:
            options = replace(options, sample_weight=weighted_rows(upstream, options))
        found = ctx.kept
        if found is None:
            # Not reduced, or an earlier backward returned what forward had kept.
            if not problem.is_alone:
                agree_on_backward(problem.call, input, upstream if is_later else None)
            found = loss_of_problem(problem, input, weight, bias, options, ctx.wanted)
        ctx.kept = None
        scale_gradients(found, upstream.new_ones(()) if is_later else upstream)
        each = zip(found.gradients[:3], (input, weight, bias), ctx.wanted, strict=True)
        return None, None, *(total.to(x.dtype) if is_wanted and x is not None else None for total, x, is_wanted in each)

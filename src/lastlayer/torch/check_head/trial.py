"""One head on one problem: its loss and gradients next to the truth, which plain torch computes in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.nn import functional

Tensor = torch.Tensor
#: function(input, weight, targets, *, bias=None, **options) → loss
Head = Callable[..., Tensor]

IGNORED = -100


@dataclass(frozen=True)
class Problem:
    """input (N, D), weight (K, D), bias (K,) or None, labels (N,)."""

    input: Tensor
    weight: Tensor
    labels: Tensor
    bias: Tensor | None = None
    #: Names of input, weight and bias that are not trained.
    frozen: tuple[str, ...] = ()

    @property
    def trained(self) -> dict[str, Tensor]:
        """What has a gradient, by name."""
        named = {"input": self.input, "weight": self.weight} | ({} if self.bias is None else {"bias": self.bias})
        return {name: tensor for name, tensor in named.items() if name not in self.frozen}

    def copy(self) -> Problem:
        """Fresh leaves, which require gradients unless they are frozen; strides are kept."""
        trained = self.trained
        # `detach` keeps storage and strides: that no head writes to its arguments is a case of its own.
        leaves = {
            name: tensor.detach().requires_grad_(name in trained)
            for name, tensor in (("input", self.input), ("weight", self.weight), ("bias", self.bias))
            if tensor is not None
        }
        return Problem(leaves["input"], leaves["weight"], self.labels, leaves.get("bias"), self.frozen)

    def to(self, dtype: torch.dtype) -> Problem:
        """The same numbers in another dtype."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, input=self.input.to(dtype), weight=self.weight.to(dtype), bias=bias)


Answer = dict[str, Tensor]


def answer(head: Head, problem: Problem, upstream: Tensor | None = None, **options: Any) -> Answer:
    """The loss and the gradient of everything that is trained."""
    leaves = problem.copy()
    also = {} if leaves.bias is None else {"bias": leaves.bias}
    loss = head(leaves.input, leaves.weight, leaves.labels, **also, **options)
    torch.autograd.backward(loss, torch.ones_like(loss) if upstream is None else upstream.to(loss))
    return {"loss": loss.detach(), **gradients(leaves)}


def gradients(leaves: Problem) -> Answer:
    """What backward left at each leaf that is trained; None counts as missing, which no comparison accepts."""
    found = {}
    for name, leaf in leaves.trained.items():
        found[f"gradient of {name}"] = torch.full_like(leaf, math.nan) if leaf.grad is None else leaf.grad
    return found


def plain(input: Tensor, weight: Tensor, labels: Tensor, *, bias: Tensor | None = None, **options: Any) -> Tensor:
    """The scores, and torch's loss of the rows that count. The other rows are not looked at, so NaN may stand there."""
    reduction, smoothing = options.get("reduction", "mean"), options.get("label_smoothing", 0.0)
    counted = labels.long() != options.get("ignore_index", IGNORED)
    scores = functional.linear(input[counted], weight, bias)
    losses = functional.cross_entropy(scores, labels.long()[counted], reduction="none", label_smoothing=smoothing)
    if reduction == "none":
        return losses.new_zeros(len(labels)).masked_scatter(counted, losses)
    return losses.sum() / (max(1, int(counted.sum())) if reduction == "mean" else 1)


@dataclass
class Trial:
    """What a case found: the worst error relative to what is allowed, and where."""

    head: Head
    dtype: torch.dtype
    device: torch.device
    worst: tuple[float, float, str] = field(default=(0.0, 1.0, ""))

    def compare(self, problem: Problem, upstream: Tensor | None = None, **options: Any) -> None:
        """The head's loss and gradients against float64; up to twice the error of plain torch in the same dtype is allowed."""
        wide = None if upstream is None else upstream.double()
        truth = answer(plain, problem.to(torch.float64), wide, **options)
        naive = answer(plain, problem, upstream, **options)
        self.judge(answer(self.head, problem, upstream, **options), truth, naive)

    def judge(self, got: Answer, truth: Answer, naive: Answer) -> None:
        """Each quantity's distance from the truth, relative to its largest entry."""
        # The truth is rounded itself: as coarsely as the result where that is float64 too.
        slack = (1024 if self.dtype == torch.float64 else 32) * torch.finfo(self.dtype).eps
        for what, exact in truth.items():
            allowed = 2 * distance(naive[what], exact) + slack
            self.note(distance(got[what], exact), allowed, what)

    def require(self, is_right: bool, what: str) -> None:
        """A condition without a measure: wrong is infinitely wrong."""
        self.note(0.0 if is_right else math.inf, 1.0, what)

    def note(self, error: float, allowed: float, what: str) -> None:
        """Keep the worst."""
        if error / allowed > self.worst[0] / self.worst[1] or not self.worst[2]:
            self.worst = (error, allowed, what)


def distance(got: Tensor, truth: Tensor) -> float:
    """The largest error, relative to the largest entry (to 1 where all are 0); inf where only one of the two is finite."""
    if got.shape != truth.shape:
        return math.inf
    if not truth.numel():
        return 0.0
    got = got.double()
    is_same = (got == truth) | (got.isnan() & truth.isnan())
    error = torch.where(is_same, 0.0, (got - truth).abs()).nan_to_num(nan=math.inf).max()
    size = float(truth.abs().nan_to_num(nan=0.0, posinf=0.0).max())
    return float(error) / (size or 1.0)

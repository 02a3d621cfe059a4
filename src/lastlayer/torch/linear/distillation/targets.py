"""Targets of a linear head that are never stored as (N, K): the k largest probabilities of a teacher, or the teacher's own head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from lastlayer.torch.linear.distillation.divergences import DIVERGENCES

Tensor = torch.Tensor

RESTS = ("tail", "nothing")


class DistillationTargets:
    """What `linear_loss` takes as `targets` besides labels and soft targets."""

    divergence: str


@dataclass(frozen=True, eq=False)
class SparseTargets(DistillationTargets):
    """A few probabilities per row as targets of `linear_loss`: those of the k classes that a teacher finds likeliest.

        forward: KL(y ‖ p) = Σ yᵢ log(yᵢ / pᵢ),    reverse: KL(p ‖ y) = Σ pᵢ log(pᵢ / yᵢ)

    The loss is never negative: a sum of terms ≥ 0, or, for a Fenchel–Young loss, set to 0 where rounding leaves less. If teacher and
    student have a temperature T, multiply it by T² to keep the size of the gradient; that is left to you.

    Args:
        indices: (..., k) classes, of any integer dtype, different within a row. With `group=` they are the classes of the whole head.
            An index equal to `ignore_index` is padding: its probability is not read. A row of padding alone does not count.
        probabilities: (..., k) their probabilities (no logarithms), ≥ 0, of sum at most 1, and 1 if all classes are named.
        rest: "tail": what the k probabilities leave of 1 is the target of one class made of all other classes, whose probability is
            the sum of theirs. "nothing": the probabilities are divided by their sum, and all other classes have the target 0.
        divergence: "forward" or "reverse". Under a mapping of the regularized family, "forward" is its Fenchel–Young loss.

    Raises:
        ValueError: another word, or reverse with rest="nothing": wherever p > 0 meets a target of 0, the reverse KL is infinite.

    Source: Hinton, Vinyals & Dean 2015, Distilling the knowledge in a neural network.

    >>> import torch
    >>> from lastlayer.torch import linear_loss
    >>> targets = SparseTargets(torch.tensor([[2, 0]]), torch.tensor([[0.5, 0.25]]))
    >>> round(float(linear_loss(torch.ones(1, 2), torch.zeros(4, 2), targets)), 6)
    0.173287
    """

    indices: Tensor
    probabilities: Tensor
    rest: str = field(default="tail", kw_only=True)
    divergence: str = field(default="forward", kw_only=True)

    def __post_init__(self) -> None:
        _choose("rest", self.rest, RESTS)
        _choose("divergence", self.divergence, DIVERGENCES[:2])
        if self.divergence == "reverse" and self.rest == "nothing":
            raise ValueError(
                'divergence="reverse" with rest="nothing" is infinite: the student gives every class some probability, and all '
                'classes but k have the target 0. Use rest="tail", or divergence="forward".'
            )


@dataclass(frozen=True, eq=False)
class TeacherTargets(DistillationTargets):
    """The probabilities of a teacher's head as targets of `linear_loss`, computed in blocks next to the student's.

        y = mapping(a(teacher input · teacher weightᵀ + bias)),    a = softcap and temperature
        forward: KL(y ‖ p),    reverse: KL(p ‖ y),    js: ½ KL(p ‖ m) + ½ KL(y ‖ m) with m = (p + y)/2

    The mapping is the student's. The teacher has the same K classes in the same order; its D may be another. It is a constant:
    a tensor that requires a gradient is refused, so give `head.weight.detach()`. Rows that must not count have `sample_weight` 0.
    Neither side's scores are stored. If both have a temperature T, multiply the loss by T² to keep the size of the gradient; that is
    left to you.

    Args:
        input: (..., D of the teacher), one row per row of the student's input.
        weight: (K, D of the teacher); with `group=` the same slice of the classes as the student's weight.
        bias: (K,) or None.
        temperature: the teacher's: a number, or a tensor with one number or one per row. The student's is `temperature=` of the loss.
        softcap: the teacher's.
        divergence: "forward", "reverse" or "js". A reverse KL that is infinite has the gradient 0 in its row.
            Under a mapping of the regularized family, "forward" is its Fenchel–Young loss.

    Raises:
        ValueError: another word.

    Sources: Hinton, Vinyals & Dean 2015; Lin 1991, Divergence measures based on the Shannon entropy.

    >>> import torch
    >>> from lastlayer.torch import linear_loss
    >>> teacher = TeacherTargets(torch.ones(1, 1), torch.tensor([[0.0], [1.0]]))
    >>> round(float(linear_loss(torch.ones(1, 2), torch.zeros(2, 2), teacher)), 6)
    0.110944
    """

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    temperature: Any = 1.0
    softcap: float | None = field(default=None, kw_only=True)
    divergence: str = field(default="forward", kw_only=True)

    def __post_init__(self) -> None:
        _choose("divergence", self.divergence, DIVERGENCES)


def _choose(name: str, value: Any, words: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(map(repr, words))}.")

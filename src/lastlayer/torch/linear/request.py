"""The arguments of `linear_loss` as they were given, for the ways on which it may be computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from lastlayer.mappings import ProbabilityMapping

Tensor = torch.Tensor


class HeadRequest(NamedTuple):
    """What a call of `linear_loss` asks for; nothing has been checked yet."""

    input: Tensor
    weight: Tensor
    #: Labels, soft targets, or those of a teacher.
    targets: Any
    bias: Tensor | None
    mapping: str | ProbabilityMapping
    max_memory: int | None
    scores_dtype: torch.dtype | None
    group: Any
    n_classes: int | None
    #: The options of the loss, by their names in `linear_loss`.
    options: dict[str, Any]
    #: normalize, scale, margin and class_prior.
    scoring: dict[str, Any]

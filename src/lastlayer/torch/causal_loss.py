"""transformers' loss of causal language models, computed from scores that are not stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from lastlayer.torch.lazy_scores import LazyScores

Tensor = torch.Tensor


@dataclass(frozen=True)
class CausalLoss:
    """The loss of tokens < n predicting n, with the signature and the meaning of transformers' ForCausalLMLoss."""

    options: dict[str, Any]

    def __call__(
        self,
        scores: LazyScores,
        labels: Tensor | None,
        vocab_size: int | None = None,
        num_items_in_batch: Tensor | int | None = None,
        ignore_index: int = -100,
        shift_labels: Tensor | None = None,
        **unused: Any,
    ) -> Tensor:
        if shift_labels is None:
            assert labels is not None
            shift_labels = torch.nn.functional.pad(labels, (0, 1), value=ignore_index)[..., 1:]
        targets = shift_labels.to(scores.device).reshape(scores.shape[:-1])
        options = self.options
        if options["class_weight"] is not None:
            options = {**options, "class_weight": options["class_weight"].to(scores.device)}
        if num_items_in_batch is None:
            return scores.loss(targets, ignore_index=ignore_index, reduction="mean", **options)
        total = scores.loss(targets, ignore_index=ignore_index, reduction="sum", **options)
        items = torch.as_tensor(num_items_in_batch, device=total.device)
        # A step without labels: 0 / 0 would make the loss NaN, and with it every weight.
        return total / torch.where((items == 0) & (total == 0), 1, items)

"""log p of the label, entropy and Z of rows under softmax from their sums, and what the slopes of those three are made of.

With m = max x, others = Σ e^(x − m) without the largest term, and spread = Σ e^(x − m) (m − x),

    Z = m + log1p(others),    log p = (x − m) − log1p(others),    entropy = log1p(others) + spread / (1 + others).

No term of the last two has another sign, so log p is never above 0, the entropy never below, and confident rows keep their digits.
"""

from __future__ import annotations

import torch

from lastlayer.backends.torch.softmax_rows import RowSlopes, RowSums

Tensor = torch.Tensor


def statistics_of_sums(sums: RowSums, labels: Tensor, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """log p of the label, entropy and Z, float64; NaN in rows of −inf alone, and log p is NaN for a label out of range."""
    largest = torch.where(sums.largest == -float("inf"), float("nan"), sums.largest)
    log_sum = torch.log1p(sums.others)
    # Infinite scores share equally.
    below = torch.where(sums.at_label == largest, 0.0, sums.at_label - largest)
    log_prob = torch.where(is_out_of_range(labels, classes), float("nan"), below - log_sum)
    nothing = 0.0 * torch.where(largest.isnan(), largest, 0.0)
    return log_prob + nothing, log_sum + sums.spread / (1.0 + sums.others) + nothing, largest + log_sum


def slopes_of_statistics(
    largest: Tensor,
    others: Tensor,
    log_prob: Tensor,
    entropy: Tensor,
    in_log_prob: Tensor,
    in_entropy: Tensor,
    in_partition: Tensor,
) -> RowSlopes:
    """p (c − a − b (log p + H)), and at the label p (c − b (log p + H)) + a (1 − p), with 1 − p by expm1.

    a, b and c are the gradients from upstream in log p of the label, in the entropy H and in Z. A NaN log p makes its row NaN.
    """
    a = torch.where(log_prob.isnan(), log_prob, in_log_prob)
    p = torch.exp(log_prob)
    spread = torch.where(p == 0, 0.0, p * (in_entropy * (log_prob + entropy)))
    return RowSlopes(
        largest,
        others,
        in_partition - a - in_entropy * entropy,
        in_entropy,
        p * in_partition - spread - a * torch.expm1(log_prob),
    )


def is_out_of_range(labels: Tensor, classes: int) -> Tensor:
    """Labels that are no class."""
    return (labels < 0) | (labels >= classes)

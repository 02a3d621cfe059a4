"""`linear_statistics`: per row the label's log-probability, entropy, log-partition and argmax of a head's scores, unstored."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from lastlayer.activation import Activation
from lastlayer.functions.names import resolve_mapping
from lastlayer.functions.scores import is_eager
from lastlayer.losses import check_labels
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.implementation import FRAMEWORK
from lastlayer.torch.linear.arguments import prepare_head
from lastlayer.torch.linear.plan import block_rows
from lastlayer.torch.linear.statistics_operator import head_statistics
from lastlayer.torch.records import key_of, row_parameter

Tensor = torch.Tensor

#: Buffers of a block's size that exist at one time: scores, log-probabilities, and terms of the entropy.
_BUFFERS = 3


class LinearStatistics(NamedTuple):
    """Per row; the first three are differentiable."""

    log_prob: Tensor
    entropy: Tensor
    logsumexp: Tensor
    argmax: Tensor


def linear_statistics(
    input: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    bias: Tensor | None = None,
    mapping: str | ProbabilityMapping = "softmax",
    ignore_index: int = -100,
    temperature: float = 1.0,
    softcap: float | None = None,
    max_memory: int | None = None,
) -> LinearStatistics:
    """What trainers of policies and preferences need of a linear head's scores, in blocks of rows.

    log_prob = log p of the label, entropy = −Σ p log p, logsumexp = Z (softmax: log Σ exp; another mapping: its own log
    Σ g or Ω*), argmax the first class of the largest score.

    Args:
        input: (..., D). weight: (K, D). labels: integers (...). bias: (K,) or None.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        ignore_index: rows with this label have log_prob 0 and no gradient through it; their other statistics are computed.
        temperature, softcap: as for `ll.loss`.
        max_memory: bytes for a block's buffers; as for `linear_loss` by default. Backward computes the scores again.

    Returns:
        Four tensors (...): float32 (float64 for float64 inputs), the last int64. Second derivatives of
        the first three go through the formulas, with the scores stored.

    Raises:
        IndexError: a label out of range (on the CPU; elsewhere and under tracing its log_prob is NaN).
        TypeError, ValueError: dtypes or shapes that do not fit.

    >>> import torch
    >>> found = linear_statistics(torch.eye(2), torch.zeros(4, 2), torch.tensor([0, 3]))
    >>> [round(float(x), 4) for x in found.log_prob], [round(float(x), 4) for x in found.entropy]
    ([-1.3863, -1.3863], [1.3863, 1.3863])
    """
    record = resolve_mapping(mapping)
    activation = Activation(temperature=temperature, softcap=softcap)
    head = prepare_head(input, weight, bias)
    if not isinstance(labels, torch.Tensor) or labels.dtype.is_floating_point or labels.dtype == torch.bool:
        raise TypeError(f"labels are {getattr(labels, 'dtype', type(labels).__name__)}; give a tensor of integers.")
    if labels.shape != head.shape:
        raise ValueError(f"labels have shape {tuple(labels.shape)}; give one a row of input, {tuple(head.shape)}.")
    flat = labels.reshape(-1)
    classes, features = head.weight.shape
    if is_eager(flat):
        check_labels(flat, classes, ignore_index, FRAMEWORK.namespace)
    height = block_rows(flat.shape[0], features, classes, head.input.dtype, head.input.device, max_memory, _BUFFERS)
    found: tuple[Any, ...] = head_statistics(
        head.input,
        head.weight,
        head.bias,
        flat,
        row_parameter(record),
        key_of(record),
        ignore_index,
        float(activation.temperature),
        None if activation.softcap is None else float(activation.softcap),
        height,
    )
    return LinearStatistics(*(part.reshape(head.shape) for part in found))

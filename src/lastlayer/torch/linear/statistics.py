"""`linear_statistics`: the label's log-probability, entropy, log-partition and argmax of each row, without storing the scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from lastlayer.backends.torch.records import key_of, row_parameter
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear.arguments import divide_by_temperature, prepare_head, prepare_mapping, refuse_gradients
from lastlayer.torch.linear.labels import prepare_labels
from lastlayer.torch.linear.margins import read_scoring
from lastlayer.torch.linear.mesh import is_on_mesh, statistics_on_mesh
from lastlayer.torch.linear.plan import check_max_memory, has_wide_scores
from lastlayer.torch.linear.shapes import as_rows
from lastlayer.torch.linear.sharded import classes_that_exist, sliced_statistics
from lastlayer.torch.linear.statistics_operator import head_statistics

Tensor = torch.Tensor


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
    temperature: float | Tensor = 1.0,
    softcap: float | None = None,
    max_memory: int | None = None,
    scores_dtype: torch.dtype | None = None,
    group: Any = None,
    n_classes: int | None = None,
    normalize: bool = False,
    scale: float | Tensor | None = None,
) -> LinearStatistics:
    """What training of policies and preferences needs from a linear head's scores, in blocks of rows.

    log_prob = log p of the label, entropy = −Σ p log p, logsumexp = Z (softmax: log Σ exp; other mappings: log Σ g or Ω*),
    argmax = the first class with the largest score.

    Args:
        input: (..., D). weight: (K, D). labels: integers (...) of any dtype. bias: (K,) or None.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        ignore_index: rows with this label have log_prob, entropy and logsumexp 0, argmax −1, and gradient exactly 0, whatever
            arrives from upstream. On the CPU their scores are not computed.
        temperature, softcap: as for `linear_loss`.
        scores_dtype: torch.float32 for float32 scores of bfloat16 and float16 inputs, as for `linear_loss`, with a temperature that is a
            number: a tensor per row, or one that is learned, rounds the inputs to the half type again.
        group, n_classes: classes in slices on the processes of a group, and classes that exist; as for `linear_loss`.
        normalize, scale: scores are scale · cos(h, w), as for `linear_loss`.
        max_memory: bytes for a block's buffers; as for `linear_loss` by default. Backward computes the scores again.

    Returns:
        Four tensors (...): float32 (float64 for float64 inputs), the last int64. Second derivatives of
        the first three go through the formulas, with the scores stored. log_prob ≤ 0 and entropy ≥ 0, also after rounding. Under
        softmax on the CPU, at the rounded scores: log_prob within 2 ULP, entropy 4, logsumexp 1 of the larger of its size and the
        largest score's (float32 and float64; no softcap or temperature).

    Raises:
        IndexError: a label out of range (on the CPU; elsewhere and under tracing its log_prob is NaN).
        TypeError: dtypes that do not fit, or a gradient required of anything but input, weight, bias, temperature and scale.
        ValueError: shapes that do not fit, or another scores_dtype.

    >>> import torch
    >>> found = linear_statistics(torch.eye(2), torch.zeros(4, 2), torch.tensor([0, 3]))
    >>> [round(float(x), 4) for x in found.log_prob], [round(float(x), 4) for x in found.entropy]
    ([-1.3863, -1.3863], [1.3863, 1.3863])
    """
    if is_on_mesh(input, weight, bias, labels):
        given: dict[str, Any] = {
            "bias": bias,
            "mapping": mapping,
            "max_memory": max_memory,
            "scores_dtype": scores_dtype,
        }
        given |= {"ignore_index": ignore_index, "temperature": temperature, "softcap": softcap, "n_classes": n_classes}
        given |= {"normalize": normalize, "scale": scale}
        return statistics_on_mesh(linear_statistics, input, weight, labels, group, given)
    if group is not None:
        shared = sliced_statistics(
            input,
            weight,
            labels,
            group,
            n_classes,
            bias,
            mapping,
            ignore_index,
            temperature,
            softcap,
            max_memory,
            scores_dtype,
            {"normalize": normalize, "scale": scale},
        )
        return LinearStatistics(*shared)
    if n_classes is not None:
        weight, bias, labels, *_ = classes_that_exist(n_classes, weight, bias, labels, {})
    refuse_gradients(softcap=softcap)
    check_max_memory(max_memory)
    rows = read_scoring(normalize, scale).rows(input, weight, bias)
    head, number = divide_by_temperature(prepare_head(*rows, bias), temperature, softcap)
    options = LossOptions(ignore_index=ignore_index, temperature=number, softcap=softcap)
    record = prepare_mapping(resolve_mapping(mapping), head)
    flat = prepare_labels(labels, head.shape, head.weight.shape[0], options.ignore_index)
    found: tuple[Any, ...] = head_statistics(
        head.input,
        head.weight,
        head.bias,
        flat,
        row_parameter(record),
        key_of(record),
        options.ignore_index,
        float(options.temperature),
        None if options.softcap is None else float(options.softcap),
        max_memory,
        has_wide_scores(scores_dtype, head.input.dtype),
    )
    return LinearStatistics(*(as_rows(part, head.shape) for part in found))

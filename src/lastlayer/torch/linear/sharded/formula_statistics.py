"""The statistics of a block and their slopes by the formulas of the record, for every mapping."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch

from lastlayer.mappings import Point
from lastlayer.torch.linear.blocks import Block, of_rows
from lastlayer.torch.linear.sharded.call import Call

Tensor = torch.Tensor


def _point(call: Call, block: Block) -> tuple[Tensor, Point]:
    """The scores before softcap and temperature, and the mapping at the scores after them."""
    raw, namespace = call.columns(block.scores, 1.0), call.namespace
    return raw, of_rows(call.record, block.place).at(call.options.activation(raw, namespace), namespace)


def _is_label(call: Call, place: slice | Tensor) -> Tensor:
    """Where the label of each row is among this process's classes, (n, K of this process)."""
    if not call.size:
        return torch.zeros_like(call.targets[place], dtype=torch.bool)[:, None]
    classes = call.offset + torch.arange(call.size, device=call.targets.device)
    return call.targets[place][:, None] == classes


def is_bad(call: Call, place: slice | Tensor) -> Tensor:
    """Labels out of range, where nobody has read them."""
    labels = call.targets[place]
    return ((labels < 0) | (labels >= call.classes)) & (labels != call.options.ignore_index)


def formula_statistics(call: Call, block: Block) -> tuple[Tensor, Tensor, Tensor]:
    """log p of the label, entropy and Z of whole rows, float64."""
    _, point = _point(call, block)
    logs = point.log_probabilities()
    at_label = torch.where(_is_label(call, block.place), logs, 0.0)
    terms = torch.where(logs == -float("inf"), 0.0, torch.exp(logs) * logs)
    if not call.size:
        at_label, terms = torch.zeros_like(at_label), torch.zeros_like(terms)
    log_prob, negative = call.wire.gather(torch.stack([at_label.sum(1), terms.sum(1)])).sum(0)
    log_prob = torch.where(is_bad(call, block.place), float("nan"), log_prob)
    log_prob = torch.where(call.targets[block.place] == call.options.ignore_index, 0.0, log_prob)
    return log_prob, -negative, point.log_partition()


def argmax_of(call: Call, block: Block) -> Tensor:
    """The first class of all slices with the largest score."""
    if call.size:
        largest, place = block.scores.max(1)
        found = torch.stack([largest.double(), (place + call.offset).double()])
    else:
        found = block.scores.new_full((2, block.scores.shape[0]), float(call.offset), dtype=torch.float64)
        found[0] = -float("inf")
    largest, classes = call.wire.gather(found).unbind(1)
    return classes.gather(0, largest.argmax(0)[None])[0].long()


def formula_slopes(call: Call, block: Block, in_log_prob: Tensor, in_entropy: Tensor, in_partition: Tensor) -> None:
    """The gradient of Σ upstream · statistic in the scores of this slice, in their place."""
    raw, point = _point(call, block)
    labels = call.targets[block.place]
    in_log_prob = torch.where(labels == call.options.ignore_index, 0.0, in_log_prob)
    in_log_prob = torch.where(is_bad(call, block.place), float("nan"), in_log_prob)[:, None]
    is_label = _is_label(call, block.place) | in_log_prob.isnan()
    slopes = point.log_vjp(torch.where(is_label, in_log_prob, 0.0))
    logs = point.log_probabilities()
    # −Σ p log p has the slopes −(log p + 1) in p. Where p sums to one the 1 changes nothing, and would round a small log p away.
    constant = 0.0 if "sums_to_one" in call.mapping.laws else 1.0
    in_p = torch.where(logs == -float("inf"), 0.0, -in_entropy[:, None] * (logs + constant))
    slopes = slopes + point.vjp(in_p) + in_partition[:, None] * point.partition_gradient()
    block.scores.copy_(call.options.activation.pull_back(raw, slopes, xp)[:, : call.size])

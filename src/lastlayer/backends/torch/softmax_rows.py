"""What statistics and slices of softmax need of rows: sums relative to the largest score, and slopes in the place of the scores.

Native kernels serve the CPU, Triton kernels CUDA; formulas in float64, some rows at a time, serve everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import array_api_compat.torch as xp
import torch

from lastlayer.activation import Activation
from lastlayer.backends.torch import cpu, gpu

Tensor = torch.Tensor

#: Bytes of the formulas' float64 copy of some rows.
_CHUNK = 2**19


class RowSums(NamedTuple):
    """Numbers per row (n,), float64, of scores x after softcap and temperature."""

    #: m, the largest; NaN if any score is NaN.
    largest: Tensor
    #: Σ e^(x − m) without the largest term; if m is +inf, how many others are.
    others: Tensor
    #: Σ e^(x − m) (m − x).
    spread: Tensor
    #: The score at the label; 0 if the label is not here.
    at_label: Tensor
    #: The largest score before softcap and temperature.
    raw_largest: Tensor
    #: Σ w (m − x) with the class weights w, and with 0 for an infinite m; 0 if it is not asked for.
    distances: Tensor
    #: The first class with the largest score before softcap and temperature, int64.
    argmax: Tensor


class RowSlopes(NamedTuple):
    """Numbers per row (n,), float64, that the slopes p (factor − slope · log p) − share · w are made of."""

    #: M, and Σ e^(x − M) without the largest term, of whole rows: p = e^(x − M) / (1 + others).
    largest: Tensor
    others: Tensor
    factor: Tensor
    slope: Tensor
    #: What the label's entry is instead, before its share is subtracted.
    at_label: Tensor
    #: None for 0.
    share: Tensor | None = None


def row_sums(
    scores: Tensor,
    places: Tensor,
    activation: Activation,
    *,
    class_weight: Tensor | None = None,
    wants_distances: bool = False,
) -> RowSums:
    """One pass over rows of scores (n, K), which may be a slice of the classes.

    Args:
        places: the label of each row among these classes, int64; a number outside 0..K − 1 if it is not here.
        class_weight: (K,), for the distances.
    """
    if cpu.has_softmax_rows(scores):
        found = cpu.row_sums(scores, places, activation, class_weight, wants_distances)
    elif gpu.serves_softmax_rows(scores):
        found = gpu.row_sums(scores, places, activation, class_weight, wants_distances)
    else:
        found = _sums_by_formulas(scores, places, activation, class_weight, wants_distances)
    numbers, argmax = found
    return RowSums._make((*numbers.unbind(0), argmax))


def row_slopes(
    scores: Tensor,
    places: Tensor,
    numbers: RowSlopes,
    is_live: Tensor,
    activation: Activation,
    *,
    class_weight: Tensor | None = None,
) -> None:
    """Replace scores by their slopes, with the derivative of softcap and temperature. Rows that are not live get 0."""
    share = torch.zeros_like(numbers.largest) if numbers.share is None else numbers.share
    together = torch.stack([*numbers[:-1], share])
    if cpu.has_softmax_rows(scores):
        cpu.row_slopes(scores, places, together, is_live, activation, class_weight)
    elif gpu.serves_softmax_rows(scores):
        gpu.row_slopes(scores, places, together, is_live, activation, class_weight, numbers.share is not None)
    else:
        _slopes_by_formulas(scores, places, together, is_live, activation, class_weight)


def _chunks(scores: Tensor, activation: Activation) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Some rows at a time: their place, their scores, and those after softcap and temperature, in float64."""
    height = max(1, _CHUNK // (8 * scores.shape[1]))
    for start in range(0, scores.shape[0], height):
        place = slice(start, start + height)
        raw = scores[place].double()
        yield place, raw, activation(raw, xp)


def _is_here(places: Tensor, classes: int) -> Tensor:
    return (places >= 0) & (places < classes)


def _less(x: Tensor, largest: Tensor) -> Tensor:
    """x − m ≤ 0; 0 where both are infinite."""
    return torch.where(x == largest, 0.0, x - largest).clamp(max=0.0)


def _sums_by_formulas(
    scores: Tensor, places: Tensor, activation: Activation, class_weight: Tensor | None, wants_distances: bool
) -> tuple[Tensor, Tensor]:
    rows, classes = scores.shape
    numbers, argmax = scores.new_zeros((6, rows), dtype=torch.float64), torch.empty_like(places)
    weights = 1.0 if class_weight is None else class_weight.double()
    for place, raw, x in _chunks(scores, activation):
        largest, first = raw.max(1)
        m = activation(largest, xp)
        distance = -_less(x, m[:, None])
        terms = torch.exp(-distance)
        spread = torch.where(terms == 0, 0.0, terms * distance).sum(1)
        others = terms.scatter_(1, first[:, None], 0.0).sum(1)
        at_label = x.gather(1, places[place].clamp(0, classes - 1)[:, None])[:, 0]
        here = _is_here(places[place], classes)
        found = [m, others + 0.0 * torch.where(m.isnan(), m, 0.0), spread, torch.where(here, at_label, 0.0), largest]
        if wants_distances:
            anchor = torch.where(m.isfinite(), m, 0.0)[:, None]
            terms = anchor - x
            found.append(torch.where(terms.new_zeros(()) == weights, 0.0, weights * terms).sum(1))
        numbers[: len(found), place] = torch.stack(found)
        # Rows of −inf alone: no term, as if nothing were here.
        numbers[1:3, place] = torch.where(m == -float("inf"), 0.0, numbers[1:3, place])
        argmax[place] = first
    return numbers, argmax


def _slopes_by_formulas(
    scores: Tensor,
    places: Tensor,
    numbers: Tensor,
    is_live: Tensor,
    activation: Activation,
    class_weight: Tensor | None,
) -> None:
    classes = scores.shape[1]
    weights = 1.0 if class_weight is None else class_weight.double()
    for place, raw, x in _chunks(scores, activation):
        largest, others, factor, slope, at_label, share = numbers[:, place, None]
        difference = torch.where(largest == -float("inf"), float("nan"), _less(x, largest))
        p = torch.exp(difference) / (1.0 + others)
        slopes = p * factor - torch.where(p == 0, 0.0, slope * p * (difference - torch.log1p(others)))
        index = places[place].clamp(0, classes - 1)[:, None]
        is_label = _is_here(places[place], classes)[:, None] & ~p.isnan().any(1, keepdim=True)
        slopes.scatter_(1, index, torch.where(is_label, at_label, slopes.gather(1, index)))
        slopes = slopes - torch.where(share == 0, 0.0, share * weights)
        slopes = activation.pull_back(raw, slopes, xp)
        scores[place] = torch.where(is_live[place, None], slopes, 0.0).to(scores.dtype)

"""Mappings of rows whose classes lie on several processes: the record's own formulas, and thresholds searched together."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from lastlayer.mappings import Point, ProbabilityMapping
from lastlayer.mappings.entmax import TRIPS, TRIPS_CONCAVE
from lastlayer.mappings.regularized import positive_or_one
from lastlayer.mappings.tsallis import exp_alpha
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor


def sliced_record(mapping: ProbabilityMapping, wire: Wire, classes: int) -> ProbabilityMapping:
    """The mapping for rows of `classes` classes in slices, to be evaluated in a `SlicedNamespace`.

    Raises:
        NotImplementedError: a mapping of the regularized family whose record does not say how to evaluate slices.
    """
    if mapping.evaluate_slices is None:
        if mapping.family == "normalized":
            return mapping
        raise NotImplementedError(
            f"{mapping.label} is of the regularized family, and how to find its threshold from sums over processes is not known: its "
            "record has no evaluate_slices. Call it without group on the whole weight."
        )
    of_slices = mapping.evaluate_slices

    def evaluate(scores: Tensor, xp: Any, **parameters: Any) -> Point:
        def search(difference: Tensor, alpha: Any) -> Tensor:
            return _threshold(difference, alpha, wire, classes, xp)

        return of_slices(scores, xp, search, **parameters)

    return replace(mapping, evaluate=evaluate)


def _threshold(difference: Tensor, alpha: Any, wire: Wire, classes: int, xp: Any) -> Tensor:
    """The root t of ln_α Σ exp_α(d + t) = 0 over all slices, by the steps of `tsallis.bracketed_threshold`.

    One gather a step: Σ p, its slope in t, and whether the row is at rest on that process. All processes stop after the same
    step, since they decide by what was gathered.
    """
    rate = alpha - 1.0
    is_halving = not (isinstance(alpha, float) and alpha <= 2.0)
    zero = torch.zeros_like(difference[..., :1])
    low = torch.expm1(-(rate + zero) * math.log(classes)) / rate
    high, t, is_at_rest = zero, zero, zero
    for trip in range(TRIPS_CONCAVE if is_halving else TRIPS):
        p, base = exp_alpha(difference + t, rate, xp)
        slopes = torch.where(p > 0, p / positive_or_one(base, xp), p * 0.0)
        gathered = wire.gather(torch.cat([xp.own_sum(p), xp.own_sum(slopes), is_at_rest], -1))
        if bool((gathered[..., 2] == 1.0).all()):
            break
        total, slope = gathered[..., :1].sum(0), gathered[..., 1:2].sum(0)
        above = total >= 1.0
        high, low = torch.where(above, t, high), torch.where(above, low, t)
        log_total = torch.expm1(rate * torch.log(positive_or_one(total, xp))) / rate
        newton = t - log_total * positive_or_one(total, xp) ** (2.0 - alpha) / positive_or_one(slope, xp)
        # ≥ and ≤, not > and <: at the root the Newton step is zero, and t must not jump to the middle.
        keeps, middle = (newton >= low) & (newton <= high), (low + high) / 2.0
        following = middle if is_halving and trip % 2 else torch.where(keeps, newton, middle)
        change = high - low if is_halving else (following - t).abs()
        is_at_rest = ((change <= _NEAR * following.abs()) | total.isnan()).to(zero.dtype)
        t = following
    return high if is_halving else t


#: The relative change of a threshold at rest. Newton steps with compensated sums follow, which double its digits.
_NEAR = 2.0**-46

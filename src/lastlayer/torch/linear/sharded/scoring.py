"""Margins and priors of slices: each process computes the scores of the labels that are among its classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from lastlayer.torch.linear.arguments import Head, per_row
from lastlayer.torch.linear.margins.scoring import Scoring, check_prior, with_prior
from lastlayer.torch.linear.sharded.call import Call

Tensor = torch.Tensor


def score_slices(
    call: Call, head: Head, side: Scoring, input: Tensor, weight: Tensor, bias: Tensor | None, temperature: Any
) -> tuple[Head, tuple[Tensor | None, Callable[[], Tensor] | None]]:
    """The head with the prior in its bias; and, with a margin, the scores at the labels and what gives their slopes in the input.

    Input, weight, bias and temperature are what the user gave. The label's score has gradients in this process's weight and bias.
    Its gradient in the input is added to the products' before the sum over processes, and reaches scale and temperature from there.
    """
    log_prior = _log_prior(call, side)
    if side.margin is None:
        return with_prior(head, log_prior, call.is_wide), (None, None)
    weight, bias = weight[: call.size], None if bias is None else bias[: call.size]
    local = call.targets - call.offset
    is_divided = isinstance(temperature, torch.Tensor) and call.options.temperature == 1.0
    divisor = per_row("temperature", temperature.detach(), head) if is_divided else None
    scale = side.scale.detach() if isinstance(side.scale, torch.Tensor) else side.scale
    scores = replace(side, scale=scale).at_labels(input.detach(), weight, bias, local, divisor, log_prior)
    inner = head
    return with_prior(head, log_prior, call.is_wide), (
        scores,
        lambda: side.directions(input, weight, bias, local, inner),
    )


def _log_prior(call: Call, side: Scoring) -> Tensor | None:
    """temperature · log π of this process's classes: one gather of two numbers, and the same error on every process.

    Raises:
        ValueError: an entry that is not positive and finite.
    """
    prior = side.class_prior
    if prior is None:
        return None
    some = prior[: call.size].double()
    least = some.amin() if call.size else some.new_full((), float("inf"))
    gathered = call.wire.gather(torch.stack([least, some.sum()]))
    total = gathered[:, 1].sum()
    check_prior(gathered[:, 0].amin(), total)
    return call.options.temperature * (some.log() - total.log())

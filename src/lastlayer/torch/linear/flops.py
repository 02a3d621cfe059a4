"""Floating-point operations of the head's operators, for torch.utils.flop_counter.FlopCounterMode: their matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.flop_counter import register_flop_formula


def register_flops(packet: Any, count: Callable[..., int]) -> None:
    """Let FlopCounterMode call `count` with an operator's arguments, shapes in place of tensors."""

    def formula(*arguments: Any, out_shape: Any = None, **_: Any) -> int:
        return count(*arguments)

    register_flop_formula(packet)(formula)


def products(input: Any, weight: Any, wanted: Any = ()) -> int:
    """The product for the scores, and one for each wanted gradient of input and weight: 2 operations per row, feature and class.

    Rows that do not count are included, since no values are read here.
    """
    return int((1 + sum(wanted)) * 2 * input[0] * input[1] * weight[0])

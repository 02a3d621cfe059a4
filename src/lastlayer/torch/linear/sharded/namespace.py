"""An array namespace whose class axis lies on several processes: every reduction over the last axis is one of all slices.

The formulas of the mappings reduce over classes by the functions of their namespace alone, and do not branch on values. Computed
in this namespace they give each process the results for its slice of a row, as one process would find them for the whole row.
"""

from __future__ import annotations

from typing import Any

import array_api_compat.torch as xp
import torch

from lastlayer.mappings.double_double import Pair, compensated_sum, two_sum
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor

#: What mixes the classes of a row in another way than by a reduction.
_UNKNOWN = frozenset(
    {
        "argmin",
        "argsort",
        "concat",
        "count_nonzero",
        "cumprod",
        "cumsum",
        "cumulative_prod",
        "cumulative_sum",
        "diff",
        "flip",
        "logsumexp",
        "matmul",
        "mean",
        "nonzero",
        "prod",
        "roll",
        "searchsorted",
        "softmax",
        "sort",
        "stack",
        "std",
        "take",
        "take_along_axis",
        "tensordot",
        "topk",
        "var",
        "vecdot",
    }
)


class SlicedNamespace:
    """The functions of `array_api_compat.torch` for rows in slices: this process has (..., K of this process).

    A process without classes has one column, which no reduction counts.
    """

    def __init__(self, wire: Wire, is_empty: bool) -> None:
        self._wire, self._is_empty = wire, is_empty

    def __getattr__(self, name: str) -> Any:
        if name in _UNKNOWN:
            raise NotImplementedError(
                f"the mapping uses {name} along the classes, which lie on several processes; with group= a record may reduce over "
                "them by sum, max, min, any, all and argmax alone. Gather the scores, or use one process."
            )
        return getattr(xp, name)

    def max(self, x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
        """The largest over all slices; NaN if there is one."""
        return self._reduced(x.amax(-1), -float("inf"), keepdims).amax(0)

    def min(self, x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
        """The smallest over all slices; NaN if there is one."""
        return self._reduced(x.amin(-1), float("inf"), keepdims).amin(0)

    def sum(self, x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
        """The sum over all slices, added in the order of the ranks."""
        return self._reduced(x.sum(-1), 0, keepdims).sum(0)

    def any(self, x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
        """Whether any entry of any slice is true."""
        return self._reduced(x.any(-1).to(torch.uint8), 0, keepdims).amax(0) == 1

    def all(self, x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
        """Whether all entries of all slices are true."""
        return self._reduced(x.all(-1).to(torch.uint8), 1, keepdims).amin(0) == 1

    def argmax(self, x: Tensor, *, axis: int) -> Tensor:
        """The place in this slice of the first largest entry of the row; −1 if it is in another slice."""
        largest, place = x.max(-1)
        winner = self._reduced(largest, -float("inf"), False).argmax(0)
        return torch.where(winner == self._wire.rank, place, -1)

    def compensated_sum(self, terms: Pair) -> Pair:
        """Σ over all slices with the rounding error of every addition kept."""
        part = compensated_sum(terms, xp)
        total, *others = self._wire.gather(torch.stack(self._without_empty(part)))
        hi, lo = total
        for more_hi, more_lo in others:
            hi, error = two_sum(hi, more_hi)
            lo = lo + more_lo + error
        return Pair(hi, lo)

    def own_sum(self, x: Tensor) -> Tensor:
        """The sum over this slice alone, (..., 1)."""
        return torch.zeros_like(x[..., :1]) if self._is_empty else x.sum(-1, keepdim=True)

    def _without_empty(self, part: Pair) -> Pair:
        return Pair(*(torch.zeros_like(x) for x in part)) if self._is_empty else part

    def _reduced(self, part: Tensor, neutral: float, keepdims: bool) -> Tensor:
        """The reduced slices of all processes, (processes, ...)."""
        part = torch.full_like(part, neutral) if self._is_empty else part
        return self._wire.gather(part[..., None] if keepdims else part)

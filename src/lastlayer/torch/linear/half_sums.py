"""A half-typed gradient as the sum of products over blocks of rows on CUDA: a float32 sum, in half the memory of one."""

from __future__ import annotations

import torch

from lastlayer.torch import gpu

Tensor = torch.Tensor

#: Bytes of a product that wait to be added, so few that they stay in the device's cache.
SLAB_BYTES = 32 * 2**20


class HalfSum:
    """Σ left · right over `parts` calls of `add`, into `gradient`, times `scale` with the last of them.

    Until then the upper half of every float32 lies in the gradient's memory and the lower half in one more plane like it.
    """

    def __init__(self, gradient: Tensor, parts: int, scale: Tensor | None) -> None:
        self._gradient, self._parts, self._added = gradient, parts, 0
        self._scale = None if scale is None else scale.float()
        self._lower = torch.empty_like(gradient, dtype=torch.int16) if parts > 1 else None
        self._height = max(1, SLAB_BYTES // (4 * gradient.shape[1]))
        self._slab = gradient.new_empty(min(self._height, gradient.shape[0]), gradient.shape[1], dtype=torch.float32)

    def add(self, left: Tensor, right: Tensor) -> None:
        """One product, a slab of the gradient's rows at a time."""
        self._added += 1
        is_last = self._added == self._parts
        for start in range(0, len(left), self._height):
            some = left[start : start + self._height]
            place, terms = slice(start, start + len(some)), self._slab[: len(some)]
            _multiply(some, right, terms)
            gpu.add_terms(
                terms,
                self._gradient[place],
                None if self._lower is None else self._lower[place],
                has_sum=self._added > 1,
                is_last=is_last,
                scale=self._scale if is_last else None,
            )


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    """A product of half types, in float32 where torch gives it."""
    if left.is_cuda and "dtype_out" in torch.ops.aten.mm.overloads():  # type: ignore[no-untyped-call]
        torch.mm(left, right, out_dtype=torch.float32, out=out)  # type: ignore[call-overload]
    else:
        out.copy_(left @ right)

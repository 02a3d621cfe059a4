"""Results per row in the shape of the rows."""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def is_traced_by_jit() -> bool:
    """Whether torch.jit.trace runs, which would keep the numbers of this call's shape."""
    return torch._C._get_tracing_state() is not None


def as_rows(flat: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(N, ...) in the shape (*rows, ...), without a copy and no view for autograd.

    Of a view FSDP2 warns that an operation in place would drop its hook.
    """
    if is_traced_by_jit():
        return flat.reshape(*shape, *flat.shape[1:])
    found: Tensor = torch.ops.aten._unsafe_view(flat, [*shape, *flat.shape[1:]])
    return found

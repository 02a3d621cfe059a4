"""The state of a tensor: traced, transformed by torch.func, watched by a dispatch mode, or tracked by autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch._C import _functorch
from torch.autograd import forward_ad

#: Dispatch modes that trace: make_fx and export's, and the one of fake tensors.
_TRACING = (torch._C._TorchDispatchModeKey.PROXY, torch._C._TorchDispatchModeKey.FAKE)


def has_readable_values(tensor: Any) -> bool:
    """A tensor whose values may be read: not traced, not wrapped by torch.func, not of a subclass."""
    return _is_memory(tensor) and (
        torch._C._len_torch_dispatch_stack() == 0 or all(torch._C._get_dispatch_mode(key) is None for key in _TRACING)
    )


def is_untransformed(tensor: Any) -> bool:
    """A plain tensor, while no transform of torch.func and no dispatch mode is active."""
    return (
        _is_memory(tensor)
        and not torch._C._are_functorch_transforms_active()
        and torch._C._len_torch_dispatch_stack() == 0
        and not has_tangent(tensor)
    )


def _is_memory(tensor: Any) -> bool:
    return (
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and not torch.compiler.is_compiling()
        and torch._C._get_tracing_state() is None
        and torch._ops._len_torch_dispatch_stack_pre_dispatch() == 0  # type: ignore[no-untyped-call]
        and not _functorch.is_functorch_wrapped_tensor(tensor)
        and not _functorch.is_legacy_batchedtensor(tensor)
    )


def has_tangent(tensor: torch.Tensor) -> bool:
    """Whether a tensor carries a forward-mode derivative, which operators without one would silently drop."""
    # Outside every dual level no tensor has one; this check is cheap.
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def asks_for_gradient(tensor: Any) -> bool:
    """Whether autograd or any level of torch.func differentiates with respect to a tensor.

    A tensor wrapped by torch.func shows `requires_grad` of its outermost level only.
    """
    if not isinstance(tensor, torch.Tensor) or not torch.is_grad_enabled():
        return False
    if tensor.requires_grad or torch.compiler.is_compiling():
        return tensor.requires_grad
    while _functorch.is_functorch_wrapped_tensor(tensor):
        tensor = _functorch.get_unwrapped(tensor)
        if tensor.requires_grad:
            return True
    return False


def is_tracked(tensor: torch.Tensor) -> bool:
    """Whether autograd tracks the tensor now."""
    return tensor.requires_grad and torch.is_grad_enabled()


def refuse_gradient(name: str, value: Any) -> None:
    """Refuse an argument whose gradient is asked for and not computed.

    Raises:
        TypeError: the value is a tensor that requires a gradient.
    """
    if asks_for_gradient(value):
        raise TypeError(f"{name} requires a gradient, which is not computed: it is a constant; pass {name}.detach().")

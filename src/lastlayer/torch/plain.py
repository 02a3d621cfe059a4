"""What a tensor is beside its memory: traced, mapped, wrapped, watched, or followed by autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch._C import _functorch
from torch.autograd import forward_ad

#: Dispatch modes that trace: make_fx and export's, and the one of fake tensors.
_TRACING = (torch._C._TorchDispatchModeKey.PROXY, torch._C._TorchDispatchModeKey.FAKE)


def is_readable(tensor: Any) -> bool:
    """A tensor whose values may be looked at: neither traced nor mapped nor wrapped by torch.func nor of a subclass."""
    return _is_memory(tensor) and (
        torch._C._len_torch_dispatch_stack() == 0 or all(torch._C._get_dispatch_mode(key) is None for key in _TRACING)
    )


def is_plain(tensor: Any) -> bool:
    """A tensor that is just its memory, where no transform and no dispatch mode asks what is done with it."""
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
    """Whether a tensor carries a forward-mode derivative, which operators without one would drop without a word."""
    # Outside every dual level nothing has one, and that is cheap to see.
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


def asks_for_gradient(tensor: Any) -> bool:
    """Whether autograd or any level of torch.func differentiates with respect to a tensor, whatever else requires a gradient.

    A tensor that torch.func wraps shows `requires_grad` of its outermost level alone.
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
    """Whether autograd follows what is done with it."""
    return tensor.requires_grad and torch.is_grad_enabled()


def refuse_gradient(name: str, value: Any) -> None:
    """Refuse an argument whose gradient is asked for and not computed.

    Raises:
        TypeError: the value is a tensor that requires a gradient.
    """
    if asks_for_gradient(value):
        raise TypeError(f"{name} requires a gradient, which is not computed: it is a constant; pass {name}.detach().")

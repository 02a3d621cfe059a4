"""One derivative for autograd, torch.compile and torch.func: an operator, and the autograd function that torch.func requires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch

from lastlayer.backends.torch.tensor_state import has_tangent, is_tracked, is_untransformed


def all_at_once(operator: Callable[..., Any]) -> Callable[..., Any]:
    """vmap rule of an operator that works on each row alone: one call on the rows of all elements."""

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, int]:
        in_front = (
            to_front(value, dim, info.batch_size) if isinstance(value, torch.Tensor) else value
            for value, dim in zip(arguments, in_dims, strict=True)
        )
        return operator(*in_front), 0

    return rule


def to_front(tensor: torch.Tensor, dim: int | None, size: int) -> torch.Tensor:
    """A tensor with the mapped axis in front; one that is not mapped is repeated."""
    return tensor.movedim(dim, 0) if dim is not None else tensor.expand(size, *tensor.shape)


def one_by_one(operator: Callable[..., Any]) -> Callable[..., Any]:
    """vmap rule of an operator that reduces over rows: one call per element, since each element has a denominator of its own."""

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        results = [
            operator(
                *(
                    value.select(dim, i) if isinstance(value, torch.Tensor) and dim is not None else value
                    for value, dim in zip(arguments, in_dims, strict=True)
                )
            )
            for i in range(info.batch_size)
        ]
        if isinstance(results[0], torch.Tensor):
            return torch.stack(results), 0
        return tuple(torch.stack(parts) for parts in zip(*results, strict=True)), (0,) * len(results[0])

    return rule


def differentiable(
    operator: Any,
    keep: Callable[..., None],
    backward: Callable[..., Any],
    vmap: Callable[..., Any],
    directly: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Register an operator's derivative and its vmap rule, and return what to call.

    The transforms of torch.func refuse the derivatives of operators, but take an autograd function with the same rules. If only
    autograd is active, the operator's work is done `directly`: a call of an operator written in Python takes many times longer than
    small rows.
    """

    class Differentiable(torch.autograd.Function):
        @staticmethod
        def forward(*arguments: Any) -> Any:
            # Under nested transforms the arguments are still wrapped for the outer ones.
            return call(*arguments)

        setup_context = staticmethod(keep)

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            return backward(ctx, *cotangents)

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            refuse_forward_mode()

        @staticmethod
        def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> Any:
            return vmap(call)(info, in_dims, *arguments)

    class Direct(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:
            assert directly is not None
            result = directly(*arguments)
            keep(ctx, arguments, result)
            return result

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            return backward(ctx, *cotangents)

    def call(*arguments: Any) -> Any:
        tensors = [value for value in arguments if isinstance(value, torch.Tensor)]
        if any(map(has_tangent, tensors)):
            refuse_forward_mode()
        if directly is not None and all(map(is_untransformed, tensors)):
            return Direct.apply(*arguments) if any(map(is_tracked, tensors)) else directly(*arguments)  # type: ignore[no-untyped-call]
        if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
            return Differentiable.apply(*arguments)  # type: ignore[no-untyped-call]
        return operator(*arguments)

    operator.register_autograd(backward, setup_context=keep)
    operator.register_vmap(vmap(operator))
    return call


def refuse_forward_mode() -> NoReturn:
    """Refuse forward-mode derivatives.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(
        "lastlayer's operators have no forward-mode derivative (torch.func.jvp, jacfwd, hessian; forward_ad); "
        "use reverse mode: torch.func.grad, jacrev, and jacrev(jacrev(f)) for a Hessian."
    )

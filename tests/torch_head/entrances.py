"""The ways to a head's gradients: every test of a kind walks all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from lastlayer.torch import LinearLoss, linear_loss

Tensor = torch.Tensor
Loss = Callable[..., Tensor]


def eager(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """loss(linear head) → gradients of input and weight."""
    leaves = [x.detach().clone().requires_grad_() for x in (input, weight)]
    return torch.autograd.grad(loss(linear_loss, *leaves), leaves)


def operator(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Under a dispatch mode every call goes through the operators."""
    with FlopCounterMode(display=False):
        return eager(loss, input, weight)


def layer(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """By LinearLoss, whose weight is a parameter of its own."""
    made = []

    def head(given: Tensor, rows: Tensor, targets: Tensor, *, sample_weight: Tensor | None = None, **options: object):
        module = LinearLoss(rows.shape[1], rows.shape[0], bias=False, dtype=rows.dtype, **options)
        module.weight.data.copy_(rows.detach())
        made.append(module)
        if sample_weight is not None:
            module.options["sample_weight"] = sample_weight
        return module(given, targets)

    leaf = input.detach().clone().requires_grad_()
    loss(head, leaf, weight).backward()
    return leaf.grad, made[0].weight.grad


def functional(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """By torch.func.grad."""
    return torch.func.grad(lambda x, w: loss(linear_loss, x, w), argnums=(0, 1))(input, weight)


def mapped(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """Two heads at once by torch.func.vmap; the first counts."""
    both = torch.func.vmap(torch.func.grad(lambda x, w: loss(linear_loss, x, w), argnums=(0, 1)))
    return tuple(g[0] for g in both(torch.stack([input, input]), torch.stack([weight, weight])))


def graph(loss: Loss, input: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """With create_graph, as second derivatives need it."""
    leaves = [x.detach().clone().requires_grad_() for x in (input, weight)]
    found = torch.autograd.grad(loss(linear_loss, *leaves), leaves, create_graph=True)
    assert all(g.requires_grad for g in found)
    return tuple(g.detach() for g in found)


ENTRANCES = {f.__name__: f for f in (eager, operator, layer, functional, mapped, graph)}

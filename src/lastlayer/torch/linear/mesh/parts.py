"""This process's part of each argument, and gradients and results on the mesh again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.distributed.tensor import DTensor, Partial, Replicate

from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.mesh.layout import Layout

Tensor = torch.Tensor


class _Part(torch.autograd.Function):
    """A DTensor's local tensor. Its gradients are added over the dimensions with other rows; the sum lies as the DTensor does."""

    @staticmethod
    def forward(ctx: Any, tensor: DTensor, dimensions: tuple[int, ...]) -> Tensor:
        ctx.spec = tensor.device_mesh, tensor.placements, tensor.shape, tensor.stride()
        ctx.dimensions = dimensions
        return tensor.to_local().detach()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, None]:
        mesh, placements, shape, stride = ctx.spec
        terms = [Partial() if i in ctx.dimensions else place for i, place in enumerate(placements)]
        total = DTensor.from_local(gradient.contiguous(), mesh, terms, run_check=False, shape=shape, stride=stride)
        return total.redistribute(placements=placements), None


def part_of_parameter(name: str, tensor: Any, layout: Layout, placements: Sequence[Any]) -> Tensor | None:
    """The part of what all rows share: weight, bias, class_weight, temperature.

    Raises:
        TypeError: a plain tensor whose gradient would be that of this process's rows alone.
    """
    if not isinstance(tensor, DTensor):
        if isinstance(tensor, torch.Tensor) and tensor.requires_grad and layout.row_dimensions:
            raise TypeError(
                f"{name} is a plain tensor that requires a gradient, and the rows lie on several processes; distribute it: "
                f"torch.distributed.tensor.distribute_tensor({name}, mesh, placements)."
            )
        return tensor
    _check_mesh(name, tensor, layout)
    part: Tensor = _Part.apply(tensor.redistribute(placements=placements), layout.row_dimensions)  # type: ignore[no-untyped-call]
    return part


def part_of_rows(name: str, tensor: Any, layout: Layout, placements: Sequence[Any]) -> Any:
    """The part of what has an entry per row; what is plain is this process's already."""
    if not isinstance(tensor, DTensor):
        return tensor
    _check_mesh(name, tensor, layout)
    return tensor.redistribute(placements=placements).to_local()


def part_of_weight(weight: DTensor, layout: Layout) -> Tensor:
    """The weight of this process's classes."""
    part = part_of_parameter("weight", weight, layout, layout.per_class)
    assert part is not None
    return part


def part_of_bias(bias: Any, layout: Layout) -> Tensor | None:
    """The bias of this process's classes.

    Raises:
        TypeError: a plain bias next to a weight that is a DTensor.
    """
    if bias is not None and not isinstance(bias, DTensor):
        raise TypeError(
            "bias is a plain tensor, but weight is a DTensor; distribute it over the same mesh with the same placements: "
            "torch.distributed.tensor.distribute_tensor(bias, weight.device_mesh, weight.placements)."
        )
    return part_of_parameter("bias", bias, layout, layout.per_class)


def part_of_targets(targets: Any, layout: Layout, axes: int) -> Any:
    """Labels, or soft targets, whose last axis is sliced as the weight is; `axes` is the number of axes of input."""
    is_soft = isinstance(targets, torch.Tensor) and targets.dtype.is_floating_point and targets.ndim == axes
    return part_of_rows("targets", targets, layout, layout.soft(axes - 1) if is_soft else layout.rows)


def part_of_number(name: str, value: Any, layout: Layout) -> Any:
    """One number for all rows, or one per row."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and value.ndim <= 1:
        return part_of_parameter(name, value, layout, [Replicate()] * layout.mesh.ndim)
    return part_of_rows(name, value, layout, layout.rows)


def mapping_of_part(mapping: ProbabilityMapping, layout: Layout) -> ProbabilityMapping:
    """The mapping with this process's part of parameters that are one per row."""
    values = {name: value for name, value in mapping.values.items() if isinstance(value, DTensor)}
    return mapping.replace(**{name: part_of_number(name, value, layout) for name, value in values.items()})


def shared(value: Tensor, layout: Layout, placements: Sequence[Any], shape: torch.Size) -> Tensor:
    """A result on the mesh, if the input is."""
    if not layout.is_shared:
        return value
    stride = torch.empty(shape, device="meta").stride()
    return DTensor.from_local(value, layout.mesh, placements, run_check=False, shape=shape, stride=stride)


def _check_mesh(name: str, tensor: DTensor, layout: Layout) -> None:
    if tensor.device_mesh != layout.mesh:
        raise ValueError(
            f"{name} is on the mesh {tensor.device_mesh} and weight on {layout.mesh}; distribute both over the same mesh."
        )

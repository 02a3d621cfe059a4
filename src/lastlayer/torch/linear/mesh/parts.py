"""This process's part of each argument, checked before anything is sent; gradients and results on the mesh again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.distributed.tensor import DTensor, Partial, Replicate

from lastlayer.torch.linear.distillation import DistillationTargets, TeacherTargets
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


class Placed(NamedTuple):
    """An argument, and where this process's part of it is to lie; checked, and nothing sent yet."""

    tensor: Any
    #: None if it is this process's part already.
    placements: tuple[Any, ...] | None = None
    #: The dimensions of the mesh over which its gradient is added; None if every process has its own rows' gradient.
    added: tuple[int, ...] | None = None

    @property
    def said(self) -> str:
        """Where it lies now, in words."""
        if isinstance(self.tensor, DTensor):
            return " ".join(map(str, self.tensor.placements))
        return "plain" if isinstance(self.tensor, torch.Tensor) else "no tensor"

    def part(self) -> Any:
        """This process's part; a gather may be behind it."""
        if self.placements is None:
            return self.tensor
        moved = self.tensor.redistribute(placements=self.placements)
        return moved.to_local() if self.added is None else _Part.apply(moved, self.added)  # type: ignore[no-untyped-call]


def place_parameter(name: str, tensor: Any, layout: Layout, placements: Sequence[Any]) -> Placed:
    """What all rows share: weight, bias, class_weight, temperature.

    Raises:
        TypeError: a plain tensor whose gradient would be that of this process's rows alone.
    """
    if not isinstance(tensor, DTensor):
        if isinstance(tensor, torch.Tensor) and tensor.requires_grad and layout.row_dimensions:
            raise TypeError(
                f"{name} is a plain tensor that requires a gradient, and the rows lie on several processes; distribute it: "
                f"torch.distributed.tensor.distribute_tensor({name}, mesh, placements)."
            )
        return Placed(tensor)
    _check_mesh(name, tensor, layout)
    return Placed(tensor, tuple(placements), layout.row_dimensions)


def place_rows(name: str, tensor: Any, layout: Layout, placements: Sequence[Any]) -> Placed:
    """What has an entry per row; what is plain is this process's already."""
    if not isinstance(tensor, DTensor):
        return Placed(tensor)
    _check_mesh(name, tensor, layout)
    return Placed(tensor, tuple(placements))


def place_bias(bias: Any, layout: Layout) -> Placed:
    """The bias of this process's classes.

    Raises:
        TypeError: a plain bias next to a weight that is a DTensor.
    """
    if bias is not None and not isinstance(bias, DTensor):
        raise TypeError(
            "bias is a plain tensor, but weight is a DTensor; distribute it over the same mesh with the same placements: "
            "torch.distributed.tensor.distribute_tensor(bias, weight.device_mesh, weight.placements)."
        )
    return place_parameter("bias", bias, layout, layout.per_class)


def place_labels(targets: Any, layout: Layout, axes: int) -> Placed:
    """Labels, or soft targets, whose last axis is sliced as the weight is; `axes` is the number of axes of input."""
    is_soft = isinstance(targets, torch.Tensor) and targets.dtype.is_floating_point and targets.ndim == axes
    return place_rows("targets", targets, layout, layout.soft(axes - 1) if is_soft else layout.rows)


def place_number(name: str, value: Any, layout: Layout) -> Placed:
    """One number for all rows, or one per row."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and value.ndim <= 1:
        return place_parameter(name, value, layout, [Replicate()] * layout.mesh.ndim)
    return place_rows(name, value, layout, layout.rows)


def place_teacher(targets: DistillationTargets, layout: Layout) -> dict[str, Placed]:
    """The tensors of a teacher by field: its classes are sliced as the student's are, its rows lie as the student's."""
    found = {}
    for name, value in vars(targets).items():
        if isinstance(value, torch.Tensor):
            words = f"the teacher's {name}"
            if isinstance(targets, TeacherTargets) and name in ("weight", "bias"):
                found[name] = place_rows(words, value, layout, layout.per_class)
            elif name == "temperature":
                found[name] = place_number(words, value, layout)
            else:
                found[name] = place_rows(words, value, layout, layout.rows)
    return found


def shared(value: Tensor, layout: Layout, placements: Sequence[Any], shape: torch.Size) -> Tensor:
    """A result on the mesh, if the input is."""
    if not layout.is_shared:
        return value
    stride = torch.empty(shape, device="meta").stride()
    return DTensor.from_local(value, layout.mesh, placements, run_check=False, shape=shape, stride=stride)


def refuse_parts(layout: Layout, input: Any, **of_rows: Any) -> None:
    """Raise ValueError for plain tensors of a process's part of the rows where the head gathers them."""
    if not isinstance(input, DTensor) or layout.classes is None or tuple(input.placements) == layout.rows:
        return
    part = input.to_local().shape[:-1]
    for name, tensor in of_rows.items():
        is_plain = isinstance(tensor, torch.Tensor) and not isinstance(tensor, DTensor)
        if is_plain and part != input.shape[:-1] and tensor.shape[: len(part)] == part:
            raise ValueError(
                f"{name} is a plain tensor of shape {tuple(tensor.shape)}, one entry per row of this process; but input lies in parts over "
                "the dimension of the mesh that holds the classes, where every process needs all rows, so they are gathered: pass "
                f"DTensor.from_local({name}, input.device_mesh, input.placements)."
            )


def _check_mesh(name: str, tensor: DTensor, layout: Layout) -> None:
    if tensor.device_mesh != layout.mesh:
        raise ValueError(
            f"{name} is on the mesh {tensor.device_mesh} and weight on {layout.mesh}; distribute both over the same mesh."
        )

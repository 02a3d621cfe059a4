"""Which dimension of a mesh holds the classes in slices, which hold rows in parts, and which repeat the same work."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate, Shard

Tensor = torch.Tensor


class Layout(NamedTuple):
    """A head on a mesh."""

    mesh: DeviceMesh
    #: The dimension of the mesh whose processes hold the classes in slices; None if every process has them all.
    classes: int | None
    #: Where the axes of the rows (input without its last axis) lie, by dimension of the mesh.
    rows: tuple[Shard | Replicate, ...]
    #: Whether the results are DTensors, as the input is.
    is_shared: bool

    @property
    def row_dimensions(self) -> tuple[int, ...]:
        """The dimensions of the mesh whose processes have different rows."""
        return tuple(i for i, place in enumerate(self.rows) if isinstance(place, Shard) and self.mesh.size(i) > 1)

    @property
    def other_dimensions(self) -> tuple[int, ...]:
        """The dimensions besides that of the classes."""
        return tuple(i for i in range(self.mesh.ndim) if i != self.classes and self.mesh.size(i) > 1)

    @property
    def per_class(self) -> tuple[Shard | Replicate, ...]:
        """Where weight and bias lie."""
        return tuple(Shard(0) if i == self.classes else Replicate() for i in range(self.mesh.ndim))

    def soft(self, axis: int) -> tuple[Shard | Replicate, ...]:
        """Where soft targets with the classes on `axis` lie."""
        return tuple(Shard(axis) if i == self.classes else place for i, place in enumerate(self.rows))

    @property
    def group(self) -> Any:
        """The processes that hold the classes in slices; None if there is one."""
        return None if self.classes is None else self.mesh.get_group(self.classes)


def layout_of(input: Any, weight: Any) -> Layout:
    """The layout that weight and input say.

    Raises:
        TypeError: a plain weight next to DTensors; a placement that no head has; an input that does not say which rows it has.
        ValueError: weight and input on different meshes.
    """
    if not isinstance(weight, DTensor):
        raise TypeError(
            "weight is a plain tensor next to a DTensor; distribute it over the same mesh: "
            "torch.distributed.tensor.distribute_tensor(weight, mesh, placements)."
        )
    mesh, classes = weight.device_mesh, _dimension_of_classes(weight)
    if isinstance(input, DTensor):
        if input.device_mesh != mesh:
            raise ValueError(
                f"input is on the mesh {input.device_mesh} and weight on {mesh}; distribute both over the same mesh, with Replicate() "
                "for weight where it is whole."
            )
        return Layout(mesh, classes, tuple(_of_rows(place, i == classes, input) for i, place in _each(input)), True)
    repeated = [i for i in range(mesh.ndim) if i != classes and mesh.size(i) > 1]
    if repeated:
        raise TypeError(
            f"input is a plain tensor, but the mesh {mesh} repeats the weight along dimension {repeated[0]}, and nothing says whether "
            "the rows are the same there; pass DTensor.from_local(input, mesh, placements), with Replicate() for the same rows and "
            f"Shard(0) for others{_names(mesh, repeated[0])}."
        )
    return Layout(mesh, classes, (Replicate(),) * mesh.ndim, False)


def _names(mesh: DeviceMesh, dimension: int) -> str:
    names = mesh.mesh_dim_names
    return f" along {names[dimension]!r}" if names else ""


def _each(tensor: DTensor) -> Any:
    return enumerate(tensor.placements)


_UNDER_FSDP = (
    "Under FSDP call the layer's forward, or a method given to torch.distributed.fsdp.register_fsdp_forward_method."
)


def _dimension_of_classes(weight: DTensor) -> int | None:
    """The one dimension larger than 1 along which the classes are sharded."""
    found = []
    for i, place in _each(weight):
        if isinstance(place, Replicate) or (weight.device_mesh.size(i) == 1 and isinstance(place, Shard)):
            continue
        # Not a subclass, nor a strided shard: their slices are not in the order of the ranks.
        if type(place) is not Shard or place.dim != 0:
            raise TypeError(
                f"weight has the placement {place} along dimension {i} of its mesh; a head takes Shard(0) (slices of the classes) and "
                f"Replicate(): redistribute it, as weight.redistribute(placements=[...]), or pass weight.full_tensor(). {_UNDER_FSDP}"
            )
        found.append(i)
    if len(found) > 1:
        raise TypeError(
            f"weight is sharded along its classes over dimensions {found} of its mesh; a head takes one such dimension: redistribute "
            f"it with Replicate() over the others. {_UNDER_FSDP}"
        )
    return found[0] if found else None


def _of_rows(place: Any, is_classes: bool, input: DTensor) -> Shard | Replicate:
    """Rows stay in parts, except over the slices of the classes: there everybody has the same rows. Features are whole."""
    if not is_classes and type(place) is Shard and place.dim % input.ndim < input.ndim - 1:
        return Shard(place.dim % input.ndim)
    return Replicate()

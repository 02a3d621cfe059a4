"""What goes between the processes of a group: gathers of a few numbers per row, and one sum of the gradients of the input."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.distributed as dist

Tensor = torch.Tensor


class GroupOfMesh(NamedTuple):
    """The processes along the dimension of a mesh over which a weight is sharded."""

    group: Any
    #: Whether the input is a plain tensor, so that nothing says that the rows are the same on all.
    is_input_plain: bool

    @property
    def remedy(self) -> str:
        """What to do if the processes have different rows."""
        return _FOR_STORAGE if self.is_input_plain else ""


_FOR_STORAGE = (
    " If the weight is sharded for storage alone, as under FSDP, and each process has its own rows: call the layer's forward or a "
    "method given to torch.distributed.fsdp.register_fsdp_forward_method, or pass weight.full_tensor()."
)


class Wire:
    """A process group, and this process's place in it.

    Raises:
        TypeError: no process group.
        ValueError: this process is not in the group.
    """

    #: What need not be the same on every process, and what to do if the rest is not; both end an error's message.
    sliced = "only the classes of weight, bias, class_weight, class_prior and soft targets are sliced"
    remedy = ""

    def __init__(self, group: Any, call: str) -> None:
        #: Whether a layer keeps the slices, so that they are compared too.
        self.is_of_layer = isinstance(group, GroupOfLayer)
        if isinstance(group, GroupOfMesh):
            self.remedy, group = group.remedy, group.group
        elif isinstance(group, GroupOfLayer):
            group = group.group
        if not dist.is_available() or not dist.is_initialized():
            raise ValueError(f"{call} got a group, but torch.distributed is not initialized; call init_process_group.")
        if not isinstance(group, dist.ProcessGroup):
            raise TypeError(
                f"group is {type(group).__name__}; give a process group, such as torch.distributed.group.WORLD or "
                "mesh.get_group(dimension)."
            )
        self.group, self.call = group, call
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise ValueError("this process is not in the group; call it in the processes of the group alone.")
        #: The ranks of the processes among all processes, as messages name them.
        self.ranks = dist.get_process_group_ranks(group)

    def gather(self, numbers: Tensor) -> Tensor:
        """The numbers of every process, (processes, ...), in the order of their ranks: the same bits on every process."""
        numbers = numbers.contiguous()
        if self.size == 1 or not numbers.numel():
            return numbers.expand(self.size, *numbers.shape)
        found = numbers.new_empty((self.size, *numbers.shape))
        try:
            dist.all_gather(list(found.unbind(0)), numbers, group=self.group)
        except RuntimeError as error:
            raise self._lost(error) from error
        return found

    def add(self, numbers: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1 and numbers.numel():
            try:
                dist.all_reduce(numbers, group=self.group)
            except RuntimeError as error:
                raise self._lost(error) from error
        return numbers

    def _lost(self, error: RuntimeError) -> RuntimeError:
        return RuntimeError(
            f"rank {self.rank} of {self.size} lost the other processes of its group in {self.call}: one of them has ended, or did "
            "not make the same call within the group's timeout. Look at the first error among all processes; every process of "
            f"the group must make the same calls in the same order. torch.distributed says: {error}"
        )


class GroupOfLayer:
    """A process group that a layer keeps: a deep copy of the layer has the same one, and a pickle is refused."""

    def __init__(self, group: Any) -> None:
        self.group = group

    def __deepcopy__(self, memo: Any) -> GroupOfLayer:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "a LinearLoss with group= cannot be pickled, since a process group belongs to its processes; save its state_dict()."
        )

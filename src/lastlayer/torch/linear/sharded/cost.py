"""What a head in slices costs each process: memory, bytes sent, collectives and operations, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lastlayer.torch.linear.plan import LinearPlan, plan
from lastlayer.torch.linear.sharded.handshake import SIZE

#: float64 numbers per row that each process gathers under softmax: largest score, sum of the others, score of the label.
_SOFTMAX = 3


@dataclass(frozen=True)
class SlicedPlan:
    """A `linear_loss` under softmax with labels and all its gradients, for the process with the largest slice. Bytes and operations."""

    processes: int
    #: The plan of the slice, as if it were a whole head.
    of_slice: LinearPlan
    weight_bytes: int
    #: The gradient of the weight, and the float32 sum that it is rounded from, if there is one.
    weight_gradient_bytes: int
    #: The gradient of the input, in float32 at least, since all processes add to it before it is rounded.
    input_gradient_bytes: int
    #: The scores of one block.
    workspace_bytes: int
    #: What this process gives to gathers, whatever the number of classes.
    gathered_bytes: int
    #: What this process gives to the all-reduce of the gradient of the input.
    reduced_bytes: int
    #: The handshake, one gather per block, and the all-reduce.
    collectives: int

    @property
    def memory_bytes(self) -> int:
        """Weight, gradients and workspace of this process."""
        return self.weight_bytes + self.weight_gradient_bytes + self.input_gradient_bytes + self.workspace_bytes

    @property
    def sent_bytes(self) -> int:
        """What leaves this process over the wire, by the ring algorithms.

        A gather sends each part processes − 1 times, an all-reduce of n bytes 2 n (processes − 1) / processes.
        """
        others = self.processes - 1
        return self.gathered_bytes * others + 2 * self.reduced_bytes * others // self.processes

    def seconds(self, operations: float, bandwidth: float, latency: float) -> float:
        """A lower bound of the time: the products, then the wire, with nothing at the same time.

        Args:
            operations: floating-point operations per second of the matrix products.
            bandwidth: bytes per second out of a process.
            latency: seconds per collective.
        """
        sending = self.sent_bytes / bandwidth + self.collectives * latency if self.processes > 1 else 0.0
        return self.of_slice.operations / operations + sending

    def __str__(self) -> str:
        return (
            f"{self.of_slice.rows} × {self.of_slice.features} inputs, {self.of_slice.classes} classes on each of {self.processes} "
            f"processes: {_in_words(self.memory_bytes)} of weight, gradients and workspace; {self.collectives} collectives, "
            f"{self.sent_bytes / max(1, self.of_slice.rows):.4g} bytes sent per row; {self.of_slice.operations / 1e12:.3g} Tflop"
        )


def _in_words(size: int) -> str:
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.4g} MiB"


def plan_in_slices(
    rows: int,
    features: int,
    classes: int,
    processes: int,
    dtype: torch.dtype = torch.float32,
    *,
    device: torch.device | str = "cpu",
    max_memory: int | None = None,
    scores_dtype: torch.dtype | None = None,
) -> SlicedPlan:
    """What `linear_loss` with group= costs each process, for `classes` in equal slices: softmax, labels, all gradients.

    sent bytes per row = 24 (P − 1) + 8 D (P − 1) / P for float32 or half inputs: no term has the number of classes.

    Args:
        rows, features, classes: of the whole head.
        processes: P.
        device, max_memory, scores_dtype: as for `linear_loss.plan`; the budget is that of the slice.

    Raises:
        ValueError: a size or `max_memory` below 1.

    >>> found = plan_in_slices(8192, 512, 10**7, 64, torch.bfloat16, device="cuda")
    >>> found.sent_bytes // 8192, found.collectives
    (5551, 10)
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}; a head in slices needs at least 1.")
    largest = -(-classes // processes)
    of_slice = plan(rows, features, largest, dtype, device=device, max_memory=max_memory, scores_dtype=scores_dtype)
    wide = torch.promote_types(dtype, torch.float32).itemsize
    # The plan's gradients are those of a whole head, whose input has the dtype of the weight.
    of_input = rows * features * (dtype.itemsize + (4 if dtype == torch.float16 else 0))
    return SlicedPlan(
        processes=processes,
        of_slice=of_slice,
        weight_bytes=largest * features * dtype.itemsize,
        weight_gradient_bytes=of_slice.gradient_bytes - of_input,
        input_gradient_bytes=rows * features * wide,
        workspace_bytes=of_slice.workspace_bytes,
        gathered_bytes=SIZE + 8 * _SOFTMAX * rows,
        reduced_bytes=rows * features * wide,
        collectives=1 + of_slice.blocks + 1,
    )

"""Launches the loss kernels as far as that goes without a GPU: Triton binds the host's arguments, and compiles for sm_90.

Prints the bound type of every loss option as JSON. Run by test_triton_compiled_losses.py.
"""

from __future__ import annotations

import json

import torch
from option_types import kernel_options
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from lastlayer.kernels.triton.launch import launch_for
from lastlayer.kernels.triton.softmax.cross_entropy import cross_entropy
from lastlayer.kernels.triton.sparse.fenchel_young import fenchel_young

ROWS, CLASSES = 3, 64


class NoDevice:
    """What a launch asks of the driver before it needs the device."""

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)


def bound(has_all: bool) -> dict[str, list]:
    """The types that both kernels' records of options have at a launch."""
    scores, labels, losses = torch.zeros(ROWS, CLASSES), torch.zeros(ROWS, dtype=torch.long), torch.zeros(ROWS)
    sizes = launch_for(ROWS, CLASSES, "heavy").sizes
    record = kernel_options(has_all, ROWS, CLASSES)
    arguments = (scores, labels, losses, scores, ROWS, CLASSES, CLASSES, 1, CLASSES, record)
    compiled = [
        cross_entropy.warmup(*arguments, IS_SOFT=False, **sizes, grid=(1,)),
        fenchel_young.warmup(*arguments, IS_SOFT=False, IS_ENTMAX=True, **sizes, grid=(1,)),
    ]
    return {kernel.name: kernel.src.signature["loss_options"] for kernel in compiled}


if __name__ == "__main__":
    driver.set_active(NoDevice())
    print(json.dumps({"none": bound(False), "all": bound(True)}))

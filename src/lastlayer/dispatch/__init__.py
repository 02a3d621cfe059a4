"""Which implementation serves this array: native kernels, a framework's adapter, or the portable formulas."""

from lastlayer.dispatch.native import (
    NATIVE,
    evaluate_quickly,
    instruction_set,
    log_partition_quickly,
    loss_quickly,
    num_threads,
    set_num_threads,
)
from lastlayer.dispatch.portable import PORTABLE, loss_dtype, portable_evaluate, portable_loss, working_dtype
from lastlayer.dispatch.table import Implementation, Request, implementation_for, implementations, register

register(PORTABLE)
if NATIVE is not None:
    register(NATIVE)

__all__ = [
    "NATIVE",
    "PORTABLE",
    "Implementation",
    "Request",
    "evaluate_quickly",
    "implementation_for",
    "implementations",
    "instruction_set",
    "log_partition_quickly",
    "loss_dtype",
    "loss_quickly",
    "num_threads",
    "portable_evaluate",
    "portable_loss",
    "register",
    "set_num_threads",
    "working_dtype",
]

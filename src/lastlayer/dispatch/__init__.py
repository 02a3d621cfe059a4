"""Which implementation serves this array: native kernels, a framework's adapter, or the portable formulas."""

from lastlayer.dispatch.extension import EXTENSION, why_missing
from lastlayer.dispatch.frameworks import Framework, framework_of
from lastlayer.dispatch.memory import LARGE, new_array
from lastlayer.dispatch.native import (
    NATIVE,
    evaluate_quickly,
    instruction_set,
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
    "EXTENSION",
    "LARGE",
    "NATIVE",
    "PORTABLE",
    "Framework",
    "Implementation",
    "Request",
    "evaluate_quickly",
    "framework_of",
    "implementation_for",
    "implementations",
    "instruction_set",
    "loss_dtype",
    "loss_quickly",
    "new_array",
    "num_threads",
    "portable_evaluate",
    "portable_loss",
    "register",
    "set_num_threads",
    "why_missing",
    "working_dtype",
]

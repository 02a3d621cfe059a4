"""How each array library is served: NumPy by the compiled kernels, torch and JAX in their folders, all others by formulas."""

from lastlayer.backends.contract import Backend
from lastlayer.backends.extension import EXTENSION, why_missing
from lastlayer.backends.memory import LARGE, new_array
from lastlayer.backends.native import has_kernel, instruction_set, num_threads, set_num_threads
from lastlayer.backends.numpy_arrays import NUMPY
from lastlayer.backends.portable import PORTABLE, loss_dtype, working_dtype
from lastlayer.backends.versions import OLDEST_TRITON, is_at_least

__all__ = [
    "EXTENSION",
    "LARGE",
    "NUMPY",
    "OLDEST_TRITON",
    "PORTABLE",
    "Backend",
    "has_kernel",
    "instruction_set",
    "is_at_least",
    "loss_dtype",
    "new_array",
    "num_threads",
    "set_num_threads",
    "why_missing",
    "working_dtype",
]

"""Who serves an array: its type decides, here and nowhere else.

| type of array                     | backend                    | its rows are computed by                                     |
|-----------------------------------|----------------------------|--------------------------------------------------------------|
| numpy.ndarray and its subclasses  | backends/numpy_arrays.py   | native kernels for built-in mappings, else formulas          |
| torch.Tensor, on the CPU          | backends/torch/ (cpu.py)   | the same native kernels on the tensor's memory               |
| torch.Tensor, on CUDA             | backends/torch/ (gpu.py)   | Triton kernels where there is one, else formulas             |
| jax.Array                         | backends/jax/              | formulas, with the records' derivatives                      |
| any other array-API array         | backends/portable.py       | formulas                                                     |

A framework's backend is imported when its first array comes in. `serving` answers for one array, `show_config` for all.
"""

from __future__ import annotations

from importlib import metadata, util
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_array_api_obj

from lastlayer.backends import NUMPY, OLDEST_TRITON, PORTABLE, Backend, instruction_set, is_at_least
from lastlayer.mappings import ProbabilityMapping

Array = Any


def backend_of(array: Any) -> Backend | None:
    """The backend of an array; None for lists, numbers and everything else that is no array of any library."""
    kind = type(array)
    if kind is np.ndarray:
        return NUMPY
    # torch.compile cannot walk the classes of a Parameter. A subclass of tensors may come from any module.
    is_parameter = kind.__name__ == "Parameter" and kind.__module__ == "torch.nn.parameter"
    for base in (kind,) if is_parameter else kind.__mro__:
        if is_parameter or (base.__module__ == "torch" and base.__name__ == "Tensor"):
            # An import statement at every call: torch.compile follows no other import, and a remembered result would be a guard that
            # the first call breaks.
            from lastlayer.backends.torch.backend import TORCH

            return TORCH
        # Arrays come from jaxlib, tracers from a private module of JAX.
        if base.__name__ in ("ArrayImpl", "Tracer") and base.__module__.partition(".")[0] in ("jax", "jaxlib"):
            from lastlayer.backends.jax.backend import JAX

            return JAX
    if isinstance(array, np.ndarray):
        return NUMPY
    is_scalar_or_list = isinstance(array, (list, tuple, int, float, np.generic))
    return PORTABLE if not is_scalar_or_list and is_array_api_obj(array) else None


def serving(mapping: ProbabilityMapping, scores: Array, quantity: str = "probabilities") -> str:
    """The name of the code that computes a quantity, or the "loss", of a mapping for these scores.

    >>> from lastlayer.mappings import MAPPINGS
    >>> serving(MAPPINGS["softmax"].replace(), np.zeros((2, 3), dtype=np.longdouble))
    'portable formulas'
    """
    backend = backend_of(scores)
    return "portable formulas" if backend is None else backend.serves(mapping, scores, quantity)


class Served(NamedTuple):
    """One line of `lastlayer config`."""

    name: str
    arrays: str
    computes: str
    #: The packages that it needs, and the oldest versions that serve.
    needs: tuple[tuple[str, str], ...] = ()

    def state(self) -> str:
        """Whether its packages are installed and new enough; nothing is imported."""
        missing = [package for package, _ in self.needs if util.find_spec(package) is None]
        if missing:
            return f"not installed: {', '.join(missing)}"
        found = [(package, _version(package), oldest) for package, oldest in self.needs]
        return ", ".join(
            f"{package} {version}{'' if is_at_least(version, oldest) else f' is too old, {oldest} is needed'}"
            for package, version, oldest in found
        )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def backends() -> list[dict[str, str]]:
    """Every backend with the arrays that it serves, what computes them, and which packages it found."""
    kernels = instruction_set()
    native = f"native {kernels} kernels" if kernels else "portable formulas (this installation has no kernels)"
    formulas = "; portable formulas for mappings of your own" if kernels else ""
    lines = (
        Served("numpy", "NumPy arrays", f"{native} for float64, float32, float16{formulas}", (("numpy", "2.0"),)),
        Served(
            "torch cpu",
            "torch tensors on the CPU",
            f"{native}, bfloat16 as well, with gradients{formulas}",
            (("torch", "2.5"),),
        ),
        Served(
            "torch cuda",
            "torch tensors on CUDA",
            "Triton kernels for softmax, sparsemax and 1.5-entmax of float32, float16 and bfloat16; portable formulas on the "
            "device for the rest; with gradients",
            (("torch", "2.5"), ("triton", OLDEST_TRITON)),
        ),
        Served(
            "jax",
            "JAX arrays, under jit, vmap and grad",
            "portable formulas with the records' derivatives",
            (("jax", "0.5"),),
        ),
        Served("portable", "any other array-API array", "portable formulas"),
    )
    return [{**line._asdict(), "needs": line.state()} for line in lines]

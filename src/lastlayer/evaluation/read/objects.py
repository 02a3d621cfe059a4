"""Arrays of any library as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.dispatch import backend_of
from lastlayer.evaluation.error import EvaluationError


def as_array(values: Any, what: str) -> np.ndarray:
    """A NumPy array of a list, an array or a tensor; without a copy where the memory can be shared.

    Tensors may require gradients and be on any device. bfloat16 becomes float32. What is masked becomes NaN.

    Raises:
        EvaluationError: it is no array.
    """
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values)
    if isinstance(values, np.ndarray):
        return _known_type(np.asarray(values))
    backend = backend_of(values)
    if backend is not None and backend.name == "torch":
        # Only someone who has torch has a tensor.
        from lastlayer.evaluation.read.torch_tensors import tensor_array

        return tensor_array(values)
    if hasattr(values, "toarray"):
        raise EvaluationError(f"{what} are a sparse {type(values).__name__}; give an array: .toarray().")
    try:
        return _known_type(np.asarray(values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise EvaluationError(
            f"{what} cannot be made a NumPy array ({str(error).rstrip('.')}); give a path, an array, or a DataFrame."
        ) from error


def _unmasked(values: np.ma.MaskedArray) -> np.ndarray:
    if not np.ma.is_masked(values):
        return np.asarray(values.data)
    if values.dtype.kind == "f":
        return np.ma.filled(values, np.nan)
    if values.dtype.kind in "iub":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.ma.filled(values.astype(object), None)


def _known_type(array: np.ndarray) -> np.ndarray:
    # The bfloat16 of JAX and TensorFlow is no type of NumPy.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array

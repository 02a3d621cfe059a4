"""Whether an array can be scores."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.error import EvaluationError


def check_scores(array: np.ndarray, where: str) -> None:
    """Raise EvaluationError unless it is (n, K) or (n,) numbers with a row and a class."""
    if array.dtype.kind not in "fiu":
        raise EvaluationError(
            f"{where} holds {_type(array.dtype)}; give scores or probabilities as numbers, float16 to float64 or integers."
        )
    if array.dtype.itemsize > 8:
        raise EvaluationError(f"{where} has the type {array.dtype}; give float64: array.astype(float).")
    if array.ndim not in (1, 2):
        remedy = "a path or an array" if array.ndim == 0 else "one row per example, array.reshape(-1, classes)"
        raise EvaluationError(f"{where} has the shape {array.shape}, not (rows, classes); give {remedy}.")
    if 0 in array.shape:
        raise EvaluationError(
            f"{where} has the shape {array.shape}, so there is nothing to evaluate; give rows of scores."
        )


def _type(dtype: np.dtype) -> str:
    words = {"b": "bools", "c": "complex numbers", "O": "Python objects", "U": "texts", "S": "texts", "T": "texts"}
    return words.get(dtype.kind, f"numbers of the type {dtype}")

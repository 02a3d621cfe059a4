"""Groups of rows that belong together, as integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.frames import is_missing


def read_groups(cells: Any, n: int, where: str) -> np.ndarray:
    """(n,) int64 the group of each row; a row without a group is a group by itself.

    Raises:
        EvaluationError: there are more or fewer groups than rows.
    """
    array = np.asarray(cells)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise EvaluationError(f"{where} has groups of the shape {array.shape}; give one group per row, (n,).")
    if len(array) != n:
        raise EvaluationError(
            f"{where} has {len(array)} groups, and there are {n} rows of scores; give one group per row."
        )
    missing, codes = _codes(array)
    codes[missing] = codes.max(initial=-1) + 1 + np.arange(np.count_nonzero(missing))
    return codes


def _codes(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if array.dtype.kind in "iufb":
        return np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), bool), np.unique(
            array, return_inverse=True
        )[1].astype(np.int64)
    known: dict[Any, int] = {}
    missing = np.array([is_missing(cell) or cell == "" for cell in array], dtype=bool)
    codes = [
        -1 if absent else known.setdefault(cell, len(known))
        for absent, cell in zip(missing, array.tolist(), strict=True)
    ]
    return missing, np.array(codes, dtype=np.int64)

"""The array library that a check runs on: how to convert NumPy rows to its arrays and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Backend:
    """An array library, as far as the checks need it."""

    name: str
    #: NumPy array → this library's array, dtype kept.
    to_array: Callable[[np.ndarray], Any]
    #: This library's array → NumPy array.
    to_numpy: Callable[[Any], np.ndarray]
    #: Whether the library has float16 (the array-API standard does not).
    has_half: bool = True
    #: The number of Hypothesis examples per law. Small for most libraries, since they all run the same formulas.
    examples: int = 15


NUMPY = Backend("numpy", to_array=lambda x: x, to_numpy=np.asarray, examples=60)

"""Which array library a check runs on: how NumPy rows become its arrays, and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Backend:
    """An array library as the checks see it."""

    name: str
    #: NumPy array → this library's array, dtype kept.
    to_array: Callable[[np.ndarray], Any]
    #: This library's array → NumPy array.
    to_numpy: Callable[[Any], np.ndarray]
    #: Whether the library has float16 (the array-API standard does not).
    has_half: bool = True
    #: How many examples Hypothesis tries a law on; every library runs the same formulas.
    examples: int = 15


NUMPY = Backend("numpy", to_array=lambda x: x, to_numpy=np.asarray, examples=60)

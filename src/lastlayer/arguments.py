"""Numbers and integers at the boundary: one reading of an option, whoever takes it.

Python's and NumPy's numbers are taken alike, and become Python's: a formula that multiplies by a float32 option would round to
float32. The symbolic numbers of a compiler pass through.
"""

from __future__ import annotations

import numbers
import operator
from typing import Any

import numpy as np

#: The numbers of torch's compiler, which are neither int nor float and must not be looked at.
_SYMBOLIC = ("SymInt", "SymFloat")

#: What is an integer to Python or NumPy, and not a number to us.
_NO_INTEGERS = (bool, np.timedelta64)


def as_number(name: str, value: Any, needs: str = "a number") -> Any:
    """A real number as a Python int or float.

    Raises:
        TypeError: anything else: bool, str, None, complex, or an array.
    """
    if type(value) in (float, int):
        return value
    value = _unwrapped(value)
    if isinstance(value, numbers.Integral) and not isinstance(value, _NO_INTEGERS):
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, _NO_INTEGERS):
        return float(value)
    if type(value).__name__ in _SYMBOLIC:
        return value
    how = f", such as {name}.item()" if is_array(value) and not value.shape else ""
    raise TypeError(f"{name} is {describe(value)}; give {needs}{how}.")


def as_integer(name: str, value: Any, needs: str = "an integer") -> Any:
    """An integer, or an array of one without axes such as `labels[0]`, as a Python int.

    Raises:
        TypeError: anything else: bool, float, str, None, or an array with axes.
    """
    if type(value) is int:
        return value
    value = _unwrapped(value)
    if isinstance(value, numbers.Integral) and not isinstance(value, _NO_INTEGERS):
        return int(value)
    if type(value).__name__ == "SymInt":
        return value
    if is_array(value) and value.ndim == 0 and "int" in str(value.dtype):
        return operator.index(value)
    raise TypeError(f"{name} is {describe(value)}; give {needs}.")


def is_array(value: Any) -> bool:
    """Whether a value is an array of numbers, of any library."""
    # Numbers first: torch.compile cannot ask a symbolic one for its attributes.
    if isinstance(value, (int, float, np.generic)):
        return False
    return hasattr(value, "shape") and hasattr(value, "dtype")


def describe(value: Any) -> str:
    """A value as error messages show it: an array by type, dtype and shape, anything else in full."""
    if is_array(value):
        return f"{type(value).__name__} of {value.dtype} and shape {tuple(value.shape)}"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _unwrapped(value: Any) -> Any:
    """The number inside a NumPy array without axes."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value

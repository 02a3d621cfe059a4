"""What is applied to scores before the mapping: softcap · tanh(x / softcap) / temperature. softcap = 1 is tanh itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lastlayer.arguments import as_number, describe, is_array

Array = Any
Namespace = Any


@dataclass(frozen=True)
class Activation:
    """a(x) = softcap · tanh(x / softcap) / temperature; without a softcap a(x) = x / temperature.

    Raises:
        TypeError: temperature or softcap is not a number.
        ValueError: temperature or softcap is not positive and finite.
    """

    #: A number, or an array: `lastlayer.functions` divides the scores by an array before it calls the loss.
    temperature: Any = 1.0
    softcap: float | None = None

    def __post_init__(self) -> None:
        if self.softcap is not None:
            self._read("softcap")
        value = self.temperature
        if type(value) is float and 0.0 < value < float("inf"):
            return
        if is_array(value) and not (isinstance(value, np.ndarray) and value.ndim == 0):
            _check_floats("temperature", value)
        else:
            self._read("temperature")

    def _read(self, name: str) -> None:
        value = as_number(name, getattr(self, name), "a positive number")
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{name} is {value}; it must be a positive finite number.")
        object.__setattr__(self, name, value)

    @property
    def is_identity(self) -> bool:
        """Whether scores are left unchanged."""
        return self.temperature == 1.0 and self.softcap is None

    def __call__(self, scores: Array, xp: Namespace) -> Array:
        """a(x), elementwise."""
        if self.softcap is not None:
            scores = self.softcap * _tanh(scores / self.softcap, xp)
        return scores if self.temperature == 1.0 else scores / self.temperature

    def pull_back(self, scores: Array, gradient: Array, xp: Namespace) -> Array:
        """gradient · a′(x), a′ = sech²(x / softcap) / temperature."""
        if self.softcap is not None:
            # sech² directly: 1 − tanh² would cancel to zero long before sech² is zero.
            tail = xp.exp(-2.0 * xp.abs(scores / self.softcap))
            gradient = gradient * (4.0 * tail / ((1.0 + tail) * (1.0 + tail)))
        return gradient if self.temperature == 1.0 else gradient / self.temperature


def _tanh(u: Array, xp: Namespace) -> Array:
    """tanh(u), written so that automatic differentiation keeps the tail of sech²; of xp.tanh it would use 1 − tanh²."""
    size = xp.abs(u)
    tail = xp.exp(-2.0 * size)
    far = 1.0 - 2.0 * tail / (1.0 + tail)
    return xp.where(size < 0.5, xp.tanh(u), xp.where(u < 0, -far, far))


def _check_floats(name: str, array: Any) -> None:
    if str(array.dtype).rpartition(".")[2] not in ("float16", "bfloat16", "float32", "float64"):
        raise TypeError(f"{name} is {describe(array)}; give a positive number, or an array of floats.")

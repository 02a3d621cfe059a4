"""Softcap and temperature: softcap · tanh(x / softcap) / temperature. tanh itself is softcap = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any
Namespace = Any


@dataclass(frozen=True)
class Activation:
    """a(x) = softcap · tanh(x / softcap) / temperature; without a softcap a(x) = x / temperature.

    Raises:
        ValueError: temperature or softcap is not a positive finite number.
    """

    temperature: float = 1.0
    softcap: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("temperature", self.temperature), ("softcap", self.softcap)):
            if value is not None and not 0.0 < value < float("inf"):
                raise ValueError(f"{name} is {value}; it must be a positive finite number.")

    @property
    def is_identity(self) -> bool:
        """Whether scores pass unchanged."""
        return self.temperature == 1.0 and self.softcap is None

    def __call__(self, scores: Array, xp: Namespace) -> Array:
        """a(x), elementwise."""
        if self.softcap is not None:
            scores = self.softcap * xp.tanh(scores / self.softcap)
        return scores if self.temperature == 1.0 else scores / self.temperature

    def pull_back(self, scores: Array, gradient: Array, xp: Namespace) -> Array:
        """gradient · a′(x), a′ = sech²(x / softcap) / temperature."""
        if self.softcap is not None:
            # 1 − tanh² would vanish long before sech² does.
            tail = xp.exp(-2.0 * xp.abs(scores / self.softcap))
            gradient = gradient * (4.0 * tail / ((1.0 + tail) * (1.0 + tail)))
        return gradient if self.temperature == 1.0 else gradient / self.temperature

"""Fingerprints of what all processes must hold alike: different values nearly always have different ones."""

from __future__ import annotations

import torch

Tensor = torch.Tensor

#: An odd multiplier, so that the place of a value counts (Knuth's of multiplicative hashing).
_ODD = 2654435761


def print_of_rows(values: Tensor) -> str:
    """The fingerprint of integers or booleans (N,), in hexadecimal."""
    flat = values.reshape(-1).to(torch.int64)
    places = torch.arange(1, flat.numel() + 1, device=flat.device, dtype=torch.int64)
    return f"{int(((flat + 1) * (places * _ODD + 1)).sum()) & (2**64 - 1):016x}"

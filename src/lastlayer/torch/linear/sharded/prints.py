"""Fingerprints of what all processes must hold alike: different values nearly always have different ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch

Tensor = torch.Tensor

#: An odd multiplier, so that the place of a value counts (Knuth's of multiplicative hashing).
_ODD = 2654435761
#: Groups of rows in a sketch: row i belongs to group i modulo this.
SKETCHES = 8
#: Sketches of equal inputs differ by rounding, those of different ones by about the norm.
_NEAR = 0.1


def print_of_rows(values: Tensor) -> str:
    """The fingerprint of integers, booleans or floating-point bits (N,), in hexadecimal."""
    flat = values.reshape(-1)
    flat = flat.double().view(torch.int64) if flat.is_floating_point() else flat.to(torch.int64)
    places = torch.arange(1, flat.numel() + 1, device=flat.device, dtype=torch.int64)
    return f"{int(((flat + 1) * (places * _ODD + 1)).sum()) & (2**64 - 1):016x}"


def sketch_of_inputs(input: Tensor) -> list[float]:
    """A projection of each group of rows onto random signs, then the norm of each group: 2 · SKETCHES numbers.

    Not a hash: processes that compute the same inputs by themselves may differ in the last bits, which `is_near` forgives.
    """
    rows = input.detach()
    wide = torch.promote_types(rows.dtype, torch.float32)
    projections, norms = rows @ _signs(rows.shape[1], rows), torch.linalg.vector_norm(rows, dim=1, dtype=wide)
    group = torch.arange(rows.shape[0], device=rows.device) % SKETCHES
    signed = projections.double() * _signs(rows.shape[0], rows).double()
    found = torch.zeros(2, SKETCHES, dtype=torch.float64, device=rows.device)
    found[0].index_add_(0, group, signed)
    found[1].index_add_(0, group, norms.double().square())
    found[1].sqrt_()
    numbers: list[float] = found.flatten().tolist()
    return numbers


def is_near(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two sketches are those of the same inputs up to rounding; NaN and infinity are only like themselves."""
    norms = [max(pair) for pair in zip(one[SKETCHES:], other[SKETCHES:], strict=True)]
    for a, b, norm in zip(one, other, norms * 2, strict=True):
        if math.isfinite(a) != math.isfinite(b) or abs(a - b) > _NEAR * norm:
            return False
    return True


@functools.lru_cache(maxsize=8)
def _drawn_signs(size: int) -> Tensor:
    drawn = torch.randint(2, (size,), generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    return drawn.mul(2).sub(1).to(torch.int8)


def _signs(size: int, like: Tensor) -> Tensor:
    """The same ±1 on every process."""
    return _drawn_signs(size).to(like.device, like.dtype)

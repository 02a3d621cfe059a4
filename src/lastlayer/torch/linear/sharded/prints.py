"""Fingerprints of what all processes must hold alike: different values nearly always have different ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

Tensor = torch.Tensor

#: Odd multipliers of splitmix64 as signed integers: the golden ratio for places, the other two mix all bits of a value.
_PLACE, _FIRST, _SECOND = -7046029254386353131, -4658895280553007687, -7723592293110705685
#: Groups of rows in a sketch: row i belongs to group i modulo this.
SKETCHES = 16
#: The least part of a group's norm by which sketches of other inputs differ; half types have four times their eps.
_NEAR = 2.0**-10


class Sketch(NamedTuple):
    """A projection of each group of rows onto random signs, then the norm of each group."""

    numbers: tuple[float, ...]
    #: The part of the norm by which those of equal inputs may differ.
    tolerance: float


def print_of_rows(values: Tensor) -> str:
    """The fingerprint of integers, booleans or floating-point bits (N,), in hexadecimal."""
    flat = values.reshape(-1)
    flat = flat.double().view(torch.int64) if flat.is_floating_point() else flat.to(torch.int64)
    mixed = flat + _PLACE * torch.arange(1, flat.numel() + 1, device=flat.device, dtype=torch.int64)
    # Each value by itself, so that differences in the same high bits of two floats do not cancel.
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
        mixed = (mixed ^ (mixed >> shift)) * factor
    return f"{int(mixed.sum()) & (2**64 - 1):016x}"


def sketch_of_inputs(input: Tensor) -> Sketch:
    """The sketch of rows (N, D), 2 · SKETCHES numbers.

    Not a hash: processes that compute the same inputs by themselves may differ in the last bits, which `is_near` forgives. So it
    finds what changes a group of N / SKETCHES rows by more than the tolerance: another scale, one row of thousands in float32; of
    8192 rows in bfloat16 a single other one is found about every second time.
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
    tolerance = max(_NEAR, 4.0 * torch.finfo(rows.dtype).eps)
    return Sketch(tuple(found.flatten().tolist()), tolerance)


def mark_of(weight: Tensor) -> int:
    """A number of a slice (K, D) by some of its values, the same for a copy; 0 for slices of one value, as at an initialisation by 0."""
    rows, features = weight.shape
    some = weight.detach()[:: rows // 16 + 1, :: features // 64 + 1]
    if not some.numel() or bool((some == some[0, 0]).all()):
        return 0
    # Signed, as the message has it.
    return int(print_of_rows(some), 16) % 2**62 + rows % 1000


def is_near(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    """Whether two sketches are those of the same inputs up to rounding; NaN and infinity are only like themselves."""
    norms = [max(pair) for pair in zip(one[SKETCHES:], other[SKETCHES:], strict=True)]
    for a, b, norm in zip(one, other, norms * 2, strict=True):
        if math.isfinite(a) != math.isfinite(b) or abs(a - b) > tolerance * norm:
            return False
    return True


@functools.lru_cache(maxsize=8)
def _drawn_signs(size: int) -> Tensor:
    drawn = torch.randint(2, (size,), generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    return drawn.mul(2).sub(1).to(torch.int8)


def _signs(size: int, like: Tensor) -> Tensor:
    """The same ±1 on every process."""
    return _drawn_signs(size).to(like.device, like.dtype)

"""Sums of half-typed gradients in two planes: float32 sums bit by bit, scaled and rounded once."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

from truth import DEVICE

from lastlayer.kernels.triton import add, scale_in_place, stack

SIZE = (70, 33)


def parts_of(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    parts = [torch.randn(SIZE, generator=generator) * 10.0 ** (i - 3) for i in range(count)]
    parts[0][0, :4] = torch.tensor([float("inf"), -0.0, 1e-40, -3e38])
    return [part.to(DEVICE) for part in parts]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("scale", [None, 1.0 / 3.0])
def test_sums_are_those_of_float32(dtype, count, scale):
    parts = parts_of(count)
    truth = torch.zeros_like(parts[0]) if count > 1 else parts[0]
    gradient = torch.full(SIZE, float("nan"), dtype=dtype, device=DEVICE)
    lower = torch.empty(SIZE, dtype=torch.int16, device=DEVICE) if count > 1 else None
    by = None if scale is None else torch.tensor(scale, device=DEVICE)
    for i, part in enumerate(parts):
        truth = truth + part if count > 1 else truth
        is_last = i == count - 1
        add(part, gradient, lower, has_sum=i > 0, is_last=is_last, scale=by if is_last else None)
    truth = truth if by is None else truth * by
    assert torch.equal(gradient.nan_to_num(7.0), truth.to(dtype).nan_to_num(7.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_numbers_are_scaled_once(dtype):
    numbers = parts_of(1)[0].to(dtype)
    same = numbers.clone()
    scale_in_place(same, torch.tensor(1.0, device=DEVICE))
    assert torch.equal(same, numbers)
    scale_in_place(same, torch.tensor(0.3, device=DEVICE))
    assert torch.equal(same, (numbers.float() * torch.tensor(0.3, device=DEVICE)).to(dtype))
    scale_in_place(torch.zeros(0, 3, device=DEVICE), torch.tensor(0.3, device=DEVICE))


@pytest.mark.parametrize("heights", [(1, 1), (9, 3), (16, 8)])
@pytest.mark.parametrize("columns", [1, 30, 700])
def test_matrices_are_stacked(heights, columns):
    both = [torch.randn(height, 900, device=DEVICE).bfloat16() for height in heights]
    out = torch.zeros(sum(heights), 800, device=DEVICE).bfloat16()
    stack(*(part[:, 5 : 5 + columns] for part in both), out[:, :columns])
    assert torch.equal(out[:, :columns], torch.cat(both)[:, 5 : 5 + columns])
    assert not out[:, columns:].any()

"""Sums of bfloat16 gradients in two planes: float32 sums bit by bit, rounded once; and numbers scaled where they lie."""

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
def test_sums_are_those_of_float32(dtype, count):
    parts = parts_of(count)
    truth = torch.zeros_like(parts[0]) if count > 1 else parts[0]
    gradient = torch.full(SIZE, float("nan"), dtype=dtype, device=DEVICE)
    lower = torch.empty(SIZE, dtype=torch.int16, device=DEVICE) if count > 1 else None
    for i, part in enumerate(parts):
        truth = truth + part if count > 1 else truth
        add(part, gradient, lower, has_sum=i > 0, is_last=i == count - 1)
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factor", [0.3, 65536.0, float("inf"), float("nan")])
def test_rows_that_do_not_count_become_zero_whatever_the_factor(dtype, factor):
    generator = torch.Generator().manual_seed(3)
    numbers = torch.randn(SIZE, generator=generator).to(DEVICE, dtype)
    counted = (torch.arange(SIZE[0]) % 3 > 0).to(DEVICE)
    by = torch.tensor(factor, device=DEVICE)
    truth = torch.where(counted[:, None], numbers.float() * by, 0.0).to(dtype)
    scale_in_place(numbers, by, counted)
    assert torch.equal(numbers.nan_to_num(7.0), truth.nan_to_num(7.0))
    assert not numbers[~counted].any()


@pytest.mark.parametrize("heights", [(1, 1), (9, 3), (16, 8)])
@pytest.mark.parametrize("columns", [1, 30, 700])
def test_matrices_are_stacked(heights, columns):
    both = [torch.randn(height, 900, device=DEVICE).bfloat16() for height in heights]
    out = torch.zeros(sum(heights), 800, device=DEVICE).bfloat16()
    stack(*(part[:, 5 : 5 + columns] for part in both), out[:, :columns])
    assert torch.equal(out[:, :columns], torch.cat(both)[:, 5 : 5 + columns])
    assert not out[:, columns:].any()

"""Sums of rows and slopes in place, against formulas in float64: numbers, edges, options, and rows of many blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from truth import DEVICE

from lastlayer.activation import Activation
from lastlayer.backends.torch import softmax_rows
from lastlayer.kernels.triton import row_slopes, row_sums

INF, NAN = float("inf"), float("nan")
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
ACTIVATIONS = [(None, 1.0), (None, 1.3), (5.0, 0.7)]
#: In ULP of float32.
BOUND = 4.0


def problem(classes, dtype=torch.float32, rows=5):
    generator = torch.Generator().manual_seed(classes)
    x = (3.0 * torch.randn(rows, classes, generator=generator)).to(dtype)
    places = torch.randint(0, classes, (rows,), generator=generator)
    places[1] = -1
    weights = torch.rand(classes, generator=generator)
    weights[0] = 0.0
    return x.to(DEVICE), places.to(DEVICE), weights.to(DEVICE)


def sums_of(x, places, softcap, temperature, weights):
    """By the formulas, in float64."""
    found = softmax_rows._sums_by_formulas(x.double(), places, Activation(temperature, softcap), weights, True)
    return found[0].cpu().numpy(), found[1]


@pytest.mark.parametrize("classes", [1, 2, 17, 40])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("softcap", "temperature"), ACTIVATIONS)
def test_sums(classes, dtype, softcap, temperature, long_rows):
    x, places, weights = problem(classes, dtype)
    numbers, argmax = row_sums(x, places, softcap, temperature, weights, True)
    exact, first = sums_of(x, places, softcap, temperature, weights)
    assert torch.equal(argmax, first)
    assert numbers.dtype == torch.float64
    # Activated scores are rounded to float32, which moves each of them by some of its ULP.
    bound = BOUND if (softcap, temperature) == (None, 1.0) else 64.0
    for got, true in zip(numbers, exact, strict=True):
        assert truth.error(got, true, torch.float32, scale=np.maximum(np.abs(true), 1e-6)) <= bound


@pytest.mark.parametrize("classes", [1, 2, 17, 40])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("softcap", "temperature"), ACTIVATIONS)
@pytest.mark.parametrize("has_share", [False, True])
def test_slopes(classes, dtype, softcap, temperature, has_share, long_rows):
    x, places, weights = problem(classes, dtype)
    sums, _ = row_sums(x, places, softcap, temperature)
    drawn = torch.randn(4, len(x), generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(DEVICE)
    drawn[3] *= has_share
    numbers, is_live = torch.cat([sums[:2], drawn]), torch.tensor([True, True, True, False, True], device=DEVICE)
    exact = x.double()
    softmax_rows._slopes_by_formulas(exact, places, numbers, is_live, Activation(temperature, softcap), weights)
    row_slopes(x, places, numbers, is_live, softcap, temperature, weights, has_share)
    assert not x[3].any()
    size = np.maximum(np.abs(truth.numbers(exact)), 0.01 * float(exact.abs().max()))
    bound = 1.0 if dtype != torch.float32 else 16.0 if (softcap, temperature) == (None, 1.0) else 64.0
    assert truth.error(x, truth.numbers(exact), scale=size) <= bound


def test_confident_rows_and_common_offsets(long_rows):
    rows = torch.tensor([[0.0, -17.0, -30.0], [1e6, 1e6 - 20, 1e6 - 25], [-60.0, 0.0, -1e30], [5.0, 5.0, 5.0]])
    x = torch.full((4, 41), -INF)
    x[:, [1, 20, 40]] = rows
    x = x.to(DEVICE)
    places = torch.tensor([20, 1, 40, 1], device=DEVICE)
    numbers, argmax = row_sums(x, places)
    exact, _ = sums_of(x, places, None, 1.0, None)
    assert argmax.tolist() == [1, 1, 20, 1]
    for number in range(3):
        assert truth.error(numbers[number], exact[number], torch.float32) <= BOUND


def test_edges(long_rows):
    """One +∞, two, none above −∞, and a NaN in one row alone."""
    x = torch.zeros(5, 20, device=DEVICE)
    x[0, 3] = x[1, 3] = x[1, 17] = INF
    x[2] = -INF
    x[3, 18] = NAN
    places = torch.full((5,), 3, device=DEVICE)
    numbers, argmax = row_sums(x, places)
    assert argmax.tolist() == [3, 3, 0, 18, 0]
    assert numbers[0].tolist()[:3] == [INF, INF, -INF]
    assert numbers[1].tolist()[:3] == pytest.approx([0.0, 1.0, 0.0], abs=1e-30)
    assert numbers[2].tolist()[:3] == pytest.approx([0.0, 0.0, 0.0], abs=1e-30)
    assert numbers[:3, 3].isnan().all()
    assert numbers[1, 4] == 19.0
    one = torch.ones(5, dtype=torch.float64, device=DEVICE)
    row_slopes(x, places, torch.stack([*numbers[:2], one, 0 * one, 0.25 * one, 0 * one]), one == 1.0)
    assert x[0].tolist() == [0.0] * 3 + [0.25] + [0.0] * 16
    assert x[1, 17] == 0.5
    assert x[2, 4:].isnan().all()
    assert x[3, 4:].isnan().all()
    assert x[4, 4:].tolist() == pytest.approx([0.05] * 16)

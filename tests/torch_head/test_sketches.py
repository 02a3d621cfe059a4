"""Fingerprints and sketches: the same on every process for the same values, and different ones for others."""

from __future__ import annotations

import itertools

import pytest
import torch

from lastlayer.torch.linear.sharded.prints import is_near, print_of_rows, sketch_of_inputs

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def are_near(x, other):
    sketch = sketch_of_inputs(x)
    return is_near(sketch.numbers, sketch_of_inputs(other).numbers, sketch.tolerance)


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_is_forgiven_and_other_inputs_are_not(dtype):
    x = drawn(0, 999, 64).to(dtype)
    noise = max(torch.finfo(dtype).eps, 1e-4)
    assert are_near(x, (x.double() * (1.0 + noise * drawn(1, 999, 64))).to(dtype))
    for other in (drawn(2, 999, 64), x.roll(1, 0), x.flip(1), -x, 1.05 * x, torch.zeros_like(x)):
        assert not are_near(x, other.to(dtype))


def test_a_few_rows_are_compared_one_by_one():
    x = drawn(0, 8, 5)
    for row in range(8):
        other = x.clone()
        other[row] *= 2.0
        assert not are_near(x, other)


@pytest.mark.parametrize(("dtype", "least"), [(torch.float32, 19), (torch.float16, 18), (torch.bfloat16, 6)], ids=str)
def test_one_row_of_many(dtype, least):
    x = drawn(0, 8192, 64).to(dtype)
    found = 0
    for seed in range(20):
        other = x.clone()
        other[seed * 401] = drawn(seed + 1, 64).to(dtype)
        found += not are_near(x, other)
    assert found >= least


def test_nan_and_infinity_are_like_themselves():
    x = drawn(0, 20, 5)
    for value in (float("nan"), float("inf")):
        bad = torch.where(x == x[3, 2], value, x)
        assert are_near(bad, bad)
        assert not are_near(bad, x)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_nothing(shape):
    assert sketch_of_inputs(torch.zeros(shape)).numbers == (0.0,) * 32


def test_fingerprints_see_values_and_places():
    values = [torch.tensor(x) for x in ([1, 2, 3], [1, 3, 2], [1, 2, 4], [1.0, 2.0, 3.0 + 1e-6], [1.0, 2.0, 3.0])]
    assert len({print_of_rows(x) for x in values}) == len(values)
    # Signs are one bit, the highest: two of them must not cancel.
    assert print_of_rows(torch.tensor([1.0, -1.0])) != print_of_rows(torch.tensor([-1.0, 1.0]))
    few = {print_of_rows(torch.tensor(x)) for x in itertools.product((-1.0, 0.0, 0.5, 1.0, 2.0), repeat=5)}
    assert len(few) == 5**5
    assert print_of_rows(torch.tensor([1, 2], dtype=torch.uint8)) == print_of_rows(torch.tensor([1, 2]))
    assert print_of_rows(torch.tensor([1.5], dtype=torch.bfloat16)) == print_of_rows(torch.tensor([1.5]))

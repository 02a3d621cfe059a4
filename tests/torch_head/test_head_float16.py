"""float16 gradients are finite where their values are: sums are float32 and are scaled before they are rounded."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from entrances import ENTRANCES

from lastlayer.torch import linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 4096, 3, 2
HALF = (torch.float16, torch.bfloat16)


def head(dtype):
    """Equal rows of 30 and classes of ±40, whose sums over the rows are beyond float16."""
    input = torch.full((ROWS, FEATURES), 30.0)
    input[:, 1] = 0.01
    weight = torch.zeros(CLASSES, FEATURES)
    weight[:, 2] = 40.0
    return [x.to(dtype) for x in (input, weight, torch.zeros(CLASSES))], torch.zeros(ROWS, dtype=torch.long)


def blocks_of(rows, dtype):
    return -(-rows * CLASSES * dtype.itemsize * 5 // 3)


def assert_rounded(found, exact, dtype):
    """As float64 gives it, rounded to the half type: finite where that is."""
    rounded = exact.to(dtype)
    assert found.dtype == dtype
    assert torch.equal(found.isfinite(), rounded.isfinite())
    is_finite = rounded.isfinite()
    slack = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(found[is_finite], rounded[is_finite], rtol=slack, atol=0.0)


@pytest.mark.parametrize("rows", [ROWS, 700, 64])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_gradients_are_finite_where_their_values_are(dtype, rows):
    tensors, labels = head(dtype)
    walked = 0
    # 65536 is where a GradScaler begins.
    for reduction, scale in itertools.product(("mean", "sum", "none", "parts"), (2.0**-14, 1.0, 65536.0)):
        wide = [x.double().requires_grad_() for x in tensors]
        value = F.cross_entropy(F.linear(*wide), labels, reduction="mean" if reduction == "mean" else "sum")
        by = scale if reduction == "mean" else scale / ROWS
        truth = torch.autograd.grad(value * by, wide)
        leaves = [x.clone().requires_grad_() for x in tensors]
        memory = blocks_of(rows, dtype)
        value = linear_loss(*leaves[:2], labels, bias=leaves[2], reduction=reduction, max_memory=memory)
        value = value[0] if isinstance(value, tuple) else value
        for mine, exact in zip(torch.autograd.grad(value.sum() * by, leaves), truth, strict=True):
            assert_rounded(mine, exact, dtype)
        walked += 1
    assert walked == 12


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_at_every_entrance(entrance):
    (input, weight, _), labels = head(torch.float16)
    wide = [x.double().requires_grad_() for x in (input, weight)]
    truth = torch.autograd.grad(F.cross_entropy(F.linear(*wide), labels) * 1000.0, wide)
    found = ENTRANCES[entrance](lambda f, x, w: f(x, w, labels) * 1000.0, input, weight)
    for mine, exact in zip(found, truth, strict=True):
        assert_rounded(mine, exact, torch.float16)


def test_rows_left_out_and_a_frozen_part():
    (input, weight, _), labels = head(torch.float16)
    labels[::3] = -100
    for frozen in (0, 1):
        wide = [x.double().requires_grad_(i != frozen) for i, x in enumerate((input, weight))]
        half = [x.clone().requires_grad_(i != frozen) for i, x in enumerate((input, weight))]
        F.cross_entropy(F.linear(*wide), labels).backward()
        linear_loss(*half, labels, max_memory=blocks_of(100, torch.float16)).backward()
        assert_rounded(half[1 - frozen].grad, wide[1 - frozen].grad, torch.float16)
        assert half[frozen].grad is None


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_small_gradients_of_a_mean_do_not_vanish_before_the_scale(dtype):
    """2⁻³⁰ of a mean is no float16 number, 2⁻¹⁴ of it under a GradScaler's 65536 is one."""
    (input, weight, _), labels = head(dtype)
    input[:] = 2.0**-18
    half = [x.clone().requires_grad_() for x in (input, weight)]
    wide = [x.double().requires_grad_() for x in (input, weight)]
    (F.cross_entropy(F.linear(*wide), labels) * 65536.0).backward()
    (linear_loss(*half, labels) * 65536.0).backward()
    assert_rounded(half[1].grad, wide[1].grad, dtype)


def test_row_weights_beyond_float16():
    """Their mean is a number like any other: the weights are divided by the largest before they meet a slope."""
    (input, weight, _), labels = head(torch.float16)
    weights = torch.linspace(1e5, 1e6, ROWS)
    half = [x.clone().requires_grad_() for x in (input, weight)]
    wide = [x.double().requires_grad_() for x in (input, weight)]
    exact = (F.cross_entropy(F.linear(*wide), labels, reduction="none") * weights).sum() / weights.sum()
    exact.backward()
    loss = linear_loss(*half, labels, sample_weight=weights)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(exact.detach()), rel=1e-6)
    assert_rounded(half[1].grad, wide[1].grad, torch.float16)


def test_statistics():
    (input, weight, _), labels = head(torch.float16)
    half = [x.clone().requires_grad_() for x in (input, weight)]
    wide = [x.double().requires_grad_() for x in (input, weight)]
    (-F.log_softmax(F.linear(*wide), 1)[:, 0]).mean().backward()
    (-linear_statistics(*half, labels, max_memory=3 * blocks_of(100, torch.float16)).log_prob).mean().backward()
    assert_rounded(half[1].grad, wide[1].grad, torch.float16)


def test_plan_counts_the_sums():
    for device in ("cpu", "cuda"):
        plan = linear_loss.plan(1024, 768, 128256, torch.float16, device=device)
        assert plan.gradient_bytes == (1024 + 128256) * 768 * (2 + 4)


@pytest.mark.parametrize("scores_dtype", [None, torch.float32])
@pytest.mark.parametrize("mapping", ["softmax", "softplus_ratio"])
@pytest.mark.parametrize("upstream", [2.0**-13, 2.0**-20, 1e5])
def test_statistics_under_any_scale(upstream, mapping, scores_dtype, group):
    generator = torch.Generator().manual_seed(0)
    input, weight = (torch.randn(n, 16, generator=generator).half() for n in (32, 4000))
    weight, labels = 0.1 * weight, torch.randint(4000, (32,), generator=generator)
    labels[5] = -100
    found = []
    for dtype in (torch.float16, torch.float64):
        leaves = [x.to(dtype).requires_grad_() for x in (input, weight)]
        wide = scores_dtype if dtype == torch.float16 else None
        some = linear_statistics(*leaves, labels, mapping=mapping, scores_dtype=wide, group=group)
        # The infinite one arrives in a row that does not count.
        arriving = torch.where(labels == -100, float("inf"), upstream).to(some.log_prob.dtype)
        scaled = torch.autograd.grad((some.log_prob, some.entropy), leaves, (arriving, arriving))
        found.append([g.double() for g in scaled])
    for got, expected in zip(*found, strict=True):
        expected = expected.half().double()  # what float16 can say
        error = (got - expected)[expected.isfinite()].abs().max()
        assert error <= 0.01 * expected[expected.isfinite()].abs().max() + 2.0**-24

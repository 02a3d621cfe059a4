"""A row that does not count has gradient exactly 0, whatever arrives from upstream; rows that count pass it on."""

from __future__ import annotations

import itertools

import pytest
import torch
from entrances import ENTRANCES

import lastlayer as ll
from lastlayer.torch import linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 5, 3, 4
LEFT_OUT = torch.tensor([False, True, False, True, True])
UPSTREAM = (float("inf"), float("nan"))
#: Every entrance in float32; each dtype, which decides how gradients are kept, where autograd and where the operators keep them.
ENTERED = [(name, torch.float32) for name in ENTRANCES] + [
    (name, dtype) for name in ("eager", "operator") for dtype in (torch.float64, torch.bfloat16, torch.float16)
]


def head(dtype):
    generator = torch.Generator().manual_seed(0)
    # Positive, for the ratio.
    return [(torch.rand(n, FEATURES, generator=generator) + 0.1).to(dtype) for n in (ROWS, CLASSES)]


def goals(left_out):
    """Targets and options that leave out some rows: by label, by weight, and by the weight of a distribution."""
    labels, weight = torch.arange(ROWS) % CLASSES, torch.where(left_out, 0.0, 1.5)
    soft = torch.full((ROWS, CLASSES), 1.0 / CLASSES)
    soft[left_out] = 0.0
    return (
        (torch.where(left_out, -100, labels), {}),
        (torch.where(left_out, 255, labels).to(torch.uint8), {"ignore_index": 255}),
        (labels, {"sample_weight": weight}),
        (soft, {"sample_weight": weight}),
    )


def with_upstream(value, upstream):
    value = value[0] if isinstance(value, tuple) else value
    return (value * upstream).sum()


@pytest.mark.parametrize(("entrance", "dtype"), ENTERED, ids=str)
def test_rows_beside_rows_that_count(dtype, entrance):
    input, weight = head(dtype)
    walked = 0
    for reduction, upstream, (targets, options) in itertools.product(
        ("mean", "sum", "none", "parts"), UPSTREAM, goals(LEFT_OUT)
    ):
        in_input, in_weight = ENTRANCES[entrance](
            lambda f, x, w: with_upstream(f(x, w, targets, reduction=reduction, **options), upstream), input, weight
        )
        assert not in_input[LEFT_OUT].any(), (reduction, upstream, targets.dtype, options)
        assert not in_input[~LEFT_OUT].isfinite().any()
        assert not in_weight.isfinite().all()
        walked += 1
    assert walked == 32


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_no_row_counts(entrance):
    """A step without labels, whose loss is divided by the number of labels: 0/0 in the loss, 0 in every gradient."""
    input, weight = head(torch.float32)
    for reduction, upstream, (targets, options) in itertools.product(
        ("mean", "sum", "none", "parts"), UPSTREAM, goals(LEFT_OUT | True)
    ):
        found = ENTRANCES[entrance](
            lambda f, x, w: with_upstream(f(x, w, targets, reduction=reduction, **options), upstream), input, weight
        )
        assert not any(g.any() for g in found), (reduction, upstream, options)


@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_every_mapping_and_option(name):
    input, weight = head(torch.float32)
    bias = torch.zeros(CLASSES)
    targets, _ = goals(LEFT_OUT)[0]
    for reduction, options in itertools.product(
        ("mean", "sum", "none"), ({}, {"z_loss": 0.1}, {"label_smoothing": 0.1}, {"temperature": 2.0, "softcap": 3.0})
    ):
        for labels, is_left_out in ((targets, LEFT_OUT), (torch.full_like(targets, -100), LEFT_OUT | True)):
            leaves = [x.clone().requires_grad_() for x in (input, weight, bias)]
            value = linear_loss(*leaves[:2], labels, bias=leaves[2], mapping=name, reduction=reduction, **options)
            (value.sum() / torch.tensor(0.0)).backward()
            assert not leaves[0].grad[is_left_out].any()
            if is_left_out.all():
                assert not leaves[1].grad.any()
                assert not leaves[2].grad.any()


def test_each_row_has_its_upstream():
    """Infinity that arrives only at rows that do not count does not reach the weight."""
    input, weight = head(torch.float64)
    upstream = torch.where(LEFT_OUT, float("inf"), 1.0).double()
    targets = goals(LEFT_OUT)[0][0]
    leaves = [x.clone().requires_grad_() for x in (input, weight)]
    found = torch.autograd.grad(linear_loss(*leaves, targets, reduction="none"), leaves, upstream)
    counted = torch.nn.functional.cross_entropy(leaves[0] @ leaves[1].T, targets, reduction="sum")
    for mine, exact in zip(found, torch.autograd.grad(counted, leaves), strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled(reduction):
    input, weight = head(torch.float32)

    def loss(x, w, targets, upstream):
        return with_upstream(linear_loss(x, w, targets, reduction=reduction), upstream)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for left_out, upstream in itertools.product((LEFT_OUT, LEFT_OUT | True), UPSTREAM):
        leaves = [x.clone().requires_grad_() for x in (input, weight)]
        targets = goals(left_out)[0][0]
        in_input, in_weight = torch.autograd.grad(compiled(*leaves, targets, torch.tensor(upstream)), leaves)
        assert not in_input[left_out].any()
        assert bool(in_weight.isfinite().all()) is bool(left_out.all())


def test_second_derivatives():
    input, weight = head(torch.float64)
    leaves = [x.clone().requires_grad_() for x in (input, weight)]
    for targets, options in goals(LEFT_OUT | True):
        value = linear_loss(*leaves, targets, reduction="sum", **options)
        found = torch.autograd.grad(value / torch.tensor(0.0), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.sum() for g in found), leaves)
        assert not any(g.any() for g in (*found, *second))


def test_statistics_of_ignored_rows():
    input, weight = head(torch.float64)
    targets = goals(LEFT_OUT)[0][0]
    for upstream in UPSTREAM:
        leaves = [x.clone().requires_grad_() for x in (input, weight)]
        found = linear_statistics(*leaves, targets)
        torch.where(LEFT_OUT, upstream, 1.0).double().mul(found.log_prob).nansum().backward()
        assert not leaves[0].grad[LEFT_OUT].any()
        assert leaves[0].grad.isfinite().all()
        assert leaves[1].grad.isfinite().all()

"""Labels of any integer dtype keep their value at every entrance of the head, and are compared with ignore_index by value."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from entrances import ENTRANCES

from lastlayer.torch import LinearLoss, linear_loss, linear_statistics

DTYPES = (torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64)
FEATURES = 3


def head(classes, rows):
    generator = torch.Generator().manual_seed(classes)
    return [torch.randn(n, FEATURES, generator=generator, dtype=torch.float64) for n in (rows, classes)]


def labels_for(dtype, classes):
    """The first and last classes that dtype and head have, and those at which a narrow dtype would wrap −100 or the classes around."""
    last = min(classes, torch.iinfo(dtype).max + 1) - 1
    numbers = {0, 1, 44, 156, 200, 255, 65436, last - 1, last}
    return torch.tensor(sorted(n for n in numbers if 0 <= n <= last))


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_labels_of_any_dtype(entrance):
    walked = 0
    for dtype, classes, ignore_index in itertools.product(DTYPES, (200, 300), (-100, -1, 156, 255)):
        labels = labels_for(dtype, classes)
        input, weight = head(classes, len(labels))
        leaves = [x.clone().requires_grad_() for x in (input, weight)]
        truth = torch.autograd.grad(F.cross_entropy(F.linear(*leaves), labels, ignore_index=ignore_index), leaves)
        given = labels.to(dtype)
        found = ENTRANCES[entrance](lambda f, x, w: f(x, w, given, ignore_index=ignore_index), input, weight)
        for mine, exact in zip(found, truth, strict=True):
            torch.testing.assert_close(mine, exact, rtol=1e-11, atol=1e-14)
        walked += 1
    assert walked == 64


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_losses_and_statistics_of_many_classes(dtype):
    """50257 classes are more than a label of 16 bits may be; 156 is −100 in 8 bits, 65436 in 16."""
    for classes, ignore_index in itertools.product((300, 70000), (-100, 255)):
        labels = labels_for(dtype, classes)
        input, weight = head(classes, len(labels))
        truth = F.cross_entropy(F.linear(input, weight), labels, ignore_index=ignore_index, reduction="none")
        given = labels.to(dtype)
        losses = linear_loss(input, weight, given, ignore_index=ignore_index, reduction="none")
        found = linear_statistics(input, weight, given, ignore_index=ignore_index)
        torch.testing.assert_close(losses, truth, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(-found.log_prob, truth, rtol=1e-12, atol=1e-14)
        both = torch.func.vmap(
            lambda x, y, w=weight, i=ignore_index: linear_statistics(x, w, y, ignore_index=i).log_prob
        )
        torch.testing.assert_close(-both(input[None], given[None])[0], truth, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_second_derivatives_and_raw_operators(dtype):
    labels = labels_for(dtype, 200)[:5]
    input, weight = head(200, len(labels))

    def hessian(loss):
        return torch.func.jacrev(torch.func.grad(loss))(input)

    mine = hessian(lambda x: linear_loss(x, weight, labels.to(dtype)))
    torch.testing.assert_close(
        mine, hessian(lambda x: F.cross_entropy(F.linear(x, weight), labels)), rtol=1e-9, atol=1e-12
    )
    options = (None, None, None, "softmax", -100, 0.0, 0.0, 1.0, None, "mean", None, False, False, False, False)
    (loss, *_) = torch.ops.lastlayer.linear_loss(input, weight, None, None, labels.to(dtype), *options)
    torch.testing.assert_close(loss, F.cross_entropy(F.linear(input, weight), labels))


@pytest.mark.parametrize("function", [linear_loss, linear_statistics])
def test_labels_out_of_range(function):
    input, weight = head(200, 2)
    for dtype, label in (
        (torch.uint8, 200),
        (torch.uint16, 65436),
        (torch.uint32, 2**32 - 100),
        (torch.uint64, 2**64 - 100),
        (torch.int8, -1),
        (torch.int64, 2**40),
    ):
        with pytest.raises(IndexError, match=f"label {label} at position 1"):
            function(input, weight, torch.tensor([0, label], dtype=dtype))


@pytest.mark.parametrize("function", [linear_loss, linear_statistics])
def test_messages(function):
    input, weight = head(4, 3)
    labels = torch.tensor([0, 1, 2])
    for given, match in (
        (labels.double(), r"labels are torch\.float64; .*labels\.long\(\)"),
        (labels.bool(), r"labels are torch\.bool"),
        (labels.to(torch.complex64), r"labels are torch\.complex64"),
        ([0, 1, 2], "are list"),
    ):
        with pytest.raises(TypeError, match=match):
            function(input, weight, given)
    for index in (None, 1.5, "0", True):
        with pytest.raises(TypeError, match=r"ignore_index is .*integer"):
            function(input, weight, labels, ignore_index=index)
    with pytest.raises(ValueError, match=r"have shape \(2,\)"):
        function(input, weight, labels[:2])


def test_a_layer():
    input, weight = head(300, 4)
    layer = LinearLoss(FEATURES, 300, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(weight)
    labels = torch.tensor([156, 0, 255, 7])
    truth = F.cross_entropy(F.linear(input, weight), labels, reduction="none")
    torch.testing.assert_close(layer(input, labels.to(torch.uint8)), truth.mean())
    torch.testing.assert_close(-layer.statistics(input, labels.to(torch.uint8)).log_prob, truth)

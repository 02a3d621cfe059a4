"""Losses of plain CPU tensors by the short way: the same bits as by the operators, and every derivative of theirs."""

from __future__ import annotations

import pytest
import torch

import lastlayer as ll
from lastlayer.dispatch import EXTENSION
from lastlayer.torch import CrossEntropyLoss

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="built without a C++ compiler")

NAMES = [name for name, record in ll.MAPPINGS.items() if record.domain.is_valid is None]


def problem(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    x = (3 * torch.randn(9, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).to(dtype)
    labels = torch.arange(9) % 7
    labels[4] = -100
    return x.requires_grad_(), labels


def is_quick(loss: torch.Tensor) -> bool:
    return "Quick" in loss.grad_fn.name()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_same_bits_as_by_the_operators(name, reduction):
    x, labels = problem()
    options = {"mapping": name, "reduction": reduction, "label_smoothing": 0.1, "z_loss": 0.01, "temperature": 2.0}
    mine = ll.loss(x, labels, **options)
    # Weights of rows have questions to be asked.
    theirs = ll.loss(x, labels, sample_weight=torch.ones(9), **options)
    assert is_quick(mine)
    assert not is_quick(theirs)
    assert torch.equal(mine, theirs)
    upstream = torch.rand_like(mine)
    slopes = [torch.autograd.grad(loss, x, upstream)[0] for loss in (mine, theirs)]
    assert torch.equal(*slopes)
    for loss, gradient in (ll.loss_and_grad(x, labels, **options), ll.loss_and_grad(x.detach(), labels, **options)):
        assert torch.equal(loss, mine)
        assert not loss.requires_grad
        assert not gradient.requires_grad


def test_second_derivatives():
    x, labels = problem(torch.float64)
    assert is_quick(ll.loss(x, labels))
    assert torch.autograd.gradgradcheck(lambda s: ll.loss(s, labels), (x,))
    assert torch.autograd.gradgradcheck(lambda s: ll.loss(s, labels, reduction="none"), (x,))


def test_modules_and_parameters():
    x, labels = problem()
    assert is_quick(CrossEntropyLoss()(x, labels))
    assert is_quick(ll.loss(torch.nn.Parameter(x.detach()), labels))


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: (x.bfloat16(), y),
        lambda x, y: (x, y.int()),
        lambda x, y: (x[:, ::2], y % 4),
        lambda x, y: (x[None], y[None]),
        lambda x, y: (x, torch.softmax(x.detach(), 1)),
    ],
    ids=["half type", "other integers", "strides", "three axes", "soft targets"],
)
def test_what_has_more_to_ask_goes_the_long_way(change):
    x, labels = change(*problem())
    loss = ll.loss(x, labels, ignore_index=-100)
    assert not is_quick(loss)
    assert loss.isfinite()


def test_errors_are_the_same():
    x, labels = problem()
    with pytest.raises(IndexError, match="7"):
        ll.loss(x, labels + 7, ignore_index=-93)
    with pytest.raises(ValueError, match="shape"):
        ll.loss(x, labels[:5])


def test_a_loss_that_is_kept_does_not_keep_its_gradient():
    x, labels = problem()
    loss = ll.loss(x, labels)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()

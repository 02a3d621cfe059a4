"""Torch tensors: dtype, device and gradient tracking go out as they came in, and autograd agrees with finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lastlayer as ll

NAMES = list(ll.MAPPINGS)


def scores_for(name, rows=3, classes=4):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    return (x.abs() + 0.1 if name == "ratio" else x).requires_grad_()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_probabilities(name):
    assert torch.autograd.gradcheck(lambda x: ll.probabilities(x, mapping=name), (scores_for(name),))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradients_of_losses(name, reduction):
    labels = torch.tensor([0, -100, 2])

    def function(x):
        return ll.loss(x, labels, mapping=name, reduction=reduction, label_smoothing=0.1, z_loss=0.1, softcap=2.0)

    assert torch.autograd.gradcheck(function, (scores_for(name),))


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_of_losses(name):
    labels = torch.tensor([0, 1, 2])
    assert torch.autograd.gradgradcheck(lambda x: ll.loss(x, labels, mapping=name), (scores_for(name),))


def test_gradients_of_log_probabilities_and_logsumexp():
    for function in (ll.log_softmax, ll.logsumexp):
        assert torch.autograd.gradcheck(function, (scores_for("softmax"),))


def test_autograd_gradient_is_the_one_pass_gradient():
    x = scores_for("softmax")
    labels = torch.tensor([3, 1, 0])
    ll.loss(x, labels).backward()
    _, gradient = ll.loss_and_grad(x.detach(), labels)
    assert torch.equal(x.grad, gradient)


def test_confident_row_trains():
    x = torch.tensor([[0.0, -17.0]], requires_grad=True)
    ll.loss(x, torch.tensor([0])).backward()
    assert x.grad[0, 0] == -x.grad[0, 1] != 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_types_keep_their_dtype(dtype):
    x = scores_for("softmax").detach().to(dtype).requires_grad_()
    value = ll.loss(x, torch.tensor([0, 1, 2]))
    value.backward()
    assert value.dtype == torch.float32
    assert x.grad.dtype == dtype
    assert ll.softmax(x).dtype == dtype
    exact = ll.softmax(x.detach().double())
    assert torch.equal(ll.softmax(x.detach()), exact.to(dtype))


def test_soft_targets_are_constants():
    y = torch.full((3, 4), 0.25, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match="detach"):
        ll.loss(scores_for("softmax"), y)


def test_numpy_labels_go_with_tensors_but_tensors_not_with_numpy():
    ll.loss(scores_for("softmax"), np.array([0, 1, 2]))
    with pytest.raises(TypeError, match="one library"):
        ll.loss(np.zeros((3, 4)), torch.tensor([0, 1, 2]))

"""Torch tensors: dtype, device and gradient tracking go out as they came in, and autograd agrees with finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from domains import inside
from served import has_kernel

import lastlayer as ll

NAMES = list(ll.MAPPINGS)


def scores_for(name, rows=3, classes=4):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(rows, classes, dtype=torch.float64, generator=generator)
    return inside(name, x).requires_grad_()


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
    got = ll.softmax(x.detach())
    if dtype == torch.float32:
        # softmax of float32 is computed in float32, within 2 ULP.
        assert ((got.double() - exact).abs() <= 2 * 2.0**-23 * exact).all()
    else:
        assert torch.equal(got, exact.to(dtype))


def test_soft_targets_are_constants():
    y = torch.full((3, 4), 0.25, dtype=torch.float64, requires_grad=True)
    with pytest.raises(TypeError, match="detach"):
        ll.loss(scores_for("softmax"), y)


def test_a_subclass_of_tensors_is_one_wherever_it_is_made():
    class Mine(torch.Tensor):
        pass

    Mine.__module__ = "elsewhere"
    x = torch.tensor([[1.0, 0.5]])
    mine = x.as_subclass(Mine)
    assert ll.dispatch.backend_of(mine) is ll.dispatch.backend_of(x) is not None
    assert not ll.dispatch.backend_of(mine).is_eager(mine)
    assert torch.equal(ll.softmax(mine).as_subclass(torch.Tensor), ll.softmax(x))
    assert ll.dispatch.backend_of(torch.Size([2])) is None


def test_numpy_labels_go_with_tensors_but_tensors_not_with_numpy():
    ll.loss(scores_for("softmax"), np.array([0, 1, 2]))
    with pytest.raises(TypeError, match="one library"):
        ll.loss(np.zeros((3, 4)), torch.tensor([0, 1, 2]))


HALVES = (torch.float16, torch.bfloat16)


def cpu_scores(name, dtype):
    x = torch.from_numpy(np.random.default_rng(4).normal(size=(9, 70)) * 3).to(dtype)
    return x.abs() if ll.MAPPINGS[name].domain.is_valid is not None else x


@pytest.mark.skipif(ll.backends.instruction_set() is None, reason="built without kernels; install a C++ compiler")
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_cpu_tensors_have_the_bits_of_numpy(name):
    if not has_kernel(name):
        pytest.skip(f"the kernels do not serve {name}; add one to kernels/native")
    options = {"label_smoothing": 0.1, "z_loss": 1e-3, "temperature": 1.3, "softcap": 20.0}
    for dtype in (torch.float32, torch.float64):
        x, labels = cpu_scores(name, dtype), torch.arange(9)
        weight, rows = torch.linspace(0.5, 2, 70), torch.linspace(0, 1, 9)
        p = ll.probabilities(x, mapping=name)
        np.testing.assert_array_equal(p.numpy(), ll.probabilities(x.numpy(), mapping=name))
        given = {"mapping": name, "weight": weight, "sample_weight": rows, **options}
        as_arrays = {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in given.items()}
        loss, gradient = ll.loss_and_grad(x, labels, **given)
        expected, slopes = ll.loss_and_grad(x.numpy(), labels.numpy(), **as_arrays)
        np.testing.assert_array_equal(loss.numpy(), expected)
        np.testing.assert_array_equal(gradient.numpy(), slopes)
        leaf = x.clone().requires_grad_()
        ll.loss(leaf, labels, **given).backward()
        np.testing.assert_array_equal(leaf.grad.numpy(), slopes)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_half_types_are_rounded_once(name, dtype):
    x = cpu_scores(name, dtype)
    wide = ll.probabilities(x.double().numpy(), mapping=name)
    got = ll.probabilities(x, mapping=name)
    assert got.dtype == dtype
    # Half the distance of neighbours: 2^-11 or 2^-8 of the power of two below, and that of the smallest numbers.
    bits, smallest = (11, 2.0**-24) if dtype == torch.float16 else (8, 2.0**-133)
    spacing = np.maximum(np.exp2(np.floor(np.log2(np.maximum(wide, 1e-300))) - bits + 1), smallest)
    assert (np.abs(got.double().numpy() - wide) <= 0.51 * spacing).all()
    loss, gradient = ll.loss_and_grad(x, torch.arange(9), mapping=name)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype


def test_out_is_written_where_it_lies():
    x = cpu_scores("softmax", torch.float32)
    out = torch.full_like(x, float("nan"))
    assert ll.softmax(x, out=out) is out
    np.testing.assert_array_equal(out.numpy(), ll.softmax(x.numpy()))
    turned = torch.full((70, 9), float("nan")).T
    assert ll.softmax(x, out=turned) is turned
    np.testing.assert_array_equal(turned.numpy(), out.numpy())
    same = x.clone()
    assert ll.loss_and_grad(same, torch.arange(9), out=same)[1] is same
    np.testing.assert_array_equal(same.numpy(), ll.loss_and_grad(x.numpy(), np.arange(9))[1])

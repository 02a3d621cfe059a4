"""The Triton kernels behind torch's dispatch: reductions, shapes, `out`, and the linear head, as on a CUDA tensor."""

from __future__ import annotations

import sys

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

from truth import DEVICE

import lastlayer as ll
from lastlayer.backends.torch import cpu, fast_path, gpu
from lastlayer.torch import linear_loss, linear_statistics
from lastlayer.torch.linear import weight_sums

NAMES = ("softmax", "sparsemax", "entmax")


@pytest.fixture(autouse=True)
def on_the_kernels(monkeypatch):
    """As if the tensors lay on CUDA; how often a kernel served is counted."""
    served = []
    real = gpu.serves
    monkeypatch.setattr(gpu, "is_device", lambda tensor: True)
    monkeypatch.setattr(cpu, "serves", lambda mapping, scores: False)
    monkeypatch.setattr(fast_path, "_has_numpy_view", lambda scores: False)
    monkeypatch.setattr(gpu, "serves", lambda *given: real(*given) and (served.append(given) or True))
    yield
    assert served, "no Triton kernel was asked"


def rows(name, *shape):
    generator = torch.Generator().manual_seed(len(name))
    return (2 * torch.randn(*shape, generator=generator)).to(DEVICE)


@pytest.mark.parametrize("name", NAMES)
def test_quantities_of_any_shape_and_in_place(name):
    x = rows(name, 2, 3, 40)
    for function in (ll.probabilities, ll.log_probabilities):
        wide = function(x.cpu().double().numpy(), mapping=name)
        got = function(x, mapping=name)
        assert got.shape == x.shape
        torch.testing.assert_close(got.cpu().double(), torch.from_numpy(wide), rtol=1e-4, atol=1e-6)
        across = function(x, mapping=name, axis=1)
        assert across.shape == x.shape
        same = x.clone()
        assert function(same, mapping=name, out=same) is same
        assert torch.equal(same, got)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "parts"])
@pytest.mark.parametrize("name", NAMES)
def test_losses_in_every_reduction(name, reduction):
    x, labels = rows(name, 4, 3, 40), torch.arange(12, device=DEVICE).reshape(4, 3)
    labels[1, 1] = -100
    options = {
        "mapping": name,
        "reduction": reduction,
        "weight": torch.linspace(0.5, 2.0, 40, device=DEVICE),
        "sample_weight": torch.linspace(0.0, 1.0, 12, device=DEVICE).reshape(4, 3),
        "label_smoothing": 0.1,
        "z_loss": 0.01,
    }
    as_arrays = {k: v.cpu().double().numpy() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    truth, slopes = ll.loss_and_grad(x.cpu().double().numpy(), labels.cpu().numpy(), **as_arrays)
    got, gradient = ll.loss_and_grad(x, labels, **options)
    for mine, exact in zip(*((v if isinstance(v, tuple) else (v,)) for v in (got, truth)), strict=True):
        torch.testing.assert_close(mine.cpu().double(), torch.as_tensor(exact), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.cpu().double(), torch.from_numpy(slopes), rtol=1e-4, atol=1e-6)
    same = x.clone()
    assert ll.loss_and_grad(same, labels, out=same, **options)[1] is same
    assert torch.equal(same, gradient)


@pytest.mark.parametrize("name", NAMES)
def test_head_and_its_statistics(name):
    generator = torch.Generator().manual_seed(1)
    tensors = [torch.randn(*shape, generator=generator) for shape in ((10, 6), (40, 6), (40,))]
    labels = torch.arange(10)
    wide = [t.double().requires_grad_() for t in tensors]
    truth = ll.loss(F.linear(*(t.detach() for t in wide)).numpy(), labels.numpy(), mapping=name)
    here = [t.to(DEVICE).requires_grad_() for t in tensors]
    loss = linear_loss(here[0], here[1], labels.to(DEVICE), bias=here[2], mapping=name, max_memory=900)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(truth), rel=1e-5)
    found = linear_statistics(here[0], here[1], labels.to(DEVICE), bias=here[2], mapping=name, max_memory=3000)
    logs = ll.log_probabilities(F.linear(*(t.detach() for t in wide)).numpy(), mapping=name)
    torch.testing.assert_close(
        found.log_prob.detach().cpu().double(), torch.from_numpy(logs)[range(10), range(10)], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("rows", "height"), [(50, 16), (50, 48), (50, 40), (50, 64)], ids=["planes", "whole", "half", "one"]
)
@pytest.mark.parametrize("scores_dtype", [None, torch.float32], ids=["half scores", "float32 scores"])
def test_head_of_half_types(dtype, rows, height, reduction, scores_dtype, monkeypatch):
    """Gradients are rounded to the half type once or twice, however many blocks they are the sum of."""
    monkeypatch.setattr(weight_sums, "PLANES_SLAB", 300)
    monkeypatch.setattr(weight_sums, "WHOLE_SLAB", 300)
    monkeypatch.setattr(sys.modules["lastlayer.torch.linear.operator"], "block_height", lambda *given, **also: height)
    generator = torch.Generator().manual_seed(2)
    tensors = [torch.randn(*shape, generator=generator).to(dtype) for shape in ((rows, 26), (300, 26), (300,))]
    # A weight whose columns are contiguous; its gradient must not take over this layout.
    tensors[1] = tensors[1].T.contiguous().T
    labels = torch.arange(rows) % 300
    wide = [t.double().requires_grad_() for t in tensors]
    here = [t.to(DEVICE).requires_grad_() for t in tensors]
    F.cross_entropy(F.linear(*wide), labels, reduction=reduction).backward()
    linear_loss(
        here[0], here[1], labels.to(DEVICE), bias=here[2], reduction=reduction, scores_dtype=scores_dtype
    ).backward(torch.tensor(1.0, device=DEVICE))
    for mine, exact in zip(here, wide, strict=True):
        assert mine.grad.dtype == dtype
        # Scores of half types are off by half an ULP, and so are the slopes.
        off = (mine.grad.cpu().double() - exact.grad).abs() / exact.grad.abs().max()
        assert off.max() < 4.0 * torch.finfo(dtype).eps, off.max()


@pytest.mark.parametrize("height", [600, 128])
def test_float16_gradients_are_finite_where_their_values_are(height, monkeypatch):
    """Sums beyond 65504 whose mean is a small number; and rows that do not count, with an infinite factor."""
    monkeypatch.setattr(sys.modules["lastlayer.torch.linear.operator"], "block_height", lambda *given, **also: height)
    input = torch.full((600, 4), 300.0, dtype=torch.float16, device=DEVICE)
    weight = torch.zeros(2, 4, dtype=torch.float16, device=DEVICE)
    labels = torch.zeros(600, dtype=torch.long, device=DEVICE)
    labels[::2] = -100
    for reduction, by in (("mean", 1.0), ("sum", 1.0 / 300), ("none", 1.0 / 300), ("mean", 300.0)):
        leaves = [x.clone().requires_grad_() for x in (input, weight)]
        loss = linear_loss(*leaves, labels, reduction=reduction)
        in_input, in_weight = torch.autograd.grad(loss.sum() * by, leaves)
        torch.testing.assert_close(
            in_weight.cpu(), (150.0 * (by if by > 1 else 1.0) * torch.tensor([[-1.0], [1.0]])).half().expand(2, 4)
        )
        loss = linear_loss(*leaves, labels, reduction=reduction)
        in_input, in_weight = torch.autograd.grad(loss.sum() / 0.0, leaves)
        assert not in_input[::2].any()
        assert not in_weight.isfinite().any()
        none = linear_loss(*leaves, torch.full_like(labels, -100), reduction=reduction)
        assert not any(g.any() for g in torch.autograd.grad(none.sum() / 0.0, leaves))


def test_a_bad_label_makes_its_row_nan_and_reads_nothing():
    x = rows("softmax", 5, 40)
    losses, gradient = gpu.loss(
        ll.MAPPINGS["softmax"],
        x,
        torch.tensor([0, 40, -1, 10**15, 3], device=DEVICE),
        False,
        ll.losses.LossOptions(reduction="none"),
        True,
    )
    assert losses.isnan().tolist() == [False, True, True, True, False]
    assert gradient.isnan().all(1).tolist() == [False, True, True, True, False]
    gpu.serves(ll.MAPPINGS["softmax"], x, "loss")

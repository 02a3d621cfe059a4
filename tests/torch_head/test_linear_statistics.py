"""Log-probability, entropy, log-partition and argmax of a head, without its scores."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from running import IS_NIGHTLY

import lastlayer as ll
from lastlayer.backends.portable import portable_evaluate
from lastlayer.torch import LinearLoss, linear_statistics

ROWS, FEATURES, CLASSES = 21, 6, 40


def head(dtype=torch.float64, rows=ROWS, classes=CLASSES):
    generator = torch.Generator().manual_seed(2)
    # Positive, for the ratio; wide enough that sparse mappings leave classes out.
    drawn = [
        3 * torch.rand(*shape, generator=generator) for shape in ((rows, FEATURES), (classes, FEATURES), (classes,))
    ]
    labels = torch.randint(0, classes, (rows,), generator=generator)
    labels[4] = -100
    return [x.to(dtype).requires_grad_() for x in drawn], labels


def truth(name, tensors, labels, temperature):
    """By the formulas, with the scores stored."""
    scores = F.linear(*(x.detach().double() for x in tensors)) / temperature
    mapping = ll.MAPPINGS[name]
    p, logs, partition = (
        portable_evaluate(mapping, scores, q) for q in ("probabilities", "log_probabilities", "log_partition")
    )
    log_prob = logs.gather(1, labels.clamp(0)[:, None])[:, 0]
    found = log_prob, torch.special.entr(p).sum(1), partition
    return *(torch.where(labels < 0, 0.0, each) for each in found), torch.where(labels < 0, -1, scores.argmax(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_statistics(name, dtype):
    tensors, labels = head(dtype)
    input, weight, bias = tensors
    got = linear_statistics(input, weight, labels, bias=bias, mapping=name, temperature=1.4, max_memory=7000)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for mine, exact in zip(got[:3], truth(name, tensors, labels, 1.4)[:3], strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine.detach().double(), exact, rtol=tolerance, atol=tolerance)
    assert torch.equal(got.argmax, torch.where(labels < 0, -1, F.linear(*tensors).argmax(1)))


@pytest.mark.parametrize("name", [name for name in ll.MAPPINGS if name != "hardmax"])
@pytest.mark.parametrize("which", ["log_prob", "entropy", "logsumexp"])
def test_gradients(name, which):
    tensors, labels = head(rows=7, classes=11)
    # Where a label has no probability its logarithm has no derivative.
    possible = truth(name, tensors, labels, 1.0)[0].isfinite()

    def function(input, weight, bias):
        found = linear_statistics(input, weight, labels, bias=bias, mapping=name, softcap=30.0, max_memory=1500)
        return torch.where(possible, getattr(found, which), 0.0)

    # Along one random direction, which a wrong entry changes as well; entry by entry in `make nightly`.
    assert torch.autograd.gradcheck(function, tensors, atol=1e-6, fast_mode=not IS_NIGHTLY)


@pytest.mark.parametrize("name", [name for name in ll.MAPPINGS if name != "hardmax"])
def test_second_derivatives(name):
    tensors, labels = head(rows=5, classes=5)
    possible = truth(name, tensors, labels, 20.0)[0].isfinite()

    def function(input, weight, bias=None):
        found = linear_statistics(
            input, weight, labels, bias=bias, mapping=name, softcap=30.0, temperature=20.0, max_memory=900
        )
        return torch.where(possible, found.log_prob, 0.0), found.entropy, found.logsumexp

    assert torch.autograd.gradgradcheck(function, tensors, atol=1e-6, fast_mode=True)
    # No bias, and a frozen weight.
    assert torch.autograd.gradgradcheck(function, tensors[:2], atol=1e-6, fast_mode=True)
    tensors[1].requires_grad_(False)
    assert torch.autograd.gradgradcheck(function, tensors, atol=1e-6, fast_mode=True)


def test_a_penalty_on_the_gradient_of_float32():
    tensors, labels = head(torch.float32, rows=5)
    found = linear_statistics(*tensors[:2], labels, bias=tensors[2])
    (slope,) = torch.autograd.grad(found.entropy.sum(), tensors[:1], create_graph=True)
    slope.square().sum().backward()
    wide = [x.detach().double().requires_grad_() for x in tensors]
    entropy = torch.distributions.Categorical(logits=F.linear(*wide)).entropy()[labels >= 0]
    (exact,) = torch.autograd.grad(entropy.sum(), wide[:1], create_graph=True)
    exact.square().sum().backward()
    for mine, true in zip(tensors, wide, strict=True):
        torch.testing.assert_close(mine.grad.double(), true.grad, rtol=1e-4, atol=1e-5)


def test_a_confident_row_keeps_its_digits():
    weight = torch.tensor([[0.0], [-30.0]], requires_grad=True)
    found = linear_statistics(torch.ones(1, 1), weight, torch.tensor([0]))
    tiny = 9.357622968840175e-14
    assert float(found.log_prob.detach()) == pytest.approx(-tiny, rel=1e-6)
    assert float(found.entropy.detach()) == pytest.approx(31 * tiny, rel=1e-6)
    found.log_prob.sum().backward()
    assert float(weight.grad[0]) == pytest.approx(tiny, rel=1e-6)
    assert float(weight.grad[1]) == pytest.approx(-tiny, rel=1e-6)


def test_half_types_and_shapes():
    (input, weight, bias), labels = head(torch.bfloat16)
    found = linear_statistics(input.reshape(3, 7, -1), weight, labels.reshape(3, 7), bias=bias)
    assert [x.dtype for x in found] == [torch.float32] * 3 + [torch.int64]
    assert [x.shape for x in found] == [(3, 7)] * 4
    found.entropy.mean().backward()
    assert input.grad.dtype == weight.grad.dtype == torch.bfloat16
    assert weight.grad.isfinite().all()


def test_bad_labels():
    (input, weight, _), labels = head()
    with pytest.raises(IndexError, match="label 40 at position 0"):
        linear_statistics(input, weight, torch.full_like(labels, CLASSES))
    with pytest.raises(TypeError, match="integers"):
        linear_statistics(input, weight, labels.double())
    with pytest.raises(ValueError, match="one per row"):
        linear_statistics(input, weight, labels[:3])


def test_of_a_layer():
    layer = LinearLoss(FEATURES, CLASSES, dtype=torch.float64, temperature=2.0)
    (input, *_), labels = head()
    found = layer.statistics(input, labels)
    losses = layer(input, labels)
    counted = found.log_prob[labels >= 0]
    assert float(-counted.mean().detach()) == pytest.approx(float(losses.detach()), rel=1e-12)


def test_formulas_hold_few_scores_at_a_time(monkeypatch):
    from lastlayer.torch.linear import statistics_operator as operator

    heights, whole = [], operator._of_formulas
    monkeypatch.setattr(operator, "_of_formulas", lambda *given: heights.append(len(given[1])) or whole(*given))
    for classes in (50, 120_000):
        weight = torch.randn(classes, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
        found = linear_statistics(torch.ones(9, 2), weight, torch.arange(9), mapping="sparsemax", max_memory=2**26)
        found.entropy.sum().backward()
    assert heights == [9, 4, 4, 1]

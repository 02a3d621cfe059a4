"""Backward of probabilities, logarithms and log-partitions from what the kernels compute, against the formulas in float64."""

from __future__ import annotations

import array_api_compat.torch
import array_api_compat.torch as xp
import numpy as np
import pytest
import torch
from domains import inside

import lastlayer as ll
from lastlayer.backends.portable import portable_pull_back
from lastlayer.backends.torch.rows import evaluate_rows, has_kernels
from lastlayer.backends.torch.vjp import keeps_result, pull_back_kept, pull_back_rows
from lastlayer.mappings.resolve import resolve_mapping

SPECS = [*ll.MAPPINGS, "entmax:alpha=1.3", "entmax:alpha=2.5", "entmax:alpha=1", "taylor:order=4"]
QUANTITIES = ("probabilities", "log_probabilities", "log_partition")


def rows(name, dtype):
    generator = torch.Generator().manual_seed(5)
    x = 2 * torch.randn(200, 33, dtype=torch.float64, generator=generator)
    x = inside(name, x)
    v = torch.randn(200, 33, dtype=torch.float64, generator=generator)
    v[:, 3] = 0.0
    return x.to(dtype), v.to(dtype)


@pytest.mark.skipif(ll.backends.instruction_set() is None, reason="built without kernels; install a C++ compiler")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", SPECS)
def test_products(name, quantity, dtype):
    mapping = resolve_mapping(name)
    x, v = rows(name, dtype)
    assert has_kernels(mapping, x)
    v = v[:, 0] if quantity == "log_partition" else v
    truth = portable_pull_back(mapping, x.double(), v.double(), quantity, xp)
    result = evaluate_rows(mapping, x, quantity) if keeps_result(mapping, x, quantity) else None
    ways = [pull_back_rows(mapping, x, v, quantity)]
    ways += [] if result is None else [pull_back_kept(mapping, result, v, quantity, True)]
    scale = truth.abs().amax(1)
    if quantity == "probabilities":
        # Differences of cotangents cancel; what they are weighted by does not.
        p = ll.probabilities(x.double(), mapping=mapping)
        weights = p if mapping.tangent is None else mapping.tangent(p, array_api_compat.torch, **mapping.values)
        scale = scale + (weights * v.double().abs()).sum(1)
    # In float64 the probabilities at the edge of a support have few significant digits, and s / p is made of them.
    is_edge = dtype == torch.float64 and mapping.family == "regularized"
    for got in ways:
        assert got.dtype == dtype
        worst = ((got.double() - truth).abs().amax(1) / scale.clamp(min=1e-30)).max()
        assert worst <= (2000 if is_edge else 4) * torch.finfo(dtype).eps


@pytest.mark.skipif(ll.backends.instruction_set() is None, reason="built without kernels; install a C++ compiler")
def test_the_result_of_forward_serves_backward():
    """Softmax in float32 and float64. A result of a half type has too few digits, and hardmax has no slopes."""
    x = torch.zeros(2, 3)
    assert keeps_result(resolve_mapping("softmax"), x, "probabilities")
    assert keeps_result(resolve_mapping("softmax"), x.double(), "log_probabilities")
    assert not keeps_result(resolve_mapping("softmax"), x.bfloat16(), "probabilities")
    assert not keeps_result(resolve_mapping("softmax"), x, "log_partition")
    assert not keeps_result(resolve_mapping("sparsemax"), x, "probabilities")
    x.requires_grad_()
    p = ll.softmax(x)
    p.detach().mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        p.sum().backward()


def test_a_confident_class_keeps_its_gradient():
    x = torch.tensor([[0.0, -30.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(-ll.log_softmax(x)[0, 0], x)
    assert float(gradient[0, 0]) == pytest.approx(-9.357622968839e-14, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("classes", [3, 50, 1000])
def test_cotangents_near_the_probabilities(classes, dtype):
    """A distillation near its end: what is left is small, and the error that of the two terms."""
    generator = torch.Generator().manual_seed(classes)
    x = 2 * torch.randn(8, classes, dtype=torch.float64, generator=generator)
    target = torch.softmax(x + 1e-4 * torch.randn(x.shape, generator=generator), -1).to(dtype)
    x = x.to(dtype).requires_grad_()
    (got,) = torch.autograd.grad(ll.log_softmax(x), x, target)
    wide, v = x.detach().numpy().astype(np.longdouble), target.numpy().astype(np.longdouble)
    logarithms = wide - wide.max(1, keepdims=True)
    logarithms -= np.log(np.exp(logarithms).sum(1, keepdims=True))
    p, total = np.exp(logarithms), v.sum(1, keepdims=True)
    allowed = 2 * torch.finfo(dtype).eps * np.maximum(np.abs(v), p * (1 + np.abs(logarithms)) * np.abs(total))
    assert (np.abs(got.numpy() - (v - p * total)) <= allowed).all()


@pytest.mark.parametrize("name", SPECS)
def test_one_bad_row_touches_no_other(name):
    mapping = resolve_mapping(name)
    x, v = rows(name, torch.float32)
    expected = pull_back_rows(mapping, x, v, "probabilities")
    x[7, 2] = float("nan")
    got = pull_back_rows(mapping, x, v, "probabilities")
    assert torch.equal(got[:7], expected[:7])
    assert torch.equal(got[8:], expected[8:])
    assert got[7].isnan().any()

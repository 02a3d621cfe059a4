"""What only a GPU shows: nothing waits for it, addresses beyond 32 bits, a million classes, and compiled graphs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import lastlayer as ll
from lastlayer.torch import linear_loss, linear_statistics

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

NAMES = ("softmax", "sparsemax", "entmax")


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Whatever makes the host wait for the device raises."""
    with warnings.catch_warnings(action="ignore"):  # torch says that it does not see everything
        torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


def head(rows: int, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator("cuda").manual_seed(1)
    shapes = ((rows, 64), (1000, 64), (1000,))
    return [torch.randn(shape, generator=generator, device="cuda").to(dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_waits_for_the_device(name, no_waiting):
    x = torch.randn(50, 1000, device="cuda")
    labels = torch.arange(50, device="cuda")
    for function in (ll.probabilities, ll.log_probabilities):
        function(x, mapping=name)
    options = {"weight": torch.ones(1000, device="cuda"), "label_smoothing": 0.1, "z_loss": 0.01, "softcap": 5.0}
    for reduction in ("mean", "sum", "none", "parts"):
        ll.loss_and_grad(x, labels, mapping=name, reduction=reduction, **options)
        tracked = x.clone().requires_grad_()
        loss = ll.loss(tracked, labels, mapping=name, reduction=reduction)
        (loss[0] if reduction == "parts" else loss.sum()).backward()
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for memory in (None, 50_000):
            tensors = head(50, dtype)
            linear_loss(tensors[0], tensors[1], labels, bias=tensors[2], mapping=name, max_memory=memory).backward()
            found = linear_statistics(tensors[0], tensors[1], labels, mapping=name, max_memory=memory)
            if name == "softmax":
                (found.log_prob + found.entropy + found.logsumexp).sum().backward()


@pytest.mark.parametrize("name", NAMES)
def test_addresses_beyond_32_bits(name):
    x = torch.randn(70_000, 32_000, device="cuda", dtype=torch.bfloat16)
    assert x.numel() > 2**31
    whole = ll.probabilities(x, mapping=name)
    assert torch.equal(whole[-3:], ll.probabilities(x[-3:].clone(), mapping=name))
    labels = torch.arange(70_000, device="cuda") % 32_000
    losses, slopes = ll.loss_and_grad(x, labels, mapping=name, reduction="none", out=whole)
    few, few_slopes = ll.loss_and_grad(x[-3:].clone(), labels[-3:], mapping=name, reduction="none")
    assert torch.equal(losses[-3:], few)
    assert torch.equal(slopes[-3:], few_slopes)


@pytest.mark.parametrize("name", NAMES)
def test_a_million_classes(name):
    x = torch.randn(3, 1_000_000, device="cuda")
    x[1] *= 10.0
    wide = ll.probabilities(x.cpu().double().numpy(), mapping=name)
    got = ll.probabilities(x, mapping=name).cpu().double()
    off = (got - torch.from_numpy(wide)).abs().amax(1) / torch.from_numpy(wide).amax(1)
    assert off.max() < 4.0 * torch.finfo(torch.float32).eps, off


@pytest.mark.filterwarnings("ignore")  # torch.compile has some to give
def test_a_compiled_graph_has_no_breaks():
    tensors, labels = head(50), torch.arange(50, device="cuda")

    def both(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return linear_loss(input, weight, labels, bias=bias) + ll.loss(input @ weight.T + bias, labels)

    eager = torch.autograd.grad(both(*tensors), tensors)
    compiled = torch.autograd.grad(torch.compile(both, fullgraph=True)(*tensors), tensors)
    for mine, theirs in zip(compiled, eager, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_statistics_and_wide_scores_are_those_of_the_cpu(dtype):
    labels = torch.arange(50, device="cuda")
    labels[::7] = -100
    options = {} if dtype == torch.float32 else {"scores_dtype": torch.float32}
    found = []
    for place in ("cuda", "cpu"):
        tensors = [part.detach().to(place).requires_grad_() for part in head(50, dtype)]
        some = {"bias": tensors[2], **options}
        statistics = linear_statistics(tensors[0], tensors[1], labels.to(place), **some)
        total = linear_loss(tensors[0], tensors[1], labels.to(place), **some) - statistics.entropy.sum()
        found.append([*statistics[:3], total, *torch.autograd.grad(total, tensors), statistics.argmax])
    *mine, my_argmax = (part.cpu() for part in found[0])
    *theirs, argmax = found[1]
    assert torch.equal(my_argmax, argmax)
    for a, b in zip(mine, theirs, strict=True):
        limit = 1e-5 if a.dtype == torch.float32 else 4.0 * torch.finfo(a.dtype).eps
        assert float((a.double() - b.double()).abs().max()) <= limit * float(b.double().abs().max()), a.dtype

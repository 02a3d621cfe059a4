"""Labels keep their value whatever their integer dtype: every loss and derivative is that of int64 labels."""

from __future__ import annotations

import itertools

import pytest
import torch
from operator_cases import drawn

import lastlayer as ll
from lastlayer.torch import CrossEntropyLoss

DTYPES = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64]
#: 156 and 255 are −100 and −1 in eight bits.
LABELS = {torch.int8: [100, 0, 127, 5]}
NARROW, WIDE = [156, 0, 255, 5], [156, 299, 255, 5]
MAPPINGS = ["softmax", "sparsemax", "stablemax"]
func = torch.func


def labels_of(dtype):
    return torch.tensor(LABELS.get(dtype, NARROW if dtype == torch.uint8 else WIDE)).to(dtype)


def entrances(name, ignore_index):
    """Functions of scores and labels: losses, gradients and second derivatives, by every way to them."""

    def loss(scores, labels):
        return ll.loss(scores, labels, mapping=name, ignore_index=ignore_index)

    def by_module(scores, labels):
        return CrossEntropyLoss(ignore_index=ignore_index, reduction="none")(scores, labels)

    def second(scores, labels):
        leaf = scores.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(leaf, labels), leaf, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), leaf)[0]

    yield loss
    yield by_module
    yield lambda s, y: ll.loss_and_grad(s, y, mapping=name, ignore_index=ignore_index)[1]
    yield lambda s, y: ll.loss(s, y, mapping=name, reduction="none", weight=torch.linspace(0.5, 2.0, 300))
    yield lambda s, y: torch.autograd.grad(loss(leaf := s.clone().requires_grad_(), y), leaf)[0]
    yield second
    yield lambda s, y: func.grad(loss)(s, y)
    yield lambda s, y: func.jacrev(func.grad(loss))(s[:, :9], y.long().clamp(max=8).to(y.dtype))
    yield lambda s, y: func.vmap(loss, in_dims=(0, None))(s[None], y)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_entrance(dtype):
    scores, labels = drawn(4, 300), labels_of(dtype)
    for name, ignore_index in itertools.product(MAPPINGS, (-100, -1, 5)):
        for entrance in entrances(name, ignore_index):
            assert torch.equal(entrance(scores, labels), entrance(scores, labels.long()))


def test_compiled():
    scores, compiled = drawn(4, 300), torch.compile(ll.cross_entropy, fullgraph=True, backend="aot_eager")
    for dtype in (torch.uint8, torch.int8, torch.uint16, torch.uint64):
        x = scores.clone().requires_grad_()
        loss, expected = compiled(x, labels_of(dtype)), ll.cross_entropy(scores, labels_of(dtype).long())
        torch.testing.assert_close(loss, expected, rtol=1e-14, atol=0)
        loss.backward()
        torch.testing.assert_close(x.grad, ll.loss_and_grad(scores, labels_of(dtype).long())[1], rtol=1e-13, atol=0)


def test_labels_beyond_64_bits_do_not_wrap():
    """2⁶⁴ − 100 is not −100."""
    scores, labels = drawn(2, 300), torch.tensor([-100, 3]).view(torch.uint64)
    with pytest.raises(IndexError, match="18446744073709551516"):
        ll.cross_entropy(scores, labels)
    mapped = func.vmap(lambda s: ll.loss(s, labels, reduction="none", on_domain="nan"))
    with pytest.raises(IndexError, match="18446744073709551516"):
        mapped(scores[None])
    compiled = torch.compile(lambda s, y: ll.loss(s, y, reduction="none"), fullgraph=True, backend="aot_eager")
    assert compiled(scores, labels).isnan().tolist() == [True, False]

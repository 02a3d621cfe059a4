"""float32 scores of half inputs: the loss and statistics are those of the exact products, gradients are rounded once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from domains import inside

import lastlayer as ll
from lastlayer.torch import LinearLoss, linear_loss, linear_statistics
from lastlayer.torch.huggingface import use_linear_loss

ROWS, FEATURES, CLASSES = 37, 24, 60
HALVES = (torch.bfloat16, torch.float16)
WIDE = {"scores_dtype": torch.float32}


def head(dtype, name="softmax", *, bias=True):
    generator = torch.Generator().manual_seed(0)
    shapes = ((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,))
    input, weight, offset = (inside(name, torch.randn(s, generator=generator)).to(dtype) for s in shapes)
    labels = torch.randint(CLASSES, (ROWS,), generator=generator)
    labels[::7] = -100
    return input, weight, offset if bias else None, labels


def with_gradients(function, input, weight, bias, labels, **options):
    leaves = [None if x is None else x.detach().clone().requires_grad_() for x in (input, weight, bias)]
    loss = function(leaves[0], leaves[1], labels, bias=leaves[2], **options)
    loss.backward(torch.linspace(0.5, 1.5, ROWS).to(loss) if loss.ndim else None)
    return [loss.detach(), *(x.grad for x in leaves if x is not None)]


def exact(input, weight, labels, *, bias=None, mapping="softmax", reduction="mean", **options):
    scores = F.linear(input.double(), weight.double(), None if bias is None else bias.double())
    return ll.loss(scores, labels, mapping=mapping, reduction=reduction, on_domain="nan", **options)


def error(got, truth):
    got, truth = got.detach().double(), truth.detach().double()
    return float((got - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("memory", [None, 20_000], ids=["one block", "many blocks"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_the_loss_is_that_of_exact_products(name, dtype, reduction, memory):
    given = head(dtype, name)
    options = {"mapping": name, "reduction": reduction, "label_smoothing": 0.1, "temperature": 1.3}
    truth = with_gradients(exact, *given, **options)
    got = with_gradients(linear_loss, *given, **options, **WIDE, max_memory=memory)
    assert got[0].dtype == torch.float32
    assert error(got[0], truth[0]) < 1e-5
    for mine, true in zip(got[1:], truth[1:], strict=True):
        assert mine.dtype == dtype
        # Slopes and gradients are rounded to the half type, one each.
        assert error(mine, true) < 3 * torch.finfo(dtype).eps


def test_under_autocast_with_a_bias():
    input, weight, bias, labels = head(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = linear_loss(input.float(), weight.float(), labels, bias=bias.float(), **WIDE)
    assert error(got, exact(input, weight, labels, bias=bias)) < 1e-6


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_scores_are_a_thousand_times_coarser(dtype):
    given = head(dtype)
    truth = exact(*given[:2], given[3], bias=given[2], reduction="none")
    narrow, wide = (
        error(linear_loss(*given[:2], given[3], bias=given[2], reduction="none", **options), truth)
        for options in ({}, WIDE)
    )
    assert wide < narrow / 300


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_statistics(dtype):
    input, weight, bias, labels = head(dtype)
    leaves = [x.detach().clone().requires_grad_() for x in (input, weight, bias)]
    found = linear_statistics(leaves[0], leaves[1], labels, bias=leaves[2], **WIDE, max_memory=60_000)
    wide = [x.detach().double().requires_grad_() for x in leaves]
    logs = F.log_softmax(F.linear(*wide), 1)
    counted = labels != -100
    at_label = torch.where(counted, logs.gather(1, labels.clamp(min=0)[:, None])[:, 0], 0.0)
    entropy = torch.where(counted, -(logs.exp() * logs).sum(1), 0.0)
    assert error(found.log_prob, at_label) < 1e-6
    assert error(found.entropy, entropy) < 1e-6
    (found.log_prob.sum() + 0.1 * found.entropy.sum()).backward()
    (at_label.sum() + 0.1 * entropy.sum()).backward()
    for mine, true in zip(leaves, wide, strict=True):
        assert mine.grad.dtype == dtype
        assert error(mine.grad, true.grad) < 4 * torch.finfo(dtype).eps


def test_every_way_to_the_head_has_it():
    input, weight, _, labels = head(torch.bfloat16, bias=False)
    want = linear_loss(input, weight, labels, **WIDE)
    layer = LinearLoss(FEATURES, CLASSES, bias=False, dtype=torch.bfloat16, **WIDE)
    layer.weight.data.copy_(weight)
    assert torch.equal(layer(input, labels), want)
    assert torch.equal(
        layer.statistics(input, labels).log_prob, linear_statistics(input, weight, labels, **WIDE).log_prob
    )
    assert "scores_dtype=torch.float32" in repr(layer)
    compiled = torch.compile(lambda: linear_loss(input, weight, labels, **WIDE), backend="eager", fullgraph=True)
    assert torch.equal(compiled(), want)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(linear_loss(input.float(), weight.float(), labels, **WIDE), want)


def test_a_model_of_transformers():
    transformers = pytest.importorskip("transformers", reason="pip install transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=97, n_embd=16, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    )
    model = transformers.GPT2LMHeadModel(config).to(torch.bfloat16).train()
    tokens = torch.arange(24).reshape(2, 12)
    states = model.transformer(tokens).last_hidden_state[:, :-1]
    truth = exact(states.reshape(-1, 16), model.lm_head.weight, tokens[:, 1:].reshape(-1))
    handle = use_linear_loss(model, scores_dtype=torch.float32)
    assert float(model(tokens, labels=tokens).loss.detach()) == pytest.approx(float(truth.detach()), rel=1e-6)
    handle.remove()


def test_tied_and_own_weights_stay_as_they_are():
    input, weight, _, labels = head(torch.float16, bias=False)
    before = weight.clone()
    with_gradients(linear_loss, input, weight, None, labels, **WIDE)
    assert torch.equal(weight, before)


def test_the_plan_counts_both_buffers():
    plan = linear_loss.plan(4096, 512, 32000, torch.bfloat16, scores_dtype=torch.float32)
    assert plan.workspace_bytes == plan.block_rows * 32000 * 6
    assert linear_loss.plan(4096, 512, 32000, scores_dtype=torch.float32) == linear_loss.plan(4096, 512, 32000)


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [(torch.float32, torch.float16), (torch.float64, torch.float32), (torch.bfloat16, torch.float64)],
    ids=str,
)
def test_other_dtypes_are_refused(dtype, wanted):
    input, weight, _, labels = head(dtype, bias=False)
    for call in (linear_loss, linear_statistics):
        with pytest.raises(ValueError, match=rf"scores_dtype is {wanted} for inputs of {dtype}"):
            call(input, weight, labels, scores_dtype=wanted)

"""Plain CPU tensors by the short way: the same bits as by the operators, and every derivative of theirs."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

import lastlayer as ll
from lastlayer.backends import EXTENSION
from lastlayer.torch import CrossEntropyLoss, LogProbabilities, Probabilities

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="built without a C++ compiler")

NAMES = [name for name, record in ll.MAPPINGS.items() if record.domain.is_valid is None]
#: What takes scores and the axis of their classes.
QUANTITIES = {
    "softmax": ll.softmax,
    "log_softmax": ll.log_softmax,
    "logsumexp": ll.logsumexp,
    # A record, and rows outside the domain.
    **{name: lambda x, axis, name=name: Probabilities(name, axis)(x) for name in [*ll.MAPPINGS, "entmax:alpha=1.3"]},
    **{f"log_{name}": lambda x, axis, name=name: LogProbabilities(name, axis)(x) for name in ("ratio", "sparsemax")},
}


def problem(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    x = (3 * torch.randn(9, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).to(dtype)
    labels = torch.arange(9) % 7
    labels[4] = -100
    return x.requires_grad_(), labels


def is_fast(result: torch.Tensor) -> bool:
    return "Fast" in result.grad_fn.name()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("evaluate", QUANTITIES.values(), ids=QUANTITIES)
def test_quantities_have_the_same_bits_as_by_the_operators(evaluate, dtype):
    x, _ = problem(dtype)
    # Only the last axis by its name needs no look at the shape.
    mine, theirs = evaluate(x, axis=-1), evaluate(x, axis=1)
    assert is_fast(mine)
    assert not is_fast(theirs)
    assert torch.equal(mine.nan_to_num(7), theirs.nan_to_num(7))
    assert torch.equal(evaluate(x.detach(), axis=-1).nan_to_num(7), mine.nan_to_num(7))
    upstream = torch.rand_like(mine)
    slopes = [torch.autograd.grad(result, x, upstream, retain_graph=True)[0] for result in (mine, theirs)]
    assert torch.equal(*(slope.nan_to_num(7) for slope in slopes))
    mine.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        mine.sum().backward()


@pytest.mark.parametrize("evaluate", [ll.softmax, ll.log_softmax, ll.logsumexp, ll.sparsemax, ll.stablemax])
def test_quantities_of_any_shape_and_their_second_derivatives(evaluate):
    x = problem(torch.float64)[0].detach()[:6].reshape(2, 3, 7).requires_grad_()
    assert is_fast(evaluate(x))
    assert torch.equal(evaluate(x)[1], evaluate(x[1].detach().clone()))
    assert torch.autograd.gradcheck(evaluate, (x,), check_batched_grad=True)
    assert torch.autograd.gradgradcheck(evaluate, (x,))


def test_what_is_not_tracked_is_asked_nothing(monkeypatch):
    x, _ = problem()
    monkeypatch.setattr(sys.modules["lastlayer.functions.probabilities"], "prepare", None)
    with torch.no_grad():
        assert ll.softmax(x).grad_fn is None
    assert ll.sparsemax(x.detach()).shape == x.shape
    assert ll.logsumexp(torch.nn.Parameter(x.detach())).shape == x.shape[:1]


def test_a_dispatch_mode_sees_the_operators():
    seen = []

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            seen.append(str(function))
            return function(*args, **(kwargs or {}))

    x, labels = problem()
    for given in (x, x.detach()):
        expected = ll.softmax(given), ll.loss(given, labels)
        with Mode():
            got = ll.softmax(given), ll.loss(given, labels)
        assert [sum(name in call for call in seen) for name in ("lastlayer.evaluate", "lastlayer.loss")] == [1, 1]
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
        seen.clear()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_same_bits_as_by_the_operators(name, reduction):
    x, labels = problem()
    options = {"mapping": name, "reduction": reduction, "label_smoothing": 0.1, "z_loss": 0.01, "temperature": 2.0}
    mine = ll.loss(x, labels, **options)
    # Weights of rows have questions to be asked.
    theirs = ll.loss(x, labels, sample_weight=torch.ones(9), **options)
    assert is_fast(mine)
    assert not is_fast(theirs)
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
    assert is_fast(ll.loss(x, labels))
    assert torch.autograd.gradgradcheck(lambda s: ll.loss(s, labels), (x,))
    assert torch.autograd.gradgradcheck(lambda s: ll.loss(s, labels, reduction="none"), (x,))


def test_modules_and_parameters():
    x, labels = problem()
    assert is_fast(CrossEntropyLoss()(x, labels))
    assert is_fast(ll.loss(torch.nn.Parameter(x.detach()), labels))


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
    assert not is_fast(loss)
    assert loss.isfinite()


def test_quantities_that_have_more_to_ask_go_the_long_way():
    x, _ = problem()
    out = torch.empty_like(x)
    results = ll.softmax(x.bfloat16()), ll.softmax(x[:, ::2]), ll.logsumexp(x[0]), ll.softmax(x, out=out)
    assert not any(map(is_fast, results))
    assert torch.equal(out, ll.softmax(x))


def test_a_users_record_of_a_known_name_has_its_own_formulas():
    x, _ = problem()
    mine = dataclasses.replace(ll.MAPPINGS["softmax"], evaluate=ll.MAPPINGS["stablemax"].evaluate)
    got = ll.probabilities(x, mapping=mine)
    assert not is_fast(got)
    torch.testing.assert_close(got, ll.stablemax(x))


def test_a_tracer_sees_the_operators():
    x, labels = problem()
    for given in (x, x.detach()):
        for function in (lambda s: ll.softmax(s), lambda s: ll.logsumexp(s), lambda s: ll.loss(s, labels)):
            traced = make_fx(function, pre_dispatch=True)(given)
            assert torch.equal(traced(given + 1.0), function(given + 1.0))


def test_the_negative_bit_is_read():
    part = problem()[0].detach()
    negative = torch.complex(part, part).conj().imag
    assert negative.is_neg()
    for evaluate in (ll.softmax, ll.sparsemax, ll.logsumexp):
        assert torch.equal(evaluate(negative), evaluate(-part))
    x, cotangents = (-part).requires_grad_(), torch.rand_like(part)
    slopes = [
        torch.autograd.grad(ll.softmax(x), x, v)[0]
        for v in (-cotangents, torch.complex(cotangents, cotangents).conj().imag)
    ]
    assert torch.equal(*slopes)


def test_errors_are_the_same():
    x, labels = problem()
    for mapping in ("ratio", ll.MAPPINGS["ratio"]):
        with pytest.raises(ll.DomainError, match="ratio"):
            ll.probabilities(x.detach(), mapping=mapping)
    with pytest.raises((TypeError, ValueError), match="axis"):
        ll.softmax(x, axis=-1.0)
    with pytest.raises(ValueError, match="on_domain"):
        ll.sparsemax(x, on_domain="zero")
    with pytest.raises(ValueError, match="empty"):
        ll.softmax(x[:, :0])
    with pytest.raises(TypeError, match="mapping is 3"):
        ll.probabilities(x, mapping=3)
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

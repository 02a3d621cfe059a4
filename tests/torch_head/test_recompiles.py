"""torch.compile(fullgraph=True) compiles every function and head at most three times, however many numbers of rows come."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

import lastlayer as ll
import lastlayer.torch as lt
from lastlayer.torch import linear_loss, linear_statistics

FEATURES, CLASSES = 8, 50
#: Around vectors, tiles and blocks; a first graph for one number of rows, a second for any, and room for one more.
ROWS = (5, 16, 17, 31, 32, 33, 64, 100, 128, 200, 333, 512, 1000, 1024, 1025, 2000)
MOST = 3


def functions(scores, labels):
    """Every public function of scores."""
    soft = torch.softmax(scores.detach(), -1)
    return (
        ll.softmax(scores).sum()
        + ll.log_softmax(scores).sum()
        + ll.logsumexp(scores).sum()
        + ll.probabilities(scores, mapping="taylor").sum()
        + ll.sparsemax(scores).square().sum()
        + ll.loss(scores, labels, mapping="entmax", reduction="none").sum()
        + ll.loss(scores, soft)
        + ll.cross_entropy(scores, labels, label_smoothing=0.1, z_loss=0.1)
        + ll.loss(scores, labels, reduction="parts")[0]
        + ll.loss_and_grad(scores.detach(), labels)[1].sum()
    )


MAPS = [lt.Softmax(), lt.Entmax(alpha=1.3), lt.LogSoftmax()]
LOSSES = [lt.CrossEntropyLoss(), lt.MappingLoss("sparsemax", reduction="sum")]


def modules(scores, labels):
    """Modules in torch.nn's layout, with (N, K) and (N, K, d) scores."""
    total = sum(module(scores).sum() for module in MAPS)
    return (
        total
        + LOSSES[0](scores, labels)
        + LOSSES[1](scores[:, :, None].expand(-1, -1, 3), labels[:, None].expand(-1, 3))
    )


def heads(input, labels, weight):
    """The head in every reduction, with soft targets, weights and a temperature per row; and its statistics."""
    soft, rows = torch.full((input.shape[0], CLASSES), 1.0 / CLASSES), torch.ones(input.shape[0])
    total = linear_loss(input, weight, soft, mapping="sparsemax", max_memory=50_000)
    total = total + linear_loss(input, weight, labels, sample_weight=rows, temperature=rows, z_loss=0.1)
    for reduction in ("mean", "sum", "none", "parts"):
        value = linear_loss(input, weight, labels, reduction=reduction)
        total = total + (value[0] if reduction == "parts" else value.sum())
    return total + sum(part.sum() for part in linear_statistics(input, weight, labels)[:3])


def mean(input, labels, weight):
    """With backward in the graph as well: bfloat16 is summed in a dtype that does not depend on the number of blocks."""
    return linear_loss(input, weight, labels, max_memory=50_000)


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()


def compilations(function, problems, backend, dynamic):
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(function, fullgraph=True, backend=counter, dynamic=dynamic)
    for problem in problems:
        value = compiled(*problem)
        torch.autograd.grad(value, [x for x in problem if x.requires_grad])
    return counter.frame_count


@pytest.mark.parametrize(("function", "dynamic"), [(functions, None), (functions, True), (modules, None)])
def test_functions_and_modules(function, dynamic):
    problems = [(torch.randn(n, CLASSES, requires_grad=True), torch.randint(CLASSES, (n,))) for n in ROWS]
    assert compilations(function, problems, "eager", dynamic) <= MOST


@pytest.mark.parametrize(
    ("function", "dtype", "backend", "dynamic"),
    [(heads, torch.float32, "eager", None), (mean, torch.bfloat16, "aot_eager", True)],
)
def test_heads(function, dtype, backend, dynamic):
    weight = torch.randn(CLASSES, FEATURES).to(dtype).requires_grad_()
    problems = [
        (torch.randn(n, FEATURES).to(dtype).requires_grad_(), torch.randint(CLASSES, (n,)), weight) for n in ROWS
    ]
    assert compilations(function, problems, backend, dynamic) <= MOST


def test_a_layer():
    layer = lt.LinearLoss(FEATURES, CLASSES)

    def function(input, labels):
        return layer(input, labels) + layer.statistics(input, labels).entropy.sum() + layer(input).sum()

    problems = [(torch.randn(n, FEATURES, requires_grad=True), torch.randint(CLASSES, (n,))) for n in ROWS]
    assert compilations(function, problems, "eager", None) <= MOST

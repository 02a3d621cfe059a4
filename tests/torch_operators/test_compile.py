"""torch.compile(fullgraph=True): the same losses and gradients as without, for every mapping, and no break in the graph."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from operator_cases import LABELS, NAMES, head_for, scores_for, soft_targets
from running import run_python
from warm_softmax import WARM_SOFTMAX

import lastlayer as ll
from lastlayer.torch import CrossEntropyLoss, LinearLoss, linear_loss, linear_statistics

ALPHAS = torch.tensor([1.2, 1.5, 2.0, 3.0])


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()


def results(function, *leaves):
    """What the function gives, and the gradients of its sum."""
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    value = function(*leaves)
    gradients = torch.autograd.grad(value.sum(), leaves)
    return value, *gradients


def assert_same(function, *leaves, backend="aot_eager", dynamic=None):
    compiled = torch.compile(function, fullgraph=True, backend=backend, dynamic=dynamic)
    for got, expected in zip(results(compiled, *leaves), results(function, *leaves), strict=True):
        assert got.dtype == expected.dtype
        torch.testing.assert_close(got, expected, rtol=1e-14 if got.dtype == torch.float64 else 1e-6, atol=1e-15)


@pytest.mark.parametrize("name", [*NAMES, WARM_SOFTMAX], ids=[*NAMES, "users_own"])
def test_every_mapping(name):
    def function(scores, input, weight, bias):
        probabilities = ll.probabilities(scores, mapping=name)
        row_losses = ll.loss(scores, LABELS, mapping=name, reduction="none", label_smoothing=0.1)
        return (probabilities**2).sum() + row_losses.sum() + linear_loss(input, weight, LABELS, bias=bias, mapping=name)

    # The row whose label is ignored has probabilities alone.
    assert_same(function, scores_for(name), *head_for(name))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_options_and_dtypes(dtype):
    targets = soft_targets()

    def function(scores, input, weight, bias):
        total, denominator = ll.loss(scores, targets, reduction="parts", z_loss=1e-2, softcap=3.0, temperature=1.3)
        found = linear_statistics(input, weight, LABELS.clamp(min=0), bias=bias)
        return total / denominator + ll.logsumexp(scores).sum() + found.log_prob.sum() + found.entropy.sum()

    assert_same(function, scores_for("softmax", dtype=dtype), *head_for("softmax", dtype=dtype))


@pytest.mark.parametrize("backend", ["aot_eager", "eager"])
def test_dynamic_shapes(backend):
    compiled = torch.compile(
        lambda x, w, y: linear_loss(x, w, y) + ll.cross_entropy(x, y), fullgraph=True, backend=backend, dynamic=True
    )
    for rows, classes in ((4, 5), (7, 3), (2, 9)):
        x = scores_for("softmax", rows, classes).detach()
        weight, labels = torch.eye(classes, dtype=x.dtype), torch.arange(rows) % classes
        torch.testing.assert_close(compiled(x, weight, labels), 2 * ll.cross_entropy(x, labels))


def test_alpha_as_number_inside_and_one_a_row():
    x = scores_for("entmax")
    assert_same(lambda x: ll.entmax(x, alpha=1.3)[:, 0], x)
    assert_same(lambda x: ll.entmax(x, alpha=ALPHAS)[:, 0], x)
    assert_same(lambda x: ll.loss(x, LABELS, mapping=ll.MAPPINGS["entmax"].replace(alpha=1.7)), x)
    compiled = torch.compile(lambda x, alpha: ll.entmax(x, alpha=alpha), fullgraph=True, backend="aot_eager")
    for alpha in (1.3, 1.7, 1.9):
        torch.testing.assert_close(compiled(x, alpha), ll.entmax(x, alpha=alpha))
    torch.testing.assert_close(compiled(x, ALPHAS), ll.entmax(x, alpha=ALPHAS))


def test_numbers_that_change_between_calls():
    """From the second value on, torch.compile would keep a number open."""

    def function(x, order, number):
        taylor = ll.loss(x, LABELS, mapping=ll.MAPPINGS["taylor"].replace(order=order), softcap=number)
        return taylor + ll.cross_entropy(x, LABELS, label_smoothing=number / 10, temperature=number)

    compiled, x = torch.compile(function, fullgraph=True, backend="aot_eager"), scores_for("softmax").detach()
    for order, number in ((2, 1.5), (4, 2.5), (6, 3.5)):
        torch.testing.assert_close(compiled(x, order, number), function(x, order, number))


def test_modules():
    head = LinearLoss(3, 5, mapping="sparsemax")
    input = head_for("sparsemax", dtype=torch.float32)[0]
    assert_same(lambda x: head(x, LABELS), input)
    criterion = CrossEntropyLoss(label_smoothing=0.1)
    assert_same(lambda x: criterion(x, LABELS), scores_for("softmax"))


def test_bad_labels_are_nan_rows():
    compiled = torch.compile(lambda x, y: ll.loss(x, y, reduction="none"), fullgraph=True, backend="aot_eager")
    losses = compiled(scores_for("softmax").detach(), torch.tensor([0, 5, -1, 2]))
    assert losses.isnan().tolist() == [False, True, True, False]


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs g++; apt-get install g++")
def test_inductor():
    def function(scores, input, weight, bias):
        return ll.cross_entropy(scores * 2.0, LABELS) + linear_loss(torch.relu(input), weight, LABELS, bias=bias)

    with warnings.catch_warnings():
        # Its first import warns of torch's own deprecations.
        warnings.simplefilter("ignore", DeprecationWarning)
        import torch._inductor.compile_fx
        from torch._inductor.utils import fresh_cache
    # Torch's cache on disk knows operators by name alone, so it would serve a graph with an earlier version's backward.
    with fresh_cache():
        assert_same(function, scores_for("softmax"), *head_for("softmax"), backend="inductor")


@pytest.mark.parametrize("function", ["ll.softmax(x)", "ll.loss(x, torch.tensor([1, 2, 0]))"])
def test_the_first_call_of_a_process_may_be_compiled(function):
    program = f"""
import sys, torch, lastlayer as ll
assert "lastlayer.torch" not in sys.modules
x = torch.randn(3, 5)
compiled = torch.compile(lambda x: {function}, fullgraph=True, backend="eager")
torch.testing.assert_close(compiled(x), {function})
"""
    run_python(program)

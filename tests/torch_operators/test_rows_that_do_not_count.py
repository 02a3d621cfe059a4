"""A row that does not count has gradient exactly 0, whatever arrives from upstream; the other rows have the IEEE product."""

from __future__ import annotations

import itertools

import pytest
import torch
from operator_cases import CLASSES, LABELS, NAMES, ROWS, drawn, scores_for, soft_targets

import lastlayer as ll
from lastlayer.torch import CrossEntropyLoss, MappingLoss

REDUCTIONS = ["mean", "sum", "none", "parts"]
ARRIVES = [float("-inf"), float("nan")]
#: One mapping for each way of computing its loss.
KINDS = ["softmax", "stablemax", "ratio", "sparsemax", "entmax:alpha=1.3"]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
SAMPLE_WEIGHT = torch.tensor([0.5, 0.0, 1.0, 2.0])
EVERY_ROW = LABELS.clamp(min=0)
#: Targets and options, and which rows count under them.
OPTIONS = {
    "ignored": (LABELS, {}, [True, True, False, True]),
    "sample weight 0": (EVERY_ROW, {"sample_weight": SAMPLE_WEIGHT}, [True, False, True, True]),
    "both": (LABELS, {"sample_weight": SAMPLE_WEIGHT, "label_smoothing": 0.1}, [True, False, False, True]),
    "soft": (soft_targets(), {"sample_weight": SAMPLE_WEIGHT, "z_loss": 0.1}, [True, False, True, True]),
    "class weight 0": (LABELS, {"weight": torch.tensor([1.0, 1, 0, 1, 1])}, [True, True, False, False]),
    "behind a softcap": (LABELS, {"softcap": 3.0, "temperature": 0.5}, [True, True, False, True]),
    "temperature per row": (LABELS, {"temperature": torch.linspace(0.5, 2.0, ROWS)}, [True, True, False, True]),
    "nothing": (torch.full((ROWS,), -100), {}, [False] * ROWS),
    "no weight": (EVERY_ROW, {"sample_weight": torch.zeros(ROWS)}, [False] * ROWS),
    "no class weight": (EVERY_ROW, {"weight": torch.zeros(CLASSES)}, [False] * ROWS),
}


def loss_of(name, option, reduction):
    """The loss as a function of the scores, and which rows count."""
    targets, options, counts = OPTIONS[option]

    def function(scores):
        value = ll.loss(scores, targets, mapping=name, reduction=reduction, on_domain="nan", **options)
        return value[0] if reduction == "parts" else value

    return function, torch.tensor(counts)


def upstream_for(reduction, arrives, dtype):
    shape = (ROWS,) if reduction == "none" else ()
    return torch.full(shape, arrives, dtype=torch.float64 if dtype == torch.float64 else torch.float32)


def assert_left_out(gradient, unit, counts, arrives):
    assert torch.equal(gradient[~counts], torch.zeros_like(gradient[~counts]))
    expected = unit[counts] * arrives
    assert torch.equal(gradient[counts].isnan(), expected.isnan())
    assert torch.equal(gradient[counts].nan_to_num(7.0), expected.nan_to_num(7.0))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_backward(name, reduction):
    cases = 0
    for option, dtype in itertools.product(OPTIONS, DTYPES):
        function, counts = loss_of(name, option, reduction)
        x = scores_for(name, dtype=dtype).detach()
        # The scores of a row that does not count do not matter either; but a class weight of 0 multiplies a loss, which may be NaN.
        if "class weight" not in option:
            x[~counts] = torch.tensor([float("nan"), float("inf"), float("-inf"), 0.0, 1.0]).to(dtype)
        x.requires_grad_()
        loss = function(x)
        unit = torch.autograd.grad(loss, x, torch.ones_like(loss), retain_graph=True)[0]
        assert torch.equal(unit[~counts], torch.zeros_like(unit[~counts]))
        for arrives in ARRIVES:
            upstream = upstream_for(reduction, arrives, dtype).to(loss.dtype)
            (gradient,) = torch.autograd.grad(loss, x, upstream, retain_graph=True)
            (graphed,) = torch.autograd.grad(loss, x, upstream, create_graph=True)
            (batched,) = torch.autograd.grad(loss, x, upstream[None], retain_graph=True, is_grads_batched=True)
            for found in (gradient, graphed.detach(), batched[0]):
                if option == "temperature per row":
                    # The product goes through a division: inf / T and its like.
                    assert torch.equal(found[~counts], torch.zeros_like(found[~counts]))
                    assert not found[counts].isfinite().all()
                else:
                    assert_left_out(found, unit, counts, arrives)
                cases += 1
    assert cases == len(OPTIONS) * len(DTYPES) * len(ARRIVES) * 3


@pytest.mark.parametrize("name", KINDS)
def test_under_torch_func(name):
    for option, reduction, arrives in itertools.product(OPTIONS, REDUCTIONS, ARRIVES):
        function, counts = loss_of(name, option, reduction)
        x = scores_for(name).detach()
        upstream = upstream_for(reduction, arrives, x.dtype)
        value, pull = torch.func.vjp(function, x)
        (unit,) = pull(torch.ones_like(value))
        for found in (pull(upstream)[0], torch.func.vmap(pull)(upstream[None])[0][0]):
            assert torch.equal(found[~counts], torch.zeros_like(found[~counts]))
            if option != "temperature per row":
                assert_left_out(found, unit, counts, arrives)
        if reduction != "none":
            found = torch.func.grad(lambda s, f=function, arrives=arrives: f(s) * arrives)(x)
            assert torch.equal(found[~counts], torch.zeros_like(found[~counts]))


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("name", KINDS)
def test_second_derivatives(name, reduction):
    """Along any direction, also one that is not finite where rows do not count; in the scores and in what arrives."""
    for option in OPTIONS:
        function, counts = loss_of(name, option, reduction)
        x = scores_for(name)
        loss = function(x)
        upstream = torch.ones_like(loss).requires_grad_()
        (slope,) = torch.autograd.grad(loss, x, upstream, create_graph=True)
        direction = drawn(ROWS, CLASSES, seed=4)
        expected = torch.autograd.grad(slope, (x, upstream), direction, retain_graph=True, materialize_grads=True)
        direction[~counts] = float("inf")
        found = torch.autograd.grad(slope, (x, upstream), direction, materialize_grads=True)
        assert torch.equal(found[0][~counts], torch.zeros_like(x[~counts]))
        for got, want in zip(found, expected, strict=True):
            assert torch.equal(got, want)


@pytest.mark.parametrize("name", ["softmax", "sparsemax"])
def test_compiled(name):
    """The whole step of a training in one graph: 0/0 and its like in what follows the loss."""
    for option, reduction in (("both", "none"), ("nothing", "mean")):
        function, counts = loss_of(name, option, reduction)
        compiled = torch.compile(lambda s, u, f=function: (f(s) * u).sum(), fullgraph=True, backend="aot_eager")
        for arrives in ARRIVES:
            x = scores_for(name)
            compiled(x, upstream_for(reduction, arrives, x.dtype)).backward()
            assert torch.equal(x.grad[~counts], torch.zeros_like(x.grad[~counts]))
            assert not x.grad[counts].isfinite().any()
        torch.compiler.reset()


@pytest.mark.parametrize("criterion", [CrossEntropyLoss, lambda **given: MappingLoss("sparsemax", **given)])
def test_modules_after_a_step_without_labels(criterion):
    """Hugging Face divides the sum of a step without labels by 0 labels: its weights must survive that."""
    weight = torch.nn.Parameter(drawn(CLASSES, 3))
    loss = criterion(reduction="sum")(drawn(ROWS, 3) @ weight.T, torch.full((ROWS,), -100))
    (loss / 0).backward()
    assert torch.equal(weight.grad, torch.zeros_like(weight))


@pytest.mark.parametrize("name", ["softmax", "sparsemax"])
def test_a_class_of_weight_zero_adds_nothing_to_the_temperatures_gradient(name):
    """Not even an infinite score, whose derivative in the temperature would be 0 · inf."""
    scores = torch.tensor([[float("inf"), 2.0, 0.5], [0.3, -1.0, 2.0]])
    temperature = torch.tensor([2.0, 3.0], requires_grad=True)
    weight = torch.tensor([0.0, 1.0, 2.0])
    ll.loss(scores, torch.tensor([0, 2]), mapping=name, weight=weight, temperature=temperature).backward()
    assert temperature.grad[0] == 0.0
    assert temperature.grad[1] != 0.0

"""torch.library.opcheck on every operator: schema, autograd registration, fake implementation, compiled with dynamic shapes."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch
from operator_cases import CLASSES, DTYPES, LABELS, NAMES, ROWS, drawn, head_for, scores_for, soft_targets
from running import IS_NIGHTLY
from torch.library import opcheck

from lastlayer.backends.torch.operators import flatten
from lastlayer.backends.torch.records import record_of
from lastlayer.backends.torch.vjp import keeps_result
from lastlayer.losses import REDUCTIONS, LossOptions
from lastlayer.mappings.resolve import resolve_mapping

# Registers the operators of the heads.
importlib.import_module("lastlayer.torch")
OPERATORS = torch.ops.lastlayer
QUANTITIES = ["probabilities", "log_probabilities", "log_partition"]
#: One α a row, the limit of softmax and that of sparsemax among them.
ALPHAS = torch.tensor([1.0, 1.5, 2.0, 3.0])
PLAIN = LossOptions()
EVERY_OPTION = LossOptions(
    weight=torch.linspace(0.5, 2.0, CLASSES),
    sample_weight=torch.linspace(0.0, 1.0, ROWS),
    label_smoothing=0.1,
    z_loss=0.01,
    temperature=1.3,
    softcap=5.0,
)
#: What opcheck looks at; the last one compiles.
QUICK_KINDS = ("test_schema", "test_autograd_registration", "test_faketensor")
ALL_KINDS = (*QUICK_KINDS, "test_aot_dispatch_dynamic")
#: Losses that are compiled too: each dtype, reduction and kind of targets, for one compilation takes seconds. `make nightly`
#: compiles them all.
COMPILED = [
    (torch.float64, "mean", False),
    (torch.float64, "none", True),
    (torch.float32, "parts", False),
    (torch.bfloat16, "sum", True),
]
#: Bytes for scores: less than one row takes, so that each row is a block.
MAX_MEMORY = 3
ALL = (True, True, True)
#: Checks of a backward operator; autograd alone differentiates it once more.
WITH_DERIVATIVES = ("test_schema", "test_autograd_registration", "test_faketensor")


def told(name, options=PLAIN, reduction="mean", targets=LABELS, alphas=None):
    """A loss operator's arguments after the tensors that it works on."""
    record = resolve_mapping(name) if alphas is None else resolve_mapping(name).replace(alpha=alphas)
    return flatten(record, targets, replace(options, reduction=reduction))


def upstream_for(reduction):
    """One cotangent a row where losses are not reduced."""
    return drawn(*([ROWS] if reduction == "none" else []), seed=5)


def head_backward_arguments(name, dtype=torch.float64, label_scores=None, **given):
    """The arguments of `linear_loss_backward` as the forward operator leaves them."""
    head, arguments = head_for(name, dtype=dtype), (label_scores, *told(name, **given))
    with torch.no_grad():
        _, _, *kept = OPERATORS.linear_loss(*head, *arguments, MAX_MEMORY, False, *ALL)
    upstream = upstream_for(given.get("reduction", "mean")).float()
    return upstream, *kept, *(t.detach() for t in head), *arguments, MAX_MEMORY, False, *ALL


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("name", NAMES)
def test_evaluate(name, quantity):
    opcheck(OPERATORS.evaluate.default, (scores_for(name), None, name, quantity))
    cotangent = drawn(ROWS) if quantity == "log_partition" else drawn(ROWS, CLASSES)
    scores = scores_for(name).detach()
    opcheck(OPERATORS.evaluate_backward.default, (cotangent, scores, None, name, quantity, False))
    if keeps_result(record_of(name, None), scores, quantity):
        result = OPERATORS.evaluate(scores, None, name, quantity)
        opcheck(OPERATORS.evaluate_backward.default, (cotangent, result, None, name, quantity, True))


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_evaluate_in_each_dtype(quantity, dtype):
    scores = scores_for("entmax", dtype=dtype)
    opcheck(OPERATORS.evaluate.default, (scores, ALPHAS, "entmax", quantity))
    cotangent = drawn(ROWS, dtype=dtype) if quantity == "log_partition" else drawn(ROWS, CLASSES, dtype=dtype)
    opcheck(OPERATORS.evaluate_backward.default, (cotangent, scores.detach(), ALPHAS, "entmax", quantity, False))


@pytest.mark.parametrize("name", NAMES)
def test_loss(name):
    arguments = told(name, EVERY_OPTION)
    # One of the regularized family is compiled too, with its second derivative; softmax is below.
    kinds = ALL_KINDS if name == "entmax" or (IS_NIGHTLY and name == "ratio") else QUICK_KINDS
    opcheck(OPERATORS.loss.default, (scores_for(name), *arguments, True), test_utils=kinds)


@pytest.mark.parametrize("is_soft", [False, True], ids=["labels", "soft"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_in_each_dtype(dtype, reduction, is_soft):
    arguments = told("softmax", EVERY_OPTION, reduction, soft_targets() if is_soft else LABELS)
    kinds = ALL_KINDS if IS_NIGHTLY or (dtype, reduction, is_soft) in COMPILED else QUICK_KINDS
    opcheck(OPERATORS.loss.default, (scores_for("softmax", dtype=dtype), *arguments, True), test_utils=kinds)


def test_backward_operators_have_derivatives():
    """What autograd, not torch.compile, differentiates once more: the formulas behind them take long to trace."""
    upstream, *rest = head_backward_arguments("softmax")
    rest[5:8] = (t.requires_grad_() for t in rest[5:8])
    opcheck(OPERATORS.linear_loss_backward.default, (upstream.requires_grad_(), *rest), test_utils=WITH_DERIVATIVES)
    scores = scores_for("softmax")
    cotangent = drawn(ROWS, CLASSES).requires_grad_()
    for quantity in ("probabilities", "log_probabilities"):
        result = OPERATORS.evaluate(scores.detach(), None, "softmax", quantity)
        for kept, is_result in ((scores, False), (result.requires_grad_(), True)):
            given = (cotangent, kept, None, "softmax", quantity, is_result)
            opcheck(OPERATORS.evaluate_backward.default, given, test_utils=WITH_DERIVATIVES)


def test_loss_without_gradient():
    opcheck(OPERATORS.loss.default, (scores_for("softmax").detach(), *told("softmax"), False))
    opcheck(OPERATORS.loss.default, (scores_for("entmax"), *told("entmax", alphas=ALPHAS), True))


@pytest.mark.parametrize("name", NAMES)
def test_linear_loss(name):
    opcheck(OPERATORS.linear_loss.default, (*head_for(name), None, *told(name), MAX_MEMORY, False, *ALL))
    opcheck(OPERATORS.linear_loss_backward.default, head_backward_arguments(name))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_loss_in_each_dtype(dtype, reduction):
    for targets in (LABELS, soft_targets()):
        given = {"options": EVERY_OPTION, "reduction": reduction, "targets": targets}
        head = head_for("softmax", dtype=dtype)
        opcheck(OPERATORS.linear_loss.default, (*head, None, *told("softmax", **given), MAX_MEMORY, False, *ALL))
        opcheck(OPERATORS.linear_loss_backward.default, head_backward_arguments("softmax", dtype, **given))


@pytest.mark.parametrize(("name", "reduction"), [("softmax", "mean"), ("softmax", "none"), ("sparsemax", "parts")])
def test_linear_loss_with_scores_at_labels(name, reduction):
    given = {"reduction": reduction, "label_scores": drawn(ROWS, seed=7).requires_grad_()}
    arguments = (given["label_scores"], *told(name, reduction=reduction))
    opcheck(OPERATORS.linear_loss.default, (*head_for(name), *arguments, MAX_MEMORY, False, *ALL))
    opcheck(OPERATORS.linear_loss_backward.default, head_backward_arguments(name, **given))


@pytest.mark.parametrize(
    ("dtype", "margin"),
    [(torch.float64, ("angular", 0.5)), (torch.float32, ("additive", 0.3)), (torch.bfloat16, ("angular", 0.5))],
)
def test_margins(dtype, margin):
    input, weight, _ = head_for("softmax", dtype=dtype)
    opcheck(OPERATORS.unit_rows.default, (input, dtype == torch.bfloat16))
    opcheck(OPERATORS.unit_rows_backward.default, (input, weight[:1].expand_as(input)), test_utils=WITH_DERIVATIVES)
    arguments = (input, weight, LABELS, *margin, True, True)
    opcheck(OPERATORS.label_cosines.default, arguments)
    opcheck(OPERATORS.label_cosines_backward.default, (drawn(ROWS), *arguments), test_utils=WITH_DERIVATIVES)


@pytest.mark.parametrize("divides", [False, True])
@pytest.mark.parametrize("shape", [(), (ROWS, 1)])
def test_learned_factors(shape, divides):
    input, factor = head_for("softmax")[0], (drawn(ROWS, seed=2).abs() + 1.0)
    factor = (factor[:, None] if shape else factor[0]).detach().requires_grad_()
    opcheck(OPERATORS.scaled.default, (input, factor, divides))


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True)])
def test_linear_loss_with_parts_frozen(wanted):
    tensors = (t.detach().requires_grad_(w) for t, w in zip(head_for("sparsemax"), wanted, strict=True))
    opcheck(OPERATORS.linear_loss.default, (*tensors, None, *told("sparsemax"), MAX_MEMORY, False, *wanted))
    input, weight, _ = head_for("sparsemax")
    opcheck(
        OPERATORS.linear_loss.default,
        (input, weight, None, None, *told("sparsemax"), MAX_MEMORY, False, True, True, False),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "sparsemax", "spherical", "entmax"])
def test_linear_statistics(name, dtype):
    head = head_for(name, dtype=dtype)
    rest = (LABELS, ALPHAS if name == "entmax" else None, name, -100, 1.3, 5.0, MAX_MEMORY, False)
    opcheck(OPERATORS.linear_statistics.default, (*head, *rest))
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    cotangents = [drawn(ROWS, seed=i, dtype=wide) for i in range(3)]
    opcheck(
        OPERATORS.linear_statistics_backward.default,
        (*cotangents, *(t.detach() for t in head), *rest, True, True, True),
    )

"""`check_head` passes heads without a fault, ours among them, and finds every fault that it has a case for."""

from __future__ import annotations

import json
import os

import pytest
import torch
from wrong_heads import WRONG, right

from lastlayer.torch import LinearLoss, check_head, linear_loss
from lastlayer.torch.check_head.cases import CASES

USUAL = [name for name, case in CASES.items() if not case.is_large]


def ours(input, weight, labels, **options):
    return linear_loss(input, weight, labels, **options)


def in_blocks(input, weight, labels, **options):
    """Few rows per block, so that every problem takes several."""
    return linear_loss(input, weight, labels, max_memory=16 * weight.shape[0] * input.element_size(), **options)


def compiled(input, weight, labels, **options):
    return torch.compile(linear_loss, backend="eager", fullgraph=True)(input, weight, labels, **options)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("head", [right, ours], ids=["right", "ours"])
def test_heads_without_a_fault_pass(head, dtype):
    report = check_head(head, dtype=dtype)
    assert report.is_passed, report
    assert [result.name for result in report.results] == USUAL


def test_ours_passes_in_small_blocks():
    report = check_head(in_blocks)
    assert report.is_passed, report


def test_ours_passes_when_compiled():
    # Every shape compiles: the cases with many rows or classes say nothing new here.
    report = check_head(
        compiled, cases=["loss and gradients", "loss per row", "ignored rows with NaN", "kept graph", "no rows"]
    )
    assert report.is_passed, report


def test_every_case_has_a_head_that_it_must_find():
    assert set(WRONG) == set(USUAL)


@pytest.mark.parametrize("case", USUAL)
def test_a_head_with_this_fault_is_found(case):
    report = check_head(WRONG[case], cases=[case])
    assert not report.is_passed
    assert report[case].outcome in {"wrong", "raised"}
    assert CASES[case].fault in str(report)


def test_a_report_is_a_table_and_json():
    report = check_head(WRONG["bias"], cases=["sum", "bias", "masked classes"])
    assert [result.outcome for result in report.results][:2] == ["passed", "wrong"]
    assert str(report).splitlines()[0] == "passed  sum"
    assert str(report).splitlines()[-1].startswith("1 passed, ")
    facts = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert facts[1]["name"] == "bias"
    assert facts[1]["error"] > facts[1]["allowed"]


def test_a_head_without_an_option_raises_in_those_cases_alone():
    def bare(input, weight, labels):
        return right(input, weight, labels)

    outcomes = {result.name: result for result in check_head(bare, cases=["loss and gradients", "sum"]).results}
    assert outcomes["loss and gradients"].outcome == "passed"
    assert outcomes["sum"].outcome == "raised"
    assert "TypeError" in outcomes["sum"].detail


def test_an_unknown_case_is_named():
    with pytest.raises(KeyError, match="no case 'biass'"):
        check_head(right, cases=["biass"])


def test_a_layer_is_wrapped_in_a_line():
    def layer(input, weight, labels, **options):
        head = LinearLoss(weight.shape[1], weight.shape[0], bias=False, **options)
        return torch.func.functional_call(head, {"weight": weight}, (input, labels))

    assert check_head(layer, cases=["loss and gradients", "sum"]).is_passed


@pytest.mark.skipif("LASTLAYER_NIGHTLY" not in os.environ, reason="takes minutes: set LASTLAYER_NIGHTLY=1")
def test_more_scores_than_32_bits_address():
    assert check_head(ours, cases=["more than 2³¹ scores"]).is_passed

    def short_addresses(input, weight, labels, **options):
        rows = torch.arange(len(labels)) * len(weight) < 2**31
        return linear_loss(input, weight, torch.where(rows, labels, -100), **options)

    assert not check_head(short_addresses, cases=["more than 2³¹ scores"]).is_passed

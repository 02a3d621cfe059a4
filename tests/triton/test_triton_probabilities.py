"""Probabilities, logarithms and log-partition of rows against float64: sizes, layouts, half types, and the comparison itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from row_checks import BOUND, QUANTITIES, check, check_half, error_of, scores
from truth import DEVICE, MAPPINGS

from lastlayer.checks.edges import INF, NAN
from lastlayer.kernels.triton import evaluate, serves

#: Classes that fill no block, one, and many; of the last but one a row is two blocks and a rest.
CLASSES = (1, 2, 3, 31, 32, 33, 1000, 5000)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("classes", CLASSES)
def test_rows_of_any_number_of_classes(mapping, classes):
    check(scores(2, classes), mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_rows_of_many_blocks(mapping):
    check(scores(1, 70_000), mapping, ("probabilities", "log_partition") if mapping != "softmax" else QUANTITIES)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("scale", [1e-40, 100.0, 1e4, 1e30])
def test_sizes_of_scores(mapping, scale):
    check(scores(3, 40, scale), mapping)
    check(scores(2, 40, 1.0) + scale, mapping)


@pytest.mark.parametrize("mapping", ["sparsemax", "entmax"])
@pytest.mark.parametrize(("classes", "scale"), [(2, 8.0), (5, 0.05), (33, 0.5)])
def test_log_partitions_of_rows_whose_maximum_is_zero(mapping, classes, scale, long_rows):
    """Ω* is then all that there is, and may be as small as the others' probabilities squared."""
    x = scores(20 if long_rows == "single" else 6, classes, scale)
    x -= x.amax(1, keepdim=True)
    got = evaluate(x, "log_partition", mapping, MAPPINGS[mapping])
    assert truth.error(got, truth.quantity(x, "log_partition", mapping)) <= BOUND


def test_confident_rows_keep_their_digits():
    got = evaluate(torch.tensor([[0.0, -17.0]], device=DEVICE), "log_probabilities", "softmax")
    assert truth.error(got, [[-4.1399377e-08, -17.0000000414]]) <= 1.0


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_once(mapping, dtype, long_rows):
    """Softmax is computed to the digits of a half type and 2^−16 beyond."""
    x = scores(5, 40).to(dtype)
    x[2] *= 1000.0
    x[3] += 20000.0
    x[4, 3] += 10.0
    check_half(x, mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_rows_are_independent_and_lie_anywhere(mapping, long_rows):
    x = scores(4, 33)
    x[2] = NAN
    whole = evaluate(x, "probabilities", mapping, MAPPINGS[mapping])
    assert whole[2].isnan().all()
    assert not whole[[0, 1, 3]].isnan().any()
    for i in (0, 3):
        alone = evaluate(x[i : i + 1], "probabilities", mapping, MAPPINGS[mapping])
        assert torch.equal(alone[0], whole[i])
    wide = truth.nan_like(x, 4, 50)
    wide[:, 5:38] = x
    out = truth.nan_like(x, 8, 40)
    evaluate(wide[:, 5:38], "probabilities", mapping, MAPPINGS[mapping], out=out[::2, 1:34])
    assert torch.equal(out[::2, 1:34].nan_to_num(9.0), whole.nan_to_num(9.0))
    assert out[1::2].isnan().all()
    assert out[:, 0].isnan().all()
    assert out[:, 34:].isnan().all()
    same = x.clone()
    evaluate(same, "probabilities", mapping, MAPPINGS[mapping], out=same)
    assert torch.equal(same.nan_to_num(9.0), whole.nan_to_num(9.0))


def test_no_rows_and_what_is_not_served():
    for name in QUANTITIES:
        got = evaluate(torch.zeros(0, 5, device=DEVICE), name, "softmax")
        assert tuple(got.shape) == ((0,) if name == "log_partition" else (0, 5))
    assert serves("entmax", 1.5, "loss", torch.bfloat16)
    assert not serves("entmax", 1.3, "loss", torch.float32)
    assert not serves("ratio", None, "probabilities", torch.float32)
    assert not serves("softmax", None, "probabilities", torch.float64)
    with pytest.raises(TypeError, match="float64"):
        evaluate(torch.zeros(2, 2, device=DEVICE).double(), "probabilities", "softmax")
    with pytest.raises(ValueError, match="contiguous"):
        evaluate(torch.zeros(3, 2, device=DEVICE).T, "probabilities", "softmax")
    with pytest.raises(ValueError, match="no classes"):
        evaluate(torch.zeros(3, 0, device=DEVICE), "probabilities", "softmax")


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("name", QUANTITIES)
def test_the_comparison_rejects_planted_errors(mapping, name):
    """A constant, two classes swapped, an error of 1e-6, NaN swallowed, log p finite off the support: each is over the bound by far."""
    x = scores(3, 40)
    exact = truth.quantity(x, name, mapping)
    right = torch.from_numpy(exact).float()
    assert error_of(right, exact, x, name, mapping) <= 2.0
    wrongs = [right * (1.0 + 2e-6), torch.full_like(right, float(exact.mean())), right.flip(-1), right + 1e-5]
    if name == "log_probabilities" and mapping != "softmax":
        wrongs += [torch.where(right == -INF, 0.0, right), torch.where(right == -INF, -10.0, right)]
    for wrong in wrongs:
        assert error_of(wrong, exact, x, name, mapping) > BOUND
    assert truth.error(right.nan_to_num(0.0), np.full_like(exact, NAN)) == INF

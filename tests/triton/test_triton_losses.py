"""Losses and gradients of rows against float64: the last digits, edges, and where they are written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from row_checks import problem
from truth import DEVICE, MAPPINGS

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.kernels.triton import loss
from lastlayer.losses import LossOptions

INF, NAN = float("inf"), float("nan")
#: Three classes of forty-one, in three slices.
PLACES = [1, 20, 40]
#: Losses of labels and their gradients under softmax, in ULP.
BOUND = 4.0


@pytest.mark.parametrize("classes", [2, 31, 32, 1000, 5000])
def test_cross_entropy_of_labels_to_the_last_digits(classes):
    x, labels = problem(3, classes)
    exact, exact_slopes = truth.loss(x, labels, "softmax")
    values, slopes = loss(x, labels, mapping="softmax", with_gradient=True, out=truth.nan_like(x))
    assert truth.error(values, exact) <= BOUND
    assert truth.error(slopes, exact_slopes) <= BOUND


def test_rows_of_many_blocks():
    x, labels = problem(2, 70_000)
    exact, exact_slopes = truth.loss(x, labels, "softmax", label_smoothing=0.1)
    values, slopes = loss(x, labels, mapping="softmax", label_smoothing=0.1, with_gradient=True, out=truth.nan_like(x))
    assert truth.error(values, exact) <= BOUND
    assert truth.error(slopes, exact_slopes, scale=np.maximum(np.abs(exact_slopes), 1e-3)) <= BOUND


def test_arbitrary_precision(long_rows):
    """Confident, wide and subnormal rows against mpmath: loss and every entry of the gradient."""
    record = ll.MAPPINGS["softmax"]
    rows = np.array(
        [
            [0, -17, -20],
            [100, -100, 3],
            [-60, 0, -1],
            [1e4, -1e4, 9990],
            [1e-40, 0, -1e-41],
            [0, -90, -95],
            [-101, 0, -95],
            [-177.25, -190, -178],
            [-540, -533, -532.25],
        ],
        np.float32,
    )
    for shift in range(3):
        labels = (np.arange(len(rows)) + shift) % 3
        # Far apart, so that no two scores are in one slice.
        wide = np.full((len(rows), 41), -INF, np.float32)
        wide[:, PLACES] = rows
        at = torch.from_numpy(np.array(PLACES)[labels]).to(DEVICE)
        values, spread = loss(torch.from_numpy(wide).to(DEVICE), at, mapping="softmax", with_gradient=True)
        slopes = spread[:, PLACES]
        p = [oracles.probabilities(record, row) for row in rows]
        exact = [float(oracles.loss(record, row, int(k), LossOptions())) for row, k in zip(rows, labels, strict=True)]
        exact_slopes = [[float(q - (j == k)) for j, q in enumerate(row)] for row, k in zip(p, labels, strict=True)]
        assert truth.error(values, exact) <= BOUND, (values, exact)
        assert truth.error(slopes, exact_slopes) <= BOUND, (slopes, exact_slopes)


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_once(mapping, dtype, long_rows):
    x, labels = problem(3, 40)
    x = x.to(dtype)
    exact, exact_slopes = truth.loss(x, labels, mapping)
    values, slopes = loss(
        x, labels, mapping=mapping, parameter=MAPPINGS[mapping], with_gradient=True, out=truth.nan_like(x)
    )
    assert values.dtype == torch.float32
    assert slopes.dtype == dtype
    assert truth.error(values, exact) <= 2 * BOUND
    slack = 2.0**-21 * np.abs(exact_slopes).max(1, keepdims=True)
    if mapping == "softmax":
        slack = slack + 2.0**-16 * np.abs(exact_slopes)
    assert (np.abs(truth.numbers(slopes) - exact_slopes) - slack <= 0.5 * truth.ulp(exact_slopes, dtype)).all()


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_bad_and_ignored_rows(mapping, long_rows):
    """A bad label makes its row NaN; ignored rows and rows of no weight are zero, whatever their scores."""
    x, _ = problem(8, 40)
    x[[2, 3]] = NAN
    labels = torch.tensor([0, 39, -7, 5, 40, -1, 2**40, 3], device=DEVICE)
    sample_weight = torch.ones(8, device=DEVICE)
    sample_weight[3] = 0.0
    values, slopes = loss(
        x, labels, mapping=mapping, parameter=MAPPINGS[mapping], ignore_index=-7, sample_weight=sample_weight,
        weight=torch.ones(40, device=DEVICE), with_gradient=True, out=truth.nan_like(x),
    )  # fmt: skip
    assert values.isnan().tolist() == [False, False, False, False, True, True, True, False]
    assert (slopes.isnan().all(1) == values.isnan()).all()
    assert (slopes.isnan().any(1) == values.isnan()).all()
    assert (values[[2, 3]] == 0).all()
    assert (slopes[[2, 3]] == 0).all()
    assert (values[[0, 1, 7]] > 0).all()


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_infinite_scores(mapping, long_rows):
    x = torch.zeros(6, 20, device=DEVICE)
    x[0, 3] = x[1, 3] = x[2, 3] = x[2, 4] = INF
    x[3, 3] = -INF
    x[4] = -INF
    x[5, 7] = NAN
    labels = torch.tensor([3, 5, 3, 3, 3, 3], device=DEVICE)
    exact, exact_slopes = truth.loss(x, labels, mapping)
    values, slopes = loss(
        x, labels, mapping=mapping, parameter=MAPPINGS[mapping], with_gradient=True, out=truth.nan_like(x)
    )
    assert truth.error(values, exact) <= BOUND, (values, exact)
    assert truth.error(slopes, exact_slopes, scale=np.nan_to_num(np.abs(exact_slopes).max(1, keepdims=True))) <= BOUND


def test_strides_and_no_rows(long_rows):
    # Rows of labels alone are split.
    is_soft = not long_rows.startswith("split")
    x, targets = problem(3, 33, is_soft)
    values, slopes = loss(x, targets, mapping="softmax", with_gradient=True)
    wide, goals, out = truth.nan_like(x, 3, 50), truth.nan_like(x, 6, 40), truth.nan_like(x, 6, 40)
    wide[:, 5:38] = x
    if is_soft:
        goals[::2, 2:35] = targets
        targets = goals[::2, 2:35]
    again, place = loss(wide[:, 5:38], targets, mapping="softmax", with_gradient=True, out=out[::2, 1:34])
    assert torch.equal(values, again)
    assert torch.equal(place, slopes)
    assert out[1::2].isnan().all()
    assert out[:, 0].isnan().all()
    assert out[:, 34:].isnan().all()
    if not is_soft:
        # The rest needs no gradient, and splits no row.
        return
    labels = torch.arange(3, device=DEVICE)
    doubled = torch.stack([labels, labels - 100], dim=1)[:, 0]
    assert torch.equal(loss(x, doubled, mapping="softmax")[0], loss(x, labels, mapping="softmax")[0])
    nothing, empty = loss(x[:0], labels[:0], mapping="softmax", with_gradient=True)
    assert tuple(nothing.shape) == (0,)
    assert tuple(empty.shape) == (0, 33)
    with pytest.raises(ValueError, match="labels"):
        loss(x, labels[:2], mapping="softmax")
    with pytest.raises(ValueError, match="weight"):
        loss(x, labels, mapping="softmax", weight=torch.ones(4, device=DEVICE))

"""Losses and gradients of rows with every option, against float64: values, edges, and where they are written."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from truth import DEVICE, MAPPINGS

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.kernels.triton import loss
from lastlayer.losses import LossOptions

INF, NAN = float("inf"), float("nan")
#: Three classes of seventy, in three slices.
PLACES = [1, 20, 60]
#: Losses of labels and their gradients under softmax, in ULP; and what others may be off by, in eps of the row's scale.
BOUND, SLACK = 4.0, 8.0


def problem(rows: int, classes: int, is_soft: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng([rows, classes])
    x = 3.0 * rng.normal(size=(rows, classes))
    labels = rng.integers(0, classes, size=rows)
    if rows > 1:
        # A confident row, of which the label's gradient is made of the others alone.
        x[1, labels[1]] += 30.0
    soft = rng.dirichlet(np.ones(classes), size=rows).astype(np.float32)
    soft[:, 0] = 0.0 if classes > 1 else 1.0
    targets = torch.from_numpy(soft / soft.sum(1, keepdims=True)) if is_soft else torch.from_numpy(labels)
    return torch.from_numpy(x).float().to(DEVICE), targets.to(DEVICE)


def options_of(rows: int, classes: int) -> dict[str, dict]:
    rng = np.random.default_rng(3)
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, classes)).float().to(DEVICE)
    sample_weight = torch.from_numpy(rng.uniform(0.5, 2.0, rows)).float().to(DEVICE)
    sample_weight[-1] = 0.0
    single = {
        "weight": weight,
        "sample_weight": sample_weight,
        "label_smoothing": 0.1,
        "z_loss": 0.05,
        "temperature": 1.7,
        "softcap": 5.0,
    }
    return {"none": {}} | {name: {name: value} for name, value in single.items()} | {"all": single}


def errors_of(got, slopes, exact, exact_slopes, x, option) -> tuple[float, float]:
    """In units of eps of what rounding the activation once may change; without one, of the loss and of max(p, y)."""
    cap = option.get("softcap", 0.0)
    size = np.abs(truth.numbers(x)).max(1) if not cap else np.full(len(x), cap)
    moved = 4.0 * size / option.get("temperature", 1.0) if cap or "temperature" in option else 0.0 * size
    # Weights and Z² stand in the scale of the loss and of the gradient alike.
    largest = np.maximum(np.abs(exact_slopes).max(1), 1e-30)
    loss_error = np.abs(truth.numbers(got) - exact) / (2.0**-23 * (np.abs(exact) + largest * moved + 1e-37))
    scale = largest[:, None] * (1.0 + moved[:, None])
    if "z_loss" in option or "label_smoothing" in option:
        scale = scale + 1.0 * (np.abs(exact) > 0)[:, None]
    return float(loss_error.max()), float((np.abs(truth.numbers(slopes) - exact_slopes) / (2.0**-23 * scale)).max())


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("is_soft", [False, True], ids=["labels", "soft"])
@pytest.mark.parametrize("classes", [1, 33])
def test_every_option(mapping, is_soft, classes, long_rows):
    x, targets = problem(3, classes, is_soft)
    for name, option in options_of(3, classes).items():
        exact, exact_slopes = truth.loss(x, targets, mapping, **option)
        values, slopes = loss(
            x,
            targets,
            mapping=mapping,
            parameter=MAPPINGS[mapping],
            with_gradient=True,
            out=truth.nan_like(x),
            **option,
        )
        loss_error, slope_error = errors_of(values, slopes, exact, exact_slopes, x, option)
        assert loss_error <= SLACK, (name, loss_error, values, exact)
        assert slope_error <= SLACK, (name, slope_error, slopes, exact_slopes)
        if name not in ("none", "all"):
            continue
        alone, nothing = loss(x, targets, mapping=mapping, parameter=MAPPINGS[mapping], **option)
        assert nothing is None
        if long_rows.startswith("shared"):
            # Alone, a loss is of one program: its sum is another.
            assert errors_of(alone, slopes, exact, exact_slopes, x, option)[0] <= SLACK
        else:
            assert torch.equal(alone, values)
        same = x.clone()
        again, place = loss(
            same, targets, mapping=mapping, parameter=MAPPINGS[mapping], with_gradient=True, out=same, **option
        )
        assert place is same
        assert torch.equal(same, slopes)
        assert torch.equal(again, values)


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
        wide = np.full((len(rows), 70), -INF, np.float32)
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
    x, labels = problem(3, 70)
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
    x, targets = problem(5, 33, is_soft=True)
    values, slopes = loss(x, targets, mapping="softmax", with_gradient=True)
    wide, goals, out = truth.nan_like(x, 5, 50), truth.nan_like(x, 10, 40), truth.nan_like(x, 10, 40)
    wide[:, 5:38], goals[::2, 2:35] = x, targets
    again, place = loss(wide[:, 5:38], goals[::2, 2:35], mapping="softmax", with_gradient=True, out=out[::2, 1:34])
    assert torch.equal(values, again)
    assert torch.equal(place, slopes)
    assert out[1::2].isnan().all()
    assert out[:, 0].isnan().all()
    assert out[:, 34:].isnan().all()
    labels = torch.arange(5, device=DEVICE)
    doubled = torch.stack([labels, labels - 100], dim=1)[:, 0]
    assert torch.equal(loss(x, doubled, mapping="softmax")[0], loss(x, labels, mapping="softmax")[0])
    nothing, empty = loss(x[:0], labels[:0], mapping="softmax", with_gradient=True)
    assert tuple(nothing.shape) == (0,)
    assert tuple(empty.shape) == (0, 33)
    with pytest.raises(ValueError, match="labels"):
        loss(x, labels[:3], mapping="softmax")
    with pytest.raises(ValueError, match="weight"):
        loss(x, labels, mapping="softmax", weight=torch.ones(4, device=DEVICE))


def test_the_comparison_rejects_planted_errors():
    """p − 1 for the target's entry, two classes swapped, an option left out, a factor off by 1e-5: each is over the bound."""
    x, labels = problem(4, 33)
    exact, exact_slopes = truth.loss(x, labels, "softmax")
    values, slopes = torch.from_numpy(exact).float(), torch.from_numpy(exact_slopes).float()
    assert truth.error(values, exact) <= 0.5
    assert truth.error(slopes, exact_slopes) <= 0.5
    rounded = slopes.clone()
    rounded[1, labels[1]] = (1.0 + rounded[1, labels[1]]) - 1.0
    for wrong in (rounded, slopes.flip(1), slopes * (1.0 + 1e-6), torch.zeros_like(slopes)):
        assert truth.error(wrong, exact_slopes) > BOUND
    for wrong in (values * (1.0 + 1e-6), values.flip(0), torch.zeros_like(values)):
        assert truth.error(wrong, exact) > BOUND
    for name, option in options_of(4, 33).items():
        if name == "none":
            continue
        right = truth.loss(x, labels, "softmax", **option)
        for left_out in option:
            others = {key: value for key, value in option.items() if key != left_out}
            without = map(torch.from_numpy, truth.loss(x, labels, "softmax", **others))
            loss_error, slope_error = errors_of(*without, *right, x, option)
            assert max(loss_error, slope_error) > 100 * SLACK, (name, left_out)

"""Losses and gradients of rows with every option, against float64; and that the comparison finds errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from row_checks import problem
from truth import DEVICE, MAPPINGS

from lastlayer.kernels.triton import loss

#: Losses of labels and their gradients under softmax, in ULP; and what others may be off by, in eps of the row's scale.
BOUND, SLACK = 4.0, 8.0


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
        if long_rows.startswith("split") and {"label_smoothing", "softcap"} & set(option):
            # Rows of these losses are not split.
            continue
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
        if not long_rows.startswith("split"):
            # Without a gradient no row is split.
            alone, nothing = loss(x, targets, mapping=mapping, parameter=MAPPINGS[mapping], **option)
            assert nothing is None
            assert torch.equal(alone, values)
        same = x.clone()
        again, place = loss(
            same, targets, mapping=mapping, parameter=MAPPINGS[mapping], with_gradient=True, out=same, **option
        )
        assert place is same
        assert torch.equal(same, slopes)
        assert torch.equal(again, values)


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

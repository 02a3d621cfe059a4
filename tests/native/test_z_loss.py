"""The z-loss with class weights, and rows without any weight: kernels, formulas and torch agree."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from domains import takes_both_signs
from served import has_kernel

import lastlayer as ll
from lastlayer.backends import NUMPY, PORTABLE
from lastlayer.losses import LossOptions

MAPPINGS = (*ll.MAPPINGS, "entmax:alpha=1", "entmax:alpha=1.3")
#: A number of classes for each loop of the kernels.
WIDTHS = (1, 5, 60, 600)
SERVED = {"kernels": NUMPY, "formulas": PORTABLE}
#: Each mapping as everything serves it; a new mapping need not have a kernel.
CASES = [(label, who) for label in MAPPINGS for who in SERVED if who != "kernels" or has_kernel(label)]
DTYPES = (np.float16, np.float32, np.float64)


def scores_of(classes: int, dtype: Any) -> np.ndarray:
    return (np.abs(np.random.default_rng(classes).normal(size=(9, classes))) + 0.2).astype(dtype)


@pytest.mark.parametrize(("label", "who"), CASES)
def test_the_mean_of_z_does_not_see_the_scale_of_class_weights(label, who):
    """It is the mean of λ·Z² over rows weighed by sample weight and label's class weight, whatever their scale."""
    record, served = ll.resolve_mapping(label), SERVED[who]
    for classes, dtype, scale, smoothing in itertools.product(WIDTHS, DTYPES, (1.0, 64.0), (0.0, 0.25)):
        x = scores_of(classes, dtype)
        labels = np.arange(len(x)) % classes
        rng = np.random.default_rng(3)
        # Powers of two, so that their scale changes no bit.
        weight, sample_weight = 2.0 ** rng.integers(-2, 3, classes), 2.0 ** rng.integers(-2, 3, len(x))
        z = PORTABLE.evaluate(record, x.astype(np.float64), "log_partition")
        of_rows = sample_weight * weight[labels]
        options = {"sample_weight": sample_weight, "label_smoothing": smoothing}
        losses = [
            served.loss(record, x, labels, False, LossOptions(weight=weight * scale, z_loss=z_loss, **options), True)
            for z_loss in (0.0, 0.5)
        ]
        expected = 0.5 * np.sum(of_rows * z * z) / np.sum(of_rows)
        eps = 1e-12 if dtype == np.float64 else 3e-6
        found = float(losses[1][0]) - float(losses[0][0])
        assert abs(found - expected) <= eps * (1 + abs(float(losses[1][0]))), (label, classes, dtype, found, expected)
        # The z-loss's part of the gradient equals the gradient of a z-loss alone.
        slopes = losses[1][1].astype(np.float64) - losses[0][1].astype(np.float64)
        without = served.loss(
            record, x, labels, False,
            LossOptions(z_loss=0.5, sample_weight=of_rows, label_smoothing=smoothing), True,
        )[1].astype(np.float64) - served.loss(
            record, x, labels, False, LossOptions(sample_weight=of_rows, label_smoothing=smoothing), True
        )[1].astype(np.float64)  # fmt: skip
        slack = {np.float64: 1e-13, np.float32: 1e-6, np.float16: 4e-3}[dtype]
        np.testing.assert_allclose(slopes, without, rtol=slack, atol=slack * max(1.0, np.abs(without).max()))


@pytest.mark.parametrize(("label", "who"), [*CASES, *((label, "torch") for label in MAPPINGS)])
def test_a_row_of_weight_zero_does_not_count(label, who):
    """Its loss is 0 and its gradient exactly 0, whatever its scores are; the other rows are what they are without it."""
    record = ll.resolve_mapping(label)
    for classes, dtype, z_loss, kind in itertools.product(WIDTHS, DTYPES, (0.0, 0.5), ("class", "row", "soft")):
        if kind == "soft" and z_loss:
            continue  # its Z² counts: the mean over soft targets divides by the rows
        x = scores_of(classes, dtype)
        x[2], x[4], x[6] = np.nan, np.inf, -np.inf
        x[8, 0] = -np.inf
        dead = np.array([2, 4, 6, 8])
        labels = np.arange(len(x)) % classes
        weight, sample_weight = None, None
        if kind == "row":
            sample_weight = np.ones(len(x))
            sample_weight[dead] = 0.0
        elif classes == 1:
            continue
        else:
            labels = np.where(np.isin(np.arange(len(x)), dead), 0, 1 + labels % (classes - 1))
            weight = np.ones(classes)
            weight[0] = 0.0
        targets: Any = np.eye(classes)[labels] if kind == "soft" else labels
        options = LossOptions(weight=weight, sample_weight=sample_weight, z_loss=z_loss, reduction="none")
        if who == "torch":
            given = LossOptions(
                weight=None if weight is None else torch.from_numpy(weight),
                sample_weight=None if sample_weight is None else torch.from_numpy(sample_weight),
                z_loss=z_loss, reduction="none",
            )  # fmt: skip
            from lastlayer.backends.torch.rows import loss_rows

            found = loss_rows(record, torch.from_numpy(x), torch.from_numpy(targets), kind == "soft", given, True)
            losses, gradient = (part.numpy() for part in found)
        else:
            losses, gradient = SERVED[who].loss(record, x, targets, kind == "soft", options, True)
        where = f"{label}, {classes} classes, {np.dtype(dtype)}, {z_loss=}, {kind}"
        np.testing.assert_array_equal(losses[dead], 0.0, err_msg=where)
        np.testing.assert_array_equal(gradient[dead], 0.0, err_msg=where)
        alive = np.delete(np.arange(len(x)), dead)
        assert np.isfinite(losses[alive]).all(), where
        mean = PORTABLE.loss(
            record,
            x.astype(np.float64),
            targets,
            kind == "soft",
            LossOptions(weight, sample_weight, z_loss=z_loss),
            False,
        )[0]
        assert np.isfinite(mean), where


@pytest.mark.parametrize(("label", "who"), CASES)
def test_one_class_has_all(label, who):
    """Probability exactly 1 where rows sum to one; log p, loss and gradient exactly 0; of every size a score can have."""
    record, served = ll.resolve_mapping(label), SERVED[who]
    if "sums_to_one" not in record.laws:
        pytest.skip("no claim: its rows do not sum to one")
    for dtype, is_by_columns in itertools.product(DTYPES, (False, True)):
        info = np.finfo(dtype)
        rng = np.random.default_rng(1)
        x = np.exp(rng.uniform(np.log(float(info.smallest_subnormal)), np.log(float(info.max)), 999))
        x = np.concatenate([x, [float(info.max), float(info.tiny), float(info.smallest_subnormal)]])
        x = np.concatenate([x, -x]) if takes_both_signs(record) else x
        x = np.asarray(x.astype(dtype)[:, None], order="F" if is_by_columns else "C")
        x = x[(x != 0).all(axis=1)]
        assert (served.evaluate(record, x, "probabilities") == 1.0).all()
        assert (served.evaluate(record, x, "log_probabilities") == 0.0).all()
        for targets, smoothing, weight in itertools.product((0, 1.0), (0.0, 0.1), (None, 0.3)):
            is_soft = isinstance(targets, float)
            given = np.full((len(x), 1) if is_soft else len(x), targets)
            asked = LossOptions(
                weight=None if weight is None else np.array([weight]), label_smoothing=smoothing, reduction="none"
            )
            losses, gradient = served.loss(record, x, given, is_soft, asked, True)
            assert (losses == 0.0).all(), (dtype, is_soft, smoothing, weight, x[losses != 0][:3])
            assert (gradient == 0.0).all(), (dtype, is_soft, smoothing, weight, x[(gradient != 0)[:, 0]][:3])

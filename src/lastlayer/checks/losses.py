"""Checks that losses and their gradients are within the budget, with every option."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.checks import oracles
from lastlayer.checks.accuracy import DTYPES, bound
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import absolute_error, ulp_error
from lastlayer.checks.rows import into_domain, random_rows, score_rows
from lastlayer.functions import loss, loss_and_grad
from lastlayer.losses import LossOptions
from lastlayer.losses.options import TRIALS
from lastlayer.mappings import ProbabilityMapping

#: The kinds of rows used for gradients. Rows at the ends of the number range are left out: difference steps underflow there.
SMOOTH_KINDS = ("random", "two classes", "around minus one", "peaked")


def check_label_losses(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """The loss of every label: within the budget in ULP for log loss; exact for slightly moved scores for Fenchel–Young."""
    for dtype in DTYPES:
        for kind, rows in score_rows(mapping, dtype).items():
            if rows.shape[1] > 10:
                continue
            labels = np.arange(len(rows)) % rows.shape[1]
            got = backend.to_numpy(
                loss(backend.to_array(rows), backend.to_array(labels), mapping=mapping, reduction="none")
            )
            for row, label, value in zip(rows, labels, got, strict=True):
                truth = oracles.loss(mapping, row, int(label), LossOptions())
                place = f"{mapping.label} [{kind}, {backend.name}]: loss of class {label} of {row!r}"
                _compare_loss(mapping, row, label, value, truth, dtype, place)


def _compare_loss(
    mapping: ProbabilityMapping, row: np.ndarray, label: int, value: Any, truth: Any, dtype: np.dtype, place: str
) -> None:
    text = f"{place} got {value!r}, the truth is {float(truth)!r}"
    if mapping.family == "normalized":
        assert ulp_error(value, truth, dtype) <= bound(mapping, dtype), text
        return
    # ΔL ≤ Σ |p − y| |Δx|: how much scores moved by 4 eps·max(1, |x − max|) change the loss, plus one rounding.
    p = oracles.probabilities(mapping, row)
    largest, eps = float(max(row)), float(np.finfo(dtype).eps)
    moved = sum(
        abs(float(q) - (k == label)) * max(1.0, largest - float(x)) for k, (q, x) in enumerate(zip(p, row, strict=True))
    )
    error = absolute_error(value, truth)
    assert error <= 4 * eps * moved or ulp_error(value, truth, dtype) <= 1, text


def check_label_gradients(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Every entry of the gradient, including the target's, against central differences of the oracle."""
    for dtype in DTYPES:
        for kind in SMOOTH_KINDS:
            rows = score_rows(mapping, dtype)[kind][:4]
            labels = (np.arange(len(rows)) + 1) % rows.shape[1]
            if kind == "peaked":
                # A confident row: the target's gradient is the sum of the others and must not round to zero.
                labels = np.argmax(rows, axis=1)
            _, got = loss_and_grad(backend.to_array(rows), backend.to_array(labels), mapping=mapping, reduction="none")
            for row, label, gradient in zip(rows, labels, backend.to_numpy(got), strict=True):
                exact = oracles.loss_gradient(mapping, row, int(label), LossOptions())
                largest = max(oracles.probabilities(mapping, row))
                for k, (value, truth) in enumerate(zip(gradient, exact, strict=True)):
                    text = (
                        f"{mapping.label} [{kind}, {backend.name}]: ∂loss/∂x{k} at {row!r}, label {label}, "
                        f"got {value!r}, the truth is {float(truth)!r}"
                    )
                    if mapping.budget.kind == "ulp":
                        assert ulp_error(value, truth, dtype) <= bound(mapping, dtype), text
                    else:
                        allowed = bound(mapping, dtype) * float(np.finfo(dtype).eps) * float(largest)
                        if mapping.budget.kind == "backward":
                            allowed *= 8.0
                        assert absolute_error(value, truth) <= allowed or ulp_error(value, truth, dtype) <= 1, text


def check_soft_targets(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Soft targets: the loss and its gradient."""
    dtype = np.dtype(np.float64)
    rows = score_rows(mapping, dtype)["random"][:4]
    soft = np.random.default_rng(7).dirichlet(np.ones(rows.shape[1]), size=len(rows))
    # Include targets of 0 and 1, on the support and off it.
    soft[1, ::2] = 0.0
    soft[2] = np.eye(rows.shape[1])[np.argmin(rows[2])]
    soft[3, np.argmax(rows[3])] = 0.0
    soft /= soft.sum(axis=1, keepdims=True)
    value, gradient = loss_and_grad(backend.to_array(rows), backend.to_array(soft), mapping=mapping, reduction="none")
    for row, y, got, slopes in zip(rows, soft, backend.to_numpy(value), backend.to_numpy(gradient), strict=True):
        truth = oracles.loss(mapping, row, y, LossOptions())
        text = f"{mapping.label} [{backend.name}]: soft targets {y!r} at {row!r}"
        # The targets sum to one only up to rounding. The definition contains that error, the divergence does not.
        assert absolute_error(got, truth) <= 8e-16 * max(1.0, float(np.abs(row).max())), (
            f"{text}: loss {got!r} for {float(truth)!r}"
        )
        exact = oracles.loss_gradient(mapping, row, y, LossOptions())
        for a, b in zip(slopes, exact, strict=True):
            assert absolute_error(a, b) <= 8e-16 * max(1.0, abs(float(b))), f"{text}: gradient {a!r} for {float(b)!r}"


def option_cases(classes: int) -> dict[str, dict[str, Any]]:
    """Each option alone, and all options together, as keyword arguments of `loss`."""
    together = {"weight": np.linspace(0.5, 2.0, classes), **TRIALS}
    return {name: {name: value} for name, value in together.items()} | {"together": together}


def check_options(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Class weights and every option that is a number, alone and together: loss and gradient."""
    rows = into_domain(mapping, random_rows(11, 3, 4, 2.0))
    labels = np.array([0, 3, 1])
    for name, arguments in option_cases(rows.shape[1]).items():
        given = {key: backend.to_array(v) if isinstance(v, np.ndarray) else v for key, v in arguments.items()}
        values, gradients = loss_and_grad(
            backend.to_array(rows), backend.to_array(labels), mapping=mapping, reduction="none", **given
        )
        options = LossOptions(**arguments)
        for row, label, value, gradient in zip(
            rows, labels, backend.to_numpy(values), backend.to_numpy(gradients), strict=True
        ):
            truth = oracles.loss(mapping, row, int(label), options)
            exact = oracles.loss_gradient(mapping, row, int(label), options)
            text = f"{mapping.label} [{name}, {backend.name}] at {row!r}, label {label}"
            assert absolute_error(value, truth) <= 1e-14 * max(1.0, abs(float(truth))), (
                f"{text}: loss {value!r} for {float(truth)!r}"
            )
            for k, (a, b) in enumerate(zip(gradient, exact, strict=True)):
                assert absolute_error(a, b) <= 2e-14 * max(1.0, abs(float(b))), (
                    f"{text}: ∂/∂x{k} {a!r} for {float(b)!r}"
                )

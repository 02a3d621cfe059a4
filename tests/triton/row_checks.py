"""Scores and targets, and the comparison of quantities of rows with the library's in float64."""

from __future__ import annotations

import numpy as np
import torch
import truth
from truth import DEVICE, MAPPINGS

from lastlayer.checks.accuracy import compare_with_logarithms
from lastlayer.checks.edges import INF
from lastlayer.kernels.triton import evaluate

QUANTITIES = ("probabilities", "log_probabilities", "log_partition")
#: The goal for softmax, in ULP; the sparse mappings have the absolute bound of their record.
BOUND = 4.0


def scores(rows: int, classes: int, scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    x = scale * np.random.default_rng([seed, classes]).normal(size=(rows, classes))
    if rows > 1:
        x[1, classes // 2] += 25.0
    return torch.from_numpy(x).float().to(DEVICE)


def check(x: torch.Tensor, mapping: str, names: tuple[str, ...] = QUANTITIES) -> None:
    results = {}
    for name in names:
        shape = (len(x),) if name == "log_partition" else tuple(x.shape)
        got = evaluate(x, name, mapping, MAPPINGS[mapping], out=truth.nan_like(x, *shape))
        exact = truth.quantity(x, name, mapping)
        assert error_of(got, exact, x, name, mapping) <= BOUND, (mapping, name, x.shape)
        results[name] = got.cpu().numpy()
    if "log_probabilities" in names:
        p, logs = results["probabilities"], results["log_probabilities"]
        compare_with_logarithms(p, logs, BOUND, f"{mapping}, {tuple(x.shape)}")


def check_half(x: torch.Tensor, mapping: str) -> None:
    for name in ("probabilities", "log_probabilities") if mapping == "softmax" else ("probabilities",):
        got = evaluate(x, name, mapping, MAPPINGS[mapping], out=truth.nan_like(x))
        assert got.dtype == x.dtype
        exact = truth.quantity(x, name, mapping)
        numbers, rounded = truth.numbers(got), truth.numbers(torch.from_numpy(exact).to(x.dtype))
        is_number = np.isfinite(rounded)
        assert (numbers == rounded)[~is_number].all()
        numbers, exact = numbers[is_number], exact[is_number]
        slack = 2.0**-16 * np.abs(exact) if mapping == "softmax" else 2.0**-22 * exact.max()
        assert (np.abs(numbers - exact) - slack <= 0.5 * truth.ulp(exact, x.dtype)).all(), (mapping, name)


def error_of(got: torch.Tensor, exact: np.ndarray, x: torch.Tensor, name: str, mapping: str) -> float:
    if name == "log_partition":
        return truth.error(got, exact, scale=np.maximum(np.abs(truth.numbers(x).max(1)), np.abs(exact)))
    if mapping == "softmax":
        return truth.error(got, exact)
    p = truth.quantity(x, "probabilities", mapping)
    if name == "probabilities":
        # 2 eps of the largest probability, as the record says; doubled here, so that the bound is 4 for all.
        return 2.0 * float((np.abs(truth.numbers(got) - exact) / (2.0**-23 * p.max(1, keepdims=True))).max())
    # exp(log p) is as near to p as p itself, and one rounding of the logarithm; off the support it is 0.
    with np.errstate(all="ignore"):
        implied = np.exp(truth.numbers(got))
        rounding = np.where(implied > 0, implied * np.abs(truth.numbers(got)), 0.0)
        errors = np.abs(implied - p) / (2.0**-23 * (p.max(1, keepdims=True) + rounding))
    return 2.0 * float(np.where(np.isnan(errors), INF, errors).max())


def problem(rows: int, classes: int, is_soft: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng([rows, classes])
    x = 3.0 * rng.normal(size=(rows, classes))
    labels = rng.integers(0, classes, size=rows)
    if rows > 1:
        # A confident row: its label's gradient is the sum of the other entries alone.
        x[1, labels[1]] += 30.0
    soft = rng.dirichlet(np.ones(classes), size=rows).astype(np.float32)
    soft[:, 0] = 0.0 if classes > 1 else 1.0
    targets = torch.from_numpy(soft / soft.sum(1, keepdims=True)) if is_soft else torch.from_numpy(labels)
    return torch.from_numpy(x).float().to(DEVICE), targets.to(DEVICE)

"""Checks special values, one class, independence of rows, and the domain, from one table for every backend."""

from __future__ import annotations

import numpy as np

from lastlayer.checks import oracles
from lastlayer.checks.accuracy import bound, compare_with_logarithms
from lastlayer.checks.backend import NUMPY, Backend
from lastlayer.checks.measure import ulp_error
from lastlayer.checks.rows import into_domain, random_rows
from lastlayer.functions import DomainError, log_probabilities, loss, loss_and_grad, probabilities
from lastlayer.mappings import ProbabilityMapping

INF, NAN = float("inf"), float("nan")
#: Every mapping is checked on these rows, on every backend.
SPECIAL_ROWS: tuple[tuple[float, ...], ...] = (
    (0.0, 0.0, 0.0),
    (-0.0, 0.0, 1.0),
    (1.0, 1.0, 1.0),
    (2.0, 2.0, 1.0),
    (INF, 0.0, 1.0),
    (INF, INF, 1.0),
    (INF, INF, INF),
    (INF, -INF, 1.0),
    (-INF, 0.0, 1.0),
    (-INF, -INF, 1.0),
    (-INF, -INF, -INF),
    (NAN, 0.0, 1.0),
    (NAN, INF, 1.0),
    (NAN, NAN, NAN),
    (1e38, -1e38, 0.0),
    (1e38, 1e38, 1e38),
    (-1e38, -1e38, -1e38),
    (1e-45, 0.0, 1e-45),
    (-1e-45, 1e-45, 1.0),
    (88.0, -88.0, 0.0),
    (745.0, -745.0, 0.0),
)


def expected(mapping: ProbabilityMapping, row: tuple[float, ...]) -> list[float] | None:
    """The expected probabilities of a row: the oracle's limit as infinite scores grow. None if the row must be NaN."""
    scores = np.array(row)
    if np.isnan(scores).any() or (mapping.domain.is_valid is not None and not mapping.domain.is_valid(scores, np)):
        return None
    mp = oracles.context(mapping)
    if (scores == -INF).all() and mapping.row_of_minus_inf == "nan":
        return None
    far = mp.mpf(10) ** 60
    limit = mapping.oracle(
        [mp.mpf(x) if np.isfinite(x) else (far if x > 0 else -far) for x in row], mp, **mapping.values
    )
    # A probability that is tiny at 10^60 is zero in the limit.
    return [float(p) if p > mp.mpf(10) ** -50 or np.isfinite(scores).all() else 0.0 for p in limit]


def check_special_values(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """±inf, NaN, ±0, subnormals, 1e38 and ties give the documented limits; log p and a label's loss follow."""
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        for row in SPECIAL_ROWS:
            with np.errstate(under="ignore"):
                scores = backend.to_array(np.array([row], dtype=dtype))
            got = backend.to_numpy(probabilities(scores, mapping=mapping, on_domain="nan"))[0]
            with np.errstate(under="ignore"):
                truth = expected(mapping, tuple(float(x) for x in np.array(row, dtype=dtype)))
            text = f"{mapping.label} [{backend.name}, {dtype}]: probabilities of {row} are {got!r}, expected {truth}"
            limit = max(2.0, bound(mapping, dtype))
            logs = backend.to_numpy(log_probabilities(scores, mapping=mapping, on_domain="nan"))[0]
            compare_with_logarithms(got, logs, limit, f"{mapping.label} [{backend.name}, {dtype}] at {row}")
            if truth is None:
                assert np.isnan(got).all(), text
                continue
            for value, exact in zip(got, truth, strict=True):
                if mapping.budget.kind == "ulp":
                    assert ulp_error(value, exact, dtype) <= limit, text
                else:
                    assert abs(float(value) - exact) <= limit * float(np.finfo(dtype).eps), text
            losses = [
                float(backend.to_numpy(loss(scores[0, ...], np.int64(k), mapping=mapping))) for k in range(len(row))
            ]
            for value, exact, score in zip(losses, truth, row, strict=True):
                # If p is 0 because of an infinite score, the loss is infinite. For finite scores it is finite: p has
                # underflowed, or the class is off the support of a regularized mapping.
                infinite = INF in row or (-INF in row and mapping.family == "normalized") or score == -INF
                impossible = exact == 0.0 and infinite
                assert not np.isnan(value), f"{text}; its losses are {losses}"
                assert (value == INF) >= impossible, (
                    f"{text}; a class of probability 0 must have an infinite loss: {losses}"
                )


def check_one_class(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """K = 1 gives probability 1 and loss 0, if rows sum to one. K = 0 is an error; an empty batch is not."""
    one = backend.to_array(np.array([[0.7], [3.0]]))
    p = backend.to_numpy(probabilities(one, mapping=mapping))
    if "sums_to_one" in mapping.laws:
        assert (p == 1.0).all(), f"{mapping.label} [{backend.name}]: one class has probability {p!r}, not 1"
        labels = backend.to_array(np.array([0, 0]))
        value, gradient = loss_and_grad(one, labels, mapping=mapping)
        assert float(backend.to_numpy(value)) == 0.0, f"{mapping.label}: the loss of the only class is {value!r}, not 0"
        assert (backend.to_numpy(gradient) == 0.0).all(), f"{mapping.label}: its gradient is {gradient!r}, not 0"
    empty = backend.to_numpy(probabilities(backend.to_array(np.zeros((0, 3))), mapping=mapping))
    assert empty.shape == (0, 3), f"{mapping.label}: an empty batch became {empty.shape}"
    try:
        probabilities(backend.to_array(np.zeros((2, 0))), mapping=mapping)
    except ValueError:
        return
    raise AssertionError(f"{mapping.label} [{backend.name}]: no classes at all must raise ValueError")


def check_rows_are_independent(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """A row gives the same bits alone, in a batch, at another position and next to a NaN row; scores are never modified."""
    rows = into_domain(mapping, random_rows(12, 9, 5, 3.0))
    rows[4] = NAN
    before = rows.copy()
    batch = backend.to_numpy(probabilities(backend.to_array(rows), mapping=mapping))
    assert np.isnan(batch[4]).all(), f"{mapping.label} [{backend.name}]: a NaN row gave {batch[4]!r}"
    flipped = backend.to_numpy(probabilities(backend.to_array(np.ascontiguousarray(rows[::-1])), mapping=mapping))
    assert np.array_equal(batch, flipped[::-1], equal_nan=True), (
        f"{mapping.label} [{backend.name}]: a row depends on its position"
    )
    for i in (0, 3, 8):
        alone = backend.to_numpy(probabilities(backend.to_array(rows[i]), mapping=mapping))
        assert np.array_equal(alone, batch[i]), (
            f"{mapping.label} [{backend.name}]: row {i} alone is {alone!r}, in the batch {batch[i]!r}"
        )
    columns = backend.to_numpy(probabilities(backend.to_array(rows.T.copy()), mapping=mapping, axis=0))
    assert np.array_equal(columns.T, batch, equal_nan=True), (
        f"{mapping.label} [{backend.name}]: axis=0 differs from axis=-1"
    )
    logs = backend.to_numpy(log_probabilities(backend.to_array(rows), mapping=mapping))
    assert np.isnan(logs[4]).all() and not np.isnan(np.delete(logs, 4, axis=0)).any(), (
        f"{mapping.label}: NaN spread: {logs!r}"
    )
    assert np.array_equal(rows, before, equal_nan=True), f"{mapping.label} [{backend.name}]: the scores were written to"


def check_domain(mapping: ProbabilityMapping, backend: Backend = NUMPY) -> None:
    """Rows outside the domain raise DomainError by default. With on_domain="nan" they are NaN, and no other row changes."""
    rows = np.array([[1.0, 2.0, 0.5], [1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    valid = np.ones(3, dtype=bool) if mapping.domain.is_valid is None else np.asarray(mapping.domain.is_valid(rows, np))
    got = backend.to_numpy(probabilities(backend.to_array(rows), mapping=mapping, on_domain="nan"))
    assert (np.isnan(got).all(axis=1) == ~valid).all(), (
        f"{mapping.label} [{backend.name}]: valid rows {valid}, got {got!r}"
    )
    try:
        probabilities(backend.to_array(rows), mapping=mapping)
    except DomainError as error:
        assert not valid.all() and mapping.label in str(error), f"{mapping.label}: unexpected {error!r}"
    else:
        assert valid.all(), f"{mapping.label} [{backend.name}]: rows {rows[~valid]!r} must raise DomainError"

"""Scores or probabilities: what the numbers are, and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lastlayer.calibration.score_rows import Kind
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read.row_facts import Digits, RowFacts, digits_of, sum_tolerance
from lastlayer.findings import Finding

#: A row whose sum is this near to 1 was meant as a distribution.
_NEARLY = 0.05
#: Rows whose sums are equal up to this share were meant as shares of one number; fewer rows may be so by chance.
_SAME_SUM, _LEAST_ROWS = 5e-3, 5
#: Errors of sums that are mentioned, for numbers of half precision and for others. Sums of float32 are exact to 1e-5.
_MENTIONED_HALF, _MENTIONED = 1e-2, 5e-4


@dataclass(frozen=True)
class Decision:
    """What the numbers are taken for, and the findings about it."""

    kind: Kind
    findings: tuple[Finding, ...]


def decide_kind(
    array: np.ndarray, facts: RowFacts, rows: np.ndarray, kind: Kind | None, name: str, where: str
) -> Decision:
    """Whether the rows of an array are scores or probabilities.

    They are probabilities if every number is in [0, 1] and every row sums to one within its precision; one column in [0, 1] is
    the probability of the second class. Rows that rounding keeps from summing to one are mentioned.

    Args:
        array: (N, K) or (N,).
        facts: about the rows that count.
        rows: the indices of these rows in the array, which messages name.
        kind: what the user says.
        name: the user's word for it, for messages.
        where: what holds the numbers.

    Raises:
        EvaluationError: the numbers are called probabilities and are outside [0, 1]; or nobody says what they are, and they are in
            [0, 1] and their rows do not sum to one, or most rows are probabilities and some are not.
    """
    if kind == "scores":
        return Decision("scores", ())
    # What rounding adds to a probability of 1.
    slack = 1e-3 if array.dtype == np.float16 else 1e-5
    bad = (facts.low < -slack) | (facts.high > 1 + slack)
    is_one_column = array.ndim == 1 or array.shape[1] == 1
    tolerance = sum_tolerance(array)
    if bad.any():
        place = _place(array, int(rows[int(np.argmax(bad))]), slack)
        if kind == "probabilities":
            raise EvaluationError(
                f"{where} was called {name}, and {place}, which is no probability; give scores as scores (--as scores)."
            )
        # Scores sum to one by chance in hardly any row. If most rows do, the array holds probabilities and the others are damaged.
        n_fine = 0 if is_one_column else int(np.count_nonzero(~bad & (np.abs(facts.sums - 1) <= tolerance)))
        if 2 * n_fine > len(rows):
            raise EvaluationError(
                f"{where} has probabilities in {n_fine} of {len(rows)} rows, but {place}; mend the other rows, or say that all are "
                "scores (--as scores)."
            )
        if kind is None and not is_one_column:
            _check_constant_sums(facts, where)
        return Decision("scores", ())
    if (
        kind is None
        and np.array_equal(facts.low, facts.high)
        and not is_one_column
        and np.abs(facts.sums - 1).max() > _NEARLY
    ):
        # Equal numbers in each row, such as zeros, tell no class from another: neither softmax nor sigmoids gave them.
        return Decision("scores", ())
    odd = None if is_one_column else _sums(facts.sums, rows, digits_of(array))
    is_clear = odd is None or float(np.abs(facts.sums - 1).max()) <= tolerance
    if kind is None and odd is not None and not is_clear:
        if odd.code != "sigmoids":
            _check_zero_rows(facts, rows, where)
        raise EvaluationError(_unclear(odd, where))
    if not is_one_column:
        _check_zero_rows(facts, rows, where)
    found = () if odd is None else (odd,)
    if kind == "probabilities":
        return Decision("probabilities", found)
    n_classes = 2 if is_one_column else array.shape[1]
    return Decision("probabilities", (Finding("probabilities", "", {"rows": len(rows), "classes": n_classes}), *found))


def _check_constant_sums(facts: RowFacts, where: str) -> None:
    """Raise EvaluationError for numbers from 0 on whose rows all sum to one number above 1, as percentages and counts do."""
    if not np.all(np.isfinite(facts.sums)):
        return
    total = float(np.median(facts.sums))
    # Equal rows have equal sums whatever they are.
    has_rows = len(facts.sums) >= _LEAST_ROWS and len(np.unique(facts.high)) > 1
    if not has_rows or np.any(facts.low < 0) or not np.all(np.abs(facts.sums - total) <= _SAME_SUM * abs(total)):
        return
    what = " (percentages?)" if abs(total - 100) <= _SAME_SUM * 100 else ""
    raise EvaluationError(
        f"{where} has numbers from 0 on whose rows all sum to about {total:.4g}{what}, which scores do not; divide them by {total:.4g} for "
        "probabilities, or say that they are scores (--as scores)."
    )


def check_masked_rows(facts: RowFacts, rows: np.ndarray, where: str) -> None:
    """Raise EvaluationError if a row of scores (n, K) is −inf for every class."""
    _refuse(np.isneginf(facts.high), rows, f"{where} has the score −inf for every class", "score")


def _check_zero_rows(facts: RowFacts, rows: np.ndarray, where: str) -> None:
    """Raise EvaluationError if a row of probabilities (n, K) is 0 for every class."""
    _refuse(facts.high <= 0, rows, f"{where} has the probability 0 for every class", "probability")


def _refuse(bad: np.ndarray, rows: np.ndarray, what: str, number: str) -> None:
    if not bad.any():
        return
    row, n_bad = int(rows[int(np.argmax(bad))]), int(np.count_nonzero(bad))
    more = f", and in {n_bad - 1} of the other {len(rows) - 1} rows" if n_bad > 1 else ""
    raise EvaluationError(
        f"{what} in row {row} (counted from 0){more}, so no class can be the true one; give one class a larger {number}, or the label "
        "−100, which leaves a row out."
    )


def _sums(sums: np.ndarray, rows: np.ndarray, digits: Digits) -> Finding | None:
    """Rows of numbers in [0, 1] that do not sum to one, also if that is no more than rounding."""
    errors = np.abs(sums - 1)
    bad = errors > (_MENTIONED_HALF if digits.is_half else _MENTIONED)
    if not bad.any():
        return None
    # One sigmoid per class sums to anything; the rows of a damaged softmax mostly sum to one.
    if np.count_nonzero(errors > _NEARLY) > len(rows) / 2:
        low, high = float(sums.min()), float(sums.max())
        return Finding("sigmoids", "", {"rows": len(rows), "low_sum": low, "high_sum": high})
    worst = int(np.argmax(errors))
    facts = {
        "rows": int(np.count_nonzero(bad)),
        "of": len(rows),
        "row": int(rows[worst]),
        "sum": float(sums[worst]),
        "largest_error": float(errors[worst]),
        "decimals": digits.decimals,
    }
    return Finding("rows_do_not_sum_to_one", "", facts)


def _unclear(odd: Finding, where: str) -> str:
    remedy = "say whether they are probabilities, which are then divided by their sum (--as probabilities), or scores (--as scores)"
    facts = odd.facts
    if odd.code == "sigmoids":
        return (
            f"{where} has numbers in [0, 1] whose rows sum to {facts['low_sum']:.3g} to {facts['high_sum']:.3g}, as one sigmoid per "
            f"class gives; {remedy}."
        )
    return (
        f"{where} has numbers in [0, 1], and {facts['rows']} of {facts['of']} rows do not sum to one (row {facts['row']}, counted from "
        f"0, sums to {facts['sum']:.6g}); {remedy}."
    )


def _place(array: np.ndarray, row: int, slack: float) -> str:
    """Where a number outside [0, 1] is."""
    values = np.atleast_1d(np.asarray(array[row]))
    column = int(np.argmax((values < -slack) | (values > 1 + slack)))
    return (
        f"the number of class {1 if len(values) == 1 else column} in row {row} (counted from 0) is {values[column]!s}"
    )


def zero_findings(array: np.ndarray, facts: RowFacts, rows: np.ndarray, labels: np.ndarray) -> tuple[Finding, ...]:
    """Probabilities of exactly 0 in rows that count, and how many of them belong to the true class.

    Args:
        array: (N, K) or (N,) probabilities.
        facts: about the rows that count.
        rows: (n,) their indices in the array.
        labels: (n,).
    """
    if array.ndim == 1 or array.shape[1] == 1:
        values = facts.low
        has_zero = (values <= 0) | (values >= 1)
        entries = int(np.count_nonzero(has_zero))
        is_label = np.where(labels == 1, values <= 0, values >= 1)
    else:
        has_zero = facts.low <= 0
        entries = int(facts.zeros.sum())
        is_label = np.zeros(len(rows), dtype=bool)
        is_label[has_zero] = _labelled(array, rows[has_zero], labels[has_zero]) <= 0
    if not has_zero.any():
        return ()
    first = int(rows[int(np.argmax(is_label if is_label.any() else has_zero))])
    found: dict[str, Any] = {
        "entries": entries,
        "rows": int(np.count_nonzero(has_zero)),
        "label_rows": int(np.count_nonzero(is_label)),
        "row": first,
    }
    return (Finding("zero_probability", "", found),)


def _labelled(array: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(array[rows, labels])

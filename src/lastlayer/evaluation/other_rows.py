"""Other rows, to which the maps are fitted in the place of folds of the judged ones."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np

from lastlayer.calibration import ScoreRows
from lastlayer.calibration.score_rows import blocks
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read import Inputs, read_inputs
from lastlayer.files import expanded
from lastlayer.findings import Finding

#: The largest share of judged rows that may be among the others; some examples are alike by chance.
MOST_SHARED = 0.1
#: Below this share of different rows, equal numbers are no sign of the same example.
LEAST_DIFFERENT = 0.9


def read_others(fit: Any, fit_labels: Any, groups: Any, options: dict[str, Any], inputs: Inputs) -> Inputs:
    """The rows to fit to, which must be other rows with the same classes and of the same kind.

    Groups that are named by a column are those of this column there as well; groups in a file or an array are those of the
    judged rows alone.
    """
    column = groups if isinstance(groups, str) and not expanded(groups).exists() else None
    others = read_inputs(fit, fit_labels, groups=column, labels_option="--fit-labels", **options)
    shared = shared_rows(inputs, others)
    if shared > MOST_SHARED * inputs.scores.n:
        raise EvaluationError(
            f"{shared} of the {inputs.scores.n} rows of {inputs.name} are in {others.name}, too, so that the maps would be judged on rows "
            "that they were fitted to; give other rows with --fit, or leave it out, which cross-fits the maps."
        )
    if others.scores.kind != inputs.scores.kind:
        raise EvaluationError(
            f"{inputs.name} holds {inputs.scores.kind} and {others.name} holds {others.scores.kind}; give both as the same, or say what "
            "they are with --as."
        )
    if others.scores.n_classes != inputs.scores.n_classes or others.scores.is_one_column != inputs.scores.is_one_column:
        raise EvaluationError(
            f"{others.name} has {others.scores.n_classes} classes and {inputs.name} has {inputs.scores.n_classes}; give scores of the "
            "same model."
        )
    if None not in (others.class_names, inputs.class_names) and others.class_names != inputs.class_names:
        raise EvaluationError(
            f"The columns of {others.name} are not those of {inputs.name}; give the same classes in the same order."
        )
    return others


def shared_rows(judged: Inputs, others: Inputs) -> int:
    """How many of the judged rows have the same numbers as one of the others.

    0 where many judged rows repeat each other, as those of a small tree do: equal numbers are then no sign of the same example,
    unless all rows are the same, in the same order.
    """
    if judged.scores.n_classes != others.scores.n_classes:
        return 0
    ours, theirs = _digests(judged.scores), _digests(others.scores)
    if ours == theirs:
        return len(ours)
    if len(set(ours)) < LEAST_DIFFERENT * len(ours):
        return 0
    known = set(theirs)
    return sum(digest in known for digest in ours)


def _digests(scores: ScoreRows) -> list[bytes]:
    """A digest of the numbers of each row, in float64, so that the type of a file does not matter."""
    found: list[bytes] = []
    for part in blocks(scores.n, scores.n_classes):
        rows = scores.raw(part.start, part.stop).astype(np.float64, copy=False)
        found += [blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    return found


def findings_of(others: Inputs | None) -> tuple[Finding, ...]:
    """What was found in the other rows, each with the name of their file."""
    if others is None:
        return ()
    return tuple(replace(found, facts={**found.facts, "file": others.name}) for found in others.findings)

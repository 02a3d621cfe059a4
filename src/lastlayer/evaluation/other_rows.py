"""Other rows, to which the maps are fitted in the place of folds of the judged ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lastlayer.calibration.score_rows import blocks
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.read import Inputs, read_inputs
from lastlayer.files import expanded
from lastlayer.findings import Finding


def read_others(fit: Any, fit_labels: Any, groups: Any, options: dict[str, Any], inputs: Inputs) -> Inputs:
    """The rows to fit to, which must be other rows with the same classes and of the same kind.

    Groups that are named by a column are those of this column there as well; groups in a file or an array are those of the
    judged rows alone.
    """
    column = groups if isinstance(groups, str) and not expanded(groups).exists() else None
    others = read_inputs(fit, fit_labels, groups=column, labels_option="--fit-labels", **options)
    if same_rows(inputs, others):
        raise EvaluationError(
            f"{others.name} has the same scores as {inputs.name}, so that the maps would be judged on the rows that they were fitted to; "
            "give other rows with --fit, or leave it out, which cross-fits the maps."
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


def same_rows(a: Inputs, b: Inputs) -> bool:
    """Whether the same array, or one with the same numbers, is given twice."""
    one, other = a.scores, b.scores
    if one.array is other.array:
        return True
    if one.n != other.n or one.n_classes != other.n_classes:
        return False
    parts = blocks(one.n, one.n_classes)
    return all(np.array_equal(one.raw(p.start, p.stop), other.raw(p.start, p.stop)) for p in parts)


def findings_of(others: Inputs | None) -> tuple[Finding, ...]:
    """What was found in the other rows, each with the name of their file."""
    if others is None:
        return ()
    return tuple(replace(found, facts={**found.facts, "file": others.name}) for found in others.findings)

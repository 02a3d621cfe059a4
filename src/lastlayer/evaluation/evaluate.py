"""`evaluate_scores`: judge the probabilities of a trained model, and find the one change that makes them better."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

import lastlayer.version
from lastlayer.calibration import Calibrator
from lastlayer.calibration.floor import floor_of
from lastlayer.calibration.one_thread import one_thread_per_block
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.folds import draw_folds
from lastlayer.evaluation.ladder import Ladder, climb, ladder_names
from lastlayer.evaluation.metrics import Measures, measure, reliability
from lastlayer.evaluation.options import check_options
from lastlayer.evaluation.other_rows import findings_of, read_others
from lastlayer.evaluation.predictions import MappedScores
from lastlayer.evaluation.read import Inputs, read_inputs
from lastlayer.evaluation.result import Evaluation, MapResult, class_names_of
from lastlayer.evaluation.split import Split
from lastlayer.evaluation.suspicions import find_suspicions
from lastlayer.evaluation.verdict import verdict_of
from lastlayer.findings import Finding
from lastlayer.functions import resolve_mapping

Progress = Callable[[int, int, str], object]


def evaluate_scores(
    scores: Any,
    labels: Any = None,
    *,
    target: str | None = None,
    kind: str | None = None,
    mapping: str = "softmax",
    groups: Any = None,
    fit: Any = None,
    fit_labels: Any = None,
    folds: int = 5,
    seed: int = 0,
    maps: Sequence[str] | None = None,
    key: str | None = None,
    labels_key: str | None = None,
    class_names: Sequence[str] | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Evaluation:
    """Are these probabilities right, and which one change makes them better?

    Nothing is fitted and judged on the same rows: each calibration map is fitted to the rows outside a fold and judged on those
    inside, or fitted to `fit` and judged on all rows.

    Args:
        scores: (n, K) scores (logits) or probabilities, (n,) for two classes; an array, a table, or the path of a .npy, .npz, .csv,
            .parquet, .safetensors or .pt file.
        labels: (n,) the true classes; −100 or a missing value leaves the row out. Without them the file of the scores has them.
        target: the column of the labels in a table.
        kind: "scores" or "probabilities"; found out by default.
        mapping: what turns the scores into probabilities in the model as it is.
        groups: (n,) rows with the same value stay in one fold, and intervals count them as one observation; or a column's name.
        fit, fit_labels: other scores and labels, to which the maps are fitted.
        folds: of the cross-fitting.
        seed: of the folds and of all random draws.
        maps: names of the maps to try, next to "none"; all that are affordable by default.
        key, labels_key: the names of the arrays in a file of several.
        class_names: of the columns, in their order.
        progress: called with (done, total, what).
        command: what the report repeats as the command.

    Raises:
        EvaluationError: the input cannot be read, or does not allow an answer; says what to do.

    >>> random = np.random.default_rng(0)
    >>> right = random.normal(size=(600, 3))
    >>> labels = (right + random.gumbel(size=(600, 3))).argmax(axis=1)
    >>> found = evaluate_scores(3 * right, labels, maps=["temperature"])
    >>> found.verdict, found.advice.mapping, round(found.calibrator.temperature, 1)
    ('overconfident', 'temperature', 2.9)
    """
    began, started = time.perf_counter(), datetime.now().strftime("%Y-%m-%d %H:%M")
    check_options(kind, mapping, folds, seed, maps)
    steps = _Steps(progress, 2 + len(ladder_names(mapping, maps)))
    steps("reading")
    names = None if class_names is None else tuple(class_names)
    options: dict[str, Any] = {
        "target": target,
        "kind": kind,
        "key": key,
        "labels_key": labels_key,
        "class_names": names,
    }
    inputs = read_inputs(scores, labels, groups=groups, **options)
    others = None if fit is None else read_others(fit, fit_labels, groups, options, inputs)
    if inputs.scores.kind == "probabilities" and resolve_mapping(mapping).name != "softmax":
        raise EvaluationError(
            f"{inputs.name} holds probabilities, and a mapping is for scores; leave out mapping={mapping!r}, or say that the "
            "numbers are scores."
        )
    with one_thread_per_block():
        return replace(
            _evaluate(inputs, others, mapping, folds, seed, maps, steps),
            command=command,
            started=started,
            seconds=time.perf_counter() - began,
        )


def _evaluate(
    inputs: Inputs,
    others: Inputs | None,
    mapping: str,
    folds: int,
    seed: int,
    maps: Sequence[str] | None,
    steps: Callable[[str], object],
) -> Evaluation:
    steps("metrics")
    groups = inputs.groups
    measures = measure(MappedScores(inputs.scores, inputs.labels, mapping), groups, seed=seed)
    _check_domain(measures, mapping, inputs)
    split = Split(
        inputs.scores,
        inputs.labels,
        groups,
        draw_folds(inputs.scores.n, groups, folds, seed, has_others=others is not None),
        *((None, None, None) if others is None else (others.scores, others.labels, others.groups)),
    )
    floors = [floor_of(rows) for rows in (split.scores, split.fitted_scores)]
    ladder = climb(split, mapping, maps, seed, min(filter(None, floors), default=0.0), steps)
    ladder = replace(ladder, maps=tuple(_with_facts(found, inputs, others) for found in ladder.maps))
    verdict = verdict_of(measures, ladder)
    suspicions = find_suspicions(inputs, measures.predicted, measures.is_correct)
    counts = np.bincount(inputs.labels, minlength=inputs.scores.n_classes)
    rung = ladder.rungs[ladder.advised]
    after = () if ladder.advised == "none" else reliability(rung.confidence, rung.is_correct, groups, seed=seed)
    return Evaluation(
        source=inputs.name,
        n_rows=inputs.scores.n,
        n_left_out=inputs.n_left_out,
        kind=inputs.scores.kind,
        mapping=resolve_mapping(mapping).label,
        class_names=class_names_of(inputs.class_names, inputs.scores.n_classes),
        class_counts=tuple(int(count) for count in counts),
        findings=(
            *suspicions,
            *inputs.findings,
            *_lost_labels(measures, inputs),
            *findings_of(others),
            *ladder.findings,
        ),
        metrics=measures.metrics,
        verdict=verdict,
        confidence_gap=measures.confidence_gap,
        calibration_part=ladder.calibration_part,
        remaining=ladder.remaining,
        maps=ladder.maps,
        left_out=ladder.left_out,
        advice=_advice(ladder, measures, verdict),
        reliability=measures.reliability,
        reliability_after=after,
        classes=measures.classes,
        confusions=measures.confusions,
        n_groups=None if groups is None else len(np.unique(groups)),
        folds=folds if others is None else None,
        fit_source=None if others is None else others.name,
        n_fit_rows=None if others is None else others.scores.n,
        seed=seed,
    )


class _Steps:
    """Counts what is begun, for `progress`."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, what: str) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, what)
        self._done += 1


def _check_domain(measures: Measures, mapping: str, inputs: Inputs) -> None:
    outside = np.flatnonzero(np.isnan(measures.confidence))
    if len(outside):
        record = resolve_mapping(mapping)
        rows = inputs.scores.rows
        row = int(outside[0] if rows is None else rows[outside[0]])
        raise EvaluationError(
            f"{record.label} has no probabilities for {len(outside)} of {inputs.scores.n} rows, row {row} (from 0) the first: it takes "
            f"{record.domain.description}. Name the mapping that the model was trained with, or give other scores."
        )


def _lost_labels(measures: Measures, inputs: Inputs) -> tuple[Finding, ...]:
    """Scores of −inf at true classes, whose log loss is infinite; for probabilities the reader of the file says so."""
    lost = np.flatnonzero(np.isinf(measures.losses))
    if inputs.scores.kind == "probabilities" or not len(lost):
        return ()
    rows = inputs.scores.rows
    first = int(lost[0] if rows is None else rows[lost[0]])
    count = len(lost)
    return (Finding("zero_probability", "", {"entries": count, "rows": count, "label_rows": count, "row": first}),)


def _with_facts(found: MapResult, inputs: Inputs, others: Inputs | None) -> MapResult:
    """The map with what its file will say of its origin."""
    fitted = inputs if others is None else others
    facts = {
        "source": fitted.name,
        "rows": found.n_fitted,
        "date": datetime.now().strftime("%Y-%m-%d"),
        "version": lastlayer.version.__version__,
    }
    calibrator: Calibrator = replace(found.calibrator, class_names=inputs.class_names, fitted_on=facts)
    return replace(found, calibrator=calibrator)


def _advice(ladder: Ladder, measures: Measures, verdict: str) -> Finding:
    by_name = {found.name: found for found in ladder.maps}
    advised, before = by_name[ladder.advised], measures.metrics["log_loss"].value
    if ladder.advised == "none":
        return Finding("advise_none", "none", {"log_loss": before, "verdict": verdict})
    facts = {
        "difference": advised.difference.value,
        "low": advised.difference.low,
        "high": advised.difference.high,
        "log_loss": advised.log_loss.value,
        "before": before,
        "ece_before": measures.metrics["ece"].value,
        "ece_after": advised.ece,
        "degrees_of_freedom": advised.degrees_of_freedom,
        "best": min(ladder.maps, key=lambda found: found.log_loss.value).name,
        "n_better": sum(found.difference.high < 0 for found in ladder.maps),
    }
    return Finding("advise_map", ladder.advised, facts)

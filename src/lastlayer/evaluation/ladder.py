"""The ladder of calibration maps: each is judged on rows that it was not fitted to, and the simplest good one is advised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lastlayer.calibration import Calibrator, ScoreRows
from lastlayer.calibration.fit import Fitted, UnboundedError, fit_map
from lastlayer.evaluation.error import EvaluationError
from lastlayer.evaluation.feasible import why_not
from lastlayer.evaluation.intervals import LEVEL, Estimate, mean_estimate
from lastlayer.evaluation.metrics import measure_rows, top_label_error
from lastlayer.evaluation.predictions import CrossFitted, MappedScores, Predictions
from lastlayer.evaluation.result import MapResult
from lastlayer.evaluation.split import Split
from lastlayer.findings import Finding
from lastlayer.functions import resolve_mapping

#: Mappings that are tried in the place of the model's, each with a temperature.
RIVALS = ("softmax", "sparsemax", "entmax")
#: The ladder, in the order of the report.
LADDER = ("none", "temperature", "temperature_prior", "vector", "matrix", *RIVALS)


@dataclass(frozen=True)
class Rung:
    """A map that was fitted and judged: its losses, Brier scores, top probabilities and hits, (n,) each."""

    fitted: Fitted
    losses: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray
    is_correct: np.ndarray


@dataclass(frozen=True)
class Ladder:
    """The maps, those that were left out, and findings of the fits; see `Evaluation`. `rungs` has the rows of each map."""

    maps: tuple[MapResult, ...]
    left_out: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    advised: str
    calibration_part: Estimate
    remaining: Estimate
    rungs: Mapping[str, Rung]


def climb(
    split: Split, mapping: str, names: Sequence[str] | None, seed: int, floor: float, step: Callable[[str], object]
) -> Ladder:
    """Fit and judge every map of the ladder, or those named; `step` is called with the name of each before it is fitted."""
    rungs: dict[str, Rung] = {}
    left_out: list[Finding] = []
    findings: list[Finding] = []
    for name in ladder_names(mapping, names):
        step(name)
        reason = None if names is not None else why_not(name, split.fitted_scores, mapping)
        if reason is None:
            try:
                rungs[name] = _rung(name, split, mapping, seed, floor)
            except _WithoutTemperatureError as error:
                reason = Finding("map_unbounded", name, {"reason": error.reason})
                # The temperature speaks of the scores; the other maps fail for the same cause, or for one of their own.
                if name == "temperature" and error.finding is not None:
                    findings.append(error.finding)
        if reason is not None:
            left_out.append(reason)
    return _ladder(split, rungs, left_out, findings)


def ladder_names(mapping: str, names: Sequence[str] | None) -> list[str]:
    """The maps to try: "none" first, and no rival that is the model's own mapping."""
    own = resolve_mapping(mapping).label
    if names is not None:
        return list(dict.fromkeys(("none", *names)))
    return [name for name in LADDER if name not in RIVALS or resolve_mapping(name).label != own]


class _WithoutTemperatureError(Exception):
    """A map whose temperature has no value, with the reason, and the finding that says it of the scores, if it holds of all rows."""

    def __init__(self, reason: str, finding: Finding | None) -> None:
        super().__init__(reason)
        self.reason, self.finding = reason, finding


def _rung(name: str, split: Split, mapping: str, seed: int, floor: float) -> Rung:
    # The model as it is keeps its zeros; a map raises them to the floor first.
    judged, source = split.scores, split.fitted_scores
    if name != "none":
        judged, source = replace(judged, floor=floor), replace(source, floor=floor)
    labels, groups = split.fitted_labels, split.fitted_groups
    fitted = _fit(name, source, labels, mapping=mapping, groups=groups, seed=seed)
    if not fitted.is_clear:
        raise _WithoutTemperatureError("unclear", Finding("no_information", "", {"reason": "unclear"}))
    if name == "none" or split.has_others:
        predictions: Predictions = MappedScores(judged, split.labels, mapping, fitted.calibrator)
    else:
        calibrators = _of_folds(name, judged, split, mapping, fitted.calibrator, seed)
        predictions = CrossFitted(judged, split.labels, calibrators, split.folds)
    return Rung(fitted, *measure_rows(predictions))


def _fit(name: str, scores: ScoreRows, labels: np.ndarray, *, of: int | None = None, **options: Any) -> Fitted:
    """A fit to `scores`, which are a part of `of` rows, if that is given."""
    try:
        return fit_map(name, scores, labels, **options)
    except UnboundedError as error:
        facts = {"rows": scores.n, "of": scores.n if of is None else of}
        finding = Finding("temperature_unbounded", "", facts)
        if error.reason == "separable":
            raise _WithoutTemperatureError("separable" if of is None else "separable_in_a_fold", finding) from error
        # A fold may hold too little to say it of all scores.
        finding = Finding("no_information", "", {"reason": error.reason})
        raise _WithoutTemperatureError(error.reason, finding if of is None else None) from error
    # A map that was asked for by name, of more classes than its fit can take.
    except ValueError as error:
        raise EvaluationError(str(error)) from error


def _of_folds(
    name: str, scores: ScoreRows, split: Split, mapping: str, first: Calibrator, seed: int
) -> list[Calibrator]:
    """The map fitted to the rows outside each fold."""
    found = []
    for fold in range(int(split.folds.max()) + 1):
        rows = np.flatnonzero(split.folds != fold)
        part, labels = scores.take(rows), split.labels[rows]
        fitted = _fit(name, part, labels, of=scores.n, mapping=mapping, initial=first, seed=seed)
        found.append(fitted.calibrator)
    return found


def _ladder(split: Split, rungs: dict[str, Rung], left_out: list[Finding], findings: list[Finding]) -> Ladder:
    losses = {name: rung.losses for name, rung in rungs.items()}
    own = rungs["none"].fitted.calibrator
    eligible = {name: rows for name, rows in losses.items() if _may_be_advised(rungs[name].fitted.calibrator, own)}
    best = min(eligible, key=lambda name: float(np.mean(eligible[name])))
    results = [_result(name, rung, losses, best, split) for name, rung in rungs.items()]
    helps = _anything_helps(eligible, split.groups)
    advised = _advised([result for result in results if result.name in eligible]) if helps else "none"
    chosen = _chosen_elsewhere(eligible, split.folds)
    return Ladder(
        tuple(replace(result, adopted=result.name == advised) for result in results),
        tuple(left_out),
        tuple(findings),
        advised,
        mean_estimate(minus(losses["none"], chosen), split.groups),
        mean_estimate(chosen, split.groups, bounds=(0.0, np.inf)),
        rungs,
    )


def _may_be_advised(map_: Calibrator, as_it_is: Calibrator) -> bool:
    """Whether no label can have an infinite loss by the map's mapping alone, unless that is so of the model as it is.

    A sparse mapping may give 0 to the true class of a row to come, whatever the rows at hand.
    """
    has_full_support = ["full_support" in resolve_mapping(one.mapping).laws for one in (map_, as_it_is)]
    return has_full_support[0] or not has_full_support[1]


def _anything_helps(losses: Mapping[str, np.ndarray], groups: np.ndarray | None) -> bool:
    """Whether some map has a lower log loss than the model as it is, at a level that allows for the number of maps (Bonferroni)."""
    others = [rows for name, rows in losses.items() if name != "none"]
    level = 1.0 - (1.0 - LEVEL) / max(len(others), 1)
    return any(mean_estimate(minus(rows, losses["none"]), groups, level=level).high < 0.0 for rows in others)


def _advised(results: Sequence[MapResult]) -> str:
    """The simplest map that clearly helps and is not clearly worse than the best; among equally simple ones, the first of the ladder.

    A map of many parameters may be the best by a wide interval, in which "none" lies as well; the interval of a simpler one is narrow.
    """
    by_simplicity = sorted(results, key=lambda result: result.degrees_of_freedom)
    helping = [result for result in by_simplicity if result.difference.high < 0.0]
    good = [result for result in helping if not result.versus_best.low > 0.0]
    # Where all that help are clearly worse than the best, which does not clearly help, the best of those that help.
    return good[0].name if good else min(helping, key=lambda result: result.log_loss.value).name


def _result(name: str, rung: Rung, losses: dict[str, np.ndarray], best: str, split: Split) -> MapResult:
    groups = split.groups
    low_high = rung.fitted.interval
    return MapResult(
        calibrator=rung.fitted.calibrator,
        log_loss=mean_estimate(rung.losses, groups, bounds=(0.0, np.inf)),
        brier=mean_estimate(rung.brier, groups, bounds=(0.0, 2.0)),
        difference=mean_estimate(minus(rung.losses, losses["none"]), groups),
        versus_best=mean_estimate(minus(rung.losses, losses[best]), groups),
        ece=top_label_error(rung.confidence, rung.is_correct, groups)[0],
        degrees_of_freedom=degrees_of_freedom(rung.fitted.calibrator, name),
        n_fitted=rung.fitted.n_fitted,
        interval=None if low_high is None else Estimate(rung.fitted.calibrator.temperature, *low_high),
    )


def minus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a − b per row; two infinite losses are equal."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(a) & np.isinf(b), 0.0, a - b)


def degrees_of_freedom(calibrator: Calibrator, name: str) -> int:
    """Parameters that change probabilities: K scores may be moved together without a change."""
    k = calibrator.n_classes
    if name == "none":
        return 0
    if calibrator.matrix is not None:
        return k * k - 1
    if calibrator.weight is not None:
        return 2 * k - 1
    if calibrator.bias is not None:
        return k
    # A parameter of the mapping that the name leaves open was fitted as well.
    return 1 + (name not in LADDER[:5] and name != calibrator.mapping)


def _chosen_elsewhere(losses: dict[str, np.ndarray], folds: np.ndarray) -> np.ndarray:
    """Each row's loss under the map that is best on the rows outside its fold: choosing is judged on other rows, too.

    The maps that judged those rows were fitted with rows of this fold, so the choice is not wholly blind to it; each loss is. A map
    with an infinite loss is not chosen, if there is one without.
    """
    finite = {name: rows for name, rows in losses.items() if np.isfinite(rows).all()} or losses
    chosen = np.empty(len(folds))
    for fold in np.unique(folds):
        inside = folds == fold
        best = min(finite, key=lambda name: float(np.mean(finite[name][~inside])))
        chosen[inside] = finite[best][inside]
    return chosen

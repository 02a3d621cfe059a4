"""What an evaluation found: numbers and findings, without a word."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lastlayer.calibration import Calibrator
from lastlayer.evaluation.intervals import Estimate
from lastlayer.findings import Finding
from lastlayer.findings.json_numbers import to_json

#: The words for the model as it is: `Evaluation.verdict` is one of them.
VERDICTS = ("calibrated", "overconfident", "underconfident", "miscalibrated")


@dataclass(frozen=True)
class Measure:
    """A metric of the model as it is.

    Attributes:
        value, low, high: the metric with its 95 % interval.
        frequencies: what answering every row with the frequencies of the classes would give; None where that says nothing.
        plain: of a calibration error, the estimate before its bias is removed; None for other metrics.
        if_calibrated: of a calibration error, (low, high): where it would lie in 98 of 100 cases if the labels were drawn from the
            probabilities; with groups from 0 to the upper end. None for other metrics.
    """

    value: float
    low: float
    high: float
    frequencies: float | None = None
    plain: float | None = None
    if_calibrated: tuple[float, float] | None = None

    def form(self) -> dict[str, Any]:
        """As JSON has it, without what it does not have."""
        form: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        if self.frequencies is not None:
            form["frequencies"] = self.frequencies
        if self.plain is not None:
            form["plain"] = self.plain
        if self.if_calibrated is not None:
            form["if_calibrated"] = {"low": self.if_calibrated[0], "high": self.if_calibrated[1]}
        return form


@dataclass(frozen=True)
class MapResult:
    """A rung of the ladder: a calibration map, judged on rows that it was not fitted to.

    Attributes:
        calibrator: fitted to all rows that may be fitted to.
        log_loss, brier: on rows that the map was not fitted to.
        difference: its log loss minus that of the model as it is, paired.
        versus_best: its log loss minus that of the map with the lowest one, paired.
        ece: its calibration error of the top label, debiased.
        interval: of the temperature; None where the map has none.
        n_fitted: rows that it was fitted to.
        adopted: whether it is the advised one.
    """

    calibrator: Calibrator
    log_loss: Estimate
    brier: Estimate
    difference: Estimate
    versus_best: Estimate
    ece: float
    degrees_of_freedom: int
    n_fitted: int
    interval: Estimate | None = None
    adopted: bool = False

    @property
    def name(self) -> str:
        """Its name: "none", "temperature", "temperature_prior", "vector", "matrix", or a mapping's."""
        return self.calibrator.name

    @property
    def mapping(self) -> str:
        """The label of its mapping."""
        return self.calibrator.mapping

    def form(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name,
            "mapping": self.mapping,
            "degrees_of_freedom": self.degrees_of_freedom,
            "parameters": parameters(self.calibrator, self.interval),
            "n_fitted": self.n_fitted,
            "log_loss": self.log_loss.value,
            "brier": self.brier.value,
            "ece": self.ece,
            "difference": self.difference.form(),
            "adopted": self.adopted,
        }


def parameters(calibrator: Calibrator, interval: Estimate | None = None) -> dict[str, Any]:
    """The numbers of a calibrator by name, without those that do nothing."""
    found: dict[str, Any] = {}
    if calibrator.name != "none" and calibrator.weight is None and calibrator.matrix is None:
        found["temperature"] = calibrator.temperature
        if interval is not None:
            found |= {"temperature_low": interval.low, "temperature_high": interval.high}
    for name in ("weight", "matrix", "bias"):
        value = getattr(calibrator, name)
        if value is not None:
            found[name] = value.tolist()
    _, _, options = calibrator.mapping.partition(":")
    found |= {key: float(text) for key, _, text in (option.partition("=") for option in options.split(",") if option)}
    if calibrator.floor:
        found["floor"] = calibrator.floor
    return found


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How far the probabilities of a model can be trusted, and what would make them better.

    Attributes:
        source: the file of the scores, or "array".
        n_rows: rows that were judged.
        n_left_out: rows that were left out: without a label, or with NaN.
        kind: "scores" or "probabilities": what the numbers were taken for.
        mapping: the label of the mapping that the model as it is uses.
        class_names: in the order of the columns; "0", "1", … where they have no names.
        class_counts: rows of each class.
        findings: what else a reader must know; `lastlayer.report` has the words.
        metrics: "log_loss", "brier", "accuracy", "top5" where K > 5, "ece", "classwise_ece", of the model as it is.
        verdict: one of `VERDICTS`.
        confidence_gap: mean probability of the predicted class minus accuracy.
        calibration_part: the log loss that a calibration map chosen and fitted on other rows removes.
        remaining: the log loss that stays.
        maps: the ladder, the model as it is first.
        left_out: findings on the maps that were not tried, `mapping` being the map's name.
        advice: a finding, `mapping` being the name of the advised map; code "advise_none" or "advise_map".
        reliability: bins of the top probability of the model as it is: n, confidence, accuracy, low, high; low and high are where
            the accuracy of a calibrated model would lie in 95 of 100 cases.
        reliability_after: the same under the advised map, cross-fitted; empty without one.
        classes: one entry per class: class, rows, predicted, recall, precision, mean_probability, ece.
        confusions: the most frequent confusions: actual, predicted (indices of classes), count, share of the actual class.
        n_groups: groups of rows that stay together; None without groups.
        folds: folds of the cross-fitting; None where the maps were fitted on other rows (`fit_source`).
        fit_source, n_fit_rows: the file of the scores that the maps were fitted on, and its rows.
    """

    source: str
    n_rows: int
    n_left_out: int
    kind: str
    mapping: str
    class_names: tuple[str, ...]
    class_counts: tuple[int, ...]
    findings: tuple[Finding, ...]
    metrics: Mapping[str, Measure]
    verdict: str
    confidence_gap: Estimate
    calibration_part: Estimate
    remaining: Estimate
    maps: tuple[MapResult, ...]
    left_out: tuple[Finding, ...]
    advice: Finding
    reliability: tuple[Mapping[str, float], ...] = ()
    reliability_after: tuple[Mapping[str, float], ...] = ()
    classes: tuple[Mapping[str, Any], ...] = ()
    confusions: tuple[Mapping[str, Any], ...] = ()
    n_groups: int | None = None
    folds: int | None = None
    fit_source: str | None = None
    n_fit_rows: int | None = None
    seed: int = 0
    command: str = ""
    started: str = ""
    seconds: float = float("nan")

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.class_counts)

    @property
    def advised(self) -> MapResult:
        """The advised map, "none" where nothing helps."""
        return self.map(self.advice.mapping)

    @property
    def calibrator(self) -> Calibrator:
        """The advised map, fitted: `calibrator.probabilities(scores)`."""
        return self.advised.calibrator

    def map(self, name: str) -> MapResult:
        """A rung of the ladder by name.

        Raises:
            KeyError: it was not tried.
        """
        for found in self.maps:
            if found.name == name:
                return found
        raise KeyError(f"{name!r} was not tried; there are {', '.join(found.name for found in self.maps)}.")

    def to_dict(self) -> dict[str, Any]:
        """The results as `lastlayer evaluate --json` prints them, without its sentences: infinities are strings, what is missing is None."""
        form = {
            "source": self.source,
            "n_rows": self.n_rows,
            "n_left_out": self.n_left_out,
            "n_classes": self.n_classes,
            "kind": self.kind,
            "mapping": self.mapping,
            "classes": dict(zip(self.class_names, self.class_counts, strict=True)),
            "verdict": self.verdict,
            "findings": [finding.form() for finding in self.findings],
            "metrics": {name: measure.form() for name, measure in self.metrics.items()},
            "confidence_gap": self.confidence_gap.form(),
            "calibration_part": self.calibration_part.form(),
            "remaining": self.remaining.form(),
            "maps": [found.form() for found in self.maps],
            "maps_left_out": [finding.form() for finding in self.left_out],
            "advice": {"map": self.advice.mapping, **self.advice.form()},
            "code": {"numpy": self.calibrator.numpy_code, "torch": self.calibrator.torch_code},
            "settings": {
                "folds": self.folds,
                "seed": self.seed,
                "n_groups": self.n_groups,
                "fit_source": self.fit_source,
                "n_fit_rows": self.n_fit_rows,
            },
            "command": self.command,
            "started": self.started,
            "seconds": self.seconds,
        }
        checked: dict[str, Any] = to_json(form)
        return checked

    def __repr__(self) -> str:
        """The heading, the metrics with their intervals, and the ladder."""
        metrics = "\n".join(
            f"  {name:<14}{measure.value:>10.4f}  ({measure.low:.4f} to {measure.high:.4f})"
            for name, measure in self.metrics.items()
        )
        maps = "\n".join(
            f"  {'→' if found.adopted else ' '} {found.name:<18}{found.log_loss.value:>10.4f}  "
            f"{found.difference.value:+.4f} ({found.difference.low:+.4f} to {found.difference.high:+.4f})"
            for found in self.maps
        )
        return f"{self._heading()}\n{metrics}\nmap, log loss, difference to none\n{maps}"

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        rows = "".join(
            f"<tr><td>{found.name}</td><td>{found.log_loss.value:.4f}</td><td>{found.difference.value:+.4f} "
            f"({found.difference.low:+.4f} to {found.difference.high:+.4f})</td><td>{'advised' if found.adopted else ''}</td></tr>"
            for found in self.maps
        )
        metrics = "".join(
            f"<tr><td>{name}</td><td>{measure.value:.4f}</td><td>{measure.low:.4f} to {measure.high:.4f}</td></tr>"
            for name, measure in self.metrics.items()
        )
        return (
            f"<p>{html.escape(self._heading())}</p>"
            f"<table><tr><th>metric</th><th>value</th><th>95 % interval</th></tr>{metrics}</table>"
            f"<table><tr><th>map</th><th>log loss</th><th>difference to none</th><th></th></tr>{rows}</table>"
        )

    def _heading(self) -> str:
        codes = ", ".join(dict.fromkeys(finding.code for finding in self.findings))
        return (
            f"Evaluation({self.source}: {self.n_rows} rows, {self.n_classes} classes, {self.kind}; {self.verdict}; "
            f"advised: {self.advice.mapping}{f'; findings: {codes}' if codes else ''})"
        )


def class_names_of(names: tuple[str, ...] | None, n_classes: int) -> tuple[str, ...]:
    """The names, or "0", "1", … without any."""
    return tuple(map(str, np.arange(n_classes))) if names is None else names

"""A whole study: data → the same splits for every mapping → fits → results and a model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lastlayer.files import expanded
from lastlayer.findings import Finding
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.call import call_of
from lastlayer.study.choice import choose_mappings, left_out
from lastlayer.study.collect import Outcomes, collect
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.features import encoded_counts
from lastlayer.study.fit.final import fit_final, save_model
from lastlayer.study.fit.splits import Split, make_splits
from lastlayer.study.make_fits import Fits, make_fits
from lastlayer.study.plan import Plan, make_plan
from lastlayer.study.progress import Progress, StudyProgress
from lastlayer.study.settings import StudySettings, check_settings, resolve_margins
from lastlayer.study.storage.checkpoint import Checkpoints, read_fit
from lastlayer.study.storage.fingerprint import content_fingerprint, study_fingerprint
from lastlayer.study.storage.folder import study_folder
from lastlayer.study.storage.predictions import write_predictions
from lastlayer.study.storage.results import MODEL, PREDICTIONS, StudyResults
from lastlayer.study.suspicions import find_suspicions


def run_study(
    dataset: Any = "digits",
    target: Any = None,
    *,
    mappings: str | ProbabilityMapping | Iterable[str | ProbabilityMapping] | None = None,
    folds: int = 5,
    repeats: int | None = None,
    C: float | None = None,
    seed: int = 0,
    groups: str | None = None,
    time: str | None = None,
    drop: str | Sequence[str] = (),
    min_class: int | tuple[str, int] | None = None,
    labels: str | Path | None = None,
    encoding: str | None = None,
    splines: bool = False,
    time_limit: float | None = None,
    out: str | Path = Path("lastlayer-study"),
    jobs: int | None = None,
    progress: Progress | None = None,
    margin: Mapping[str, float] | None = None,
    command: str = "",
) -> StudyResults:
    """Train the same linear model under every mapping on one table of data, by repeated stratified cross-validation.

    Features, imputation and scaling are fitted inside each training fold, once for all mappings. Every finished fit is kept
    at once: the same call after a kill goes on from there, with the same results, and one with other data, settings or code
    starts from the beginning. The results do not depend on `jobs`, nor on what joblib runs on.

    The files are in a folder of `out` named after the data: results.parquet, predictions.parquet (out-of-fold probabilities),
    model.skops (the advised model on all rows) and fits/.

    Args:
        dataset: "digits", "iris", "wine", "breast_cancer"; the path of a file; a table of pandas, polars or Arrow; or features
            (n, d) as an array.
        target: the column of classes, or labels (n,) for a table or an array.
        mappings: names, names with parameters ("entmax:alpha=1.3") or `ProbabilityMapping`s; softmax is always among them.
            By default every built-in one whose record does not say why it is left out.
        folds: of the cross-validation, two or more.
        repeats: how often the folds are drawn, by default twice.
        C: the inverse strength of the L2 penalty, as in scikit-learn; by default each fit chooses its own.
        seed: of folds and restarts.
        groups: a column; rows with the same value are never in the training and the test part of one split.
        time: a column; test rows are later than the rows of their training part. There is one repeat.
        drop: a column, or several, to leave out.
        min_class: classes with fewer rows are left out; with ("merge", n) they become one class.
        labels: the file of the labels, where `dataset` is a file of features alone.
        encoding: of a text file; by default it is found out.
        splines: give the linear models splines of the numeric columns, so that their boundaries can bend.
        time_limit: seconds after which no fit is started. Mappings without all of their fits are left out of the comparison.
        out: the folder of the folders.
        jobs: fits at a time, -1 for one per core; runs on whatever `joblib.parallel_config` says. By default, small data run
            in this process and others on every core.
        progress: called with a `StudyProgress`, from another thread.
        margin: metric → the largest difference that counts as equal; for those not given, see `resolve_margins`.
        command: how the study was made, as the report says it; by default this call.

    Raises:
        StudyError: the study cannot be run as asked; the message says what to do.

    Example:
        >>> from lastlayer.study import run_study
        >>> results = run_study("iris", mappings=["softmax", "sparsemax"], jobs=2)  # doctest: +SKIP
    """
    given = {name: value for name, value in locals().items() if name not in ("dataset", "progress", "command")}
    started, clock = datetime.now(), _now()
    chosen = choose_mappings(mappings)
    settings = check_settings(
        mappings=tuple(mapping.label for mapping in chosen),
        folds=folds,
        repeats=repeats,
        seed=seed,
        C=C,
        jobs=jobs,
        margin=margin,
        groups=groups,
        time=time,
        splines=splines,
        time_limit=time_limit,
    )
    data = load_dataset(
        dataset, target, labels=labels, groups=groups, time=time, drop=drop, min_class=min_class, encoding=encoding
    )
    frequencies = np.asarray(data.class_counts) / len(data.labels)
    settings = replace(settings, margin=resolve_margins(settings.margin, frequencies))
    more = () if mappings is not None else left_out()
    source = _source(dataset, labels, data)
    results = _compared(data, settings, chosen, _Call(expanded(out), source, progress, clock), more)
    results = replace(
        results,
        command=command or call_of(dataset, given),
        started=started.strftime("%Y-%m-%d %H:%M"),
        seconds=_now() - clock,
    )
    assert results.folder is not None
    results.write_parquet(results.folder / "results.parquet")
    return results


@dataclass(frozen=True)
class _Call:
    """Where a study goes, what tells its table from another one of the same name, who watches it, and when it began."""

    out: Path
    source: str
    progress: Progress | None
    clock: float


def _compared(
    data: Dataset,
    settings: StudySettings,
    mappings: Sequence[ProbabilityMapping],
    call: _Call,
    findings: Sequence[Finding],
) -> StudyResults:
    """Every fit, the results, the predictions and the model, in the study's folder."""
    splits = make_splits(data, settings)
    folder = study_folder(call.out, _name_parts(data, settings), call.source)
    suspicions = find_suspicions(data, settings)
    fingerprint = study_fingerprint(data, settings)
    checkpoints = Checkpoints(folder / "fits" / fingerprint)
    checkpoints.prepare()
    plan = make_plan(data, splits, mappings, settings, checkpoints, fingerprint)
    fits = make_fits(data, plan, settings, call.progress, call.clock)
    more = (*suspicions, *findings, *_unkept(data, plan))
    results = collect(data, settings, mappings, splits, _outcomes(plan, fits), findings=more)
    # Whatever an earlier study left here is not of this one.
    (folder / PREDICTIONS).unlink(missing_ok=True)
    if plan.keeps_probabilities:
        _write_predictions(folder / PREDICTIONS, data, splits, plan, results)
    if call.progress is not None:
        call.progress(StudyProgress(len(plan.fits), len(plan.fits), "model", _now() - call.clock))
    return replace(_with_model(results, data, mappings, folder), folder=folder)


def _name_parts(data: Dataset, settings: StudySettings) -> tuple[str, ...]:
    """What a study's folder is named after: the data, the target, and what makes it another study of them."""
    # data.csv.gz is data; .csv is csv.
    stem = Path(data.name).name.lstrip(".").partition(".")[0]
    how = (f"by-{settings.groups}" if settings.groups else "", f"over-{settings.time}" if settings.time else "")
    return (stem, data.target or "", *how, "splines" if settings.splines else "")


def _now() -> float:
    return time.time()


def _source(dataset: Any, labels: Any, data: Dataset) -> str:
    """What distinguishes two tables of one name: the place of a file, the content of a table in memory."""
    parts = [part for part in (dataset, labels) if part is not None]
    if not all(isinstance(part, (str, Path)) for part in parts) or str(dataset) == "-":
        return content_fingerprint(data)
    return "\n".join(str(expanded(part).resolve()) if Path(part).suffix else str(part) for part in parts)


def _outcomes(plan: Plan, fits: Fits) -> Outcomes:
    """The fits in the order of the plan, whatever order they came in."""
    failed: dict[str, str] = {}
    unfinished: dict[str, int] = {}
    for task in plan.fits:
        if task.path in fits.failed:
            # The first reason in the order of the alphabet, so that the results do not depend on who was first.
            reason = fits.failed[task.path]
            failed[task.label] = min(reason, failed.get(task.label, reason))
        elif task.path in fits.skipped:
            unfinished[task.label] = unfinished.get(task.label, 0) + 1
    order = sorted(plan.fits, key=lambda task: (task.key.repeat, task.key.fold))
    return Outcomes([fits.finished[task.path] for task in order if task.path in fits.finished], failed, unfinished)


def _unkept(data: Dataset, plan: Plan) -> Sequence[Finding]:
    if plan.keeps_probabilities:
        return ()
    return (Finding("predictions_not_kept", facts={"rows": len(data.labels), "classes": len(data.class_names)}),)


def _write_predictions(path: Path, data: Dataset, splits: Sequence[Split], plan: Plan, results: StudyResults) -> None:
    place = {(split.repeat, split.fold): split for split in splits}
    compared = set(results.summary["mapping"])
    tasks = [task for task in plan.fits if task.label in compared]
    read = ((read_fit(task.path, task.key), place[task.key.repeat, task.key.fold]) for task in tasks)
    whole = ((fit, split) for fit, split in read if fit is not None)
    write_predictions(path, whole, data.labels, data.rows, data.class_names)


def _with_model(
    results: StudyResults, data: Dataset, mappings: Sequence[ProbabilityMapping], folder: Path
) -> StudyResults:
    """The results with the advised model, which is fitted on all rows and saved."""
    label = results.decision.mapping
    mapping = next(mapping for mapping in mappings if mapping.label == label)
    path = folder / MODEL
    path.unlink(missing_ok=True)
    try:
        model, C = fit_final(data, mapping, results.settings)
        is_saved = save_model(model, path)
    except OSError as error:
        raise StudyError(
            f"{path} cannot be written ({error.strerror or error}). Give a folder you may write to, with room on the disk."
        ) from error
    # The mapping may be anybody's code, and memory may be short; the comparison is made all the same.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return replace(results, findings=(*results.findings, Finding("model_failed", label, {"reason": reason})))
    findings = results.findings if is_saved else (*results.findings, Finding("model_not_saved", label))
    decision = replace(results.decision, facts={**results.decision.facts, "C": C})
    counts = encoded_counts(model, results.columns["column"])
    columns = results.columns.assign(encoded=[counts[name] for name in results.columns["column"]])
    return replace(results, model=model, decision=decision, findings=findings, columns=columns)

"""How a study was done, said from its settings: paragraphs, what was left out, versions, references."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from lastlayer.findings.metrics import METRICS
from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.reading import Reading, Row
from lastlayer.words.lists import listing, plural, sentence
from lastlayer.words.names import shorten
from lastlayer.words.numbers import compact, integer
from lastlayer.words.printable import clean

LIBRARIES = ("lastlayer", "numpy", "scipy", "scikit-learn", "skrub", "pandas")

REFERENCES = (
    "Nadeau & Bengio 2003, Inference for the generalization error (the corrected t of repeated splits)",
    "Bouckaert & Frank 2004, Evaluating the replicability of significance tests for comparing learning algorithms",
    "Holm 1979, A simple sequentially rejective multiple test procedure",
    "Brier 1950, Verification of forecasts expressed in terms of probability",
    "Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks",
)


def method_paragraphs(reading: Reading) -> list[tuple[str, str]]:
    """(heading, text) of each step."""
    return [
        ("Data", _data(reading)),
        ("Splits", _splits(reading)),
        ("Model", _MODEL),
        ("Strength of the penalty", _strength(reading)),
        ("Intervals", _intervals(reading)),
        ("Comparisons", _comparisons(reading)),
        ("Rows outside a domain", _OUTSIDE),
    ]


_MODEL = (
    "A linear model with an L2 penalty on the weights. Each mapping comes with its own loss, so a row of the table changes "
    "mapping and loss together."
)
_OUTSIDE = (
    "A row whose scores a mapping does not accept counts as wrong in accuracy, 2 in the Brier score and infinite in the "
    "log loss."
)


def _data(reading: Reading) -> str:
    results = reading.results
    encoded = ""
    if results.n_encoded_features != results.n_features:
        encoded = f", which became {integer(results.n_encoded_features)} numeric ones"
    return f"{_counts(reading)} {plural(results.n_features, 'feature')}{encoded}."


def _splits(reading: Reading) -> str:
    settings = reading.results.settings
    return (
        f"{plural(settings.folds, 'stratified fold')}, {plural(settings.repeats, 'repeat')}, seed {settings.seed}; the same "
        "splits for every mapping. Features, imputation and scaling were fitted inside each training part, once for all "
        "mappings."
    )


def _intervals(reading: Reading) -> str:
    return (
        f"The {100 * reading.results.settings.level:g} % intervals are from the corrected t of repeated cross-validation "
        f"(Nadeau & Bengio): the variance s² of the kr = {reading.n_fits} fits times (1/(kr) + n_test/n_train), kr − 1 degrees "
        "of freedom, clipped to the range of the metric. They are approximate: the fits share their training rows."
    )


def _comparisons(reading: Reading) -> str:
    settings = reading.results.settings
    return (
        "Each mapping is compared with softmax split by split, by the same corrected t, and the p-values of one metric are "
        "corrected for the number of mappings by Holm’s method. An interval wholly inside the margin"
        f"{_margins(settings.margin)} makes “equal”, whatever the p-value: a difference may be certain and too small to matter. "
        f"Otherwise a corrected p-value below {1 - settings.level:.2g} makes “differs”, and all else is “cannot be told apart”, "
        "with the smallest difference that the study could have seen."
    )


def _counts(reading: Reading) -> str:
    results = reading.results
    names, counts = results.class_names, results.class_counts
    if not counts:
        return f"{plural(results.n_samples, 'row')}."
    if len(counts) <= 12:
        each = listing([f"{shorten(clean(n), 30)} ({integer(c)})" for n, c in zip(names, counts, strict=False)])
        return f"{plural(results.n_samples, 'row')}; classes {each}."
    least, most = counts.index(min(counts)), counts.index(max(counts))
    return (
        f"{plural(results.n_samples, 'row')}; {integer(len(counts))} classes of {integer(counts[least])} "
        f"({shorten(clean(names[least]), 30)}) to {integer(counts[most])} ({shorten(clean(names[most]), 30)}) rows."
    )


def _strength(reading: Reading) -> str:
    settings = reading.results.settings
    if settings.C is not None:
        return f"C was fixed at {compact(settings.C)} for every mapping."
    text = "C was chosen for each mapping inside each training part, by the Brier score on a stratified split of it"
    if settings.grid:
        text += (
            f", from one grid of {plural(len(settings.grid), 'value')} between {compact(min(settings.grid))} and "
            f"{compact(max(settings.grid))}"
        )
    at_edge = [row.name for row in reading.rows if row.count_true("C_at_edge")]
    return f"{text}. " + (
        f"Some choices were at its edge: {listing(at_edge)}." if at_edge else "No choice was at its edge."
    )


def _margins(margins: dict[str, float]) -> str:
    if not margins:
        return ""
    named = [f"{metric.name} ±{margins[metric.key]:g}" for metric in METRICS.values() if metric.key in margins]
    return f" ({listing(named)})"


def left_out(reading: Reading) -> list[tuple[str, str]]:
    """(mapping, why) of the built-in mappings that were not studied."""
    studied = {record.name for record in records(reading.rows).values()} | {row.label for row in reading.rows}
    return [
        (name, record.study_note or "It was not among the mappings asked for.")
        for name, record in MAPPINGS.items()
        if name not in studied
    ]


def records(rows: Iterable[Row]) -> dict[str, ProbabilityMapping]:
    """The records of the mappings that the library knows by their labels."""
    known = {}
    for row in rows:
        try:
            known[row.label] = resolve_mapping(row.label)
        except (TypeError, ValueError):
            # A mapping of the user's own: the page then has its name and numbers, but no equation.
            continue
    return known


def versions() -> list[tuple[str, str]]:
    """The libraries that wrote this page, and Python."""
    found = [("Python", platform.python_version())]
    for library in LIBRARIES:
        try:
            found.append((library, version(library)))
        except PackageNotFoundError:
            continue
    return found


def references(reading: Reading) -> list[str]:
    """What the method rests on, then what each mapping's record names."""
    of_mappings = [sentence(text) for record in records(reading.rows).values() for text in record.references]
    return list(dict.fromkeys([*(sentence(text) for text in REFERENCES), *sorted(of_mappings)]))

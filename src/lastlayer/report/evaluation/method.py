"""How an evaluation was done, said from its settings, one paragraph per step, and what that rests on."""

from __future__ import annotations

import math

from lastlayer.evaluation import Evaluation
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.colophon import Reference, duration, mapping_references, versions
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import shorten
from lastlayer.words.numbers import integer
from lastlayer.words.printable import clean

_REFERENCES = (
    Reference(
        "Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks (temperature, vector and matrix scaling).",
        "https://proceedings.mlr.press/v70/guo17a.html",
    ),
    Reference(
        "Platt 1999, Probabilistic outputs for support vector machines and comparisons to regularized likelihood methods."
    ),
    Reference(
        "Gneiting & Raftery 2007, Strictly proper scoring rules, prediction, and estimation.",
        "https://doi.org/10.1198/016214506000001437",
    ),
    Reference(
        "Bröcker & Smith 2007, Increasing the reliability of reliability diagrams (the band of a calibrated model).",
        "https://doi.org/10.1175/WAF993.1",
    ),
    Reference(
        "Kumar, Liang & Ma 2019, Verified uncertainty calibration (the debiased calibration error).",
        "https://arxiv.org/abs/1909.10155",
    ),
    Reference(
        "Wilson 1927, Probable inference, the law of succession, and statistical inference.",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
)


def method_paragraphs(evaluation: Evaluation) -> list[tuple[str, str]]:
    """(heading, text) of each step."""
    return [
        ("Never the same rows", _rows(evaluation)),
        ("Log loss and Brier score", _PROPER),
        ("Calibration error", _CALIBRATION),
        ("Maps", _MAPS),
        ("Advice", _ADVICE),
        ("Intervals", _intervals(evaluation)),
    ]


def data_sentence(evaluation: Evaluation) -> str:
    """Rows and classes."""
    names, counts = evaluation.class_names, evaluation.class_counts
    if len(counts) <= 12:
        each = [f"{shorten(clean(n), 30)} ({integer(c)})" for n, c in zip(names, counts, strict=True)]
        return f"{plural(evaluation.n_rows, 'row')}; classes {listing(each)}."
    least, most = counts.index(min(counts)), counts.index(max(counts))
    return (
        f"{plural(evaluation.n_rows, 'row')}; {integer(len(counts))} classes of {integer(counts[least])} "
        f"({shorten(clean(names[least]), 30)}) to {integer(counts[most])} ({shorten(clean(names[most]), 30)}) rows."
    )


def run_facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """(heading, text) of what is known of the run."""
    facts = [
        ("Date", clean(evaluation.started)),
        ("Duration", "" if math.isnan(evaluation.seconds) else duration(evaluation.seconds)),
        ("Seed", str(evaluation.seed)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions())),
    ]
    return [(heading, text) for heading, text in facts if text]


def references(evaluation: Evaluation) -> list[Reference]:
    """What the method rests on, then what the record of each mapping names."""
    labels = {evaluation.mapping, *(found.mapping for found in evaluation.maps)}
    return [*_REFERENCES, *mapping_references(resolve_mapping(label) for label in sorted(labels))]


_PROPER = (
    "Both are proper scores: no other probabilities have a lower mean than the true ones. Log loss is −log p of the true class; the Brier "
    "score is the squared distance between the probabilities and the true class, summed over the classes."
)
_CALIBRATION = (
    "Rows are sorted by their top probability and cut into bins with equally many rows; ties stay in one bin, and so does p = 1. The error "
    "is the mean distance between what a bin says and how often it is right. Chance makes it larger than 0, so the part that "
    "chance adds is subtracted (debiased), and the range that a calibrated model would show is given next to it."
)
_MAPS = (
    "Temperature scaling divides all scores by one number T > 0. With a class prior, one number per class is added. Vector scaling "
    "multiplies each class’s scores by a number and adds another one. Matrix scaling multiplies by a matrix, regularized. Another mapping "
    "(last layer) takes the same scores, with a temperature; it is fitted to at most a million scores, in rows that are drawn at random, "
    "and the other maps to all. Each is fitted by its log loss."
)
#: The rule of the advice, as the table of maps and the documentation say it.
ADVICE_RULE = (
    "If no map is clearly better than the model as it is, none is advised; the level of this test allows for the number of maps. "
    "Otherwise the simplest map that clearly helps and is not clearly worse than the best."
)
_ADVICE = f"{ADVICE_RULE} The part of the log loss that calibration removes is that of a map that was chosen and fitted on other rows."


def _rows(evaluation: Evaluation) -> str:
    if evaluation.fit_source is not None:
        rows = f" ({plural(evaluation.n_fit_rows, 'row')})" if evaluation.n_fit_rows is not None else ""
        return (
            f"The maps were fitted on {shorten(clean(evaluation.fit_source), 80)}{rows} and judged on "
            f"{shorten(clean(evaluation.source), 80)}."
        )
    together = "" if evaluation.n_groups is None else ", and rows of one group stay in one fold"
    return (
        f"The rows are cut into {plural(evaluation.folds or 0, 'fold')} (seed {evaluation.seed}){together}. Each fold is judged under maps that were "
        "fitted to the other folds: cross-fitting. The map in calibrator.json is fitted to all rows."
    )


def _intervals(evaluation: Evaluation) -> str:
    if evaluation.n_groups is None:
        return "All are 95 % intervals over rows; differences are paired, row by row. Shares have Wilson’s interval."
    return (
        "All are 95 % intervals over groups of rows, since rows of one group are not independent; differences are paired. Shares have "
        "Wilson’s interval for the number of independent rows that the groups are worth."
    )

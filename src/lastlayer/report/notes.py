"""The notes of a report: how its numbers are to be read, then a sentence for each finding."""

from __future__ import annotations

from lastlayer.findings import METRICS, Finding
from lastlayer.report.sentences import SENTENCES
from lastlayer.report.verdicts import margin
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.lists import listing

TOGETHER = (
    "Each row changes the mapping and the loss together, since every mapping is trained by its own loss: "
    "a difference may come from either."
)
APPROXIMATE = (
    "Intervals are approximate: the fits of a cross-validation share training rows, which the corrected t allows for "
    "but cannot undo."
)


def study_notes(results: StudyResults) -> tuple[str, ...]:
    """The notes on a study in whole sentences, in the order in which a reader needs them."""
    return (TOGETHER, APPROXIMATE, _margins(results), *(finding_sentence(finding) for finding in results.findings))


def finding_sentence(finding: Finding) -> str:
    """The finding in whole sentences.

    Raises:
        ValueError: its code has no sentence here.
    """
    if finding.code not in SENTENCES:
        raise ValueError(
            f"There is no sentence for a finding with the code {finding.code!r}; there are {listing(SENTENCES)}."
        )
    wording = SENTENCES[finding.code]
    return " ".join(filter(None, (wording.sentence(finding), wording.remedy(finding))))


def _margins(results: StudyResults) -> str:
    settings = results.settings
    margins = [
        f"{margin(metric.key, settings.margin[metric.key])} in {metric.name}"
        for metric in METRICS.values()
        if metric.key in settings.margin
    ]
    return (
        f"‘Equal’ is said only where the whole {100 * settings.level:g} % interval of a difference lies within the margin: "
        f"{listing(margins)}."
    )

"""The notes of a report: how its numbers are to be read, and the sentences of each finding, grouped by where they belong."""

from __future__ import annotations

from lastlayer.evaluation import Evaluation
from lastlayer.findings import METRICS, Finding
from lastlayer.report.sentences import EVALUATION_SENTENCES, SENTENCES, SHARED_CODES, Group
from lastlayer.report.sentences.wording import Wording
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
TWICE = "With two classes this Brier score is twice scikit-learn’s brier_score_loss: it sums over both classes and goes from 0 to 2."


def study_notes(results: StudyResults) -> tuple[tuple[Group, tuple[str, ...]], ...]:
    """The notes on a study in whole sentences: (group, notes), the groups in the order of the report, none of them empty."""
    notes: dict[Group, list[str]] = {group: [] for group in Group}
    notes[Group.METHOD] += [TOGETHER, APPROXIMATE, _margins(results)]
    if results.n_classes == 2:
        notes[Group.METHOD].append(TWICE)
    for finding in results.findings:
        notes[wording_of(finding).group_of(finding)].append(finding_sentence(finding))
    return tuple((group, tuple(said)) for group, said in notes.items() if said)


def finding_sentence(finding: Finding) -> str:
    """The finding in whole sentences, with what to do about it.

    Raises:
        ValueError: its code has no sentence here.
    """
    wording = wording_of(finding)
    return " ".join(filter(None, (wording.sentence(finding), wording.remedy(finding))))


def finding_remedy(finding: Finding) -> str:
    """What to do about the finding, which `finding_sentence` ends with; empty where its sentences say it, or nothing can be done.

    Raises:
        ValueError: its code has no sentence here.
    """
    return wording_of(finding).remedy(finding)


def warnings_of(results: StudyResults | Evaluation) -> tuple[tuple[str, str], ...]:
    """(what was found, what to do about it) of every finding that calls the whole result into question."""
    wordings = ((finding, wording_of(finding)) for finding in results.findings)
    return tuple((w.sentence(f), w.remedy(f)) for f, w in wordings if w.group_of(f) == Group.WARNING)


def wording_of(finding: Finding) -> Wording:
    """The words for a finding of a study or of an evaluation.

    Raises:
        ValueError: its code has no sentence here.
    """
    code = finding.code
    is_study = SHARED_CODES[code] in finding.facts if code in SHARED_CODES else code in SENTENCES
    found = (SENTENCES if is_study else EVALUATION_SENTENCES).get(code)
    if found is None:
        known = listing(SENTENCES | EVALUATION_SENTENCES)
        raise ValueError(f"There is no sentence for a finding with the code {code!r}; there are {known}.")
    return found


def _margins(results: StudyResults) -> str:
    settings = results.settings
    margins = [
        f"{margin(metric.key, settings.margin[metric.key])} in {metric.name}"
        for metric in METRICS.values()
        if metric.key in settings.margin
    ]
    return (
        f"‘Equal’ is said only where the whole {100 * settings.level:g} % interval of a difference lies within the margin: "
        f"{listing(margins)}. The margins shrink where the class frequencies leave little to gain."
    )

"""The findings of an evaluation in sentences, by where they are shown; warnings are shown before the answer."""

from __future__ import annotations

from collections.abc import Iterable

from lastlayer.evaluation import Evaluation
from lastlayer.findings import Finding
from lastlayer.report.notes import finding_sentence, wording_of
from lastlayer.report.sentences import Group


def data_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """What was found in the file."""
    return _notes(evaluation.findings, Group.DATA)


def map_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """What was found when the maps were fitted, and the maps that were not tried."""
    return _notes((*evaluation.findings, *evaluation.left_out), Group.FITS)


def _notes(findings: Iterable[Finding], group: Group) -> tuple[str, ...]:
    return tuple(finding_sentence(found) for found in findings if wording_of(found).group_of(found) == group)

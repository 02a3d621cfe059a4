"""The findings of an evaluation in sentences, by where they are shown; warnings are shown before the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from lastlayer.evaluation import Evaluation
from lastlayer.findings import Finding
from lastlayer.report.notes import finding_sentence, wording_of
from lastlayer.report.sentences import Group


def data_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """What was found in the file."""
    return _notes(evaluation.findings, Group.DATA)


def map_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """What was found when the maps were fitted, and the maps that were not tried."""
    return _notes((*evaluation.findings, *_together(evaluation.left_out)), Group.FITS)


def _together(left_out: Iterable[Finding]) -> list[Finding]:
    """The maps without best parameters as one finding per reason."""
    found: list[Finding] = []
    places: dict[str, int] = {}
    for each in left_out:
        reason = str(each.facts.get("reason"))
        if each.code == "map_unbounded" and reason in places:
            first = found[places[reason]]
            maps = [*first.facts.get("maps", [first.mapping]), each.mapping]
            found[places[reason]] = replace(first, facts={**first.facts, "maps": maps})
            continue
        if each.code == "map_unbounded":
            places[reason] = len(found)
        found.append(each)
    return found


def _notes(findings: Iterable[Finding], group: Group) -> tuple[str, ...]:
    return tuple(finding_sentence(found) for found in findings if wording_of(found).group_of(found) == group)

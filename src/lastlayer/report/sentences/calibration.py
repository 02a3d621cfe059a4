"""What an evaluation found while it fitted calibration maps: no finite temperature, and maps that were not tried."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.report.calibration_maps import map_name
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import capital, plural
from lastlayer.words.numbers import integer


def _temperature_unbounded(finding: Finding) -> str:
    return (
        f"In all {plural(finding.facts['rows'], 'row')} the true class has the largest score, so the log loss falls without end as the "
        "temperature goes to 0: no temperature is the best one."
    )


def _on_new_rows(finding: Finding) -> str:
    return "If these are rows that the model was trained on, evaluate rows that it has not seen."


_NO_INFORMATION = {
    "constant": "The scores are the same for every class or every row",
    "opposed": "The scores point away from the labels: a class with a larger score is the true one less often",
    "unclear": "The scores say no more about the labels than chance",
}


def _no_information(finding: Finding) -> str:
    return (
        f"{_NO_INFORMATION[finding.facts['reason']]}. The best temperature is infinite, which gives every class the same "
        "probability, so no temperature was taken."
    )


def _check_the_scores(finding: Finding) -> str:
    if finding.facts["reason"] == "opposed":
        return (
            "Check the sign of the scores (a loss is not a score), and that columns and labels name the same classes."
        )
    return "Check that the rows of the scores and of the labels belong together."


def _map_too_large(finding: Finding) -> str:
    entries, limit = finding.facts["entries"], finding.facts["limit"]
    return (
        f"{_name(finding)} was not tried: fitting it to {integer(int(entries))} scores takes long, and the limit for this number of "
        f"classes is {integer(int(limit))}."
    )


def _ask_by_name(finding: Finding) -> str:
    return f"Name it to try it all the same: --maps {finding.mapping}."


def _map_without_effect(finding: Finding) -> str:
    return f"{_name(finding)} was not tried: dividing the scores by a number changes nothing under this mapping."


def _map_same_as(finding: Finding) -> str:
    return f"{_name(finding)} was not tried: here it is the same as {map_name(finding.facts['other'])}."


def _map_infinite_scores(finding: Finding) -> str:
    return f"{_name(finding)} was not tried: some scores are infinite, and a weight of 0 times infinity is no number."


def _map_unbounded(finding: Finding) -> str:
    return f"{_name(finding)} has no best parameters on these rows: the log loss falls without end as they grow."


def _map_few_rows(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{_name(finding)} was not tried: {plural(int(facts['rows']), 'row')} to fit it on are too few for its "
        f"{plural(int(facts['parameters']), 'parameter')}."
    )


def _name(finding: Finding) -> str:
    """The map at the beginning of a sentence; the name of a mapping is an identifier and keeps its small letter."""
    found = map_name(finding.mapping)
    return found if found.startswith(finding.mapping) and " with a temperature" in found else capital(found)


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "no_information": Wording(Group.WARNING, _no_information, _check_the_scores),
    "temperature_unbounded": Wording(Group.FITS, _temperature_unbounded, _on_new_rows),
    "map_too_large": Wording(Group.FITS, _map_too_large, _ask_by_name),
    "map_without_effect": Wording(Group.FITS, _map_without_effect),
    "map_same_as": Wording(Group.FITS, _map_same_as),
    "map_infinite_scores": Wording(Group.FITS, _map_infinite_scores),
    "map_unbounded": Wording(Group.FITS, _map_unbounded),
    "map_few_rows": Wording(Group.FITS, _map_few_rows),
}

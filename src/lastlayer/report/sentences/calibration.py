"""What an evaluation found while it fitted calibration maps: no finite temperature, and maps that were not tried."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.report.calibration_maps import map_name
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import capital, listing, plural
from lastlayer.words.numbers import integer


def _temperature_unbounded(finding: Finding) -> str:
    rows, of = int(finding.facts["rows"]), int(finding.facts.get("of") or finding.facts["rows"])
    if rows < of:
        return (
            f"In {integer(rows)} of {plural(of, 'row')} the true class has the largest score, and the other rows are all in one fold of the "
            "cross-fitting. Without that fold the log loss falls without end as the temperature goes to 0, so no temperature can be judged."
        )
    return (
        f"In all {plural(rows, 'row')} the true class has the largest score, so the log loss falls without end as the "
        "temperature goes to 0: no temperature is the best one."
    )


def _on_new_rows(finding: Finding) -> str:
    text = "If the model was trained on these rows, evaluate rows that it has not seen: on training rows every model looks better than it is."
    return text if _is_separable(finding) else f"Add rows, or fit to other rows with --fit. {text}"


def _is_separable(finding: Finding) -> bool:
    """All rows are right, which is rare except for training rows."""
    return finding.facts.get("of") in (None, finding.facts["rows"])


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


_UNBOUNDED = {
    "separable": "every true class has the largest score, so the log loss falls without end as the scores grow",
    "separable_in_a_fold": (
        "without one fold of the cross-fitting every true class has the largest score, so the log loss falls without end as the scores grow"
    ),
    "constant": "the scores are the same for every class or every row",
    "opposed": "the scores point away from the labels, and no temperature above 0 helps",
    "unclear": "the scores say no more about the labels than chance, and the best temperature is infinite",
}


def _map_unbounded(finding: Finding) -> str:
    """One line, also for several maps that have one reason."""
    first, *others = finding.facts.get("maps") or [finding.mapping]
    have = "have" if others else "has"
    why = _UNBOUNDED.get(finding.facts.get("reason", ""), "the log loss falls without end as they grow")
    return f"{listing([_at_the_start(first), *map(map_name, others)])} {have} no best parameters on these rows: {why}."


def _map_few_rows(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{_name(finding)} was not tried: {plural(int(facts['rows']), 'row')} to fit it on are too few for its "
        f"{plural(int(facts['parameters']), 'parameter')}."
    )


def _name(finding: Finding) -> str:
    return _at_the_start(finding.mapping)


def _at_the_start(name: str) -> str:
    """The map at the beginning of a sentence; the name of a mapping is an identifier and keeps its small letter."""
    found = map_name(name)
    return found if found.startswith(name) and " with a temperature" in found else capital(found)


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "no_information": Wording(Group.WARNING, _no_information, _check_the_scores),
    "temperature_unbounded": Wording(Group.FITS, _temperature_unbounded, _on_new_rows, _is_separable),
    "map_too_large": Wording(Group.FITS, _map_too_large, _ask_by_name),
    "map_without_effect": Wording(Group.FITS, _map_without_effect),
    "map_same_as": Wording(Group.FITS, _map_same_as),
    "map_infinite_scores": Wording(Group.FITS, _map_infinite_scores),
    "map_unbounded": Wording(Group.FITS, _map_unbounded),
    "map_few_rows": Wording(Group.FITS, _map_few_rows),
}

"""The notes of a report: how its numbers are to be read, then a sentence for each finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lastlayer.findings import METRICS, Finding
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.report.verdicts import margin
from lastlayer.study.storage.results import StudyResults
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import clipped
from lastlayer.words.numbers import percent

TOGETHER = (
    "Each row changes the mapping and the loss together, since every mapping is trained by its own loss: "
    "a difference may come from either."
)
APPROXIMATE = (
    "Intervals are approximate: the fits of a cross-validation share training rows, which the corrected t allows for "
    "but cannot undo."
)
#: Groups of like classes that a sentence names, and characters of a cell in it.
_GROUPS, _CELL = 5, 30


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
    return SENTENCES[finding.code](finding)


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


def _row_numbers_left_out(finding: Finding) -> str:
    return f"The first column of {finding.facts['file']} has no name and only numbers the rows, so it was left out."


def _rows_without_target(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{facts['rows']} of {plural(facts['of'], 'row')} {'has' if facts['rows'] == 1 else 'have'} no value in "
        f"{facts['column']!r} (an empty cell) and {'was' if facts['rows'] == 1 else 'were'} left out."
    )


def _missing_words_as_classes(finding: Finding) -> str:
    words = [f"{text!r} ({plural(count, 'row')})" for text, count in finding.facts["classes"]]
    return (
        f"{listing(words)} in {finding.facts['column']!r} {'is a class' if len(words) == 1 else 'are classes'}, as every text "
        "is; only an empty cell is a missing label. If the label of these rows is not known, empty these cells."
    )


def _classes_alike(finding: Finding) -> str:
    groups = [listing([repr(text) for text in group]) for group in finding.facts["groups"]]
    more = f" and {plural(len(groups) - _GROUPS, 'more group')}" if len(groups) > _GROUPS else ""
    return (
        f"Classes of {finding.facts['column']!r} that differ only in capitals, blanks or the way a number is written are "
        f"different classes: {'; '.join(groups[:_GROUPS])}{more}. If they mean one class, write them the same way."
    )


def _numbers_stored_as_text(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Column {facts['column']!r} of {facts['file']} holds {plural(facts['numbers'], 'number')} stored as text, and is read "
        "as text; store numbers."
    )


def _numbers_read_as_text(finding: Finding) -> str:
    facts = finding.facts
    reasons, remedies = zip(*_reasons(finding), strict=True)
    return (
        f"Column {facts['column']!r} of {facts['file']} is read as text, although {facts['numbers']} of its "
        f"{plural(facts['cells'], 'cell')} are numbers: {' and '.join(reasons)}. To have it read as numbers, "
        f"{' and '.join(remedies)}."
    )


def _reasons(finding: Finding) -> Iterator[tuple[str, str]]:
    """(what made the column text, what to do about it)."""
    facts = finding.facts
    other_texts, other_cells = facts["other_words"]
    if facts["words"]:
        shown = [f"{clipped(word, _CELL)!r} ({count})" for word, count in facts["words"]]
        shown += [f"{other_texts} other texts ({other_cells})"] if other_texts else []
        cells = sum(count for _, count in facts["words"]) + other_cells
        yield f"{plural(cells, 'cell holds', 'cells hold')} {listing(shown)}", "leave these cells empty"
    if "decorated" in facts:
        example, as_number = (clipped(facts[name], _CELL) for name in ("example", "example_as_number"))
        marks = listing([repr(mark) for mark in facts["marks"]])
        yield (
            f"{plural(facts['decorated'], 'number is', 'numbers are')} written with {marks}, such as {example!r}",
            f"write {as_number!r} for {example!r}",
        )


def _more_numbers_read_as_text(finding: Finding) -> str:
    facts = finding.facts
    more = f" and {facts['more']} more" if facts["more"] else ""
    columns = ", ".join(repr(column) for column in facts["columns"])
    return f"The same holds for other columns of {facts['file']}: {columns}{more}."


def _mapping_left_out(finding: Finding) -> str:
    reason = resolve_mapping(finding.mapping).study_note
    return f"{finding.mapping} was left out: {reason[0].lower()}{reason[1:]} Ask for it by name to study it."


def _fit_failed(finding: Finding) -> str:
    return f"{finding.mapping} could not be studied, because a fit failed: {finding.facts['reason']}."


def _margin_form(finding: Finding) -> str:
    return (
        f"{finding.mapping} was trained by the margin form of its loss (scores + 1 on every class but the true one), "
        "since weights of zero already minimise the loss itself."
    )


def _training_note(finding: Finding) -> str:
    """What the mapping's record says; the finding itself holds it only where the mapping is not built in."""
    note = finding.facts.get("note") or resolve_mapping(finding.mapping).linear.note
    return f"{finding.mapping}: {note}"


def _coarse_bins(finding: Finding) -> str:
    bins, rows = finding.facts["bins"], finding.facts["rows"]
    return (
        f"The calibration error of a test fold is taken over {bins} bins of about {plural(rows, 'row')}, so much of it is "
        "chance; compare it between mappings, and do not read its size."
    )


def _outside_domain(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {percent(finding.facts['share'])} of the test rows ({finding.facts['rows']}) have scores outside "
        "its domain; they count as wrong in accuracy, 2 in Brier score and infinite in log loss."
    )


def _zero_probability(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {percent(finding.facts['share'])} of the test rows got probability 0 for their class, so its log "
        "loss is infinite."
    )


def _strength_at_edge(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{finding.mapping}: {facts['fits']} of {plural(facts['of'], 'fit')} chose the {facts['side']} C of the grid "
        f"({facts['C']:g}), so a value beyond it may suit it better."
    )


def _not_converged(finding: Finding) -> str:
    return (
        f"{finding.mapping}: {finding.facts['fits']} of {plural(finding.facts['of'], 'fit')} had not converged when the "
        "iterations ran out, so it may do a little better than shown."
    )


def _restarts_apart(finding: Finding) -> str:
    # An infinite spread is stored as the string "inf".
    return (
        f"{finding.mapping}: its loss is not convex, and restarts ended up to {float(finding.facts['spread']):.2g} apart in "
        "the mean loss of a training row; the best of them was taken."
    )


#: The code of a finding → its sentences.
SENTENCES: dict[str, Callable[[Finding], str]] = {
    "row_numbers_left_out": _row_numbers_left_out,
    "rows_without_target": _rows_without_target,
    "missing_words_as_classes": _missing_words_as_classes,
    "classes_alike": _classes_alike,
    "numbers_stored_as_text": _numbers_stored_as_text,
    "numbers_read_as_text": _numbers_read_as_text,
    "more_numbers_read_as_text": _more_numbers_read_as_text,
    "mapping_left_out": _mapping_left_out,
    "fit_failed": _fit_failed,
    "margin_form": _margin_form,
    "training_note": _training_note,
    "coarse_bins": _coarse_bins,
    "outside_domain": _outside_domain,
    "zero_probability": _zero_probability,
    "strength_at_edge": _strength_at_edge,
    "not_converged": _not_converged,
    "restarts_apart": _restarts_apart,
}

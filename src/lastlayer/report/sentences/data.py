"""What was found in the data as they were read: what was left out, and what may not be what it seems."""

from __future__ import annotations

from collections.abc import Iterator

from lastlayer.findings import Finding
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import clipped

#: Groups of like classes that a sentence names, and characters of a cell in it.
_GROUPS, _CELL = 5, 30


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


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "row_numbers_left_out": Wording(Group.DATA, _row_numbers_left_out),
    "rows_without_target": Wording(Group.DATA, _rows_without_target),
    "missing_words_as_classes": Wording(Group.DATA, _missing_words_as_classes),
    "classes_alike": Wording(Group.DATA, _classes_alike),
    "numbers_stored_as_text": Wording(Group.DATA, _numbers_stored_as_text),
    "numbers_read_as_text": Wording(Group.DATA, _numbers_read_as_text),
    "more_numbers_read_as_text": Wording(Group.DATA, _more_numbers_read_as_text),
}

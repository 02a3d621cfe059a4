"""What was found in the data as they were read: what was left out, and what may not be what it seems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lastlayer.findings import Finding
from lastlayer.report.sentences import files
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import listing, plural
from lastlayer.words.names import clipped
from lastlayer.words.numbers import integer, percent

#: Groups of like classes that a sentence names, and characters of a cell in it.
_GROUPS, _CELL = 5, 30


def _row_numbers_left_out(finding: Finding) -> str:
    name = finding.facts.get("column", "")
    file = finding.facts["file"]
    if not name:
        return f"The first column of {file} has no name and only numbers the rows, so it was left out."
    return f"Column {name!r} of {file} only numbers the rows, so it was left out."


def _rows(facts: Mapping[str, Any]) -> str:
    """`3 of 10 rows have`."""
    return f"{integer(facts['rows'])} of {plural(facts['of'], 'row')} {'has' if facts['rows'] == 1 else 'have'}"


def _were(facts: Mapping[str, Any]) -> str:
    return "was" if facts["rows"] == 1 else "were"


def _rows_without_target(finding: Finding) -> str:
    facts = finding.facts
    return f"{_rows(facts)} no value in {facts['column']!r} (an empty cell) and {_were(facts)} left out."


def _most_rows_without_target(finding: Finding) -> str:
    facts = finding.facts
    share = percent(facts["rows"] / facts["of"])
    return (
        f"Most of the table was left out: {integer(facts['rows'])} of {plural(facts['of'], 'row')} ({share}) have no value in "
        f"{facts['column']!r}."
    )


def _label_remedy(finding: Finding) -> str:
    return (
        "The results hold for rows that come to be labelled as these were. Check that this is the right column, and why the "
        "others have no label."
    )


def _rows_without_time(finding: Finding) -> str:
    facts = finding.facts
    return f"{_rows(facts)} no time in {facts['column']!r} and {_were(facts)} left out: it could be before or after any other."


def _most_rows_without_time(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Most of the table was left out: {integer(facts['rows'])} of {plural(facts['of'], 'row')} have no time in "
        f"{facts['column']!r}."
    )


def _time_remedy(finding: Finding) -> str:
    return "Fill in the times, or leave --time out."


def _rows_without_group(finding: Finding) -> str:
    facts = finding.facts
    return f"{_rows(facts)} no value in {facts['column']!r}; each is a group by itself. If some belong together, fill in their cells."


def _time_order_unclear(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"The dates in {facts['column']!r} could have the day or the month first; they were read as {facts['format']!r}, and the "
        "order of the rows depends on it. Write them as 2024-01-31 to be sure."
    )


def _rare(finding: Finding) -> str:
    facts = finding.facts
    classes = [f"{text!r} ({plural(count, 'row')})" for text, count in facts["classes"]]
    return listing(classes + ([f"{facts['more']} more"] if facts["more"] else []), at_most=99)


def _rare_classes_left_out(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Classes of {facts['column']!r} with fewer than {plural(facts['least'], 'row')} were left out, as asked, and "
        f"{plural(facts['rows'], 'row')} with them: {_rare(finding)}. No model here can give one of these classes."
    )


def _rare_classes_merged(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"Classes of {facts['column']!r} with fewer than {plural(facts['least'], 'row')} were merged into one class "
        f"{facts['name']!r}, as asked ({plural(facts['rows'], 'row')}): {_rare(finding)}."
    )


def _target_may_be_quantity(finding: Finding) -> str:
    facts = finding.facts
    return (
        f"{facts['column']!r} holds {facts['classes']} different numbers, from {facts['first']} to {facts['last']}, and each of them "
        "is a class: a prediction of the next number counts as wrong as any other."
    )


def _quantity_remedy(finding: Finding) -> str:
    return "If it is a quantity, cut it into a few ranges first, or use a regression."


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
        f"Column {facts['column']!r} of {facts['file']} holds {plural(facts['numbers'], 'number')} stored as text, which were read as "
        "numbers. If they are codes, make them categories or write a letter before them."
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
        example = clipped(facts["example"], _CELL)
        marks = listing([repr(mark) for mark in facts["marks"]])
        yield (
            f"{plural(facts['decorated'], 'number is', 'numbers are')} written with {marks}, such as {example!r}",
            "write all numbers alike, without them",
        )


def _more_numbers_read_as_text(finding: Finding) -> str:
    facts = finding.facts
    return f"The same holds for other columns of {facts['file']}: {_columns(facts)}."


def _text_read_as_numbers(finding: Finding) -> str:
    facts = finding.facts
    parts = []
    if "decorated" in facts:
        example, as_number = (clipped(facts[name], _CELL) for name in ("example", "example_as_number"))
        parts.append(f"{example!r} was read as {as_number}")
    if facts["words"]:
        shown = [f"{clipped(word, _CELL)!r} ({plural(count, 'cell')})" for word, count in facts["words"]]
        other_texts, other_cells = facts["other_words"]
        shown += [f"{other_texts} other texts ({plural(other_cells, 'cell')})"] if other_texts else []
        parts.append(f"{listing(shown)} as missing")
    return (
        f"Column {facts['column']!r} of {facts['file']} holds text, and {facts['numbers']} of {plural(facts['cells'], 'cell')} are "
        f"numbers: {', '.join(parts)}."
    )


def _columns(facts: Mapping[str, Any]) -> str:
    names = [repr(column) for column in facts["columns"]]
    return ", ".join(names) + (f" and {facts['more']} more" if facts["more"] else "")


def _are(facts: Mapping[str, Any]) -> tuple[str, str]:
    """`Column` or `Columns`, and whether it is one."""
    count = len(facts["columns"]) + facts["more"]
    return ("Column" if count == 1 else "Columns"), ("was" if count == 1 else "were")


def _empty_columns_left_out(finding: Finding) -> str:
    noun, was = _are(finding.facts)
    return f"{noun} {_columns(finding.facts)} of {finding.facts['file']} {was} left out: no row has a value there."


def _constant_columns_left_out(finding: Finding) -> str:
    noun, was = _are(finding.facts)
    return f"{noun} {_columns(finding.facts)} of {finding.facts['file']} {was} left out: all rows have the same value."


def _duplicate_columns_left_out(finding: Finding) -> str:
    facts = finding.facts
    noun, was = _are(facts)
    pairs = [f"{column!r} (as {twin!r})" for column, twin in facts["columns"]]
    more = f" and {facts['more']} more" if facts["more"] else ""
    return (
        f"{noun} {', '.join(pairs)}{more} of {facts['file']} {was} left out: each repeats another column cell by cell."
    )


def _infinite_values(finding: Finding) -> str:
    facts = finding.facts
    columns = []
    for column, count, rows in facts["columns"]:
        places = listing([str(row) for row in rows] + ([f"{count - len(rows)} more"] if count > len(rows) else []))
        columns.append(f"{column!r} ({'row' if count == 1 else 'rows'} {places})")
    more = f" and {plural(facts['more'], 'more column')}" if facts["more"] else ""
    return f"Infinite numbers of {facts['file']} were read as missing: in {', '.join(columns)}{more}."


def _infinite_remedy(finding: Finding) -> str:
    return "If they mean a very large number, write that number."


def _placeholder_numbers(finding: Finding) -> str:
    facts = finding.facts
    columns = [f"{column!r} ({value:g} in {plural(rows, 'row')})" for column, value, rows in facts["columns"]]
    more = f" and {plural(facts['more'], 'more column')}" if facts["more"] else ""
    return (
        f"A number that often means a missing value lies far from all others in {', '.join(columns)}{more} of {facts['file']}; it was "
        "kept as a number."
    )


def _placeholder_remedy(finding: Finding) -> str:
    return "If it means that the value is not known, leave these cells empty."


def _dates_unclear(finding: Finding) -> str:
    facts = finding.facts
    columns = [f"{column!r} (read as {form!r})" for column, form in facts["columns"]]
    return (
        f"Dates that could have the day or the month first: {', '.join(columns)}. Write them as 2024-01-31 to be sure."
    )


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "row_numbers_left_out": Wording(Group.DATA, _row_numbers_left_out),
    "most_rows_without_target": Wording(Group.WARNING, _most_rows_without_target, _label_remedy),
    "most_rows_without_time": Wording(Group.WARNING, _most_rows_without_time, _time_remedy),
    "target_may_be_quantity": Wording(Group.WARNING, _target_may_be_quantity, _quantity_remedy),
    "time_order_unclear": Wording(Group.WARNING, _time_order_unclear),
    "rows_without_target": Wording(Group.DATA, _rows_without_target),
    "rows_without_time": Wording(Group.DATA, _rows_without_time),
    "rows_without_group": Wording(Group.DATA, _rows_without_group),
    "rare_classes_left_out": Wording(Group.DATA, _rare_classes_left_out),
    "rare_classes_merged": Wording(Group.DATA, _rare_classes_merged),
    "missing_words_as_classes": Wording(Group.DATA, _missing_words_as_classes),
    "classes_alike": Wording(Group.DATA, _classes_alike),
    "empty_columns_left_out": Wording(Group.DATA, _empty_columns_left_out),
    "constant_columns_left_out": Wording(Group.DATA, _constant_columns_left_out),
    "duplicate_columns_left_out": Wording(Group.DATA, _duplicate_columns_left_out),
    "infinite_values": Wording(Group.DATA, _infinite_values, _infinite_remedy),
    "placeholder_numbers": Wording(Group.DATA, _placeholder_numbers, _placeholder_remedy),
    "dates_unclear": Wording(Group.DATA, _dates_unclear),
    "text_read_as_numbers": Wording(Group.DATA, _text_read_as_numbers),
    "numbers_stored_as_text": Wording(Group.DATA, _numbers_stored_as_text),
    "numbers_read_as_text": Wording(Group.DATA, _numbers_read_as_text),
    "more_numbers_read_as_text": Wording(Group.DATA, _more_numbers_read_as_text),
} | files.SENTENCES

"""What was found in a file as it was read: its encoding, and lines or sheets that are no rows of the table."""

from __future__ import annotations

from lastlayer.findings import Finding
from lastlayer.report.sentences.wording import Group, Wording
from lastlayer.words.lists import listing
from lastlayer.words.names import clipped

#: Characters of a cell that a sentence shows.
_CELL = 30
#: Names of encodings that were guessed.
_ENCODINGS = {"cp1252": "Windows-1252 (Western Europe)", "latin-1": "Latin-1 (Western Europe)"}


def _encoding_recognised(finding: Finding) -> str:
    facts = finding.facts
    example = f" ({clipped(facts['example'], _CELL)!r})" if facts["example"] else ""
    return f"{facts['file']} was read as {facts['encoding'].upper()} text{example}."


def _encoding_guessed(finding: Finding) -> str:
    facts = finding.facts
    example = f", as in {clipped(facts['example'], _CELL)!r}" if facts["example"] else ""
    return f"{facts['file']} is not UTF-8 text and was read as {_ENCODINGS.get(facts['encoding'], facts['encoding'])}{example}."


def _encoding_remedy(finding: Finding) -> str:
    return "If these letters are wrong, name the right one with --encoding."


def _comment_lines_left_out(finding: Finding) -> str:
    facts = finding.facts
    lines = "Line 1" if facts["lines"] == 1 else f"Lines 1 to {facts['lines']}"
    verb = "is a comment and was" if facts["lines"] == 1 else "are comments and were"
    return f"{lines} of {facts['file']} {verb} left out ({clipped(facts['first'], _CELL)!r})."


def _second_header_left_out(finding: Finding) -> str:
    facts = finding.facts
    cells = listing([repr(clipped(cell, _CELL)) for cell in facts["cells"]])
    return f"The first line below the header of {facts['file']} is a second header and was left out: {cells}."


def _total_row_left_out(finding: Finding) -> str:
    facts = finding.facts
    return f"The last row of {facts['file']} says {clipped(facts['word'], _CELL)!r} and was left out: it is a total, no example."


def _sheets_left_out(finding: Finding) -> str:
    facts = finding.facts
    others = listing([repr(sheet) for sheet in facts["others"]])
    return f"Only the first sheet of {facts['file']}, {facts['sheet']!r}, was read; not {others}."


#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {
    "encoding_guessed": Wording(Group.DATA, _encoding_guessed, _encoding_remedy),
    "encoding_recognised": Wording(Group.DATA, _encoding_recognised),
    "comment_lines_left_out": Wording(Group.DATA, _comment_lines_left_out),
    "second_header_left_out": Wording(Group.DATA, _second_header_left_out),
    "total_row_left_out": Wording(Group.DATA, _total_row_left_out),
    "sheets_left_out": Wording(Group.DATA, _sheets_left_out),
}

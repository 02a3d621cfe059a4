"""What every table of the page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lastlayer.marks import Mark
from lastlayer.report.reading import Row


@dataclass(frozen=True)
class Cell:
    """A cell: main text, the number behind it, smaller text beneath.

    Attributes:
        tone: better, worse or none; a word in front of the text says the same.
        is_word: whether it holds words, which may wrap.
        bar: a share from 0 to 1 to draw behind the text, or None.
        shade: 0 (none) to 9 (strongest): how dark the cell is.
    """

    text: str
    value: float | None = None
    under: str = ""
    tone: str = ""
    is_word: bool = False
    bar: float | None = None
    shade: int = 0


@dataclass(frozen=True)
class Head:
    """The header of a row: a name, and a mark where it is a mapping's."""

    name: str
    mark: Mark | None = None


@dataclass(frozen=True)
class Table:
    """A table. `id` names it, `corner` heads the row headers, `note` says what to know when reading it.

    Attributes:
        further: rows below a line: the baselines.
        kind: a class of the style sheet.
    """

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[Head, Sequence[Cell]]]
    note: str = ""
    corner: str = "Mapping"
    further: Sequence[tuple[Head, Sequence[Cell]]] = ()
    kind: str = ""


def head(row: Row) -> Head:
    """The header of a mapping's row."""
    return Head(row.name, row.mark)

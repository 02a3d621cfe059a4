"""Columns of cells, set side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lastlayer.comparison.text.paper import Line

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A heading of one or two lines above the cells; numbers are set right."""

    heading: tuple[str, ...]
    cells: tuple[str, ...]
    is_text: bool = False

    @property
    def width(self) -> int:
        """That of the widest cell. The upper line of a heading may hang over the columns that it is for."""
        return max(len(self.heading[-1]), *map(len, self.cells))


def width_of(columns: Sequence[Column]) -> int:
    """How wide the columns are side by side."""
    widths = [column.width for column in columns]
    total = sum(widths) + len(GAP) * (len(columns) - 1)
    # The upper heading of a group may be wider than the group.
    hangs = [
        sum(widths[:i]) + len(GAP) * i + len(column.heading[0])
        for i, column in enumerate(columns)
        if len(column.heading) > 1
    ]
    return max(total, *hangs) if hangs else total


def set_side_by_side(columns: Sequence[Column], styles: Sequence[tuple[str, str]]) -> list[Line]:
    """The headings, then the rows; `styles` are those of a row's first cell and of the others."""
    lines: list[Line] = []
    if any(len(column.heading) > 1 for column in columns):
        lines.append(((_upper(columns), "dim"),))
    lines.append(((GAP.join(_set(column.heading[-1], column) for column in columns).rstrip(), "dim"),))
    for i, (first, others) in enumerate(styles):
        cells = [_set(column.cells[i], column) for column in columns]
        rest = (GAP + GAP.join(cells[1:])).rstrip()
        lines.append(((cells[0] if rest else cells[0].rstrip(), first), (rest, others)))
    return lines


def _set(text: str, column: Column) -> str:
    return text.ljust(column.width) if column.is_text else text.rjust(column.width)


def _upper(columns: Sequence[Column]) -> str:
    """The upper headings, each above the first column of its group."""
    line, place = "", 0
    for column in columns:
        if len(column.heading) > 1 and column.heading[0]:
            line = line.ljust(place) + column.heading[0] + " "
        place += column.width + len(GAP)
    return line.rstrip()

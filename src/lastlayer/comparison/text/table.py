"""The mappings' answers as tables that fit: a row per mapping, or for many classes a row per class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lastlayer.comparison.answers import Answers, Row, Vector
from lastlayer.comparison.largest import largest_classes
from lastlayer.comparison.text.grid import Column, set_side_by_side, width_of
from lastlayer.comparison.text.paper import Line, Paper
from lastlayer.words.numbers import cell

#: Up to so many classes a table has a row per mapping, if it fits.
FEW_CLASSES = 12
#: The largest classes that a table of many shows, and that of all options.
SHOWN, SHOWN_OF_EVERYTHING = 8, 40
WIDEST_BAR, NARROWEST_BAR = 20, 10
TINY = "*"


def tables(answers: Answers, rows: Sequence[Row], paper: Paper) -> list[Line]:
    """A row per mapping, in as many tables as it takes; a row per class where there are many or the paper is narrow."""
    if len(answers.reached) <= FEW_CLASSES:
        for decimals in (4, 3):
            grids = _row_per_mapping(answers, rows, paper, decimals)
            if all(width_of(grid) <= paper.width for grid in grids):
                grids[0] = _with_bars(answers, rows, grids[0], paper)
                return _stacked([set_side_by_side(grid, _styles(rows)) for grid in grids])
    return _row_per_class(answers, rows, paper)


def _quantities(answers: Answers, paper: Paper) -> tuple[str, ...]:
    per_class = ("loss", "gradient") if answers.question.label is not None else ("loss if true",) * paper.everything
    return ("probability", *per_class, *("entropy", "support") * paper.everything)


def _row_per_mapping(answers: Answers, rows: Sequence[Row], paper: Paper, decimals: int) -> list[list[Column]]:
    """The quantities in order; what does not fit next to the ones before begins another table."""
    name = Column(("class",), tuple(row.name for row in rows), is_text=True)
    grids = [[name]]
    for quantity in _quantities(answers, paper):
        columns = _columns(answers, rows, quantity, decimals)
        if len(grids[-1]) > 1 and width_of([*grids[-1], *columns]) > paper.width:
            grids.append([name])
        grids[-1] += columns
    return grids


def _columns(answers: Answers, rows: Sequence[Row], quantity: str, decimals: int) -> list[Column]:
    label = answers.question.label
    if quantity == "entropy":
        return [Column(("entropy",), tuple("" if row.entropy is None else cell(row.entropy, decimals) for row in rows))]
    if quantity == "support":
        counts = tuple(f"{'' if row.support is None else row.support}{TINY * _is_tiny(row)}" for row in rows)
        return [Column(("support",), counts)]
    if quantity == "loss":
        losses = tuple("" if row.losses is None else cell(float(row.losses[label]), decimals) for row in rows)
        return [Column((f"loss if {label}",), losses)]
    vectors = [_vector(row, quantity) for row in rows]
    undefined = "undefined" if quantity == "probability" else ""
    columns = []
    for k in range(len(answers.reached)):
        cells = ["" if vector is None else cell(float(vector[k]), decimals) for vector in vectors]
        if k == 0:
            cells = [text or undefined for text in cells]
        name = f"{k} (true)" if k == label and quantity == "probability" else str(k)
        columns.append(
            Column((quantity if k == 0 else "", name) if quantity != "probability" else (name,), tuple(cells))
        )
    return columns


def _vector(row: Row, quantity: str) -> Vector | None:
    return {"probability": row.probabilities, "loss if true": row.losses, "gradient": row.gradient}[quantity]


def _with_bars(answers: Answers, rows: Sequence[Row], columns: list[Column], paper: Paper) -> list[Column]:
    """The columns and, where there is room, a bar per mapping: the probability of the largest score."""
    room = paper.width - width_of(columns) - 3
    if len(answers.reached) == 1 or room < NARROWEST_BAR or len(columns) > len(answers.reached) + 1:
        return columns
    top = int(np.argmax(answers.reached))
    width = min(room, WIDEST_BAR)
    bars = ["" if row.probabilities is None else _bar(float(row.probabilities[top]), width, paper) for row in rows]
    return [*columns, Column((f" class {top}",), tuple(f" {bar}" for bar in bars), is_text=True)]


def _bar(share: float, width: int, paper: Paper) -> str:
    """A share of `width` blocks, to an eighth of one."""
    if paper.is_ascii:
        return ("#" * round(share * width)).ljust(width, ".")
    eighths = round(8 * width * share)
    full = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return full.ljust(width, "·")


def _row_per_class(answers: Answers, rows: Sequence[Row], paper: Paper) -> list[Line]:
    """The largest scores first, then the label, then what the others have together; the gradient where all is shown."""
    most = SHOWN_OF_EVERYTHING if paper.everything else SHOWN
    shown = largest_classes(answers.reached, answers.question.label, most)
    hidden = np.setdiff1d(np.arange(len(answers.reached)), shown)
    label = answers.question.label
    names = [f"{k} (true)" if k == label else str(k) for k in shown]
    names += [f"{len(hidden)} other{'s' * (len(hidden) > 1)}"] if len(hidden) else []
    names += [f"loss if {label}"] if label is not None else []
    first = Column(("class",), tuple(paper.spelled(name) for name in names), is_text=True)
    columns = [Column((row.name,), _cells(row, shown, hidden, label)) for row in rows]
    styles = [("bold", "")] * len(shown) + [("dim", "dim")] * (len(names) - len(shown))
    grids = [set_side_by_side([first, *some], styles) for some in _fitting(first, columns, paper)]
    if paper.everything and label is not None:
        first = Column(("gradient", "class"), first.cells[: len(shown)], is_text=True)
        columns = [Column(("", row.name), _gradient(row, shown)) for row in rows]
        grids += [set_side_by_side([first, *some], styles[: len(shown)]) for some in _fitting(first, columns, paper)]
    return _stacked(grids)


def _gradient(row: Row, shown: Sequence[int]) -> tuple[str, ...]:
    return tuple("" if row.gradient is None else cell(float(row.gradient[k]), 4) for k in shown)


def _cells(row: Row, shown: Sequence[int], hidden: Vector, label: int | None) -> tuple[str, ...]:
    if row.probabilities is None or row.losses is None:
        return ("undefined", *[""] * (len(shown) - 1 + bool(len(hidden)) + (label is not None)))
    p = row.probabilities
    cells = [cell(float(p[k]), 4) for k in shown]
    cells += [cell(float(np.sum(p[hidden])), 4)] if len(hidden) else []
    cells += [cell(float(row.losses[label]), 4)] if label is not None else []
    return tuple(cells)


def _fitting(first: Column, columns: Sequence[Column], paper: Paper) -> Iterator[list[Column]]:
    """The columns in groups that fit next to the first one."""
    group: list[Column] = []
    for column in columns:
        if group and width_of([first, *group, column]) > paper.width:
            yield group
            group = []
        group.append(column)
    yield group


def _styles(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [("bold", "") if row.defined else ("dim", "dim") for row in rows]


def _stacked(grids: Sequence[list[Line]]) -> list[Line]:
    """The tables with an empty line between."""
    lines: list[Line] = []
    for grid in grids:
        lines += [(), *grid] if lines else grid
    return lines


def _is_tiny(row: Row) -> bool:
    return row.probabilities is not None and row.support != int(np.count_nonzero(row.probabilities))

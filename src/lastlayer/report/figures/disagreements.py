"""Figure: the rows on which two mappings disagree most, as bars of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lastlayer.marks import Mark
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.reading import Reading, Row
from lastlayer.words.lists import count_word
from lastlayer.words.names import shorten
from lastlayer.words.numbers import integer, number
from lastlayer.words.printable import clean

WIDTH, LINE, TOP = 310.0, 15.0, 6.0
START, END = 128.0, 266.0
#: Classes of a row that are drawn: the true one, and those with the largest probabilities.
MOST_CLASSES = 4
_NAME = 15


@dataclass(frozen=True)
class Bar:
    """One probability: from START to `end`, at height y."""

    mark: Mark
    y: float
    end: float
    value: str


@dataclass(frozen=True)
class ClassBars:
    """A class with a bar per mapping; `is_true` marks the true class."""

    name: str
    y: float
    is_true: bool
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Bars:
    """The bars of one row."""

    classes: Sequence[ClassBars]
    start: float
    end: float
    bottom: float


def disagreements_figure(reading: Reading) -> Figure | None:
    """One panel per row of the data; None where the results have no such rows."""
    frame = reading.results.disagreements
    if frame.empty:
        return None
    rows = [reading.row(str(frame[name].iloc[0])) for name in ("versus", "mapping")]
    if rows[0] is None or rows[1] is None:
        return None
    pair = (rows[0], rows[1])
    panels = [_panel(reading, pair, int(str(row)), own) for row, own in frame.groupby("row", sort=False)]
    count = f"{count_word(len(panels))} {'row' if len(panels) == 1 else 'rows'}"
    how = (
        f"Probabilities of each row’s true class (in bold) and of the likeliest others, {pair[0].name}’s above {pair[1].name}’s. "
        "Each row was a test row: neither model was trained on it. The row’s number counts the rows of the data from 1."
    )
    title = f"Where {pair[0].name} and {pair[1].name} disagree"
    see = f"The {count} on which {pair[0].name} and {pair[1].name} disagree most: {_see(frame, pair)}"
    return Figure("disagreements", title, see, how, panels, "three")


def _panel(reading: Reading, pair: tuple[Row, Row], row: int, own: pd.DataFrame) -> Panel:
    label, names = int(own["label"].iloc[0]), reading.results.class_names
    own = own.assign(largest=own[["p", "p_versus"]].max(axis=1), is_true=own["class"] == label)
    shown = own.sort_values(["is_true", "largest"], ascending=False, kind="stable").head(MOST_CLASSES)
    classes, y = [], TOP
    for line in shown.to_dict("records"):
        bars = []
        for mapping, p in ((pair[0], float(line["p_versus"])), (pair[1], float(line["p"]))):
            end = START + (END - START) * min(max(p, 0.0), 1.0) if p == p else START
            bars.append(Bar(mapping.mark, y + LINE / 2, round(end, 2), number(p, 2)))
            y += LINE
        name = shorten(clean(names[int(line["class"])]), _NAME)
        classes.append(ClassBars(name, y - LINE, bool(line["is_true"]), bars))
        y += LINE / 2
    title = f"Row {integer(row)}: {shorten(clean(names[label]), 30)}"
    described = "; ".join(f"{c.name}: {c.bars[0].value} and {c.bars[1].value}" for c in classes)
    return Panel(
        kind="bars",
        title=title,
        description=f"{pair[0].name} and {pair[1].name}, {described}",
        width=WIDTH,
        height=y + 2,
        drawing=Bars(classes, START, END, y - LINE / 2),
    )


def _see(frame: pd.DataFrame, pair: tuple[Row, Row]) -> str:
    """Who gives the true class of these rows more."""
    true = frame[frame["class"] == frame["label"]]
    means = [float(true[name].mean()) for name in ("p_versus", "p")]
    first, second = (f"{number(mean, 2)}" for mean in means)
    return f"the true class gets {first} from {pair[0].name} and {second} from {pair[1].name} on average."

"""What each column of the table became."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lastlayer.report.reading import Reading
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.words.lists import plural
from lastlayer.words.names import clipped, shorten_apart
from lastlayer.words.numbers import MISSING, integer
from lastlayer.words.printable import clean

#: Most columns that the page lists: first those that are no plain feature.
MOST_COLUMNS = 60
#: `use` of a column → what the table says.
USES = {
    "feature": "feature",
    "group": "groups the rows",
    "time": "orders the rows",
    "empty": "left out: empty",
    "constant": "left out: constant",
    "duplicate": "left out: a copy",
    "row_numbers": "left out: numbers the rows",
    "dropped": "left out: you asked",
}
_EXAMPLE = 24


def column_table(reading: Reading) -> Table | None:
    """One row per column of the data; None where the results do not say."""
    frame = reading.results.columns
    if frame.empty:
        return None
    if (n_more := len(frame) - MOST_COLUMNS) > 0:
        # A stable sort: within each kind the order of the table.
        plain = (frame["use"] == "feature") & (frame["missing"] == 0)
        frame = frame.loc[plain.sort_values(kind="stable").index[:MOST_COLUMNS]].sort_index()
    names = shorten_apart([clean(name) for name in frame["column"]], 40)
    return Table(
        id="columns",
        caption="What each column became" + (f" ({plural(n_more, 'more column')} not listed)" if n_more > 0 else ""),
        columns=["Used as", "Kind", "Missing", "Distinct", "Example"],
        rows=[(Head(name), _cells(line)) for name, line in zip(names, frame.to_dict("records"), strict=True)],
        note="A feature became that many numeric ones: a category one per value, a text the components of its letters. "
        "Missing: rows without a value. Distinct: different values.",
        corner="Column",
        kind="columns",
    )


def _cells(line: Mapping[Any, Any]) -> list[Cell]:
    encoded, missing, distinct = (int(str(line[name])) for name in ("encoded", "missing", "distinct"))
    use = str(line["use"])
    became = f", became {integer(encoded)}" if use == "feature" and encoded != 1 else ""
    example = clipped(clean(line["example"]), _EXAMPLE) if not pd.isna(line["example"]) else ""
    return [
        Cell(f"{USES.get(use, use)}{became}", is_word=True),
        Cell(str(line["kind"])),
        Cell(integer(missing) if missing else MISSING),
        Cell(integer(distinct)),
        Cell(example, is_word=True),
    ]

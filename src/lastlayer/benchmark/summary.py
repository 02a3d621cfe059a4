"""The benchmarks in short: the figures that other pages and README quote, computed from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lastlayer.benchmark import classifier_fits
from lastlayer.benchmark.markdown import table
from lastlayer.benchmark.record import OURS, Cell, Record
from lastlayer.benchmark.terminal import by_operation
from lastlayer.benchmark.wording import shape
from lastlayer.words.lists import plural
from lastlayer.words.numbers import ratio

#: A softmax of at least this many classes waits for memory, so its ratio to the floor says how good it is.
_MANY_CLASSES = 1000


def summary(
    records: Mapping[str, Record], heads: Iterable[Mapping[str, Any]], fits: Mapping[str, Any] | None
) -> Sequence[str]:
    """Paragraphs and tables, as far as there are records: rows on a CPU, the linear head, the classifier's fit."""
    parts = ["## In short"]
    if records:
        newest = next(iter(records.values()))
        parts += [_RECORDS, _records(records), _rows_text(newest), _rows(newest)]
    for head in heads:
        parts += [_head_text(head), _head(head)]
    if fits is not None:
        parts += [_FITS, _fits(fits)]
    return parts if len(parts) > 1 else []


_RECORDS = """\
**Rows on a CPU**: an operation at a shape is one row of a record. *Ahead* counts the rows in which we are faster than every
peer, by the shortest and by the median of each contender's times."""
_FITS = """\
**The linear classifier**: how many times faster `LastLayerClassifier` reaches the same objective than the fastest of
scikit-learn's solvers, from the least to the most over strengths C and gaps ([every fit](#fitting-the-classifier))."""


def _records(records: Mapping[str, Record]) -> str:
    rows = []
    for record in records.values():
        with_peers = [cell for cell in record.cells if cell.ratios]
        ahead = sum(not cell.is_behind for cell in with_peers)
        by_median = sum(_is_ahead_by_median(cell) for cell in with_peers)
        counts = (len(with_peers), ahead, by_median)
        facts = record.facts
        rows.append([f"{facts['processor']}, {facts['dtype']}", facts["date"], *map(str, counts)])
    return table(["processor, dtype", "recorded", "rows with peers", "ahead", "ahead by medians"], rows)


def _is_ahead_by_median(cell: Cell) -> bool:
    peers = [timing.median for name, timing in cell.timings.items() if name != OURS]
    return cell.timings[OURS].median < min(peers)


def _rows_text(record: Record) -> str:
    return (
        f"On {record.facts['processor']} in {record.facts['dtype']}: our time over the fastest peer's, from the least to the "
        "most over the shapes, and over that of the floor (a copy of the scores, or one read where the result is small) "
        "at 1000 classes and more."
    )


def _rows(record: Record) -> str:
    with_peers = [cells for cells in by_operation(record.cells) if any(cell.ratios for cell in cells)]
    shapes = {cell.shape: shape(cell) for cells in with_peers for cell in cells if cell.shape[1] >= _MANY_CLASSES}
    rows = []
    for cells in with_peers:
        peers = [cell.best_peer[1] for cell in cells if cell.best_peer is not None]
        floors = {cell.shape: ratio(cell.floor_ratio) for cell in cells}
        over_peers = f"{ratio(min(peers))} to {ratio(max(peers))}"
        rows.append([f"`{cells[0].operation}`", over_peers, cells[0].floor, *(floors.get(key, "") for key in shapes)])
    return table(["operation", "/ fastest peer", "floor", *(f"/ floor, {text}" for text in shapes.values())], rows)


def _head_text(record: Mapping[str, Any]) -> str:
    facts = record["facts"]
    where = f"{plural(facts['threads'], 'CPU thread')}" if facts["device"] == "cpu" else facts["device"]
    return (
        f"**The linear head**, forward and backward, on {where}: time over the three matrix products that any method must do, "
        "and memory above the gradients."
    )


def _head(record: Mapping[str, Any]) -> str:
    names = [name for name in dict.fromkeys(n for row in record["rows"] for n in row["seconds"]) if name != "products"]
    rows = []
    for row in record["rows"]:
        base, peak = row["seconds"]["products"]["median"], row["peak_bytes"]
        cells = [
            f"{row['seconds'][name]['median'] / base:.2f}, {_bytes(peak[name])}" if name in row["seconds"] else ""
            for name in names
        ]
        rows.append([f"{' × '.join(map(str, row['shape']))}, {row['dtype']}", *cells])
    return table(["rows × features × classes", *names], rows)


def _bytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _fits(record: Mapping[str, Any]) -> str:
    rows = [
        [problem, str(count), f"{least:.1f} to {most:.1f}"]
        for problem, count, least, most in classifier_fits.ranges(record)
    ]
    return table(["problem", "rows with a peer", "times faster"], rows)

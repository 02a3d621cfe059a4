"""A record as a picture: our time over the fastest peer's and over the floor, one row an operation, one colour a shape."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from lastlayer.benchmark.record import Cell, Record
from lastlayer.benchmark.terminal import by_operation
from lastlayer.benchmark.wording import machine, shape

Shape = tuple[int, int]

INK, GRID, BEHIND = "#333333", "#dddddd", "#fbe9e4"
#: The fastest peer's mark, in the order of the record.
MARKS = ("o", "s", "^", "D", "P", "X", "v")


def svg(record: Record) -> str:
    """The picture as SVG text, the same for the same record and matplotlib; it carries the record's digest."""
    settings: Any = {"svg.hashsalt": "lastlayer", "svg.fonttype": "path", "font.family": "DejaVu Sans"}
    with matplotlib.rc_context(settings):
        text = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": digest(record)}
        draw(record).savefig(text, format="svg", metadata=metadata)
    # Matplotlib ends many lines with blanks.
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def is_current(text: str, record: Record) -> bool:
    """The SVG was drawn from this record by this code. Its bytes may differ from matplotlib to matplotlib."""
    return digest(record) in text


def digest(record: Record) -> str:
    """Of the record and of the code that draws it."""
    content = record.to_json().encode() + Path(__file__).read_bytes()
    return f"sha256 {hashlib.sha256(content).hexdigest()}"


def draw(record: Record) -> Figure:
    """Left the ratio to the fastest peer, right the ratio to the floor; what has no peer is on the right alone."""
    # Those with peers first; the order of the record otherwise.
    operations = sorted(by_operation(record.cells), key=lambda cells: not any(cell.ratios for cell in cells))
    shapes = list(dict.fromkeys(cell.shape for cell in record.cells))
    figure = Figure(figsize=(11.0, 2.4 + 0.34 * len(operations)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, cells in enumerate(operations):
        for cell in cells:
            y = place + _offset(shapes.index(cell.shape), len(shapes))
            colour = _colour(shapes.index(cell.shape), len(shapes))
            if cell.best_peer is not None:
                peer, ratio = cell.best_peer
                left.plot(ratio, y, MARKS[record.peers.index(peer)], color=colour, markersize=5.5, markeredgewidth=0)
            if cell.floor_ratio is not None:
                right.plot(cell.floor_ratio, y, "o", color=colour, markersize=5, markeredgewidth=0)
    _axes(left, "our time / the fastest peer's: left of 1 we are ahead", [row[0] for row in operations])
    _axes(right, "our time / the floor's (a copy of the scores, or one read)", [row[0] for row in operations])
    for place, cells in enumerate(operations):
        if not any(cell.ratios for cell in cells):
            left.text(1, place, "no peer ", ha="right", va="center", fontsize=8, color="#888888", style="italic")
    left.axvspan(1, left.get_xlim()[1], color=BEHIND, linewidth=0, zorder=0)
    left.text(0.99, 1.0, "behind ", transform=left.transAxes, ha="right", va="top", fontsize=9, color=INK)
    figure.legend(handles=_legend(record, shapes), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.suptitle(machine(record), fontsize=9, color=INK)
    return figure


def _axes(axes: Axes, title: str, rows: Sequence[Cell]) -> None:
    """A logarithmic axis with a line at 1, and one band a row."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.09), max(high, 11.0))
    axes.xaxis.set_major_locator(LogLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color=INK, linewidth=1.0, zorder=1)
    axes.grid(axis="x", color=GRID, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for place in range(1, len(rows)):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(rows)), [row.operation for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _legend(record: Record, shapes: Sequence[Shape]) -> list[Line2D]:
    """Colours for shapes, marks for peers."""
    by_shape = {cell.shape: shape(cell) for cell in record.cells}
    colours = [
        Line2D([], [], marker="o", linestyle="", color=_colour(i, len(shapes)), label=by_shape[entry])
        for i, entry in enumerate(shapes)
    ]
    fastest = {cell.best_peer[0] for cell in record.cells if cell.best_peer is not None}
    marks = [
        Line2D([], [], marker=MARKS[place], linestyle="", color="#777777", label=f"{peer} is fastest")
        for place, peer in enumerate(record.peers)
        if peer in fastest
    ]
    return [*colours, *marks]


def _offset(place: int, count: int) -> float:
    """Shapes of one operation lie one below the other within its band."""
    return float(np.linspace(-0.36, 0.36, count)[place]) if count > 1 else 0.0


def _colour(place: int, count: int) -> tuple[float, float, float, float]:
    """Dark for few classes; the yellow end of the map is too light for a white page."""
    return colormaps["viridis"](0.85 * place / max(count - 1, 1))

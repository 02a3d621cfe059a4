"""A record as a picture: our time over the fastest peer's and over the floor, one row per operation, one colour per shape."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
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

FONT = "DejaVu Sans"
INK, GRID, BEHIND = "#333333", "#dddddd", "#fbe9e4"
#: The fastest peer's mark, in the order of the record.
MARKS = ("o", "s", "^", "D", "P", "X", "v")


def svg(record: Record) -> str:
    """The picture as SVG text, the same for the same record and matplotlib; it carries the record's digest."""
    # Text stays text: as outlines of its letters it would take more room than all that is drawn.
    settings: Any = {"svg.hashsalt": "lastlayer", "svg.fonttype": "none", "font.family": FONT}
    with matplotlib.rc_context(settings):
        text = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": digest(record)}
        draw(record).savefig(text, format="svg", metadata=metadata)
    # The text was laid out for this font; where it is missing, Verdana has the same widths.
    drawn = text.getvalue().replace(f"font-family: '{FONT}'", f"font-family: '{FONT}', Verdana, sans-serif")
    # Matplotlib ends many lines with blanks.
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def is_current(text: str, record: Record) -> bool:
    """The SVG was drawn from this record by this code. Its bytes may differ from matplotlib to matplotlib."""
    return digest(record) in text


def digest(record: Record) -> str:
    """A digest of the record and of the code that draws it."""
    content = record.to_json().encode() + Path(__file__).read_bytes()
    return f"sha256 {hashlib.sha256(content).hexdigest()}"


def draw(record: Record) -> Figure:
    """Left the ratio to the fastest peer, right the ratio to the floor; what has no peer is on the right alone."""
    # Those with peers first; the order of the record otherwise.
    operations = sorted(by_operation(record.cells), key=lambda cells: not any(cell.ratios for cell in cells))
    shapes = list(dict.fromkeys(cell.shape for cell in record.cells))
    figure = Figure(figsize=(11.0, 2.4 + 0.34 * len(operations)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    # Marker and shape → points (ratio, y): marks that look alike are drawn together.
    beside_peers: defaultdict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    over_floor: defaultdict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for place, cells in enumerate(operations):
        for cell in cells:
            i = shapes.index(cell.shape)
            y = place + _offset(i, len(shapes))
            if cell.best_peer is not None:
                peer, ratio = cell.best_peer
                beside_peers[MARKS[record.peers.index(peer)], i].append((ratio, y))
            if cell.floor_ratio is not None:
                over_floor["o", i].append((cell.floor_ratio, y))
    for axes, marks, size in ((left, beside_peers, 5.5), (right, over_floor, 5.0)):
        for (marker, i), points in marks.items():
            options: Any = {"color": _colour(i, len(shapes)), "markersize": size, "markeredgewidth": 0}
            axes.plot(*zip(*points, strict=True), marker, **options)
    _axes(left, "our time / the fastest peer's: left of 1 we are ahead", [row[0] for row in operations])
    _axes(right, "our time / the floor's (a copy of the scores, or one read)", [row[0] for row in operations])
    for place, cells in enumerate(operations):
        if not any(cell.ratios for cell in cells):
            _text_left_of(left, "no peer", (1, place), "data", va="center", fontsize=8, color="#888888", style="italic")
    left.axvspan(1, left.get_xlim()[1], color=BEHIND, linewidth=0, zorder=0)
    _text_left_of(left, "behind", (1.0, 1.0), "axes fraction", va="top", fontsize=9, color=INK)
    figure.legend(handles=_legend(record, shapes), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.suptitle(machine(record), fontsize=9, color=INK)
    return figure


def _text_left_of(axes: Axes, text: str, place: tuple[float, float], coordinates: Any, **style: Any) -> None:
    """A text that ends a few points left of `place`; SVG drops the blank that would keep it apart."""
    axes.annotate(text, place, (-5, 0), xycoords=coordinates, textcoords="offset points", ha="right", **style)


def _axes(axes: Axes, title: str, rows: Sequence[Cell]) -> None:
    """A logarithmic axis with a line at 1, and one band per row."""
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

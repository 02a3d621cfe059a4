"""The table of a comparison, one row per mapping, cut to the width of the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lastlayer.comparison import Comparison, Row
from lastlayer.words.numbers import cell

#: A vector over the classes, one number, text, or nothing.
Cell = list[float] | float | str | None


@dataclass(frozen=True)
class Layout:
    """How many classes are shown, with how many decimals, and which quantities share a table."""

    classes: int
    decimals: int
    tables: tuple[tuple[str, ...], ...]


def fitting_tables(comparison: Comparison, console: Console) -> list[Table]:
    """The first layout that fits: one table if possible, then one a quantity, then fewer classes."""
    tables: list[Table] = []
    # Measured without the terminal's limit, which would clip the answer.
    unlimited = console.options.update(max_width=100_000)
    for layout in _layouts(comparison):
        tables = [_table(comparison, columns, layout) for columns in layout.tables]
        if all(Measurement.get(console, unlimited, table).maximum <= console.width for table in tables):
            break
    return tables


def _layouts(comparison: Comparison) -> Iterator[Layout]:
    classes = len(comparison.reached)
    per_class = ("probabilities", "entropy", "support")
    loss = ("loss", "gradient") if comparison.question.label is not None else ("loss if true",)
    together = ((per_class[0], *loss, *per_class[1:]),)
    apart = (per_class, loss)
    for tables in (together, apart):
        for decimals in (4, 3):
            yield Layout(classes, decimals, tables)
    for shown in range(classes - 1, 0, -1):
        yield Layout(shown, 3, apart)


def _table(comparison: Comparison, columns: Sequence[str], layout: Layout) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        header_style="dim",
        collapse_padding=True,
    )
    table.add_column("mapping", no_wrap=True, vertical="bottom")
    content = [[_entry(row, column, comparison.question.label) for row in comparison.rows] for column in columns]
    cells = [_aligned(column, numbers, layout) for column, numbers in zip(columns, content, strict=True)]
    for heading, _ in cells:
        table.add_column(
            Text(heading),
            no_wrap=True,
            vertical="bottom",
            justify="right" if "\n" not in heading else "left",
        )
    for i, row in enumerate(comparison.rows):
        name = Text(row.name, style="bold" if row.defined else "dim")
        table.add_row(
            name,
            *(Text(lines[i], style="" if row.defined else "dim") for _, lines in cells),
        )
    return table


def _entry(row: Row, column: str, label: int | None) -> Cell:
    """What a row says in a column."""
    if row.probabilities is None or row.losses is None:
        return "undefined" if column == "probabilities" else None
    entries: dict[str, Cell] = {
        "probabilities": row.probabilities.tolist(),
        "loss if true": row.losses.tolist(),
        "loss": None if label is None else float(row.losses[label]),
        "gradient": None if row.gradient is None else row.gradient.tolist(),
        "entropy": row.entropy,
        "support": str(row.support),
    }
    return entries[column]


def _aligned(heading: str, content: list[Cell], layout: Layout) -> tuple[str, list[str]]:
    """The heading and the lines of a column; vectors as numbers under the index of their class."""
    vectors = [entry for entry in content if isinstance(entry, list)]
    hidden = len(vectors[0]) - layout.classes if vectors else 0
    texts = [[cell(x, layout.decimals) for x in vector[: layout.classes]] for vector in vectors]
    heads = [str(k) for k in range(layout.classes)] if vectors else []
    widths = [max(len(head), *(len(text[k]) for text in texts)) for k, head in enumerate(heads)]

    def line(parts: Sequence[str], end: str) -> str:
        return " ".join(part.rjust(width) for part, width in zip(parts, widths, strict=True)) + end

    def shown(entry: Cell) -> str:
        if isinstance(entry, list):
            return line([cell(x, layout.decimals) for x in entry[: layout.classes]], " …" if hidden else "")
        return cell(entry, layout.decimals) if isinstance(entry, float) else entry or ""

    indices = f"\n{line(heads, f' +{hidden} more' if hidden else '')}" if vectors else ""
    return heading + indices, [shown(entry) for entry in content]

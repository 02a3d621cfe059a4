"""The run as a terminal shows it: a table per operation that has peers, and one for those that have none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lastlayer.benchmark.record import OURS, Cell, Record
from lastlayer.benchmark.wording import machine, milliseconds, refusals, shape, versions
from lastlayer.words.numbers import ratio, two_digits

LEGEND = (
    "A peer's column is our time over its time: below 1 we are ahead; ! marks a row where we are behind. floor is our "
    "time over a copy of the scores, or over one read of them for logsumexp and the loss alone. Errors are the largest on "
    "random, wide (±100) and confident rows."
)
#: The width from which on columns are aligned, and the longest name of an operation with peers.
ROOMY, LONGEST = 90, len("cross_entropy_grad_fresh")


class TerminalBenchmark:
    """A rich renderable."""

    def __init__(self, record: Record) -> None:
        """Show this record."""
        self._record = record

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Facts, tables, and how to read them."""
        record = self._record
        yield Text(machine(record))
        yield Text(versions(record), style="dim")
        for line in record.left_out:
            yield Text(line, style="yellow")
        alone: list[list[Cell]] = []
        for cells in by_operation(record.cells):
            if any(cell.ratios for cell in cells):
                yield ""
                yield self._over_peers(cells, options.max_width)
                yield Text(self._errors(cells[0].operation), style="dim")
            else:
                alone.append(cells)
        if alone:
            yield from self._without_peers(alone, options.max_width)
        for line in refusals(record):
            yield Text(line, style="bold red")
        yield ""
        yield Text(LEGEND, style="dim")

    def _over_peers(self, cells: Sequence[Cell], width: int) -> Table:
        """One row per shape; the columns of all tables line up where there is room."""
        peers = [name for name in self._record.peers if any(name in cell.timings for cell in cells)]
        table = _table(cells[0].operation, LONGEST if width > ROOMY else 0)
        for heading in ("ms", "floor", *peers):
            table.add_column(heading, justify="right", no_wrap=True, min_width=7 if width > ROOMY else 0)
        table.add_column("")
        for cell in cells:
            ratios = (_ratio(cell.ratios.get(name)) for name in peers)
            mark = Text("!" if cell.is_behind else "", style="bold red")
            table.add_row(shape(cell), milliseconds(cell), ratio(cell.floor_ratio), *ratios, mark)
        return table

    def _errors(self, operation: str) -> str:
        computes = operation.removesuffix("_fresh")
        found = {name: self._record.largest_error(computes, name) for name in (OURS, *self._record.peers)}
        shown = [f"{name} {two_digits(value[0])}" for name, value in found.items() if value is not None]
        unit = next((value[1] for value in found.values() if value is not None), "")
        return f"  error, {unit}: {', '.join(shown)}" if shown else ""

    def _without_peers(self, operations: Sequence[list[Cell]], width: int) -> Iterator[Table | str]:
        """One row per operation, one column per shape, in as many tables as the width needs."""
        shapes = list(dict.fromkeys(cell.shape for cells in operations for cell in cells))
        name_width = max(len(cells[0].operation) for cells in operations)
        fitting = max(1, (width - name_width - 9) // 13)
        for start in range(0, len(shapes), fitting):
            table = _table("no peer: time over floor", name_width)
            for entry in shapes[start : start + fitting]:
                table.add_column("×".join(map(str, entry)), justify="right", no_wrap=True)
            table.add_column("error", justify="right", no_wrap=True)
            for cells in operations:
                at = {cell.shape: cell.floor_ratio for cell in cells}
                found = self._record.largest_error(cells[0].operation.removesuffix("_fresh"), OURS)
                worst = "" if found is None else two_digits(found[0])
                table.add_row(cells[0].operation, *(ratio(at.get(s)) for s in shapes[start : start + fitting]), worst)
            yield ""
            yield table


def by_operation(cells: Iterable[Cell]) -> list[list[Cell]]:
    """The cells of each operation together, in the order of the run."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.operation, []).append(cell)
    return list(groups.values())


def _table(heading: str, width: int = 0) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", collapse_padding=True)
    table.add_column(Text(heading, style="bold"), no_wrap=True, min_width=max(width, 12))
    return table


def _ratio(value: float | None) -> Text:
    return Text(ratio(value), style="bold red" if value is not None and value > 1 else "")

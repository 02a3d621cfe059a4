"""Records as Markdown, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lastlayer.benchmark.markdown import table
from lastlayer.benchmark.record import OURS, Cell, Record
from lastlayer.benchmark.terminal import by_operation
from lastlayer.benchmark.wording import machine, milliseconds, refusals, shape, versions
from lastlayer.words.numbers import ratio, three_digits, two_digits

METHOD = """\
Every contender computes on the same scores; those that can write into a buffer (lastlayer, torch, ONNX Runtime) write into
the same one, and an operation whose name ends in `_fresh` returns a new array. SciPy and JAX always do, and torch's gradient
too. Before anything is timed, every result is compared with float64; a wrong one is named here and not timed. Then the
contenders take turns, with a rest before each turn, and a contender's time is the shortest of its calls: whatever else
runs on a machine only adds time.

The floor is what any method must do: a copy of the scores into the buffer, or one read of them where the result is small
(`logsumexp`, `cross_entropy`), in the fastest of several ways, with the same number of threads. The ratio to the floor can
fall below 1 where no way at hand moves memory as fast as the kernel.

Ratios are our time over the peer's: below 1 we are ahead, **bold** where we are behind."""

ERRORS = """\
The largest error on 32 rows of five classes of each kind: random (normal scores), wide (within ±100) and confident (one score
leads by 12 to 40, among them 0, −17, −18, −19, −20), against arbitrary precision. For a loss with its gradient, the larger of
the two. The unit is ULP of each value; where a mapping promises a share of the row's largest probability (sparsemax, entmax,
hardmax), eps of that probability, and eps of max(1, loss) for the loss. ∞: not a number, or
infinite where the truth is not. JAX's CPU backend rounds subnormal results to zero, which in float32 is up to 8e6 ULP."""


def page(records: Mapping[str, Record], summary: Sequence[str] = ()) -> str:
    """docs/benchmarks.md: the summary, how it is measured, then each record with its figure.

    Keys are the records' file names.
    """
    parts = [
        "# Benchmarks",
        "Rendered from "
        + ", ".join(f"`benchmarks/results/{name}.json`" for name in records)
        + " by `python docs/render.py`; `make bench` records and renders again, `lastlayer bench` runs without recording.",
        *summary,
        "## How it is measured",
        METHOD,
        *(part for name, record in records.items() for part in _section(name, record, _heading(record, records))),
    ]
    return "\n\n".join(parts) + "\n"


def figure_name(name: str) -> str:
    """The file next to the page that holds a record's figure."""
    return f"benchmarks-{name}.svg"


def _heading(record: Record, records: Mapping[str, Record]) -> str:
    """The dtype, and the processor where several were measured in it."""
    dtype = record.facts["dtype"]
    is_only = sum(other.facts["dtype"] == dtype for other in records.values()) == 1
    return str(dtype) if is_only else f"{dtype}, {record.facts['processor']}"


def _section(name: str, record: Record, heading: str) -> Iterable[str]:
    operations = by_operation(record.cells)
    behind = [cell for cell in record.cells if cell.is_behind]
    with_peers = [cell for cell in record.cells if cell.ratios]
    yield f"## {heading}"
    yield f"{machine(record)}.\n\n{versions(record)}."
    yield f"![Our time over the fastest peer's and over the floor]({figure_name(name)})"
    yield (
        f"Of {len(with_peers)} rows with peers, the fastest peer is ahead of us in {len(behind)}."
        + (" Behind: " + "; ".join(_behind(cell) for cell in behind) + "." if behind else "")
    )
    if record.left_out or refusals(record):
        yield "\n".join(f"- {line}" for line in (*record.left_out, *refusals(record)))
    for cells in operations:
        if any(cell.ratios for cell in cells):
            yield f"### {cells[0].operation}\n\n{_over_peers(record, cells)}"
    alone = [cells for cells in operations if not any(cell.ratios for cell in cells)]
    if alone:
        yield f"### Without a peer: our time over the floor\n\n{_without_peers(alone)}"
    yield f"### The floors\n\nMilliseconds, and gigabytes of scores a second.\n\n{_floors(record)}"
    if record.errors:
        yield f"### Errors\n\n{ERRORS}\n\n{_errors(record)}"


def _behind(cell: Cell) -> str:
    peer, value = cell.best_peer or ("", 0.0)
    return f"{cell.operation} at {shape(cell)} ({ratio(value)} × {peer})"


def _over_peers(record: Record, cells: Sequence[Cell]) -> str:
    peers = [name for name in record.peers if any(name in cell.timings for cell in cells)]
    rows = [
        [shape(cell), milliseconds(cell), ratio(cell.floor_ratio), *(_ratio(cell.ratios.get(name)) for name in peers)]
        for cell in cells
    ]
    return table(["rows × classes", "ms", f"/ {cells[0].floor}", *(f"/ {name}" for name in peers)], rows)


def _ratio(value: float | None) -> str:
    return f"**{ratio(value)}**" if value is not None and value > 1 else ratio(value)


def _without_peers(operations: Sequence[Sequence[Cell]]) -> str:
    shapes = {cell.shape: shape(cell) for cells in operations for cell in cells}
    rows = []
    for cells in operations:
        at = {cell.shape: ratio(cell.floor_ratio) for cell in cells}
        rows.append([f"`{cells[0].operation}`", *(at.get(entry, "") for entry in shapes)])
    return table(["", *shapes.values()], rows)


def _floors(record: Record) -> str:
    """The lowest of each kind at each shape, over all cells."""
    width = {"float32": 4, "float64": 8}[record.facts["dtype"]]
    rows = []
    for entry in dict.fromkeys(cell.shape for cell in record.cells):
        cells = [cell for cell in record.cells if cell.shape == entry]
        row = [shape(cells[0])]
        for kind in ("copy", "read"):
            ways = [(timing.best, way) for cell in cells if cell.floor == kind for way, timing in cell.floors.items()]
            if not ways:
                row += ["", "", ""]
                continue
            seconds, way = min(ways)
            speed = entry[0] * entry[1] * width / seconds / 1e9
            row += [three_digits(seconds * 1e3), three_digits(speed), way.partition(", ")[2]]
        rows.append(row)
    return table(["rows × classes", "copy, ms", "GB/s", "by", "read, ms", "GB/s", "by"], rows)


def _errors(record: Record) -> str:
    contenders = [OURS, *record.peers]
    rows = []
    for computes, kind, unit in dict.fromkeys((entry.computes, entry.rows, entry.unit) for entry in record.errors):
        found = [record.largest_error(computes, name, kind) for name in contenders]
        rows.append([f"`{computes}`", kind, unit, *("" if value is None else two_digits(value[0]) for value in found)])
    return table(["operation", "rows", "unit", *contenders], rows)

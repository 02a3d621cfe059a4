"""Facts of a record in words, the same in the terminal and on the page."""

from __future__ import annotations

from lastlayer.benchmark.record import OURS, Cell, Record
from lastlayer.words.lists import plural
from lastlayer.words.numbers import three_digits


def shape(cell: Cell) -> str:
    """Rows × classes."""
    return "×".join(map(str, cell.shape))


def milliseconds(cell: Cell) -> str:
    """Our time, to three digits."""
    return three_digits(cell.timings[OURS].best * 1e3) if OURS in cell.timings else "refused"


def machine(record: Record) -> str:
    """Where the times come from."""
    facts = record.facts
    kernels = str(facts["native_kernels"]).partition(":")[0]
    threads = plural(facts["threads"], "thread")
    return (
        f"{facts['dtype']}, {threads} on {facts['cores']} cores, {facts['processor']}, "
        f"native kernels: {kernels}, {facts['date']}"
    )


def versions(record: Record) -> str:
    """What was measured."""
    return ", ".join(f"{name} {version}" for name, version in record.facts["versions"].items())


def refusals(record: Record) -> list[str]:
    """One line for each wrong result."""
    return [
        f"{name} is wrong and was not timed at {shape(cell)}, {cell.operation}: {fault}"
        for cell in record.cells
        for name, fault in cell.refused.items()
    ]

"""Numbers and facts of a record in words, the same in the terminal and on the page."""

from __future__ import annotations

from lastlayer.benchmark.record import OURS, Cell, Record


def shape(cell: Cell) -> str:
    """Rows × classes."""
    return "×".join(map(str, cell.shape))


def milliseconds(cell: Cell) -> str:
    """Our time, to three digits."""
    return significant(cell.timings[OURS].best * 1e3) if OURS in cell.timings else "refused"


def ratio(value: float | None) -> str:
    """A ratio of times to two digits after the point, fewer where it is large.

    >>> [ratio(x) for x in (0.094, 1.88, 23.4, 410.0, None)]
    ['0.09', '1.88', '23', '410', '']
    """
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def error(value: float) -> str:
    """An error to two digits; large ones as a power of ten.

    >>> [error(x) for x in (0.513, 56.2, 1.2e7, float("inf"))]
    ['0.51', '56', '1e7', '∞']
    """
    if value == float("inf"):
        return "∞"
    if value >= 10_000:
        mantissa, _, exponent = f"{value:.0e}".partition("e+")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2f}" if value < 1 else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def significant(value: float) -> str:
    """Three digits.

    >>> [significant(x) for x in (0.01234, 5.678, 1234.5)]
    ['0.0123', '5.68', '1234']
    """
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def machine(record: Record) -> str:
    """Where the times come from."""
    facts = record.facts
    kernels = str(facts["native_kernels"]).partition(":")[0]
    threads = f"{facts['threads']} thread{'s' * (facts['threads'] > 1)}"
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

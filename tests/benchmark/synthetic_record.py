"""A record with times that are easy to divide."""

from __future__ import annotations

from lastlayer.benchmark import Cell, LargestError, Record, Timing


def timing(best: float) -> Timing:
    return Timing(best, best * 1.5, 7)


def cell(operation: str, shape: tuple[int, int], floors: dict[str, float], **seconds: float) -> Cell:
    kind = next(iter(floors)).partition(",")[0]
    timings = {name: timing(value) for name, value in seconds.items()}
    return Cell(shape, operation, kind, {way: timing(value) for way, value in floors.items()}, timings, {})


def synthetic_record() -> Record:
    copies, reads = {"copy, one thread": 0.002, "copy, threads": 0.001}, {"read, one thread": 0.0005}
    wrong = Cell(
        (8, 3), "log_softmax", "copy", {"copy, one thread": timing(1.0)}, {"lastlayer": timing(2.0)}, {"jax": "no"}
    )
    return Record(
        facts={
            "date": "2026-01-02",
            "machine": "x86_64",
            "system": "Linux",
            "processor": "A Processor",
            "cores": 2,
            "native_kernels": "avx2",
            "implementations": [],
            "threads": 2,
            "dtype": "float32",
            "seconds_per_cell": 1.0,
            "versions": {"lastlayer": "0.1.0", "torch": "2", "scipy": "1", "jax": "3"},
        },
        left_out=("entmax is not installed: left out; pip install entmax",),
        cells=(
            cell("softmax", (65536, 10), copies, lastlayer=0.003, torch=0.006, scipy=0.03),
            cell("softmax", (256, 128256), copies, lastlayer=0.004, torch=0.002, scipy=0.04),
            cell("logsumexp", (65536, 10), reads, lastlayer=0.001, torch=0.004),
            wrong,
            cell("ratio", (65536, 10), copies, lastlayer=0.0005),
            cell("ratio", (256, 128256), copies, lastlayer=0.25),
        ),
        errors=(
            LargestError("softmax", "lastlayer", "random", "values", "ULP", 0.5),
            LargestError("softmax", "lastlayer", "wide", "values", "ULP", 1.25),
            LargestError("softmax", "torch", "random", "values", "ULP", float("inf")),
        ),
    )

"""One of the processes of tests/torch_head/test_shards.py: `python shards_worker.py RANK SIZE FOLDER [all]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import processes
import shards_cases
import shards_costs
import shards_faults


def work(size, is_all):
    yield "losses", lambda: shards_cases.losses(size, is_all)
    if size in (2, 4) or is_all:
        yield "edges", lambda: shards_cases.edges(size)
        yield "statistics", lambda: shards_cases.statistics(size)
    if size == 2:
        yield "mismatches", shards_faults.mismatches
        yield "derivatives", shards_faults.derivatives
        yield "wrapped", shards_faults.wrapped
        yield "bytes", shards_costs.sent_bytes
        yield "mutants", shards_faults.mutants
        yield "late", shards_faults.late
    if size == 4:
        yield "memory", shards_costs.memory
        yield "plans", shards_costs.plans
    if size == 3:
        yield "killed", shards_faults.killed


def main(size, write):
    found, seconds = {}, {}
    for name, run in work(size, sys.argv[4:] == ["all"]):
        started = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - started
    found = {**found, "seconds": seconds}
    if size != 3:
        return found
    # The last one has ended, so nobody can wait for all.
    write(found)
    return None


if __name__ == "__main__":
    processes.work(main)

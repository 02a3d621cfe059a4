"""One of the processes of tests/torch_head/test_shards.py: `python shards_worker.py RANK SIZE FOLDER [all]`."""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import shards_cases
import shards_costs
import shards_faults
import torch
import torch.distributed as dist


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


def main(rank, size, folder, is_all):
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=size,
        timeout=datetime.timedelta(seconds=300),
    )
    found, seconds = {}, {}
    for name, run in work(size, is_all):
        started = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - started
    Path(folder, f"{rank}.json").write_text(json.dumps({**found, "seconds": seconds}))
    if size != 3:
        # Neither process takes its connections down while another still uses them.
        dist.barrier()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:] == ["all"])
    # As in sharded_worker.py: threads of gloo may outlive the group.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

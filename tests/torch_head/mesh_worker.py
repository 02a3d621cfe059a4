"""One of the four processes of tests/torch_head/test_mesh.py: `python mesh_worker.py RANK SIZE FOLDER`."""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import mesh_cases
import mesh_company
import mesh_faults
import mesh_teachers
import torch
import torch.distributed as dist


def main(rank, size, folder):
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    dist.init_process_group(
        "gloo", init_method=store, rank=rank, world_size=size, timeout=datetime.timedelta(seconds=100)
    )
    mesh, line = mesh_faults.meshes()
    work = {
        "losses": lambda: mesh_cases.losses(mesh),
        "statistics": lambda: mesh_cases.statistics(mesh),
        "line": lambda: mesh_cases.of_a_line(line),
        "teachers": lambda: mesh_teachers.losses(mesh, line),
        "uneven": lambda: mesh_cases.uneven(mesh),
        "bytes": lambda: mesh_cases.sent_bytes(mesh),
        "fsdp": lambda: mesh_company.under_fsdp(mesh),
        "others": lambda: mesh_company.distributed_module(line),
        "usual": lambda: mesh_company.data_parallel_body(line),
        "refused": lambda: mesh_faults.refused(mesh, line),
        "refused by one": lambda: mesh_faults.refused_by_one(mesh, line),
        "differing": lambda: mesh_faults.differing(mesh, line),
    }
    found, seconds = {}, {}
    for name, run in work.items():
        started = time.perf_counter()
        found[name] = run()
        seconds[name] = time.perf_counter() - started
    results = Path(folder, f"{rank}.json")
    results.write_text(json.dumps({**found, "seconds": seconds}))
    # The last one ends here.
    found["killed"] = mesh_faults.killed(mesh)
    results.write_text(json.dumps({**found, "seconds": seconds}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    # As in sharded_worker.py: threads of gloo may outlive the group.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

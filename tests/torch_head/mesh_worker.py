"""One of the four processes of tests/torch_head/test_mesh.py: `python mesh_worker.py RANK SIZE FOLDER`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import mesh_cases
import mesh_company
import mesh_faults
import mesh_teachers
import processes


def main(size, write):
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
    write({**found, "seconds": seconds})
    # The last one ends here.
    found["killed"] = mesh_faults.killed(mesh)
    write({**found, "seconds": seconds})


if __name__ == "__main__":
    processes.work(main, timeout=100)

"""Processes of a test's worker: how a test starts them and reads what they found, and the frame of a worker."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist


def finish(worker, of_rank, size, timeout=600.0):
    """Start `size` processes of a worker, rank r with the arguments `of_rank(r)`, and see all of them end well."""
    # The loopback interface, since gloo looks up the machine's name otherwise; and no messages of transformers.
    setting = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, str(Path(__file__).with_name(worker))]
    started = [
        subprocess.Popen(
            [*command, *map(str, of_rank(rank))],
            env=setting,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * size, "\n".join(outputs)


def found_by_all(worker, folder, size, *more, timeout=600.0):
    """What each process wrote: `python WORKER RANK SIZE FOLDER …`. One that ended without a word is left out."""
    finish(worker, lambda rank: (rank, size, folder, *more), size, timeout)
    paths = [path for path in (folder / f"{rank}.json" for rank in range(size)) if path.exists()]
    assert len(paths) >= max(1, size - 1)
    return [json.loads(path.read_text()) for path in paths]


def found_by_two(worker, folder, timeout=300.0):
    """What the first of two processes wrote: `python WORKER RANK STORE RESULTS`."""
    finish(worker, lambda rank: (rank, folder / "store", folder / "results.json"), 2, timeout)
    return json.loads((folder / "results.json").read_text())


def work(run, timeout=300):
    """The frame of a worker `RANK SIZE FOLDER …`: join the group, write what `run(size, write)` returns, and end.

    `run` may call `write` with what it has found so far. If it returns None, nothing more is written and nobody is waited for.
    """
    rank, size, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=size,
        timeout=datetime.timedelta(seconds=timeout),
    )

    def write(found):
        Path(folder, f"{rank}.json").write_text(json.dumps(found))

    found = run(size, write)
    if found is not None:
        write(found)
        # No process takes its connections down while another still uses them.
        dist.barrier()
        dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    # As in sharded_worker.py: threads of gloo may outlive the group.
    os._exit(0)

"""Two processes of a test's worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def found_by_two(worker: str, folder: Path, timeout: float = 300.0):
    """What the first of two processes of a worker in this folder wrote as JSON."""
    # The loopback interface, since gloo looks up the machine's name otherwise; and no messages of transformers.
    setting = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, str(Path(__file__).with_name(worker))]
    started = [
        subprocess.Popen(
            [*command, str(rank), str(folder / "store"), str(folder / "results.json")],
            env=setting,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], "\n".join(outputs)
    return json.loads((folder / "results.json").read_text())

"""Workers of a study: gone when it is killed, and told of when one of them is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from lastlayer.study import StudyError, run_study

SCRIPT = """
import sys
from lastlayer.study import run_study
run_study("digits", out=sys.argv[1], folds=5, repeats=20, jobs=2, C=1.0, mappings="sparsemax")
"""


def children(parent: int) -> set[int]:
    """The processes whose parent it is; zombies are none."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            found.add(int(folder.name))
    return found


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes, which Linux has")
def test_a_killed_study_leaves_no_worker(tmp_path: Path) -> None:
    study = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    # With twelve fits done each worker has begun one, and from then on it watches its study.
    while len(list(tmp_path.glob("*/fits/*/*.parquet"))) < 12 and study.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = children(study.pid)
    assert len(workers) >= 2
    study.send_signal(signal.SIGKILL)
    study.wait()
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [worker for worker in workers if is_running(worker)] == []


def test_a_worker_that_was_stopped_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        def run(calls: object) -> object:
            raise BrokenProcessPool("terminated")

        return run

    monkeypatch.setattr("lastlayer.study.make_fits.Parallel", broken)
    with pytest.raises(StudyError, match=r"Worker processes were stopped .* Use fewer --jobs"):
        run_study("iris", out=tmp_path, folds=2, repeats=1, C=1.0, mappings="softmax")

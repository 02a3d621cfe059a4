"""What tests of several folders share: code in a Python of its own, and work from many threads at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

#: Whether the longer searches run too, as `make nightly` asks: more cases of what every run tries in fewer.
IS_NIGHTLY = os.environ.get("LASTLAYER_NIGHTLY") == "1"


def run_python(code: str, is_checked: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new Python, under these environment variables in addition to ours; raise where it fails, if checked."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=is_checked,
        timeout=600,
        env={**os.environ, **environment},
    )


def from_many_threads(is_right: Callable[[], bool]) -> bool:
    """Whether something holds twenty times in each of four threads that run at once."""
    wrong: list[int] = []

    def work() -> None:
        for i in range(20):
            if not is_right():
                wrong.append(i)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return not wrong

"""A worker process ends when the study that started it is gone: a killed one could not stop its workers."""

from __future__ import annotations

import os
import threading
import time
from functools import cache

#: Seconds between two looks at the parent.
_EVERY = 0.5


@cache
def leave_with(study: int) -> None:
    """Where this process is a child of the process `study`, end it soon after that one; once is enough.

    Does nothing in the study's own process and in workers that somebody else started, as Dask's.
    """
    if os.getppid() == study:
        threading.Thread(target=_wait, args=(study,), name="lastlayer-study-parent", daemon=True).start()


def _wait(study: int) -> None:
    # An orphan gets another parent.
    while os.getppid() == study:
        time.sleep(_EVERY)
    # At once: a fit that is half written is a temporary file that nothing reads.
    os._exit(1)

"""The surroundings of a fit: a worker process ends with the study that started it, and expected warnings stay silent."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sklearn.exceptions import ConvergenceWarning

#: Seconds between two looks at the parent.
_EVERY = 0.5


@cache
def leave_with(study: int) -> None:
    """If this process is a child of the process `study`, end it soon after that one ends; one call is enough.

    Does nothing in the study's own process and in workers that somebody else started, such as Dask's.
    """
    if os.getppid() == study:
        threading.Thread(target=_wait, args=(study,), name="lastlayer-study-parent", daemon=True).start()


def _wait(study: int) -> None:
    # An orphan gets another parent.
    while os.getppid() == study:
        time.sleep(_EVERY)
    # At once: a fit that is half written is a temporary file that nothing reads.
    os._exit(1)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what did not converge (a study counts it and says so) and categories or dates seen in test rows alone.

    Does nothing off the main thread: warning filters belong to the whole process, and threads would leave each other's behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module=r"(sklearn|skrub)\b")
        yield

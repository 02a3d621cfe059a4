"""Without the warnings that a study expects and answers itself."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sklearn.exceptions import ConvergenceWarning


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

"""One thread per block: the blocks of rows are shared among threads already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import ThreadpoolController

from lastlayer.backends import num_threads
from lastlayer.functions import set_num_threads


class _Limit:
    """The limit of a process: whoever comes first sets it, and whoever leaves last takes it away."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._restore: Callable[[], None] = lambda: None

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._restore = _limited()
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._restore()


_LIMIT = _Limit()


@contextmanager
def one_thread_per_block() -> Iterator[None]:
    """While it lasts, matrix products (BLAS) and our kernels use one thread each; `for_each_block` runs several of them.

    Several threads may be inside at a time, and leave in any order.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


def _limited() -> Callable[[], None]:
    """Limit all thread pools; what restores them."""
    threads = num_threads()
    # Looked for each time, in 10 ms: a BLAS may have been loaded since the last time.
    limits = ThreadpoolController().limit(limits=1, user_api="blas")
    set_num_threads(1)

    def restore() -> None:
        set_num_threads(threads)
        limits.restore_original_limits()

    return restore

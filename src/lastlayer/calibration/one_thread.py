"""One thread per block: the blocks of rows are shared among threads already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

from lastlayer.backends import num_threads
from lastlayer.functions import set_num_threads


@contextmanager
def one_thread_per_block() -> Iterator[None]:
    """While it lasts, matrix products (BLAS) and our kernels use one thread each; `for_each_block` runs several of them."""
    before = num_threads()
    with _controller().limit(limits=1, user_api="blas"):
        set_num_threads(1)
        try:
            yield
        finally:
            set_num_threads(before)


@cache
def _controller() -> ThreadpoolController:
    """The thread pools of this process; looking for them takes 10 ms."""
    return ThreadpoolController()

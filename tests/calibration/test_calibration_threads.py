"""One thread per block while anybody computes, and all threads again when the last one has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from calibrated_data import planted
from threadpoolctl import threadpool_info, threadpool_limits

import lastlayer as ll
from lastlayer.backends import num_threads
from lastlayer.calibration.one_thread import one_thread_per_block
from lastlayer.evaluation import evaluate_scores


def of_blas() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def _two_threads() -> Iterator[None]:
    before = num_threads()
    ll.set_num_threads(2)
    with threadpool_limits(limits=2, user_api="blas"):
        yield
    ll.set_num_threads(before)


def test_whoever_leaves_last_restores() -> None:
    before, kernels = of_blas(), num_threads()
    assert set(before) == {2}
    first, second = one_thread_per_block(), one_thread_per_block()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(of_blas()) == {1}
    assert num_threads() == 1
    second.__exit__(None, None, None)
    assert (of_blas(), num_threads()) == (before, kernels)


def test_an_error_restores() -> None:
    before, kernels = of_blas(), num_threads()
    with pytest.raises(KeyError), one_thread_per_block():
        raise KeyError
    assert (of_blas(), num_threads()) == (before, kernels)


def test_a_library_that_is_loaded_later_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    from lastlayer.calibration import one_thread

    with one_thread_per_block():
        pass
    seen = []

    class Loaded(one_thread.ThreadpoolController):
        def __init__(self) -> None:
            super().__init__()
            seen.append(len(self.lib_controllers))

    monkeypatch.setattr(one_thread, "ThreadpoolController", Loaded)
    with one_thread_per_block():
        assert len(seen) == 1, "the libraries are looked for again"


def test_four_threads_that_evaluate_leave_all_threads() -> None:
    before, kernels = of_blas(), num_threads()
    failed: list[BaseException] = []

    def evaluate(seed: int) -> None:
        try:
            evaluate_scores(*planted(200 * (1 + seed), 3, seed=seed), maps=["temperature", "vector"])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=evaluate, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert (of_blas(), num_threads()) == (before, kernels)
    assert np.all(np.array(before) == 2)

"""A study on a cluster of two Dask workers: the same bits, the table sent once, and a lost worker costs its fits only."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from lastlayer.study import StudyResults, run_study

OPTIONS: dict[str, Any] = {"mappings": ["sparsemax"], "folds": 3, "repeats": 2, "C": 0.1}
TIMES = ["fit_seconds", "search_seconds"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    # A machine with other work on it takes long to start workers.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, timeout=120) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        yield client


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return run_study("digits", out=tmp_path_factory.mktemp("serial"), jobs=1, **OPTIONS)


def assert_same(one: StudyResults, other: StudyResults) -> None:
    """Equal to the last bit, times aside."""
    pd.testing.assert_frame_equal(one.fits.drop(columns=TIMES), other.fits.drop(columns=TIMES))
    pd.testing.assert_frame_equal(one.predictions, other.predictions)
    assert one.decision == other.decision


def test_the_table_is_sent_once_and_the_bits_are_those_of_one_process(
    client: Client, serial: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    scatter = client.scatter
    monkeypatch.setattr(
        client, "scatter", lambda data, *a, **k: (sent.append(type(data).__name__), scatter(data, *a, **k))[1]
    )
    with joblib.parallel_config(backend="dask"):
        results = run_study("digits", out=tmp_path, **OPTIONS)
    assert sent.count("DataFrame") == 1
    assert_same(results, serial)


def test_a_killed_worker_costs_its_fits_only(client: Client, serial: StudyResults, tmp_path: Path) -> None:
    worker = next(iter(client.run(os.getpid).values()))

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/fits/*/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(worker, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        results = run_study("digits", out=tmp_path, **OPTIONS)
    killer.join()
    assert_same(results, serial)


def test_a_killed_process_costs_its_fits_only(
    serial: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with joblib's own workers: the pool breaks, and a new one makes what is missing."""
    from lastlayer.study import make_fits

    broken: list[type[BaseException]] = []
    judge = make_fits._is_lost_worker
    monkeypatch.setattr(make_fits, "_is_lost_worker", lambda error: (broken.append(type(error)), judge(error))[1])

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/fits/*/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.02)
        for worker in _workers(os.getpid())[:1]:
            os.kill(worker, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    results = run_study("digits", out=tmp_path, jobs=2, **OPTIONS)
    killer.join()
    assert broken, "the pool was broken while fits were made"
    assert_same(results, serial)


def _workers(parent: int) -> list[int]:
    """Children that run joblib's loop of a worker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(ppid) == parent and state != "Z" and "loky" in command and "resource_tracker" not in command:
            found.append(int(folder.name))
    return found

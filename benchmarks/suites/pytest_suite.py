"""Runs the tests in a peer's wheel with lastlayer's functions in place of the peer's, and collects the results.

A suite is a module with NAME, TESTS (module names), RULES, and `install(counted)`, which replaces the peer's functions by
counted ones: a test that calls none of them says nothing about lastlayer.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from verdict import REFUSALS, Suite

HERE = Path(__file__).parent


def run(module: Any) -> Iterator[Suite]:
    """The verdicts of a suite. Its tests run in a separate process.

    Raises:
        ImportError: the peer, or its tests, are not installed.
    """
    files = []
    for name in module.TESTS:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError(f"{name} is not installed")
        files.append(spec.origin)
    suite = Suite(module.NAME)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "pytest_suite", "-p", "no:cacheprovider", "-c", os.devnull,
                   "--rootdir", folder, *files]  # fmt: skip
        path = os.pathsep.join([str(HERE), *[entry for entry in sys.path if entry]])
        environment = {
            # The array libraries on which SciPy's tests run.
            "SCIPY_ARRAY_API": '["numpy", "torch", "array_api_strict"]',
            **os.environ,
            "PYTHONPATH": path,
            "LASTLAYER_SUITE": module.__name__,
            "LASTLAYER_SUITE_REPORT": str(report),
        }
        shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder)
        if not report.exists():
            raise RuntimeError(f"{module.NAME}: no test ran\n{shown.stdout[-1500:]}{shown.stderr[-1500:]}")
        for line in report.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if not entry["calls"]:
                continue
            if entry["outcome"] == "passed":
                suite.add("equal")
            elif entry["outcome"] == "skipped":
                suite.add("n.a.", "skipped by the suite itself")
            elif "NotApplicableError" in entry["words"]:
                suite.add("n.a.", entry["words"].rpartition("NotApplicableError: ")[2].splitlines()[0])
            else:
                suite.judge(entry["words"], (*module.RULES, *REFUSALS), entry["test"])
    yield suite


_CALLS: list[int] = [0]


def pytest_configure(config: pytest.Config) -> None:
    """Replace the peer's functions before its tests are imported."""
    if name := os.environ.get("LASTLAYER_SUITE"):
        importlib.import_module(name).install(counted)


def counted(function: Any) -> Any:
    """The function, with its calls counted."""

    def call(*args: Any, **kwargs: Any) -> Any:
        _CALLS[0] += 1
        return function(*args, **kwargs)

    return call


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Write one line per test: its name, its outcome, the message of its failure, and its number of calls of lastlayer."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "setup":
        _CALLS[0] = 0
    if report.when != "call":
        return
    words = "" if call.excinfo is None else f"{call.excinfo.typename}: {call.excinfo.value}"
    entry = {"test": item.nodeid, "outcome": report.outcome, "words": words, "calls": _CALLS[0]}
    with Path(os.environ["LASTLAYER_SUITE_REPORT"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")

"""The run fails if a mapping never executed on an installed backend."""

from __future__ import annotations

import pytest

import lastlayer as ll

EXECUTED: set[tuple[str, str]] = set()


@pytest.fixture
def note_execution():
    """Call with (mapping name, backend name) when a check has run."""
    return lambda name, backend: EXECUTED.add((name, backend))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare what ran with MAPPINGS × backends, whenever the whole contract was asked for."""
    config = session.config
    narrowed = config.getoption("keyword") or config.getoption("markexpr") or any("::" in arg for arg in config.args)
    if not EXECUTED or session.testsfailed or narrowed:
        return
    missing = {(name, backend) for name in ll.MAPPINGS for backend in ("numpy", "array_api_strict", "torch")} - EXECUTED
    if missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nmappings that never ran on a backend: {sorted(missing)}")

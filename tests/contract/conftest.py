"""Records which mappings ran on which backends: the run fails if a mapping never ran on an installed backend."""

from __future__ import annotations

import pytest

import lastlayer as ll

EXECUTED: set[tuple[str, str]] = set()


@pytest.fixture
def note_execution():
    """Call with (mapping name, backend name) when a check has run."""
    return lambda name, backend: EXECUTED.add((name, backend))


@pytest.fixture
def never_executed(request: pytest.FixtureRequest) -> set[tuple[str, str]]:
    """The pairs of mapping and backend on which no check has run. Empty if only a part of the contract was selected."""
    config = request.config
    if config.getoption("keyword") or config.getoption("markexpr") or any("::" in arg for arg in config.args):
        return set()
    return {(name, backend) for name in ll.MAPPINGS for backend in ("numpy", "array_api_strict", "torch")} - EXECUTED

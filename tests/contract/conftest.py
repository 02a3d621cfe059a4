"""What ran: the run fails if a mapping never executed on an installed backend."""

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
    """The mappings and backends that no check has run on; none where only a part of the contract was asked for."""
    config = request.config
    if config.getoption("keyword") or config.getoption("markexpr") or any("::" in arg for arg in config.args):
        return set()
    return {(name, backend) for name in ll.MAPPINGS for backend in ("numpy", "array_api_strict", "torch")} - EXECUTED

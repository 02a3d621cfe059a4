"""What the page's tests share: a browser, the page as a file, visits to it; and the path to their modules, which pytest's importlib
mode leaves alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from page_browser import opened_browser, written_page
from page_visits import visits


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_page(tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Any, path: Path) -> Iterator[Callable[..., Any]]:
    """`visit(hash, width, height, **options)` opens the page."""
    with visits(browser, path) as opened:
        yield opened

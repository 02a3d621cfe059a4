"""The screenshots of the page to play with: those that docs/screenshots.py takes are stored, and a document shows each."""

from __future__ import annotations

import re

import pytest
from pages import DOCS, documents

IMAGES = DOCS / "images"


@pytest.fixture
def shots() -> set[str]:
    for part, package in (("playwright.sync_api", "playwright"), ("PIL.Image", "Pillow")):
        pytest.importorskip(part, reason=f'needs {package} (pip install ".[dev,docs]")')
    from screenshots import SHOTS

    return set(SHOTS)


def test_they_are_those_of_the_script(shots: set[str]):
    assert {path.stem for path in IMAGES.glob("*.png")} == shots


def test_a_document_shows_each(shots: set[str]):
    text = "".join(path.read_text(encoding="utf-8") for path in documents())
    assert set(re.findall(r"images/([\w-]+)\.png", text)) == shots

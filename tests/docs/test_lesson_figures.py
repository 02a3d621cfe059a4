"""The stored figures of the documents show what the library gives now, in words and in data; and every picture is used."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason='pip install ".[study]"')

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
IMAGES = DOCS / "images"
#: The documents that show figures of docs/figures/.
SHOWN = [ROOT / "README.md", DOCS / "index.md", *sorted((DOCS / "learn").glob("*.md"))]


@pytest.fixture
def figures(monkeypatch):
    """docs/figures as a program; its modules are forgotten afterwards."""
    folder = DOCS / "figures"
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield runpy.run_path(str(folder / "__main__.py"))
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and Path(sys.modules[name].__file__).parent == folder:
            del sys.modules[name]


def test_figures_are_current_and_a_changed_one_is_found(figures, tmp_path, capsys):
    assert figures["main"](["--check"]) == 0
    shutil.copytree(IMAGES, tmp_path / "images")
    changed = tmp_path / "images" / "scale.svg"
    changed.write_text(changed.read_text(encoding="utf-8").replace("1.39", "1.40"), encoding="utf-8")
    assert figures["main"](["--check", "scale"], tmp_path / "images") == 1
    assert "scale.svg is not what the library gives" in capsys.readouterr().err


def test_changed_data_are_found(figures):
    """Not only the words: a curve that moves is another figure."""
    drawn = figures["styled"](figures["FIGURES"]["shift"])
    text = (IMAGES / "shift.svg").read_text(encoding="utf-8")
    assert figures["is_current"](text, drawn)
    line = drawn.figure.axes[0].lines[0]
    line.set_ydata(line.get_ydata() + 0.01)
    assert not figures["is_current"](text, drawn)


def test_every_figure_is_shown_with_words_and_has_both_palettes(figures):
    pictures = {}
    for page in SHOWN:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            pictures.setdefault((page.parent / target).resolve(), []).append(words)
    for name in figures["FIGURES"]:
        path = IMAGES / f"{name}.svg"
        shown = IMAGES / f"{name.removesuffix('-narrow')}.svg"
        assert all(len(words) > 40 for words in pictures[shown.resolve()]), name
        text = path.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert "prefers-color-scheme:dark" in text
        assert not re.search(r"https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", text), (
            "a figure loads nothing"
        )


def letters(path: Path) -> float:
    """The size of a figure's smallest letters, in pixels, on a page for which it is 328 pixels wide."""
    text = path.read_text(encoding="utf-8")
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', text)[1])
    return min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)) * 328 / max(width, 328)


def test_letters_are_legible_on_a_phone(figures):
    """In the narrow variant, for a figure that has one."""
    names = set(figures["FIGURES"])
    small = {name: letters(IMAGES / f"{name}.svg") for name in names if f"{name}-narrow" not in names}
    assert {name: size for name, size in small.items() if size < 7} == {}
    assert letters(IMAGES / "answer.svg") < 7

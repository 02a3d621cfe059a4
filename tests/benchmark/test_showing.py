"""What a record looks like: in the terminal, on the page, and as a picture."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from synthetic_record import synthetic_record

from lastlayer.benchmark import figure
from lastlayer.benchmark.page import page
from lastlayer.benchmark.terminal import TerminalBenchmark

ROOT = Path(__file__).parents[2]


def terminal(width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(TerminalBenchmark(synthetic_record()))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 110])
def test_terminal_shows_ratios_and_marks_where_we_are_behind(width):
    lines = [line.split() for line in terminal(width).splitlines()]
    assert ["65536×10", "3", "3.00", "0.50", "0.10"] in lines
    assert ["256×128256", "4", "4.00", "2.00", "0.10", "!"] in lines
    assert ["error,", "ULP:", "lastlayer", "1.2,", "torch", "∞"] in lines
    assert max(map(len, terminal(width).splitlines())) <= width
    assert "…" not in terminal(width)


def test_terminal_shows_what_has_no_peer_over_the_floor():
    assert re.search(r"ratio +0\.50 +250", terminal(80))


def test_terminal_names_what_is_missing_or_wrong():
    text = " ".join(terminal(80).split())
    assert "entmax is not installed: left out; pip install entmax" in text
    assert "jax is wrong and was not timed at 8×3, log_softmax: no" in text


def test_page_has_every_row():
    text = page({"cpu": synthetic_record()})
    assert "| 65536×10 | 3 | 3.00 | 0.50 | 0.10 |" in text
    assert "| 256×128256 | 4 | 4.00 | **2.00** | 0.10 |" in text
    assert "fastest peer is ahead of us in 1" in text
    assert "softmax at 256×128256 (2.00 × torch)" in text
    assert "| `ratio` |  | 0.50 | 250 |" in text
    assert "| `softmax` | wide | ULP | 1.2 |  |" in text
    assert "(benchmarks-cpu.svg)" in text
    assert "jax is wrong" in text


def test_page_tables_are_rectangular():
    blocks = re.findall(r"(?:^\|.*\n)+", page({"cpu": synthetic_record()}), flags=re.MULTILINE)
    assert len(blocks) >= 5
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_picture_has_a_point_a_ratio():
    left, right = figure.draw(synthetic_record()).axes
    points = [float(x) for line in left.get_lines() if line.get_marker() != "None" for x in line.get_xdata()]
    assert sorted(points) == pytest.approx([0.25, 0.5, 2.0])
    over_floor = [float(x) for line in right.get_lines() if line.get_marker() != "None" for x in line.get_xdata()]
    assert sorted(over_floor) == pytest.approx([0.5, 2.0, 2.0, 3.0, 4.0, 250.0])


def test_picture_is_the_same_every_time_and_knows_its_record():
    record = synthetic_record()
    text = figure.svg(record)
    assert text == figure.svg(record)
    ElementTree.fromstring(text)
    assert figure.is_current(text, record)
    assert not figure.is_current(text, replace(record, left_out=()))


def test_a_stale_page_is_found(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "architecture.md", tmp_path / "docs")
    synthetic_record().save(results / "cpu.json")
    assert render.main([], tmp_path) == 0
    assert render.main(["--check"], tmp_path) == 0
    capsys.readouterr()
    replace(synthetic_record(), left_out=()).save(results / "cpu.json")
    assert render.main(["--check"], tmp_path) == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "docs/benchmarks.md",
        "docs/benchmarks-cpu.svg",
    ]

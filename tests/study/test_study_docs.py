"""The page about studies from Python: its code runs, block after block, as a reader would run it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "study.md"


# A cluster leaves sockets to the garbage collector, and torch calls its exporter deprecated.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 9
    names: dict[str, object] = {}
    with warnings.catch_warnings():
        for i, block in enumerate(blocks):
            exec(compile(block, f"{PAGE.name}, block {i + 1}", "exec"), names)
    assert "StudyResults(iris: 150 rows" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "lastlayer-study" / "iris").iterdir()} >= {"report.html", "model.skops"}
    assert (tmp_path / "wine.onnx").is_file()

"""The page about evaluations: its code runs, block after block, and its tables name what there is."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

import lastlayer.evaluation
from lastlayer.calibration import Calibrator

PAGE = Path(__file__).parents[2] / "docs" / "evaluate.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for i, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {i + 1}", "exec"), names)
    shown = capsys.readouterr().out
    assert "Evaluation(array: 2000 rows, 4 classes, scores; overconfident; advised: temperature" in shown
    calibrator = Calibrator.read(tmp_path / "calibrator.json")
    assert calibrator.temperature == pytest.approx(2.5, rel=0.15)
    np.testing.assert_array_equal(names["same"], names["better"])
    assert names["model"].temperature_ == pytest.approx(calibrator.temperature, rel=1e-6)
    assert "<html" in (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    assert tuple(names["probabilities"].shape) == (3, 4)


def _codes_in_source() -> set[str]:
    """The literal codes of findings that an evaluation makes."""
    found = set()
    for path in Path(lastlayer.evaluation.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
                found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


def test_the_table_of_findings_names_codes_that_exist():
    table = TEXT.partition("## Findings")[2].partition("## ")[0]
    named = {code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}
    assert len(named) >= 12
    assert named <= _codes_in_source()


def test_the_table_of_maps_has_their_degrees_of_freedom():
    table = TEXT.partition("## The ladder of maps")[2].partition("## ")[0]
    cells = [[cell.strip() for cell in row.split("|")[1:4]] for row in re.findall(r"^\| `.*$", table, re.MULTILINE)]
    shown = {name.strip("`"): freedom for name, _, freedom in cells}
    random = np.random.default_rng(0)
    scores = random.normal(size=(400, 4))
    labels = (scores + random.normal(size=scores.shape)).argmax(axis=1)
    result = lastlayer.evaluation.evaluate_scores(scores, labels)
    words = {"K": 4, "2K − 1": 7, "K² − 1": 15}
    assert {each.name: each.degrees_of_freedom for each in result.maps} == {
        name: words.get(freedom) or int(freedom) for name, freedom in shown.items()
    }


def test_the_tables_of_python_and_json_name_what_there_is():
    random = np.random.default_rng(0)
    scores = random.normal(size=(100, 3))
    result = lastlayer.evaluation.evaluate_scores(scores, scores.argmax(axis=1), maps=["vector"])
    for name in re.findall(r"`result\.(\w+)", TEXT):
        assert hasattr(result, name), name
    form = json.loads(json.dumps(result.to_dict()))
    table = TEXT.partition("## JSON")[2].partition("## ")[0]
    keys = [key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)]
    assert len(keys) >= 12
    assert set(keys) <= set(form)

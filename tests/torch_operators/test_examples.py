"""The example of softmax collapse counts what it says it counts, and runs."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "softmax_collapse.py"


def test_it_counts_exact_zeros():
    example = runpy.run_path(str(EXAMPLE))
    # Two sure of their class, one not, and one sure of a wrong class.
    scores = torch.tensor([[20.0, 0.0, 0.0], [0.0, 40.0, 0.0], [1.0, 0.0, 0.0], [0.0, 30.0, 0.0]])
    labels = torch.tensor([0, 1, 0, 2])
    counts = {name: example["count_vanished"](loss, scores, labels) for name, loss in example["LOSSES"].items()}
    assert counts == {"torch": (2, 2), "lastlayer": (0, 0)}
    # Zeros are found where there are any: float32 has no e^-200.
    assert example["count_vanished"](example["LOSSES"]["lastlayer"], scores * 200, labels) == (3, 3)


def test_it_splits_all_pairs():
    train, test = runpy.run_path(str(EXAMPLE))["draw"](7, seed=0)
    assert (len(train.labels), len(test.labels)) == (19, 30)
    rows = torch.cat([train.inputs, test.inputs])
    assert len(rows.unique(dim=0)) == 49
    assert torch.equal(rows.sum(1), torch.full((49,), 2.0))
    pairs = rows @ torch.cat([torch.arange(7.0), torch.arange(7.0)])
    assert torch.equal(pairs % 7, torch.cat([train.labels, test.labels]).float())


def test_it_runs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--steps", "40", "--modulus", "7"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    shown = capsys.readouterr().out
    tables = [part.splitlines() for part in shown.split("trained by ")[1:]]
    assert [table[0].split("'")[0] for table in tables] == ["torch", "lastlayer"]
    for table in tables:
        rows = [line.split() for line in table[3:14]]
        assert [int(row[0]) for row in rows] == list(range(0, 41, 4))
        assert float(rows[-1][1]) < float(rows[0][1])
        assert float(rows[-1][2]) == 1.0
    # The same start.
    assert tables[0][3] == tables[1][3]
    assert "lastlayer: at most 0 of 19" in shown


def test_the_page_shows_what_it_prints(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--steps", "0"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    page = (EXAMPLE.parents[1] / "docs" / "softmax-collapse.md").read_text(encoding="utf-8")
    # All but what the last lines conclude from training.
    tables = capsys.readouterr().out.partition("\ntorch: at most")[0]
    assert all(line in page for line in tables.splitlines())
    assert len(tables.splitlines()) > 10

"""README shows what `lastlayer evaluate` really prints of a model that is too sure of itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from calibrated_data import planted

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_readmes_evaluation_is_real(tmp_path: Path) -> None:
    shown = re.search(r"```text\n(Overconfident: .*?)```", README, flags=re.DOTALL)
    assert shown is not None
    scores, labels = planted(3000, 10, factor=2.2, dtype=np.float32)
    np.savez(tmp_path / "logits.npz", logits=scores, labels=labels)
    command = [sys.executable, "-c", "from lastlayer.cli import main; main()", "evaluate", "logits.npz"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    got = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path).stdout
    lines = [line.rstrip() for line in shown[1].splitlines()]
    # The narrow blank before a per cent sign is a plain one in README.
    assert [line.rstrip().replace("\u202f", " ") for line in got.splitlines()][: len(lines)] == lines

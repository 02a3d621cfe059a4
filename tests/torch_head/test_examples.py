"""The examples run, and show what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_language_model_has_the_same_curve_in_less_memory():
    command = [sys.executable, str(EXAMPLES / "language_model.py"), "--steps", "2", "--words", "400000"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"largest difference: (\S+) of the loss", shown).group(1)) < 1e-5
    theirs, ours = map(float, re.search(r"memory +(\d+) MiB +(\d+) MiB", shown).groups())
    assert ours < theirs / 3

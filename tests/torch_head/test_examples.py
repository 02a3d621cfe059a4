"""The examples run, and show what they say."""

from __future__ import annotations

import os
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


def test_head_in_slices_has_the_loss_of_the_whole_head():
    launcher = ["torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", "0"]
    command = [sys.executable, "-m", *launcher, str(EXAMPLES / "head_in_slices.py")]
    setting = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=setting, timeout=120).stdout
    assert "2 processes, 500 of 1000 classes" in shown
    sliced, whole = map(float, re.search(r"slices (\S+), of the whole head (\S+)", shown).groups())
    assert abs(sliced - whole) < 1e-5

"""The examples run, and show what they say."""

from __future__ import annotations

import os
import re
import socket
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What torchrun tells each process.
    setting = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    setting |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, str(EXAMPLES / "head_in_slices.py")],
            env={**setting, "RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    try:
        shown = [process.communicate(timeout=120)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0]
    assert "2 processes, 500 of 1000 classes" in shown[0]
    sliced, whole = map(float, re.search(r"slices (\S+), of the whole head (\S+)", shown[0]).groups())
    assert abs(sliced - whole) < 1e-5


def test_policy_gradient_has_the_same_curve_and_learns():
    command = [sys.executable, str(EXAMPLES / "policy_gradient.py"), "--steps", "16"]
    # One thread: the matrices are small.
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ).stdout
    assert float(re.search(r"largest difference: (\S+) of the value", shown).group(1)) < 1e-4
    rewards = [float(reward) for reward in re.findall(r"^ +\d+ +(\d\.\d{3})", shown, re.MULTILINE)]
    assert rewards[0] < 0.6 < 0.7 < rewards[-1]


def test_distil_has_the_dense_curve_in_less_memory():
    command = [sys.executable, str(EXAMPLES / "distil.py"), "--steps", "3"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Each way has a line as soon as it is done, before the table of all.
    assert re.findall(r"^ +(\S+)(?:: loss|  +dense)", shown, re.MULTILINE) == ["dense", "top-k", "teacher", "step"]
    assert float(re.search(r"dense and teacher: (\S+) of the loss", shown).group(1)) < 1e-4
    dense, few, teacher = map(float, re.search(r"memory +(\d+) MiB +(\d+) MiB +(\d+) MiB", shown).groups())
    assert few < dense / 2
    assert teacher < dense / 4
    first, last = (float(line.split()[2]) for line in re.findall(r"^ +[13] .*", shown, re.MULTILINE))
    assert last < first

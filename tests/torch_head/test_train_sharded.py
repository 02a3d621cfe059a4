"""The example of many classes is killed and continues on another number of processes as if nothing had happened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_sharded.py"


def start(size, folder, steps):
    """The processes of one run, with what torchrun tells each of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    setting = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    setting |= {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    options = ["--classes", "1001", "--steps", str(steps), "--save-every", "4", "--folder", str(folder)]
    return [
        subprocess.Popen(
            [sys.executable, str(EXAMPLE), *options],
            env={**setting, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]


def end_of(started):
    """Return codes and outputs."""
    try:
        outputs = [process.communicate(timeout=300)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [process.returncode for process in started], outputs


def curve(folder):
    """(step, loss, processes) of every complete line."""
    path = folder / "curve.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [tuple(json.loads(line).values()) for line in lines]


def test_killed_and_continued_on_another_number_of_processes(tmp_path):
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    started = start(2, folder, 100_000)
    deadline = time.monotonic() + 240
    while len(curve(folder)) < 6 and time.monotonic() < deadline and started[1].poll() is None:
        time.sleep(0.02)
    started[1].kill()
    codes, outputs = end_of(started)
    # The other process ends by itself, and says why.
    assert codes[0] > 0, outputs
    assert "lost the other processes" in outputs[0] or "Connection closed" in outputs[0]
    before = curve(folder)
    saved = max(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))
    assert 4 <= saved <= before[-1][0]

    steps = saved + 5
    codes, outputs = end_of(start(3, folder, steps))
    assert codes == [0, 0, 0], "\n".join(outputs)
    assert f"1001 classes on 3 processes, 334 on this one; {saved} of {steps} steps done" in outputs[0]
    codes, outputs = end_of(start(1, whole, steps))
    assert codes == [0], outputs

    # As if nothing had happened: every step once.
    after = curve(folder)
    assert [step for step, *_ in after] == list(range(1, steps + 1))
    assert [processes for *_, processes in after] == [2] * saved + [3] * 5
    truth = [loss for _, loss, _ in curve(whole)]
    assert [loss for _, loss, _ in after] == pytest.approx(truth, rel=1e-4)
    assert truth[-1] < 0.9 * truth[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--save-every", "0"], "--save-every is 0; give at least 1"),
        (["--classes", "0"], "--classes is 0; give at least 1"),
        (["--classes", str(2**24 + 1)], "the features have 24 bits"),
        ([], "start it by torchrun"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_starts(tmp_path, options, words):
    command = [sys.executable, str(EXAMPLE), "--folder", str(tmp_path / "run"), *options]
    environment = {name: value for name, value in os.environ.items() if name != "RANK"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert found.returncode == 2
    assert words in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "run").exists()

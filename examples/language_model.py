"""Trains a language model twice, with torch's loss and with linear_loss: the same curve, less memory.

The text is the source code of Python's standard library, word by word. It has about 28 000 distinct words, which are the
classes, so that the scores of one step (2048 words) are far larger than the model. The model is a GRU in plain torch. Only the
line that computes the loss differs:

    F.cross_entropy(F.linear(hidden, weight, bias), labels)
    linear_loss(hidden, weight, labels, bias=bias)

Each run has a separate process and the same seed. The memory shown is the peak of the process minus its memory after a first
step on two words, which already holds parameters, gradients and the state of the optimiser.

    python examples/language_model.py               # 40 steps, about a minute
    python examples/language_model.py --steps 200
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SEQUENCES, LENGTH, WIDTH = 32, 64, 96


def words(most: int) -> np.ndarray:
    """The first words and signs of the standard library's sources, numbered by first appearance."""
    files = sorted(Path(os.__file__).parent.glob("*.py"))
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(word, len(numbers)) for word in re.findall(r"\w+|[^\w\s]", text)[:most]])


def train(loss_name: str, text: np.ndarray, steps: int) -> dict[str, Any]:
    """The loss of every step, seconds per step, and the peak memory in MiB (None if the system does not report it)."""
    import torch
    import torch.nn.functional as F

    from lastlayer.torch import linear_loss

    torch.manual_seed(0)
    classes = int(text.max()) + 1
    embed, recur = torch.nn.Embedding(classes, WIDTH), torch.nn.GRU(WIDTH, WIDTH, batch_first=True)
    head = torch.nn.Linear(WIDTH, classes)
    optimiser = torch.optim.Adam([*embed.parameters(), *recur.parameters(), *head.parameters()], lr=3e-3)

    def step(tokens: torch.Tensor) -> float:
        hidden, labels = recur(embed(tokens[:, :-1]))[0], tokens[:, 1:]
        if loss_name == "torch":
            loss = F.cross_entropy(F.linear(hidden, head.weight, head.bias).flatten(0, 1), labels.flatten())
        else:
            loss = linear_loss(hidden, head.weight, labels, bias=head.bias)
        optimiser.zero_grad(set_to_none=False)
        loss.backward()
        optimiser.step()
        return loss.item()

    tokens = torch.from_numpy(text)
    step(tokens[None, :3])
    memory, start = peak_memory(), time.perf_counter()
    losses = []
    for _ in range(steps):
        starts = torch.randint(len(tokens) - LENGTH, (SEQUENCES, 1))
        losses.append(step(tokens[starts + torch.arange(LENGTH + 1)]))
    seconds = (time.perf_counter() - start) / steps
    return {"losses": losses, "seconds": seconds, "memory": None if memory is None else peak_memory() - memory}


def peak_memory() -> float | None:
    """The peak memory of this process in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux ru_maxrss includes the memory of the parent process at the fork.
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) / 2**10
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def in_a_process(loss_name: str, text: Path, steps: int) -> dict[str, Any]:
    """`train` in a new process, which no other run has given memory."""
    command = [sys.executable, __file__, "--train", loss_name, "--text", str(text), "--steps", str(steps)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def show(runs: dict[str, dict[str, Any]], text: np.ndarray) -> float:
    """Print both runs side by side. Returns the largest difference of their curves, relative to the loss."""
    curves = [np.array(run["losses"]) for run in runs.values()]
    differences = np.abs(curves[1] - curves[0]) / curves[0]
    steps = len(differences)
    print(f"{SEQUENCES * LENGTH} words per step, {int(text.max()) + 1} classes, {WIDTH} features")
    print(f"{'step':>6}" + "".join(f"{name:>12}" for name in runs) + f"{'difference':>12}")
    for at in sorted({*range(0, steps, max(1, steps // 8)), steps - 1}):
        print(f"{at + 1:6}" + "".join(f"{curve[at]:12.6f}" for curve in curves) + f"{differences[at]:12.1e}")
    if all(run["memory"] is not None for run in runs.values()):
        print(
            f"{'memory':>6}"
            + "".join(f"{run['memory']:8.0f} MiB" for run in runs.values())
            + "  in addition to the model's"
        )
    print(f"{'time':>6}" + "".join(f"{run['seconds']:10.3f} s" for run in runs.values()) + "  per step")
    print(f"largest difference: {differences.max():.1e} of the loss")
    return float(differences.max())


def main() -> None:
    """Train with both losses, or with --train with one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--words", type=int, default=1_000_000, help="how much of the text is read")
    parser.add_argument("--train", choices=["torch", "lastlayer"], help=argparse.SUPPRESS)
    parser.add_argument("--text", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        print(json.dumps(train(given.train, np.load(given.text), given.steps)))
        return
    with tempfile.TemporaryDirectory() as folder:
        text, path = words(given.words), Path(folder) / "text.npy"
        np.save(path, text)
        runs = {name: in_a_process(name, path, given.steps) for name in ("torch", "lastlayer")}
    if show(runs, text) > 1e-3:
        raise SystemExit("The curves differ.")


if __name__ == "__main__":
    main()

"""Distils a teacher into a smaller student three ways: dense targets, the teacher's k likeliest words, and the teacher's head.

Teacher and student are heads over the same words; the student has fewer features. Only the line that computes the loss differs:

    dense    F.kl_div(student scores.log_softmax(1), teacher scores.softmax(1))      both (N, K) tables are stored
    top-k    linear_loss(hidden, weight, SparseTargets(indices, probabilities))       k numbers per row, the rest as a tail
    teacher  linear_loss(hidden, weight, TeacherTargets(input, teacher's weight))     nothing stored, the exact divergence

The dense loss and that of the teacher's head are the same number, so their curves agree. Top-k with a tail is another, smaller
divergence: the last line shows how far each student is from its teacher at the end, by the exact divergence on new rows.

Each run has a separate process and the same seed, and shows its result as soon as it ends. The memory shown is the peak of the process minus its memory after a first step
on two rows, which already holds all parameters, gradients and the state of the optimiser.

    python examples/distil.py               # half a minute or less in all, on one thread
    python examples/distil.py --k 8 --divergence reverse
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROWS, INPUTS, WIDE, NARROW = 512, 32, 64, 24
WAYS = ("dense", "top-k", "teacher")
#: Bytes for blocks of scores. The table of one head has twice as many at the default number of classes.
MEMORY = 2**24


def train(way: str, classes: int, steps: int, k: int, divergence: str) -> dict[str, Any]:
    """The loss of every step, the distance at the end, seconds per step, and the peak memory in MiB (None if not reported)."""
    import torch
    import torch.nn.functional as F

    from lastlayer.torch import SparseTargets, TeacherTargets, linear_loss

    # One thread: on a busy machine the many small operations on blocks would wait for the other threads.
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # A teacher with a few likely words per row: what it knows is in its scores.
    taught, words = torch.randn(INPUTS, WIDE), 0.3 * torch.randn(classes, WIDE)
    student = torch.nn.Sequential(torch.nn.Linear(INPUTS, WIDE), torch.nn.Tanh(), torch.nn.Linear(WIDE, NARROW))
    head = torch.nn.Linear(NARROW, classes)
    optimiser = torch.optim.Adam([*student.parameters(), *head.parameters()], lr=3e-2)

    def teacher(rows: torch.Tensor) -> torch.Tensor:
        return torch.tanh(rows @ taught / INPUTS**0.5)

    def dense(hidden: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        log_p = F.linear(hidden, head.weight, head.bias).log_softmax(1)
        log_y = F.linear(teacher(rows), words).log_softmax(1)
        pair = (log_p, log_y) if divergence == "forward" else (log_y, log_p)
        return F.kl_div(*pair, reduction="batchmean", log_target=True)

    def top_k(rows: torch.Tensor) -> SparseTargets:
        # In practice these come from disk: the teacher ran long ago. Some rows at a time, so that no table exists.
        found = [F.linear(teacher(part), words).softmax(1).topk(k) for part in rows.split(64)]
        probabilities, indices = (torch.cat(each) for each in zip(*found, strict=True))
        return SparseTargets(indices, probabilities, divergence=divergence)

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        hidden = student(rows)
        if way == "dense":
            return dense(hidden, rows)
        few = top_k(rows) if way == "top-k" else None
        targets = few or TeacherTargets(teacher(rows), words, divergence=divergence)
        loss: torch.Tensor = linear_loss(hidden, head.weight, targets, bias=head.bias, max_memory=MEMORY)
        return loss

    def step(rows: torch.Tensor) -> float:
        loss = loss_of(rows)
        optimiser.zero_grad(set_to_none=False)
        loss.backward()
        optimiser.step()
        return loss.item()

    step(torch.randn(2, INPUTS))
    memory, start = peak_memory(), time.perf_counter()
    losses = [step(torch.randn(ROWS, INPUTS)) for _ in range(steps)]
    seconds = (time.perf_counter() - start) / steps
    peak = peak_memory()
    with torch.no_grad():
        new = torch.randn(256, INPUTS)
        distance = linear_loss(student(new), head.weight, TeacherTargets(teacher(new), words), bias=head.bias)
    used = None if memory is None or peak is None else peak - memory
    return {"losses": losses, "distance": float(distance), "seconds": seconds, "memory": used}


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


def in_a_process(way: str, given: argparse.Namespace) -> dict[str, Any]:
    """`train` in a new process, which no other run has given memory."""
    command = [sys.executable, __file__, "--train", way, "--classes", str(given.classes), "--steps", str(given.steps)]
    command += ["--k", str(given.k), "--divergence", given.divergence]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def run(way: str, given: argparse.Namespace) -> dict[str, Any]:
    """`in_a_process`, with a line as soon as it is done."""
    found = in_a_process(way, given)
    losses, memory = found["losses"], found["memory"]
    used = "" if memory is None else f", {memory:.0f} MiB"
    print(f"{way:>8}: loss {losses[0]:.5f} to {losses[-1]:.5f}, {found['seconds']:.3f} s per step{used}", flush=True)
    return found


def show(runs: dict[str, dict[str, Any]], given: argparse.Namespace) -> float:
    """Print the runs side by side. Returns the largest difference of the exact curves, relative to the loss."""
    curves = {way: run["losses"] for way, run in runs.items()}
    pairs = zip(curves["dense"], curves["teacher"], strict=True)
    difference = max(abs(a - b) / a for a, b in pairs)
    print(f"{'step':>8}" + "".join(f"{way:>12}" for way in runs))
    for at in sorted({*range(0, given.steps, max(1, given.steps // 5)), given.steps - 1}):
        print(f"{at + 1:8}" + "".join(f"{curve[at]:12.5f}" for curve in curves.values()))
    print(f"{'distance':>8}" + "".join(f"{run['distance']:12.5f}" for run in runs.values()) + "  KL on new rows")
    if all(run["memory"] is not None for run in runs.values()):
        print(f"{'memory':>8}" + "".join(f"{run['memory']:8.0f} MiB" for run in runs.values()))
    print(f"{'time':>8}" + "".join(f"{run['seconds']:10.3f} s" for run in runs.values()) + "  per step")
    print(f"largest difference of dense and teacher: {difference:.1e} of the loss")
    return difference


def main() -> None:
    """Train in all ways, or with --train in one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--classes", type=int, default=16_000)
    parser.add_argument("--k", type=int, default=32, help="how many words of the teacher are named per row")
    parser.add_argument("--divergence", choices=["forward", "reverse"], default="forward")
    parser.add_argument("--train", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        print(json.dumps(train(given.train, given.classes, given.steps, given.k, given.divergence)))
        return
    sizes = f"{ROWS} rows per step, {given.classes} classes, {given.divergence} divergence, k = {given.k}"
    print(f"{sizes}; {given.steps} steps in each of three ways:", flush=True)
    if show({way: run(way, given) for way in WAYS}, given) > 1e-3:
        raise SystemExit("The curves differ.")


if __name__ == "__main__":
    main()

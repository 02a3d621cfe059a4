"""Trains a classifier of a million classes on several processes: each one holds a slice of the classes.

    torchrun --nproc-per-node 2 examples/train_sharded.py --folder /tmp/million

Stop it at any time (Ctrl-C, or kill a process), and start it again on another number of processes:

    torchrun --nproc-per-node 3 examples/train_sharded.py --folder /tmp/million

It continues from its last checkpoint as if nothing had happened. The weight of the head is a DTensor, sharded along the classes.
So are the optimiser's averages, and torch.distributed.checkpoint cuts all of them again for another number of processes. The
small network before the head is the same on every process, and gets the same gradient on each.

The data: the features of a class are the bits of its number, as ±1, with noise. The classes follow Zipf's law, so some are frequent.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import Shard
from torch.distributed.tensor import zeros as distributed_zeros

from lastlayer.torch import LinearLoss

BITS, WIDTH, ROWS = 24, 16, 128


class Classifier(torch.nn.Module):
    """A layer of WIDTH features, and a head whose classes lie in slices on the processes of the mesh."""

    def __init__(self, classes: int, mesh: DeviceMesh) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Sequential(torch.nn.Linear(BITS, WIDTH), torch.nn.Tanh())
        # Made without memory: no process ever holds the whole weight.
        self.head = LinearLoss(WIDTH, classes, bias=False, device="meta")
        # Zero at first, so that the start does not depend on the number of processes.
        self.head.weight = torch.nn.Parameter(
            distributed_zeros(classes, WIDTH, device_mesh=mesh, placements=[Shard(0)])
        )

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> Any:
        """The mean loss; the same on every process."""
        return self.head(self.body(features), labels)


def batch(step: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and labels of a step, the same on every process, whatever was drawn before."""
    generator = torch.Generator().manual_seed(step)
    # P(label < n) = log(n + 1) / log(classes + 1): Zipf's law.
    labels = (
        ((classes + 1) ** torch.rand(ROWS, generator=generator, dtype=torch.float64) - 1).long().clamp(max=classes - 1)
    )
    bits = (labels[:, None] >> torch.arange(BITS) & 1).float() * 2 - 1
    return bits + 0.1 * torch.randn(ROWS, BITS, generator=generator), labels


def save(folder: Path, step: int, model: Classifier, optimiser: torch.optim.Optimizer) -> None:
    """A checkpoint that is complete or not there: written under another name, then renamed."""
    parameters, averages = get_state_dict(model, optimiser)
    unfinished = folder / f"unfinished-{step}"
    dcp.save({"model": parameters, "optimiser": averages}, checkpoint_id=unfinished)
    if dist.get_rank() == 0:
        shutil.rmtree(folder / f"step-{step}", ignore_errors=True)
        unfinished.rename(folder / f"step-{step}")
        for old in sorted(folder.glob("step-*"), key=number)[:-2]:
            shutil.rmtree(old)
    dist.barrier()


def number(checkpoint: Path) -> int:
    """How many steps had been taken."""
    return int(checkpoint.name.removeprefix("step-"))


def load(folder: Path, model: Classifier, optimiser: torch.optim.Optimizer) -> int:
    """Continue from the last checkpoint, by whatever number of processes it was written; returns the steps already taken."""
    if dist.get_rank() == 0:
        for unfinished in folder.glob("unfinished-*"):
            shutil.rmtree(unfinished)
    dist.barrier()
    found = sorted(folder.glob("step-*"), key=number)
    start = number(found[-1]) if found else 0
    if dist.get_rank() == 0:
        keep_curve(folder / "curve.jsonl", start)
    if not found:
        return 0
    parameters, averages = get_state_dict(model, optimiser)
    state = {"model": parameters, "optimiser": averages}
    dcp.load(state, checkpoint_id=found[-1])
    set_state_dict(model, optimiser, model_state_dict=state["model"], optim_state_dict=state["optimiser"])
    return start


def keep_curve(path: Path, start: int) -> None:
    """Leave out the steps after the checkpoint: they are taken again."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= start]
    path.write_text("".join(kept))


def same_classes(folder: Path, classes: int) -> bool:
    """Whether a run in this folder has as many classes; the first run writes the number down."""
    path = folder / "classes.txt"
    if not path.exists() and dist.get_rank() == 0:
        path.write_text(str(classes))
    dist.barrier()
    return path.read_text() == str(classes)


def show(step: int, steps: int, loss: float, seconds: float) -> None:
    """A bar that is drawn over itself; one line per tenth of the way if nobody looks at a terminal."""
    done = 30 * step // steps
    line = f"[{'█' * done}{'·' * (30 - done)}] step {step}/{steps}  loss {loss:.4f}  {seconds:.2f} s per step"
    if sys.stdout.isatty():
        print(f"\r{line}", end="" if step < steps else "\n", flush=True)
    elif step == steps or step % math.ceil(steps / 10) == 0:
        print(line, flush=True)


def train(classes: int, steps: int, every: int, folder: Path) -> None:
    """The steps that are left, with a checkpoint after every `every` of them. The curve is added to curve.jsonl."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    model = Classifier(classes, mesh)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    start = load(folder, model, optimiser)
    if dist.get_rank() == 0:
        mine, size = len(model.head.weight.to_local()), dist.get_world_size()  # type: ignore[operator]
        print(f"{classes} classes on {size} processes, {mine} on this one; {start} of {steps} steps done", flush=True)
        if start >= steps:
            print("nothing is left to do; give more --steps")
    begun = time.perf_counter()
    for step in range(start, steps):
        loss = model(*batch(step, classes))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if dist.get_rank() == 0:
            seconds = (time.perf_counter() - begun) / (step + 1 - start)
            with open(folder / "curve.jsonl", "a") as curve:
                curve.write(
                    json.dumps({"step": step + 1, "loss": loss.item(), "processes": dist.get_world_size()}) + "\n"
                )
            show(step + 1, steps, loss.item(), seconds)
        if (step + 1) % every == 0 or step + 1 == steps:
            save(folder, step + 1, model, optimiser)


def main() -> None:
    """Join the processes that torchrun has started, and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--save-every", type=int, default=10)
    parser.add_argument("--folder", type=Path, required=True, help="where checkpoints and the curve are")
    given = parser.parse_args()
    for name, least in (("classes", 1), ("steps", 1), ("save_every", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name.replace('_', '-')} is {getattr(given, name)}; give at least {least}.")
    if given.classes > 2**BITS:
        parser.error(f"--classes is {given.classes}; the features have {BITS} bits: give at most {2**BITS}.")
    if "RANK" not in os.environ:
        parser.error(f"start it by torchrun: torchrun --nproc-per-node 2 {sys.argv[0]} --folder {given.folder}")
    dist.init_process_group("gloo")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // dist.get_world_size()))
    given.folder.mkdir(parents=True, exist_ok=True)
    if not same_classes(given.folder, given.classes):
        parser.error(
            f"{given.folder} has a run with another number of classes; give its --classes, or another --folder."
        )
    train(given.classes, given.steps, given.save_every, given.folder)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

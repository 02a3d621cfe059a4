"""Times `linear_statistics` against its matrix products, and the head on two processes against one.

python benchmarks/linear_statistics.py [--quick] [--device cpu|cuda] [--dtype float32] [--rounds 5] [--out FILE]

- Statistics: all four numbers per row of random labels; forward against one product, and forward with the gradients of
  log-probability and entropy against the four products that any method must do (the scores are computed twice). The products are on
  whole matrices, into preallocated buffers. Contenders run in turns in one process.
- Slices: `linear_loss` with its gradients, on one process of two threads, and on two processes of one thread that hold half of the
  classes each (gloo, loopback). Each runs in fresh processes, in turns. On the CPU only.

Figures are medians and their ratios. Correctness is measured first: the statistics of 64 rows against float64. The record is
benchmarks/results/linear-statistics-<device>.json, with the facts of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import linear
import torch
import torch.distributed as dist
import torch.nn.functional as F

from lastlayer.torch import linear_loss, linear_statistics

SHAPES = {"cpu": [(4096, 512, 32000)], "cuda": [(8192, 4096, 151936)]}
QUICK = [(256, 64, 1000)]

Tensor = torch.Tensor


def forward(x: Tensor, w: Tensor, y: Tensor) -> None:
    """All four numbers per row, without derivatives."""
    with torch.no_grad():
        linear_statistics(x, w, y)


def with_gradients(x: Tensor, w: Tensor, y: Tensor) -> None:
    """And the gradients of the sum of log-probabilities and entropies."""
    x.grad = w.grad = None
    found = linear_statistics(x, w, y)
    torch.autograd.backward([found.log_prob, found.entropy], [torch.ones_like(found.entropy)] * 2)


def one_product(x: Tensor, w: Tensor) -> Any:
    """The product that gives the scores, into a preallocated buffer."""
    scores, a, b = x.detach().new_empty(len(x), len(w)), x.detach(), w.detach()
    return lambda: torch.mm(a, b.T, out=scores)


def errors(shape: tuple[int, int, int], device: str, dtype: torch.dtype) -> dict[str, float]:
    """The largest absolute errors on the first 64 rows, against float64."""
    x, w, y = (t.detach() for t in linear.problem(shape, device, dtype))
    found = linear_statistics(x[:64], w, y[:64])
    logs = F.log_softmax(F.linear(x[:64].double(), w.double()), 1)
    exact = logs.gather(1, y[:64, None])[:, 0], -(logs.exp() * logs).sum(1)
    return {
        name: float((mine.double() - true).abs().max())
        for name, mine, true in zip(("log_prob", "entropy"), found[:2], exact, strict=True)
    }


def compare_statistics(shape: tuple[int, int, int], device: str, dtype: torch.dtype, rounds: int) -> dict[str, Any]:
    """The record of the statistics at one shape."""
    x, w, y = linear.problem(shape, device, dtype)
    product, three = one_product(x, w), linear.products(x, w)
    calls = {
        "one product": product,
        "forward": lambda: forward(x, w, y),
        "four products": lambda: (product(), three()),
        "forward and backward": lambda: with_gradients(x, w, y),
    }
    seconds = {who: statistics.median(taken) for who, taken in linear.timings(calls, rounds, device).items()}
    return {
        "shape": shape,
        "dtype": str(dtype).removeprefix("torch."),
        "seconds": seconds,
        "forward / one product": seconds["forward"] / seconds["one product"],
        "forward and backward / four products": seconds["forward and backward"] / seconds["four products"],
        "errors": errors(shape, device, dtype),
    }


def work(rank: int, size: int, folder: str, shape: tuple[int, int, int]) -> None:
    """One process: the shortest of three steps goes to a file."""
    torch.set_num_threads(2 // size)
    x, w, y = linear.problem(shape, "cpu", torch.float32)
    options: dict[str, Any] = {}
    if size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
        w = w.detach().chunk(size)[rank].clone().requires_grad_()
        options["group"] = dist.group.WORLD
    taken = []
    for _ in range(4):
        if size > 1:
            dist.barrier()
        begin = time.perf_counter()
        linear.step(lambda a, b, c: linear_loss(a, b, c, **options), x, w, y)
        taken.append(time.perf_counter() - begin)
    Path(folder, f"{rank}.json").write_text(json.dumps(min(taken[1:])))
    if size > 1:
        dist.barrier()
    # Threads of gloo may outlive the group.
    os._exit(0)


def seconds_on(size: int, shape: tuple[int, int, int]) -> float:
    """The time of a step on `size` processes: that of the slowest."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": str(2 // size)}
        command = [sys.executable, __file__, "--shape", *map(str, shape), "--worker", folder, str(size)]
        started = [subprocess.Popen([*command, str(rank)], env=environment) for rank in range(size)]
        if any(process.wait() for process in started):
            raise SystemExit("a process failed; see its message above")
        return max(json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(size))


def compare_slices(shape: tuple[int, int, int], rounds: int) -> dict[str, Any]:
    """The record of the head in slices at one shape."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for size, found in taken.items():
            found.append(seconds_on(size, shape))
    one, two = (statistics.median(taken[size]) for size in (1, 2))
    return {
        "shape": shape,
        "one process, two threads": one,
        "two processes, one thread": two,
        "two over one": two / one,
    }


def main() -> None:
    """Compare on every shape, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small shape, to see that it works; nothing is recorded")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--shape", type=int, nargs=3, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=3, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        folder, size, rank = given.worker
        work(int(rank), int(size), folder, tuple(given.shape))
    rows = []
    for shape in QUICK if given.quick else SHAPES[given.device]:
        rows.append({"statistics": compare_statistics(shape, given.device, getattr(torch, given.dtype), given.rounds)})
        if given.device == "cpu":
            rows[-1]["slices"] = compare_slices(shape, given.rounds)
    print(json.dumps(rows, indent=1))
    if not given.quick:
        record = {"facts": linear.facts(given.device, {}), "rows": rows}
        out = given.out or linear.RESULTS / f"linear-statistics-{given.device}.json"
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

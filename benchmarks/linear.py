"""Times the linear head, forward and backward, against its peers and the bare matrix products, and measures peak memory.

python benchmarks/linear.py [--quick] [--device cpu|cuda] [--dtype float32] [--scores random|peaked] [--rounds 5] [--out FILE]

Every contender computes the mean loss of random labels and the gradients of input and weight. "products" are the three matrix
products that any method must do, on whole matrices, into preallocated buffers. Random scores leave no class out. Peaked scores are those of a
trained model: inputs lean towards the weights of their labels, so that most other classes have a probability near 0; a method that
skips such classes gains there, and its errors say what it leaves out. Contenders run in turns in one process; the
figures are medians and their ratios. Correctness is measured first: loss and gradients of 64 rows against float64. Peak memory
is the most that a step holds in addition to inputs, weights and the gradients that it returns (CPU: the resident set of a
fresh process, sampled every millisecond; CUDA: the allocator's count). The record is benchmarks/results/linear-<device>.json,
with the facts of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

import lastlayer as ll
from lastlayer.torch import linear_loss

RESULTS = Path(__file__).parent / "results"
SHAPES = {
    "cpu": [(4096, 512, 32000), (1024, 768, 128256)],
    "cuda": [(4096, 2048, 32000), (8192, 4096, 151936)],
}
QUICK = [(256, 64, 1000)]
#: Calls per turn on CUDA.
BURST = 5

Tensor = torch.Tensor
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def unfused(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The usual code: torch's linear, then its cross_entropy."""
    return F.cross_entropy(F.linear(x, w), y)


def chunked(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """PyTorch's chunked operator."""
    return F.linear_cross_entropy(x, w, y, options=torch.nn.LinearCrossEntropyOptions())


def contenders(device: str, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Loss], dict[str, str]]:
    """Name → loss of (input, weight, labels); and name → reason for contenders that are not installed."""
    found: dict[str, Loss] = {
        "lastlayer": lambda x, w, y: linear_loss(x, w, y),
        "lastlayer sparsemax": lambda x, w, y: linear_loss(x, w, y, mapping="sparsemax"),
        "lastlayer entmax-1.5": lambda x, w, y: linear_loss(x, w, y, mapping="entmax"),
        "torch unfused": unfused,
    }
    if dtype.itemsize == 2:
        found["lastlayer float32 scores"] = lambda x, w, y: linear_loss(x, w, y, scores_dtype=torch.float32)
    left_out = {}
    if hasattr(F, "linear_cross_entropy"):
        found["torch chunked"] = chunked
    else:
        left_out["torch chunked"] = "this torch has no F.linear_cross_entropy"
    if device == "cuda":
        found["torch.compile"] = torch.compile(unfused)
        try:
            from liger_kernel.ops.fused_linear_cross_entropy import LigerFusedLinearCrossEntropyFunction

            found["liger"] = lambda x, w, y: LigerFusedLinearCrossEntropyFunction.apply(x, w, y)[0]
        except ImportError:
            left_out["liger"] = "pip install liger-kernel"
        try:
            from cut_cross_entropy import linear_cross_entropy

            found["cut-cross-entropy"] = lambda x, w, y: linear_cross_entropy(x, w, y)
            found["cut-cross-entropy, all classes"] = lambda x, w, y: linear_cross_entropy(x, w, y, filter_eps=None)
        except ImportError:
            left_out["cut-cross-entropy"] = "pip install cut-cross-entropy"
        try:
            from quack.linear_cross_entropy import chunked_linear_cross_entropy

            found["quack"] = lambda x, w, y: chunked_linear_cross_entropy(x, w, y)
        except ImportError:
            left_out["quack"] = "pip install quack-kernels"
    return found, left_out


def problem(
    shape: tuple[int, int, int], device: str, dtype: torch.dtype, scores: str = "random"
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, weights for which scores spread like those of a model in training, and labels.

    Peaked scores: the label's is 8 to 24 higher than that of a random class, so its probability is anything from nearly 0 to 1.
    """
    rows, features, classes = shape
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(rows, features, device=device, generator=generator).to(dtype)
    w = (torch.randn(classes, features, device=device, generator=generator) * (2.0 / features**0.5)).to(dtype)
    y = torch.randint(0, classes, (rows,), device=device, generator=generator)
    if scores == "peaked":
        # The squared norm of a row of the weight is about 4.
        lean = 2.0 + 4.0 * torch.rand(rows, 1, device=device, generator=generator)
        x = (x.float() + lean * w[y].float()).to(dtype)
    return x.requires_grad_(), w.requires_grad_(), y


def step(loss: Loss, x: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """Forward and backward, without gradients from before."""
    x.grad = w.grad = None
    value = loss(x, w, y)
    value.backward()
    return value.detach()


def products(x: Tensor, w: Tensor) -> Callable[[], None]:
    """The three matrix products into preallocated buffers."""
    x, w = x.detach(), w.detach()
    scores, grad_x, grad_w = x.new_empty(len(x), len(w)), torch.empty_like(x), torch.empty_like(w)

    def run() -> None:
        torch.mm(x, w.T, out=scores)
        torch.mm(scores, w, out=grad_x)
        torch.mm(scores.T, x, out=grad_w)

    return run


def wait(device: str) -> None:
    """Wait until the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def errors(
    shape: tuple[int, int, int], device: str, dtype: torch.dtype, loss: Loss, scores: str = "random"
) -> dict[str, float]:
    """The largest errors of loss and gradients on the first 64 rows, relative to the largest entry, against float64."""
    x, w, y = problem(shape, device, dtype, scores)
    x = x.detach()[:64].requires_grad_()
    wide = [t.detach().double().requires_grad_() for t in (x, w)]
    got, truth = step(loss, x, w, y[:64]), step(unfused, *wide, y[:64])
    pairs = {"loss": (got, truth), "grad_input": (x.grad, wide[0].grad), "grad_weight": (w.grad, wide[1].grad)}
    return {what: float((a.double() - b).abs().max() / b.abs().max()) for what, (a, b) in pairs.items()}


def timings(calls: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, list[float]]:
    """Seconds of each call, in turns, after one warm-up.

    On CUDA a turn is several calls and the first is not counted: the clock rate of a GPU depends on the power drawn before.
    """
    taken: dict[str, list[float]] = {who: [] for who in calls}
    for i in range(rounds + 1):
        for who, call in calls.items():
            for j in range(BURST if device == "cuda" else 1):
                wait(device)
                begin = time.perf_counter()
                call()
                wait(device)
                if i and (j or device == "cpu"):
                    taken[who].append(time.perf_counter() - begin)
    return taken


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_above_gradients(
    who: str, shape: tuple[int, int, int], device: str, dtype: torch.dtype, scores: str = "random"
) -> int:
    """The most bytes that a step holds in addition to the gradients it returns and to what was there before.

    On the CPU it must be the first step of a process.
    """
    loss = contenders(device, dtype)[0][who]
    x, w, y = problem(shape, device, dtype, scores)
    gradients = (x.numel() + w.numel()) * x.element_size()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(loss, x, w, y)
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before - gradients
    # A small step first, so that loading libraries and starting threads does not count.
    step(loss, *problem((64, 64, 256), device, dtype))
    before, most, is_done = resident(), [resident()], threading.Event()

    def watch() -> None:
        while not is_done.wait(0.001):
            most.append(resident())

    thread = threading.Thread(target=watch)
    thread.start()
    step(loss, x, w, y)
    is_done.set()
    thread.join()
    return max(most) - before - gradients


def peak_in_fresh_process(who: str, shape: tuple[int, int, int], device: str, dtype: str, scores: str) -> int:
    """`peak_above_gradients` in a process where nothing was computed before."""
    options = ["--device", device, "--dtype", dtype, "--scores", scores, "--peak", who, "--shape", *map(str, shape)]
    done = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=True)
    return int(done.stdout.strip().splitlines()[-1])


def calls_of(found: dict[str, Loss], x: Tensor, w: Tensor, y: Tensor) -> dict[str, Callable[[], object]]:
    """The calls to time, "products" first."""
    return {"products": products(x, w)} | {who: (lambda loss=loss: step(loss, x, w, y)) for who, loss in found.items()}


def compare(shape: tuple[int, int, int], device: str, dtype: str, rounds: int, scores: str) -> dict[str, Any]:
    """The record of one shape."""
    kind = getattr(torch, dtype)
    found, _ = contenders(device, kind)
    compared = _cross_entropies(found)
    wrong = {who: errors(shape, device, kind, loss, scores) for who, loss in found.items() if who in compared}
    taken = timings(calls_of(found, *problem(shape, device, kind, scores)), rounds, device)
    if device == "cuda":
        peaks = {who: peak_above_gradients(who, shape, device, kind, scores) for who in found}
    else:
        peaks = {who: peak_in_fresh_process(who, shape, device, dtype, scores) for who in found}
    plan = linear_loss.plan(*shape, kind, device=device)  # type: ignore[attr-defined]
    return {
        "shape": shape,
        "dtype": dtype,
        "scores": scores,
        "plan": str(plan),
        "seconds": {who: {"median": statistics.median(t), "best": min(t)} for who, t in taken.items()},
        "peak_bytes": peaks,
        "errors": wrong,
    }


def _cross_entropies(found: dict[str, Loss]) -> list[str]:
    return [who for who in found if who not in ("lastlayer sparsemax", "lastlayer entmax-1.5")]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the tables."""
    for row in rows:
        rows_, features, classes = row["shape"]
        table = Table(title=f"N {rows_}, D {features}, K {classes}, {row['dtype']}, {row['scores']} scores")
        for column in ("", "seconds", "÷ products", "MiB above gradients", "error of grad_weight"):
            table.add_column(column, justify="right" if column else "left")
        base = row["seconds"]["products"]["median"]
        for who, seconds in row["seconds"].items():
            peak, error = row["peak_bytes"].get(who), row["errors"].get(who)
            table.add_row(
                who,
                f"{seconds['median']:.3f}",
                f"{seconds['median'] / base:.2f}",
                "" if peak is None else f"{peak / 2**20:.0f}",
                "" if error is None else f"{error['grad_weight']:.1e}",
            )
        Console().print(table)


def facts(device: str, left_out: dict[str, str]) -> dict[str, Any]:
    """The machine and the versions of this run."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "native_kernels": ll.show_config()["native_kernels"],
        "versions": {"lastlayer": ll.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "left_out": left_out,
    }


def main() -> None:
    """Compare on every shape, print the tables, record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small shape, to see that it works; nothing is recorded")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--scores", choices=["random", "peaked"], default="random")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--peak", default=None, help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs=3, default=None)
    given = parser.parse_args()
    if given.peak is not None:
        kind = getattr(torch, given.dtype)
        print(peak_above_gradients(given.peak, tuple(given.shape), given.device, kind, given.scores))
        return
    shapes = [tuple(given.shape)] if given.shape else QUICK if given.quick else SHAPES[given.device]
    rows = []
    for shape in shapes:
        rows.append(compare(shape, given.device, given.dtype, given.rounds, given.scores))
        show(rows[-1:])
    if not given.quick:
        out = given.out or RESULTS / f"linear-{given.device}{'-peaked' * (given.scores == 'peaked')}.json"
        record = {"facts": facts(given.device, contenders(given.device, getattr(torch, given.dtype))[1]), "rows": rows}
        out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

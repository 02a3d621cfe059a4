"""Times rows on CUDA against their peers and a copy: softmax, cross-entropy with its gradient in place, sparsemax, 1.5-entmax.

python benchmarks/rows.py [--quick] [--dtype float32] [--rounds 10] [--out FILE]

Every shape has 2^28 scores (2^20 with --quick). "copy" is out.copy_(scores), which moves the number of bytes that a softmax, or
a gradient in place, must move. Contenders run in turns; the figures are medians of device time. Correctness is measured first:
the largest error in ULP of each softmax on four rows, against float64. The record is
benchmarks/results/rows-cuda-<dtype>.json, with the facts of the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from linear import facts
from rich.console import Console
from rich.table import Table

import lastlayer as ll

RESULTS = Path(__file__).parent / "results"
CLASSES = (1024, 4096, 16384, 32000, 65536, 262144)
SCORES, QUICK = 2**28, 2**20

Tensor = torch.Tensor
Call = Callable[[], object]


def problem(classes: int, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Scores that spread like those of a model in training, and labels."""
    generator = torch.Generator("cuda").manual_seed(classes)
    x = 2.0 * torch.randn(max(1, size // classes), classes, device="cuda", generator=generator)
    labels = torch.randint(0, classes, x.shape[:1], device="cuda", generator=generator)
    return x.to(dtype), labels


def calls(x: Tensor, labels: Tensor) -> dict[str, Call]:
    """Name → the call to time. It writes into a preallocated buffer if its library can."""
    out, place = torch.empty_like(x), x.clone()
    compiled = torch.compile(lambda scores: torch.softmax(scores, -1), dynamic=False)
    tracked = x.clone().requires_grad_()

    def torch_loss() -> None:
        tracked.grad = None
        F.cross_entropy(tracked, labels).backward()

    found: dict[str, Call] = {
        "copy": lambda: out.copy_(x),
        "softmax": lambda: ll.softmax(x, out=out),
        "softmax, torch": lambda: torch.softmax(x, -1, out=out),
        "softmax, torch.compile": lambda: compiled(x),
        "log_softmax": lambda: ll.log_softmax(x, out=out),
        "log_softmax, torch": lambda: torch.log_softmax(x, -1, out=out),
        "loss": lambda: ll.loss(x, labels),
        "loss and gradient in place": lambda: ll.loss_and_grad(place, labels, out=place),
        "loss and gradient, torch": torch_loss,
        "sparsemax": lambda: ll.probabilities(x, mapping="sparsemax", out=out),
        "entmax-1.5": lambda: ll.probabilities(x, mapping="entmax", out=out),
    }
    if find_spec("entmax") is not None:
        import entmax

        found |= {
            "sparsemax, entmax package": lambda: entmax.sparsemax(x, -1),
            "entmax-1.5, entmax package": lambda: entmax.entmax15(x, -1),
        }
    return found


def milliseconds(found: dict[str, Call], rounds: int) -> dict[str, list[float]]:
    """Device time of each call, in turns, after two warm-up rounds."""
    taken: dict[str, list[float]] = {who: [] for who in found}
    for i in range(rounds + 2):
        for who, call in found.items():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            # Keep the device busy while the host launches the call, so that launch time is not measured.
            torch.cuda._sleep(2_000_000)
            begin.record()
            call()
            end.record()
            torch.cuda.synchronize()
            if i >= 2:
                taken[who].append(begin.elapsed_time(end))
    return taken


def ulp_errors(x: Tensor) -> dict[str, float]:
    """The largest error of the probabilities on four rows."""
    some = x[:4]
    truth = torch.softmax(some.double(), -1)
    unit = torch.finfo(x.dtype).eps * 2.0 ** torch.floor(torch.log2(truth))
    unit = unit.clamp_min(torch.finfo(x.dtype).smallest_normal * torch.finfo(x.dtype).eps)
    found = {"softmax": ll.softmax(some), "softmax, torch": torch.softmax(some, -1)}
    return {who: float(((p.double() - truth).abs() / unit).max()) for who, p in found.items()}


def main() -> None:
    """Compare at every number of classes, print the table, record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few scores, to see that it works; nothing is recorded")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for classes in CLASSES:
        x, labels = problem(classes, QUICK if given.quick else SCORES, getattr(torch, given.dtype))
        taken = {who: statistics.median(t) for who, t in milliseconds(calls(x, labels), given.rounds).items()}
        rows.append({"classes": classes, "rows": len(x), "milliseconds": taken, "ulp": ulp_errors(x)})
        del x, labels
        torch.cuda.empty_cache()
    table = Table(title=f"{given.dtype}, device time over that of a copy; in brackets largest error in ULP")
    table.add_column("classes", justify="right")
    for who in rows[0]["milliseconds"]:
        table.add_column(who, justify="right")
    for row in rows:
        taken, ulp = row["milliseconds"], row["ulp"]
        cells = [f"{taken['copy']:.3f} ms"]
        cells += [
            f"{t / taken['copy']:.2f}" + (f" ({ulp[who]:.1f})" if who in ulp else "")
            for who, t in taken.items()
            if who != "copy"
        ]
        table.add_row(str(row["classes"]), *cells)
    Console(width=180).print(table)
    if not given.quick:
        out = given.out or RESULTS / f"rows-cuda-{given.dtype}.json"
        out.write_text(json.dumps({"facts": facts("cuda", {}), "dtype": given.dtype, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

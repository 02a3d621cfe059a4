"""Softmax, log-softmax and cross-entropy beside their peers in one run: time as ratios, errors in ULP.

python benchmarks/run.py [--quick]

Every row times lastlayer, SciPy and torch in turns on the same buffers, and a copy of the scores as the floor. The result of
what is timed is compared with mpmath first. Recorded in benchmarks/results/ with the facts of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import scipy
import scipy.special
import torch
from rich.console import Console
from rich.table import Table

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.checks.measure import ulp_error

SHAPES = [(65536, 2), (65536, 10), (65536, 100), (8192, 1000), (1024, 32000)]
#: Scores up to which the mappings without a peer are timed too: some are still served by the slow formulas.
SMALL = 1_000_000
RESULTS = Path(__file__).parent / "results"


def cases(x: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, Callable[[], object]]]:
    """Operation → who computes it → the call."""
    tensor, out = torch.from_numpy(x), np.empty_like(x)
    targets = torch.from_numpy(labels)

    def torch_loss_and_grad() -> torch.Tensor:
        leaf = tensor.detach().requires_grad_()
        torch.nn.functional.cross_entropy(leaf, targets, reduction="sum").backward()
        return leaf.grad

    operations: dict[str, dict[str, Callable[[], object]]] = {
        "softmax": {
            "lastlayer": lambda: ll.softmax(x, out=out),
            "scipy": lambda: scipy.special.softmax(x, axis=-1),
            "torch": lambda: torch.softmax(tensor, -1),
        },
        "log_softmax": {
            "lastlayer": lambda: ll.log_softmax(x, out=out),
            "scipy": lambda: scipy.special.log_softmax(x, axis=-1),
            "torch": lambda: torch.log_softmax(tensor, -1),
        },
        "cross_entropy gradient": {
            "lastlayer": lambda: ll.loss_and_grad(x, labels, out=out, reduction="sum")[1],
            "torch": torch_loss_and_grad,
        },
    }
    positive = np.abs(x)
    for name, mapping in ll.MAPPINGS.items():
        if name != "softmax":
            scores = x if mapping.domain.is_valid is None else positive
            operations[name] = {"lastlayer": lambda m=mapping, s=scores: ll.probabilities(s, mapping=m, out=out)}
    return operations


def seconds(call: Callable[[], object], budget: float) -> float:
    """The fastest of as many runs as fit the budget, after one to warm up."""
    call()
    best, start = float("inf"), time.perf_counter()
    while time.perf_counter() - start < budget or best == float("inf"):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def errors(operation: str) -> dict[str, float]:
    """The largest error of each in ULP, on rows that are random, wide and confident, in float32."""
    rng = np.random.default_rng(0)
    rows = np.concatenate(
        [rng.normal(size=(20, 5)), rng.uniform(-100, 100, size=(20, 5)), [[0, -17, -18, -19, -20]]]
    ).astype(np.float32)
    mapping = ll.MAPPINGS.get(operation, ll.MAPPINGS["softmax"])
    rows = rows if mapping.domain.is_valid is None else np.abs(rows)
    labels = rows.argmax(axis=1)
    worst: dict[str, float] = {}
    for who, call in cases(rows, labels)[operation].items():
        got = np.asarray(call())
        for row, label, values in zip(rows, labels, got, strict=True):
            p = oracles.probabilities(mapping, row)
            if operation == "log_softmax":
                truth = [oracles.context(mapping).log(q) for q in p]
            elif operation == "cross_entropy gradient":
                truth = [q - (k == label) for k, q in enumerate(p)]
            else:
                truth = p
            if mapping.budget.kind == "ulp":
                error = max(ulp_error(a, b, np.dtype(np.float32)) for a, b in zip(values, truth, strict=True))
            else:
                error = max(float(abs(b - float(a)) / max(p)) / 2.0**-23 for a, b in zip(values, truth, strict=True))
            worst[who] = max(worst.get(who, 0.0), error)
    return worst


def main() -> None:
    """Time every case, print the table, record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small shapes and short runs, to see that it works")
    quick = parser.parse_args().quick
    shapes, budget = ([(256, 10), (64, 100)], 0.02) if quick else (SHAPES, 0.6)
    rows = []
    for n, k in shapes:
        rng = np.random.default_rng(1)
        x, labels = rng.normal(size=(n, k)).astype(np.float32) * 3, rng.integers(0, k, size=n)
        out = np.empty_like(x)
        floor = seconds(lambda x=x, out=out: np.copyto(out, x), budget)
        for operation, calls in cases(x, labels).items():
            if len(calls) == 1 and n * k > SMALL:
                continue
            times = {who: seconds(call, budget) for who, call in calls.items()}
            rows.append({"shape": [n, k], "operation": operation, "copy_s": floor, "seconds": times})
    worst = {operation: errors(operation) for operation in cases(np.ones((1, 2), np.float32), np.zeros(1, int))}
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "serving": ll.show_config()["implementations"],
        "versions": {
            "lastlayer": ll.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "torch": torch.__version__,
        },
    }
    show(rows, worst)
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        record = RESULTS / "cpu.json"
        record.write_text(json.dumps({"facts": facts, "rows": rows, "worst_error": worst}, indent=1) + "\n")
        print(f"recorded: {record}")


def show(rows: list[dict], worst: dict[str, dict[str, float]]) -> None:
    """Ratios: our time over a peer's (below 1 is ahead) and over a copy; errors in ULP (eps of the largest p if sparse)."""
    table = Table(box=None)
    for heading in ("shape", "operation", "ms", "× copy", "× scipy", "× torch", "error", "scipy's", "torch's"):
        table.add_column(heading, no_wrap=True, justify="left" if heading in ("shape", "operation") else "right")
    for row in rows:
        times, error = row["seconds"], worst[row["operation"]]
        own = times["lastlayer"]
        peers = [f"{own / times[who]:.2f}" if who in times else "" for who in ("scipy", "torch")]
        shown = [f"{error[who]:.3g}" if who in error else "" for who in ("lastlayer", "scipy", "torch")]
        shape = "×".join(map(str, row["shape"]))
        table.add_row(shape, row["operation"], f"{own * 1e3:.3g}", f"{own / row['copy_s']:.1f}", *peers, *shown)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()

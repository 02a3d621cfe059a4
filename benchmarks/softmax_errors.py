"""Search for the largest errors of softmax in float32, on random rows of every kernel's lengths, for each instruction set.

    python benchmarks/softmax_errors.py --seconds 600

The truth is our float64 softmax, which is within 2 ULP of float64. Records how many results were looked at, how many were off
by more than 2 ULP, and the largest error, in benchmarks/results/softmax-errors.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import lastlayer as ll

RECORD = Path(__file__).parent / "results" / "softmax-errors.json"
INSTRUCTION_SETS = ("avx512", "avx2", "baseline")
CLASSES = (2, 3, 10, 30, 48, 49, 64, 100, 200, 288, 289, 500, 1000, 3000)


def search(seconds: float, seed: int) -> dict[str, float]:
    """Rows of sizes 0.1 to 1000, moved by an offset, some with one score that leads."""
    rng, end = np.random.default_rng(seed), time.perf_counter() + seconds
    results, above, largest = 0, 0, 0.0
    while time.perf_counter() < end:
        classes = int(rng.choice(CLASSES))
        rows = rng.normal(size=(200_000 // classes, classes)) * 10.0 ** rng.uniform(-1, 3) + rng.choice([0, 100, -3000])
        scores = rows.astype(np.float32)
        if rng.random() < 0.3:
            scores[:, 0] += np.float32(rng.uniform(0, 30))
        truth = ll.softmax(scores.astype(np.float64))
        errors = np.abs(ll.softmax(scores) - truth) / np.spacing(truth.astype(np.float32))
        results, above, largest = (
            results + errors.size,
            above + int((errors > 2).sum()),
            max(largest, float(errors.max())),
        )
    return {"results": results, "above_2_ulp": above, "largest_ulp": round(largest, 2), "seed": seed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each instruction set (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="search on the present instruction set and print")
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(search(given.seconds, given.seed)))
        return
    found = {}
    for name in INSTRUCTION_SETS:
        command = [sys.executable, __file__, "--alone", "--seconds", str(given.seconds), "--seed", str(given.seed)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LASTLAYER_ISA": name})
        if done.returncode:
            print(f"{name}: left out, {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        found[name] = json.loads(done.stdout)
        print(name, found[name])
    RECORD.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()

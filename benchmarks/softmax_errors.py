"""Searches for the largest errors of softmax in float32, on row lengths of every kernel, for each instruction set.

    python benchmarks/softmax_errors.py --seconds 600

The reference is our float64 softmax, which is within 2 ULP of float64. A third of the rows are random. In the other rows all
scores but one are the same number, so that the errors of their exponentials cannot cancel in the sum: in one half each row has
a different number, in the other half all rows have the number that was worst in the first. The record,
benchmarks/results/softmax-errors.json, has the number of results, how many exceeded the bound, and the largest error, with
results below 2^-120 reported separately.
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
SMALL = 2.0**-120
CLASSES = (2, 3, 10, 30, 48, 49, 64, 100, 200, 288, 289, 500, 1000, 3000)


def errors(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The error of each result in ULP, and which results are so small that the low part of a product has lost digits."""
    truth = ll.softmax(scores.astype(np.float64))
    return np.abs(ll.softmax(scores) - truth) / np.spacing(truth.astype(np.float32)), truth < SMALL


def random_rows(classes: int, rng: np.random.Generator) -> np.ndarray:
    """Random rows of sizes 0.1 to 1000, shifted by an offset; in some, one score leads."""
    rows = rng.normal(size=(200_000 // classes, classes)) * 10.0 ** rng.uniform(-1, 3) + rng.choice([0, 100, -3000])
    scores = rows.astype(np.float32)
    if rng.random() < 0.3:
        scores[:, 0] += np.float32(rng.uniform(0, 30))
    return scores


def alike_rows(classes: int, rng: np.random.Generator, size: float | None = None) -> np.ndarray:
    """Rows whose scores are all the same number except the first, which is at most 3 away.

    The number is `size` for all rows, or a random number per row if `size` is None.
    """
    count = 200_000 // classes
    others = np.full(count, size) if size is not None else rng.uniform(-1, 1, size=count) * 10.0 ** rng.uniform(-1, 2)
    scores = np.repeat(others.astype(np.float32)[:, None], classes, axis=1)
    scores[:, 0] += rng.uniform(-3, 1, size=count).astype(np.float32)
    return scores


def search(seconds: float, seed: int) -> dict[str, float]:
    rng, end = np.random.default_rng(seed), time.perf_counter() + seconds
    bound = ll.MAPPINGS["softmax"].budget.float32
    results, above, largest, largest_of_small = 0, 0, 0.0, 0.0
    while time.perf_counter() < end:
        classes = int(rng.choice(CLASSES))
        alike = alike_rows(classes, rng)
        worst = alike[errors(alike)[0].max(axis=1).argmax(), -1]
        for scores in (random_rows(classes, rng), alike, alike_rows(classes, rng, float(worst))):
            found, is_small = errors(scores)
            results += found.size
            above += int((found > bound).sum())
            largest = max(largest, float(found[~is_small].max()))
            largest_of_small = max(largest_of_small, float(found[is_small].max(initial=0.0)))
    return {
        "results": results,
        "above_bound": above,
        "largest_ulp": round(largest, 2),
        "largest_ulp_below_2^-120": round(largest_of_small, 2),
        "seed": seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each instruction set (default: 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="search on the current instruction set and print")
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

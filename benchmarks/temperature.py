"""Time of one temperature, fitted to scores of any model, next to scikit-learn, netcal and probmetrics; and whole evaluations.

python benchmarks/temperature.py [--rows 50000]

50 000 rows × 10, 100 and 1000 classes in float32, whose softmax was calibrated before they were doubled: T is about 2. The solvers
run in turns in one process, each with the threads it takes by itself, and the least time of several turns counts. Every
temperature is compared with that of a bracketing search in float64. A peer that is not installed is left out, and the record says
so: `pip install netcal probmetrics numba`. netcal takes probabilities, in float64, since its solver does not move from T = 1 in
float32; making them is not counted. Then the whole command, from a file to the report. The record is
benchmarks/results/temperature.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from fit import RESULTS, facts
from rich.console import Console
from rich.table import Table
from scipy import optimize

import lastlayer as ll
from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import fit_map

CLASSES = (10, 100, 1000)
TURNS = 5
#: A solver has no further turn after this time.
ENOUGH = 20.0

Solver = Callable[[np.ndarray, np.ndarray], float]


def doubled(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Twice the scores of a calibrated model, and labels."""
    random = np.random.default_rng(classes)
    scores = 2.0 * random.normal(size=(rows, classes)).astype(np.float32)
    labels = (scores + random.gumbel(size=scores.shape).astype(np.float32)).argmax(axis=1)
    return 2.0 * scores, labels


def ours(scores: np.ndarray, labels: np.ndarray) -> float:
    """The one that `lastlayer evaluate` fits."""
    return fit_map("temperature", ScoreRows(scores), labels).calibrator.temperature


def scikit_learn() -> Solver:
    """What CalibratedClassifierCV(method="temperature") fits."""
    from sklearn.calibration import _TemperatureScaling

    return lambda scores, labels: float(1.0 / _TemperatureScaling().fit(scores, labels).beta_)


def netcal() -> Solver:
    """TemperatureScaling of netcal, on probabilities."""
    from netcal.scaling import TemperatureScaling

    def solve(p: np.ndarray, labels: np.ndarray) -> float:
        scaling = TemperatureScaling()
        scaling.fit(p, labels)
        return float(1.0 / np.ravel(scaling.weights)[0])

    return solve


def probmetrics() -> Solver:
    """The default temperature scaling of probmetrics, by bisection."""
    import torch
    from probmetrics.calibrators import get_calibrator
    from probmetrics.distributions import CategoricalLogits

    def solve(scores: np.ndarray, labels: np.ndarray) -> float:
        calibrator = get_calibrator("temp-scaling")
        calibrator.fit_torch(CategoricalLogits(torch.from_numpy(scores)), torch.from_numpy(labels))
        return float(1.0 / calibrator.invtemp_)

    return solve


PEERS: dict[str, Callable[[], Solver]] = {"scikit-learn": scikit_learn, "netcal": netcal, "probmetrics": probmetrics}


def truth(scores: np.ndarray, labels: np.ndarray) -> float:
    """By Brent's root of a difference of losses, in float64."""
    wide = scores.astype(np.float64)

    def slope(u: float) -> float:
        high, low = (float(ll.loss(wide, labels, temperature=math.exp(u + step))) for step in (1e-4, -1e-4))
        return high - low

    return math.exp(optimize.brentq(slope, -3.0, 3.0, xtol=1e-10))


def measure(solvers: dict[str, Solver], scores: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Seconds and relative error of each solver's temperature."""
    exact = truth(scores, labels)
    given = {name: ll.softmax(scores.astype(np.float64)) if name == "netcal" else scores for name in solvers}
    best = dict.fromkeys(solvers, math.inf)
    spent = dict.fromkeys(solvers, 0.0)
    found: dict[str, float] = {}
    for _ in range(TURNS):
        for name, solve in solvers.items():
            if spent[name] > ENOUGH:
                continue
            begin = time.perf_counter()
            found[name] = solve(given[name], labels)
            seconds = time.perf_counter() - begin
            best[name], spent[name] = min(best[name], seconds), spent[name] + seconds
    return {name: {"seconds": best[name], "relative_error": abs(found[name] / exact - 1)} for name in solvers}


def whole_command(rows: int, classes: int) -> dict[str, float]:
    """Wall time and peak memory of `lastlayer evaluate` in a process of its own, twice; the second run counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scores, labels = doubled(rows, classes)
        np.save(folder / "scores.npy", scores)
        np.save(folder / "labels.npy", labels)
        command = [sys.executable, "-c", MEASURED, "evaluate", "scores.npy", "--labels", "labels.npy", "--json"]
        for _ in range(2):
            begin = time.perf_counter()
            done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - begin
        return {
            "rows": rows,
            "classes": classes,
            "seconds": seconds,
            "peak": float(done.stderr.split()[-1]),
            "bytes": scores.nbytes,
        }


#: The command, which then says its peak memory in bytes. What the system says of a child begins with its parent's peak.
MEASURED = """
import re, sys
from pathlib import Path
from lastlayer.cli import main
try:
    main()
finally:
    peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
    print(1024 * int(peak[1]), file=sys.stderr)
"""


def main() -> None:
    """Measure every shape, print the table, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore")
    solvers: dict[str, Solver] = {"lastlayer": ours}
    missing: dict[str, str] = {}
    for name, load in PEERS.items():
        try:
            solvers[name] = load()
        except ImportError as error:
            missing[name] = str(error)
    known = facts(os.cpu_count() or 1)
    known["versions"] |= {name: version(name) for name in solvers if name != "lastlayer"}
    record: dict[str, Any] = {"facts": known, "missing": missing, "shapes": {}}
    table = Table("classes", *(f"{name}: ms (× ours, error)" for name in solvers))
    for classes in CLASSES:
        found = measure(solvers, *doubled(rows, classes))
        record["shapes"][f"{rows}x{classes}"] = found
        least = found["lastlayer"]["seconds"]
        cells = [
            f"{1e3 * one['seconds']:.0f} ({one['seconds'] / least:.1f}, {one['relative_error']:.0e})"
            for one in found.values()
        ]
        table.add_row(str(classes), *cells)
    Console().print(table)
    record["command"] = whole_command(rows, CLASSES[-1])
    Console().print(record["command"])
    (RESULTS / "temperature.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Times whole studies as people run them: the command, from the file to the report.

python benchmarks/study.py [--only NAME] [--jobs N]

Four tables: digits; one like diamonds (54 000 rows, six numbers and three categories, 5 classes); embeddings (400 rows of 768
numbers, 4 classes); and a large one (200 000 rows of 50 numbers, 5 classes). Each runs in a process of its own, in an empty
folder, with the default options, so with all mappings, baselines, inner cross-validation and the model at the end. The record is
benchmarks/results/study.json: wall and processor seconds, the largest memory of any process, fits, and what was advised.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from lastlayer.benchmark.facts import processor

RESULTS = Path(__file__).parent / "results"


def diamonds_like(path: Path) -> None:
    """Sizes that go together, a price that follows from them, and a grade that depends on both, with much noise."""
    random = np.random.default_rng(0)
    rows = 54_000
    carat = np.exp(random.normal(-0.4, 0.6, rows))
    side = 6.4 * np.cbrt(carat)
    depth, table = random.normal(61.7, 1.4, rows), random.normal(57.5, 2.2, rows)
    quality = random.normal(size=rows) - 0.5 * np.abs(depth - 61.7) - 0.4 * np.abs(table - 56.5)
    frame = pd.DataFrame(
        {
            "carat": carat.round(2),
            "color": random.choice(list("DEFGHIJ"), rows),
            "clarity": random.choice(["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"], rows),
            "depth": depth.round(1),
            "table": table.round(1),
            "price": (4000 * carat**1.7 * np.exp(0.1 * quality + 0.2 * random.normal(size=rows))).round(),
            "x": (side + random.normal(0, 0.03, rows)).round(2),
            "y": (side + random.normal(0, 0.03, rows)).round(2),
            "z": (side * depth / 100).round(2),
            "cut": pd.qcut(
                quality, [0, 0.03, 0.12, 0.34, 0.6, 1], labels=["Fair", "Good", "Very Good", "Premium", "Ideal"]
            ),
        }
    )
    frame.to_csv(path, index=False)


def embeddings(path: Path) -> None:
    """Correlated features whose variance falls like a power, as those of a language model."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 400)
    centres = random.normal(size=(4, 768))
    X = (centres[labels] * 0.4 + random.normal(size=(400, 768))) * np.arange(1, 769) ** -0.4
    basis, _ = np.linalg.qr(random.normal(size=(768, 768)))
    np.savez(path, X=X @ basis, y=labels)


def large(path: Path) -> None:
    """Overlapping Gaussian classes."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 200_000)
    X = 0.35 * random.normal(size=(5, 50))[labels] + random.normal(size=(200_000, 50))
    frame = pd.DataFrame(X.round(4), columns=[f"x{i}" for i in range(50)]).assign(label=labels)
    frame.to_csv(path, index=False)


#: Name → what makes the file, its name, and the options that name its target.
TABLES: dict[str, tuple[Callable[[Path], None] | None, str, list[str]]] = {
    "digits": (None, "digits", []),
    "diamonds-like 54000 × 9 × 5": (diamonds_like, "diamonds.csv", ["--target", "cut"]),
    "embeddings 400 × 768 × 4": (embeddings, "embeddings.npz", []),
    "large 200000 × 50 × 5": (large, "large.csv", ["--target", "label"]),
}


def run(name: str, jobs: int | None) -> dict[str, Any]:
    """One study in a process of its own."""
    make, file, options = TABLES[name]
    with tempfile.TemporaryDirectory() as folder:
        if make is not None:
            make(Path(folder) / file)
        command = [str(Path(sys.executable).with_name("lastlayer")), "study", file, *options, "--json"]
        command += [] if jobs is None else ["--jobs", str(jobs)]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr)
    after, found = resource.getrusage(resource.RUSAGE_CHILDREN), json.loads(done.stdout)
    return {
        "seconds": seconds,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # The largest process so far: tables are in the order of their size.
        "peak_mib": after.ru_maxrss / 1024,
        "fit_seconds": {m["name"]: m["fit_seconds"] for m in (*found["mappings"], *found["baselines"])},
        "brier": {m["name"]: m["brier"] and m["brier"]["mean"] for m in (*found["mappings"], *found["baselines"])},
        "advised": found["decision"]["mapping"],
    }


def main() -> None:
    """Run the studies, show them and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--jobs", type=int)
    asked = parser.parse_args()
    names = [asked.only] if asked.only else list(TABLES)
    found = {name: run(name, asked.jobs) for name in names}
    table = Table("table", "wall s", "processor s", "peak MiB", "slowest fits", "advised")
    for name, row in found.items():
        slowest = sorted(row["fit_seconds"].items(), key=lambda item: -item[1])[:3]
        shown = ", ".join(f"{label} {seconds:.2g} s" for label, seconds in slowest)
        cells = f"{row['seconds']:.1f}", f"{row['processor_seconds']:.1f}", f"{row['peak_mib']:.0f}"
        table.add_row(name, *cells, shown, row["advised"])
    Console().print(table)
    if not asked.only:
        facts = {"processor": processor(), "cores": os.cpu_count(), "date": datetime.now(UTC).strftime("%Y-%m-%d")}
        (RESULTS / "study.json").write_text(json.dumps({"facts": facts, "studies": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Record the studies that the page to play with shows in its last question: four tables, every mapping, four metrics.

python benchmarks/explore_studies.py [FILE.json ...]     # the output of `lastlayer study NAME --json`; without files the studies are run
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lastlayer.findings.metrics import METRICS
from lastlayer.version import __version__

TABLES = ("iris", "wine", "breast_cancer", "digits")
SHOWN = ("accuracy", "brier", "log_loss", "ece")
RECORD = Path(__file__).resolve().parent.parent / "src" / "lastlayer" / "explore" / "data" / "studies.json"


def main() -> None:
    """Run or read the studies, and write the record."""
    studies = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]] or [run(t) for t in TABLES]
    record = {
        "version": __version__,
        "metrics": {m.key: {"name": m.name, "lower": m.is_lower_better} for m in METRICS.values() if m.key in SHOWN},
        "tables": [condensed(study) for study in studies],
    }
    RECORD.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{RECORD.name}: {RECORD.stat().st_size} bytes")


def run(table: str) -> dict[str, Any]:
    """One study with the default settings."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("lastlayer")), "study", table, "--json", "--out", folder]
        result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def condensed(study: dict[str, Any]) -> dict[str, Any]:
    """What the page draws: for each mapping and metric [mean, difference to softmax, low, high, verdict]; null for what is infinite.

    low and high bound the difference, not adjusted for the number of comparisons; the verdict is adjusted.
    """
    pairs = {(c["mapping"], c["metric"]): c for c in study["comparisons"]}
    return {
        "name": study["dataset"],
        "rows": study["n_samples"],
        "features": study["n_features"],
        "classes": study["n_classes"],
        "folds": study["settings"]["folds"],
        "repeats": study["settings"]["repeats"],
        "mappings": {
            m["name"]: {metric: cell(m[metric]["mean"], pairs.get((m["name"], metric))) for metric in SHOWN}
            for m in study["mappings"]
        },
    }


def cell(mean: float | str, pair: dict[str, Any] | None) -> list[float | str | None]:
    """A mean and, where there is a comparison with softmax, its difference, interval and verdict."""
    numbers = [mean] if pair is None else [mean, pair["difference"], pair["low"], pair["high"]]
    rounded: list[float | str | None] = [round(v, 4) if isinstance(v, (int, float)) else None for v in numbers]
    return rounded if pair is None else [*rounded, pair["verdict"]]


if __name__ == "__main__":
    main()

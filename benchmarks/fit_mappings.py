"""CPU time of every mapping's fit, as a multiple of softmax's fit to the same rows with the same C.

python benchmarks/fit_mappings.py [--only SHAPE] [--mappings a,b]

Twelve shapes, rows × features × classes: small tables, more features than rows, many rows, many classes. Fits have the default
options. They run in turns, in one process and one thread; the least CPU time of several turns counts, as other processes only
add to it. The record is benchmarks/results/fit-mappings.json, with what was cut short and where it ended.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from fit import RESULTS, Data, facts
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

#: Values of C: the ratio wants small ones, softmax large ones.
STRENGTHS = (1e-5, 1e-3, 0.01, 1.0, 100.0)
#: Turns, and the seconds after which a fit has no further turn.
TURNS, ENOUGH = 5, 0.5


def clusters(rows: int, features: int, classes: int, *, decay: float = 0.0, seed: int = 0) -> Data:
    """Overlapping, correlated clusters of unequal size, a tenth of the labels at random, standardised.

    With `decay` the spectrum falls like that of embeddings.
    """
    random = np.random.default_rng(seed)
    share = np.linspace(1.0, 2.0, classes)
    labels = np.concatenate(
        [np.arange(classes).repeat(2), random.choice(classes, rows - 2 * classes, p=share / share.sum())]
    )
    X = 2.0 / np.sqrt(features) * random.normal(size=(classes, features))[labels] + random.normal(size=(rows, features))
    X = 0.8 * X + 0.6 * X[:, :1] * random.normal(size=features)
    if decay:
        X = X * np.arange(1, features + 1.0) ** -decay @ np.linalg.qr(random.normal(size=(features, features)))[0]
    is_random = random.random(rows) < 0.1
    is_random[: 2 * classes] = False
    return StandardScaler().fit_transform(X), np.where(is_random, random.integers(0, classes, rows), labels)


def ordered(rows: int) -> Data:
    """Five ordered classes of unequal size from numbers and one-hot columns, like the cuts of diamonds."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 6)) @ random.normal(size=(6, 6))
    X = np.hstack([numbers, *(np.eye(m)[random.integers(0, m, rows)] for m in (7, 5, 5))])
    score = 0.5 * X @ random.normal(size=X.shape[1]) + random.logistic(size=rows)
    return StandardScaler().fit_transform(X), np.searchsorted(np.quantile(score, [0.05, 0.15, 0.4, 0.65]), score)


def standardised(data: Data, rows: int) -> Data:
    """The first rows of a data set, standardised."""
    return StandardScaler().fit_transform(data[0][:rows]), data[1][:rows]


SHAPES: dict[str, Callable[[], Data]] = {
    "150 × 4 × 3": lambda: standardised(load_iris(return_X_y=True), 150),
    "110 × 19 × 3": lambda: clusters(110, 19, 3),
    "344 × 16 × 2": lambda: clusters(344, 16, 2),
    "1000 × 50 × 2": lambda: clusters(1000, 50, 2),
    "189 × 752 × 2": lambda: clusters(189, 752, 2, decay=0.5),
    "300 × 400 × 3": lambda: clusters(300, 400, 3),
    "320 × 768 × 4": lambda: clusters(320, 768, 4, decay=0.5),
    "2000 × 768 × 10": lambda: clusters(2000, 768, 10, decay=0.5),
    "1437 × 64 × 10": lambda: standardised(load_digits(return_X_y=True), 1437),
    "8000 × 100 × 20": lambda: clusters(8000, 100, 20),
    "20000 × 50 × 5": lambda: clusters(20_000, 50, 5),
    "40000 × 23 × 5": lambda: ordered(40_000),
}


def measure(data: Data, C: float, mappings: list[str]) -> dict[str, dict[str, Any]]:
    """Mapping → CPU seconds of a fit, its multiple of softmax's, and how it ended."""
    seconds: dict[str, list[float]] = {mapping: [] for mapping in mappings}
    fitted: dict[str, LastLayerClassifier] = {}
    for _ in range(TURNS):
        for mapping in mappings:
            if sum(seconds[mapping]) < ENOUGH:
                begin = time.process_time()
                fitted[mapping] = LastLayerClassifier(mapping, C=C).fit(*data)
                seconds[mapping].append(time.process_time() - begin)
    least = {mapping: min(taken) for mapping, taken in seconds.items()}
    return {
        mapping: {
            "seconds": least[mapping],
            "times_softmax": least[mapping] / least["softmax"],
            "objective": float(model.objective_),
            "iterations": int(model.n_iter_),
            "converged": bool(model.converged_),
            "is_cut_short": bool(model.is_cut_short_),
        }
        for mapping, model in fitted.items()
    }


def main() -> None:
    """Measure every shape, record it, and print the largest multiple of each mapping."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="shapes whose name contains this; the others keep their record")
    parser.add_argument("--mappings", default=",".join(ll.MAPPINGS), help="mappings, softmax among them")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    ll.set_num_threads(1)
    path = RESULTS / "fit-mappings.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    with threadpool_limits(1):
        for shape, make in SHAPES.items():
            if arguments.only not in shape:
                continue
            data = make()
            rows = [row for row in rows if row["shape"] != shape]
            for C in STRENGTHS:
                fits = measure(data, C, arguments.mappings.split(","))
                rows += [{"shape": shape, "C": C, "mapping": mapping} | fit for mapping, fit in fits.items()]
            path.write_text(json.dumps({"facts": facts(1), "rows": rows}, indent=1) + "\n")
    show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    """Per mapping and shape the largest multiple of softmax's time over the values of C, and the largest of all."""
    shapes = list(dict.fromkeys(row["shape"] for row in rows))
    table = Table(box=None, title="largest CPU time of a fit, in softmax's; * where a fit was cut short")
    for heading in ("mapping", *(shape.replace(" ", "") for shape in shapes), "largest"):
        table.add_column(heading, justify="left" if heading == "mapping" else "right")
    for mapping in dict.fromkeys(row["mapping"] for row in rows):
        mine = [row for row in rows if row["mapping"] == mapping]
        cells = []
        for shape in shapes:
            here = [row for row in mine if row["shape"] == shape]
            largest = max((row["times_softmax"] for row in here), default=float("nan"))
            cells.append(f"{largest:.1f}{'*' if any(row['is_cut_short'] for row in here) else ''}")
        table.add_row(mapping, *cells, f"{max(row['times_softmax'] for row in mine):.1f}")
    Console(width=200).print(table)


if __name__ == "__main__":
    main()

"""Fitting a multinomial linear model beside scikit-learn, to the same objective.

python benchmarks/fit.py [--quick] [--threads N]

For every problem the optimum is first agreed on by lastlayer and one of scikit-learn's solvers, each at a tolerance far below
the gaps that are asked for. Then each solver gets the loosest tolerance at which its objective is within a gap of that
optimum, relatively, and those fits are timed in turns. The objective is computed here, by SciPy, for all of them.
Recorded in benchmarks/results/fit.json with the facts of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import sklearn
from rich.console import Console
from rich.table import Table
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import lastlayer as ll
from lastlayer.sklearn import LastLayerClassifier

GAPS = (1e-6, 1e-8)
#: From loose to tight, half a power of ten apart.
TOLERANCES = [10.0 ** (-exponent / 2) for exponent in range(4, 17)]
#: Iterations, the same for all: who needs more is recorded as not having got there.
MOST = {"lastlayer": 1000, "lbfgs": 1000, "newton-cg": 40, "newton-cholesky": 100}
RESULTS = Path(__file__).parent / "results"

Data = tuple[np.ndarray, np.ndarray]


def clusters(rows: int, features: int, classes: int, *, is_odd: bool) -> Data:
    """Overlapping Gaussian clusters; odd ones have correlated features whose scales span three powers of ten."""
    random = np.random.default_rng(0)
    centres = 0.35 * random.normal(size=(classes, features))
    labels = random.integers(0, classes, size=rows)
    X = centres[labels] + random.normal(size=(rows, features))
    if is_odd:
        X = 0.6 * X + 0.8 * X[:, :1]
        X *= np.logspace(-1.5, 1.5, features)
    return X, labels


def problems(quick: bool) -> dict[str, tuple[Callable[[], Data], tuple[float, ...]]]:
    """Name → the data, and the values of C."""
    X, labels = load_digits(return_X_y=True)
    rows, features, classes = (2000, 10, 10) if quick else (50_000, 100, 100)
    size = f"{rows} × {features} × {classes}"
    return {
        "digits / 16": (lambda: (X / 16, labels), (0.01, 1.0, 100.0)),
        "digits standardised": (lambda: (StandardScaler().fit_transform(X), labels), (0.01, 1.0, 100.0)),
        f"clusters {size}": (lambda: clusters(rows, features, classes, is_odd=False), (1.0,)),
        f"odd clusters {size}": (lambda: clusters(rows, features, classes, is_odd=True), (1.0,)),
    }


def model(solver: str, C: float, tol: float) -> Any:
    """An unfitted model of lastlayer or of a solver of scikit-learn."""
    if solver == "lastlayer":
        return LastLayerClassifier(C=C, tol=tol, max_iter=MOST[solver])
    return LogisticRegression(C=C, tol=tol, solver=solver, max_iter=MOST[solver])


def objective(fitted: Any, X: np.ndarray, labels: np.ndarray) -> float:
    """Σ −log p + ½‖W‖²/C."""
    scores = X @ fitted.coef_.T + fitted.intercept_
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    return float(losses.sum()) + 0.5 / fitted.C * float(np.sum(fitted.coef_**2))


def loosest(solver: str, C: float, data: Data, optimum: float) -> dict[float, float]:
    """Gap → the loosest tolerance that reaches it; gaps that no tolerance reaches are left out."""
    found: dict[float, float] = {}
    for tol in TOLERANCES:
        fitted = model(solver, C, tol).fit(*data)
        reached = objective(fitted, *data) / optimum - 1.0
        for gap in GAPS:
            if gap not in found and reached <= gap:
                found[gap] = tol
        if len(found) == len(GAPS) or np.max(fitted.n_iter_) >= MOST[solver]:
            break
    return found


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of `rounds` runs of each, in turns."""
    taken: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(rounds):
        for who, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[who].append(time.perf_counter() - begin)
    return {who: statistics.median(times) for who, times in taken.items()}


def compare(name: str, C: float, data: Data) -> list[dict[str, Any]]:
    """A row for every gap."""
    # Few variables: the exact Newton of scikit-learn is the reference, and a competitor.
    is_small = data[0].shape[1] * (int(data[1].max()) + 1) < 1000
    reference = "newton-cholesky" if is_small else "newton-cg"
    tight = {who: objective(model(who, C, 1e-9).fit(*data), *data) for who in ("lastlayer", reference)}
    optimum = min(tight.values())
    if max(tight.values()) > optimum * (1 + 0.1 * min(GAPS)):
        raise SystemExit(f"{name}, C = {C:g}: no agreement on the optimum: {tight}")
    solvers = ["lastlayer", "lbfgs", "newton-cg", *(["newton-cholesky"] if is_small else [])]
    tolerances = {who: loosest(who, C, data, optimum) for who in solvers}
    rows = []
    for gap in GAPS:
        calls = {
            who: (lambda who=who, tol=found[gap]: model(who, C, tol).fit(*data))
            for who, found in tolerances.items()
            if gap in found
        }
        row = {"problem": name, "C": C, "gap": gap, "optimum": optimum}
        row["tol"] = {who: found[gap] for who, found in tolerances.items() if gap in found}
        rows.append(row | {"seconds": seconds(calls, 15 if is_small else 3)})
    return rows


def main() -> None:
    """Compare on every problem, print the table, record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small problems, to see that it works")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of everyone")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    ll.set_num_threads(arguments.threads)
    rows = []
    with threadpool_limits(arguments.threads):
        for name, (make, strengths) in problems(arguments.quick).items():
            data = make()
            for C in strengths:
                rows += compare(name, C, data)
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": arguments.threads,
        "serving": ll.show_config()["implementations"],
        "versions": {
            "lastlayer": ll.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    show(rows)
    if not arguments.quick:
        RESULTS.mkdir(exist_ok=True)
        record = RESULTS / "fit.json"
        record.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")
        print(f"recorded: {record}")


def show(rows: list[dict[str, Any]]) -> None:
    """Milliseconds, and how often the best of scikit-learn's lbfgs and newton-cg takes our time."""
    table = Table(box=None)
    for heading in ("problem", "C", "gap", *MOST, "times faster"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "problem" else "right")
    for row in rows:
        times = row["seconds"]
        shown = [f"{times[who] * 1e3:.4g} ms" if who in times else "" for who in MOST]
        best = min((times[who] for who in ("lbfgs", "newton-cg") if who in times), default=None)
        ratio = f"{best / times['lastlayer']:.2f}" if best is not None and "lastlayer" in times else ""
        table.add_row(row["problem"], f"{row['C']:g}", f"{row['gap']:g}", *shown, ratio)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()

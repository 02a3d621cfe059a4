"""Times the fit of a multinomial linear model, by lastlayer and by scikit-learn, to the same objective.

python benchmarks/fit.py [--quick] [--threads N] [--only NAME]

For every problem the optimum is computed first, to a tolerance far below the tested gaps, and proved: the objective F is
1/C-strongly convex in the weights W, so F − F* ≤ C/2 ‖∂F/∂W‖² if ∂F/∂b = 0. Then, for each gap, each solver gets the loosest
tolerance at which its objective is within that relative gap of the optimum, and these fits are timed in turns (only once if a
fit takes seconds). Objective and gradient of all solvers are computed here, with SciPy. The record is
benchmarks/results/fit.json, with the facts of the machine. For a solver that does not reach a gap it has the time taken and the
gap reached.
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
from typing import Any, NamedTuple

import numpy as np
import scipy
import sklearn
from rich.console import Console
from rich.table import Table
from scipy.special import logsumexp, softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import lastlayer as ll
from lastlayer.benchmark.facts import processor
from lastlayer.sklearn import LastLayerClassifier

GAPS = (1e-6, 1e-8)
#: From loose to tight, half a power of ten apart; a whole power if fits take seconds.
TOLERANCES = [10.0 ** (-exponent / 2) for exponent in range(4, 17)]
#: The largest number of iterations. A solver that needs more is recorded as not having reached the gap.
MOST = {"lastlayer": 1000, "lbfgs": 1000, "newton-cg": 40, "newton-cholesky": 100}
#: Fits of a problem with more rows take seconds.
LARGE = 10_000
#: The largest number of iterations for such problems.
MOST_IF_LARGE = {"lastlayer": 1000, "lbfgs": 200, "newton-cg": 9, "newton-cholesky": 20}
RESULTS = Path(__file__).parent / "results"

Data = tuple[np.ndarray, np.ndarray]


def clusters(rows: int, features: int, classes: int, *, is_odd: bool) -> Data:
    """Overlapping Gaussian clusters; the odd ones have correlated features whose scales span three powers of ten."""
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
        "wide 189 × 752 × 2": (lambda: clusters(189, 752, 2, is_odd=False), (0.01, 1.0, 100.0)),
        "wide 320 × 768 × 4": (lambda: clusters(320, 768, 4, is_odd=False), (0.01, 1.0, 100.0)),
        f"clusters {size}": (lambda: clusters(rows, features, classes, is_odd=False), (1.0,)),
        f"odd clusters {size}": (lambda: clusters(rows, features, classes, is_odd=True), (1.0,)),
    }


def is_large(data: Data) -> bool:
    """Whether fits of this problem take seconds."""
    return len(data[0]) > LARGE


def most(solver: str, data: Data) -> int:
    """The largest number of iterations."""
    return (MOST_IF_LARGE if is_large(data) else MOST)[solver]


def fit(solver: str, C: float, tol: float, data: Data) -> Any:
    """A fit by lastlayer, or by a solver of scikit-learn."""
    if solver == "lastlayer":
        return LastLayerClassifier(C=C, tol=tol, max_iter=most(solver, data)).fit(*data)
    return LogisticRegression(C=C, tol=tol, solver=solver, max_iter=most(solver, data)).fit(*data)


def objective(fitted: Any, data: Data) -> float:
    """Σ −log p + ½‖W‖²/C."""
    X, labels = data
    scores = X @ fitted.coef_.T + fitted.intercept_
    losses = logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    return float(losses.sum()) + 0.5 / fitted.C * float(np.sum(fitted.coef_**2))


def proved_gap(fitted: Any, data: Data) -> float:
    """An upper bound of the relative gap between the objective and its optimum; infinite unless ∂F/∂b is zero."""
    X, labels = data
    residuals = softmax(X @ fitted.coef_.T + fitted.intercept_, axis=1)
    residuals[np.arange(len(labels)), labels] -= 1.0
    if np.max(np.abs(residuals.sum(axis=0))) > 1e-7 * len(labels):
        return float("inf")
    gradient = residuals.T @ X + fitted.coef_ / fitted.C
    return 0.5 * fitted.C * float(np.sum(gradient**2)) / objective(fitted, data)


class Search(NamedTuple):
    """The tolerances at which a solver reaches the gaps."""

    #: Gap → the loosest tolerance that reaches it, and the seconds of one fit.
    found: dict[float, tuple[float, float]]
    #: Seconds and gap of the last fit.
    last: tuple[float, float]


def search(solver: str, C: float, data: Data, optimum: float) -> Search:
    """Try tolerances from loose to tight until every gap is reached, or the solver runs out of iterations."""
    found: dict[float, tuple[float, float]] = {}
    for tol in TOLERANCES[4::2] if is_large(data) else TOLERANCES:
        begin = time.perf_counter()
        fitted = fit(solver, C, tol, data)
        last = time.perf_counter() - begin, objective(fitted, data) / optimum - 1.0
        for gap in GAPS:
            if gap not in found and last[1] <= gap:
                found[gap] = tol, last[0]
        if len(found) == len(GAPS) or np.max(fitted.n_iter_) >= most(solver, data):
            break
    return Search(found, last)


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median time of `rounds` runs of each call, taken in turns."""
    taken: dict[str, list[float]] = {who: [] for who in calls}
    for _ in range(rounds):
        for who, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[who].append(time.perf_counter() - begin)
    return {who: statistics.median(times) for who, times in taken.items()}


def compare(name: str, C: float, data: Data) -> list[dict[str, Any]]:
    """One row of the record per gap."""
    best = fit("lastlayer", C, 1e-11, data)
    optimum, proof = objective(best, data), proved_gap(best, data)
    if not proof <= 0.1 * min(GAPS):
        raise SystemExit(f"{name}, C = {C:g}: the optimum is proved only to {proof:.1e}")
    solvers = [solver for solver in MOST if solver in MOST_IF_LARGE or not is_large(data)]
    searches = {who: search(who, C, data, optimum) for who in solvers}
    rows = []
    for gap in GAPS:
        tol = {who: tried.found[gap][0] for who, tried in searches.items() if gap in tried.found}
        if is_large(data):
            times = {who: searches[who].found[gap][1] for who in tol}
        else:
            times = seconds({who: (lambda who=who, tol=tol: fit(who, C, tol[who], data)) for who in tol}, 15)
        missed = {
            who: dict(zip(("seconds", "gap"), searches[who].last, strict=True)) for who in solvers if who not in tol
        }
        problem = {"problem": name, "C": C, "gap": gap, "optimum": optimum, "proof": proof}
        rows.append(problem | {"tol": tol, "seconds": times, "missed": missed})
        show(rows[-1:])
    return rows


def main() -> None:
    """Compare on every problem, print the table, record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small problems, to see that it works")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="the number of threads of every solver")
    parser.add_argument(
        "--only", default="", help="run problems whose name contains this; the others keep their record"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    ll.set_num_threads(arguments.threads)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(arguments.threads):
        for name, (make, strengths) in problems(arguments.quick).items():
            if arguments.only not in name:
                continue
            data = make()
            for C in strengths:
                rows += compare(name, C, data)
            if not arguments.quick:
                record(rows, arguments.threads)
    show(rows)


def facts(threads: int) -> dict[str, Any]:
    """What a record says about the machine and the versions."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "serving": [{"name": b["name"], "serves": b["computes"]} for b in ll.show_config()["backends"]],
        "versions": {
            "lastlayer": ll.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }


def record(rows: list[dict[str, Any]], threads: int) -> None:
    """Write the rows and the facts of the machine to the record; rows of other problems are kept."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "fit.json"
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    made = {row["problem"] for row in rows}
    rows = [row for row in known if row["problem"] not in made] + rows
    path.write_text(json.dumps({"facts": facts(threads), "rows": rows}, indent=1) + "\n")


def show(rows: list[dict[str, Any]]) -> None:
    """Print milliseconds, and the time of the fastest solver of scikit-learn over ours."""
    table = Table(box=None)
    for heading in ("problem", "C", "gap", *MOST, "times faster"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "problem" else "right")
    for row in rows:
        times = row["seconds"]
        shown = [f"{times[who] * 1e3:.4g} ms" if who in times else "" for who in MOST]
        best = min((times[who] for who in times if who != "lastlayer"), default=None)
        ratio = f"{best / times['lastlayer']:.2f}" if best is not None and "lastlayer" in times else ""
        table.add_row(row["problem"], f"{row['C']:g}", f"{row['gap']:g}", *shown, ratio)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()

"""Does a study keep its promises? Many small studies of nothing, and of a gap that was put there.

First, studies in which two "mappings" are one model under two names. So that they differ by chance as real ones do, each
name has its own columns of noise among the features, drawn once a study: the differences of its splits are correlated, which
is what the plain t-test overlooks (it says "differs" in 27 of these 200). "differs" must come up in at most 5 % of them, by
the primary metric.

Then studies in which the second model answers some rows at random, so many that its accuracy is 3 points lower. "differs"
should come up in nearly all of them, by accuracy.

    python examples/null_study.py            # 200 studies of nothing and 50 of a gap, about a minute
    python examples/null_study.py 1000
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from lastlayer import MAPPINGS
from lastlayer.study import MARGIN
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.metrics import measure
from lastlayer.study.fit.splits import make_splits
from lastlayer.study.settings import check_settings
from lastlayer.study.statistics.comparisons import compare

SETTINGS = check_settings(mappings=("softmax", "again"), folds=5, repeats=2, seed=0, C=1.0, jobs=1, margin=None)
CENTRES = 1.2 * np.random.default_rng(0).normal(size=(3, 6))
NOISE_COLUMNS = 10
GAP = 0.03


def draw(rows: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three Gaussian classes, of which a linear model gets a good part right."""
    labels = generator.integers(0, 3, rows)
    return CENTRES[labels] + generator.normal(size=(rows, 6)), labels


def scores_of(model: LogisticRegression, features: np.ndarray) -> np.ndarray:
    """Scores of the three classes."""
    return features @ model.coef_.T + model.intercept_


def study(rows: int, seed: int, *, guessed: float = 0.0) -> pd.DataFrame:
    """The fits of softmax and of "again": the same model with noise of its own, answering a share of rows by guessing."""
    generator = np.random.default_rng(seed)
    features, labels = draw(rows, generator)
    data = Dataset("gaussians", None, pd.DataFrame(features), labels, ("a", "b", "c"))
    inputs = {name: np.hstack([features, generator.normal(size=(rows, NOISE_COLUMNS))]) for name in SETTINGS.mappings}
    fits = []
    for split in make_splits(data, SETTINGS):
        for name, columns in inputs.items():
            model = LogisticRegression(C=1.0).fit(columns[split.train], labels[split.train])
            scores = scores_of(model, columns[split.test])
            if name == "again":
                at_random = generator.random(len(scores)) < guessed
                scores[at_random] = generator.permuted(scores[at_random], axis=1)
            row = {"mapping": name, "repeat": split.repeat, "fold": split.fold}
            sizes = {"n_train": len(split.train), "n_test": len(split.test)}
            fits.append({**row, **sizes, **measure(MAPPINGS["softmax"], scores, labels[split.test]).values})
    return pd.DataFrame(fits)


def verdicts(fits: pd.DataFrame) -> dict[str, str]:
    """Metric → verdict on "again"."""
    return {comparison.metric: comparison.verdict for comparison in compare(fits, SETTINGS.level, MARGIN)}


def guesses_for(gap: float, rows: int) -> float:
    """The share of rows to guess so that the accuracy falls by `gap`: a guess is right once in three."""
    accuracy = study(rows, seed=0).groupby("mapping")["accuracy"].mean()["softmax"]
    return gap / (accuracy - 1 / 3)


def main() -> None:
    """Run both kinds and print how often each verdict came up."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    said = pd.Series([verdicts(study(300, seed))["brier"] for seed in range(1, studies + 1)]).value_counts()
    print(f"{studies} studies of one model under two names, 300 rows, 5 folds x 2 repeats, Brier score:")
    for verdict, count in said.items():
        print(f"  {verdict}: {count} ({100 * count / studies:.1f} %)")
    rate = said.get("differs", 0) / studies
    print(f"  -> says 'differs' in {100 * rate:.1f} % of them; the promise is at most 5 %.")

    planted = max(studies // 4, 1)
    guessed = guesses_for(GAP, 2000)
    said = pd.Series(
        [verdicts(study(2000, 10_000 + seed, guessed=guessed))["accuracy"] for seed in range(planted)]
    ).value_counts()
    found = said.get("differs", 0) / planted
    print(f"{planted} studies with a gap of {100 * GAP:g} points of accuracy, 2000 rows:")
    print(f"  -> found in {100 * found:.0f} % of them.")
    if rate > 0.05 or found < 0.8:
        raise SystemExit("The promise is broken.")


if __name__ == "__main__":
    # The fits are small: threads of the linear algebra would wait for each other more than they compute.
    with threadpool_limits(limits=1):
        main()

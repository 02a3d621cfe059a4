"""Does a study keep its promises? Runs many small studies without a difference, and some with a known difference.

First, studies in which the two "mappings" are the same model under two names. Each name gets different columns of noise among
the features, drawn once per study, and chooses its C on each training part as a study does, so that the two differ by chance,
as real mappings do. The differences of the splits are then correlated, which a plain t-test ignores. By the primary metric,
"differs" must come up in at most 5 % of the studies. Then the same with rows in groups of three that share a label and most of
their features, split by groups.

Then studies in which the second model guesses some rows, so that its accuracy is 3 points lower. By accuracy, "differs" should
come up in nearly all of them.

    python examples/null_study.py            # 200 + 100 studies without and 50 with a difference, some minutes
    python examples/null_study.py 1000
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy import stats
from threadpoolctl import threadpool_limits

from lastlayer import MAPPINGS
from lastlayer.study import MARGIN
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.metrics import measure
from lastlayer.study.fit.model import linear_model, scores_of
from lastlayer.study.fit.splits import make_splits
from lastlayer.study.fit.strength import choose_strength
from lastlayer.study.settings import check_settings
from lastlayer.study.statistics.comparisons import compare

SETTINGS = check_settings(mappings=("softmax", "again"), folds=5, repeats=2, seed=0, C=None, jobs=1, margin=None)
SOFTMAX = MAPPINGS["softmax"]
CENTRES = 1.2 * np.random.default_rng(0).normal(size=(3, 6))
NOISE_COLUMNS = 10
#: Rows of a group, and the share of the variance around the centre of its class that they have in common.
GROUP, COMMON = 3, 0.8
GAP = 0.03


def draw(rows: int, generator: np.random.Generator, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three overlapping Gaussian classes."""
    if groups is None:
        labels = generator.integers(0, 3, rows)
        return CENTRES[labels] + generator.normal(size=(rows, 6)), labels
    labels = generator.integers(0, 3, rows)[groups]
    common = generator.normal(size=(rows, 6))[groups]
    own = generator.normal(size=(rows, 6))
    return CENTRES[labels] + np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * own, labels


def study(rows: int, seed: int, *, guessed: float = 0.0, is_grouped: bool = False) -> pd.DataFrame:
    """The fits of "softmax" and of "again", which is the same model with other noise and guesses this share of the rows."""
    generator = np.random.default_rng(seed)
    groups = np.arange(rows) // GROUP if is_grouped else None
    features, labels = draw(rows, generator, groups)
    data = Dataset("gaussians", None, pd.DataFrame(features), labels, ("a", "b", "c"), groups=groups)
    inputs = {name: np.hstack([features, generator.normal(size=(rows, NOISE_COLUMNS))]) for name in SETTINGS.mappings}
    fits = []
    # One thread: for fits this small, threads of the linear algebra would mostly wait for each other.
    with threadpool_limits(limits=1):
        for split in make_splits(data, SETTINGS):
            for name, columns in inputs.items():
                train = columns[split.train], labels[split.train]
                strength = choose_strength(SOFTMAX, *train, split.inner, SETTINGS.grid, SETTINGS.seed)
                model = linear_model(SOFTMAX, C=strength.C, seed=SETTINGS.seed).fit(*train)
                scores = scores_of(model, columns[split.test])
                if name == "again":
                    at_random = generator.random(len(scores)) < guessed
                    scores[at_random] = generator.permuted(scores[at_random], axis=1)
                row = {"mapping": name, "repeat": split.repeat, "fold": split.fold}
                sizes = {"n_train": len(split.train), "n_test": len(split.test)}
                fits.append({**row, **sizes, **measure(SOFTMAX, scores, labels[split.test]).values})
    return pd.DataFrame(fits)


def verdicts(fits: pd.DataFrame) -> dict[str, str]:
    """Metric → verdict on "again"."""
    return {comparison.metric: comparison.verdict for comparison in compare(fits, SETTINGS.level, MARGIN)}


def plain_t(fits: pd.DataFrame) -> float:
    """The p-value of a paired t-test that takes the splits as independent."""
    scores = fits.pivot(index=["repeat", "fold"], columns="mapping", values="brier")
    return float(stats.ttest_rel(scores["softmax"], scores["again"]).pvalue)


def null(studies: int, *, is_grouped: bool) -> float:
    """Run studies without a difference, print how often each verdict came up, and return the share of "differs"."""
    tasks = (delayed(study)(300, seed, is_grouped=is_grouped) for seed in range(1, studies + 1))
    fits = Parallel(n_jobs=-1)(tasks)
    said = pd.Series([verdicts(each)["brier"] for each in fits]).value_counts()
    kind = f"in groups of {GROUP}, " if is_grouped else ""
    print(f"{studies} studies of one model under two names, 300 rows, {kind}5 folds x 2 repeats, Brier score:")
    for verdict, count in said.items():
        print(f"  {verdict}: {count} ({100 * count / studies:.1f} %)")
    rate = float(said.get("differs", 0) / studies)
    print(f"  -> says 'differs' in {100 * rate:.1f} % of them; the promise is at most 5 %.")
    print(f"     A plain t-test says it in {100 * np.mean([plain_t(each) < 0.05 for each in fits]):.1f} %.")
    return rate


def guesses_for(gap: float, rows: int) -> float:
    """The share of rows to guess so that the accuracy falls by `gap`. A guess is right with probability 1/3."""
    accuracy = study(rows, seed=0).groupby("mapping")["accuracy"].mean()["softmax"]
    return gap / (accuracy - 1 / 3)


def planted(studies: int) -> float:
    """Run studies with a difference of `GAP` in accuracy, and return the share of those that find it."""
    guessed = guesses_for(GAP, 2000)
    tasks = (delayed(study)(2000, 10_000 + seed, guessed=guessed) for seed in range(studies))
    said = [verdicts(each)["accuracy"] for each in Parallel(n_jobs=-1)(tasks)]
    found = said.count("differs") / studies
    print(f"{studies} studies with a gap of {100 * GAP:g} points of accuracy, 2000 rows:")
    print(f"  -> found in {100 * found:.0f} % of them.")
    return found


def main() -> None:
    """Run all three kinds of studies."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rates = [null(studies, is_grouped=False), null(max(studies // 2, 1), is_grouped=True)]
    found = planted(max(studies // 4, 1))
    if max(rates) > 0.05 or found < 0.8:
        raise SystemExit("The promise is broken.")


if __name__ == "__main__":
    main()

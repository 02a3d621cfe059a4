"""The rows on which the reference and the mapping furthest from it disagree most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.finished import FinishedFit
from lastlayer.study.fit.splits import Split
from lastlayer.study.schema import BASELINES, REFERENCE

#: Rows that are shown, and classes of each.
ROWS, CLASSES = 3, 6


def disagreements(
    fits: Mapping[str, Sequence[FinishedFit]], splits: Sequence[Split], data: Dataset
) -> Iterator[dict[str, Any]]:
    """Rows of `DISAGREEMENTS`, by total variation ½ Σ|p − q| between out-of-fold probabilities of the first repeat.

    Rows outside the mapping's domain have no probabilities and are left out. Of each row the classes are given that have the
    largest probability under either mapping, the true class always among them.
    """
    pooled = {
        label: p for label, own in fits.items() if label not in BASELINES and (p := _first_repeat(own)) is not None
    }
    reference = pooled.pop(REFERENCE, None)
    if reference is None or not pooled:
        return
    distances = {label: np.nan_to_num(0.5 * np.abs(p - reference).sum(axis=-1)) for label, p in pooled.items()}
    furthest = max(distances, key=lambda label: float(distances[label].mean()))
    rows = np.concatenate([split.test for split in splits if split.repeat == 0])
    for place in np.argsort(-distances[furthest], kind="stable")[:ROWS]:
        if distances[furthest][place] == 0.0:
            return
        p, q, label = pooled[furthest][place], reference[place], int(data.labels[rows[place]])
        for k in _shown(p, q, label):
            yield {
                "mapping": furthest,
                "versus": REFERENCE,
                "row": int(data.rows[rows[place]]) + 1,
                "label": label,
                "class": int(k),
                "p": float(p[k]),
                "p_versus": float(q[k]),
            }


def _shown(p: np.ndarray, q: np.ndarray, label: int) -> np.ndarray:
    order = np.argsort(-np.maximum(p, q), kind="stable")
    largest = order[:CLASSES]
    return np.sort(largest if label in largest else np.append(largest[:-1], label))


def _first_repeat(fits: Sequence[FinishedFit]) -> np.ndarray | None:
    """(n, K), fold by fold; None where probabilities are not kept."""
    own = sorted((fit for fit in fits if fit.row["repeat"] == 0), key=lambda fit: fit.row["fold"])
    parts = [fit.probabilities for fit in own if fit.probabilities is not None]
    return np.concatenate(parts).astype(np.float64) if len(parts) == len(own) else None

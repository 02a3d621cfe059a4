"""The scores at the labels, computed apart: they replace the products' in each block, and their slopes leave it."""

from __future__ import annotations

import torch

from lastlayer.torch.linear.margins.label_cosines import is_class

Tensor = torch.Tensor


class LabelScores:
    """Scores (N,) for the labels among these classes; without scores nothing happens.

    `labels` count from this process's first class. A label of another process, or one that is ignored, replaces nothing.
    """

    def __init__(self, scores: Tensor | None, labels: Tensor, classes: int) -> None:
        self._scores = scores
        self._labels, self._classes = labels, classes
        #: The gradient of each score, float64; filled by `take`.
        self.slopes = labels.new_zeros(labels.shape if scores is not None else 0, dtype=torch.float64)

    def put(self, place: slice | Tensor, scores: Tensor) -> None:
        """Write the scores at the labels of some rows into their block (n, K)."""
        if self._scores is None or not self._classes:
            return
        index, is_here = self._places(place)
        given = self._scores[place].to(scores.dtype)[:, None]
        scores.scatter_(1, index, torch.where(is_here, given, scores.gather(1, index)))

    def take(self, place: slice | Tensor, slopes: Tensor) -> None:
        """Keep the slopes at the labels, and leave 0 in the block: the products give the gradients of all other scores."""
        if self._scores is None or not self._classes:
            return
        index, is_here = self._places(place)
        found = slopes.gather(1, index)
        self.slopes[place] = torch.where(is_here, found, 0.0)[:, 0].double()
        slopes.scatter_(1, index, torch.where(is_here, 0.0, found))

    def _places(self, place: slice | Tensor) -> tuple[Tensor, Tensor]:
        labels = self._labels[place][:, None]
        return labels.clamp(0, self._classes - 1), is_class(labels, self._classes)

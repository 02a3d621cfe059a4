"""Distillation targets after the checks: flat rows, and the logarithms of a block's target probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import array_api_compat.torch as xp
import torch

from lastlayer.activation import Activation
from lastlayer.functions.scores import is_eager
from lastlayer.losses import plain_labels
from lastlayer.losses.targets import LARGEST_TOLERANCE, TOLERANCE, TOLERANCE_PER_CLASS

Tensor = torch.Tensor

#: Entries of sparse targets that are checked at one time.
_CHECKED = 2**18
_GIVE = "give probabilities, not log-probabilities or scores"


@dataclass(frozen=True)
class SparseGoal:
    """Indices and probabilities (N, k) as the user gave them."""

    indices: Tensor
    probabilities: Tensor
    has_tail: bool
    ignore_index: int

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """What backward needs unchanged."""
        return (self.indices, self.probabilities)

    def indices_of(self, place: slice | Tensor) -> Tensor:
        """Classes (n, k) as int64, `ignore_index` for padding."""
        return plain_labels(self.indices[place], self.ignore_index, xp)

    def logs(self, place: slice | Tensor, classes: int) -> Tensor:
        """log y (n, k + 1) in float64: the named classes, and the class made of all others. NaN where an index is out of range."""
        index = self.indices_of(place)
        is_named = index != self.ignore_index
        y = torch.where(is_named, self.probabilities[place].double(), 0.0)
        y = torch.where(is_named & ((index < 0) | (index >= classes)), float("nan"), y)
        total = y.sum(1, keepdim=True)
        if not self.has_tail:
            return torch.log(torch.cat([y / total, total * 0.0], 1))
        # Where all classes are named, nothing is left of them.
        is_all = is_named.sum(1, keepdim=True) >= classes
        rest = torch.where(is_all, 0.0, (1.0 - total).clamp(min=0.0))
        return torch.log(torch.cat([torch.where(rest == 0, y / total, y), rest], 1))

    def is_padding(self) -> Tensor:
        """The rows (N,) that name no class."""
        return torch.cat([(self.indices_of(some) == self.ignore_index).all(1) for some in self._chunks()])

    def _chunks(self) -> Iterator[slice]:
        """Slices of the rows, of a few numbers each, and at least one."""
        rows, k = self.indices.shape
        height = max(1, _CHECKED // k)
        for start in range(0, max(1, rows), height):
            yield slice(start, min(start + height, rows))

    def check(self, is_counted: Tensor, classes: int, kind: str) -> None:
        """Check the rows that count.

        Raises:
            IndexError: an index out of range.
            ValueError: a class named twice in a row, probabilities that are none, or a target of 0 under the reverse divergence.
        """
        if is_eager(self.indices) and is_eager(is_counted):
            for some in self._chunks():
                self._check(some, is_counted[some], classes, kind)

    def _check(self, some: slice, is_counted: Tensor, classes: int, kind: str) -> None:
        index, y, at = self.indices_of(some), self.probabilities[some].double(), some.start
        is_named = (index != self.ignore_index) & is_counted[:, None]
        place = _first(is_named & ((index < 0) | (index >= classes)))
        if place:
            raise IndexError(
                f"index {int(index[place])} at position {(at + place[0], place[1])} of the sparse targets is outside 0..{classes - 1} for {classes} "
                f"classes; correct it, or mark padding with ignore_index={self.ignore_index}."
            )
        # Padding is different in every place.
        ordered = torch.where(is_named, index, -1 - torch.arange(index.shape[1])).sort(1).values
        place = _first(ordered[:, 1:] == ordered[:, :-1])
        if place:
            raise ValueError(
                f"row {at + place[0]} of the sparse targets names class {int(ordered[place])} twice; add its probabilities, and mark "
                f"the free place with ignore_index={self.ignore_index}."
            )
        place = _first(is_named & ~(y >= 0))
        if place:
            value = float(y[place])
            what = "negative" if value < 0 else "not a number"
            raise ValueError(f"probability {value:g} at position {(at + place[0], place[1])} is {what}; {_GIVE}.")
        self._check_sums(torch.where(is_named, y, 0.0), is_named, is_counted, classes, kind, at)

    def _check_sums(self, y: Tensor, is_named: Tensor, is_counted: Tensor, classes: int, kind: str, at: int) -> None:
        total = y.sum(1)
        tolerance = min(TOLERANCE + TOLERANCE_PER_CLASS * y.shape[1], LARGEST_TOLERANCE)
        is_bad = ~(total <= 1.0 + tolerance) if self.has_tail else ~((total > 0) & total.isfinite())
        place = _first(is_bad & is_counted)
        if place:
            needs = "with a tail it must be at most 1" if self.has_tail else "it must be positive and finite"
            raise ValueError(
                f"the probabilities of row {at + place[0]} have the sum {float(total[place]):.9g}; {needs}: {_GIVE}."
            )
        is_all = is_named.sum(1) >= classes
        place = _first(is_all & is_counted & (total < 1.0 - tolerance)) if self.has_tail else ()
        if place:
            raise ValueError(
                f"row {at + place[0]} names all {classes} classes with probabilities of sum {float(total[place]):.9g}, and no class "
                'is left for the tail; give probabilities of sum 1, or rest="nothing", which divides them by their sum.'
            )
        if kind != "reverse":
            return
        has_zero = (is_named & (y == 0)).any(1) | (~is_all & (total >= 1.0))
        place = _first(has_zero & is_counted)
        if place:
            raise ValueError(
                f"row {at + place[0]} has a target of 0 (a named class, or a tail for which nothing is left), so the reverse KL is "
                'infinite; scale the probabilities down to leave something, or use divergence="forward".'
            )


@dataclass(frozen=True)
class TeacherGoal:
    """A teacher's head: inputs (N, D), and this process's classes."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    activation: Activation
    is_wide: bool

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """What backward needs unchanged."""
        return (self.input, self.weight, self.bias)


def _first(mask: Tensor) -> tuple[int, ...]:
    """The index of the first True, () if there is none."""
    found = mask.nonzero()
    return tuple(found[0].tolist()) if len(found) else ()

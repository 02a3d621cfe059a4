"""What fitting a map gives, and the error where there is nothing to give."""

from __future__ import annotations

from dataclasses import dataclass

from lastlayer.calibration.calibrator import Calibrator


class UnboundedError(ValueError):
    """The loss has no minimum: the temperature runs away.

    Attributes:
        reason: "separable", where every label has its row's largest score, so that T → 0; "constant", where every row has equal scores;
            "opposed", where the loss falls as T → ∞.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


SENTENCES = {
    "separable": "Every label has the largest score of its row, so the loss falls as the temperature falls to 0; fit the temperature "
    "on rows with a few errors.",
    "constant": "The scores of each row are equal, so a temperature changes nothing; give scores that tell the classes apart.",
    "opposed": "The labels do not have larger scores than the other classes, so the loss falls as the temperature grows without "
    "bound; check the order of the columns and of the labels.",
}


def unbounded(reason: str) -> UnboundedError:
    """The error with its sentence."""
    return UnboundedError(reason, SENTENCES[reason])


@dataclass(frozen=True)
class Fitted:
    """A fitted map.

    Attributes:
        calibrator: the map.
        interval: the 95 % interval of its temperature; None where it has none.
        n_fitted: rows that it was fitted to.
        is_clear: whether the temperature's loss is clearly below that of equal scores, those without information.
    """

    calibrator: Calibrator
    n_fitted: int
    interval: tuple[float, float] | None = None
    is_clear: bool = True

"""The calibration error of bins of rows, with and without the bias that chance adds."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr


def corrected_gaps(
    hits: np.ndarray, expected: np.ndarray, variance: np.ndarray, *, design_effect: float = 1.0
) -> np.ndarray:
    """|hits − expected| of bins, less what chance adds to it; below 0 where the gap is smaller than chance alone makes it.

    D = H − Σp estimates n_b d, the gap between frequency and mean probability times the rows. |D| is too large on average,
    because labels are random. Its bias is estimated at the gap that was found:

        E|N(D, V)| − |D| = √(2V/π) e^(−D²/2V) − 2|D| Φ(−|D|/√V),   at most 2V,

    where V = Σp(1 − p) is the variance that H has if the probabilities are right. It needs no second row, so a bin of one row
    is treated like any other, and a bin of rows with p = 1 has V = 0: chance adds nothing there. 2V bounds E|D| where labels
    are rare and the normal law is far off.

    Rows of one group depend on each other: the variance is `design_effect` times V. The bound stays 2V, because a row adds
    E|y − p| = 2p(1 − p) at most, however the rows depend on each other.

    Source: Kumar, Liang & Ma 2019, Verified uncertainty calibration, section 5, and their library's 2 · error − E(resampled
    error), here in closed form and with the variance under the model; the mean of the folded normal is Leone, Nelson &
    Nottingham 1961.
    """
    gaps = np.abs(hits - expected)
    scale = np.sqrt(variance * design_effect)
    z = gaps / np.where(scale > 0, scale, 1.0)
    bias = np.where(scale > 0, scale * np.sqrt(2 / np.pi) * np.exp(-z * z / 2) - 2 * gaps * ndtr(-z), 0.0)
    return gaps - np.minimum(bias, 2 * variance)

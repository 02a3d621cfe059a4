"""What people say about softmax and the ratio: each claim, whether it is true in general, why, and scores that show it.

The words are the same in the command, the page and the documents. What the scores at hand say is judged in
`lastlayer.comparison.claims`, and by the page for the scores that are dragged there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

General = Literal["true", "false", "depends", "half true"]


@dataclass(frozen=True)
class ClaimText:
    """`shown_by` are scores that test the claim: `lastlayer compare` with them answers yes or no.

    A claim has at most 40 characters and `brief`, the reason in a few words, at most 22, so that both fit a line of 80.
    """

    name: str
    claim: str
    in_general: General
    brief: str
    reason: str
    shown_by: tuple[float, ...]


CLAIMS: tuple[ClaimText, ...] = (
    ClaimText(
        "sharper",
        "Softmax accentuates the differences",
        "depends",
        "yes for large ones",
        "Softmax is more certain than the ratio for large scores, and less certain for small ones. The ratio gives the same "
        "answer at every size.",
        (1.0, 0.5),
    ),
    ClaimText(
        "soft_max",
        "Softmax is a soft version of max",
        "true",
        "a soft argmax",
        "Multiply the scores by a growing factor: softmax goes to 1 for the largest score and 0 for all others. That is the "
        "one-hot argmax, so soft argmax would be the better name. The ratio stays as it is.",
        (1.0, 0.5),
    ),
    ClaimText(
        "shift",
        "A constant moves the ratio, not softmax",
        "true",
        "keeps differences",
        "Softmax sees only the differences between scores, and adding a constant to all of them changes no difference. The "
        "ratio sees proportions, and a constant changes those.",
        (1.0, 0.5),
    ),
    ClaimText(
        "only_exp",
        "Only the exponential ignores a constant",
        "true",
        "of all g(x) / Σ g(x)",
        "Of all g(x) / Σ g(x) only the exponential stays the same when a constant is added to every score. For if "
        "g(x + c) / g(y + c) = g(x) / g(y) for all x, y and c, then g(x + c) = g(x)·h(c). The continuous positive solutions "
        "are multiples of e^(kx): k > 0 keeps the order, and 1/k is the temperature.",
        (1.0, 0.5),
    ),
    ClaimText(
        "scale",
        "A factor moves softmax, not the ratio",
        "true",
        "keeps proportions",
        "The ratio sees only the proportions of the scores, and a common factor changes none. For softmax the size of the "
        "scores is its certainty: that is what a temperature sets.",
        (1.0, 0.5),
    ),
    ClaimText(
        "negative_scores",
        "The ratio breaks on negative scores",
        "true",
        "no probabilities",
        "A negative score gives a negative share, or, where the sum is negative too, the reverse order.",
        (2.0, -1.0, 0.5),
    ),
    ClaimText(
        "zero_sum",
        "The ratio breaks on a zero sum",
        "true",
        "it divides by it",
        "It divides by that sum. Near a zero sum its shares are huge.",
        (1.0, -1.0),
    ),
    ClaimText(
        "tanh",
        "A tanh in front makes scores negative",
        "half true",
        "it keeps signs",
        "A tanh has negative values, but it keeps every sign: it gives them only to scores that were negative before.",
        (2.0, -1.0, 0.5),
    ),
    ClaimText(
        "only_differentiable",
        "Only softmax is differentiable",
        "false",
        "both are",
        "Both are differentiable. By the quotient rule the ratio has ∂p_i/∂x_j = (δ_ij − p_i) / S, with S the sum of the scores; "
        "softmax has p_i·(δ_ij − p_j).",
        (1.0, 0.5),
    ),
    ClaimText(
        "ratio_learns",
        "One can train through the ratio as well",
        "half true",
        "only with care",
        "The ratio's log loss has the slope 1/S − 1/x at the true class, which grows without bound as that score goes to 0. "
        "Plain steps push the other scores below 0, where the ratio has no answer, so training must keep every score positive. "
        "Softmax's slope p − y is never more than 1 in size, and every step has an answer.",
        (1.0, 0.5),
    ),
    ClaimText(
        "max_slope",
        "Max is not differentiable",
        "half true",
        "argmax is flat",
        "max(x) has a slope wherever one score is the largest; it has a kink at ties. What cannot be learnt from is which score "
        "is the largest: the one-hot argmax is flat, so its slope is 0, and at a tie it jumps.",
        (4.0, 3.0, 2.0),
    ),
    ClaimText(
        "logarithm",
        "The log turns division into subtraction",
        "true",
        "log Σ e^x − x",
        "The loss is −log p = log Σ e^x − x at the true class, because log(a/b) = log a − log b and log e^x = x. The sum "
        "stays inside its logarithm. With two classes: log(1 + e^(x_other − x_true)).",
        (1.0, 0.5),
    ),
    ClaimText(
        "gradient",
        "The gradient of cross-entropy is p − y",
        "true",
        "never above 1",
        "With softmax and the log loss the slope at each score is its probability, minus 1 at the true class.",
        (1.0, 0.5),
    ),
    ClaimText(
        "two_classes",
        "For two classes softmax is the logistic",
        "true",
        "1 / (1 + e^(b − a))",
        "Softmax gives the first class the logistic function of the difference: e^a / (e^a + e^b) = 1 / (1 + e^(b − a)). Among "
        "more classes the same holds for any two of them.",
        (1.0, 0.5),
    ),
)

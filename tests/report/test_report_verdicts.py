"""Every finding as a sentence that says what was found, by how much, and what could have been."""

from __future__ import annotations

import math
from dataclasses import replace

from lastlayer.study.wording import Finding, finding_sentence, mapping_verdict

WORSE = Finding(
    mapping="ratio",
    versus="softmax",
    metric="brier",
    difference=0.0213,
    verdict="differs",
    low=0.0150,
    high=0.0276,
    p=1e-5,
    p_holm=9e-5,
    detectable=0.011,
    is_significant=True,
    margin=0.01,
    n_comparisons=9,
)
POINTS = replace(
    WORSE, metric="accuracy", difference=-0.012, low=-0.018, high=-0.006, p_holm=0.02, margin=0.005, detectable=0.009
)
UNCLEAR = replace(WORSE, verdict="cannot be told apart", difference=0.003, low=-0.002, high=0.008, p_holm=0.4)


def test_differs() -> None:
    assert finding_sentence(WORSE) == (
        "Brier score is 0.0213 higher (worse) than softmax’s (interval +0.0150 to +0.0276, p < 0.001 after Holm’s correction)."
    )
    assert finding_sentence(POINTS) == (
        "Accuracy is 1.20 points lower (worse) than softmax’s "
        "(interval −1.80 to −0.60 points, p = 0.020 after Holm’s correction)."
    )
    assert "lower (better)" in finding_sentence(replace(WORSE, difference=-0.02, low=-0.03, high=-0.01))
    assert "higher (better)" in finding_sentence(replace(POINTS, difference=0.02, low=0.01, high=0.03))


def test_cannot_be_told_apart_says_what_could_have_been_seen() -> None:
    assert finding_sentence(UNCLEAR) == (
        "Brier score cannot be told apart from softmax’s: the difference is +0.0030, interval −0.0020 to +0.0080; "
        "the smallest difference this study could have seen is 0.0110."
    )
    sentence = finding_sentence(replace(UNCLEAR, low=0.001, p_holm=0.09))
    assert "but p = 0.090 after Holm’s correction for 9 comparisons" in sentence


def test_equal_names_its_margin() -> None:
    equal = replace(WORSE, verdict="equal", difference=0.0, low=-0.001, high=0.001, is_significant=False)
    assert finding_sentence(equal) == (
        "Brier score is equal to softmax’s within the margin of 0.01: the difference is 0.0000, interval −0.0010 to +0.0010."
    )
    assert "a small difference that is not chance" in finding_sentence(replace(equal, is_significant=True))
    assert "margin of 0.5 points" in finding_sentence(replace(equal, metric="accuracy", margin=0.005))
    assert "nan" not in finding_sentence(replace(equal, low=0.0, high=0.0))


def test_not_comparable_says_why() -> None:
    infinite = Finding("sparsemax", "softmax", "log_loss", math.inf, "not comparable", infinite_share=0.032)
    assert finding_sentence(infinite) == (
        "Log loss is not comparable: sparsemax’s is infinite, as 3.2 % of the test rows got no probability for their class."
    )
    both = replace(infinite, difference=math.nan, infinite_share_versus=0.00001)
    assert "and softmax’s is infinite, as less than 0.1 %" in finding_sentence(both)
    assert "no row was inside" in finding_sentence(Finding("ratio", "softmax", "ece", math.nan, "not comparable"))


def test_a_mapping_s_verdict_tells_every_metric_once() -> None:
    infinite = Finding("ratio", "softmax", "log_loss", math.inf, "not comparable", infinite_share=0.5)
    equal = replace(WORSE, metric="ece", verdict="equal", difference=0.0, low=-0.001, high=0.001)
    verdict = mapping_verdict([WORSE, POINTS, infinite, equal])
    assert verdict.startswith(finding_sentence(WORSE))
    assert "Accuracy differs too: 1.20 points lower (worse)" in verdict
    assert "Calibration error is equal within the margin." in verdict
    assert finding_sentence(infinite) in verdict
    unclear = mapping_verdict([UNCLEAR, replace(UNCLEAR, metric="ece"), replace(UNCLEAR, metric="accuracy")])
    assert (
        "Cannot be told apart in calibration error (interval −0.0020 to +0.0080; could have seen 0.0110) and" in unclear
    )

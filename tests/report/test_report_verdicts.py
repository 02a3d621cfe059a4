"""Every comparison as a sentence that says what was found, by how much, and what could have been."""

from __future__ import annotations

import math
from dataclasses import replace

from lastlayer.report.verdicts import comparison_sentence, mapping_verdict, margin, verdict_word
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.study.statistics.corrected_t import Estimate

WORSE = Comparison(
    mapping="ratio",
    versus="softmax",
    metric="brier",
    difference=Estimate(0.0213, 0.0150, 0.0276),
    verdict=Verdict("differs"),
    p=1e-5,
    p_holm=9e-5,
    detectable=0.011,
    is_significant=True,
    margin=0.01,
    n_comparisons=9,
)
POINTS = replace(
    WORSE, metric="accuracy", difference=Estimate(-0.012, -0.018, -0.006), p_holm=0.02, margin=0.005, detectable=0.009
)
UNCLEAR = replace(WORSE, verdict=Verdict("cannot be told apart"), difference=Estimate(0.003, -0.002, 0.008), p_holm=0.4)


def test_differs() -> None:
    assert comparison_sentence(WORSE) == (
        "Brier score is 0.0213 higher (worse) than softmax’s (+0.0150 to +0.0276; p < 0.001 after Holm’s correction)."
    )
    assert comparison_sentence(POINTS) == (
        "Accuracy is 1.20 points lower (worse) than softmax’s "
        "(−1.80 to −0.60 points; p = 0.020 after Holm’s correction)."
    )
    assert "lower (better)" in comparison_sentence(replace(WORSE, difference=Estimate(-0.02, -0.03, -0.01)))
    assert "higher (better)" in comparison_sentence(replace(POINTS, difference=Estimate(0.02, 0.01, 0.03)))


def test_cannot_be_told_apart_says_what_could_have_been_seen() -> None:
    assert comparison_sentence(UNCLEAR) == (
        "No difference found in Brier score (+0.0030, plausibly −0.0020 to +0.0080). "
        "A difference of 0.0110 would have been noticed four times out of five."
    )
    sentence = comparison_sentence(replace(UNCLEAR, difference=Estimate(0.003, 0.001, 0.008), p_holm=0.09))
    assert "but p = 0.090 after Holm’s correction for 9 comparisons" in sentence


def test_equal_names_its_margin() -> None:
    equal = replace(WORSE, verdict=Verdict("equal"), difference=Estimate(0.0, -0.001, 0.001), is_significant=False)
    assert comparison_sentence(equal) == (
        "Brier score is equal to softmax’s within the margin of 0.01 (0.0000, plausibly −0.0010 to +0.0010)."
    )
    assert comparison_sentence(replace(equal, is_significant=True)).endswith("The small difference is not chance.")
    assert "margin of 0.01 (" in comparison_sentence(replace(equal, is_significant=True))
    assert "margin of 0.5 points" in comparison_sentence(replace(equal, metric="accuracy", margin=0.005))
    assert "nan" not in comparison_sentence(replace(equal, difference=Estimate(0.0, 0.0, 0.0)))


def test_not_comparable_says_why() -> None:
    infinite = Comparison(
        "sparsemax", "softmax", "log_loss", Estimate(math.inf), Verdict.NOT_COMPARABLE, infinite_share=0.032
    )
    assert comparison_sentence(infinite) == (
        "Log loss is not comparable: sparsemax’s is infinite, as 3.2 % of the test rows got no probability for their class."
    )
    both = replace(infinite, difference=Estimate(), infinite_share_versus=0.00001)
    assert "and softmax’s is infinite, as less than 0.1 %" in comparison_sentence(both)
    assert "no row was inside" in comparison_sentence(
        Comparison("ratio", "softmax", "ece", Estimate(), Verdict.NOT_COMPARABLE)
    )


def test_a_mapping_s_verdict_tells_every_metric_once() -> None:
    infinite = Comparison(
        "ratio", "softmax", "log_loss", Estimate(math.inf), Verdict.NOT_COMPARABLE, infinite_share=0.5
    )
    equal = replace(WORSE, metric="ece", verdict=Verdict("equal"), difference=Estimate(0.0, -0.001, 0.001))
    verdict = mapping_verdict([WORSE, POINTS, infinite, equal])
    assert verdict.startswith(comparison_sentence(WORSE))
    assert "Accuracy differs too: 1.20 points lower (worse)" in verdict
    assert "Calibration error is equal within the margin." in verdict
    assert comparison_sentence(infinite) in verdict
    unclear = mapping_verdict([UNCLEAR, replace(UNCLEAR, metric="ece"), replace(UNCLEAR, metric="accuracy")])
    assert (
        "Cannot be told apart in calibration error (−0.0020 to +0.0080; 0.0110 would have been noticed) and" in unclear
    )


def test_a_verdict_s_word_has_its_direction() -> None:
    assert verdict_word(WORSE) == "worse"
    assert verdict_word(replace(WORSE, difference=Estimate(-0.02))) == "better"
    assert verdict_word(POINTS) == "worse"
    assert verdict_word(replace(POINTS, difference=Estimate(0.02))) == "better"
    assert verdict_word(UNCLEAR) == "cannot be told apart"


def test_a_margin_has_its_unit_and_two_digits() -> None:
    assert (margin("accuracy", 0.005), margin("accuracy", 0.01)) == ("0.5 points", "1 point")
    assert margin("brier", 0.0034567) == "0.0035"

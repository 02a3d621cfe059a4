"""The claims, held against facts worked out by hand for each vector."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastlayer.comparison import Claim, Question, compare, judge
from lastlayer.comparison.claims import CLAIMS, turning_scale

NEGATIVE, ZERO_SUM, TANH, SHARPER, SHIFT, SCALE, MAX, CROSS_ENTROPY, LOGISTIC = CLAIMS


def claims(*scores: float, **options: object) -> dict[str, Claim]:
    return {claim.claim: claim for claim in judge(compare(Question.ask(scores, **options)))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "verdicts"),
    [
        # negative, zero sum, tanh, sharper, shift, scale, max, cross-entropy, logistic
        ((1, 0.5), (None, None, False, False, True, True, False, True, True)),
        ((2, 1), (None, None, False, True, True, True, False, True, True)),
        ((2, -1, 0.5), (True, None, True, None, True, True, False, True, None)),
        ((1, -1), (True, True, True, None, True, True, False, True, True)),
        ((0, 0), (None, True, True, None, True, None, True, True, True)),
        ((1, 1), (None, None, False, None, None, None, True, True, True)),
        ((1, 0), (None, None, False, False, True, True, False, True, True)),
        ((5,), (None, None, False, None, None, None, None, True, None)),
        ((-1, -2), (True, None, True, None, True, True, False, True, True)),
        ((0.1, 0.2, -0.3), (True, True, True, None, True, True, False, True, None)),
    ],
)
def test_verdicts(scores, verdicts):
    assert tuple(claim.holds for claim in claims(*scores).values()) == verdicts


def test_the_negative_score_and_what_it_would_get():
    evidence = claims(2, -1, 0.5)[NEGATIVE].evidence
    assert "x1 = -1" in evidence
    assert '"probability" -0.6667' in evidence  # −1 / 1.5
    assert "(0.3333, 0.6667)" in claims(-1, -2)[NEGATIVE].evidence
    assert "reverse order" in claims(-1, -2)[NEGATIVE].evidence


def test_the_tanh_is_computed_on_the_scores_given_and_not_twice():
    assert "(0.7616, 0.4621)" in claims(1, 0.5)[TANH].evidence
    assert "(0.7616, 0.4621)" in claims(1, 0.5, softcap=1.0)[TANH].evidence
    # 2·tanh(1/2) = 0.924234, 2·tanh(1/4) = 0.489837
    assert "(0.9242, 0.4898)" in claims(1, 0.5, softcap=2.0)[TANH].evidence


def test_claims_judge_the_scores_that_reach_the_mappings():
    # tanh(40) and tanh(30) both round to 1.
    assert claims(40, -30)[ZERO_SUM].holds is None
    assert claims(40, -30, softcap=1.0)[ZERO_SUM].holds is True
    # At temperature ½ the scores are twice as wide, so that softmax becomes the sharper one: ln 2 / 0.5 = 1.386 < 2.
    assert claims(1, 0.5)[SHARPER].holds is False
    assert claims(1, 0.5, temperature=0.5)[SHARPER].holds is True


def test_where_sharpness_turns():
    assert "It turns at 1.386 times" in claims(1, 0.5)[SHARPER].evidence
    assert "softmax 0.6225, ratio 0.6667" in claims(1, 0.5)[SHARPER].evidence
    # ln 2 / (2 − 1)
    assert "It turns at 0.6931 times" in claims(2, 1)[SHARPER].evidence
    assert "at any scale" in claims(1, 0)[SHARPER].evidence
    assert claims(2 * math.log(2), math.log(2))[SHARPER].holds is None


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=6).filter(lambda x: max(x) > 1.001 * min(x)))
def test_at_the_turning_scale_both_are_equally_sharp(scores):
    x = np.array(scores)
    c = turning_scale(x)

    def softmax_top(scale: float) -> float:
        return 1 / sum(math.exp(scale * (v - max(scores))) for v in scores)

    ratio_top = max(scores) / math.fsum(scores)
    assert softmax_top(c) == pytest.approx(ratio_top, rel=1e-9)
    assert softmax_top(0.9 * c) < ratio_top < softmax_top(1.1 * c) or scores.count(max(scores)) > 1


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_turning_scale_of_two_scores_has_a_closed_form(scale):
    x = scale * np.array([3.0, 1.0])
    assert turning_scale(x) == pytest.approx(math.log(3) / (2 * scale), rel=1e-13)


def test_turning_scale_where_the_ratio_rounds_to_one():
    # ratio = 1 − 1e-30; Σ exp(−u) = 1e-30
    assert turning_scale(np.array([1.0, 1e-30])) == pytest.approx(30 * math.log(10), rel=1e-12)
    assert turning_scale(np.array([1.0, 1.0, 0.0])) is None


def test_shift_and_scale_show_both_probabilities():
    # (1 + 1, 0.5 + 1) / 3.5, and σ(2·0.5)
    shift, scale = claims(1, 0.5)[SHIFT].evidence, claims(1, 0.5)[SCALE].evidence
    assert "Add 1: softmax stays (0.6225, 0.3775)" in shift
    assert "from (0.6667, 0.3333) to (0.5714, 0.4286)" in shift
    assert "Multiply by 2: softmax goes to (0.7311, 0.2689), the ratio stays (0.6667, 0.3333)" in scale


def test_a_shift_makes_the_ratio_defined():
    # −2.5 + 4 = 1.5 and 1 + 4 = 5
    evidence = claims(-2.5, 1)[SHIFT].evidence
    assert "Add 4" in evidence
    assert "from undefined to (0.2308, 0.7692)" in evidence


def test_max_is_flat_off_ties_and_jumps_on_them():
    off, on = claims(2, -1, 0.5)[MAX].evidence, claims(3, 3, 1)[MAX].evidence
    assert "gradient, (1, 0, 0)" in off
    assert "±0.375 changes it by 0" in off  # a quarter of the gap 1.5
    assert "already 0 at x = 0" in off
    assert "from (0.5, 0.5, 0) to (1, 0, 0)" in on


def test_cross_entropy_names_the_class_its_loss_and_its_gradient():
    # softmax(1, 0.5) = σ(±0.5)
    evidence = claims(1, 0.5, label=0)[CROSS_ENTROPY].evidence
    assert "True class 0: loss 0.4741" in evidence
    assert "(-0.3775, 0.3775)" in evidence
    agreement = float(re.search(r"agree to (\S+)\.$", evidence)[1])
    assert agreement < 1e-9


def test_two_steps_lose_the_loss_that_log_softmax_keeps():
    evidence = claims(0, -1000)[CROSS_ENTROPY].evidence
    assert "loss 1000 (softmax first and log after it: inf)" in evidence
    assert "after it" not in claims(0, -10)[CROSS_ENTROPY].evidence


def test_logistic_for_two_and_for_pairs():
    assert "σ(0.5) = 0.6225; softmax gives class 0 0.6225" in claims(1, 0.5)[LOGISTIC].evidence
    # σ(3) for the scores 2 and −1
    assert claims(2, -1, 0.5)[LOGISTIC].evidence.count("0.9526") == 2


@pytest.mark.parametrize("scores", [(math.inf, 0), (-math.inf, 1, 2)])
def test_infinite_scores_are_not_judged(scores):
    for claim in claims(*scores).values():
        assert claim.holds is None
        assert "not all finite" in claim.evidence


@pytest.mark.parametrize(
    "scores",
    [(1e308, 1e308, -1e308), (1e308, 1e300), (5e-324, 1e-323), (-1e-310, 1e-310), (1e16, 1e16 - 2), (-0.0, 0.0)],
)
def test_extreme_scores_give_sentences_without_nan(scores):
    for claim in claims(*scores, label=1).values():
        assert claim.evidence.endswith(".")
        assert "nan" not in claim.evidence


def test_a_broken_softmax_is_found_out(monkeypatch):
    """The evidence is computed: with softmax replaced by the ratio of squares its claims fall."""
    from lastlayer.comparison.claims import case, invariance, learning

    def wrong(scores, mapping):
        name = "spherical" if mapping == "softmax" else mapping
        return case.probabilities(scores, mapping=name, on_domain="nan")

    for module in (case, invariance, learning):
        monkeypatch.setattr(module, "probabilities_of", wrong)
    found = claims(1, 0.5)
    assert found[SHIFT].holds is False
    assert found[SCALE].holds is None
    assert found[CROSS_ENTROPY].holds is False
    assert found[LOGISTIC].holds is False

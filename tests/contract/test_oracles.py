"""The oracles of α-entmax and sparsemax: what they find is optimal, and their search takes few steps."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import lastlayer as ll
from lastlayer.mappings.false_position import false_position

mp = mpmath.MPContext()
mp.prec = 240
ROWS = [scale * np.random.default_rng(3).normal(size=size) for size in (2, 5, 67) for scale in (1e-8, 2.0, 100.0)]


@pytest.mark.parametrize("name", ["sparsemax", "entmax:alpha=1.3", "entmax", "entmax:alpha=2", "entmax:alpha=3"])
def test_they_meet_the_conditions_of_the_optimum(name):
    """p sums to one, and p^(α−1) − (α−1)x is one number on the support, and no larger than −(α−1)x off it."""
    mapping = ll.resolve_mapping(name)
    rate = mp.mpf(mapping.values.get("alpha", 2.0)) - 1
    for row in ROWS:
        scores = [mp.mpf(float(score)) for score in row]
        p = mapping.oracle(scores, mp, **mapping.values)
        assert abs(mp.fsum(p) - 1) < mp.mpf(2) ** -200
        multiplier = max(q**rate - rate * score for q, score in zip(p, scores, strict=True) if q)
        slack = mp.mpf(2) ** -190 * (1 + abs(multiplier))
        for q, score in zip(p, scores, strict=True):
            if q:
                assert abs(q**rate - rate * score - multiplier) < slack
            else:
                assert -rate * score >= multiplier - slack


@pytest.mark.parametrize("power", [0.5, 1.0, 3.3, 20.0])
def test_the_search_closes_in_few_steps(power):
    """Halving the bracket would take 230."""
    asked = []

    def excess(s):
        asked.append(s)
        return s**power - mp.mpf(0.3)

    assert abs(false_position(excess, mp) - mp.mpf(0.3) ** (1 / mp.mpf(power))) < mp.mpf(2) ** -230
    assert len(asked) < 40

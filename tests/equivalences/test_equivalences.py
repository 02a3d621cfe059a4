"""Mappings are equal where mathematics says so, and the library agrees with its peers where the peers are accurate."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import torch
import torch.nn.functional as F
from domains import inside

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.checks.measure import ulp_error

SCORES = np.random.default_rng(0).normal(size=(40, 6)) * 2
EPS = 2.0**-52


def test_entmax_at_two_is_sparsemax():
    np.testing.assert_array_equal(ll.entmax(SCORES, alpha=2), ll.sparsemax(SCORES))


def test_entmax_at_one_is_softmax():
    # Softmax and entmax may be computed by different kernels, each within its error bound.
    np.testing.assert_allclose(ll.entmax(SCORES, alpha=1), ll.softmax(SCORES), rtol=5 * EPS)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-9, 1e-12])
def test_entmax_tends_to_softmax(distance):
    gap = np.abs(ll.entmax(SCORES, alpha=1 + distance) - ll.softmax(SCORES)).max()
    assert gap < 2 * distance + 4 * EPS


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_root_finder_meets_the_closed_forms(alpha):
    nearby = ll.entmax(SCORES, alpha=alpha + 1e-9)
    np.testing.assert_allclose(nearby, ll.entmax(SCORES, alpha=alpha), rtol=0, atol=1e-8)


def test_large_alpha_tends_to_hardmax():
    np.testing.assert_allclose(ll.entmax(SCORES, alpha=60.0), ll.hardmax(SCORES), rtol=0, atol=1e-12)


def test_ratio_of_exponentials_is_softmax():
    np.testing.assert_allclose(ll.ratio(np.exp(SCORES)), ll.softmax(SCORES), rtol=8 * EPS)


def test_spherical_is_the_ratio_of_squares():
    np.testing.assert_allclose(ll.spherical(SCORES), ll.ratio(SCORES**2), rtol=8 * EPS)


def test_the_ratio_does_not_go_through_logarithms():
    """softmax(log x) is the ratio in exact arithmetic; in float64 log x loses the digits of x."""
    rng = np.random.default_rng(0)
    scores = 10.0 ** rng.uniform(-300, 300, size=(200, 1)) * rng.uniform(0.1, 1, size=(200, 5))
    logs = np.log(scores)
    through_logs = np.exp(logs - logs.max(axis=1, keepdims=True))
    through_logs /= through_logs.sum(axis=1, keepdims=True)

    def worst(got):
        truth = [oracles.probabilities(ll.MAPPINGS["ratio"], row) for row in scores]
        return max(
            ulp_error(a, b, np.dtype(np.float64))
            for p, q in zip(got, truth, strict=True)
            for a, b in zip(p, q, strict=True)
        )

    assert worst(through_logs) > 400
    assert worst(ll.ratio(scores)) <= 1


def test_two_classes_are_the_logistic_of_the_difference():
    two = SCORES[:, :2]
    np.testing.assert_allclose(ll.softmax(two)[:, 0], scipy.special.expit(two[:, 0] - two[:, 1]), rtol=1e-14)


def test_high_order_taylor_is_softmax_for_small_scores():
    np.testing.assert_allclose(ll.taylor(SCORES / 8, order=18), ll.softmax(SCORES / 8), rtol=1e-14)


def test_softmax_plus_one_is_softmax_with_a_zero_score_left_out():
    with_zero = np.concatenate([SCORES, np.zeros((40, 1))], axis=1)
    np.testing.assert_allclose(ll.softmax_plus_one(SCORES), ll.softmax(with_zero)[:, :-1], rtol=8 * EPS)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_logsumexp_agrees_with_scipy(scale):
    np.testing.assert_allclose(
        ll.logsumexp(SCORES * scale), scipy.special.logsumexp(SCORES * scale, axis=-1), rtol=1e-14
    )
    assert ll.logsumexp(SCORES, keepdims=True).shape == (40, 1)
    assert ll.logsumexp(SCORES, axis=0, keepdims=True).shape == (1, 6)


def test_logsumexp_of_nothing_but_minus_infinity_is_minus_infinity():
    assert ll.logsumexp([-np.inf, -np.inf]) == -np.inf
    assert ll.logsumexp([np.inf, 0.0]) == np.inf


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_agrees_with_torch(smoothing, weighted, soft, reduction):
    rng = np.random.default_rng(1)
    scores = torch.tensor(SCORES)
    weight = torch.tensor(rng.uniform(0.5, 2, size=6)) if weighted else None
    labels = torch.tensor(rng.integers(0, 6, size=40))
    labels[3] = -100
    targets = torch.tensor(rng.dirichlet(np.ones(6), size=40)) if soft else labels
    expected = F.cross_entropy(scores, targets, weight=weight, label_smoothing=smoothing, reduction=reduction)
    got = ll.cross_entropy(scores, targets, weight=weight, label_smoothing=smoothing, reduction=reduction)
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-13)


def test_issue_numbers():
    np.testing.assert_allclose(ll.softmax([1, 0.5]), [0.6224593312018546, 0.3775406687981454], rtol=1e-15)
    np.testing.assert_allclose(ll.ratio([1, 0.5]), [2 / 3, 1 / 3], rtol=1e-15)


def test_confident_examples_keep_their_loss_and_gradient():
    scores = np.float32([0, -17])
    value, gradient = ll.loss_and_grad(scores, 0)
    truth = -np.log1p(np.exp(np.float64(-17)))
    assert abs(float(ll.log_softmax(scores)[0]) / truth - 1) < 1e-7
    assert abs(float(value) / -truth - 1) < 1e-7
    assert abs(float(gradient[0]) / -np.exp(-17.0) * (1 + np.exp(-17.0)) - 1) < 1e-7
    assert gradient[0] < 0


def test_mean_of_several_batches_adds_up_by_parts():
    labels = np.random.default_rng(2).integers(0, 6, size=40)
    weight = np.linspace(0.5, 2, 6)
    total, denominator = (
        sum(parts)
        for parts in zip(
            *(ll.loss(SCORES[s], labels[s], weight=weight, reduction="parts") for s in (slice(0, 7), slice(7, 40))),
            strict=True,
        )
    )
    np.testing.assert_allclose(total / denominator, ll.loss(SCORES, labels, weight=weight), rtol=1e-14)


def test_nothing_to_average_is_zero():
    value, gradient = ll.loss_and_grad(SCORES, np.full(40, -100))
    assert value == 0.0
    assert (gradient == 0.0).all()


@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_sample_weight_is_repetition(name):
    scores = inside(name, SCORES[:3])
    weighted = ll.loss(scores, [0, 1, 2], mapping=name, sample_weight=[3.0, 0.0, 1.0])
    repeated = ll.loss(scores[[0, 0, 0, 2]], [0, 0, 0, 2], mapping=name)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-14)

"""Every mapping's answer for one vector, held against formulas written out by hand here."""

from __future__ import annotations

import math

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.comparison import Comparison, Question, Row, compare
from lastlayer.mappings import MAPPINGS


def ask(*scores: float, **options: object) -> Comparison:
    return compare(scores, **options)  # type: ignore[arg-type]


def row(comparison: Comparison, name: str) -> Row:
    return next(row for row in comparison.rows if row.name == name)


def test_question_of_the_project():
    comparison = ask(1, 0.5)
    assert row(comparison, "softmax").probabilities == pytest.approx([0.6224593312, 0.3775406688], abs=1e-10)
    assert row(comparison, "ratio").probabilities == pytest.approx([2 / 3, 1 / 3], abs=1e-15)
    assert row(comparison, "hardmax").probabilities == pytest.approx([1, 0], abs=0)
    # sparsemax of two scores: (1 ± difference) / 2.
    assert row(comparison, "sparsemax").probabilities == pytest.approx([0.75, 0.25], abs=1e-15)


def test_one_row_for_every_mapping_in_order():
    assert [row.name for row in ask(1, 0.5).rows] == list(MAPPINGS)


@pytest.mark.parametrize("scores", [(2, -1, 0.5), (1, -1), (0, 0)])
def test_ratio_is_undefined_with_the_reason_and_softmax_is_not(scores):
    comparison = ask(*scores)
    ratio = row(comparison, "ratio")
    assert not ratio.defined
    assert ratio.probabilities is ratio.losses is ratio.entropy is ratio.support is ratio.gradient is None
    assert "ratio needs scores >= 0, not all zero" in ratio.error
    assert str(scores[0]) in ratio.error
    undefined = {row.name for row in comparison.rows if not row.defined}
    assert "ratio" in undefined
    assert ("spherical" in undefined) == (scores == (0, 0))
    assert all(MAPPINGS[name].domain.is_valid is not None for name in undefined)


def test_infinite_scores_without_a_limit_are_undefined():
    comparison = ask(-math.inf, -math.inf)
    assert "no limit" in row(comparison, "softmax").error
    # The extra outcome of softmax_plus_one takes all the mass.
    assert row(comparison, "softmax_plus_one").probabilities.tolist() == [0, 0]


def test_losses_are_those_of_each_true_class():
    comparison = ask(2, -1, 0.5)
    log_sum = math.log(math.exp(2) + math.exp(-1) + math.exp(0.5))
    assert row(comparison, "softmax").losses == pytest.approx([log_sum - 2, log_sum + 1, log_sum - 0.5], abs=1e-14)
    # The perceptron loss.
    assert row(comparison, "hardmax").losses == pytest.approx([0, 3, 1.5], abs=1e-15)
    # ½‖y − x‖² − ½‖p − x‖² with p = (1, 0, 0), for x = (2, −1, 0.5).
    assert row(comparison, "sparsemax").losses == pytest.approx([0, 3, 1.5], abs=1e-15)
    assert row(ask(0.3, 0), "sparsemax").losses == pytest.approx([0.35**2, 0.65**2], abs=1e-15)


def test_zero_probability_of_the_true_class_is_an_infinite_loss():
    ratio = row(ask(1, 0, label=1), "ratio")
    assert ratio.losses.tolist() == [0.0, math.inf]
    assert ratio.gradient[1] == -math.inf
    assert ratio.support == 1


@pytest.mark.parametrize("options", [{}, {"softcap": 1.5, "temperature": 2.0}], ids=["plain", "activation"])
@pytest.mark.parametrize("name", MAPPINGS)
def test_gradient_is_the_slope_of_the_loss_in_the_scores_as_given(name, options):
    scores, label, h = np.array([1.1, 0.45, 0.7]), 1, 1e-6
    gradient = row(ask(*scores, label=label, mappings=[name], **options), name).gradient
    slopes = []
    for k in range(3):
        up, down = (row(ask(*(scores + s * h * np.eye(3)[k]), **options), name).losses[label] for s in (1, -1))
        slopes.append((up - down) / (2 * h))
    assert gradient == pytest.approx(slopes, abs=2e-9)


def test_no_gradient_without_a_label():
    assert all(row.gradient is None for row in ask(1, 0.5).rows)


def test_activation_comes_before_the_mapping():
    comparison = ask(2, -1, softcap=1.0, temperature=2.0)
    assert comparison.reached == pytest.approx([math.tanh(2) / 2, -math.tanh(1) / 2], abs=1e-15)
    p = 1 / (1 + math.exp(-(math.tanh(2) + math.tanh(1)) / 2))
    assert row(comparison, "softmax").probabilities == pytest.approx([p, 1 - p], abs=1e-14)


def test_entropy_in_nats():
    assert row(ask(0, 0, 0, 0), "softmax").entropy == pytest.approx(math.log(4), abs=1e-15)
    assert row(ask(3, 0), "hardmax").entropy == 0
    p = math.exp(-1) / (1 + math.exp(-1))
    assert row(ask(0, -1), "softmax").entropy == pytest.approx(-p * math.log(p) - (1 - p) * math.log1p(-p), abs=1e-15)


def test_support_counts_what_is_positive_though_it_rounds_to_zero():
    comparison = ask(0, -1000, -2000)
    assert row(comparison, "softmax").probabilities.tolist() == [1, 0, 0]
    assert row(comparison, "softmax").support == 3
    assert row(comparison, "sparsemax").support == row(comparison, "hardmax").support == 1


def test_one_class():
    comparison = ask(-3, mappings=["softmax", "sparsemax", "hardmax"])
    for r in comparison.rows:
        assert r.probabilities.tolist() == [1]
        assert r.losses.tolist() == [0]


def test_parameters_and_repeated_names():
    comparison = ask(1, 0.5, mappings=["entmax:alpha=1.3", "softmax", "entmax:alpha=1.3"])
    assert [row.name for row in comparison.rows] == ["entmax:alpha=1.3", "softmax"]
    # Between softmax and sparsemax.
    assert 0.6225 < row(comparison, "entmax:alpha=1.3").probabilities[0] < 0.75


def test_a_tiny_temperature_overflows_to_the_limit():
    comparison = ask(3, 1, temperature=1e-308, mappings=["softmax"])
    assert math.isinf(comparison.reached[0])
    assert comparison.rows[0].probabilities.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"scores": []}, ValueError, "no scores"),
        ({"scores": [1.0, math.nan]}, ValueError, "Score 1 is NaN"),
        ({"scores": [1.0, 2.0], "label": 2}, IndexError, "label is 2, but there are 2 classes; give one from 0 to 1"),
        ({"scores": [1.0], "label": 1}, IndexError, "there is 1 class; give 0"),
        ({"scores": [1.0, 2.0], "label": -1}, IndexError, "label is -1"),
        ({"scores": [1.0], "temperature": 0.0}, ValueError, "temperature is 0"),
        ({"scores": [1.0], "temperature": math.inf}, ValueError, "temperature is inf"),
        ({"scores": [1.0], "softcap": -1.0}, ValueError, "softcap is -1"),
        ({"scores": [1.0], "mappings": ["sofmax"]}, ValueError, "softmax"),
        ({"scores": [1.0], "mappings": []}, ValueError, "no mappings"),
        ({"scores": [1.0], "mappings": ["entmax:beta=1"]}, TypeError, "beta"),
    ],
)
def test_bad_questions(arguments, kind, says):
    with pytest.raises(kind, match=says):
        Question.ask(**arguments)


@pytest.mark.parametrize("options", [{}, {"softcap": 2.0, "temperature": 0.5}])
@pytest.mark.parametrize("scores", [(1, 0.5), (3, 0.25, 1e-9, 2), (0.5, 0.5, 0), (700, -1, 0), (-2,)])
def test_losses_are_those_of_the_loss_function(scores, options):
    """Which evaluates every class by itself, as the true one."""
    comparison = ask(*scores, **options)
    for found in comparison.rows:
        if found.defined:
            for label, value in enumerate(found.losses):
                expected = ll.loss([scores], [label], mapping=found.name, reduction="none", **options)[0]
                assert value == pytest.approx(expected, rel=4e-15, abs=1e-300), (found.name, label)


def test_many_classes_take_no_square_of_memory():
    """A row of losses per class would take 80 GB."""
    comparison = ask(*np.random.default_rng(0).normal(size=100_000).tolist())
    assert all(len(found.losses) == 100_000 for found in comparison.rows if found.defined)


def test_one_name_is_a_list_of_one():
    assert [found.name for found in ask(1, 0.5, mappings="ratio").rows] == ["ratio"]
    assert [found.name for found in ask(1, 0.5, mappings=MAPPINGS["ratio"]).rows] == ["ratio"]


def test_integers_of_any_size():
    assert ask(2**64, 1).question.scores.tolist() == [2.0**64, 1.0]
    with pytest.raises(ValueError, match="beyond the largest float64"):
        ask(10**400, 1)


def test_a_huge_parameter_has_a_short_name_that_can_be_read_back():
    name = ask(1, 0.5, mappings=["entmax:alpha=1e100"]).rows[0].name
    assert name == "entmax:alpha=1e+100"
    assert ask(1, 0.5, mappings=[name]).rows[0].name == name

"""What the numbers are: scores, probabilities, or something that is refused until the user says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

from lastlayer.evaluation import EvaluationError
from lastlayer.evaluation.read import read_inputs
from lastlayer.evaluation.read.inputs import Inputs

RNG = np.random.default_rng(4)
N = 400


def drawn(n_classes: int, spread: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, K), and labels drawn from their softmax."""
    scores = RNG.normal(size=(N, n_classes)) * spread
    labels = (softmax(scores, axis=1).cumsum(axis=1) > RNG.random((N, 1))).argmax(axis=1)
    return scores, labels


def facts(inputs: Inputs) -> dict[str, dict]:
    return {
        finding.code: dict(finding.facts)
        for finding in inputs.findings
        if finding.code not in ("class_absent", "few_rows")
    }


@pytest.mark.parametrize("n_classes", [2, 3, 10, 200])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "bfloat16"])
def test_probabilities_of_every_precision(n_classes, dtype):
    scores, labels = drawn(n_classes, 1.0)
    p = softmax(scores, axis=1)
    values = torch.from_numpy(p).to(torch.bfloat16) if dtype == "bfloat16" else p.astype(dtype)
    inputs = read_inputs(values, labels)
    assert inputs.scores.kind == "probabilities"
    assert facts(inputs) == {"probabilities": {"rows": N, "classes": n_classes}}
    # Their scores are log p, which is what the labels are to be judged by.
    np.testing.assert_allclose(inputs.scores.block(0, N), np.log(p), atol=2e-2)


@pytest.mark.parametrize(("n_classes", "decimals"), [(2, 1), (2, 2), (3, 2), (10, 2), (10, 3), (100, 3)])
def test_probabilities_rounded_in_a_text_file(tmp_path, n_classes, decimals):
    scores, labels = drawn(n_classes, 1.0)
    frame = pd.DataFrame(softmax(scores, axis=1)).add_prefix("class_").assign(label=labels)
    frame.to_csv(tmp_path / "p.csv", index=False, float_format=f"%.{decimals}f")
    inputs = read_inputs(tmp_path / "p.csv")
    sums = inputs.scores.array.sum(axis=1)
    # Rounding shows in some rows, except where two numbers sum to one by symmetry.
    assert n_classes == 2 or np.abs(sums - 1).max() > 1e-3
    assert (inputs.scores.kind, "probabilities" in facts(inputs)) == ("probabilities", True)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_scores_are_scores(n_classes, dtype):
    scores, labels = drawn(n_classes)
    for values in (
        scores,
        scores - 1e4 * (dtype != np.float16),
        log_softmax(scores, axis=1),
        scores.astype(int),
        -np.abs(scores),
    ):
        inputs = read_inputs(np.asarray(values, dtype), labels)
        assert (inputs.scores.kind, facts(inputs)) == ("scores", {})
    assert read_inputs(expit(scores) + 0.01, labels).scores.kind == "scores"


def test_one_column():
    scores, labels = drawn(2)
    p = softmax(scores, axis=1)[:, 1]
    for values in (p, p[:, None]):
        inputs = read_inputs(values, labels)
        assert facts(inputs) == {"probabilities": {"rows": N, "classes": 2}}
        np.testing.assert_allclose(softmax(inputs.scores.block(0, N), axis=1)[:, 1], p, rtol=1e-12)
    assert read_inputs(p, labels, kind="scores").scores.kind == "scores"
    assert read_inputs(scores[:, 1] - scores[:, 0], labels).scores.kind == "scores"


def test_an_array_says_what_it_is(tmp_path):
    scores, labels = drawn(3)
    p = softmax(scores, axis=1)
    for name in ("probabilities", "probs", "y_prob"):
        np.savez(tmp_path / "x.npz", **{name: p}, labels=labels)
        inputs = read_inputs(tmp_path / "x.npz")
        assert (inputs.scores.kind, facts(inputs)) == ("probabilities", {})
        np.savez(tmp_path / "x.npz", **{name: scores}, labels=labels)
        with pytest.raises(
            EvaluationError, match=r"x.npz was called probabilities by its name, and the number of class \d in row 0"
        ):
            read_inputs(tmp_path / "x.npz")
        assert read_inputs(tmp_path / "x.npz", kind="scores").scores.kind == "scores"
    # "scores" is what people call both: the numbers decide.
    np.savez(tmp_path / "x.npz", scores=p, labels=labels)
    assert facts(read_inputs(tmp_path / "x.npz")) == {"probabilities": {"rows": N, "classes": 3}}
    np.savez(tmp_path / "x.npz", logits=p, labels=labels)
    assert read_inputs(tmp_path / "x.npz").scores.kind == "scores"


def test_sigmoids_are_refused_until_someone_says_what_they_are():
    scores, labels = drawn(5)
    values = expit(scores)
    with pytest.raises(
        EvaluationError, match=r"rows sum to .*, as one sigmoid per class gives; .*--as probabilities.*--as scores"
    ):
        read_inputs(values, labels)
    inputs = read_inputs(values, labels, kind="probabilities")
    sums = values.sum(axis=1)
    assert facts(inputs) == {
        "sigmoids": {"rows": N, "low_sum": pytest.approx(sums.min()), "high_sum": pytest.approx(sums.max())}
    }
    # Divided by their sum, they are judged as probabilities.
    np.testing.assert_allclose(softmax(inputs.scores.block(0, N), axis=1), values / sums[:, None], rtol=1e-12)
    inputs = read_inputs(values, labels, kind="scores")
    assert (inputs.scores.kind, facts(inputs)) == ("scores", {})


def test_rows_that_nearly_sum_to_one_are_refused_until_someone_says_what_they_are():
    scores, labels = drawn(5)
    p = softmax(scores / 10, axis=1)
    p[7] *= 0.97
    p[20:30] *= 1.01
    with pytest.raises(
        EvaluationError, match=r"11 of 400 rows do not sum to one \(row 7, counted from 0, sums to 0.97\)"
    ):
        read_inputs(p, labels)
    inputs = read_inputs(p, labels, kind="probabilities")
    expected = {
        "rows": 11,
        "of": N,
        "row": 7,
        "sum": pytest.approx(0.97),
        "largest_error": pytest.approx(0.03),
        "decimals": None,
    }
    assert facts(inputs) == {"rows_do_not_sum_to_one": expected}
    # A row that the model did not answer does not make sigmoids of the others.
    p[:] = softmax(scores, axis=1)
    p[9] = 0
    with pytest.raises(EvaluationError, match=r"the probability 0 for every class in row 9 \(counted from 0\)"):
        read_inputs(p, labels)


@pytest.mark.parametrize("kind", [None, "probabilities"])
@pytest.mark.parametrize(
    ("change", "decimals"), [(lambda p: p.round(2), 2), (lambda p: p * 0.9991, None), (lambda p: p.round(3), 3)]
)
def test_rows_that_rounding_keeps_from_summing_to_one_are_mentioned(change, decimals, kind):
    scores, labels = drawn(10, 1.0)
    p = change(softmax(scores, axis=1))
    found = facts(read_inputs(p, labels, kind=kind))["rows_do_not_sum_to_one"]
    errors = np.abs(p.sum(axis=1) - 1)
    assert found["largest_error"] == pytest.approx(errors.max())
    assert found["rows"] == np.count_nonzero(errors > 5e-4)
    assert (found["row"], found["decimals"]) == (errors.argmax(), decimals)
    assert ("probabilities" in facts(read_inputs(p, labels, kind=kind))) == (kind is None)


@pytest.mark.parametrize(
    ("total", "says"), [(100, r"about 100 \(percentages\?\), .* divide them by 100 "), (30, "about 30, ")]
)
def test_percentages_and_counts_are_refused_until_someone_says_what_they_are(total, says):
    scores, labels = drawn(5)
    p = softmax(scores, axis=1)
    counts = np.random.default_rng(0).multinomial(total, p).astype(float)
    for values in (counts, (total * p).round(2)):
        with pytest.raises(EvaluationError, match=f"numbers from 0 on whose rows all sum to {says}.*--as scores"):
            read_inputs(values, labels)
        assert read_inputs(values, labels, kind="scores").scores.kind == "scores"
    assert read_inputs(counts / total, labels).scores.kind == "probabilities"
    # Constant answers, scores without a common sum, and infinite ones are what they were.
    for fine in (np.tile([3.0, 1, 0, 0, 0], (N, 1)), np.abs(scores), np.where(scores > 5, np.inf, np.abs(scores))):
        assert read_inputs(fine, labels).scores.kind == "scores"


@pytest.mark.parametrize("n_bad", [1, 3])
def test_rows_without_any_probability_are_refused(n_bad):
    """Softmax of −inf everywhere, and zeros divided by their sum, are no numbers."""
    scores, labels = drawn(4)
    p = softmax(scores, axis=1)
    rows = [7, 20, 300][:n_bad]
    scores[rows], p[rows] = -np.inf, 0
    more = r", and in 2 of the other 399 rows" if n_bad > 1 else ""
    says = r" for every class in row 7 \(counted from 0\)" + more + ", so no class can be the true one; .* label −100"
    with pytest.raises(EvaluationError, match="The array of scores has the score −inf" + says):
        read_inputs(scores, labels)
    for kind in (None, "probabilities"):
        with pytest.raises(EvaluationError, match="The array of scores has the probability 0" + says):
            read_inputs(p, labels, kind=kind)
    # The remedy helps.
    labels[rows] = -100
    for values in (scores, p):
        assert read_inputs(values, labels).n_left_out == n_bad
    # One column of −inf is the probability 0 of the second class.
    assert read_inputs(np.where(labels > 1, -np.inf, 2.0), (labels < 2).astype(int)).n_left_out == 0


def test_the_option_for_labels_is_named_as_it_is_called():
    scores, _ = drawn(4)
    for option in ("--labels", "--fit-labels"):
        with pytest.raises(EvaluationError, match=f"give a file of labels with {option}, or name"):
            read_inputs(scores, labels_option=option)
    with pytest.raises(EvaluationError, match="give a file of labels with --labels, or name"):
        read_inputs(scores)


def test_a_few_damaged_rows_do_not_make_scores_of_probabilities():
    scores, labels = drawn(5)
    p = softmax(scores, axis=1)
    p[30] *= 1.5 / p[30].max()
    p[31] = scores[31]
    with pytest.raises(
        EvaluationError, match=r"has probabilities in 398 of 400 rows, but the number of class \d in row 30 .* is 1.5"
    ):
        read_inputs(p, labels)
    assert read_inputs(p, labels, kind="scores").scores.kind == "scores"


def test_rows_are_named_as_in_the_file():
    """Rows that were left out before count."""
    scores, labels = drawn(3)
    p = softmax(scores, axis=1)
    p[50] *= 0.97
    labels[:40] = -100
    with pytest.raises(EvaluationError, match="row 50, counted from 0"):
        read_inputs(p, labels)
    p[50] = 0, 0, 1
    labels[50] = 0
    assert facts(read_inputs(p, labels))["zero_probability"]["row"] == 50
    p[60] = 2, 0, 0
    with pytest.raises(
        EvaluationError, match=r"the number of class 0 in row 60 \(counted from 0\) is 2.0, which is no probability"
    ):
        read_inputs(p, labels, kind="probabilities")


def test_only_rows_that_count_decide():
    scores, labels = drawn(3)
    p = softmax(scores, axis=1)
    p[3], labels[3] = 7.0, -100
    p[4, 1] = np.nan
    inputs = read_inputs(p, labels)
    assert inputs.scores.kind == "probabilities"
    assert facts(inputs)["probabilities"]["rows"] == N - 2


@pytest.mark.parametrize(("value", "shown"), [(1.2, "1.2"), (-0.1, "-0.1"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_called_probabilities_and_none(value, shown):
    scores, labels = drawn(3)
    p = softmax(scores, axis=1)
    p[5, 2] = value
    with pytest.raises(EvaluationError, match=rf"the number of class 2 in row 5 \(counted from 0\) is {shown}"):
        read_inputs(p, labels, kind="probabilities")
    one = p[:, 1].copy()
    one[8] = value
    with pytest.raises(EvaluationError, match=rf"the number of class 1 in row 8 \(counted from 0\) is {shown}"):
        read_inputs(one, labels % 2, kind="probabilities")


def test_rounding_beyond_one_is_no_error():
    p = np.array([[1 + 2e-7, 0], [0.3, 0.7], [-1e-8, 1]], dtype=np.float32)
    assert read_inputs(p, [0, 1, 1]).scores.kind == "probabilities"
    for kind in (None, "probabilities"):
        one = read_inputs(p[:, 0], [1, 0, 0], kind=kind).scores.block(0, 3)
        np.testing.assert_allclose(one[:, 0], [-np.inf, np.log(0.7), 0], rtol=1e-6, atol=1e-7)


def test_zeros_are_named_and_counted():
    p = np.full((300, 3), 1 / 3)
    p[10], p[20], p[21] = (0, 0, 1), (0.5, 0.5, 0), (1, 0, 0)
    labels = np.arange(300) % 3
    labels[[10, 20, 21]] = 2, 2, 1
    found = facts(read_inputs(p, labels))
    assert found["zero_probability"] == {"entries": 5, "rows": 3, "label_rows": 2, "row": 20}
    labels[[20, 21]] = 0
    assert facts(read_inputs(p, labels))["zero_probability"] == {"entries": 5, "rows": 3, "label_rows": 0, "row": 10}
    one = np.full(300, 0.5)
    one[[3, 4]] = 0, 1
    labels = np.zeros(300, int)
    assert facts(read_inputs(one, labels))["zero_probability"] == {"entries": 2, "rows": 2, "label_rows": 1, "row": 4}
    assert "zero_probability" not in facts(read_inputs(np.maximum(p, 1e-300), np.arange(300) % 3, kind="scores"))


def test_hard_answers_are_probabilities():
    labels = RNG.integers(0, 3, N)
    hard = np.eye(3)[RNG.integers(0, 3, N)]
    for values in (hard, hard.astype(int), hard.astype(np.float32)):
        found = facts(read_inputs(values, labels))
        assert found["probabilities"] == {"rows": N, "classes": 3}
        assert found["zero_probability"]["entries"] == 2 * N


@pytest.mark.parametrize("n_classes", [2, 3, 10, 1000])
def test_the_network_without_a_softmax_and_with_one(n_classes):
    """The trap of scikit-learn 34312, netcal and TorchUncertainty 179: a temperature fitted to p as if it were the logits."""
    scores, labels = drawn(n_classes)
    p = softmax(scores, axis=1).astype(np.float32)
    inputs = read_inputs(p, labels)
    assert inputs.scores.kind == "probabilities"
    difference = inputs.scores.block(0, N) - scores
    # log p is the scores, up to one number per row.
    np.testing.assert_allclose(difference - difference[:, :1], 0, atol=2e-5 * np.abs(difference).max())


def test_blocks_do_not_change_the_answer(monkeypatch):
    from lastlayer.evaluation.read import row_facts

    scores, labels = drawn(7)
    p = softmax(scores, axis=1)
    p[[0, N - 1], 3] = np.nan
    whole = read_inputs(p, labels)
    walk = row_facts.for_each_block
    monkeypatch.setattr(row_facts, "for_each_block", lambda n, k, work: walk(n, k, work, entries=20, threads=3))
    parts = read_inputs(p, labels)
    assert parts.findings == whole.findings
    assert whole.n_left_out == 2

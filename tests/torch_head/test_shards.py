"""`group=`: heads whose classes lie on 1 to 4 processes give what one process gives, send little, and never hang."""

from __future__ import annotations

import functools

import pytest
import torch
from processes import found_by_all
from running import IS_NIGHTLY

if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)


@pytest.fixture(scope="module")
def found_by(tmp_path_factory):
    """What each of some processes found; every number of processes is started once."""

    @functools.cache
    def run(size):
        folder = tmp_path_factory.mktemp("shards")
        if IS_NIGHTLY:
            return found_by_all("shards_worker.py", folder, size, "all", timeout=3000)
        # With three processes, the last one ends without a word.
        return found_by_all("shards_worker.py", folder, size)

    return run


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_losses_and_gradients(found_by, size):
    for found in found_by(size):
        assert found["losses"]["wrong"] == {}
        assert found["losses"]["count"] >= 11


@pytest.mark.parametrize("size", [2, 4])
def test_statistics(found_by, size):
    for found in found_by(size):
        assert found["statistics"]["wrong"] == {}
        assert found["statistics"]["count"] == (16 if size == 2 or IS_NIGHTLY else 3)


@pytest.mark.parametrize("size", [2, 4])
def test_infinite_scores_and_nan(found_by, size):
    for found in found_by(size):
        assert found["edges"] == {}


DIFFERENCES = {
    "dtype": "dtype (rank 0: torch.float32, rank 1: torch.bfloat16)",
    "rows": "rows (rank 0: 19, rank 1: 18)",
    "features": "features (rank 0: 6, rank 1: 5)",
    "mapping": "mapping (rank 0: softmax, rank 1: sparsemax)",
    "label_smoothing": "label_smoothing (rank 0: 0.0, rank 1: 0.1)",
    "reduction": "reduction (rank 0: mean, rank 1: none)",
    "n_classes": "n_classes (rank 0: None, rank 1: 20)",
    "labels": "labels, as a fingerprint (rank 0:",
    "bias": "bias (rank 0: False, rank 1: True)",
    "sample_weight": "sample_weight (rank 0: False, rank 1: True)",
    "gradients": "gradients for (rank 0: nothing, rank 1: weight)",
    "temperature": "temperature (rank 0: 1.0, rank 1: 1.5)",
    "softcap": "softcap (rank 0: None, rank 1: 5.0)",
    "z_loss": "z_loss (rank 0: 0.0, rank 1: 0.1)",
    "class_weight": "class_weight (rank 0: False, rank 1: True)",
    "scores_dtype": "scores_dtype (rank 0: None, rank 1: torch.float32)",
    "temperature per row": "temperature (rank 0: a tensor,",
    "learned temperature": "temperature (rank 0: 1.2999999523162842, rank 1: 1.30000",
    "weights": "sample_weight, as a fingerprint (rank 0:",
    "alpha": "alpha of each row, as a fingerprint (rank 0:",
    "input": "input (its values on rank 1 are not those on rank 0)",
    "one row": "input (its values on rank 1",
    "NaN": "input (its values on rank 1",
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_processes_that_differ_raise_the_same_error(found_by, what):
    for found in found_by(2):
        first, second = found["mismatches"][what]
        assert first == second
        assert first.startswith("ValueError: the processes of the group do not make the same call of linear_loss:")
        assert DIFFERENCES[what] in first


def test_what_is_refused_is_refused_everywhere(found_by):
    found = found_by(2)[0]["mismatches"]
    for message in found["function"]:
        assert "function (rank 0: linear_loss, rank 1: linear_statistics)" in message
    assert found["an error of one"] == [
        "ValueError: every process of the group stops in linear_loss, for one refused its arguments: rank 1: ValueError: bias has "
        "shape (21,); give this process's slice of it, (22,), as of weight.",
        "ValueError: bias has shape (21,); give this process's slice of it, (22,), as of weight.",
    ]
    for what, words in {
        "a label": "IndexError: label 30 at position 0 is outside 0..29",
        "too many classes": "ValueError: n_classes is 31; the slices of weight have 30 rows in all: give 1..30.",
        "regularized by a user": "NotImplementedError: mine is of the regularized family",
        "no group": "TypeError: group is int; give a process group",
        "soft targets": "ValueError: row 0 has soft targets that sum to 15 over all slices",
        "rounding": "no error",
        "max_memory": "no error",
        "integers": "no error",
        "nothing": "no error",
    }.items():
        assert [message.startswith(words) for message in found[what]] == [True, True], found[what]


def test_gradients_from_upstream_that_differ(found_by):
    found = found_by(2)[0]["mismatches"]
    for what, function in (("upstream", "linear_loss"), ("entropies", "linear_statistics")):
        for message in found[what]:
            assert message.startswith(
                f"ValueError: the processes of the group do not make the same call of {function}:"
            )
            assert "upstream gradients, as fingerprints (rank 0:" in message


@pytest.mark.parametrize("what", ["same seed", "DDP", "FSDP"])
def test_slices_that_are_copies_are_refused(found_by, what):
    """DDP and FSDP over the processes of the group take the slices for one weight."""
    facts = found_by(2)[0]["wrapped"]
    for message in facts[what]:
        assert message.startswith("ValueError: the slices of the weight on ranks 0, 1 have the same values. Does Distr")
    assert facts["alone"] == "no error"
    assert facts["ignored"] == ["no error"] * 2


def test_what_one_layer_refuses_stops_all(found_by):
    facts = found_by(2)[0]["wrapped"]
    for what, words in (
        ("no targets", "ValueError: output is 'loss', targets are"),
        ("sparse", "TypeError: statistics are"),
    ):
        first, second = facts[what]
        assert second.startswith(words)
        assert first.endswith(f"one refused its arguments: rank 1: {second}")


def test_backward(found_by):
    for found in found_by(2):
        facts = found["derivatives"]
        assert facts["second"].startswith("RuntimeError: linear_loss with group= has no second derivatives")
        assert facts["func"].startswith("TypeError: with group= a head works on plain tensors in eager calls")
        assert facts["pickle"].startswith("TypeError: a LinearLoss with group= cannot be pickled")
        assert all(facts[name] for name in ("twice", "ignored", "copy", "statistics", "dtensor"))


def test_bytes_do_not_depend_on_the_number_of_classes(found_by):
    rows, features, handshake = 64, 8, 1024
    for found in found_by(2):
        sent = found["bytes"]
        for mapping in ("softmax", "ratio", "sparsemax", "entmax"):
            # The gradient of the input, in float32.
            assert sent[f"{mapping} 40"][1] == sent[f"{mapping} 4000"][1] == rows * features * 4
        for classes in (40, 4000):
            assert sent[f"softmax {classes}"][0] == handshake + rows * 3 * 8
        assert sent["ratio 40"] == sent["ratio 4000"]
        # The steps to a threshold depend on the scores.
        for mapping in ("sparsemax", "entmax"):
            assert max(sent[f"{mapping} {classes}"][0] for classes in (40, 4000)) <= handshake + rows * 600


def test_statistics_send_as_little(found_by):
    rows, features, handshake = 64, 8, 1024
    for found in found_by(2):
        # Backward begins with a handshake of its own, and sends the gradient of the input alone.
        assert found["bytes"]["statistics 40"] == found["bytes"]["statistics 4000"]
        assert found["bytes"]["statistics 40"] == [2 * handshake + rows * 6 * 8, rows * features * 4]


def test_the_plan_foretells_bytes_and_collectives(found_by):
    for found in found_by(4):
        assert found["plans"] == {}


def test_memory_falls_with_the_number_of_processes(found_by):
    """Weight, gradients and workspace; the gradient of the input and the float64 copy of some rows do not get smaller."""
    found = [facts["memory"] for facts in found_by(4)]
    whole = found[0]["1"]
    for facts in found:
        for size, (peak, planned, weight, planned_weight) in facts.items():
            # The slack below is a small part of a slice.
            assert weight == planned_weight == whole[2] // int(size)
            assert planned <= peak <= planned + 1.5 * 2**20, (size, peak, planned)
            assert peak <= whole[0] / int(size) + 1.5 * 2**20


def test_the_comparison_rejects_wrong_heads(found_by):
    for found in found_by(2):
        assert len(found["mutants"]) == 8
        assert all(found["mutants"].values()), found["mutants"]


def test_lost_processes(found_by):
    late = [found["late"] for found in found_by(2)]
    assert late[0].startswith("RuntimeError: rank 0 of 2 lost the other processes of its group in linear_loss")
    for rank, found in enumerate(found_by(3)):
        assert found["killed"].startswith(f"RuntimeError: rank {rank} of 3 lost the other processes of its group")

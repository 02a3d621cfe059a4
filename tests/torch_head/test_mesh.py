"""DTensors in a linear head on 2 × 2 processes give what one process gives; what they cannot say is refused; differences raise."""

from __future__ import annotations

import pytest
import torch
from processes import found_by_all

if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)

SIZE = 4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of four processes found; they are started once for all tests."""
    return found_by_all("mesh_worker.py", tmp_path_factory.mktemp("mesh"), SIZE, timeout=300)


def test_losses_and_gradients(found):
    for facts in found:
        assert facts["losses"]["wrong"] == {}
        assert facts["losses"]["count"] >= 40


def test_statistics(found):
    for facts in found:
        assert facts["statistics"] == {}


@pytest.mark.parametrize("what", ["layer", "statistics", "sum of parts", "sequences", "optimiser"])
def test_one_dimension(found, what):
    assert [facts["line"][what] for facts in found] == [True] * SIZE


@pytest.mark.parametrize("what", ["mean", "nothing counts"])
def test_uneven_rows(found, what):
    assert [facts["uneven"][what] for facts in found] == [True] * SIZE


def test_fsdp_over_the_other_dimension(found):
    for facts in found:
        assert facts["fsdp"]["gradients"]
        assert facts["fsdp"]["statistics"]
        assert facts["fsdp"]["outside"].startswith("TypeError: weight has the placement _S(0, 2) along dimension 0")
        assert "Under FSDP call the layer's forward" in facts["fsdp"]["outside"]


def test_a_module_distributed_by_torch(found):
    assert [facts["others"]["distribute_module"] for facts in found] == [True] * SIZE


@pytest.mark.parametrize("what", ["loss and gradients", "prediction"])
def test_a_data_parallel_body_and_classes_on_the_same_processes(found, what):
    assert [facts["usual"][what] for facts in found] == [True] * SIZE


def test_bytes_of_a_mesh_do_not_depend_on_the_number_of_classes(found):
    """Two handshakes for each dimension of the mesh, three numbers per local row; the gradient of the input, total and denominator."""
    for facts in found:
        assert facts["bytes"] == [[4 * 1024 + 6 * 24, 6 * 8 * 4 + 2 * 8]] * 2


REFUSED = {
    "features": "TypeError: weight has the placement S(1) along dimension 0 of its mesh; a head takes Shard(0)",
    "sums": "TypeError: weight has the placement P(sum) along dimension 0",
    "twice": "TypeError: weight is sharded along its classes over dimensions [0, 1] of its mesh; a head takes one",
    "plain input": "TypeError: input is a plain tensor, but the mesh",
    "plain weight": "TypeError: weight is a plain tensor next to a DTensor; distribute it",
    "plain bias": "TypeError: bias is a plain tensor, but weight is a DTensor; distribute it",
    "another mesh": "ValueError: input is on the mesh",
    "group": "TypeError: weight is a DTensor, whose mesh says who holds which classes; leave out group=.",
    "temperature": "TypeError: temperature is a plain tensor that requires a gradient, and the rows lie on several",
    "gathered": "ValueError: targets is a plain tensor of shape (",
    "labels": "ValueError: targets have shape (19,) for rows of shape (",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_head_takes_is_refused(found, what):
    for facts in found:
        assert facts["refused"][what].startswith(REFUSED[what]), facts["refused"][what]


@pytest.mark.parametrize("what", REFUSED)
def test_what_one_process_refuses_stops_all(found, what):
    """Nobody waits for a timeout."""
    *others, own = found[0]["refused by one"][what]
    if what == "labels":
        # Plain labels are the process's own: it has 9 or 10 rows.
        assert own.startswith(
            "ValueError: the processes of the group do not make the same call of linear_loss: placements of targets"
        )
        return
    assert own.startswith(REFUSED[what])
    for message in others:
        assert message.startswith("ValueError: every process of the group stops in linear_")
        assert f"one refused its arguments: rank 3: {own}"[:300] in message


def test_targets_of_a_teacher(found):
    for facts in found:
        assert facts["teachers"]["wrong"] == {}
        assert facts["teachers"]["plain student"].startswith("TypeError: weight is a plain tensor next to a DTensor")


DIFFERENCES = {
    "a process": "mapping (rank 2: softmax, rank 3: sparsemax)",
    "a row": "mapping (rank 0: softmax, rank 2: sparsemax)",
    "reduction": "reduction (rank 0: parts, rank 2: none)",
    "placements": "placements of class_weight (rank 1: None, rank 3: plain)",
    "replicas": "input (its values on rank 2 are not those on rank 0)",
    "storage": "input (its values on rank 1, 2, 3 are not those on rank 0). Every process must give the same rows",
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_processes_that_differ_raise_an_error_that_says_in_what(found, what):
    messages = found[0]["differing"][what]
    for message in messages:
        assert message.startswith("ValueError: the processes of the group do not make the same call of linear_loss:")
    assert DIFFERENCES[what] in messages[0]
    # Two pairs of processes may both have found it, each with its own ranks.
    assert len({message.partition(" (")[0] for message in messages}) == 1


def test_shards_for_storage_with_other_rows_are_told_what_to_do(found):
    for message in found[0]["differing"]["storage"]:
        assert "sharded for storage alone" in message
        assert "register_fsdp_forward_method" in message


def test_a_lost_process(found):
    *others, last = found
    assert "killed" not in last
    for facts in others:
        assert "lost the other processes of its group in linear_loss" in facts["killed"]


def test_an_error_of_one_process_reaches_the_whole_mesh(found):
    *others, own = found[0]["differing"]["an argument"]
    assert own == "ValueError: sample_weight has shape (20,); give (9,)."
    assert set(others) == {
        f"ValueError: every process of the group stops in linear_loss, for one refused its arguments: rank 3: {own}"
    }
    assert all(message.startswith("IndexError: label 100") for message in found[0]["differing"]["bad label"])
    assert found[0]["differing"]["nothing"] == ["no error"] * SIZE

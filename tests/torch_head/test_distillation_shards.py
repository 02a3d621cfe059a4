"""`SparseTargets` and `TeacherTargets` with `group=`: heads in slices on 1 to 3 processes give what the whole head gives."""

from __future__ import annotations

import functools

import pytest
import torch
from processes import found_by_all

if not torch.distributed.is_available():
    pytest.skip("this build of torch has no torch.distributed", allow_module_level=True)


@pytest.fixture(scope="module")
def found_by(tmp_path_factory):
    """What each of some processes found; every number of processes is started once."""

    @functools.cache
    def run(size):
        return found_by_all("distillation_worker.py", tmp_path_factory.mktemp("distillation"), size)

    return run


@pytest.mark.parametrize("size", [1, 2, 3])
def test_losses_and_gradients(found_by, size):
    for found in found_by(size):
        assert found["losses"]["wrong"] == {}
        assert found["losses"]["count"] >= 10


def test_infinite_scores(found_by):
    for found in found_by(2):
        assert found["edges"] == {}


DIFFERENCES = {
    "targets": "targets (rank 0: TeacherTargets, rank 1: SparseTargets)",
    "divergence": "divergence (rank 0: forward, rank 1: reverse)",
    "rest": "rest (rank 0: tail, rank 1: nothing)",
    "indices": "indices, as a fingerprint (rank 0:",
    "probabilities": "probabilities, as a fingerprint (rank 0:",
    "temperature": "the teacher's temperature (rank 0: 1.0, rank 1: 2.0)",
}


def test_processes_that_differ_raise_the_same_error(found_by):
    for found in found_by(2):
        for what, words in DIFFERENCES.items():
            first, second = found["mismatches"][what]
            assert first == second
            assert first.startswith("ValueError: the processes of the group do not make the same call of linear_loss:")
            assert words in first
        first, second = found["mismatches"]["classes"]
        assert "the teacher's weight has 30 rows and the student's 22" in first
        assert "the teacher's weight has 30 rows and the student's 22" in second
        assert {x[:19] for x in found["mismatches"]["range"]} == {"IndexError: index 3"}
        assert found["mismatches"]["nothing"] == ["no error", "no error"]


def test_derivatives(found_by):
    for found in found_by(2):
        assert all(found["derivatives"].values()), found["derivatives"]


def test_bytes_do_not_depend_on_the_number_of_classes(found_by):
    rows, features, handshake = 64, 8, 1024
    # Named scores, the largest of the rest, and the sum of its terms; two numbers per head, and two for the divergence.
    numbers = {"tail": 4, "nothing": 4, "teacher": 6}
    for found in found_by(2):
        for name, (gathered, reduced) in found["bytes"].items():
            assert reduced == rows * features * 4
            assert gathered == handshake + rows * 8 * numbers[name.partition(" ")[0]], name

"""`normalize`, `scale`, `margin` and `class_prior` with `group=`: 1 to 3 processes give what plain torch gives in float64."""

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
        return found_by_all("margins_worker.py", tmp_path_factory.mktemp("margins"), size)

    return run


@pytest.mark.parametrize("size", [1, 2, 3])
def test_losses_and_gradients(found_by, size):
    for found in found_by(size):
        assert len(found["cases"]) == 12
        assert {name: wrong for name, wrong in found["cases"].items() if wrong} == {}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_statistics_and_the_layer(found_by, size):
    for found in found_by(size):
        assert found["statistics"] == [True] * 4
        assert all(found["layer"].values()), found["layer"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_rows_that_do_not_count(found_by, size):
    assert all(found["ignored"] for found in found_by(size))


DIFFERENCES = {
    "normalize": "normalize (rank 0: True, rank 1: False)",
    "margin": "margin (rank 0: ('angular', 0.5), rank 1: ('angular', 0.4))",
    "scale": "scale (rank 0: 2.0, rank 1: 3.0)",
    "class_prior": "class_prior (rank 0: True, rank 1: False)",
    "not positive": "ValueError: class_prior has the smallest entry 0 and the sum 38.5; give positive finite numbers",
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_processes_that_differ_raise_the_same_error(found_by, what):
    first, second = (found["mismatches"][what] for found in found_by(2))
    assert first == second
    assert DIFFERENCES[what] in first


def test_a_process_that_refuses_its_arguments_says_so_to_all(found_by):
    first, second = (found["mismatches"]["shape"] for found in found_by(2))
    assert first == "ValueError: class_prior has shape (1,); give this process's slice of it, (5,), as of weight."
    assert second.endswith(f"one refused its arguments: rank 0: {first}")


def test_a_margin_sends_nothing_more(found_by):
    for found in found_by(2):
        cosines, margin, prior = found["bytes"]
        assert margin == cosines
        assert prior == [cosines[0] + 2 * 8, cosines[1]]

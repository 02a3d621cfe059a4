"""What counts as the same result: p − 1 for a confident label does, a wrong gradient elsewhere does not."""

from __future__ import annotations

import numpy as np

import lastlayer as ll
from lastlayer.benchmark.operations import all_operations
from lastlayer.benchmark.peer import Result
from lastlayer.benchmark.problem import Problem
from lastlayer.benchmark.truth import Truth

SCORES = np.float32([[0, -18], [1, 2]])
LABELS = np.array([0, 0])
OPERATION = all_operations()["cross_entropy_grad"]


def fault(gradient: np.ndarray) -> str | None:
    truth = Truth(ll.MAPPINGS["softmax"], Problem.of(SCORES, LABELS))
    return truth.fault(OPERATION, Result(gradient, float(ll.cross_entropy(SCORES, LABELS))))


def test_a_label_entry_computed_as_p_minus_one_is_the_same():
    p = ll.softmax(SCORES)
    assert p[0, 0] == 1  # so that p − 1 is 0, and not −1.5e-8
    p[[0, 1], LABELS] -= 1
    assert fault(p / 2) is None


def test_another_entry_is_not():
    p = ll.softmax(SCORES)
    p[[0, 1], LABELS] -= 1
    p[1, 1] *= 1.001
    assert "in row 1" in fault(p / 2)

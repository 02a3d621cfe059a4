"""A run on tiny shapes: every mapping has its rows, what is right is timed, what is wrong or missing is named."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

import lastlayer as ll
from lastlayer.benchmark import PEERS, Plan, load_peers, run_benchmark
from lastlayer.benchmark.operations import all_operations
from lastlayer.benchmark.peer import Call, Peer, Result, loss_and_values, values

INSTALLED, LEFT_OUT = load_peers(PEERS)


def plan(*operations: str, **options: object) -> Plan:
    asked = Plan.ask(operations=operations or None, shapes=["7x3"], seconds=0.002, quick=True, **options)  # type: ignore[arg-type]
    return replace(asked, rows=1)


@pytest.fixture(scope="module")
def whole():
    """Everything, and all peers that are here."""
    return run_benchmark(plan(), INSTALLED, LEFT_OUT)


def test_every_mapping_has_its_rows(whole):
    timed = [cell.operation for cell in whole.cells]
    assert timed == list(all_operations())
    assert set(ll.MAPPINGS) <= set(timed)
    assert all("lastlayer" in cell.timings for cell in whole.cells)


def test_a_new_mapping_has_its_rows(monkeypatch):
    monkeypatch.setitem(ll.MAPPINGS, "toy", replace(ll.MAPPINGS["sparsemax"], name="toy"))
    record = run_benchmark(plan("toy", "toy_loss_grad"), [])
    assert [cell.operation for cell in record.cells] == ["toy", "toy_loss_grad"]
    assert record.largest_error("toy_loss_grad", "lastlayer") is not None


def test_every_peer_that_is_here_is_right_and_timed(whole):
    assert [cell.refused for cell in whole.cells if cell.refused] == []
    assert set(whole.peers) == {peer.name for peer in INSTALLED}
    assert {"torch", "scipy"} <= set(whole.peers)


def test_errors_are_those_of_the_libraries(whole):
    """Ours keep the promise; torch and SciPy lose a confident class's logarithm."""
    assert whole.largest_error("log_softmax", "lastlayer", "confident")[0] <= 2
    for name in ("torch", "scipy"):
        assert whole.largest_error("log_softmax", name, "confident")[0] > 1e6
    assert whole.largest_error("cross_entropy_grad", "lastlayer")[0] <= 2


def test_float64_and_threads(whole):
    record = run_benchmark(plan("softmax", "cross_entropy_grad", dtype="float64", threads=1), INSTALLED)
    assert (record.facts["dtype"], record.facts["threads"]) == ("float64", 1)
    assert all(not cell.refused for cell in record.cells)
    assert ll.show_config()["threads"] == whole.facts["threads"]


def contender(prepare) -> Peer:
    return Peer("wrong", "0", prepare, lambda threads, dtype: nullcontext())


def off_by_a_thousandth(p):
    return p * np.float32(1.001)


def swapped(p):
    return p[:, [1, 0, 2]]


def all_equal(p):
    return np.full_like(p, 1 / p.shape[1])


def last_row_missing(p):
    return np.concatenate([p[:-1], 0 * p[-1:]])


def one_nan(p):
    p[3, 1] = np.nan
    return p


def too_short(p):
    return p[:-1]


@pytest.mark.parametrize("spoil", [off_by_a_thousandth, swapped, all_equal, last_row_missing, one_nan, too_short])
@pytest.mark.parametrize("operation", ["softmax", "sparsemax", "cross_entropy_grad"])
def test_a_wrong_result_is_named_and_not_timed(operation, spoil, monkeypatch):
    def prepare(operation, problem):
        if operation.has_loss:
            return Call(
                lambda: ll.loss_and_grad(problem.scores, problem.labels), lambda pair: Result(spoil(pair[1]), pair[0])
            )
        return Call(lambda: ll.probabilities(problem.scores, mapping=operation.mapping), lambda p: Result(spoil(p)))

    monkeypatch.setattr("lastlayer.benchmark.run._errors", lambda *_: [])
    cell = run_benchmark(plan(operation), [contender(prepare)]).cells[0]
    assert list(cell.refused) == ["wrong"]
    assert "wrong" not in cell.timings
    assert "lastlayer" in cell.timings


def test_a_right_stand_in_is_timed(monkeypatch):
    """The checks above can pass: the same contender unspoilt."""

    def prepare(operation, problem):
        return Call(lambda: ll.loss_and_grad(problem.scores, problem.labels), loss_and_values)

    monkeypatch.setattr("lastlayer.benchmark.run._errors", lambda *_: [])
    cell = run_benchmark(plan("cross_entropy_grad"), [contender(prepare)]).cells[0]
    assert not cell.refused
    assert "wrong" in cell.ratios


def test_a_wrong_loss_an_unwritten_buffer_and_an_exception():
    def prepare(operation, problem):
        def fail():
            raise RuntimeError("out of order")

        return {
            "cross_entropy": Call(lambda: None, lambda _: Result(loss=0.5)),
            "softmax": Call(lambda: problem.out, values),
            "logsumexp": Call(fail, values),
        }[operation.computes]

    record = run_benchmark(plan("softmax", "logsumexp", "cross_entropy"), [contender(prepare)])
    faults = {cell.operation: cell.refused["wrong"] for cell in record.cells}
    assert "NaN" in faults["softmax"]
    assert "RuntimeError: out of order" in faults["logsumexp"]
    assert "its loss is 0.5" in faults["cross_entropy"]
    assert record.largest_error("logsumexp", "wrong")[0] == float("inf")
    assert record.largest_error("cross_entropy", "wrong")[0] > 1e3


@pytest.mark.parametrize(
    ("hidden", "name"), [("scipy", "scipy"), ("torch", "torch"), ("torch", "entmax"), ("jax", "jax")]
)
def test_a_missing_library_is_left_out_with_a_line(hidden, name, monkeypatch):
    monkeypatch.delitem(sys.modules, PEERS[name], raising=False)
    monkeypatch.delitem(sys.modules, PEERS["torch"], raising=False)
    monkeypatch.setitem(sys.modules, hidden, None)
    peers, lines = load_peers([name])
    assert peers == []
    assert len(lines) == 1
    assert lines[0].startswith(f"{name} ")
    assert f"left out; pip install {hidden}" in lines[0]


def test_a_broken_library_is_left_out_with_its_reason(monkeypatch, tmp_path):
    (tmp_path / "broken_peer.py").write_text("raise ImportError('libfoo.so: no such file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PEERS, "broken", "broken_peer")
    assert load_peers(["broken"]) == ([], ["broken cannot be loaded (libfoo.so: no such file): left out"])

"""Probabilities and their logarithms against arbitrary precision (mpmath), by another algorithm."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from row_checks import BOUND
from truth import DEVICE, MAPPINGS

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.checks.accuracy import compare_with_logarithms
from lastlayer.checks.edges import INF
from lastlayer.checks.rows import score_rows
from lastlayer.kernels.triton import evaluate


def spread_over_blocks(rows: np.ndarray, count: int) -> np.ndarray | None:
    """Some of the rows, up to four scores of each in a block of their own; None for rows that would be one block again."""
    if rows.shape[1] > 16:
        return rows
    if rows.shape[1] > 4:
        return None
    some = rows[:: max(1, len(rows) // count)]
    wide = np.full((len(some), 50), -INF, np.float32)
    wide[:, [1, 36, 20, 49][: rows.shape[1]]] = some
    return wide


@cache
def exact_probabilities(mapping: str, row: bytes) -> list:
    """mpmath's probabilities of a float32 row, whose entries of −∞ have none."""
    scores = np.frombuffer(row, np.float32)
    return oracles.probabilities(ll.MAPPINGS[mapping], scores)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_arbitrary_precision(mapping, long_rows):
    """Every kind of row of the contract, and confident rows, against mpmath by another algorithm."""
    record = ll.MAPPINGS[mapping]
    mp = oracles.context(record)
    kinds = score_rows(record, np.dtype(np.float32))
    kinds["confident"] = np.array([[0, -17], [-60, 0], [100, -3], [-100, -200], [88, 0], [0, -104]], np.float32)
    kinds["a slice is subnormal"] = np.array([[0, -90], [-95, 0], [300, 400], [0, -101]], np.float32)
    for kind, rows in kinds.items():
        if long_rows != "single":
            rows = spread_over_blocks(rows, 2)
            if rows is None:
                continue
        x = torch.from_numpy(rows).to(DEVICE)
        exact = [exact_probabilities(mapping, row.tobytes()) for row in rows]
        p = evaluate(x, "probabilities", mapping, MAPPINGS[mapping])
        logs = evaluate(x, "log_probabilities", mapping, MAPPINGS[mapping])
        compare_with_logarithms(p.cpu().numpy(), logs.cpu().numpy(), BOUND, f"{mapping}, {kind}")
        if mapping != "softmax":
            sizes = np.array([[float(max(row))] for row in exact])
            off = np.abs(truth.numbers(p) - np.array(exact, dtype=float)) / (2.0**-23 * sizes)
            assert off.max() <= 2.0, (kind, off.max())
            continue
        assert truth.error(p, np.array(exact, dtype=float)) <= BOUND, kind
        exact_logs = np.array([[float(mp.log(q)) if q else -INF for q in row] for row in exact])
        assert truth.error(logs, exact_logs) <= BOUND, kind

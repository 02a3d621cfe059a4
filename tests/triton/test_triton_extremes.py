"""Rows at the extremes, however they are cut: special values, far maxima, first blocks that mislead."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from row_checks import BOUND, check, check_half, scores
from truth import DEVICE, MAPPINGS

import lastlayer as ll
from lastlayer.checks.accuracy import compare_with_logarithms
from lastlayer.checks.edges import INF, NAN, SPECIAL_ROWS, expected
from lastlayer.kernels.triton import evaluate


def test_no_maximum_is_special(long_rows):
    """Even if a slice is empty, or lanes have no slice: the factor that rescales terms to the row's exponent must be zero there."""
    maxima = torch.tensor([-176.75, -177.5, -531.75, -532.25], device=DEVICE)
    x = scores(len(maxima), 40, 0.5)
    x += (maxima - x.amax(1))[:, None]
    check(x, "softmax")
    x[:, 16:32] = -INF
    check(x, "softmax", ("probabilities", "log_partition"))
    check_half(x.bfloat16(), "softmax")


def test_long_rows_whose_first_block_misleads(long_rows):
    x = scores(9, 40)
    x[0, 24:] += 60.0
    x[1, :20] = -INF
    x[2, 36] = 1e6
    x[3] -= 1e7
    x[4, :16] = 1e5
    x[5, 35] = -INF
    # On both sides of where scores are shifted by their maximum first.
    x[6] += 524288.0
    x[7] -= 524288.0
    x[8, :20] += 524280.0
    x[8, 20:35] += 524300.0
    x[8, 35:] = -1e9
    check(x, "softmax")
    # A half type's row is judged by its sum: that of one slice is finite here, but not that of two.
    heavy = torch.zeros(2, 56, device=DEVICE)
    heavy[0, 24:] = 42.0
    heavy[1, 26:32] = heavy[1, 50:] = 53.5
    check_half(heavy.bfloat16(), "softmax")
    # The two half types differ in how they are loaded and stored; every cut is tried with one of them.
    is_bfloat = long_rows in ("single", "split blocks")
    check_half(x.bfloat16() if is_bfloat else x.clamp(-6e4, 6e4).half(), "softmax")
    # The sparse mappings split no row.
    for mapping in () if long_rows.startswith("split") else ("sparsemax", "entmax"):
        check(x, mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_special_values(mapping, long_rows):
    for pad in {"single": (0, 30), "split": (15,)}.get(long_rows, (30,)):
        rows = [row + (-INF,) * pad for row in SPECIAL_ROWS if not (pad and np.isnan(row).all())]
        x = torch.tensor(rows, device=DEVICE)
        truths = [expected(ll.MAPPINGS[mapping], tuple(map(float, row))) for row in x]
        exact = np.array([[NAN] * len(rows[0]) if row is None else row for row in truths])
        p = evaluate(x, "probabilities", mapping, MAPPINGS[mapping], out=truth.nan_like(x))
        assert truth.error(p, exact, scale=1.0) <= 2.0, p
        assert ((p.cpu().numpy() > 1e-40) == (exact > 1e-40)).all(), p
        logs = evaluate(x, "log_probabilities", mapping, MAPPINGS[mapping], out=truth.nan_like(x))
        compare_with_logarithms(p.cpu().numpy(), logs.cpu().numpy(), BOUND, mapping)
        z = evaluate(x, "log_partition", mapping, MAPPINGS[mapping])
        is_nan = x.isnan().any(1)
        is_nothing = x.amax(1) == -INF
        assert (z.isnan() == (is_nan if mapping == "softmax" else is_nan | is_nothing)).all(), z
        assert ((z == INF) == ((x == INF).any(1) & ~is_nan)).all(), z

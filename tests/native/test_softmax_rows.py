"""Sums of rows and slopes in place by the native kernels, against the formulas in float64: dtypes, options, edges and row strides."""

from __future__ import annotations

import sys

import pytest
import torch
from running import run_python

from lastlayer.activation import Activation
from lastlayer.backends import instruction_set
from lastlayer.backends.torch import cpu, softmax_rows
from lastlayer.backends.torch.softmax_rows import RowSlopes

INF, NAN = float("inf"), float("nan")
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
ACTIVATIONS = (Activation(), Activation(0.7), Activation(1.3, 5.0))
#: Relative errors of sums: terms of float32 and of float64; a softcap of narrow types has 2^−30 in its exponent.
SUMS = {torch.float64: 3e-14}
SLOPES = {torch.float32: 2e-7, torch.float64: 1e-13, torch.float16: 1e-3, torch.bfloat16: 8e-3}


def problem(classes, dtype, rows=7):
    generator = torch.Generator().manual_seed(classes)
    # Rows with a gap between them.
    wide = (3.0 * torch.randn(rows, classes + 5, generator=generator)).to(dtype)
    places = torch.randint(0, classes, (rows,), generator=generator)
    places[1] = -3
    weights = torch.rand(classes, generator=generator, dtype=torch.float64)
    weights[0] = 0.0
    return wide[:, :classes], places, weights


def check(classes, dtype, activation):
    x, places, weights = problem(classes, dtype)
    assert cpu.has_softmax_rows(x)
    exact, first = softmax_rows._sums_by_formulas(x.double(), places, activation, weights, True)
    got = softmax_rows.row_sums(x, places, activation, class_weight=weights, wants_distances=True)
    assert torch.equal(got.argmax, first)
    for mine, true in zip(got[:6], exact, strict=True):
        torch.testing.assert_close(mine, true, rtol=SUMS.get(dtype, 1.5e-7), atol=0.0)

    drawn = torch.randn(4, len(x), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    numbers, is_live = RowSlopes(*exact[:2], *drawn), torch.arange(len(x)) != 3
    truth = x.double()
    softmax_rows._slopes_by_formulas(truth, places, torch.stack(numbers), is_live, activation, weights)
    softmax_rows.row_slopes(x, places, numbers, is_live, activation, class_weight=weights)
    assert not x[3].any()
    # A difference loses digits relative to its parts, and float16 those of subnormal numbers.
    slack = max(SLOPES[dtype] * 1e-2 * float(truth.abs().max()), 3e-8 * (dtype == torch.float16))
    torch.testing.assert_close(x.double(), truth, rtol=SLOPES[dtype], atol=slack)


def check_edges(dtype):
    """One +∞, two, none above −∞, and a NaN in one row alone."""
    x = torch.zeros(5, 20, dtype=dtype)
    x[0, 3] = x[1, 3] = x[1, 17] = INF
    x[2] = -INF
    x[3, 18] = NAN
    x[4, 0] = -INF
    sums = softmax_rows.row_sums(x, torch.full((5,), 3), Activation())
    assert sums.argmax.tolist() == [3, 3, 0, 18, 1]
    assert sums.largest.tolist()[:3] == [INF, INF, -INF]
    assert sums.others.tolist()[:3] == [0.0, 1.0, 0.0]
    assert sums.spread.tolist()[:3] == [0.0, 0.0, 0.0]
    assert all(bool(part[3].isnan()) for part in (sums.largest, sums.others, sums.spread))
    assert float(sums.others[4]) == 18.0
    one = torch.ones(5, dtype=torch.float64)
    numbers = RowSlopes(sums.largest, sums.others, one, 0 * one, 0.25 * one)
    softmax_rows.row_slopes(x, torch.full((5,), 3), numbers, one == 1.0, Activation())
    assert x[0].tolist() == [0.0] * 3 + [0.25] + [0.0] * 16
    assert x[1, 17] == 0.5
    assert x[2, 4:].isnan().all()
    assert x[3, 4:].isnan().all()
    assert float(x[4, 0]) == 0.0
    assert float(x[4, 9]) == pytest.approx(1 / 19, rel=1e-2)


def check_all():
    for dtype in DTYPES:
        check_edges(dtype)
        for classes in (1, 2, 7, 16, 17, 100, 1000):
            for activation in ACTIVATIONS:
                check(classes, dtype, activation)
    print(instruction_set())


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_every_instruction_set(name):
    code = f"import runpy, sys; sys.path[:] = {sys.path!r}; runpy.run_path({__file__!r}, run_name='check')"
    result = run_python(code, is_checked=False, LASTLAYER_ISA=name)
    if "which this processor or build does not have" in result.stderr:
        pytest.skip(f"this processor has no {name}; run on one that has")
    assert result.stdout.split() == [name], result.stderr


def test_a_row_has_the_same_bits_in_any_batch():
    x = torch.randn(40, 3001, generator=torch.Generator().manual_seed(0))
    places = torch.zeros(40, dtype=torch.int64)
    together = softmax_rows.row_sums(x, places, Activation())
    for i in (0, 17, 39):
        alone = softmax_rows.row_sums(x[i : i + 1].clone(), places[:1], Activation())
        assert all(torch.equal(a[i], b[0]) for a, b in zip(together, alone, strict=True))


def test_what_does_not_fit_is_refused():
    x, numbers, places = torch.zeros(3, 4).numpy(), torch.zeros(6, 3).double().numpy(), torch.zeros(3).long().numpy()
    for given in (
        (x.T, numbers, places, places),
        (x, numbers[:5].copy(), places, places),
        (x, numbers, places[:2].copy(), places),
        (x, numbers, places, places[:2].copy()),
    ):
        with pytest.raises(TypeError):
            cpu.EXTENSION.row_sums(given[0], given[2], given[1], given[3])
    with pytest.raises(TypeError):
        cpu.EXTENSION.row_slopes(x, places, numbers, places)


if __name__ == "check":
    check_all()

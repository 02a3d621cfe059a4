"""Probabilities, logarithms and log-partition of rows, against float64 and, at the extremes, arbitrary precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

import truth
from truth import DEVICE, MAPPINGS

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.checks.accuracy import compare_with_logarithms
from lastlayer.checks.edges import INF, NAN, SPECIAL_ROWS, expected
from lastlayer.checks.rows import score_rows
from lastlayer.kernels.triton import evaluate, serves

QUANTITIES = ("probabilities", "log_probabilities", "log_partition")
#: Classes that fill no block, one, and many; of the last but one a row is two blocks and a rest.
CLASSES = (1, 2, 3, 31, 32, 33, 1000, 5000)
#: The goal for softmax, in ULP; the sparse mappings have the absolute bound of their record.
BOUND = 4.0


def scores(rows: int, classes: int, scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    x = scale * np.random.default_rng([seed, classes]).normal(size=(rows, classes))
    if rows > 1:
        x[1, classes // 2] += 25.0
    return torch.from_numpy(x).float().to(DEVICE)


def check(x: torch.Tensor, mapping: str, names: tuple[str, ...] = QUANTITIES) -> None:
    for name in names:
        shape = (len(x),) if name == "log_partition" else tuple(x.shape)
        got = evaluate(x, name, mapping, MAPPINGS[mapping], out=truth.nan_like(x, *shape))
        exact = truth.quantity(x, name, mapping)
        assert error_of(got, exact, x, name, mapping) <= BOUND, (mapping, name, x.shape)
        if name == "log_probabilities":
            p = evaluate(x, "probabilities", mapping, MAPPINGS[mapping])
            compare_with_logarithms(p.cpu().numpy(), got.cpu().numpy(), BOUND, f"{mapping}, {tuple(x.shape)}")


def check_half(x: torch.Tensor, mapping: str) -> None:
    for name in ("probabilities", "log_probabilities") if mapping == "softmax" else ("probabilities",):
        got = evaluate(x, name, mapping, MAPPINGS[mapping], out=truth.nan_like(x))
        assert got.dtype == x.dtype
        exact = truth.quantity(x, name, mapping)
        numbers, rounded = truth.numbers(got), truth.numbers(torch.from_numpy(exact).to(x.dtype))
        is_number = np.isfinite(rounded)
        assert (numbers == rounded)[~is_number].all()
        numbers, exact = numbers[is_number], exact[is_number]
        slack = 2.0**-16 * np.abs(exact) if mapping == "softmax" else 2.0**-22 * exact.max()
        assert (np.abs(numbers - exact) - slack <= 0.5 * truth.ulp(exact, x.dtype)).all(), (mapping, name)


def error_of(got: torch.Tensor, exact: np.ndarray, x: torch.Tensor, name: str, mapping: str) -> float:
    if name == "log_partition":
        return truth.error(got, exact, scale=np.maximum(np.abs(truth.numbers(x).max(1)), np.abs(exact)))
    if mapping == "softmax":
        return truth.error(got, exact)
    p = truth.quantity(x, "probabilities", mapping)
    if name == "probabilities":
        # 2 eps of the largest probability, as the record says; doubled here, so that the bound is 4 for all.
        return 2.0 * float((np.abs(truth.numbers(got) - exact) / (2.0**-23 * p.max(1, keepdims=True))).max())
    # exp(log p) is as near to p as p itself, and one rounding of the logarithm; off the support it is 0.
    with np.errstate(all="ignore"):
        implied = np.exp(truth.numbers(got))
        rounding = np.where(implied > 0, implied * np.abs(truth.numbers(got)), 0.0)
        errors = np.abs(implied - p) / (2.0**-23 * (p.max(1, keepdims=True) + rounding))
    return 2.0 * float(np.where(np.isnan(errors), INF, errors).max())


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("classes", CLASSES)
def test_rows_of_any_number_of_classes(mapping, classes):
    check(scores(2, classes), mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_rows_of_many_blocks(mapping):
    check(scores(1, 70_000), mapping, ("probabilities", "log_partition") if mapping != "softmax" else QUANTITIES)


def test_no_maximum_is_special(long_rows):
    """Nor where a slice holds nothing, or lanes have no slice: what brings weights into the row's frame must be zero there."""
    maxima = torch.tensor([-176.75, -177.5, -531.75, -532.25], device=DEVICE)
    x = scores(len(maxima), 70, 0.5)
    x += (maxima - x.amax(1))[:, None]
    check(x, "softmax")
    x[:, 16:32] = -INF
    check(x, "softmax", ("probabilities", "log_partition"))
    check_half(x.bfloat16(), "softmax")


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("scale", [1e-40, 100.0, 1e4, 1e30])
def test_sizes_of_scores(mapping, scale):
    check(scores(3, 40, scale), mapping)
    check(scores(2, 40, 1.0) + scale, mapping)


def test_long_rows_whose_first_block_misleads(long_rows):
    x = scores(9, 70)
    x[0, 40:] += 60.0
    x[1, :20] = -INF
    x[2, 60] = 1e6
    x[3] -= 1e7
    x[4, :16] = 1e5
    x[5, 50] = -INF
    # On both sides of where scores are shifted by their maximum first.
    x[6] += 524288.0
    x[7] -= 524288.0
    x[8, :20] += 524280.0
    x[8, 20:50] += 524300.0
    x[8, 50:] = -1e9
    check(x, "softmax")
    # Of half types the sum alone tells: that of one row is a number, but not that of two such.
    heavy = torch.zeros(2, 70, device=DEVICE)
    heavy[0, 40:] = 42.0
    heavy[1, 42:48] = heavy[1, 64:] = 53.5
    coarse = torch.cat([x, heavy])
    check_half(coarse.bfloat16(), "softmax")
    check_half(coarse.clamp(-6e4, 6e4).half(), "softmax")
    # Those of the sparse mappings share no row.
    for mapping in () if long_rows.startswith("shared") else ("sparsemax", "entmax"):
        check(x, mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_arbitrary_precision(mapping, long_rows):
    """Every kind of row of the contract, and confident rows, against mpmath by another algorithm."""
    record = ll.MAPPINGS[mapping]
    mp = oracles.context(record)
    kinds = score_rows(record, np.dtype(np.float32))
    kinds["confident"] = np.array([[0, -17], [-60, 0], [100, -3], [-100, -200], [88, 0], [0, -104]], np.float32)
    kinds["a slice is subnormal"] = np.array([[0, -90], [-95, 0], [300, 400], [0, -101]], np.float32)
    for kind, narrow in kinds.items():
        rows = narrow
        if narrow.shape[1] <= 4 and long_rows.startswith("shared"):
            # No two scores in one slice.
            rows = np.full((len(narrow), 67), -INF, np.float32)
            rows[:, [1, 40, 20, 60][: narrow.shape[1]]] = narrow
        x = torch.from_numpy(rows).to(DEVICE)
        exact = [oracles.probabilities(record, row) for row in rows]
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


@pytest.mark.parametrize("mapping", ["sparsemax", "entmax"])
@pytest.mark.parametrize(("classes", "scale"), [(2, 8.0), (5, 0.05), (33, 0.5)])
def test_log_partitions_of_rows_whose_maximum_is_zero(mapping, classes, scale, long_rows):
    """Ω* is then all that there is, and may be as small as the others' probabilities squared."""
    x = scores(20, classes, scale)
    x -= x.amax(1, keepdim=True)
    got = evaluate(x, "log_partition", mapping, MAPPINGS[mapping])
    assert truth.error(got, truth.quantity(x, "log_partition", mapping)) <= BOUND


def test_confident_rows_keep_their_digits():
    got = evaluate(torch.tensor([[0.0, -17.0]], device=DEVICE), "log_probabilities", "softmax")
    assert truth.error(got, [[-4.1399377e-08, -17.0000000414]]) <= 1.0


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_special_values(mapping, long_rows):
    for pad in (0, 30) if long_rows == "single" else (30,):
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


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_once(mapping, dtype, long_rows):
    """Of softmax the digits of a half type are computed, and 2^−16 beyond."""
    x = scores(5, 70).to(dtype)
    x[2] *= 1000.0
    x[3] += 20000.0
    x[4, 3] += 10.0
    check_half(x, mapping)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_rows_are_independent_and_lie_anywhere(mapping, long_rows):
    x = scores(7, 33)
    x[4] = NAN
    whole = evaluate(x, "probabilities", mapping, MAPPINGS[mapping])
    assert whole[4].isnan().all()
    assert not whole[[0, 1, 2, 3, 5, 6]].isnan().any()
    for i in (0, 6):
        alone = evaluate(x[i : i + 1], "probabilities", mapping, MAPPINGS[mapping])
        assert torch.equal(alone[0], whole[i])
    wide = truth.nan_like(x, 7, 50)
    wide[:, 5:38] = x
    out = truth.nan_like(x, 14, 40)
    evaluate(wide[:, 5:38], "probabilities", mapping, MAPPINGS[mapping], out=out[::2, 1:34])
    assert torch.equal(out[::2, 1:34].nan_to_num(9.0), whole.nan_to_num(9.0))
    assert out[1::2].isnan().all()
    assert out[:, 0].isnan().all()
    assert out[:, 34:].isnan().all()
    same = x.clone()
    evaluate(same, "probabilities", mapping, MAPPINGS[mapping], out=same)
    assert torch.equal(same.nan_to_num(9.0), whole.nan_to_num(9.0))


def test_no_rows_and_what_is_not_served():
    for name in QUANTITIES:
        got = evaluate(torch.zeros(0, 5, device=DEVICE), name, "softmax")
        assert tuple(got.shape) == ((0,) if name == "log_partition" else (0, 5))
    assert serves("entmax", 1.5, "loss", torch.bfloat16)
    assert not serves("entmax", 1.3, "loss", torch.float32)
    assert not serves("ratio", None, "probabilities", torch.float32)
    assert not serves("softmax", None, "probabilities", torch.float64)
    with pytest.raises(TypeError, match="float64"):
        evaluate(torch.zeros(2, 2, device=DEVICE).double(), "probabilities", "softmax")
    with pytest.raises(ValueError, match="contiguous"):
        evaluate(torch.zeros(3, 2, device=DEVICE).T, "probabilities", "softmax")
    with pytest.raises(ValueError, match="no classes"):
        evaluate(torch.zeros(3, 0, device=DEVICE), "probabilities", "softmax")


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("name", QUANTITIES)
def test_the_comparison_rejects_planted_errors(mapping, name):
    """A constant, two classes swapped, an error of 1e-6, NaN swallowed, log p finite off the support: each is over the bound by far."""
    x = scores(3, 40)
    exact = truth.quantity(x, name, mapping)
    right = torch.from_numpy(exact).float()
    assert error_of(right, exact, x, name, mapping) <= 2.0
    wrongs = [right * (1.0 + 2e-6), torch.full_like(right, float(exact.mean())), right.flip(-1), right + 1e-5]
    if name == "log_probabilities" and mapping != "softmax":
        wrongs += [torch.where(right == -INF, 0.0, right), torch.where(right == -INF, -10.0, right)]
    for wrong in wrongs:
        assert error_of(wrong, exact, x, name, mapping) > BOUND
    assert truth.error(right.nan_to_num(0.0), np.full_like(exact, NAN)) == INF

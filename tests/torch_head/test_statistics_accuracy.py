"""`linear_statistics` under softmax to the last digits against arbitrary precision, its bounds and signs, and what ignored rows cost."""

from __future__ import annotations

import sys

import mpmath
import numpy as np
import pytest
import torch
from running import run_python

from lastlayer.backends import instruction_set
from lastlayer.torch import linear_statistics

INF, NAN = float("inf"), float("nan")
#: ULP of the result; of logsumexp, of the largest score if that is larger. As docs/torch.md says.
BOUNDS = {"log_prob": 2.0, "entropy": 4.0, "logsumexp": 1.0}


def scores_of(kind: str, classes: int, dtype: torch.dtype) -> torch.Tensor:
    """Four rows."""
    x = torch.randn(4, classes, generator=torch.Generator().manual_seed(classes), dtype=torch.float64)
    if kind == "confident":
        x[:, 0] = torch.tensor([17.0, 30.0, 60.0, 88.0])
    if kind == "offset":
        x += 1e6
    if kind == "wide":
        x *= 40.0
    return x.to(dtype)


def as_head(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Input and weight whose products are these scores, exactly."""
    return torch.eye(len(scores), dtype=scores.dtype), scores.T.contiguous()


def truth(row: np.ndarray, label: int) -> dict[str, mpmath.mpf]:
    with mpmath.workdps(60):
        x = [mpmath.mpf(float(v)) for v in row]
        total = mpmath.fsum(mpmath.exp(v) for v in x)
        z = mpmath.log(total)
        return {
            "log_prob": x[label] - z,
            "entropy": mpmath.fsum(mpmath.exp(v - z) * (z - v) for v in x),
            "logsumexp": z,
        }


def largest_errors(dtype: torch.dtype) -> dict[str, float]:
    """In ULP, of labels that are the likeliest class and of others."""
    worst = dict.fromkeys(BOUNDS, 0.0)
    kind_of = np.float32 if dtype == torch.float32 else np.float64
    for kind in ("usual", "confident", "offset", "wide"):
        for classes in (2, 3, 17, 40, 1000):
            x = scores_of(kind, classes, dtype)
            labels = torch.tensor([0, classes - 1, int(x[2].argmax()), classes // 2])
            found = linear_statistics(*as_head(x), labels)
            for i, row in enumerate(x.numpy()):
                for name, exact in truth(row, int(labels[i])).items():
                    size = max(abs(float(exact)), abs(float(row.max())) if name == "logsumexp" else 0.0)
                    if name != "logsumexp" and size < np.finfo(kind_of).tiny:
                        continue
                    error = abs(mpmath.mpf(float(getattr(found, name)[i])) - exact)
                    worst[name] = max(worst[name], float(error) / float(np.spacing(kind_of(size))))
    return worst


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_to_the_last_digits(dtype):
    for name, error in largest_errors(dtype).items():
        assert error <= BOUNDS[name], (name, error)


@pytest.mark.parametrize("name", ["baseline", "avx2", "avx512"])
def test_every_instruction_set(name):
    if instruction_set() is None:
        pytest.skip("native kernels were not built: install a C++ compiler (GCC or Clang) and reinstall")
    code = f"import runpy, sys; sys.path[:] = {sys.path!r}; runpy.run_path({__file__!r}, run_name='search')"
    result = run_python(code, is_checked=False, LASTLAYER_ISA=name)
    if "which this processor or build does not have" in result.stderr:
        pytest.skip(f"this processor has no {name}; run on one that has")
    assert result.stdout.split() == [name], result.stderr


def search() -> None:
    for dtype in (torch.float32, torch.float64):
        found = largest_errors(dtype)
        if any(found[name] > BOUNDS[name] for name in BOUNDS):
            sys.exit(f"{dtype}: {found}")
    print(instruction_set())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("options", [{}, {"softcap": 3.0}, {"temperature": 0.3, "softcap": 30.0}], ids=str)
def test_no_log_probability_is_above_zero_and_no_entropy_below(dtype, options):
    """Saturated rows too, whose softcapped scores are equal up to rounding."""
    x = 20.0 * torch.randn(300, 50, generator=torch.Generator().manual_seed(0))
    x[:, :3] += 200.0
    x = x.to(dtype)
    found = linear_statistics(torch.eye(300, dtype=dtype), x.T, x.argmax(1), **options)
    assert (found.log_prob <= 0).all()
    assert (found.entropy >= 0).all()
    assert torch.equal(found.argmax, x.argmax(1))


@pytest.mark.parametrize("mapping", ["ratio", "spherical", "sparsemax", "entmax", "stablemax"])
def test_nor_of_another_mapping(mapping):
    """One class has all but a rounding of the probability."""
    x = torch.full((5, 3), 1e-9, dtype=torch.float32)
    x[:, 1] = torch.tensor([1.0, 3.0, 1e4, 7.7, 0.1])
    found = linear_statistics(torch.eye(5), x.T, torch.full((5,), 1), mapping=mapping)
    assert (found.log_prob <= 0).all()
    assert (found.entropy >= 0).all()


def test_infinite_scores():
    """One +∞, two, none above −∞, one −∞, and a NaN in one row alone."""
    x = torch.zeros(5, 4)
    x[0, 2] = x[1, 2] = x[1, 3] = INF
    x[2] = x[3, 1] = -INF
    x[4, 0] = NAN
    # The product with the identity would make NaN of every row.
    bias = torch.zeros(4)
    found = [linear_statistics(torch.zeros(1, 1), torch.zeros(4, 1), torch.tensor([2]), bias=bias + row) for row in x]
    assert [float(part.log_prob) for part in found[:2]] == [0.0, pytest.approx(-np.log(2))]
    assert [float(part.entropy) for part in found[:2]] == [0.0, pytest.approx(np.log(2))]
    assert [float(part.logsumexp) for part in found[:2]] == [INF, INF]
    assert float(found[3].log_prob) == pytest.approx(-np.log(3))
    for i in (2, 4):
        assert all(bool(part.isnan()) for part in found[i][:3])
    assert [int(part.argmax) for part in found] == [2, 2, 0, 0, 0]


@pytest.mark.parametrize("mapping", ["softmax", "sparsemax"])
def test_ignored_rows_are_zeros_whatever_they_hold_and_whatever_arrives(mapping):
    generator = torch.Generator().manual_seed(1)
    input, weight = (torch.randn(*shape, generator=generator, requires_grad=True) for shape in ((6, 3), (9, 3)))
    labels = torch.tensor([1, -100, 3, -100, 8, 0])
    with torch.no_grad():
        input[1] = NAN
        input[3] = 1e30
    found = linear_statistics(input, weight, labels, mapping=mapping)
    ignored = labels == -100
    for part in found[:3]:
        assert not part[ignored].any()
    assert found.argmax[ignored].tolist() == [-1, -1]
    torch.autograd.backward(found[:3], [torch.where(ignored, torch.tensor(each), 1.0) for each in (NAN, INF, NAN)])
    assert not input.grad[ignored].any()
    assert weight.grad.isfinite().all()
    kept = [x.detach().clone().requires_grad_() for x in (input[~ignored], weight)]
    sum(part.sum() for part in linear_statistics(*kept, labels[~ignored], mapping=mapping)[:3]).backward()
    torch.testing.assert_close(input.grad[~ignored], kept[0].grad)
    torch.testing.assert_close(weight.grad, kept[1].grad)


def test_ignored_rows_take_no_product(monkeypatch):
    """On the CPU: products of the rows that count alone, forward and backward."""
    from lastlayer.torch.linear import blocks

    visited = []
    plain = blocks.scores_by_slabs
    monkeypatch.setattr(
        blocks, "scores_by_slabs", lambda part, *rest: (visited.append(len(part)), plain(part, *rest))[1]
    )
    input, weight = torch.randn(100, 2, requires_grad=True), torch.randn(10_000, 2, requires_grad=True)
    labels = torch.full((100,), -100)
    labels[[3, 50, 51]] = 7
    linear_statistics(input, weight, labels).entropy.sum().backward()
    assert sum(visited) in (0, 6)
    assert input.grad.any(1).nonzero().squeeze(1).tolist() == [3, 50, 51]


if __name__ == "search":
    search()

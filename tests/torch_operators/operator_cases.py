"""What the operators' tests share: mappings with their parameters, scores inside every domain, and a mapping of a user's own."""

from __future__ import annotations

import torch

import lastlayer as ll
from lastlayer.mappings import Budget, Domain, LinearModel, ProbabilityMapping
from lastlayer.mappings.exact import Pair
from lastlayer.mappings.normalized import Carried, normalized

#: Every mapping as a name, and α-entmax by its general search too.
NAMES = [*ll.MAPPINGS, "entmax:alpha=1.3"]
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
ROWS, CLASSES, FEATURES = 4, 5, 3
LABELS = torch.tensor([0, 4, -100, 2])


def drawn(*shape: int, seed: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Normal numbers, the same in every run."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def inside(name: str, values: torch.Tensor) -> torch.Tensor:
    """Values as scores inside the domain of a mapping."""
    return values.abs() + 0.1 if name == "ratio" else values


def scores_for(name: str, rows: int = ROWS, classes: int = CLASSES, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """A leaf of scores (rows, classes)."""
    return inside(name, drawn(rows, classes)).to(dtype).requires_grad_()


def head_for(
    name: str, rows: int = ROWS, classes: int = CLASSES, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Leaves input (rows, features), weight (classes, features) and bias whose scores lie inside the mapping's domain."""
    tensors = drawn(rows, FEATURES, seed=1), drawn(classes, FEATURES, seed=2), drawn(classes, seed=3)
    input, weight, bias = (inside(name, t).to(dtype).requires_grad_() for t in tensors)
    return input, weight, bias


def soft_targets(rows: int = ROWS, classes: int = CLASSES) -> torch.Tensor:
    """Distributions (rows, classes), zeros among them."""
    y = torch.softmax(drawn(rows, classes, seed=9), -1)
    y[:, 1] = 0.0
    return y / y.sum(-1, keepdim=True)


def _carry(scores, xp):
    half = xp.zeros_like(scores) + 0.5
    return Carried(exponent=scores * 0.5, derivative=lambda: Pair(half, xp.zeros_like(scores)), slope=lambda: half)


#: A mapping that no table holds: softmax at temperature 2.
WARM_SOFTMAX: ProbabilityMapping = normalized(
    name="warm_softmax",
    summary="Softmax at temperature 2.",
    equation="p_i = exp(x_i / 2) / sum_j exp(x_j / 2)",
    domain=Domain("every real score"),
    carry=_carry,
    g_oracle=lambda score, mp: mp.exp(score / 2),
    limits_of_g=(0.0, float("inf")),
    laws=frozenset({"sums_to_one", "full_support", "shift_invariant", "order_preserving", "convex_loss"}),
    budget=Budget("ulp", float32=1, float64=3),
    linear=LinearModel(intercept_constraint="sum_to_zero"),
    limits="as softmax",
    references=("this test",),
)

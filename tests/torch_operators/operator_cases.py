"""What the operators' tests share: mappings with their parameters, and scores inside every domain."""

from __future__ import annotations

import torch
from domains import inside

import lastlayer as ll

#: Every mapping as a name, and α-entmax by its general search too.
NAMES = [*ll.MAPPINGS, "entmax:alpha=1.3"]
DTYPES = [torch.float64, torch.float32, torch.bfloat16]
ROWS, CLASSES, FEATURES = 4, 5, 3
LABELS = torch.tensor([0, 4, -100, 2])


def drawn(*shape: int, seed: int = 7, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Normal numbers, the same in every run."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


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

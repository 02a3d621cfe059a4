"""Textbook formulas in float64 torch, differentiated by autograd: what the fuzz compares with. Only for finite scores."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

Tensor = torch.Tensor

LOG_G = {
    "softmax": lambda x: x,
    "softmax_plus_one": lambda x: x,
    "ratio": torch.log,
    "spherical": lambda x: 2.0 * torch.log(x.abs()),
    "taylor": lambda x: torch.log(0.5 + 0.5 * (1.0 + x) ** 2),
    "softplus_ratio": lambda x: torch.where(x > -30, torch.log(F.softplus(x.clamp(min=-30.0))), x),
    "sigmoid_ratio": F.logsigmoid,
    "stablemax": lambda x: torch.where(x >= 0, torch.log1p(x.clamp(min=0.0)), -torch.log1p(-x.clamp(max=0.0))),
}
ALPHAS = {"sparsemax": 2.0, "entmax": 1.5, "entmax:alpha=1.3": 1.3, "entmax:alpha=2.5": 2.5}


def log_partition(name: str, x: Tensor) -> Tensor:
    """Z (...): log Σ g, or Ω*(x)."""
    if name in LOG_G:
        log_g = LOG_G[name](x)
        if name == "softmax_plus_one":
            log_g = torch.cat([log_g, torch.zeros_like(log_g[..., :1])], -1)
        return torch.logsumexp(log_g, -1)
    # Danskin: Ω*(x) = ⟨p, x⟩ − Ω(p) has the gradient p.
    p = probabilities(name, x).detach()
    return (p * x).sum(-1) - omega(name, p)


def log_probabilities(name: str, x: Tensor) -> Tensor:
    """log p (..., K); −inf off the support."""
    if name in LOG_G:
        return LOG_G[name](x) - log_partition(name, x)[..., None]
    p = probabilities(name, x)
    return torch.where(p > 0, torch.log(torch.where(p > 0, p, 1.0)), -torch.inf)


def probabilities(name: str, x: Tensor) -> Tensor:
    """p (..., K)."""
    if name in LOG_G:
        return log_probabilities(name, x).exp()
    if name == "hardmax":
        wins = (x.detach() == x.detach().amax(-1, keepdim=True)).double()
        return wins / wins.sum(-1, keepdim=True) + 0.0 * x
    rate = ALPHAS[name] - 1.0
    z = rate * (x - x.detach().amax(-1, keepdim=True))
    low, high = torch.full_like(z[..., :1], -1.0).detach(), torch.zeros_like(z[..., :1]).detach()
    for _ in range(80):
        middle = (low + high) / 2
        is_over = ((z.detach() - middle).clamp(min=0.0) ** (1 / rate)).sum(-1, keepdim=True) >= 1
        low, high = torch.where(is_over, middle, low), torch.where(is_over, high, middle)
    # One differentiable Newton step from the root gives τ the derivative of the implicit function.
    base = (z - low).clamp(min=0.0)
    inside = base.detach() > 0
    safe = torch.where(inside, base, 1.0)
    excess = torch.where(inside, safe ** (1 / rate), 0.0).sum(-1, keepdim=True) - 1.0
    slope = torch.where(inside, safe ** (1 / rate - 1) / rate, 0.0).sum(-1, keepdim=True).detach()
    final = torch.where(inside, z - (low + excess / slope), 1.0).clamp(min=1e-300)
    return torch.where(inside, final ** (1 / rate), 0.0)


def omega(name: str, p: Tensor) -> Tensor:
    """The regularizer Ω(p)."""
    if name == "hardmax":
        return torch.zeros_like(p[..., 0])
    alpha = ALPHAS[name]
    return (p**alpha - p).sum(-1) / (alpha * (alpha - 1))


def row_losses(name: str, x: Tensor, targets: Tensor, **options: Any) -> tuple[Tensor, Tensor]:
    """Losses and parts of the mean's denominator, one per row, for scores (N, K) and labels (N,) or soft targets (N, K)."""
    classes = x.shape[-1]
    given = {"ignore_index": -100, "label_smoothing": 0.0, "z_loss": 0.0, "temperature": 1.0, "softcap": None} | options
    weight, sample = (given.get(key) for key in ("weight", "sample_weight"))
    if given["softcap"] is not None:
        x = given["softcap"] * torch.tanh(x / given["softcap"])
    x = x / given["temperature"]
    if targets.is_floating_point():
        y, counted = targets.double(), torch.ones(len(x), dtype=torch.bool)
    else:
        counted = targets != given["ignore_index"]
        y = F.one_hot(torch.where(counted, targets, 0).long(), classes).double()
    row = torch.ones(len(x), dtype=torch.float64) if sample is None else sample.double()
    counted = counted & (row != 0)
    w = torch.ones(classes, dtype=torch.float64) if weight is None else weight.double()
    smooth = y * (1 - given["label_smoothing"]) + given["label_smoothing"] / classes
    if name in LOG_G:
        log_p = log_probabilities(name, x)
        terms = smooth * w
        losses = -torch.where(terms > 0, terms * log_p, 0.0).sum(-1)
    else:
        losses = log_partition(name, x) + omega(name, smooth) - (smooth * x).sum(-1)
        losses = losses * (y * w).sum(-1)
    part = row if targets.is_floating_point() else row * (y * w).sum(-1)
    # A row's z-loss weighs what the row weighs in the mean's denominator.
    losses = row * losses + given["z_loss"] * part * log_partition(name, x) ** 2
    return torch.where(counted, losses, 0.0), torch.where(counted, part, 0.0)


def reduced(losses: Tensor, parts: Tensor, reduction: str) -> Tensor:
    """The loss that autograd differentiates; of "parts" the total."""
    if reduction == "none":
        return losses
    total, denominator = losses.sum(), parts.sum()
    return total / denominator if reduction == "mean" and denominator > 0 else total

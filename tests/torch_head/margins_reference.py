"""Heads with margins and priors in plain torch and float64: angles by acos, every score stored."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

import lastlayer as ll


def at_label(cosine, margin):
    """The cosine of each class as if it were the label's."""
    if margin is None:
        return cosine
    kind, m = margin
    if kind == "additive":
        return cosine - m
    angle = torch.acos(cosine.clamp(-1, 1))
    return torch.where(angle <= math.pi - m, torch.cos(angle + m), cosine - m * math.sin(m))


def unit(rows):
    """Rows of length 1; a row of zeros stays, and has no gradient."""
    is_zero = (rows == 0).all(-1, keepdim=True)
    return torch.where(is_zero, 0.0, F.normalize(torch.where(is_zero, 1.0, rows.double()), dim=-1))


def scores_of(
    input, weight, labels, *, bias=None, scale=1.0, margin=None, class_prior=None, temperature=1.0, softcap=None
):
    """The scores that the loss sees, after softcap and temperature."""
    cosine = unit(input) @ unit(weight).T
    is_label = (labels[:, None] == torch.arange(weight.shape[0])) & (input != 0).any(1, keepdim=True)
    scores = scale * torch.where(is_label, at_label(cosine, margin), cosine)
    scores = scores if bias is None else scores + bias.double()
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    if isinstance(temperature, torch.Tensor) and temperature.ndim:
        temperature = temperature[:, None]
    scores = scores / temperature
    return scores if class_prior is None else scores + torch.log(class_prior.double() / class_prior.double().sum())


def loss_of(input, weight, labels, *, n_classes=None, mapping="softmax", class_weight=None, **options):
    """What `linear_loss` of a normalized head gives."""
    names = ("bias", "scale", "margin", "class_prior", "temperature", "softcap")
    given = {name: options.pop(name) for name in names if name in options}
    cut = {k: v[:n_classes] if k in ("bias", "class_prior") and v is not None else v for k, v in given.items()}
    scores = scores_of(input, weight[:n_classes], labels, **cut)
    return ll.loss(scores, labels, mapping=mapping, weight=class_weight, on_domain="nan", **options)

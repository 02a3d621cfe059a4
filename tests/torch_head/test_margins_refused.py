"""What `normalize`, `scale`, `margin` and `class_prior` refuse, in the function and when a layer is made."""

from __future__ import annotations

import pytest
import torch

from lastlayer.torch import LinearLoss, linear_loss

ROWS, FEATURES, CLASSES = 11, 5, 7
ANGULAR, ADDITIVE = ("angular", 0.5), ("additive", 0.35)
PRIOR = torch.linspace(0.5, 4.0, CLASSES)


def head():
    return torch.ones(ROWS, FEATURES), torch.ones(CLASSES, FEATURES), torch.arange(ROWS) % CLASSES


REFUSED = {
    "margin without cosines": ({"margin": ANGULAR}, ValueError, "without normalize"),
    "scale without cosines": ({"scale": 3.0}, ValueError, "scale is 3.0 without normalize"),
    "prior and softcap": ({"class_prior": PRIOR, "softcap": 3.0}, ValueError, "together with a softcap"),
    "a kind": ({"normalize": True, "margin": ("cosine", 0.1)}, ValueError, "choose one of additive, angular"),
    "no pair": ({"normalize": True, "margin": 0.3}, TypeError, "give a pair"),
    "a negative margin": ({"normalize": True, "margin": ("additive", -0.1)}, ValueError, "a finite number ≥ 0"),
    "a wide angle": ({"normalize": True, "margin": ("angular", 1.6)}, ValueError, "an angle from 0 to π/2"),
    "a word": ({"normalize": True, "margin": ("angular", "0.5")}, TypeError, "the size of margin is '0.5'"),
    "a scale of 0": ({"normalize": True, "scale": 0.0}, ValueError, "scale is 0.0; give a positive finite number"),
    "a tensor of 0": ({"normalize": True, "scale": torch.tensor(0.0)}, ValueError, "scale is 0.0"),
    "scales": ({"normalize": True, "scale": torch.ones(2)}, ValueError, "a tensor of one floating-point number"),
    "no truth value": ({"normalize": 1}, TypeError, "normalize is 1; give True or False"),
    "a short prior": ({"class_prior": PRIOR[:3]}, ValueError, r"class_prior has shape \(3,\)"),
    "a prior of 0": ({"class_prior": PRIOR - 0.5}, ValueError, "the smallest entry 0"),
    "a prior of NaN": ({"class_prior": PRIOR * float("nan")}, ValueError, "give positive finite numbers"),
    "a list": ({"class_prior": [1.0] * CLASSES}, TypeError, "give a tensor of one positive number per class"),
    "a learned prior": ({"class_prior": PRIOR.clone().requires_grad_()}, TypeError, "class_prior requires a gradient"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    input, weight, labels = head()
    options, kind, words = REFUSED[what]
    with pytest.raises(kind, match=words):
        linear_loss(input, weight, labels, **options)
    with pytest.raises(kind, match=words):
        LinearLoss(FEATURES, CLASSES, **options)


def test_a_margin_needs_labels():
    input, weight, _ = head()
    soft = torch.full((ROWS, CLASSES), 1.0 / CLASSES)
    with pytest.raises(TypeError, match="margin needs labels"):
        linear_loss(input, weight, soft, normalize=True, margin=ADDITIVE)
    assert linear_loss(input, weight, soft, normalize=True, class_prior=PRIOR).ndim == 0

"""The Triton kernels behind torch's dispatch: reductions, shapes, `out`, and the linear head, as on a CUDA tensor."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import lastlayer as ll
from lastlayer.torch import cpu, gpu, linear_loss, linear_statistics
from tests_triton_truth import device

NAMES = ("softmax", "sparsemax", "entmax")


@pytest.fixture(autouse=True)
def on_the_kernels(monkeypatch):
    """As if the tensors lay on CUDA; how often a kernel served is counted."""
    served = []
    real = gpu.serves
    monkeypatch.setattr(gpu, "is_device", lambda tensor: True)
    monkeypatch.setattr(cpu, "serves", lambda mapping, scores: False)
    monkeypatch.setattr(gpu, "serves", lambda *told: real(*told) and (served.append(told) or True))
    yield
    assert served, "no Triton kernel was asked"

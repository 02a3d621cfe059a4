"""What every test shares: the array libraries that the contract runs on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before SciPy is imported: scikit-learn then checks array-API input too.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# Triton reads this where it is first imported, which torch or transformers may do before tests/triton: without a GPU its kernels
# run in its interpreter.
if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# pytest's importlib mode leaves the path alone: for what several folders share.
sys.path.insert(0, str(Path(__file__).parent))

import array_api_strict
import numpy as np
import pytest
import torch

from lastlayer.checks.backend import NUMPY, Backend

STRICT = Backend(
    "array_api_strict", to_array=array_api_strict.asarray, to_numpy=lambda x: np.asarray(x._array), has_half=False
)
TORCH = Backend("torch", to_array=lambda x: torch.from_numpy(np.array(x)), to_numpy=lambda x: x.detach().numpy())


@pytest.fixture(scope="session", params=[NUMPY, STRICT, TORCH], ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each array library in turn, the strictest among them."""
    return request.param

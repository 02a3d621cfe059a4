"""The native kernels are tested where they were built; their tests share modules of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lastlayer.dispatch import instruction_set

# pytest's importlib mode leaves the path alone.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _kernels():
    if instruction_set() is None:
        pytest.skip("native kernels were not built: install a C++ compiler (GCC or Clang) and reinstall")

"""The native kernels are tested where they were built; their tests share modules of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lastlayer.backends import instruction_set

# pytest's importlib mode leaves the path alone. What all folders share is found without tests/conftest.py too, which the
# sanitizers leave out.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


@pytest.fixture(autouse=True)
def _kernels():
    if instruction_set() is None:
        pytest.skip("native kernels were not built: install a C++ compiler (GCC or Clang) and reinstall")

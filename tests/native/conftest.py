"""The native kernels are tested where they were built."""

from __future__ import annotations

import pytest

from lastlayer.dispatch import instruction_set


@pytest.fixture(autouse=True)
def _kernels():
    if instruction_set() is None:
        pytest.skip("native kernels were not built: install a C++ compiler (GCC or Clang) and reinstall")

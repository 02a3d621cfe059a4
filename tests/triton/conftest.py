"""Kernels run in Triton's interpreter where there is no GPU, and compiled where there is one."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

if not torch.cuda.is_available():
    # Before Triton is imported for the first time: it reads this where a kernel is defined, its own included.
    assert "triton" not in sys.modules or os.environ.get("TRITON_INTERPRET") == "1"
    os.environ["TRITON_INTERPRET"] = "1"
if find_spec("triton") is not None:
    import triton.language as tl
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    _cast = InterpreterBuilder.cast_impl

    def _cast_as_a_gpu_does(self: InterpreterBuilder, source: TensorHandle, to: tl.dtype) -> TensorHandle:
        """Rounds float32 to the nearest bfloat16, and knows subnormal ones: the interpreter truncates, and does not."""
        types = (source.dtype.scalar, to.scalar)
        if types == (tl.float32, tl.bfloat16):
            bits = torch.from_numpy(np.ascontiguousarray(source.data)).bfloat16().view(torch.uint16).numpy()
            return TensorHandle(bits, to.scalar)
        if types == (tl.bfloat16, tl.float32):
            return TensorHandle((source.data.astype(np.uint32) << 16).view(np.float32), to.scalar)
        return _cast(self, source, to)

    InterpreterBuilder.cast_impl = _cast_as_a_gpu_does


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The kernels of the sparse mappings share no rows, and need not be tried twice with the same cut."""

    def is_another(item: pytest.Item) -> bool:
        values = getattr(item, "callspec", None)
        told = {} if values is None else values.params
        is_shared = str(told.get("long_rows", "")).startswith("shared")
        return not (is_shared and (told.get("mapping", "softmax") != "softmax" or told.get("is_soft", False)))

    items[:] = filter(is_another, items)


@pytest.fixture(autouse=True)
def _quiet_interpreter() -> Iterator[None]:
    """The interpreter computes in NumPy, which warns of the infinities and NaN that the edges are about."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.fixture(params=["single", "blocks", "shared", "shared blocks"])
def long_rows(request, monkeypatch) -> str:
    """How rows of more than 16 classes are cut: not at all, into blocks, into slices of one block, or into two of some blocks."""
    from lastlayer.kernels.triton import launch

    if request.param != "single":
        single = launch.Block(16, 1, None)
        block = single if request.param == "shared blocks" else launch.Block(32, 1, None)
        rules = {}
        for name, rule in launch.RULES.items():
            shared = rule.shared
            if shared is not None:
                shared = None if request.param == "blocks" else shared._replace(longest=16, block=single, blocks=1)
            rules[name] = rule._replace(single=single, block=block, shared=shared)
        monkeypatch.setattr(launch, "RULES", rules)
        monkeypatch.setattr(launch, "TILE", 32)
        monkeypatch.setattr(launch, "PER_THREAD", 1)
    if request.param == "shared blocks":
        monkeypatch.setattr(launch, "MOST_SLICES", 2)
    return request.param

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
    import interpreter

    interpreter.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what would run the same launch again: only softmax of labels splits rows, and up to 16 classes are never cut."""

    def is_repeated(item: pytest.Item) -> bool:
        call = getattr(item, "callspec", None)
        parameters = {} if call is None else call.params
        cut = str(parameters.get("long_rows", "single"))
        is_split = parameters.get("mapping", "softmax") == "softmax" and not parameters.get("is_soft", False)
        return (cut.startswith("split") and not is_split) or (cut != "single" and parameters.get("classes", 17) <= 16)

    items[:] = [item for item in items if not is_repeated(item)]


@pytest.fixture(autouse=True)
def _quiet_interpreter() -> Iterator[None]:
    """The interpreter computes in NumPy, which warns of the infinities and NaN that the edges are about."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@pytest.fixture(params=["single", "blocks", "split", "split blocks"])
def long_rows(request, monkeypatch) -> str:
    """How rows of more than 16 classes are cut: not at all, into blocks, into slices of one block, or into two of some blocks."""
    from lastlayer.kernels.triton import launch

    if request.param != "single":
        single = launch.Block(16, 1, None)
        block = single if request.param == "split blocks" else launch.Block(32, 1, None)
        rules = {}
        for name, rule in launch.RULES.items():
            split = rule.split
            if split is not None:
                split = None if request.param == "blocks" else split._replace(longest=16, block=single, blocks=1)
            rules[name] = rule._replace(single=single, block=block, split=split)
        monkeypatch.setattr(launch, "RULES", rules)
        monkeypatch.setattr(launch, "TILE", 32)
        monkeypatch.setattr(launch, "PER_THREAD", 1)
    if request.param == "split blocks":
        monkeypatch.setattr(launch, "MOST_SLICES", 2)
    return request.param

"""Lets these tests import what they share: pytest's importlib mode leaves the path alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["whole", "in slices"])
def group(request):
    """No group, or one of this process alone."""
    if request.param == "whole":
        yield None
        return
    distributed = pytest.importorskip("torch.distributed")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield distributed.group.WORLD
    distributed.destroy_process_group()

"""How rows are cut: never into more slices than find room on a device at a time, and always into all classes."""

from __future__ import annotations

import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

from lastlayer.kernels.triton.launch import MOST_SLICES, RULES, launch_for

CLASSES = [1, 1000, 16384, 16385, 32768, 32769, 65536, 65537, 262144, 10**6, 2**24, 2**30]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("multiprocessors", [None, 1, 16, 40, 132])
def test_slices_find_room_and_hold_all_classes(rule, classes, multiprocessors):
    launch = launch_for(7, classes, rule, multiprocessors)
    sizes = launch.sizes
    assert launch.slices <= min(MOST_SLICES, max(1, (multiprocessors or 10**6) // 4))
    if launch.slices == 1:
        assert "SLICES" not in sizes
        assert launch.grid[0] * sizes["ROWS"] >= 7
        assert sizes["BLOCKS"] in (0, -(-classes // sizes["BLOCK"]))
        return
    assert RULES[rule].split is not None
    assert sizes["ROWS"] == 1
    assert launch.grid == (7 * launch.slices,)
    assert launch.slices == sizes["SLICES"] <= sizes["PAD"]
    # The last slice is not empty, and a block lies in one slice.
    assert (launch.slices - 1) * sizes["SLICE"] < classes <= launch.slices * sizes["SLICE"]
    assert sizes["SLICE"] % sizes["BLOCK"] == 0
    assert sizes["BLOCKS"] in (0, sizes["SLICE"] // sizes["BLOCK"])


def test_a_long_row_is_split():
    assert launch_for(1, 262144, "probabilities").slices == 32
    assert launch_for(1, 10**6, "probabilities").slices == 31
    assert launch_for(1, 10**6, "number").slices == 1

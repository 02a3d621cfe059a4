"""The memory of large results: kept for the next result, within a limit, and never shared by two live arrays."""

from __future__ import annotations

import os

import numpy as np
import pytest
from running import run_python

import lastlayer as ll
from lastlayer.backends import LARGE, new_array

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
ROWS, CLASSES = 1024, LARGE // 1024 // 4


def address(array):
    return array.__array_interface__["data"][0]


TOLD = (
    "import numpy as np, lastlayer as ll\nfrom lastlayer.kernels import native\nx = np.ones((1024, 2048), np.float32)\n"
)


def told(code, **environment):
    return run_python(TOLD + code, **environment).stdout.split()


def test_memory_that_is_given_back_serves_the_next_result():
    first = new_array((ROWS, CLASSES), np.float32)
    place = address(first)
    del first
    kept = kernels.kept_bytes()
    second = new_array((CLASSES, ROWS), np.float32)
    assert address(second) == place
    assert kernels.kept_bytes() == kept - LARGE
    assert second.shape == (CLASSES, ROWS)
    assert second.flags.c_contiguous
    assert second.flags.writeable


def test_views_keep_their_memory():
    whole = new_array((ROWS, CLASSES), np.float32)
    view, place = whole[3:5], address(whole)
    view[:] = 7.0
    del whole
    other = new_array((ROWS, CLASSES), np.float32)
    assert address(other) != place
    other[:] = 0.0
    assert (view == 7.0).all()


def test_small_results_are_numpys():
    assert new_array((ROWS, CLASSES // 2), np.float32).base is None


def test_results_do_not_share_memory():
    x = np.random.default_rng(0).normal(size=(ROWS, 2 * CLASSES)).astype(np.float32)
    results = [ll.softmax(x) for _ in range(4)]
    assert len({address(p) for p in results}) == 4
    for p in results:
        np.testing.assert_array_equal(p, ll.softmax(x[:, :]))


def test_a_limit_of_nothing_keeps_nothing():
    assert told(
        "for _ in range(3): p = ll.softmax(x)\ndel p\nprint(native.kept_bytes())", LASTLAYER_KEPT_MEMORY="0"
    ) == ["0"]


def test_the_oldest_is_given_up_beyond_the_limit():
    size = 1024 * 2048 * 4
    code = "a, b = ll.softmax(x), ll.softmax(x)\ndel a, b\nprint(native.kept_bytes(), native.kept_limit())"
    assert told(code, LASTLAYER_KEPT_MEMORY=str(size)) == [str(size), str(size)]
    assert told(code)[0] == str(2 * size)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system; run on one that has")
def test_a_forked_child_has_memory_of_its_own():
    code = (
        "import os\n"
        "p = ll.softmax(x); del p\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    p = ll.softmax(2 * x); p[:] = 3.0; os._exit(0)\n"
        "q = ll.softmax(x)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), float(q.max()) < 1.0)\n"
    )
    assert told(code) == ["0", "True"]

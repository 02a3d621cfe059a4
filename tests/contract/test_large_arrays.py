"""Arrays of more than 2³¹ scores: rows beyond the range of 32-bit indices give the same results as in a small array."""

from __future__ import annotations

import os

import numpy as np
import pytest

import lastlayer as ll

CLASSES = 100
ROWS = 2**31 // CLASSES + 7
#: Bytes: twice the float16 scores.
NEEDED = 2 * 2 * ROWS * CLASSES


def free_memory() -> int:
    """Bytes of free memory; 0 if the system does not report them."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


@pytest.mark.skipif(ll.backends.instruction_set() is None, reason="built without kernels; install a C++ compiler")
@pytest.mark.skipif(free_memory() < NEEDED, reason=f"needs {NEEDED / 2**30:.0f} GiB of memory")
def test_more_than_2_to_the_31_scores():
    x = np.zeros((ROWS, CLASSES), np.float16)
    assert x.size > 2**31
    last = 4.0 * np.random.default_rng(1).normal(size=(5, CLASSES))
    x[-5:] = last
    labels = np.arange(ROWS) % CLASSES
    alone = x[-5:].copy()
    losses, _ = ll.loss_and_grad(x, labels, reduction="none", out=x)
    exact_losses, exact = ll.loss_and_grad(alone, labels[-5:], reduction="none")
    np.testing.assert_array_equal(losses[-5:], exact_losses)
    np.testing.assert_array_equal(x[-5:], exact)
    assert (losses[:-5] == losses[0]).all()
    x[-5:] = last
    ll.softmax(x, out=x)
    np.testing.assert_array_equal(x[-5:], ll.softmax(alone))

"""The kernels on the threads of torch's OpenMP library: the same bits, from many Python threads, and in forked children."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
import torch
from running import from_many_threads, run_python

import lastlayer as ll
import lastlayer.torch

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
TOLD = (
    "import os, threading, numpy as np, torch, lastlayer as ll, lastlayer.torch\n"
    "torch.set_num_threads(2); ll.set_num_threads(2)\n"
    "x = np.random.default_rng(0).normal(size=(3000, 100))\n"
    "a = torch.ones(500, 500); a @ a\n"
    "p = ll.softmax(x)\n"
)


def told(code):
    return run_python(TOLD + code).stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch brings an OpenMP library that we know on Linux")
def test_torch_has_threads_to_borrow():
    assert kernels.borrow_threads()


def test_threads_change_no_bits():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(700, 300)))
    before, results = ll.show_config()["threads"], []
    for threads in (1, 2, 3, 7):
        ll.set_num_threads(threads)
        results.append(ll.softmax(x))
    ll.set_num_threads(before)
    assert all(torch.equal(results[0], p) for p in results)


def test_many_python_threads_at_once():
    x = np.random.default_rng(1).normal(size=(600, 400))
    expected, before = ll.softmax(x), ll.show_config()["threads"]
    ll.set_num_threads(2)
    is_right = from_many_threads(lambda: np.array_equal(ll.softmax(x), expected))
    ll.set_num_threads(before)
    assert is_right


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system; run on one that has")
def test_forked_child_computes_on_its_own_threads():
    code = (
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if np.array_equal(ll.softmax(x), p) and np.array_equal(ll.softmax(x), p) else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(ll.softmax(x), p))"
    )
    assert told(code) == ["0", "True"]


def test_data_loader_workers_compute():
    code = (
        "class Rows(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 4\n"
        "    def __getitem__(self, i): return ll.softmax(x)[i] - p[i]\n"
        "loader = torch.utils.data.DataLoader(Rows(), num_workers=2, multiprocessing_context='fork')\n"
        "print(max(float(d.abs().max()) for d in loader))"
    )
    assert told(code) == ["0.0"]

"""Limits of the machine: threads that do not start, limited memory, Ctrl-C, a control group's quota."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from running import run_python

import lastlayer as ll

kernels = pytest.importorskip("lastlayer.kernels.native", reason="install a C++ compiler and reinstall")
is_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux; run there")

LIMITED = (
    "import resource, gc, os, numpy as np, lastlayer as ll\n"
    "from lastlayer.kernels import native\n"
    "def used(): return int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
    "def limit(room): resource.setrlimit(resource.RLIMIT_AS, (used() + (room << 20), resource.RLIM_INFINITY))\n"
)


def told(code: str, **environment: str) -> list[str]:
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the address sanitizer needs an address space without a limit; `make test` runs this")
    return run_python(LIMITED + code, **environment).stdout.split()


@is_linux
def test_threads_that_do_not_start_are_done_without():
    """Their stacks of megabytes do not fit into the address space, in a second call neither."""
    code = (
        "x = np.random.default_rng(0).normal(size=(4000, 300)); out = np.empty_like(x)\n"
        "ll.set_num_threads(1); p = ll.softmax(x); labels = np.arange(4000) % 300\n"
        "loss = ll.loss(x, labels)\n"
        "ll.set_num_threads(16); before = len(os.listdir('/proc/self/task')); limit(20)\n"
        "for _ in range(3): print(np.array_equal(ll.softmax(x, out=out), p), ll.loss(x, labels) == loss)\n"
        "print(len(os.listdir('/proc/self/task')) - before < 15)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)\n"
        "print(np.array_equal(ll.softmax(x, out=out), p), len(os.listdir('/proc/self/task')) - before)\n"
    )
    assert told(code) == [*["True", "True"] * 3, "True", "True", "15"]


@is_linux
@pytest.mark.parametrize("call", ["ll.softmax(x)", "ll.sparsemax(x)", "ll.loss_and_grad(x, [3], out=x)"])
def test_the_workspace_is_that_of_the_rows_in_work(call):
    """One row of two million classes, though 64 threads are allowed."""
    code = f"ll.set_num_threads(64); x = np.zeros((1, 2_000_000), np.float32); limit(200)\n{call}\nprint('done')"
    assert told(code) == ["done"]


@pytest.mark.parametrize("given", ["1000000", "99999999999999999999", "1000000,2"])
def test_absurd_numbers_of_threads_are_clamped(given):
    most = max(64, 4 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 64)
    code = (
        "print(ll.show_config()['threads'])\n"
        "ll.set_num_threads(3); print(ll.show_config()['threads'])\n"
        "for n in (10**6, 2**31, 2**70): ll.set_num_threads(n); print(ll.show_config()['threads'])\n"
    )
    code = "import lastlayer as ll\n" + code
    found = run_python(code, OMP_NUM_THREADS=given).stdout.split()
    assert found == [str(most), "3", *[str(most)] * 3]


@is_linux
@pytest.mark.parametrize(
    "call",
    [
        "ll.softmax(x)",
        "ll.softmax(by_columns)",
        "ll.loss_and_grad(x[:, ::-1], labels)",
        "ll.loss_and_grad(x, soft)",
        "ll.loss_and_grad(x, labels, mapping='entmax')",
    ],
)
def test_kept_memory_is_given_up_for_what_does_not_fit(call):
    """A freed result of 100 MB is kept; then the call needs more than the room that is left."""
    code = (
        "x = np.zeros((2500, 2000), np.float32); labels = np.zeros(2500, int); soft = np.full(x.shape, 1 / 2000, np.float32)\n"
        "by_columns = np.asfortranarray(x)\n"
        f"ll.set_num_threads(1); {call}; gc.collect()\n"
        "big = ll.softmax(np.zeros((12500, 2000), np.float32)); del big; gc.collect()\n"
        "print(native.kept_bytes() >= 10**8)\n"
        f"limit(15)\ntry: {call}\nexcept MemoryError: print('no memory', native.kept_bytes() >> 20)\n"
        "else: print('done', native.kept_bytes() >> 20 < 90)\n"
    )
    assert told(code) == ["True", "done", "True"]


@is_linux
def test_less_is_kept_where_the_address_space_is_limited():
    code = "limit(400); print(0 < native.kept_limit() <= resource.getrlimit(resource.RLIMIT_AS)[0] / 8)"
    assert told(code) == ["True"]


@pytest.mark.parametrize("given", ["-1", "1e9", "8G", " 5", "99999999999999999999"])
def test_a_kept_memory_that_is_no_number_of_bytes_is_refused(given):
    found = run_python("import lastlayer", is_checked=False, LASTLAYER_KEPT_MEMORY=given)
    assert found.returncode
    assert f"LASTLAYER_KEPT_MEMORY is '{given}'" in found.stderr
    assert "give a whole number of bytes" in found.stderr


INTERRUPTED = (
    "import os, signal, threading, time, sys, numpy as np, lastlayer as ll\n"
    "if {borrows}: import lastlayer.torch\n"
    "ll.set_num_threads({threads})\n"
    "x = np.random.default_rng(0).normal(size=(3000, 1000)); labels = np.zeros(len(x), int)\n"
    "def call(): ll.loss_and_grad(x, labels, mapping='entmax:alpha=1.3', out=np.empty_like(x))\n"
    "begin = time.monotonic(); call(); whole = time.monotonic() - begin\n"
    # Enough rows for a call of at least eight seconds, judged by the time of this one.
    "x = np.broadcast_to(x, (int(9 / whole) + 1, *x.shape)).reshape(-1, 1000); labels = np.zeros(len(x), int)\n"
    "place = np.empty_like(x)\n"
    "def kick(): time.sleep(0.3); os.kill(os.getpid(), signal.SIGINT)\n"
    "threading.Thread(target=kick).start(); begin = time.monotonic()\n"
    "try: ll.loss_and_grad(x, labels, mapping='entmax:alpha=1.3', out=place)\n"
    "except KeyboardInterrupt: print('interrupted', time.monotonic() - begin < 5)\n"
    "print(np.array_equal(ll.softmax(x[:3]).sum(axis=-1).round(12), np.ones(3)))\n"
)


@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX; run on Linux or macOS")
@pytest.mark.parametrize(("threads", "borrows"), [(1, False), (2, False), (2, True)])
def test_ctrl_c_stops_a_long_kernel(threads, borrows):
    found = run_python(INTERRUPTED.format(threads=threads, borrows=borrows)).stdout.split()
    assert found == ["interrupted", "True", "True"]


def a_group(root: Any, path: str, **files: str) -> None:
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("membership", "groups", "granted"),
    [
        ("0::/\n", {"": {"cpu__max": "150000 100000\n"}}, 2),
        ("0::/\n", {"": {"cpu__max": "max 100000\n"}}, 0),
        ("0::/\n", {}, 0),
        ("0::/system.slice/a.service\n", {"system.slice": {"cpu__max": "400000 100000"}}, 4),
        ("0::/s/a\n", {"s": {"cpu__max": "400000 100000"}, "s/a": {"cpu__max": "50000 100000"}}, 1),
        (
            "4:memory:/m\n3:cpu,cpuacct:/c\n",
            {"cpu/c": {"cpu__cfs_quota_us": "300000", "cpu__cfs_period_us": "100000"}},
            3,
        ),
        ("3:cpu,cpuacct:/of/the/host\n", {"cpu": {"cpu__cfs_quota_us": "200000", "cpu__cfs_period_us": "100000"}}, 2),
        ("3:cpu:/c\n", {"cpu/c": {"cpu__cfs_quota_us": "-1", "cpu__cfs_period_us": "100000"}}, 0),
        ("3:cpuset:/c\n", {"cpu/c": {"cpu__cfs_quota_us": "300000", "cpu__cfs_period_us": "100000"}}, 0),
        ("", {"": {"cpu__max": "150000 100000"}}, 0),
    ],
)
def test_a_control_groups_quota(tmp_path, membership, groups, granted):
    """Versions 2 and 1, the group itself and its ancestors."""
    for path, files in groups.items():
        a_group(tmp_path / "root", path, **files)
    (tmp_path / "membership").write_text(membership)
    assert kernels.granted_processors(str(tmp_path / "root"), str(tmp_path / "membership")) == granted


def test_set_num_threads_says_what_it_took():
    before = ll.show_config()["threads"]
    try:
        ll.set_num_threads(2)
        assert ll.show_config()["threads"] == 2
    finally:
        ll.set_num_threads(before)

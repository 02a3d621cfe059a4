"""One decision: the type of an array names its backend, and the list of backends says what computes."""

from __future__ import annotations

import json
from pathlib import Path

import array_api_strict
import numpy as np
import pytest
import torch
from running import run_python

import lastlayer as ll
from lastlayer import dispatch
from lastlayer.backends import NUMPY, PORTABLE, instruction_set
from lastlayer.backends.torch import gpu

ROOT = Path(__file__).parents[2]


def test_the_type_of_an_array_names_its_backend():
    from lastlayer.backends.torch.backend import TORCH

    for array, backend in (
        (np.zeros(2), NUMPY),
        (np.ma.zeros(2), NUMPY),
        (array_api_strict.zeros(2), PORTABLE),
        (torch.zeros(2), TORCH),
        (torch.nn.Parameter(torch.zeros(2)), TORCH),
        (torch.zeros(2, device="meta"), TORCH),
        ([1.0, 2.0], None),
        (1.0, None),
        (np.float64(1.0), None),
        ("text", None),
        (None, None),
    ):
        assert dispatch.backend_of(array) is backend, array


def test_dispatch_is_small_and_decides_alone():
    source = ROOT / "src" / "lastlayer"
    assert len((source / "dispatch.py").read_text("utf-8").splitlines()) <= 120
    asking = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "ArrayImpl" in path.read_text("utf-8") or 'base.__module__ == "torch"' in path.read_text("utf-8")
    ]
    assert asking == ["dispatch.py"]


def test_every_backend_is_listed_before_its_framework_is_imported():
    code = "import json, sys, lastlayer as ll; print(json.dumps([ll.show_config()['backends'], sorted(sys.modules)]))"
    listed, loaded = json.loads(run_python(code).stdout)
    assert not {"torch", "jax", "triton"} & set(loaded)
    assert listed == ll.show_config()["backends"]
    assert [entry["name"] for entry in listed] == ["numpy", "torch cpu", "torch cuda", "jax", "portable"]
    assert all(entry["arrays"] and entry["computes"] for entry in listed)


def test_a_missing_framework_is_named(monkeypatch):
    monkeypatch.setattr(dispatch.util, "find_spec", lambda package: None if package == "triton" else object())
    cuda = next(entry for entry in dispatch.backends() if entry["name"] == "torch cuda")
    assert cuda["needs"] == "not installed: triton"


def test_a_triton_that_is_too_old_is_named_and_not_used(monkeypatch):
    triton = pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")
    monkeypatch.setattr(gpu, "is_device", lambda tensor: True)
    softmax, scores = ll.MAPPINGS["softmax"], torch.zeros(2, 3)
    for version, is_used in (("3.4.0", False), ("3.5.0", True), ("3.10.1+git1", True)):
        monkeypatch.setattr(triton, "__version__", version)
        monkeypatch.setattr(
            dispatch.metadata, "version", lambda package, v=version: v if package == "triton" else "9.0"
        )
        gpu._kernels.cache_clear()
        assert gpu.serves(softmax, scores, "loss") == is_used
        cuda = next(entry for entry in dispatch.backends() if entry["name"] == "torch cuda")
        assert (f"triton {version} is too old, 3.5 is needed" in cuda["needs"]) != is_used
    monkeypatch.undo()
    gpu._kernels.cache_clear()


@pytest.mark.skipif(instruction_set() is None, reason="built without kernels; install a C++ compiler")
def test_serving_says_what_computes():
    softmax = ll.MAPPINGS["softmax"]
    own = ll.ProbabilityMapping(**{**vars(softmax), "evaluate": lambda scores, xp: softmax.evaluate(scores, xp)})
    native = f"native {instruction_set()}"
    for array in (
        np.zeros((2, 3)),
        np.zeros((2, 3), np.float16),
        torch.zeros(2, 3),
        torch.zeros(2, 3, dtype=torch.bfloat16),
    ):
        assert dispatch.serving(softmax, array) == native
        assert dispatch.serving(own, array) == "portable formulas"
    assert dispatch.serving(softmax, array_api_strict.zeros((2, 3))) == "portable formulas"
    assert dispatch.serving(softmax, torch.zeros(2, 3, device="meta")) == "portable formulas"


def test_the_line_of_the_triton_kernels_says_what_they_serve(monkeypatch):
    pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")
    monkeypatch.setattr(gpu, "is_device", lambda tensor: True)
    line = next(entry["computes"] for entry in dispatch.backends() if entry["name"] == "torch cuda")
    served = {
        (name, dtype)
        for name, record in ll.MAPPINGS.items()
        for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        if gpu.serves(record, torch.zeros(2, 3, dtype=dtype), "loss")
    }
    kernels, _, rest = line.partition("; ")
    named = {name for name in ll.MAPPINGS if f" {name}" in kernels or f"1.5-{name}" in kernels}
    dtypes = {dtype for dtype in ("float16", "bfloat16", "float32", "float64") if f" {dtype}" in kernels}
    assert served == {(name, getattr(torch, dtype)) for name in named for dtype in dtypes}
    assert gpu.serves(ll.MAPPINGS["entmax"], torch.zeros(2, 3), "loss")
    assert not gpu.serves(ll.MAPPINGS["entmax"].replace(alpha=1.3), torch.zeros(2, 3), "loss")
    assert rest.startswith("portable formulas")

"""`lastlayer bench`: what it prints, what it records, and what it says about bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

SMALL = ["--quick", "--shapes", "6x3,4x5", "--seconds", "0.002"]
HIDDEN = ("torch", "scipy", "jax", "onnxruntime", "onnx", "entmax", "mpmath", "hypothesis")


def test_table(lastlayer):
    run = lastlayer("bench", *SMALL, "--operations", "softmax,ratio", "--peers", "scipy", width=80)
    assert run.code == 0
    lines = run.out.splitlines()
    assert any(line.split() == ["softmax", "ms", "floor", "scipy"] for line in lines)
    assert any(line.startswith("4×5 ") for line in lines)
    assert any(line.split()[:1] == ["ratio"] for line in lines)
    assert max(map(len, lines)) <= 80
    assert run.err == ""


def test_json_is_the_record(lastlayer, tmp_path):
    out = tmp_path / "record.json"
    run = lastlayer(
        "bench",
        *SMALL,
        "--operations",
        "logsumexp,sparsemax_loss_grad",
        "--peers",
        "torch",
        "--json",
        "--out",
        str(out),
    )
    assert run.json == json.loads(out.read_text(encoding="utf-8"))
    record = run.json
    assert sorted(record) == ["cells", "errors", "facts", "left_out", "schema"]
    assert {"date", "processor", "cores", "threads", "native_kernels", "versions", "dtype"} <= set(record["facts"])
    assert [(cell["shape"], cell["operation"], cell["floor"]) for cell in record["cells"]] == [
        ([6, 3], "logsumexp", "read"),
        ([6, 3], "sparsemax_loss_grad", "copy"),
        ([4, 5], "logsumexp", "read"),
        ([4, 5], "sparsemax_loss_grad", "copy"),
    ]
    for cell in record["cells"]:
        for timing in (*cell["floors"].values(), *cell["timings"].values()):
            assert 0 < timing["best"] <= timing["median"]
            assert timing["calls"] >= 1
    assert {entry["rows"] for entry in record["errors"]} == {"random", "wide", "confident"}


def test_nothing_but_the_core_is_enough():
    code = f"import sys; sys.modules.update(dict.fromkeys({HIDDEN!r})); from lastlayer.cli import main; main()"
    command = [sys.executable, "-c", code, "bench", *SMALL, "--operations", "softmax,sparsemax"]
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
    assert done.returncode == 0, done.stderr
    for name in ("torch", "scipy", "jax", "onnxruntime"):
        assert f"{name} is not installed: left out; pip install {name}" in done.stdout
    assert "errors are not measured, which needs" in done.stdout
    assert "softmax" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shapes", "10"], "'10' is not rows x classes"),
        (["--shapes", "0x5"], "'0x5'"),
        (["--shapes", "-3x5"], "'-3x5'"),
        (["--shapes", ""], "No shapes"),
        (["--operations", "softmaks"], "did you mean 'softmax'"),
        (["--operations", "nonsense"], "choose from softmax, "),
        (["--peers", "pytorch"], "There is no peer 'pytorch'; did you mean 'torch'?"),
        (["--dtype", "float16"], "choose float32 or float64"),
        (["--threads", "0"], "at least 1"),
        (["--threads", "many"], "--threads"),
        (["--seconds", "0"], "positive"),
        (["--seconds", "nan"], "positive"),
        (["--out", "/no/such/folder/record.json"], "folder that exists"),
    ],
)
def test_bad_input_is_one_sentence(lastlayer, arguments, says):
    assert says in lastlayer("bench", "--quick", *arguments).error()


def test_a_shape_beyond_memory_is_one_sentence(lastlayer):
    assert "allocate" in lastlayer("bench", "--quick", "--shapes", "9999999999x999", "--operations", "ratio").error()

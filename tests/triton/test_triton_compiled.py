"""Every kernel compiles for sm_90 without a GPU: to exact instructions, without spills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install triton (Linux alone)")

HERE = Path(__file__).parent
TOOLS = Path(find_spec("triton").origin).parent / "backends" / "nvidia" / "bin"

pytestmark = pytest.mark.skipif(
    not all((TOOLS / tool).exists() for tool in ("ptxas", "cuobjdump")),
    reason=f"ptxas and cuobjdump are not in {TOOLS}; pip's triton brings them",
)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory) -> dict[str, dict]:
    """What became of each kernel, compiled in a process of its own: in this one they may be interpreted."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path_factory.mktemp("triton"))
    run = subprocess.run(
        [sys.executable, HERE / "compile_kernels.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def test_they_compile_and_read_wide(kernels):
    assert all(kernel["cubin"] > 1000 for kernel in kernels.values())
    assert [name for name, kernel in kernels.items() if not kernel["is_vectorised"] and " 1 classes" not in name] == []


def test_no_approximate_instruction_and_no_fusing(kernels):
    """Neither ex2.approx, lg2.approx, div.full or flushed subnormals, nor a multiplication fused unasked.

    But the weights of results that are rounded to a half type may be the hardware's powers of two.
    """
    found = {name: kernel["inexact"] for name, kernel in kernels.items() if kernel["inexact"]}
    halves = {name: found.pop(name) for name in list(found) if "of halves" in name}
    assert found == {}
    assert halves
    assert all(instructions == ["ex2.approx.ftz.f32"] for instructions in halves.values())
    assert [name for name, kernel in kernels.items() if kernel["is_fused"]] == []
    assert [name for name, kernel in kernels.items() if "bf16" in name and not kernel["rounds_to_bf16"]] == []


def test_nothing_is_spilled(kernels):
    """But what lies beside a tile, where ptxas trades it for another program at work: a tile's own scores are hundreds of bytes."""
    assert {name: kernel["spilled"] for name, kernel in kernels.items() if kernel["spilled"] > 48} == {}


def test_the_search_finds_what_it_looks_for(tmp_path):
    """Triton's own exp and division are the approximate ones: a kernel of them must be found out."""
    source = tmp_path / "planted.py"
    source.write_text(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import json, triton, triton.language as tl, compile_kernels\n"
        "@triton.jit\n"
        "def planted(scores, out, N, K, stride_scores, stride_out, BLOCKS: tl.constexpr, ROWS: tl.constexpr, "
        "BLOCK: tl.constexpr):\n"
        "    o = tl.arange(0, BLOCK)\n"
        "    x = tl.load(scores + o).to(tl.float32)\n"
        "    tl.store(out + o, tl.exp(x) / (x + 2.0))\n"
        "print(json.dumps(compile_kernels.compiled(planted, 'probabilities', {}, 64, 'fp32')))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    run = subprocess.run([sys.executable, source, HERE], env=environment, capture_output=True, text=True, check=True)
    found = " ".join(json.loads(run.stdout)["inexact"])
    assert "ex2.approx" in found
    assert "div.full" in found
